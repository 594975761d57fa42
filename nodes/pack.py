"""A Mission pack: the data that describes a Mission. `nodes.packs.loading` reads and compiles it."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

import orjson
from croniter import CroniterBadCronError, CroniterBadDateError, croniter
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from systems.catalogue import HAND_OVER, Catalogue
from systems.conditions import Expression
from systems.schema import RecordSchema

#: Names that every expression of a pack may use, besides reads, lets, clauses and what `each` and `choose` bind.
GIVEN = frozenset({"trigger", "as_of", "subject", "queue", "args"})
#: clauses whose numbers functions take, whatever the pack says (`nodes.functions.stock`)
OF_FUNCTIONS = ("STK-2", "OMN-1")
#: the tool by which a `text` is understood, by the phrasings of the folder `examples`
UNDERSTAND = "language.understand"
_FIELD = re.compile(r"\{(\w+)\}")
_OF_TRIGGER = re.compile(r"\btrigger\.(\w+)")
_CLAUSE_NAME = re.compile(r"[A-Z]+_\d+")
#: of cron: numbers and names; not what croniter knows besides: seconds, years, @daily, chance (H and R)
_CRON_FIELD = r"(?![HRhr]\b)[0-9A-Za-z*/,#-]+"
_CRON_FIELDS = re.compile(rf"{_CRON_FIELD}( {_CRON_FIELD}){{4}}")


#: what the texts of a field are: the first three are compiled when a pack is loaded, the others looked up
Kind = Literal["condition", "sentence", "value", "action", "clause", "finding", "procedure", "queue", "tool", "verdict"]
Condition = Annotated[str, "condition"]
#: name -> the condition whose elements it is bound to
Bound = Annotated[dict[str, str], "condition"]
Sentence = Annotated[str, "sentence"]
#: arguments: computed where they begin with =, and what they say elsewhere
Values = Annotated[dict[str, Any], "value"]
ActionName = Annotated[str, "action"]
ClauseId = Annotated[str, "clause"]
ClauseIds = Annotated[list[str], "clause"]
ToolName = Annotated[str, "tool"]


class PackPart(BaseModel):
    """A piece of a pack: nothing that it does not know may stand in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def contents(self) -> Iterator[tuple[str, Kind | None, Any]]:
        """(name, kind, value) of every field; the kind is of all texts in it that are in no piece of its own."""
        for name, field in type(self).model_fields.items():
            yield name, next((one for one in field.metadata if one in get_args(Kind)), None), getattr(self, name)


def computed(raw: Any) -> bool:
    """Whether a value of a pack is computed, as in a spreadsheet: it begins with =."""
    return isinstance(raw, str) and raw.startswith("=")


def texts(piece: Any, kind: Kind, of: Kind | None = None) -> Iterator[str]:
    """Every text of a kind in pieces of a pack, in the order of their fields; `of` is the kind that they are themselves."""
    match piece:
        case PackPart():
            for _, inside, value in piece.contents():
                yield from texts(value, kind, inside)
        case list() | tuple():
            for value in piece:
                yield from texts(value, kind, of)
        case str() if of == kind:
            yield piece


class Trigger(PackPart):
    #: event -> its subject, as text with the trigger's fields in braces: `{sku}@{location}`
    events: dict[str, str] = Field(min_length=1)

    @field_validator("events")
    @classmethod
    def _has_subjects(cls, events: dict[str, str]) -> dict[str, str]:
        for event, subject in events.items():
            if not _FIELD.search(subject) or _FIELD.sub("", subject).count("{"):
                raise ValueError(f"the subject of {event} must name fields of the trigger, such as {{order_id}}")
        return events

    def fields(self, event: str) -> list[str]:
        """The fields of the trigger that name the subject of an event."""
        return _FIELD.findall(self.events[event])


class Read(PackPart):
    """What is read of a system; with `each`, once for every element of a list: then its value is the list of the answers."""

    tool: ToolName
    each: Bound = Field(default={}, max_length=1, exclude_if=lambda each: not each)
    args: Values = Field(alias="with")
    #: what stands for a record that there is not, also in the reads that need it
    if_absent: Any = None


