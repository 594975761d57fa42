"""Whoever would give away in many small plans what one plan may not: limits over runs hold wherever it is split."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
import yaml
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from errors import BadInput, OverLimit, Refused
from evals.recorded.cases import recorded
from graphs.mission import mission_graph
from graphs.pack_files import load_packs
from graphs.policy_versions import taken_away
from knowledge_index.policies import PolicyBook
from ledger.audit_export import examine
from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.connections import parse, plain
from ledger.memory import MemoryLedger
from ledger.postgres import PostgresLedger
from ledger.records import Limit
from ledger.roles import Role, _with_option, as_role, grant_roles
from nodes.planner import Planner
from nodes.review import request, standings
from nodes.state import MissionContext
from nodes.understanding import Listening
from settings import CHECKOUT
from systems.catalogue import Catalogue
from systems.recorded import RecordedSystems
from tests.actions import OFFER_CREDIT, POST_PAYMENT, REFUND_CHARGE
from tests.attacks.test_attacks_effect import run_with
from tests.conftest import _database
from tests.engine import a_customer, a_line, a_payment, a_stock, an_exception, an_order, laboratory
from tests.integration.commands import missions
from tests.integration.live_company import Company, opened
from tests.ledger_examples import NOW, a_limit, an_effect, decided, giving, staffed
from tests.reference import SCHEMA

pytestmark = pytest.mark.promise("Limits add up")

#: of a reviewer: a refund of $500 to one customer
REFUND = "dev-sup-0022"
POLICIES, PACKS = CHECKOUT / "knowledge_index" / "policies", CHECKOUT / "graphs" / "packs"
#: $600 within a week; each plan adds $500
WEEK = a_limit()


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "memory":
        made: Ledger = MemoryLedger()
        staffed(made)
        yield made
        return
    with PostgresLedger.open(request.getfixturevalue("ledger_url")) as opened_ledger:
        staffed(opened_ledger)
        yield opened_ledger


def approved(ledger: Ledger, name: str, by: str = "Rita", **other: Any) -> bool:
    """Whether somebody may approve a plan that waits."""
    try:
        return decided(ledger, by=by, proposal_id=name, **other)[1] == "approved"
    except OverLimit:
        return False


def begun(ledger: Ledger, name: str, limited: Sequence[Limit] = (WEEK,)) -> bool:
    """Whether the first step of a plan may be written down."""
    needed = replace(ledger.proposals(name)[0].approval, limits=tuple(limited))
    try:
        ledger.intend([an_effect(f"{name}-0", run_id=name, proposal_id=name)], needed)
    except OverLimit:
        return False
    return True


# Split over people, ids, sources, moments


@pytest.mark.parametrize("people", [("Rita", "Rita"), ("Rita", "Rolf"), ("Sara", "Rita")])
def test_two_people_approve_what_one_may_not(ledger: Ledger, people: tuple[str, str]) -> None:
    for name, by, may in zip("ab", people, (True, False), strict=True):
        giving(ledger, name, [WEEK])
        assert approved(ledger, name, by) is may


@pytest.mark.parametrize("alias", ["c-1", " C-1", "C-1\t", "C\u200b-1", "\uff23-\uff11", "C\u00ad-1", "c -1"])
def test_one_customer_is_written_in_several_ways(ledger: Ledger, alias: str) -> None:
    giving(ledger, "a", [WEEK])
    giving(ledger, "b", [replace(WEEK, key=alias)])
    assert [approved(ledger, name) for name in "ab"] == [True, False]


@pytest.mark.parametrize("per", ["customer", "source", "day"])
@pytest.mark.parametrize("as_of", [datetime(1990, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)])
def test_the_clock_of_whoever_decides_or_proposes_is_set_far_away(ledger: Ledger, per: str, as_of: datetime) -> None:
    limit = replace(WEEK, per=per)
    giving(ledger, "a", [limit])
    assert approved(ledger, "a", at=NOW)
    other = {"created_at": as_of, "expires_at": as_of + timedelta(days=2), "due_at": as_of}
    giving(ledger, "b", [limit], **other)
    assert not approved(ledger, "b", at=as_of)


@pytest.mark.parametrize("kind", ["reject", "respond", "escalate", "edit"])
def test_what_was_refused_is_tried_again_after_another_plan_was_decided_otherwise(ledger: Ledger, kind: Any) -> None:
    for name in "abc":
        giving(ledger, name, [WEEK])
    details = {"reject": {}, "respond": {"remark": "again"}, "escalate": {"queue": "support"}}.get(kind, {"plan": []})
    assert [approved(ledger, "a"), approved(ledger, "b")] == [True, False]
    decided(ledger, kind, "Rita", "c", details=details)
    assert not approved(ledger, "b")


def test_one_who_may_do_more_opens_no_door_for_those_who_may_not(ledger: Ledger) -> None:
    for name in "abc":
        giving(ledger, name, [WEEK])
    assert [approved(ledger, "a"), approved(ledger, "b", "Sara"), approved(ledger, "c")] == [True, True, False]


@pytest.mark.parametrize("halves", [("Rita", "Rolf"), ("Rolf", "Rita")])
def test_two_halves_of_four_eyes_are_given_side_by_side(ledger: Ledger, halves: tuple[str, str]) -> None:
    for name in "ab":
        giving(ledger, name, [WEEK], four_eyes=True)
    first, second = halves
    assert decided(ledger, by=first, proposal_id="a")[1] == "pending"
    with pytest.raises(OverLimit):
        decided(ledger, by=second, proposal_id="b")
    assert approved(ledger, "a", second) and not approved(ledger, "b", first)


# Plans that wait for nobody


def test_plans_that_wait_for_nobody_run_one_after_the_other(ledger: Ledger) -> None:
    for name in "abc":
        giving(ledger, name, [WEEK], role="none")
    assert [begun(ledger, name) for name in "abc"] == [True, False, False]


def test_a_plan_that_waits_for_nobody_follows_what_people_approved(ledger: Ledger) -> None:
    giving(ledger, "a", [WEEK])
    giving(ledger, "b", [WEEK], role="none")
    assert approved(ledger, "a") and not begun(ledger, "b")


def test_a_proposal_says_nothing_of_the_limits_that_it_adds_to(ledger: Ledger) -> None:
    """What the executor works out counts, and not what the proposal says."""
    for name in "ab":
        giving(ledger, name, [])
        assert approved(ledger, name)
    assert [begun(ledger, name) for name in "ab"] == [True, False]


# At the same moment


@pytest.mark.parametrize("per", ["customer", "approver", "source", "day"])
def test_many_are_approved_at_the_same_moment_and_one_fits(ledger_url: str, per: str) -> None:
    with PostgresLedger.open(ledger_url) as ledger:
        staffed(ledger)
        names = [f"p{number}" for number in range(8)]
        for name in names:
            giving(ledger, name, [replace(WEEK, per=per, key="" if per == "approver" else "C-1")])
        assert sum(_at_once(ledger_url, names, approved)) == 1
        assert sum(one.status == "approved" for name in names for one in ledger.proposals(name)) == 1
        assert list(examine(ledger).problems) == []


@pytest.mark.parametrize("isolation", ["serializable", r"repeatable\ read"])
def test_the_database_shows_each_session_what_was_there_when_it_began(ledger_url: str, isolation: str) -> None:
    url = _with_option(ledger_url, f"default_transaction_isolation={isolation}")
    with PostgresLedger.open(url) as ledger:
        staffed(ledger)
        names = [f"p{number}" for number in range(6)]
        for name in names:
            giving(ledger, name, [WEEK])
        assert sum(_at_once(url, names, approved)) == 1
        assert sum(one.status == "approved" for name in names for one in ledger.proposals(name)) == 1


def test_many_that_wait_for_nobody_are_begun_at_the_same_moment_and_one_fits(ledger_url: str) -> None:
    with PostgresLedger.open(ledger_url) as ledger:
        names = [f"p{number}" for number in range(8)]
        for name in names:
            giving(ledger, name, [WEEK], role="none")
        assert sum(_at_once(ledger_url, names, begun)) == 1


def test_totals_are_taken_in_another_order_by_each_and_nobody_waits_in_a_circle(ledger_url: str) -> None:
    with PostgresLedger.open(ledger_url) as ledger:
        staffed(ledger)
        keys = [replace(WEEK, key=f"C-{number}", most_cents=10**9) for number in range(6)]
        names = [f"p{number}" for number in range(8)]
        for number, name in enumerate(names):
            giving(ledger, name, keys if number % 2 else keys[::-1])
        assert sum(_at_once(ledger_url, names, approved)) == len(names)


def _at_once(url: str, names: Sequence[str], do: Any) -> list[bool]:
    """Each on a connection of its own, all at the same moment."""
    start = Barrier(len(names))

    def one(name: str) -> bool:
        with PostgresLedger.open(url) as mine:
            mine.people()
            start.wait(20)
            return bool(do(mine, name))

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(one, names))


# Behind the ledger's back


@pytest.fixture
def spent(ledger_url: str) -> Iterator[PostgresLedger]:
    """A ledger in which a was approved and begun, and b waits for who may decide it."""
    grant_roles(ledger_url)
    with PostgresLedger.open(ledger_url) as made:
        staffed(made)
        for name in "ab":
            giving(made, name, [WEEK])
        assert approved(made, "a")
        yield made


TAMPERED = (
    "UPDATE ledger.commitments SET cents = 1",
    "UPDATE ledger.commitments SET at = at - interval '8 days'",
    "UPDATE ledger.commitments SET key = 'c-2'",
    "UPDATE ledger.commitments SET per = 'vendor'",
    "DELETE FROM ledger.commitments",
    "INSERT INTO ledger.commitments SELECT proposal_id, run_id, 1, kind, per, key, cents, at FROM ledger.commitments",
    "UPDATE ledger.proposals SET limits = '[]'",
    "UPDATE ledger.proposals SET limits = jsonb_set(limits, '{0,most_cents}', '90000000') WHERE proposal_id = 'b'",
)


@pytest.mark.parametrize("statement", TAMPERED)
def test_an_owner_of_the_database_changes_what_was_added(spent: PostgresLedger, ledger_url: str, statement: str) -> None:
    assert list(examine(spent).problems) == []
    with psycopg.connect(ledger_url) as session:
        session.execute(statement.encode())
    assert list(examine(spent).problems)


@pytest.mark.parametrize("role", ["missions_reasoner", "missions_shadow", "missions_executor", "missions_dashboard"])
@pytest.mark.parametrize("statement", ["UPDATE ledger.commitments SET key = 'c-2'", *TAMPERED[4:5], TAMPERED[6]])
def test_a_role_of_the_database_takes_back_what_was_added(
    spent: PostgresLedger, ledger_url: str, role: Role, statement: str
) -> None:
    _refused(ledger_url, role, statement)


@pytest.mark.parametrize("role", ["missions_reasoner", "missions_shadow"])
@pytest.mark.parametrize("statement", TAMPERED)
def test_who_neither_decides_nor_executes_changes_what_was_added(
    spent: PostgresLedger, ledger_url: str, role: Role, statement: str
) -> None:
    _refused(ledger_url, role, statement)


def _refused(url: str, role: Role, statement: str) -> None:
    with psycopg.connect(plain(parse(as_role(url, role)))) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.encode())


def test_an_effect_is_written_that_was_not_counted(spent: PostgresLedger, ledger_url: str) -> None:
    with psycopg.connect(ledger_url, autocommit=True) as session:
        session.execute("DELETE FROM ledger.commitments")
    with pytest.raises(Refused, match="adds to a total that it was not counted in"):
        spent.intend([an_effect("a-0", run_id="a", proposal_id="a")])
    assert spent.effects("a") == []


# The whole company


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    with _database(server_url) as url, opened(url) as made:
        # what the runs of one test give away adds up
        yield Company(made.runtime, forgets=("touches",))


@pytest.fixture
def fresh(company: Company) -> Company:
    """What other tests gave away is longer ago than any window."""
    company.sql("UPDATE ledger.commitments SET at = at - interval '1 year'")
    return company


def test_one_reviewer_pays_one_customer_in_four_runs(fresh: Company) -> None:
    for _ in range(3):
        assert fresh.decide(fresh.propose(REFUND), "approve", "rita").status == "closed"
    fourth = fresh.propose(REFUND)
    said = r"would bring C-49648 to \$2,000 of \$1,500 this week \(GOV-9\); a supervisor decides it"
    for by in ("rita", "ron"):
        with pytest.raises(OverLimit, match=said):
            fresh.decide(fourth, "approve", by)
    assert fresh.effects(fourth) == []
    proposal = fresh.proposal(fourth)
    asked = request(proposal, fresh.runtime.context.catalogue, standings(fresh.ledger, proposal))
    assert asked["proposal"]["limits"] == ["C-49648: $2,000 of $1,500 this week"]
    assert re.search(said, " ".join(missions("show", fourth.run_id, DATABASE_URL=fresh.url).stdout.split()))
    assert fresh.decide(fourth, "approve", "sam").status == "closed"


def test_a_plan_that_was_approved_long_ago_is_begun_when_the_limit_is_used_up(fresh: Company) -> None:
    late = fresh.propose(REFUND)
    fresh.runtime.decide(late.run_id, "approve", "rita", "in good time")
    fresh.sql("UPDATE ledger.commitments SET at = at - interval '8 days' WHERE run_id = %s", late.run_id)
    for _ in range(3):
        assert fresh.decide(fresh.propose(REFUND), "approve", "rita").status == "closed"
    fresh.load(REFUND)
    after = fresh.runtime.drive(late.run_id)
    assert (after.status, fresh.effects(late)) == ("waiting", [])
    assert any("would bring C-49648 to $2,000 of $1,500 this week" in text for text in fresh.told(late))


@pytest.mark.parametrize("limits", ["none", "larger", "another customer", "fewer cents"])
def test_a_reasoner_writes_other_limits_than_a_plan_adds_to(fresh: Company, limits: str) -> None:
    forged = {
        "none": lambda one: (),
        "larger": lambda one: tuple(replace(limit, most_cents=10**9) for limit in one),
        "another customer": lambda one: tuple(replace(limit, key="C-1") for limit in one),
        "fewer cents": lambda one: tuple(replace(limit, adds=((0, 1),)) for limit in one),
    }[limits]
    run, before = run_with(
        fresh, REFUND, lambda one: replace(one, approval=replace(one.approval, limits=forged(one.approval.limits)))
    )
    assert run.status == "waiting"
    run = fresh.approve(run)
    assert (run.status, fresh.effects(run), fresh.snapshot()) == ("incident", [], before)


# Governance


def book(folder: Path, policy: str, old: str, new: str) -> PolicyBook:
    for file in POLICIES.glob("*.md"):
        text = file.read_text()
        assert file.stem != policy or old in text
        (folder / file.name).write_text(text.replace(old, new) if file.stem == policy else text)
    return PolicyBook.load(folder)


@pytest.mark.parametrize(
    ("policy", "old", "new", "asked"),
    [
        ("GOV", "most_cents: 150000", "most_cents: 150001", ("supervisor", False)),
        ("GOV", "days: 7, most_cents: 150000", "days: 6, most_cents: 150000", ("supervisor", False)),
        ("GOV", "most_cents: 150000, role: supervisor", "most_cents: 150000, role: reviewer", ("supervisor", False)),
        ("GOV", "per: customer, days: 7, most_cents: 1000000", "per: source, days: 7, most_cents: 1000000", ("finance", True)),
        ("GOV", "most_cents: 1000000, role: finance, four_eyes: true", "most_cents: 1000000, role: finance", ("finance", True)),
        ("GOV", "per: day, days: 1", "per: approver, days: 1", ("finance", True)),
        ("GOV", "per: source, days: 1", "per: source, counts: paid, days: 1", ("supervisor", False)),
        ("AP", "per: vendor, counts: paid, days: 7, most_cents: 5000000", "per: vendor, days: 7, most_cents: 5000000",
         ("supervisor", False)),
        ("GOV", "most_cents: 150000", "most_cents: 100000", ("none", False)),
        ("GOV", "days: 7, most_cents: 150000", "days: 30, most_cents: 150000", ("none", False)),
    ],
)  # fmt: skip
def test_a_draft_of_a_policy_lets_more_out(tmp_path: Path, policy: str, old: str, new: str, asked: tuple[str, bool]) -> None:
    lab = laboratory()
    needed = taken_away(lab.packs.values(), lab.policies, book(tmp_path, policy, old, new), date(2026, 1, 1))
    assert (needed.role, needed.four_eyes) == asked


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("most_cents: 150000", "most_cents: -1", "most_cents"),
        ("days: 7, most_cents: 150000", "days: 0, most_cents: 150000", "days"),
        ("days: 7, most_cents: 150000", "days: 9999, most_cents: 150000", "days"),
        ("per: customer, days: 7, most_cents: 150000", "per: nobody, days: 7, most_cents: 150000", "per one of"),
        ("most_cents: 150000, role: supervisor", "most_cents: 150000, role: none", "who decides above it"),
        ("most_cents: 150000", "most_cents: 150000, counts: nothing", "must count one of"),
        ("most_cents: 150000", "most_cents: 150000, unless: vip", "means nothing"),
    ],
)
def test_a_limit_that_limits_nothing_is_loaded(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        load_packs(PACKS, laboratory().catalogue, book(tmp_path, "GOV", old, new))


def test_a_pack_names_limits_that_count_something_else(tmp_path: Path) -> None:
    for file in PACKS.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace("limits: [GOV-9]", "limits: [AP-12]"))
    with pytest.raises(BadInput, match="no limit of AP-12 counts given, but its actions do"):
        load_packs(tmp_path, laboratory().catalogue, laboratory().policies)


def test_a_pack_names_no_limits(tmp_path: Path) -> None:
    for file in PACKS.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace(", limits: [GOV-9]", "").replace("  limits: [GOV-9]\n", ""))
    with pytest.raises(BadInput, match="approval.*limits"):
        load_packs(tmp_path, laboratory().catalogue, laboratory().policies)


@pytest.mark.parametrize("name", [REFUND_CHARGE, OFFER_CREDIT, POST_PAYMENT])
def test_an_action_gives_money_and_says_not_to_whom(tmp_path: Path, name: str) -> None:
    raw = yaml.safe_load((CHECKOUT / "systems" / "actions.yaml").read_text())
    del raw[name]["to"]
    file = tmp_path / "actions.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    with pytest.raises(BadInput, match=f"action {name}: it gives money to a recipient"):
        Catalogue.load([file], SCHEMA)


# Plans that policy lets run by themselves, on the whole graph


@pytest.fixture
def moving(tmp_path: Path) -> "Moving":
    """A company whose policy lets lines be moved by themselves, at $5 a line, up to $9 a customer and week."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "first").mkdir()
    automate = ("automate: [open_case", "automate: [reallocate_line, open_case")
    book(tmp_path / "first", "GOV", *automate)
    text = (tmp_path / "first" / "GOV.md").read_text().replace("most_cents: 150000", "most_cents: 900")
    for file in POLICIES.glob("*.md"):
        (tmp_path / "policies" / file.name).write_text(text if file.stem == "GOV" else file.read_text())
    return Moving(PolicyBook.load(tmp_path / "policies"))


