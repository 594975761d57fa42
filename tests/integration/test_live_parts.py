"""One proposal over several orders, live: each order's part can be rejected by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.decide import edited as edited_by_command
from errors import BadInput, Refused
from ledger.canonical import digest, utc_now
from ledger.records import Approval, Proposal, Run
from systems.calls import Call, Receipt, Writer
from tests.actions import CONFIRM_RESERVATION, QUARANTINE_STOCK, REALLOCATE_LINE, REQUEST_CYCLE_COUNT, SEND_MESSAGE
from tests.integration.commands import missions
from tests.integration.live_company import RECORDED, Company, changed, edited, order_in, plan_of, promised
from tests.integration.sessions import home_of

pytest_plugins = ["tests.integration.live_company"]

#: quarantine, count, and three orders that are moved
DISCREPANCY = "dev-omn-0002"
#: three late orders that are moved, and nothing else
DELAY = "dev-omn-0049"
#: one late order is moved, the customers of two others are told
TOLD = "dev-omn-0012"
#: two orders are moved to two places, for neither place has enough for both
SCARCE = "dev-omn-0011"
WITHOUT_PARTS = "dev-omn-0004"
AUTOMATIC = "dev-omn-0015"


def parts_of(proposal: Proposal) -> list[str]:
    return list(dict.fromkeys(action["part"] for action in proposal.plan if action.get("part")))


def steps_of(proposal: Proposal, *parts: str) -> list[int]:
    """The steps of some parts, counted from 0."""
    return [step for step, action in enumerate(proposal.plan) if action.get("part") in parts]


def with_another(company: Company, run: Run, **fields: Any) -> Proposal:
    """A proposal that no pack makes now takes the place of the one that waits."""
    proposal = company.proposal(run)
    other = replace(proposal, proposal_id=f"{proposal.proposal_id}.other", revision=proposal.revision + 1, **fields)
    company.runtime.context.ledger.propose(other)
    return other


@pytest.mark.parametrize(("case_id", "place"), [(DISCREPANCY, 0), (DISCREPANCY, 2), (DELAY, 0), (DELAY, 1)])
def test_an_order_that_is_left_out_stays_as_it_was_and_the_others_are_done(company: Company, case_id: str, place: int) -> None:
    run = company.propose(case_id)
    proposal = company.proposal(run)
    parts = parts_of(proposal)
    out = parts[place]
    assert len(parts) == 3
    before = company.snapshot()
    run = company.decide(run, "approve", "rita", without=[out])
    after = company.snapshot()
    assert (run.status, run.outcome) == ("closed", "executed")
    assert changed(before, after) == {about: value for about, value in promised(proposal).items() if about[1] != out}
    assert order_in(after, out) == order_in(before, out)
    assert not any(about[1] == out for about in changed(before, after))
    left = steps_of(proposal, out)
    assert [effect.step for effect in company.effects(run)] == [step for step in range(len(proposal.plan)) if step not in left]


def test_the_rail_tells_which_part_was_left_out_and_the_audit_log_binds_it(company: Company) -> None:
    run = company.propose(DISCREPANCY)
    proposal = company.proposal(run)
    out = parts_of(proposal)[1]
    run = company.decide(run, "approve", "rita", without=[out])
    (step,) = steps_of(proposal, out)
    told = [text for text in company.told(run) if "skipped" in text]
    assert told == [f"{step + 1}. {proposal.plan[step]['says']}: skipped, its part was rejected"]
    assert out in told[0]
    (decision,) = company.ledger.decisions(run.run_id)
    assert decision.details == {"without": [out]}
    (kept,) = [entry.body for entry in company.ledger.audit() if entry.run_id == run.run_id and entry.kind == "decided"]
    assert kept["details_digest"] == digest({"without": [out]})


def test_all_orders_may_be_left_out_where_something_else_is_to_be_done(company: Company) -> None:
    run = company.propose(DISCREPANCY)
    proposal = company.proposal(run)
    before = company.snapshot()
    run = company.decide(run, "approve", "rita", without=parts_of(proposal))
    assert [effect.action for effect in company.effects(run)] == [QUARANTINE_STOCK, REQUEST_CYCLE_COUNT]
    assert {about[2] for about in changed(before, company.snapshot())} == {"quarantined"}


def test_a_message_that_is_left_out_is_not_sent(company: Company) -> None:
    run = company.propose(TOLD)
    proposal = company.proposal(run)
    out = next(action["part"] for action in proposal.plan if action["name"] == SEND_MESSAGE)
    company.decide(run, "approve", "rita", without=[out])
    texts = [deed["body"]["text"] for deed in company.snapshot()["deeds"]]
    assert len(texts) == 1
    assert out not in texts[0]


REFUSED: dict[str, tuple[str, str, Mapping[str, Any], str]] = {
    "an unknown part": (DISCREPANCY, "approve", {"without": ["O-0"]}, "no part 'O-0'; its parts are O-93533, O-36547, O-63569"),
    "a part written otherwise": (DISCREPANCY, "approve", {"without": ["o-93533"]}, "no part 'o-93533'"),
    "one known, one unknown": (DISCREPANCY, "approve", {"without": ["O-93533", "O-0"]}, "no part 'O-0'"),
    "an empty part": (DISCREPANCY, "approve", {"without": [""]}, "give text of 1 to 500 characters"),
    "no part at all": (DISCREPANCY, "approve", {"without": [None]}, "is None: give a text"),
    "a plan without parts": (WITHOUT_PARTS, "approve", {"without": ["O-1"]}, "an approval of a plan with parts"),
    "everything": (DELAY, "approve", {"without": ["O-55882", "O-64665", "O-19575"]}, "reject the proposal"),
    "a rejection": (DISCREPANCY, "reject", {"without": ["O-93533"]}, "does not go with the decision reject"),
    "an escalation": (
        DISCREPANCY,
        "escalate",
        {"without": ["O-93533"], "queue": "fraud"},
        "does not go with the decision escalate",
    ),
    "a remark": (DISCREPANCY, "respond", {"without": ["O-93533"]}, "does not go with the decision respond"),
    "an edit": (DISCREPANCY, "edit", {"without": ["O-93533"], "plan": [{}]}, "Step 1 of the plan"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_left_out_is_one_sentence_and_nothing_is_decided(company: Company, what: str) -> None:
    case_id, kind, details, sentence = REFUSED[what]
    run = company.propose(case_id)
    before = company.snapshot()
    with pytest.raises(BadInput) as told:
        company.decide(run, kind, "rita", **details)
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)
    assert (company.ledger.decisions(run.run_id), company.ledger.run(run.run_id).status) == ([], "waiting")
    assert company.snapshot() == before


def test_nothing_is_left_out_of_a_plan_that_was_done_already(company: Company) -> None:
    run = company.propose(AUTOMATIC)
    with pytest.raises(Refused):
        company.decide(run, "approve", "rita", without=parts_of(company.proposal(run))[:1])
    assert company.ledger.decisions(run.run_id) == []


def test_a_part_whose_absence_breaks_the_plan_is_not_left_out(company: Company) -> None:
    run = company.propose("dev-ord-0007")
    plan = [{**action, "part": action["name"]} for action in company.proposal(run).plan]
    with_another(company, run, plan=plan)
    with pytest.raises(BadInput, match="does not hold without confirm_reservation: .*the reservation is not confirmed"):
        company.decide(run, "approve", "rita", without=[CONFIRM_RESERVATION])
    assert (company.ledger.decisions(run.run_id), company.effects(run)) == ([], [])


def four_eyes(company: Company, case_id: str) -> tuple[Run, list[str]]:
    """A run whose proposal has parts and takes two people of finance, and its parts."""
    run = company.propose(case_id)
    proposal = with_another(company, run, approval=Approval(role="finance", four_eyes=True))
    return run, parts_of(proposal)


@pytest.mark.parametrize("by_whom", [("fay", "finn"), ("finn", "fay")])
def test_with_four_eyes_what_either_of_them_left_out_is_left_out(company: Company, by_whom: Sequence[str]) -> None:
    run, parts = four_eyes(company, DELAY)
    before = company.snapshot()
    company.decide(run, "approve", by_whom[0], without=[parts[0]])
    run = company.decide(run, "approve", by_whom[1], without=[parts[2]])
    assert run.outcome == "executed"
    assert {about[1] for about in changed(before, company.snapshot())} == {parts[1]}


def test_with_four_eyes_two_people_cannot_leave_out_everything_between_them(company: Company) -> None:
    run, parts = four_eyes(company, DELAY)
    company.decide(run, "approve", "fay", without=parts[:2])
    with pytest.raises(BadInput, match="every step"):
        company.decide(run, "approve", "finn", without=parts[2:])


def test_what_was_left_out_of_an_earlier_proposal_is_not_left_out_of_the_next(company: Company) -> None:
    run = company.propose(DISCREPANCY)
    first, second, third = parts_of(company.proposal(run))
    company.sql("update sandbox.oms_orders set status = 'cancelled' where order_id = %s", third)
    run = company.decide(run, "approve", "rita", without=[first])
    assert (run.status, company.effects(run)) == ("waiting", [])
    assert parts_of(company.proposal(run)) == [first, second]
    before = company.snapshot()
    run = company.decide(run, "approve", "rita")
    assert {about[1] for about in changed(before, company.snapshot())} >= {first, second}
    assert not any("skipped" in text for text in company.told(run))


def test_a_person_may_edit_a_plan_and_another_one_leave_a_part_of_it_out(company: Company) -> None:
    run, catalogue = company.propose(DISCREPANCY), company.runtime.context.catalogue
    first, second, _ = parts_of(company.proposal(run))
    run = company.decide(run, "edit", "rita", plan=edited_by_command(company.proposal(run).plan, [], [5], catalogue))
    assert parts_of(company.proposal(run)) == [first, second]
    before = company.snapshot()
    company.decide(run, "approve", "ron", without=[first])
    assert {about[1] for about in changed(before, company.snapshot()) if about[0] == "oms"} == {second}


def test_a_run_that_broke_off_and_was_resumed_still_leaves_the_part_out(company: Company) -> None:
    class BreaksOff:
        """A writer that fails once, before its second write."""

        def __init__(self, writer: Writer) -> None:
            self._writer, self._writes = writer, 0

        def honours_keys(self, call: Call) -> bool:
            """See Writer."""
            return self._writer.honours_keys(call)

        def write(self, call: Call, key: str) -> Receipt:
            self._writes += 1
            if self._writes == 2:
                raise RuntimeError("the connection to everything is gone")
            return self._writer.write(call, key)

    run = company.propose(DISCREPANCY)
    proposal = company.proposal(run)
    out = parts_of(proposal)[0]
    writer = company.runtime.context.writer
    assert writer is not None
    with company.writes_through(BreaksOff(writer)), pytest.raises(RuntimeError):
        company.decide(run, "approve", "rita", without=[out])
    company.ledger.resume(run.run_id, by="rita", reason="it is back", at=company.runtime.context.clock())
    run = company.runtime.drive(run.run_id)
    assert (run.status, run.outcome) == ("closed", "executed")
    assert sum("skipped" in text for text in company.told(run)) == 1
    assert {effect.status for effect in company.effects(run)} == {"done"}
    assert not {effect.step for effect in company.effects(run)} & set(steps_of(proposal, out))
    where = RECORDED[DISCREPANCY]["trigger"]["location"]
    assert where in [line["location"] for line in order_in(company.snapshot(), out)["lines"]]


def test_an_edit_that_promises_the_same_units_to_two_orders_is_not_proposed(company: Company) -> None:
    company.load(SCARCE)
    company.sql("update sandbox.wms_stock set on_hand = reserved + safety_stock + 4 where location = 'DC-DFW'")
    run = company.take_in(SCARCE)
    first = company.proposal(run)
    places = [args["to_location"] for name, args in plan_of(first) if name == REALLOCATE_LINE]
    assert sorted(places) == ["DC-ATL", "DC-DFW"], "4 units are in each place, and 2 and 3 are wanted"
    run = company.decide(run, "edit", "rita", plan=edited(first, to_location="DC-DFW"))
    assert company.proposal(run).author == "planner", "5 units were promised of 4"


def test_the_command_leaves_a_part_out_and_says_so(company: Company, tmp_path: Path) -> None:
    run = company.propose(DISCREPANCY)
    first, second, third = parts_of(company.proposal(run))
    before = company.snapshot()
    words = ("approve", "--reason", "the others can go", "--without", first, "--without", third)
    home = home_of("rita", company.url, tmp_path)
    done = missions("decide", run.run_id, *words, DATABASE_URL=company.url, MISSIONS_HOME=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert [order for order in (first, second, third) if f"{order} from" in done.stdout] == [first, second, third]
    assert done.stdout.count("skipped, its part was rejected") == 2
    assert {about[1] for about in changed(before, company.snapshot()) if about[0] == "oms"} == {second}
    *steps, last = done.stdout.splitlines()
    assert last.endswith(", executed.") and not [line for line in steps if "executed" in line]


def test_of_a_record_within_a_record_only_what_differs_is_shown(company: Company) -> None:
    shown = missions("show", company.propose("dev-ord-0007").run_id, DATABASE_URL=company.url).stdout
    told = [line.split()[2:] for line in shown.splitlines() if re.match(r"(oms|payments) +O-", line)]
    assert ["ship_to/postal_code", "97401", "97404"] in told
    assert ["charges/ch_94687/refunded_cents", "$1.00", "$374.86"] in told
    assert "{" not in shown.split("Proposal 1")[1]


def test_a_reviewer_sees_the_parts_of_a_plan_and_the_words_of_a_message(company: Company) -> None:
    run = company.propose(TOLD)
    shown = missions("show", run.run_id, DATABASE_URL=company.url)
    (table,) = re.findall(r"^# +action.*?\n\n", shown.stdout, re.DOTALL | re.MULTILINE)
    assert all(part in table for part in parts_of(company.proposal(run)))
    assert "comes later than we promised" in " ".join(shown.stdout.split())


def test_the_second_of_four_eyes_reads_what_the_first_left_out(company: Company) -> None:
    run, parts = four_eyes(company, DELAY)
    company.decide(run, "approve", "fay", without=parts[:1])
    assert any(parts[0] in text for text in company.told(run) if text.startswith("fay"))


def test_two_who_leave_out_everything_between_them_at_one_moment_have_nothing_done(company: Company) -> None:
    run = company.propose(DELAY)
    other = with_another(company, run, approval=Approval(role="reviewer", four_eyes=True))
    first, *others = parts_of(other)
    before = company.snapshot()
    # past `Runtime.decide`, which looks at what others have left out before
    for by, without in (("rita", [first]), ("ron", others)):
        company.ledger.decide(
            other.proposal_id,
            kind="approve",
            by=by,
            reason="a test",
            digest=other.digest,
            details={"without": without},
            at=utc_now(),
        )
    run = company.runtime.drive(run.run_id)
    assert run.status == "waiting" and company.effects(run) == []
    assert any("the approvals leave out every step" in text for text in company.told(run))
    assert company.snapshot() == before