class Finding(PackPart):
    """What facts mean; `each` makes one of it for every element of a list."""

    id: str
    when: Condition = "true"
    each: Bound = Field(default={}, max_length=1)
    says: Sentence
    #: the clause by which the elements of `each` are served in this order; cited where another order gives another plan
    priority: Annotated[str | None, "clause"] = None
    #: whether the order of its options is the policy, or any of them that works may be chosen
    choice: Literal["first", "any"] = Field(default="first", exclude_if=lambda choice: choice == "first")


class Step(PackPart):
    """An action, or a procedure, of an option; `if` and `each` say whether and how often."""

    action: Annotated[str | None, "action"] = None
    procedure: Annotated[str | None, "procedure"] = None
    args: Values = Field(default={}, alias="with")
    if_: Condition = Field(default="true", alias="if")
    each: Bound = Field(default={}, max_length=1)
    cites: ClauseIds = []


class Way(PackPart):
    """What is done: steps, perhaps an end of the case."""

    do: list[Step] = []
    #: names the part of the plan that these steps are (an order, say): a person can approve or reject it by itself
    part: Annotated[str | None, "value"] = None
    end: Annotated[str | None, "verdict"] = None
    escalate: Annotated[str | None, "queue"] = None
    cites: ClauseIds = []

    @property
    def ending(self) -> str:
        """How a case goes on after it, in words."""
        return f"escalate to {self.escalate}" if self.escalate else f"verdict {self.end}" if self.end else "goes on"


class Option(Way):
    """One way to meet a finding; workable if `when` holds and `choose` finds something (the best comes first)."""

    id: str
    when: Condition = "true"
    choose: Bound = Field(default={}, max_length=1)
    #: said where the option is taken
    says: Sentence = ""
    #: said where the option is not workable
    otherwise: Sentence = Field(default="it does not apply", alias="else")
    #: stock that the option uses up: sku, location, qty
    consumes: Values = {}


class Conclusion(Way):
    """What the plan so far means, and what follows from it."""

    id: str
    when: Condition = "true"
    each: Bound = Field(default={}, max_length=1)
    says: Sentence


class Procedure(PackPart):
    do: list[Step]


_HANDED_OVER = Step.model_validate({"action": HAND_OVER, "with": {"queue": "=queue", "subject": "=subject"}})


class Verdict(PackPart):
    keeps: Annotated[list[str] | None, "finding"]
    says: Sentence


class Guard(PackPart):
    """What every step with this action must satisfy, whoever made the plan; `planned` counts the steps of that plan."""

    for_: ActionName = Field(alias="for")
    that: Condition
    says: str
    cites: Annotated[str | None, "clause"] = None
    #: stock that the step uses up: sku, location, qty
    consumes: Values = {}


class Raise(PackPart):
    clause: ClauseId
    for_: ActionName = Field(alias="for")
    that: Condition


def check_cron(schedule: str) -> None:
    """Raises ValueError for what is no schedule (cron with five fields in UTC), and for one that never comes."""
    try:
        if not _CRON_FIELDS.fullmatch(schedule):
            raise CroniterBadCronError
        croniter(schedule, datetime(2026, 1, 1, tzinfo=UTC)).get_next()
    except (CroniterBadCronError, CroniterBadDateError):
        sentence = f"{schedule!r} is not a schedule; write it as cron in UTC, such as 0 6 * * * for every morning"
        raise ValueError(sentence) from None


class Book(PackPart):
    """All subjects of a Mission, and how their runs are ranked: `missions run EVENT --all`."""

    event: str
    #: the tool that lists the subjects' records, and the field that the trigger takes from each
    tool: str
    field: str
    #: computed for every run; the highest comes first
    rank: Condition
    #: said beside it
    says: Sentence
    #: when it is opened by itself, as cron with five fields in UTC ("0 6 * * *": each morning); never, without it
    schedule: str = ""

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str) -> str:
        if schedule:
            check_cron(schedule)
        return schedule