class Moving:
    """One ledger for several runs, each over an order of its own of the same customer."""

    def __init__(self, policies: PolicyBook) -> None:
        self.ledger, self.graph, self.policies = MemoryLedger(), mission_graph(InMemorySaver()), policies
        self.packs = load_packs(PACKS, laboratory().catalogue, policies)
        self.context: dict[str, MissionContext] = {}
        for name, role in (("vera", "reviewer"), ("sam", "supervisor")):
            self.ledger.add_person(name, role)

    def run(self, run_id: str, customer_id: str = "C-1") -> str:
        """Drive a run until it waits or is closed; its status then."""
        lab = laboratory()
        order = an_order(status="new", customer_id=customer_id, lines=[a_line(qty=1)])
        raw = an_exception(
            orders=[order], payments=[a_payment(on_hold=False)], customers=[a_customer(customer_id=customer_id, tier="vip")],
            stock=[a_stock("A", "DC-1", 0), a_stock("A", "DC-2", 10)],
        )  # fmt: skip
        raw |= {"mission": "omnichannel_exception", "case_id": run_id,
                "trigger": {"event": "order.vip_conflict", "order_id": "O-1", "line_id": "1"}}  # fmt: skip
        exception = recorded(raw, self.packs, run_id)
        systems = RecordedSystems(exception.systems, lab.catalogue, utc_now)
        self.context[run_id] = MissionContext(
            ledger=self.ledger, reader=Listening(systems, lab.phrasebook, utc_now), writer=systems, packs=self.packs,
            catalogue=lab.catalogue, policies=self.policies, knowledge=lab.knowledge, reasoner=Planner(), clock=utc_now,
        )  # fmt: skip
        self.ledger.take_in(replace(exception.event, source_id=run_id), run_id, {})
        return self._drive(run_id, {"run_id": run_id})

    def approve(self, run_id: str, by: str) -> str:
        """Approve, and go on; the status then."""
        (*_, last) = self.ledger.proposals(run_id)
        self.ledger.decide(last.proposal_id, kind="approve", by=by, reason="a test", digest=last.digest, at=utc_now())
        return self._drive(run_id, Command(resume="the ledger holds the decision"))

    def _drive(self, run_id: str, given: Any) -> str:
        self.graph.invoke(given, {"configurable": {"thread_id": run_id}}, context=self.context[run_id])
        return self.ledger.run(run_id).status


