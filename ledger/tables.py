"""The tables of the ledger, in the schema "ledger". Columns are named as the fields of `ledger.records`."""

from collections.abc import Iterable
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    text,
)

from ledger.admissions import AdmissionKind, AdmissionStatus
from ledger.columns import CleanText, Moment, PlainJson
from ledger.drafts import DraftStatus
from ledger.lessons import LessonStatus
from ledger.model_calls import ModelCallStatus
from ledger.records import (
    PERSON_ROLES,
    ROLES,
    DecisionKind,
    EffectStatus,
    ObservationKind,
    Outcome,
    ProposalStatus,
    ReadStatus,
    RunStatus,
)

SCHEMA = "ledger"
METADATA = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    },
)


def _one_of(column: str, words: Iterable[str]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=column)


def _run_id(**kwargs: Any) -> Column[str]:
    return Column("run_id", CleanText, ForeignKey("ledger.runs.run_id"), nullable=False, **kwargs)


def _number() -> Column[int]:
    """Keeps the order in which rows were written, which moments alone do not."""
    return Column("number", BigInteger, Identity(always=True), nullable=False, unique=True)


#: events, each taken in once
INBOX = Table(
    "inbox",
    METADATA,
    Column("source_id", CleanText, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("mission", CleanText, nullable=False),
    Column("subject", CleanText, nullable=False, index=True),
    Column("trigger", PlainJson, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("requested_by", CleanText, nullable=False, server_default=""),
    # tells the same event that comes again from another one under its source id
    Column("digest", CleanText, nullable=False),
    Column("taken_in_at", Moment, nullable=False),
    # the messages of one customer
    Index("ix_inbox_customer", text("(trigger ->> 'customer_id')"), postgresql_where=text("name = 'support.message'")),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("run_id", CleanText, primary_key=True),
    _number(),
    Column("source_id", CleanText, ForeignKey("ledger.inbox.source_id"), nullable=False, unique=True),
    Column("versions", PlainJson, nullable=False),
    Column("status", CleanText, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("verdict", CleanText),
    Column("outcome", CleanText),
    Column("ended_at", Moment),
    _one_of("status", get_args(RunStatus)),
    _one_of("outcome", get_args(Outcome)),
    CheckConstraint("(status = 'closed') = (ended_at IS NOT NULL)", name="closed_has_an_end"),
    CheckConstraint("(status = 'closed') = (outcome IS NOT NULL)", name="closed_has_an_outcome"),
    Index("ix_runs_started_at", "started_at", "number"),
    Index("ix_runs_status", "status", "started_at", "number"),
)

#: who works on which run; the token grows with every holder, and whoever has an older one writes no more
LEASES = Table(
    "leases",
    METADATA,
    _run_id(primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("holder", CleanText, nullable=False),
    # by the database's clock, whatever the machines' clocks say
    Column("until", Moment, nullable=False),
    # holders in a row that did not give it back
    Column("lost", Integer, nullable=False, server_default="0"),
    # of the holder: with its end the lease ends too
    Column("session_pid", Integer),
    Column("session_start", Moment),
)

#: until when what was sent last for a run may be done, by the database's clock
SENDS = Table("sends", METADATA, _run_id(primary_key=True), Column("until", Moment, nullable=False))

FACTS = Table(
    "facts",
    METADATA,
    _run_id(primary_key=True),
    Column("look", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("tool", CleanText, nullable=False),
    Column("args", PlainJson, nullable=False),
    Column("status", CleanText, nullable=False),
    Column("value", PlainJson),
    Column("read_at", Moment, nullable=False),
    Column("error", CleanText),
    _one_of("status", get_args(ReadStatus)),
)

OBSERVATIONS = Table(
    "observations",
    METADATA,
    _run_id(primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("step", CleanText, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("text", CleanText, nullable=False),
    Column("evidence", PlainJson, nullable=False),
    _one_of("kind", get_args(ObservationKind)),
)

PROPOSALS = Table(
    "proposals",
    METADATA,
    Column("proposal_id", CleanText, primary_key=True),
    _number(),
    _run_id(index=True),
    Column("revision", Integer, nullable=False),
    Column("author", CleanText, nullable=False),
    Column("verdict", CleanText, nullable=False),
    Column("plan", PlainJson, nullable=False),
    Column("rationale", CleanText, nullable=False),
    Column("cites", PlainJson, nullable=False),
    Column("alternatives", PlainJson, nullable=False),
    Column("changes", PlainJson, nullable=False),
    Column("confidence", Float(53), nullable=False),
    Column("money_at_stake_cents", BigInteger, nullable=False),
    Column("role", CleanText, nullable=False),
    Column("four_eyes", Boolean, nullable=False),
    Column("clauses", PlainJson, nullable=False),
    # whether whoever worded it may approve it
    Column("own", Boolean, nullable=False, server_default=text("false")),
    # the totals over runs that it adds to
    Column("limits", PlainJson, nullable=False, server_default=text("'[]'")),
    Column("digest", CleanText, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("tier", CleanText, nullable=False, server_default=""),
    Column("status", CleanText, nullable=False),
    # the run that must be closed before this can be approved
    Column("held_by", CleanText, nullable=False, server_default=""),
    # the proposal whose steps it takes back
    Column("undoes", CleanText, nullable=False, server_default=""),
    _one_of("status", get_args(ProposalStatus)),
    _one_of("role", ROLES),
    Index("ix_proposals_held_by", "held_by", postgresql_where=text("held_by <> ''")),
    # one pending proposal a run; also what the queue reads
    Index("uq_proposals_pending", "run_id", unique=True, postgresql_where=text("status = 'pending'")),
    Index("ix_proposals_queue", "due_at", "proposal_id", postgresql_where=text("status = 'pending'")),
    # the runs that cite a clause
    Index("ix_proposals_cites", "cites", postgresql_using="gin", postgresql_ops={"cites": "jsonb_path_ops"}),
)

#: the records that a proposal would change ("oms.orders O-17")
TOUCHES = Table(
    "touches",
    METADATA,
    Column("proposal_id", CleanText, ForeignKey("ledger.proposals.proposal_id"), primary_key=True),
    Column("record", CleanText, primary_key=True, index=True),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", CleanText, primary_key=True),
    _number(),
    Column("proposal_id", CleanText, ForeignKey("ledger.proposals.proposal_id"), nullable=False, index=True),
    _run_id(index=True),
    Column("kind", CleanText, nullable=False),
    Column("by", CleanText, nullable=False),
    Column("role", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("digest", CleanText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("details", PlainJson, nullable=False),
    _one_of("kind", get_args(DecisionKind)),
    Index("ix_decisions_at", "at"),
    # four eyes in the database too: nobody approves a proposal twice
    Index("uq_decisions_approval", "proposal_id", "by", unique=True, postgresql_where=text("kind = 'approve'")),
)

#: proposals whose effects may be written, each with what it took and the decisions that gave it
AUTHORIZATIONS = Table(
    "authorizations",
    METADATA,
    Column("proposal_id", CleanText, ForeignKey("ledger.proposals.proposal_id"), primary_key=True),
    _run_id(index=True),
    Column("digest", CleanText, nullable=False),
    Column("role", CleanText, nullable=False),
    Column("four_eyes", Boolean, nullable=False),
    # the ids of the decisions that were counted
    Column("decisions", PlainJson, nullable=False),
    Column("at", Moment, nullable=False),
    _one_of("role", ROLES),
)

#: what plans that somebody approved, or that are begun, add to the totals that limits are about
COMMITMENTS = Table(
    "commitments",
    METADATA,
    Column("proposal_id", CleanText, ForeignKey("ledger.proposals.proposal_id"), primary_key=True),
    _run_id(index=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("kind", CleanText, primary_key=True),
    Column("per", CleanText, primary_key=True),
    Column("key", CleanText, primary_key=True),
    Column("cents", BigInteger, nullable=False),
    # by the database's clock, whatever the machines' clocks say
    Column("at", Moment, nullable=False),
    CheckConstraint("cents > 0", name="cents"),
    CheckConstraint("isfinite(at)", name="at"),
    Index("ix_commitments_total", "kind", "per", "key", "at"),
)

EFFECTS = Table(
    "effects",
    METADATA,
    Column("key", CleanText, primary_key=True),
    _number(),
    _run_id(index=True),
    Column("proposal_id", CleanText, ForeignKey("ledger.proposals.proposal_id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("action", CleanText, nullable=False),
    Column("tool", CleanText, nullable=False),
    Column("args", PlainJson, nullable=False),
    Column("status", CleanText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("receipt", PlainJson),
    Column("error", CleanText),
    # [{"system", "record", "field", "before", "after"}]: what the step is to change
    Column("expects", PlainJson),
    _one_of("status", get_args(EffectStatus)),
)

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("incident_id", CleanText, primary_key=True),
    _number(),
    _run_id(index=True),
    Column("reason", CleanText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("closed_at", Moment),
    Index("ix_incidents_open", "at", postgresql_where=text("closed_at IS NULL")),
)

PEOPLE = Table(
    "people",
    METADATA,
    # the name without case and blanks: 'Ann' and 'ann' are one person
    Column("key", CleanText, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("role", CleanText, nullable=False),
    Column("customer_id", CleanText),
    # what the name looks like: no two can be taken for each other
    Column("skeleton", CleanText, nullable=False, unique=True),
    _one_of("role", PERSON_ROLES),
)

#: changes of people that take two, until somebody else confirms
ADMISSIONS = Table(
    "admissions",
    METADATA,
    Column("admission_id", CleanText, primary_key=True),
    _number(),
    Column("kind", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("role", CleanText, nullable=False),
    Column("customer_id", CleanText),
    # whether the person is to have a local account
    Column("account", Boolean, nullable=False),
    Column("asked_by", CleanText, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("lapses_at", Moment, nullable=False),
    # the first half of a one-time password, which whoever asked has; gone once it is settled
    Column("half", CleanText, nullable=False, server_default=""),
    Column("status", CleanText, nullable=False),
    Column("settled_by", CleanText, nullable=False, server_default=""),
    Column("settled_at", Moment),
    _one_of("kind", get_args(AdmissionKind)),
    _one_of("status", get_args(AdmissionStatus)),
    # two people in the database too, and neither is whom it is about
    CheckConstraint("status <> 'confirmed' OR settled_by NOT IN (asked_by, name)", name="two_people"),
    CheckConstraint("asked_by <> name", name="not_oneself"),
    Index("uq_admissions_open", "kind", "name", unique=True, postgresql_where=text("status = 'asked'")),
)

#: how local accounts sign in; people of an OIDC provider have none
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("key", CleanText, ForeignKey("ledger.people.key"), primary_key=True),
    # argon2, with its parameters and salt
    Column("password_hash", CleanText, nullable=False),
    # a one-time password signs in once, until then; NULL for one that the person chose
    Column("one_time_until", Moment),
    # of the second factor (TOTP), once somebody was asked for it
    Column("factor_secret", CleanText),
    # the latest step of time whose code was used; NULL until the first one was right
    Column("factor_step", BigInteger),
)

#: wrong passwords by name and place, and by place
ATTEMPTS = Table(
    "attempts",
    METADATA,
    # sha256 of both: names that nobody has, and where people are, stand nowhere
    Column("bucket", CleanText, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", Moment),
    Column("at", Moment, nullable=False, index=True),
)

#: browsers in which somebody signed in, by sha256 of the token in their cookie
DEVICES = Table(
    "devices",
    METADATA,
    Column("digest", CleanText, primary_key=True),
    Column("key", CleanText, ForeignKey("ledger.people.key"), primary_key=True),
    Column("at", Moment, nullable=False),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    # sha256 of the token in the browser's cookie: who reads the table cannot sign in with it
    Column("digest", CleanText, primary_key=True),
    Column("key", CleanText, ForeignKey("ledger.people.key"), nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

#: the systems that may hand events in
EVENT_SOURCES = Table(
    "event_sources",
    METADATA,
    Column("name", CleanText, primary_key=True),
    # sha256 of the token: who reads the table cannot hand events in with it
    Column("digest", CleanText, nullable=False, unique=True),
    Column("added_by", CleanText, nullable=False),
    Column("added_at", Moment, nullable=False),
    Column("ended_at", Moment),
    # what its events may start; NULL for everything
    Column("missions", PlainJson),
    Column("as_of_days", Integer, nullable=False, server_default="1"),
    # events and dead letters that are kept of it in an hour
    Column("hourly", Integer, nullable=False, server_default="3600"),
)

#: how much each source has handed in since the beginning of the hour in which it last did
ARRIVALS = Table(
    "arrivals",
    METADATA,
    Column("name", CleanText, primary_key=True),
    Column("hour", Moment, nullable=False),
    Column("kept", Integer, nullable=False),
)

#: what came as an event and is none, until somebody settles it
DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    Column("letter_id", CleanText, primary_key=True),
    _number(),
    Column("source", CleanText, nullable=False),
    Column("body", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("settled_at", Moment),
    Column("settled_by", CleanText, nullable=False, server_default=""),
    Column("settled_reason", CleanText, nullable=False, server_default=""),
    Index("ix_dead_letters_open", "number", postgresql_where=text("settled_at IS NULL")),
    Index("ix_dead_letters_source", "source", postgresql_where=text("settled_at IS NULL")),
)

#: how far the change feed of a system was read
FEEDS = Table(
    "feeds",
    METADATA,
    Column("name", CleanText, primary_key=True),
    Column("cursor", CleanText, nullable=False),
    Column("polled_at", Moment, nullable=False),
    Column("error", CleanText, nullable=False, server_default=""),
)

#: who has which proposal open
CLAIMS = Table(
    "claims",
    METADATA,
    Column("proposal_id", CleanText, ForeignKey("ledger.proposals.proposal_id"), primary_key=True),
    Column("by", CleanText, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)

#: next versions of policies, until somebody else puts them in force
POLICY_DRAFTS = Table(
    "policy_drafts",
    METADATA,
    Column("draft_id", CleanText, primary_key=True),
    _number(),
    Column("policy_id", CleanText, nullable=False),
    Column("base_version", Integer, nullable=False),
    Column("base_digest", CleanText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("in_force_from", Date, nullable=False),
    # the whole document, as Markdown with front matter
    Column("text", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("drafted_by", CleanText, nullable=False),
    Column("drafted_at", Moment, nullable=False),
    Column("status", CleanText, nullable=False),
    Column("settled_by", CleanText, nullable=False, server_default=""),
    Column("settled_at", Moment),
    Column("settled_reason", CleanText, nullable=False, server_default=""),
    # [{"by", "at", "reason"}]: who agreed before, where it takes two
    Column("agreed", PlainJson, nullable=False, server_default="[]"),
    _one_of("status", get_args(DraftStatus)),
    # four eyes in the database too: nobody puts their own draft in force
    CheckConstraint("status <> 'in_force' OR settled_by <> drafted_by", name="four_eyes"),
    Index("ix_policy_drafts_open", "policy_id", postgresql_where=text("status = 'draft'")),
)

#: all policies together, as they decide from a moment on
POLICY_BOOKS = Table(
    "policy_books",
    METADATA,
    Column("book_id", CleanText, primary_key=True),
    # [[name of the file, text]]
    Column("documents", PlainJson, nullable=False),
    Column("by", CleanText, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)

#: what somebody did with the lesson in a decision
LESSONS = Table(
    "lessons",
    METADATA,
    Column("decision_id", CleanText, ForeignKey("ledger.decisions.decision_id"), primary_key=True),
    _number(),
    Column("status", CleanText, nullable=False),
    Column("by", CleanText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("dataset", CleanText, nullable=False, server_default=""),
    Column("digest", CleanText, nullable=False, server_default=""),
    Column("reason", CleanText, nullable=False, server_default=""),
    _one_of("status", get_args(LessonStatus)),
)

#: rows that somebody locks who must be alone for a moment; no role can, but through a function of the database
TURNS = Table("turns", METADATA, Column("turn", Integer, primary_key=True, autoincrement=False))

#: questions to language models: what they took, and the answers that were used
MODEL_CALLS = Table(
    "model_calls",
    METADATA,
    Column("call_id", CleanText, primary_key=True),
    _number(),
    # no foreign key: a text is read where there is no run
    Column("run_id", CleanText, nullable=False, index=True),
    Column("look", Integer, nullable=False),
    Column("purpose", CleanText, nullable=False),
    Column("model", CleanText, nullable=False),
    Column("prompt", CleanText, nullable=False),
    Column("question", CleanText, nullable=False, index=True),
    Column("status", CleanText, nullable=False),
    # the budget of a day is counted by it
    Column("at", Moment, nullable=False, index=True),
    Column("ended_at", Moment),
    Column("reserved_tokens", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_cents", Float, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("error", CleanText, nullable=False),
    Column("answer", PlainJson),
    _one_of("status", get_args(ModelCallStatus)),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", CleanText, nullable=False),
    # no foreign key: the log outlives what it tells of
    Column("run_id", CleanText, nullable=False, index=True),
    Column("body", PlainJson, nullable=False),
    Column("previous", CleanText, nullable=False),
    Column("digest", CleanText, nullable=False),
    Index("ix_audit_kind", "kind", "seq"),
)
