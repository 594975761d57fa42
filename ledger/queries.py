"""Queries over many runs: a page of the queue, who has what open, a search, figures over time.

What is asked of them (filters) and what comes back (rows, pages), and how the database works it out.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger import authorization
from ledger.authorization import person_key
from ledger.records import REASONERS, ROLES, Claim, Person, Run
from ledger.sql.rows import fields, select_runs, statements, to_run
from ledger.tables import CLAIMS, DECISIONS, INBOX, PROPOSALS, RUNS, Moment

#: "mine" is what the person may approve now
Scope = Literal["mine", "all", "claimed", "expired"]
Order = Literal["due", "money", "oldest"]


@dataclass(frozen=True, kw_only=True)
class QueueFilter:
    """Empty text filters nothing."""

    scope: Scope = "mine"
    order: Order = "due"
    mission: str = ""
    verdict: str = ""
    tier: str = ""
    #: part of a subject, or the start of a run's id
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """A row of the queue; money in cents."""

    proposal_id: str
    run_id: str
    subject: str
    mission: str
    #: of the event
    name: str
    verdict: str
    author: str
    money_at_stake_cents: int
    tier: str
    role: str
    four_eyes: bool
    #: of the proposal; a decision names it
    digest: str
    created_at: datetime
    expires_at: datetime
    due_at: datetime
    #: the first of two approvals
    approved_by: Sequence[str]
    claim: Claim | None
    #: the run that is decided first, because it would change the same record; or empty
    held_by: str = ""
    #: whether a model wrote a message that a step of it sends
    written_by_model: bool = False


@dataclass(frozen=True)
class QueuePage:
    """Some rows, and counts over all that the filter lets through."""

    rows: Sequence[QueueRow]
    total: int
    money_cents: int
    by_mission: Mapping[str, int]
    by_verdict: Mapping[str, int]
    #: those of no tier left out
    by_tier: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Empty text and None filter nothing; `since` ≤ started < `until`."""

    text: str = ""
    mission: str = ""
    verdict: str = ""
    status: str = ""
    outcome: str = ""
    #: who decided something in it
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class RunPage:
    """Some runs, and how many there are in all."""

    runs: Sequence[Run]
    total: int


#: for which an opened proposal is claimed, unless it is prolonged
CLAIM_LASTS = timedelta(minutes=5)
_SQL = statements("queries")
_RUNS = RUNS.join(INBOX)
_P = PROPOSALS.c
_ROW = (
    _P.proposal_id, _P.run_id, _P.verdict, _P.money_at_stake_cents, _P.tier, _P.role, _P.four_eyes, _P.digest,
    _P.created_at, _P.expires_at, _P.due_at, _P.author, _P.held_by, INBOX.c.subject, INBOX.c.mission,
    INBOX.c.name, func.jsonb_path_exists(_P.plan, sa.cast("$[*].written_by", JSONPATH)).label("written_by_model"),
)  # fmt: skip


def queue(tx: Connection, at: datetime, me: Person, wanted: QueueFilter, offset: int = 0, limit: int = 50) -> QueuePage:
    """A page of what waits, and counts over everything that the filter lets through."""
    # everything that the filter lets through is gone through once, for the counts and for the places of the page
    kept = (_P.proposal_id, _P.verdict, _P.money_at_stake_cents, _P.due_at, _P.created_at, _P.tier, INBOX.c.mission)
    found = _pending(*kept).where(*_wanted(me, wanted, at)).cte("found")
    places = select(found.c.proposal_id).order_by(*_in_order(found.c, wanted.order)).offset(offset).limit(limit)
    sums = (func.count().label("number"), func.sum(found.c.money_at_stake_cents).label("cents"))
    page = func.array(places.scalar_subquery(), type_=ARRAY(sa.Text)).label("page")
    kinds = (found.c.mission, found.c.verdict, found.c.tier)
    counted = tx.execute(select(*kinds, *sums, page).group_by(*kinds)).all()
    ids = counted[0].page if counted else []
    by_mission, by_verdict, by_tier = Counter[str](), Counter[str](), Counter[str]()
    for row in counted:
        by_mission[row.mission] += row.number
        by_verdict[row.verdict] += row.number
        if row.tier:
            by_tier[row.tier] += row.number
    return QueuePage(
        rows=_rows(tx, _pending(*_ROW).where(_P.proposal_id.in_(ids)).order_by(*_in_order(_P, wanted.order)), at),
        total=sum(row.number for row in counted),
        money_cents=int(sum(row.cents for row in counted)),
        by_mission=by_mission,
        by_verdict=by_verdict,
        by_tier=by_tier,
    )


def _in_order(columns: Any, order: Order) -> Sequence[ColumnElement[Any]]:
    by = {"due": [columns.due_at], "money": [columns.money_at_stake_cents.desc(), columns.due_at], "oldest": [columns.created_at]}
    return [*by[order], columns.proposal_id]


