"""Drafts of policies in the ledger, and put in force by somebody else: file, record, index, and what Missions work with."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from errors import BadInput, MissionsError, Refused
from graphs.policy_versions import first_moment, is_stale, load_policies_in_force, new_draft, put_in_force, restore
from graphs.runtime import Runtime, open_runtime
from knowledge_index.drafting import Edit, install, newest
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import build
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from ledger.policies import NewDraft, PolicyDraft
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from settings import CHECKOUT, SHIPPED_POLICIES, Settings
from systems.sandbox.database import create_schema
from tests.integration.live_company import built_home
from tests.ledger_examples import enrolled

PEOPLE = {"ana": "analyst", "rita": "reviewer", "sam": "supervisor", "fay": "finance", "olga": "auditor", "finn": "finance",
          "admin": "administrator"}  # fmt: skip
TODAY = datetime.now(UTC).date()
SOON = TODAY + timedelta(days=3)


@pytest.fixture
def desk(ledger_url: str) -> Iterator[AdminService]:
    with PostgresLedger.open(ledger_url) as ledger:
        made = AdminService(ledger)
        for name, role in PEOPLE.items():
            enrolled(made, name, role)
        yield made


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    """A folder of policies and an index that a test may change."""
    shutil.copytree(REFERENCE_POLICIES, tmp_path / "policies")
    home = tmp_path / "home"
    shutil.copytree(built_home() / "knowledge", home / "knowledge")
    return Settings(home=home, policies=tmp_path / "policies")


def a_draft(chosen: Settings, elevated: float = 0.6, day: date = SOON) -> NewDraft:
    base = newest(PolicyBook.load(chosen.policies), "FRD")
    return new_draft(chosen, base, {"FRD-2": Edit(values={"elevated": elevated})}, day, "fewer needless escalations")


def a_plain_draft(day: date = SOON, reason: str = "why not") -> NewDraft:
    return NewDraft(
        policy_id="FRD", base_version=1, base_digest="x", version=2, in_force_from=day, text="the text", reason=reason
    )


def told(desk: AdminService) -> list[tuple[str, str]]:
    """What the audit log says of drafts, the oldest first."""
    return [(row.kind, row.body["by"]) for row in reversed(desk.audit_page()) if row.kind.startswith("policy_")]


def settle(desk: AdminService, draft: PolicyDraft, by: str, reason: str = "agreed") -> PolicyDraft:
    with desk.putting_in_force(draft.draft_id, by, reason) as settled:
        return settled


def test_a_draft_is_kept_as_it_was_handed_in_and_audited(desk: AdminService) -> None:
    draft = desk.draft_policy(a_plain_draft(), "ana")
    assert (draft.text, draft.drafted_by, draft.status) == ("the text", "ana", "draft")
    assert desk.policy_draft(draft.draft_id) == draft == desk.policy_drafts("draft")[0]
    assert desk.open_drafts() == {"FRD": 1}
    assert told(desk) == [("policy_drafted", "ana")]
    assert "the text" not in str(desk.audit_page()[0].body)


@pytest.mark.parametrize("by", ["rita", "olga", "nobody"])
def test_who_may_not_draft_is_refused(desk: AdminService, by: str) -> None:
    with pytest.raises(Refused, match="draft a policy"):
        desk.draft_policy(a_plain_draft(), by)
    assert desk.policy_drafts() == [] and told(desk) == []


def test_a_draft_needs_a_reason_and_a_day_to_come(desk: AdminService) -> None:
    with pytest.raises(BadInput, match="A reason is missing"):
        desk.draft_policy(a_plain_draft(reason=" \n"), "ana")
    with pytest.raises(BadInput, match="which is past; name today or a later day"):
        desk.draft_policy(a_plain_draft(day=TODAY - timedelta(days=1)), "ana")
    assert desk.draft_policy(a_plain_draft(day=TODAY), "ana").in_force_from == TODAY


def test_an_unknown_draft_is_told_so(desk: AdminService) -> None:
    with pytest.raises(BadInput, match="There is no draft 'd-1'"):
        desk.policy_draft("d-1")


def test_nobody_puts_their_own_draft_in_force(desk: AdminService) -> None:
    draft = desk.draft_policy(a_plain_draft(), "sam")
    with pytest.raises(Refused, match="sam drafted this: another person must put it in force"):
        settle(desk, draft, " SAM ")
    assert settle(desk, draft, "fay").settled_by == "fay"
    assert told(desk) == [("policy_drafted", "sam"), ("policy_put_in_force", "fay")]


@pytest.mark.parametrize("by", ["ana", "rita", "olga"])
def test_who_may_not_put_a_policy_in_force_is_refused(desk: AdminService, by: str) -> None:
    draft = desk.draft_policy(a_plain_draft(), "sam")
    with pytest.raises(Refused, match="To put a policy in force requires the role"):
        settle(desk, draft, by)


def test_what_fails_while_it_is_put_in_force_takes_the_record_back(desk: AdminService) -> None:
    draft = desk.draft_policy(a_plain_draft(), "ana")
    with pytest.raises(RuntimeError), desk.putting_in_force(draft.draft_id, "fay", "agreed"):
        raise RuntimeError("the disk is full")
    assert desk.policy_draft(draft.draft_id).status == "draft"
    assert told(desk) == [("policy_drafted", "ana")]


def test_of_several_who_put_a_draft_in_force_at_once_one_does(desk: AdminService) -> None:
    draft = desk.draft_policy(a_plain_draft(), "ana")
    barrier, done, refused = Barrier(4), [], []

    def attempt(by: str) -> None:
        barrier.wait()
        try:
            done.append(settle(desk, draft, by))
        except MissionsError as error:
            refused.append(str(error))

    threads = [Thread(target=attempt, args=(by,)) for by in ("sam", "fay", "sam", "fay")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1 and len(refused) == 3 and "already" in refused[0]
    assert [kind for kind, _ in told(desk)] == ["policy_drafted", "policy_put_in_force"]


def test_the_author_or_who_puts_policies_in_force_withdraws_a_draft(desk: AdminService) -> None:
    mine, yours = desk.draft_policy(a_plain_draft(), "ana"), desk.draft_policy(a_plain_draft(), "ana")
    with pytest.raises(Refused, match="To put a policy in force requires the role"):
        desk.withdraw_draft(mine.draft_id, "rita", "no")
    assert desk.withdraw_draft(mine.draft_id, "ana", "a slip").status == "withdrawn"
    assert desk.withdraw_draft(yours.draft_id, "fay", "too risky").settled_reason == "too risky"
    with pytest.raises(Refused, match="was withdrawn by ana already"):
        settle(desk, mine, "fay")
    assert desk.open_drafts() == {}


def test_a_draft_whose_day_has_passed_is_not_put_in_force(ledger_url: str, desk: AdminService) -> None:
    draft = desk.draft_policy(a_plain_draft(), "ana")
    with PostgresLedger.open(ledger_url) as ledger:
        later = AdminService(ledger, clock=lambda: first_moment(SOON + timedelta(days=1)))
        with pytest.raises(Refused, match="which has passed; create a new draft with a later date"):
            settle(later, draft, "fay")


def test_a_role_that_nobody_has_is_no_draft(chosen: Settings) -> None:
    base = newest(PolicyBook.load(chosen.policies), "GOV")
    with pytest.raises(BadInput, match="GOV-2: role is 'manager'; make it one of reviewer, supervisor, finance"):
        new_draft(chosen, base, {"GOV-2": Edit(values={"role": "manager"})}, SOON, "why")


@pytest.fixture
def runtime(ledger_url: str, chosen: Settings) -> Iterator[Runtime]:
    create_schema(ledger_url)
    with open_runtime(chosen.model_copy(update={"database_url": ledger_url})) as opened:
        yield opened


def test_a_draft_put_in_force_is_what_missions_work_with(runtime: Runtime, desk: AdminService, chosen: Settings) -> None:
    before, context = runtime.context.policies, runtime.context
    day, eve = first_moment(SOON), first_moment(SOON) - timedelta(seconds=1)
    assert before.clause("FRD-2", day).values["elevated"] == 0.4
    draft = desk.draft_policy(a_draft(chosen), "ana")
    other = desk.draft_policy(a_draft(chosen, elevated=0.7), "ana")
    done = put_in_force(runtime, desk, chosen, draft.draft_id, "fay", "agreed")
    assert (done.draft.status, done.left_undone) == ("in_force", "")
    # the folder, the runtime, the index
    assert {p.version for p in PolicyBook.load(chosen.policies).documents if p.id == "FRD"} == {1, 2}
    now = runtime.context.policies
    assert [now.clause("FRD-2", at).values["elevated"] for at in (eve, day)] == [0.4, 0.6]
    hits = runtime.context.knowledge.search("elevated fraud score", k=3, as_of=day)
    assert ("FRD-2", 2) in {(hit.clause.id, hit.clause.version) for hit in hits}
    # what was being driven goes on with the book it had, and runs of earlier moments do not notice
    assert context.policies is before and context.knowledge.search("elevated fraud score", k=3, as_of=day)[0].clause.version == 1
    assert now.period(eve).digest == before.period(eve).digest and now.period(day).digest != before.period(day).digest
    # the index is that of a later start, too
    assert build(now, chosen.knowledge, MiniLM()).unchanged == len(
        {(c.id, c.version) for p in now.periods for c in p.clauses.values()}
    )
    # the other draft was made from what is not the newest version any more
    assert is_stale(other, now)
    with pytest.raises(Refused, match="The draft was made from version 1 of FRD"):
        put_in_force(runtime, desk, chosen, other.draft_id, "fay", "agreed")
    assert desk.policy_draft(other.draft_id).status == "draft"
    with pytest.raises(Refused, match="was put in force by fay already"):
        put_in_force(runtime, desk, chosen, draft.draft_id, "sam", "me too")
    assert runtime.ledger.verify_audit() == []


def test_a_folder_that_cannot_be_written_changes_nothing(runtime: Runtime, desk: AdminService, chosen: Settings) -> None:
    draft = desk.draft_policy(a_draft(chosen), "ana")
    (chosen.policies / ".FRD.v2.md.partial").mkdir()
    with pytest.raises(BadInput, match="cannot be written .* no policy was changed"):
        put_in_force(runtime, desk, chosen, draft.draft_id, "fay", "agreed")
    assert desk.policy_draft(draft.draft_id).status == "draft" and told(desk) == [("policy_drafted", "ana")]
    assert [p.version for p in PolicyBook.load(chosen.policies).documents if p.id == "FRD"] == [1]


def git_status() -> str:
    words = ["git", "-C", CHECKOUT, "status", "--porcelain", "--", SHIPPED_POLICIES]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_what_is_put_in_force_stands_in_the_home_and_leaves_the_checkout_as_it_is(
    ledger_url: str, desk: AdminService, chosen: Settings
) -> None:
    create_schema(ledger_url)
    shipped, before = Settings(home=chosen.home, DATABASE_URL=ledger_url), git_status()
    texts = {file.name: file.read_bytes() for file in SHIPPED_POLICIES.iterdir() if file.is_file()}
    with open_runtime(shipped) as runtime:
        draft = desk.draft_policy(a_draft(shipped), "ana")
        assert put_in_force(runtime, desk, shipped, draft.draft_id, "fay", "agreed").left_undone == ""
    own = chosen.home / "policies"
    assert sorted(file.name for file in own.iterdir()) == ["FRD.md", "FRD.v2.md"]
    assert {file.name: file.read_bytes() for file in SHIPPED_POLICIES.iterdir() if file.is_file()} == texts
    assert git_status() == before
    with open_runtime(shipped) as runtime:
        assert runtime.policies_in_force.held_back == {}
        assert runtime.context.policies.clause("FRD-2", first_moment(SOON)).values["elevated"] == 0.6
    # the next version follows on it, and one that cannot be written leaves it as it was
    base = newest(PolicyBook.load(*shipped.policy_folders), "FRD")
    later = new_draft(shipped, base, {"FRD-2": Edit(values={"elevated": 0.7})}, SOON + timedelta(days=9), "once more")
    take_back = install(shipped.policy_folders, later.text)
    assert newest(PolicyBook.load(*shipped.policy_folders), "FRD").version == 3
    take_back()
    assert sorted(file.name for file in own.iterdir()) == ["FRD.md", "FRD.v2.md"]
    assert newest(PolicyBook.load(*shipped.policy_folders), "FRD").in_force_until is None


@pytest.mark.promise("A policy gives nobody what its author does not have")
def test_a_file_of_the_home_that_is_loosened_is_held_back_and_put_back(
    ledger_url: str, desk: AdminService, chosen: Settings
) -> None:
    create_schema(ledger_url)
    shipped = Settings(home=chosen.home, DATABASE_URL=ledger_url)
    assert load_policies_in_force(shipped, desk).held_back == {}
    own = chosen.home / "policies"
    own.mkdir()
    lax = (SHIPPED_POLICIES / "GOV.md").read_text("utf-8").replace("up_to_cents: 50000,", "up_to_cents: 90000,")
    (own / "GOV.md").write_text(lax, "utf-8")
    deciding, before = load_policies_in_force(shipped, desk), git_status()
    assert set(deciding.held_back) == {"GOV"}
    assert restore(shipped, desk.policies_kept()[0], deciding) == ["GOV.md"]
    assert load_policies_in_force(shipped, desk).held_back == {} and git_status() == before
    assert sorted(file.name for file in own.iterdir()) == ["GOV.md", "GOV.md.held-back"]


def test_the_author_changes_no_file(runtime: Runtime, desk: AdminService, chosen: Settings) -> None:
    draft = desk.draft_policy(a_draft(chosen), "fay")
    with pytest.raises(Refused, match="another person must put it in force"):
        put_in_force(runtime, desk, chosen, draft.draft_id, "fay", "agreed")
    assert [p.in_force_until for p in PolicyBook.load(chosen.policies).documents if p.id == "FRD"] == [None]


BIGGER = {"GOV-3": Edit(values={"bands": [
    {"up_to_cents": 50_000, "role": "reviewer"}, {"up_to_cents": 900_000, "role": "supervisor"},
    {"role": "finance", "four_eyes": True},
]})}  # fmt: skip


@pytest.mark.promise("A policy gives nobody what its author does not have")
def test_whoever_could_not_approve_it_puts_a_change_of_who_approves_in_force(
    runtime: Runtime, desk: AdminService, chosen: Settings
) -> None:
    base = newest(PolicyBook.load(chosen.policies), "GOV")
    draft = desk.draft_policy(new_draft(chosen, base, BIGGER, SOON, "quicker"), "ana")
    for name in ("admin", "sam"):
        with pytest.raises(Refused, match=f"finance or above to put it in force, and {name} is"):
            put_in_force(runtime, desk, chosen, draft.draft_id, name, "quicker")
    first = put_in_force(runtime, desk, chosen, draft.draft_id, "fay", "agreed")
    assert first.draft.status == "draft" and "another one puts it in force" in first.left_undone
    with pytest.raises(Refused, match="fay agreed to this already"):
        put_in_force(runtime, desk, chosen, draft.draft_id, "fay", "once more")
    assert newest(PolicyBook.load(chosen.policies), "GOV").version == 1
    assert put_in_force(runtime, desk, chosen, draft.draft_id, "finn", "agreed").draft.settled_by == "finn"
    assert newest(PolicyBook.load(chosen.policies), "GOV").version == 2
    assert [kind for kind, _ in told(desk)] == ["policy_drafted", "policy_draft_agreed", "policy_put_in_force"]
