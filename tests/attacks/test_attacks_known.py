"""Attacks on people in the loop that other projects have had, each named with its public report, tried here in our shapes.

- An edited tool call escapes the policy of the tool that it became: langchain-ai/langchain#40166.
- A rejected call runs anyway: langchain-ai/langchain#37093 and #40491, where another part jumps to the tools.
- A single-use approval is used twice: microsoft/agent-framework#4618, brunovicco/agentic-security-framework-lab#145.
- A bad configuration approves by itself: langchain-ai/langchain#39247, cline/cline#10499, google-gemini/gemini-cli#26021.
- A paused run's state changes before it goes on, and the approval holds for something else: crewAIInc/crewAI#6859.
"""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

from errors import BadInput, MissionsError, Refused
from graphs.pack_files import load_packs
from knowledge_index.policies import PolicyBook
from ledger.records import Run
from settings import CHECKOUT
from systems.catalogue import load_catalogue
from tests.actions import OFFER_CREDIT, REFUND_CHARGE
from tests.conftest import _database
from tests.integration.live_company import Company, edited, opened

APPROVED = pytest.mark.promise("What was not approved is not executed")
POLICY = pytest.mark.promise("A policy gives nobody what its author does not have")

#: what a reviewer may approve, and what takes two of finance
SHORT, FOUR_EYES = "dev-ord-0004", "dev-ord-0001"


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    with _database(server_url) as url, opened(url) as made:
        yield made


def untouched(company: Company, run: Run, before: Any) -> bool:
    return company.effects(run) == [] and company.snapshot() == before


@APPROVED
@pytest.mark.parametrize("into", [
    {"name": REFUND_CHARGE, "args": {"order_id": "{order}", "payment_id": "{order}", "amount_cents": 90_000_00, "reason": "x"}},
    {"name": OFFER_CREDIT, "args": {"account_id": "{order}", "amount_cents": 90_000_00}},
    {"name": "void_invoice", "args": {"invoice_id": "{order}"}},
    {"name": "run_shell", "args": {"command": "id"}},
], ids=lambda it: it["name"])  # fmt: skip
def test_an_edit_turns_a_step_into_another_tool(into: dict[str, Any], company: Company) -> None:
    run = company.propose(SHORT)
    before, proposal = company.snapshot(), company.proposal(run)
    plan = edited(proposal)
    order = proposal.plan[0]["for"]
    plan[0] |= {
        "name": into["name"],
        "args": {key: order if value == "{order}" else value for key, value in into["args"].items()},
    }
    with suppress(MissionsError):
        run = company.decide(run, "edit", "rita", plan=plan)
    assert company.ledger.run(run.run_id).status in ("waiting", "incident")
    assert untouched(company, run, before)


@APPROVED
@pytest.mark.parametrize("then", ["drive", "goto", "resume", "approve", "take in again"])
def test_what_was_rejected_is_brought_to_run_all_the_same(then: str, company: Company) -> None:
    run = company.propose(SHORT)
    before, proposal = company.snapshot(), company.proposal(run)
    run = company.decide(run, "reject", "rita")
    jumps = {"goto": Command(goto="execute"), "resume": Command(resume=[{"type": "approve"}])}
    with suppress(Exception):  # whatever it is told; what counts is what was done
        if then in jumps:
            config = {"configurable": {"thread_id": run.run_id}}
            company.runtime.graph.invoke(jumps[then], config, context=company.runtime.context)
        elif then == "approve":
            company.runtime.decide(run.run_id, "approve", "sara", "after all", digest=proposal.digest)
        elif then == "take in again":
            company.runtime.take_in(run.event)
    with suppress(MissionsError):
        company.runtime.drive(run.run_id)
    assert untouched(company, run, before)


@APPROVED
def test_one_approval_is_used_twice(company: Company) -> None:
    run = company.propose(SHORT)
    digest = company.proposal(run).digest
    run = company.decide(run, "approve", "rita")
    done, after = company.effects(run), company.snapshot()
    assert run.outcome == "executed" and done
    with pytest.raises(MissionsError):
        company.runtime.decide(run.run_id, "approve", "rita", "once more", digest=digest)
    company.runtime.drive(run.run_id)
    with suppress(Exception):
        config = {"configurable": {"thread_id": run.run_id}}
        company.runtime.graph.invoke(Command(goto="execute"), config, context=company.runtime.context)
    assert (company.effects(run), company.snapshot()) == (done, after)
    assert len(company.ledger.decisions(run.run_id)) == 1