class OwnWording(PackPart):
    """Whose tone of which letters waits for nobody else: the clause names the actions, the value the owner."""

    clause: ClauseId
    owner: Annotated[str, "value"]


class ApprovalRule(PackPart):
    """The clauses that say who approves a plan."""

    automate: ClauseId
    base: ClauseId
    bands: ClauseId
    #: bands of what a plan gives away, and what it costs where no record says so
    costs: ClauseId
    #: clauses of what adds up over runs
    limits: ClauseIds = Field(min_length=1)
    raises: list[Raise] = []
    own: OwnWording | None = Field(default=None, exclude_if=lambda own: own is None)


class Missing(PackPart):
    escalate: Annotated[str, "queue"]
    cites: ClauseIds


class ExtraRead(PackPart):
    """What a model may have read besides; its fields in `sees` are shown, the rest stays here."""

    tool: ToolName
    args: Values = Field(alias="with")
    sees: list[str] = Field(min_length=1)


class ModelView(PackPart):
    """What a language model is shown of a case: what is not named stays here."""

    #: read, or `trigger` -> its fields, dotted into records and lists: `lines.sku`
    sees: dict[str, list[str]] = {}
    #: name -> a read that a model may ask for once
    may_read: dict[str, ExtraRead] = {}
    #: how letters sound; the setting of the company where it is empty
    tone: str = ""


class CustomerReply(PackPart):
    """The action that writes to a customer: which argument says to whom, and which what."""

    action: ActionName
    to: str
    text: str


class Portal(PackPart):
    """What customers write on the portal and see there."""

    #: theirs, with ticket_id, customer_id, text, photos and sender_verified
    event: str
    reply: CustomerReply
    #: the verdict by which the customer is asked something
    asks: Annotated[str | None, "verdict"] = None
    #: action -> what the customer is told when it is done, with its arguments in braces; of the others nothing
    done: dict[str, str] = {}


@dataclass(frozen=True)
class Template:
    """A sentence: `{…}` in it is computed, the rest is said as it is."""

    pieces: Sequence[str | Expression]


#: section of a pack -> how its pieces are called; what is in another section comes before that
_NAMES = {
    ("reads",): "read {0}",
    ("let",): "let {0}",
    ("findings",): "finding {piece.id}",
    ("options",): "option {piece.id!r} of {0}",
    ("conclusions",): "conclusion {piece.id}",
    ("procedures",): "procedure {0}",
    ("drafts",): "draft {0}",
    ("verdicts",): "verdict {0}",
    ("guards",): "guard for {piece.for_}: {piece.says}",
    ("approval", "raises"): "approval raised by {piece.clause} for {piece.for_}",
    ("approval",): "approval",
    ("tier",): "tier",
    ("escalation",): "escalation",
    ("missing",): "missing evidence",
    ("book",): "book",
    ("portal",): "portal",
    ("model", "may_read"): "model may read {0}",
    ("model",): "a model",
}