def waiting(tx: Connection, at: datetime, run_ids: Collection[str]) -> list[QueueRow]:
    """What waits of these runs, what is due first at the front."""
    return _rows(tx, _pending(*_ROW).where(_P.run_id.in_(run_ids)).order_by(*_in_order(_P, "due")), at)


def behind(tx: Connection, run_id: str) -> list[tuple[str, str]]:
    """(run, subject) of those whose proposals wait until this run is closed."""
    wanted = _pending(RUNS.c.run_id, INBOX.c.subject).where(_P.held_by == run_id).order_by(RUNS.c.number)
    return [(row.run_id, row.subject) for row in tx.execute(wanted)]


def _pending(*columns: Any) -> Select[Any]:
    return select(*columns).select_from(PROPOSALS.join(_RUNS)).where(_P.status == "pending", RUNS.c.status == "waiting")


def _rows(tx: Connection, wanted: Select[Any], at: datetime) -> list[QueueRow]:
    found = tx.execute(wanted).all()
    ids = [row.proposal_id for row in found]
    held = claims_held(tx, at, ids)
    approvals: dict[str, list[str]] = {}
    approved = select(DECISIONS.c.proposal_id, DECISIONS.c.by).where(DECISIONS.c.kind == "approve")
    for row in tx.execute(approved.where(DECISIONS.c.proposal_id.in_(ids)).order_by(DECISIONS.c.number)):
        approvals.setdefault(row.proposal_id, []).append(row.by)
    return [
        QueueRow(**row._mapping, approved_by=tuple(approvals.get(row.proposal_id, ())), claim=held.get(row.proposal_id))
        for row in found
    ]


def _wanted(me: Person, wanted: QueueFilter, at: datetime) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    claimed = select(CLAIMS.c.proposal_id).where(CLAIMS.c.proposal_id == _P.proposal_id, CLAIMS.c.until > at)
    if wanted.scope == "mine":
        tests += _mine(me, at)
    elif wanted.scope == "claimed":
        tests.append(sa.exists(claimed))
    elif wanted.scope == "expired":
        tests.append(_P.expires_at < at)
    same = ((INBOX.c.mission, wanted.mission), (_P.verdict, wanted.verdict), (_P.tier, wanted.tier))
    return [*tests, *(column == value for column, value in same if value), *_named(wanted.text)]


def _mine(me: Person, at: datetime) -> list[ColumnElement[bool]]:
    """What this person can approve: as `ledger.authorization` judges, so that nobody opens what they then may not decide."""
    mine = [role for role in ROLES if me.role in ROLES and authorization.authority(role) <= authorization.authority(me.role)]
    approved = select(DECISIONS.c.proposal_id).where(
        DECISIONS.c.proposal_id == _P.proposal_id, DECISIONS.c.kind == "approve", DECISIONS.c.by == me.name
    )
    # of those that wait only the ones for four eyes can have an approval: the others need not be looked up
    first = or_(_P.four_eyes.is_(False), ~sa.exists(approved))
    asked = func.lower(func.btrim(INBOX.c.requested_by)) == person_key(me.name)
    return [_P.role.in_(mine), _P.expires_at >= at, or_(_P.own, ~_edited(me)), ~asked, first]


def _edited(me: Person) -> ColumnElement[bool]:
    """Whether this person edited the plan, or what it was edited from: since a reasoner made one."""
    before, between = PROPOSALS.alias(), PROPOSALS.alias()
    later = select(between.c.proposal_id).where(
        between.c.run_id == _P.run_id, between.c.author.in_(REASONERS), between.c.revision > before.c.revision
    )
    mine = (DECISIONS.c.run_id == _P.run_id, DECISIONS.c.kind == "edit", DECISIONS.c.by == me.name)
    edits = (
        select(DECISIONS.c.proposal_id)
        .join(before, before.c.proposal_id == DECISIONS.c.proposal_id)
        .where(*mine, ~sa.exists(later))
    )
    return or_(_P.author == me.name, sa.and_(_P.author.not_in(REASONERS), sa.exists(edits)))


def _named(text: str) -> list[ColumnElement[bool]]:
    """Subjects that contain it, runs that begin with it; all where it is empty."""
    if not text:
        return []
    return [or_(INBOX.c.subject.icontains(text.strip(), autoescape=True), func.starts_with(RUNS.c.run_id, text.strip()))]


def search(tx: Connection, wanted: RunFilter, offset: int = 0, limit: int = 50) -> RunPage:
    """A page of the runs found, the newest first."""
    tests = _searched(wanted)
    chosen = select_runs().where(*tests).order_by(RUNS.c.started_at.desc(), RUNS.c.number.desc())
    total = tx.scalar(select(func.count()).select_from(_RUNS).where(*tests)) or 0
    return RunPage(runs=[to_run(row) for row in tx.execute(chosen.offset(offset).limit(limit))], total=total)