@APPROVED
def test_one_approval_is_sent_by_many_at_once(company: Company) -> None:
    run = company.propose(SHORT)
    digest = company.proposal(run).digest

    def decide(_: int) -> bool:
        try:
            company.runtime.decide(run.run_id, "approve", "rita", "now", digest=digest)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as hands:
        counted = sum(hands.map(decide, range(8)))
    assert (counted, len(company.ledger.decisions(run.run_id))) == (1, 1)


@APPROVED
def test_an_approval_of_one_run_is_given_to_another(company: Company) -> None:
    company.load(SHORT, FOUR_EYES)
    short, long = company.take_in(SHORT), company.take_in(FOUR_EYES)
    before = company.snapshot()
    with pytest.raises(Refused, match="digest differs"):
        company.runtime.decide(long.run_id, "approve", "fay", "agreed", digest=company.proposal(short).digest)
    assert untouched(company, long, before)


#: what stands in the policy, and what somebody makes of it who wants it to approve by itself
MISCONFIGURED: dict[str, tuple[str, str]] = {
    "no band is left": (r"(?m)^bands:\n(  - .*\n)+", "bands: []\n"),
    "no band is the last": (r"  - \{role: finance, four_eyes: true\}\n", ""),
    "a role that there is not": (r"role: reviewer", "role: anybody"),
    "a role that is nobody": (r"role: reviewer", "role: none"),
    "a role that is empty": (r"role: reviewer", "role: ''"),
    "a role that is a list": (r"role: reviewer", "role: []"),
    "a bound that is a word": (r"up_to_cents: \d+", "up_to_cents: all"),
    "a bound below nothing": (r"up_to_cents: \d+", "up_to_cents: -1"),
    "four eyes that are maybe": (r"four_eyes: true", "four_eyes: maybe"),
}


@POLICY
@pytest.mark.parametrize("what", MISCONFIGURED)
def test_a_configuration_that_is_no_good_is_taken_for_leave(what: str, tmp_path: Path) -> None:
    pattern, by = MISCONFIGURED[what]
    folder = tmp_path / "policies"
    shutil.copytree(CHECKOUT / "knowledge_index" / "policies", folder)
    text = (folder / "GOV.md").read_text()
    changed = re.sub(pattern, by, text)
    assert changed != text
    (folder / "GOV.md").write_text(changed)
    with pytest.raises(BadInput):
        load_packs(CHECKOUT / "graphs" / "packs", load_catalogue(), PolicyBook.load(folder))


@APPROVED
@pytest.mark.parametrize("what", ["the plan in the ledger", "the decision in the checkpoint", "the thread of another run"])
def test_a_paused_run_is_changed_before_it_goes_on(what: str, company: Company) -> None:
    company.load(SHORT, FOUR_EYES)
    run, other = company.take_in(SHORT), company.take_in(FOUR_EYES)
    before, config = company.snapshot(), {"configurable": {"thread_id": run.run_id}}
    if what == "the plan in the ledger":
        dear = company.proposal(other).proposal_id
        theirs = f"(SELECT plan FROM ledger.proposals WHERE proposal_id = '{dear}')"
        company.sql(f"UPDATE ledger.proposals SET plan = {theirs} WHERE run_id = '{run.run_id}'")
    elif what == "the decision in the checkpoint":
        state = {"decision": {"id": "d", "kind": "approve", "by": "rita"}, "waits": False}
        with suppress(Exception):
            company.runtime.graph.update_state(config, state, as_node="review")
    else:
        company.sql("DELETE FROM checkpoints WHERE thread_id = %s", run.run_id)
        company.sql("UPDATE checkpoints SET thread_id = %s WHERE thread_id = %s", run.run_id, other.run_id)
        company.sql("UPDATE checkpoint_blobs SET thread_id = %s WHERE thread_id = %s", f"{run.run_id}-", run.run_id)
        company.sql("UPDATE checkpoint_blobs SET thread_id = %s WHERE thread_id = %s", run.run_id, other.run_id)
    if what != "the decision in the checkpoint":  # there it is enough to go on
        with suppress(MissionsError):
            company.runtime.decide(run.run_id, "approve", "rita", "as it was shown")
    with suppress(MissionsError):
        company.runtime.drive(run.run_id)
    assert untouched(company, run, before) and untouched(company, other, before)