def test_a_plan_runs_by_itself_until_the_limit_and_then_waits_for_who_may_decide(moving: Moving) -> None:
    assert moving.run("r-1") == "closed"
    assert moving.run("r-2") == "waiting" and moving.ledger.effects("r-2") == []
    (proposal,) = moving.ledger.proposals("r-2")
    assert (proposal.approval.role, proposal.approval.clauses) == ("supervisor", ("GOV-9",))
    with pytest.raises(Refused, match="requires the role supervisor"):
        moving.approve("r-2", "vera")
    assert moving.approve("r-2", "sam") == "closed"
    assert [one.status for one in moving.ledger.effects("r-2")] == ["done"]


def test_a_plan_that_runs_by_itself_is_overtaken_between_its_check_and_its_beginning(moving: Moving) -> None:
    """What another run adds just then is counted where the effect is written, and the plan waits."""
    honest = moving.ledger.propose

    def overtaken(proposal: Any) -> Any:
        kept = honest(proposal)
        if proposal.run_id == "r-2" and len(moving.ledger.proposals("r-2")) == 1:
            giving(moving.ledger, "between", [replace(proposal.approval.limits[0], adds=((0, 600),))])
            decided(moving.ledger, by="vera", proposal_id="between")
        return kept

    moving.ledger.propose = overtaken  # type: ignore[method-assign]
    assert moving.run("r-2") == "waiting" and moving.ledger.effects("r-2") == []
    assert [one.status for one in moving.ledger.proposals("r-2")] == ["automatic", "pending"]
    assert any(
        "Not done: Proposal r-2.1 would bring C-1 to $11 of $9 this week" in one.text for one in moving.ledger.observations("r-2")
    )


@pytest.mark.parametrize("alias", ["c-1", "C-1 ", "C\u200b-1"])
def test_plans_that_run_by_themselves_are_about_one_customer_written_in_several_ways(moving: Moving, alias: str) -> None:
    assert moving.run("r-1") == "closed"
    assert moving.run("r-2", alias) == "waiting"


@pytest.mark.parametrize("change", [
    "at = at - interval '30 days'", "at = at + interval '30 days'", "at = 'infinity'", "at = '-infinity'", "cents = 1",
])  # fmt: skip
@pytest.mark.parametrize("role", ["missions_executor", "missions_dashboard"])
def test_a_role_that_adds_to_totals_makes_them_count_less(
    spent: PostgresLedger, ledger_url: str, role: Role, change: str
) -> None:
    _refused(ledger_url, role, f"UPDATE ledger.commitments SET {change}")