def _searched(wanted: RunFilter) -> list[ColumnElement[bool]]:
    same = (
        (INBOX.c.mission, wanted.mission), (RUNS.c.verdict, wanted.verdict), (RUNS.c.status, wanted.status),
        (RUNS.c.outcome, wanted.outcome),
    )  # fmt: skip
    tests = [*_named(wanted.text), *(column == value for column, value in same if value)]
    if wanted.person:
        by = DECISIONS.c.by == wanted.person
        tests.append(sa.exists(select(DECISIONS.c.run_id).where(DECISIONS.c.run_id == RUNS.c.run_id, by).correlate(RUNS)))
    if wanted.since:
        tests.append(RUNS.c.started_at >= wanted.since)
    if wanted.until:
        tests.append(RUNS.c.started_at < wanted.until)
    return tests


def outcomes(tx: Connection, wanted: RunFilter, zone: str = "UTC") -> list[dict[str, Any]]:
    """[{"day": date, "outcome": str, "runs": int}] of the runs found, by the day in `zone` on which they started.

    `outcome` is the status of runs that are not closed.
    """
    day = sa.cast(func.timezone(zone, RUNS.c.started_at), sa.Date)
    what = func.coalesce(RUNS.c.outcome, RUNS.c.status)
    counted = select(day.label("day"), what.label("outcome"), func.count().label("runs")).select_from(_RUNS)
    chosen = counted.where(*_searched(wanted)).group_by(day, what).order_by(day, what)
    return [dict(row._mapping) for row in tx.execute(chosen)]


def decision_times(tx: Connection, wanted: RunFilter, zone: str = "UTC") -> list[dict[str, Any]]:
    """[{"day": date, "median_s": float, "p90_s": float, "decisions": int}] by the day of the decision.

    Seconds from proposal to decision.
    """
    day = sa.cast(func.timezone(zone, DECISIONS.c.at), sa.Date)
    took = func.extract("epoch", DECISIONS.c.at - _P.created_at)
    median, slowest = (func.percentile_cont(part).within_group(took) for part in (0.5, 0.9))
    figures = (day.label("day"), median.label("median_s"), slowest.label("p90_s"), func.count().label("decisions"))
    asked = select(*figures).select_from(DECISIONS.join(PROPOSALS).join(_RUNS, RUNS.c.run_id == DECISIONS.c.run_id))
    return [dict(row._mapping) for row in tx.execute(asked.where(*_searched(wanted)).group_by(day).order_by(day))]


def citations(tx: Connection, limit: int = 500) -> list[dict[str, Any]]:
    """[{"clause", "mission", "author", "proposals": int, "last": datetime}]: who cited what how often, most first.

    An edit is by a person, everything else by a reasoner.
    """
    return [dict(row._mapping) for row in tx.execute(_SQL["citations"].columns(last=Moment), {"limit": limit})]


def messages(tx: Connection, customer_id: str, event: str, limit: int = 50) -> Sequence[Run]:
    """The runs of a customer's own messages, which are such events, the newest first."""
    mine = sa.and_(INBOX.c.name == event, INBOX.c.trigger["customer_id"].astext == customer_id)
    chosen = select_runs().where(mine).order_by(RUNS.c.started_at.desc(), RUNS.c.number.desc()).limit(limit)
    return [to_run(row) for row in tx.execute(chosen)]


def claim(tx: Connection, at: datetime, proposal_id: str, by: str) -> Claim:
    """Say that one has a proposal open. Returns the claim that holds: of whoever was first and is there still."""
    mine = insert_or(CLAIMS).values(proposal_id=proposal_id, by=by, since=at, until=at + CLAIM_LASTS)
    fresh = mine.excluded
    since = sa.case((sa.and_(CLAIMS.c.by == by, CLAIMS.c.until > at), CLAIMS.c.since), else_=fresh.since)
    tx.execute(
        mine.on_conflict_do_update(
            index_elements=["proposal_id"],
            set_={"by": fresh.by, "until": fresh.until, "since": since},
            where=or_(CLAIMS.c.by == by, CLAIMS.c.until <= at),
        )
    )
    return Claim(**fields(tx.execute(select(CLAIMS).where(CLAIMS.c.proposal_id == proposal_id)).one()))


def release(tx: Connection, proposal_id: str, by: str) -> None:
    """Let go of one's own claim."""
    tx.execute(sa.delete(CLAIMS).where(CLAIMS.c.proposal_id == proposal_id, CLAIMS.c.by == by))


def claims_held(tx: Connection, at: datetime, proposal_ids: Collection[str]) -> dict[str, Claim]:
    """The claims that hold now, by proposal."""
    rows = tx.execute(select(CLAIMS).where(CLAIMS.c.proposal_id.in_(proposal_ids), CLAIMS.c.until > at))
    return {row.proposal_id: Claim(**fields(row)) for row in rows}