def _each_of(section: Any, *place: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(section, dict | list):
        for key, inner in section.items() if isinstance(section, dict) else enumerate(section):
            yield from _each_of(inner, *place, key)
    elif section:
        yield place, section


class Pack(PackPart):
    """A validated pack; its compiled expressions are found by their source.

    A Mission whose events are about different things has `parts`: each has everything that the pack says for all, and
    reads, findings and options of its own.
    """

    mission: str
    title: str
    version: int
    trigger: Trigger
    reads: dict[str, Read] = {}
    let: Annotated[dict[str, str], "condition"] = {}
    #: dimension -> its findings, in the order in which the dimensions are looked at
    findings: dict[str, list[Finding]] = {}
    options: dict[str, list[Option]] = {}
    conclusions: list[Conclusion] = []
    procedures: dict[str, Procedure] = {}
    #: messages to people outside, with computed holes; a step takes one as its text with {draft: name}
    drafts: dict[str, str] = {}
    verdicts: dict[str, Verdict]
    guards: list[Guard] = []
    approval: ApprovalRule
    #: condition whose value is the tier of the customer or account, which the queue looks at; empty where there is none
    tier: Condition = ""
    #: to whom cases are handed over; without it, the words of the argument of `escalation` that takes the queue
    queues: list[str] = Field(default=[], exclude_if=lambda queues: not queues)
    #: what hands a case over: the ledger keeps it, where no system is to be told
    escalation: Step = _HANDED_OVER
    missing: Missing
    book: Book | None = None
    #: what a language model is shown; without it, none is asked. It decides nothing and is no part of the digest
    model: ModelView | None = Field(default=None, exclude=True)
    #: what customers see of its runs; it decides nothing and is no part of the digest
    portal: Portal | None = Field(default=None, exclude=True)
    parts: dict[str, "Pack"] = {}
    _record_schema: RecordSchema = PrivateAttr(default_factory=RecordSchema)

    @property
    def record_schema(self) -> RecordSchema:
        """What the systems hold that it reads, given when it is loaded."""
        return self._record_schema

    def of(self, event: str) -> "Pack":
        """The part that handles an event; the pack itself where it has no parts."""
        return next((part for part in self.parts.values() if event in part.trigger.events), self)

    @property
    def and_parts(self) -> tuple["Pack", ...]:
        """The pack itself, and its parts."""
        return (self, *self.parts.values())

    def pieces(self) -> Iterator[tuple[str, tuple[str | int, ...], Any]]:
        """(its name for people, its path in the file, itself) of everything that a pack or part without parts consists of."""
        for path, name in _NAMES.items():
            section: Any = self
            for field in path:
                section = getattr(section, field, None)
            for place, piece in _each_of(section):
                yield name.format(*place, piece=piece), (*path, *place), piece

    def queues_in(self, catalogue: Catalogue) -> list[str]:
        """The queues to which a case can be handed over, where pack or catalogue names them."""
        words = catalogue[str(self.escalation.action)].args
        named = [words[name] for name, raw in self.escalation.args.items() if raw == "=queue"]
        return self.queues or [word for kind in named if isinstance(kind, list) for word in kind]

    def queue_of(self, escalation: Mapping[str, Any]) -> str:
        """The queue to which an action that hands a case over takes it."""
        named = [name for name, raw in self.escalation.args.items() if raw == "=queue"]
        return str(escalation["args"].get(named[0], "")) if named else self.missing.escalate

    @cached_property
    def all_findings(self) -> Mapping[str, Finding]:
        """The findings of every dimension, by id."""
        return {one.id: one for findings in self.findings.values() for one in findings}

    @cached_property
    def open_choices(self) -> frozenset[str]:
        """The findings of which any option that works may be chosen."""
        return frozenset(one.id for one in self.all_findings.values() if one.choice == "any")

    @cached_property
    def priorities(self) -> Mapping[str, str]:
        """Finding -> the clause by which its elements are served in their order, where it has one."""
        return {one.id: one.priority for one in self.all_findings.values() if one.priority}

    @cached_property
    def digest(self) -> str:
        """Names this version of the pack."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @cached_property
    def model_digest(self) -> str:
        """Names this version of what a language model is shown, in all parts."""
        shown = {name: pack.model and pack.model.model_dump() for name, pack in {"": self, **self.parts}.items()}
        return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    @cached_property
    def expressions(self) -> dict[str, Expression]:
        """The compiled expression of every condition and computed value (with its =) that stands in this pack."""
        return {}

    @cached_property
    def templates(self) -> dict[str, Template]:
        """The compiled sentence of every `says` and `else` that stands in this pack."""
        return {}

    @cached_property
    def shows_messages(self) -> bool:
        """Whether the texts of the trigger that are to be understood may be shown to a model."""
        texts = [str(read.args.get("text")) for read in self.reads.values() if read.tool == UNDERSTAND]
        fields = {field for text in texts for field in _OF_TRIGGER.findall(text)}
        return bool(fields) and self.model is not None and fields <= set(self.model.sees.get("trigger", ()))

    @cached_property
    def read_needs(self) -> Mapping[str, frozenset[str]]:
        """Read -> the names that its arguments, and what it is made for each of, are computed from."""
        needs = {}
        for name, read in self.reads.items():
            used = [raw for raw in (*read.args.values(), *read.each.values()) if isinstance(raw, str) and raw in self.expressions]
            needs[name] = frozenset().union(*(self.expressions[raw].names for raw in used)) - read.each.keys()
        return needs

    @cached_property
    def names(self) -> frozenset[str]:
        """Every free variable that the expressions of this pack use."""
        return frozenset().union(*(expression.names for expression in self.expressions.values()))

    @cached_property
    def clauses(self) -> tuple[str, ...]:
        """The ids of the clauses that this pack takes numbers from, sorted."""
        return tuple(sorted(name.replace("_", "-") for name in self.names if _CLAUSE_NAME.fullmatch(name)))

    @cached_property
    def rules(self) -> frozenset[str]:
        """The ids of the clauses that say who approves a plan of this pack."""
        return frozenset(texts(self.approval, "clause"))

    @cached_property
    def ruling(self) -> frozenset[str]:
        """The ids of all clauses whose numbers can decide a case of this pack, or of a part of it."""
        return frozenset(OF_FUNCTIONS).union(*(part.rules.union(part.clauses) for part in self.and_parts))

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """Every option and conclusion of this pack."""
        return (*(option for options in self.options.values() for option in options), *self.conclusions)

    @cached_property
    def actions(self) -> frozenset[str]:
        """The actions that this pack knows: those that it plans or guards, and the escalation."""
        return frozenset(texts([self.escalation, *self.ways, *self.procedures.values(), *self.guards], "action"))

    @cached_property
    def cited(self) -> Mapping[str, tuple[str, ...]]:
        """Finding or conclusion -> the clauses that what follows from it may cite."""
        cited = {finding: self._cites(options) for finding, options in self.options.items()}
        return cited | {conclusion.id: self._cites([conclusion]) for conclusion in self.conclusions}

    def _cites(self, ways: Sequence[Way]) -> tuple[str, ...]:
        cites = list[str]()
        for way in ways:
            cites += way.cites
            cites += (clause for step in way.do for inner in self.steps_of(step) for clause in inner.cites)
        return tuple(dict.fromkeys(cites))

    def steps_of(self, step: Step) -> Sequence[Step]:
        """The steps of its procedure, where it names one; else the step itself."""
        return self.procedures[step.procedure].do if step.procedure else [step]

    @cached_property
    def cited_anyway(self) -> tuple[str, ...]:
        """The clauses that any case may cite: of conclusions, of missing evidence, of who approves."""
        of_conclusions = [clause for conclusion in self.conclusions for clause in self.cited[conclusion.id]]
        rule = self.approval
        raising = [rule.bands, rule.costs, *rule.limits, *(one.clause for one in rule.raises)]
        return tuple(dict.fromkeys([*of_conclusions, *self.priorities.values(), *self.missing.cites, *raising]))

    @cached_property
    def reach(self) -> Mapping[str, frozenset[str]]:
        """Finding -> every name that its condition and its sentence use, through `let` too."""
        reach = {}
        for one in self.all_findings.values():
            said = [piece for piece in self.templates[one.says].pieces if isinstance(piece, Expression)]
            tested = [self.expressions[source] for source in (one.when, *one.each.values())]
            reach[one.id] = frozenset(self.through_let({name for expression in (*said, *tested) for name in expression.names}))
        return reach

    def through_let(self, names: Iterable[str]) -> set[str]:
        """These names, and those that their named conditions (`let`) use in turn."""
        seen = set(names)
        for name in (waiting := list(seen)):
            more = self.expressions[self.let[name]].names - seen if name in self.let else ()
            seen.update(more)
            waiting += more
        return seen

    @cached_property
    def topics(self) -> Mapping[str, str]:
        """Finding -> what it is about, without the values of a case: the query for the index. No text from outside is in it."""
        topics = {}
        for finding in self.all_findings.values():
            pieces = self.templates[finding.says].pieces
            words = [one if isinstance(one, str) else one.source.split(".")[-1].replace("_", " ") for one in pieces]
            topics[finding.id] = f"{finding.id.replace('.', ' ').replace('_', ' ')}: {''.join(words)}"
        return topics
