"""Lists and counts over many runs, worked out in the database: a page of the queue, a search, figures over time."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Date, Select, Text, and_, cast, exists, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ledger import rules
from ledger.listed import Order, QueueFilter, QueuePage, RunFilter, RunPage, Waiting
from ledger.records import REASONERS, ROLES, Person
from ledger.sql import claims
from ledger.sql.rows import select_runs, to_run
from ledger.tables import CLAIMS, DECISIONS, INBOX, PROPOSALS, RUNS

_P = PROPOSALS.c
_ROW = (
    _P.proposal_id, _P.run_id, _P.verdict, _P.money_at_stake_cents, _P.tier, _P.role, _P.four_eyes, _P.digest,
    _P.created_at, _P.expires_at, _P.due_at, _P.author, _P.held_by, INBOX.c.subject, INBOX.c.mission,
    INBOX.c.name, func.jsonb_path_exists(_P.plan, cast("$[*].written_by", JSONPATH)).label("written_by_model"),
)  # fmt: skip


def queue(tx: Connection, me: Person, wanted: QueueFilter, offset: int, limit: int, at: datetime) -> QueuePage:
    """A page of what waits. Counts are over everything that the filter lets through."""
    # everything that the filter lets through is gone through once, for the counts and for the places of the page
    kept = (_P.proposal_id, _P.verdict, _P.money_at_stake_cents, _P.due_at, _P.created_at, _P.tier, INBOX.c.mission)
    found = _pending(*kept).where(*_wanted(me, wanted, at)).cte("found")
    places = select(found.c.proposal_id).order_by(*_in_order(found.c, wanted.order)).offset(offset).limit(limit)
    sums = (func.count().label("number"), func.sum(found.c.money_at_stake_cents).label("cents"))
    page = func.array(places.scalar_subquery(), type_=ARRAY(Text)).label("page")
    kinds = (found.c.mission, found.c.verdict, found.c.tier)
    counted = tx.execute(select(*kinds, *sums, page).group_by(*kinds)).all()
    ids = counted[0].page if counted else []
    return QueuePage(
        rows=_rows(tx, _pending(*_ROW).where(_P.proposal_id.in_(ids)).order_by(*_in_order(_P, wanted.order)), at),
        total=sum(row.number for row in counted),
        money_cents=int(sum(row.cents for row in counted)),
        by_mission=_summed((row.mission, row.number) for row in counted),
        by_verdict=_summed((row.verdict, row.number) for row in counted),
        by_tier=_summed((row.tier, row.number) for row in counted if row.tier),
    )


def _in_order(columns: ReadOnlyColumnCollection[str, Any], order: Order) -> Sequence[ColumnElement[Any]]:
    orders: dict[Order, Sequence[ColumnElement[Any]]] = {
        "due": (columns.due_at, columns.proposal_id),
        "money": (columns.money_at_stake_cents.desc(), columns.due_at, columns.proposal_id),
        "oldest": (columns.created_at, columns.proposal_id),
    }
    return orders[order]


def waiting(tx: Connection, run_ids: Collection[str], at: datetime) -> list[Waiting]:
    """What waits of these runs, what is due first at the front."""
    return _rows(tx, _pending(*_ROW).where(_P.run_id.in_(run_ids)).order_by(*_in_order(_P, "due")), at)


def behind(tx: Connection, run_id: str) -> list[tuple[str, str]]:
    """(run, subject) of those whose proposals wait until this run is closed."""
    wanted = _pending(RUNS.c.run_id, INBOX.c.subject).where(_P.held_by == run_id).order_by(RUNS.c.number)
    return [(row.run_id, row.subject) for row in tx.execute(wanted)]


def _pending(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .join_from(PROPOSALS, RUNS, RUNS.c.run_id == _P.run_id)
        .join(INBOX, INBOX.c.source_id == RUNS.c.source_id)
        .where(_P.status == "pending", RUNS.c.status == "waiting")
    )


def _rows(tx: Connection, wanted: Select[Any], at: datetime) -> list[Waiting]:
    found = tx.execute(wanted).all()
    ids = [row.proposal_id for row in found]
    held = claims.held(tx, ids, at)
    approvals: dict[str, list[str]] = {}
    approved = select(DECISIONS.c.proposal_id, DECISIONS.c.by).where(DECISIONS.c.kind == "approve")
    for row in tx.execute(approved.where(DECISIONS.c.proposal_id.in_(ids)).order_by(DECISIONS.c.number)):
        approvals.setdefault(row.proposal_id, []).append(row.by)
    return [
        Waiting(**row._mapping, approved_by=tuple(approvals.get(row.proposal_id, ())), claim=held.get(row.proposal_id))
        for row in found
    ]


def _summed(numbers: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, number in numbers:
        sums[name] = sums.get(name, 0) + number
    return sums


def _wanted(me: Person, wanted: QueueFilter, at: datetime) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    claimed = select(CLAIMS.c.proposal_id).where(CLAIMS.c.proposal_id == _P.proposal_id, CLAIMS.c.until > at)
    if wanted.scope == "mine":
        tests += _mine(me, at)
    elif wanted.scope == "claimed":
        tests.append(exists(claimed))
    elif wanted.scope == "expired":
        tests.append(_P.expires_at < at)
    if wanted.mission:
        tests.append(INBOX.c.mission == wanted.mission)
    if wanted.verdict:
        tests.append(_P.verdict == wanted.verdict)
    if wanted.tier:
        tests.append(_P.tier == wanted.tier)
    if wanted.text:
        tests.append(_named(wanted.text))
    return tests


def _mine(me: Person, at: datetime) -> list[ColumnElement[bool]]:
    """What this person can approve: as `ledger.rules` judges, so that nobody opens what they then may not decide."""
    mine = [role for role in ROLES if me.role in ROLES and rules.authority(role) <= rules.authority(me.role)]
    approved = select(DECISIONS.c.proposal_id).where(
        DECISIONS.c.proposal_id == _P.proposal_id, DECISIONS.c.kind == "approve", DECISIONS.c.by == me.name
    )
    # of those that wait only the ones for four eyes can have an approval: the others need not be looked up
    first = or_(_P.four_eyes.is_(False), ~exists(approved))
    asked = func.lower(func.btrim(INBOX.c.requested_by)) == rules.person_key(me.name)
    return [_P.role.in_(mine), _P.expires_at >= at, or_(_P.own, ~_edited(me)), ~asked, first]


def _edited(me: Person) -> ColumnElement[bool]:
    """Whether this person edited the plan, or what it was edited from: since a reasoner made one."""
    before, between = PROPOSALS.alias(), PROPOSALS.alias()
    anew = select(between.c.proposal_id).where(
        between.c.run_id == _P.run_id, between.c.author.in_(REASONERS), between.c.revision > before.c.revision
    )
    mine = (DECISIONS.c.run_id == _P.run_id, DECISIONS.c.kind == "edit", DECISIONS.c.by == me.name)
    edits = (
        select(DECISIONS.c.proposal_id).join(before, before.c.proposal_id == DECISIONS.c.proposal_id).where(*mine, ~exists(anew))
    )
    return or_(_P.author == me.name, and_(_P.author.not_in(REASONERS), exists(edits)))


def _named(text: str) -> ColumnElement[bool]:
    """Subjects that contain it, runs that begin with it."""
    return or_(INBOX.c.subject.icontains(text.strip(), autoescape=True), func.starts_with(RUNS.c.run_id, text.strip()))


def search(tx: Connection, wanted: RunFilter, offset: int, limit: int) -> RunPage:
    """Runs, the newest first."""
    tests = _searched(wanted)
    chosen = select_runs().where(*tests).order_by(RUNS.c.started_at.desc(), RUNS.c.number.desc())
    total = tx.scalar(_over_runs(func.count()).where(*tests)) or 0
    return RunPage(runs=[to_run(row) for row in tx.execute(chosen.offset(offset).limit(limit))], total=total)


def _over_runs(*columns: Any) -> Select[Any]:
    return select(*columns).join_from(RUNS, INBOX, RUNS.c.source_id == INBOX.c.source_id)


def _searched(wanted: RunFilter) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    if wanted.text:
        tests.append(_named(wanted.text))
    for column, value in (
        (INBOX.c.mission, wanted.mission), (RUNS.c.verdict, wanted.verdict), (RUNS.c.status, wanted.status),
        (RUNS.c.outcome, wanted.outcome),
    ):  # fmt: skip
        if value:
            tests.append(column == value)
    if wanted.person:
        by = DECISIONS.c.by == wanted.person
        tests.append(exists(select(DECISIONS.c.run_id).where(DECISIONS.c.run_id == RUNS.c.run_id, by).correlate(RUNS)))
    if wanted.since:
        tests.append(RUNS.c.started_at >= wanted.since)
    if wanted.until:
        tests.append(RUNS.c.started_at < wanted.until)
    return tests


def outcomes(tx: Connection, wanted: RunFilter, zone: str) -> list[dict[str, Any]]:
    """[{"day", "outcome", "runs"}] of the runs found, by the day in `zone` on which they started; `outcome` is the status
    of runs that are not closed."""
    day = cast(func.date_trunc("day", func.timezone(zone, RUNS.c.started_at)), Date)
    what = func.coalesce(RUNS.c.outcome, RUNS.c.status)
    counted = _over_runs(day.label("day"), what.label("outcome"), func.count().label("runs")).where(*_searched(wanted))
    return [dict(row._mapping) for row in tx.execute(counted.group_by(day, what).order_by(day, what))]


def decision_times(tx: Connection, wanted: RunFilter, zone: str) -> list[dict[str, Any]]:
    """[{"day", "median_s", "p90_s", "decisions"}]: from proposal to decision, by the day of the decision."""
    day = cast(func.date_trunc("day", func.timezone(zone, DECISIONS.c.at)), Date)
    took = func.extract("epoch", DECISIONS.c.at - _P.created_at)
    asked = (
        select(
            day.label("day"),
            func.percentile_cont(0.5).within_group(took).label("median_s"),
            func.percentile_cont(0.9).within_group(took).label("p90_s"),
            func.count().label("decisions"),
        )
        .join_from(DECISIONS, PROPOSALS, DECISIONS.c.proposal_id == _P.proposal_id)
        .join(RUNS, RUNS.c.run_id == DECISIONS.c.run_id)
        .join(INBOX, INBOX.c.source_id == RUNS.c.source_id)
        .where(*_searched(wanted))
    )
    return [dict(row._mapping) for row in tx.execute(asked.group_by(day).order_by(day))]


def citations(tx: Connection, limit: int) -> list[dict[str, Any]]:
    """[{"clause", "mission", "author", "proposals", "last"}]: who cited what how often, most first."""
    cite = func.jsonb_array_elements(_P.cites).table_valued("value", name="cite")
    clause: ColumnElement[str] = literal_column("cite.value ->> 'clause'")
    # an edit is by a person, everything else by a reasoner
    counted = (
        select(
            clause.label("clause"), INBOX.c.mission, _P.author, func.count().label("proposals"),
            func.max(_P.created_at).label("last"),
        )
        .select_from(PROPOSALS)
        .join(RUNS, RUNS.c.run_id == _P.run_id)
        .join(INBOX, INBOX.c.source_id == RUNS.c.source_id)
        .join(cite, literal_column("true"))
        .group_by(clause, INBOX.c.mission, _P.author)
        .order_by(func.count().desc(), clause)
        .limit(limit)
    )  # fmt: skip
    return [dict(row._mapping) for row in tx.execute(counted)]


def messages(tx: Connection, customer_id: str, limit: int) -> Sequence[Any]:
    """The runs of a customer's own messages, the newest first."""
    mine = and_(INBOX.c.name == "support.message", INBOX.c.trigger["customer_id"].astext == customer_id)
    chosen = select_runs().where(mine).order_by(RUNS.c.started_at.desc(), RUNS.c.number.desc()).limit(limit)
    return [to_run(row) for row in tx.execute(chosen)]
