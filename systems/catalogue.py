"""The action catalogue: what a plan may do, with which arguments, when, to what effect.

`actions.yaml` beside this file holds the entries and describes their fields. An action that is not in the catalogue
cannot be proposed, approved or executed.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, RootModel

from errors import BadInput, SendBack
from strict_yaml import instead, read_yaml
from systems.arguments import Kind, currencies, fits, is_free, refusal, require_kind, sample, shown
from systems.calls import denial, says_done
from systems.conditions import Expression, Scope, Unknown, Value
from systems.config import DEFAULT, load_config
from systems.json_schema import Takes
from systems.records import RecordChange, RecordPath, Records
from systems.schema import RecordSchema
from systems.values import VALUE_FUNCTIONS

#: in place of an expression: the policy says what one costs
FLAT = "flat"
#: what amounts and counts are tried with, and which of the words of an argument: rising and falling, so that a difference
#: shows in one of the two
_TRIED = ((range(3, 3_000, 7), 0), (range(3_000, 3, -7), -1))


def uncounted(
    args: Mapping[str, Any],
    binds: Mapping[str, RecordPath],
    changed: Sequence[RecordPath],
    money: Mapping[str, Value],
    schema: RecordSchema,
) -> str | None:
    """Why the money of an entry is not all that it moves or costs, from its arguments, the records that it binds, what its
    effect sets (`changed`), and what it says that it moves or costs (empty for `none`); None where nothing speaks against it.
    """
    for kind, value in money.items():
        if _is_nothing(value, args, binds):
            return f"the {kind} is always 0"
    counted = {name for value in money.values() if value.expression for name in value.expression.names}
    for name, kind in args.items():
        if currencies(kind) and name not in counted:
            return f"the amount {name} is not counted"
    for path in () if money else changed:
        if (path.field or "").endswith("_cents"):
            return f"it changes {path.source}, an amount, and counts none"
        if any(field.endswith("cost_cents") for field in schema.collections[path.collection].optional):
            return f"a record of {path.collection} says what it costs, and it counts none"
    return None


def _is_nothing(value: Value, args: Mapping[str, Any], binds: Mapping[str, RecordPath]) -> bool:
    """Whether it is 0 or less, also of made-up arguments and records where it is computed."""
    if value.expression is None:
        return value.constant != FLAT and (type(value.constant) is not int or value.constant <= 0)
    found = []
    for amounts, word in _TRIED:
        numbers, names = iter(amounts), dict[str, Any]()
        for name, kind in args.items():
            names[name] = sample(kind, partial(next, numbers), word, name)
        for name, path in binds.items():
            fields = re.findall(rf"\b{name}\.(\w+)", value.expression.source)
            names[name] = next(numbers) if path.field else {field: next(numbers) for field in fields}
        found.append(_known(value, Scope(names, VALUE_FUNCTIONS)))
    return all(type(one) is int and one <= 0 for one in found)


#: what an action moves or costs (the head of actions.yaml says which is which)
MoneyKind = Literal["refund", "capture", "release", "payment", "credit", "cost", "authorization"]
_KIND = AfterValidator(require_kind)
#: in the values of an effect: the record, or the element of a list, that is changed
_CHANGED = "it"


class _Need(BaseModel, extra="forbid"):
    that: str
    otherwise: str = Field(alias="else")


class _ActionEntry(BaseModel, extra="forbid"):
    system: str
    tool: str = ""
    says: str
    args: dict[str, Annotated[Kind, _KIND]]
    send: dict[str, Any] | None = None
    done_when: str = ""
    binds: dict[str, str] = {}
    needs: list[_Need] = []
    effect: dict[str, Any] | None
    after: list[str] = []
    changes: list[str] = []
    money: Literal["none"] | dict[MoneyKind, Any]
    to: dict[str, str] = {}
    automate_up_to_cents: int | None = Field(default=None, ge=0)
    once: bool = False
    undo: Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)] | None


#: of every catalogue: a case is handed over, and nobody but the ledger is told
HAND_OVER = "hand_over"
OWN_SYSTEM = "missions"
_OWN = _ActionEntry.model_validate(
    {
        "system": OWN_SYSTEM, "says": "Hand {subject} over to {queue}", "args": {"queue": "id", "subject": "text"},
        "effect": None, "money": "none", "automate_up_to_cents": 0, "once": True, "undo": None,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Action:
    """One entry of the catalogue, compiled."""

    name: str
    system: str
    says: str
    args: Mapping[str, Kind]
    binds: Mapping[str, RecordPath]
    needs: Sequence[tuple[Expression, str]]
    effect: Sequence[tuple[RecordPath, Value]]
    after: frozenset[str]
    changes: frozenset[str]
    money: Mapping[str, Value]
    #: who receives it, by what they are
    to: Mapping[str, Value]
    #: up to which amount a policy may let it run without a person; None: no policy may
    automate_up_to_cents: int | None
    undo: tuple[str, Mapping[str, Value]] | None
    #: the same action twice in a plan is done once
    once: bool
    #: the tool that does it, as system.name
    tool: str
    #: what its tool is sent; None for the arguments as they are
    send: Mapping[str, Value] | None
    #: what an answer says when it was done, where no record shows it
    done_when: Expression | None
    #: the arguments with amounts that are not in the company's currency: what they come to is not known
    foreign: frozenset[str]
    #: what its tool takes; None where it was not told
    takes: Takes | None
    #: its file, line and name, for sentences
    where: str

    @property
    def counting(self) -> tuple[str, ...]:
        """The arguments that make it this action and not another: all but texts and whole addresses."""
        return tuple(name for name, kind in self.args.items() if not is_free(kind))

    def require_undo(self, actions: Mapping[str, "Action"]) -> None:
        """Raise BadInput where what takes it back is none of the actions, or is given other arguments than it takes."""
        if self.undo is None:
            return
        name, values = self.undo
        if name not in actions:
            raise BadInput(f"{self.where}: undo names the unknown action {name!r}; {instead(name, actions)}")
        takes = actions[name].args
        if strange := sorted(values.keys() - takes.keys()):
            raise BadInput(f"{self.where}: undo gives {name} the unknown argument {strange[0]!r}; {instead(strange[0], takes)}")
        if lacking := [one for one in takes if one not in values]:
            raise BadInput(f"{self.where}: undo gives {name} no {lacking[0]}; add it")

    def comes_after(self, other: "Action") -> bool:
        """True if `other` must be done before this one when a plan has both."""
        if "*" in self.after:
            return "*" not in other.after
        return not self.after.isdisjoint(other.changes)

    def validate(self, args: Mapping[str, Any]) -> None:
        """Raise SendBack with a sentence when the arguments do not fit."""
        for surplus in args.keys() - self.args.keys():
            raise SendBack(f"{self.name} has no argument {surplus!r}")
        for name, kind in self.args.items():
            if name not in args:
                raise SendBack(f"{self.name} needs the argument {name!r}")
            if not fits(kind, args[name]):
                raise SendBack(f"{self.name}: {refusal(kind, args[name], name)}")

    def sentence(self, args: Mapping[str, Any], says: str = "") -> str:
        """What it does, for a person; `says` in other words than its own."""
        said = {name: shown(self.args.get(name, "text"), value) for name, value in args.items()}
        return (says or self.says).format_map(said)

    def seen(self, records: Records, args: Mapping[str, Any]) -> Scope:
        """Its arguments and the records it looks at: the names that its expressions and paths may use."""
        names = dict(args)
        for name, path in self.binds.items():
            names[name] = records.at(path, names)
        return Scope(names, VALUE_FUNCTIONS)

    def sends(self, seen: Scope) -> Mapping[str, Any] | None:
        """What its tool is sent in place of its arguments, without what is null; None for these as they are.

        Raises Unknown where that is not known.
        """
        if self.send is None:
            args = {name: seen.names.get(name) for name in self.args}
            return {name: value for name, value in args.items() if value is not None} if None in args.values() else None
        computed = {name: value.evaluate(seen) for name, value in self.send.items()}
        return {name: value for name, value in computed.items() if value is not None}

    def says_done(self, answer: Mapping[str, Any]) -> bool:
        """Whether an answer says that it was done; only what no record shows is believed by its answer."""
        if self.done_when is None:
            return says_done(answer)
        seen = Scope({"answer": answer}, VALUE_FUNCTIONS)
        return denial(answer) is None and _known(Value(expression=self.done_when), seen) is True

    def unmet_need(self, seen: Scope) -> str | None:
        """Why it cannot be done on the records as they are, or None."""
        for condition, otherwise in self.needs:
            try:
                if condition.evaluate(seen) is not True:
                    return otherwise
            except Unknown:
                return f"{otherwise}, or it is not known"
        try:
            sent = self.sends(seen)
        except Unknown as unknown:
            return f"what {self.tool} is to be sent is not known: «{unknown.expression.source}»"
        sent = {name: seen.names.get(name) for name in self.args} if sent is None else sent
        refusal = self.takes.refusal(sent) if self.takes else ""
        return f"{self.tool} would refuse it: {refusal}" if refusal else None

    def apply(self, records: Records, seen: Scope) -> list[RecordChange]:
        """Change `records` as the action would, and say what changed; what stays, where nothing does. Raises Refused when a
        record is not there.

        Every value is worked out before the first one is set, so that an effect never sees another of the same action.
        """
        wanted = []
        for path, value in self.effect:
            for spot in records.spots(path, seen.names):
                with seen.binding({_CHANGED: spot.holder}):
                    wanted.append((spot, value.evaluate(seen)))
        promised = [spot.set(value) for spot, value in wanted]
        return [change for change in promised if change.before != change.after] or promised

    @property
    def has_flat_cost(self) -> bool:
        """Whether the policy says what one costs."""
        return any(value.constant == FLAT for value in self.money.values())

    def cents(self, seen: Scope, flat: Mapping[str, int]) -> Mapping[str, int | None]:
        """What it moves or costs, by kind, in cents; None where that is not known. `flat`: action -> what one costs."""
        worth = {
            kind: flat.get(self.name) if value.constant == FLAT else None if self._is_foreign(value) else _known(value, seen)
            for kind, value in self.money.items()
        }
        return {str(kind): cents if type(cents) is int and cents >= 0 else None for kind, cents in worth.items()}

    def _is_foreign(self, value: Value) -> bool:
        return value.expression is not None and not self.foreign.isdisjoint(value.expression.names)

    def receivers(self, seen: Scope) -> Mapping[str, str]:
        """Who receives what it costs, by what they are; the id is empty where it is not known."""
        found = {what: _known(value, seen) for what, value in self.to.items()}
        return {what: one if isinstance(one, str) else "" for what, one in found.items()}

    def undoing(self, seen: Scope) -> dict[str, Any] | None:
        """The action that takes it back, as {"name", "args"}; None where there is none, as where an argument is null."""
        if self.undo is None:
            return None
        name, values = self.undo
        args = {key: value.evaluate(seen) for key, value in values.items()}
        return None if None in args.values() else {"name": name, "args": args}


class Catalogue(dict[str, Action]):
    """The actions by name; `digest` names this version of the catalogue."""

    digest: str
    #: what the systems hold on which they act
    record_schema: RecordSchema

    @classmethod
    def load(cls, files: Sequence[Path], schema: RecordSchema, currency: str = "USD") -> "Catalogue":
        """Read and compile the files of a catalogue; `currency` is the company's.

        Raises BadInput with file, line, action and remedy.
        """
        catalogue, said = cls(), list[Any]()
        catalogue.record_schema = schema
        catalogue[HAND_OVER] = _compile(HAND_OVER, _OWN, schema, currency, "systems/catalogue.py")
        for file in files:
            read = read_yaml(file, "action catalogue")
            entries = read.as_model(RootModel[dict[str, _ActionEntry]], "the head of actions.yaml").root
            for name, entry in entries.items():
                here = f"{file}, line {read.line([name])}: action {name}"
                if name in catalogue:
                    first = "Missions" if name == HAND_OVER else catalogue[name].where.partition(",")[0]
                    raise BadInput(f"{here} stands in {first} already; rename or remove one of them")
                catalogue[name] = _compile(name, entry, schema, currency, here)
            said.append(read.data)
        changed = {what for action in catalogue.values() for what in action.changes}
        for action in catalogue.values():
            action.require_undo(catalogue)
            for what in sorted(action.after - changed - {"*"}):
                raise BadInput(f"{action.where}: after names {what!r}, which no action changes; {instead(what, changed)}")
        # of what it says: a comment, a blank line or other quotes are no other catalogue
        catalogue.digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]
        return catalogue


def load_catalogue(systems: Path = DEFAULT) -> Catalogue:
    """The catalogue of the actions that a list of systems names. Raises BadInput with file, line and remedy."""
    config = load_config(systems)
    return Catalogue.load(config.actions, config.record_schema, config.currency)


def _compile(name: str, entry: _ActionEntry, schema: RecordSchema, currency: str, where: str) -> Action:
    binds = {key: RecordPath.parse(path, schema, where) for key, path in entry.binds.items()}
    known = {*entry.args, *binds}
    if len(known) < len(entry.args) + len(binds) or _CHANGED in known:
        raise BadInput(f"{where}: args and binds share a name, or use {_CHANGED!r}, which effects use; rename it")

    if unknown := {hole for _, hole, _, _ in Formatter().parse(entry.says) if hole is not None} - entry.args.keys():
        raise BadInput(f"{where}: says has {{{min(unknown)}}}, which is not one of its arguments")
    foreign = frozenset(key for key, kind in entry.args.items() if currencies(kind) - {"", currency})

    def compiled(values: Mapping[Any, Any]) -> dict[str, Value]:
        return {key: Value.compile(value, where) for key, value in values.items()}

    needs = [(Expression.compile(need.that, where), need.otherwise) for need in entry.needs]
    effect = [
        (RecordPath.parse(path, schema, where), Value.compile(value, where)) for path, value in (entry.effect or {}).items()
    ]
    to, money = compiled(entry.to), {} if entry.money == "none" else compiled(entry.money)
    if not to and money.keys() & {"refund", "credit", "payment"}:
        raise BadInput(f"{where}: it gives money to a recipient; name the recipient under `to`")
    for kind, value in money.items():
        if kind != "cost" and value.expression is not None and not foreign.isdisjoint(value.expression.names):
            raise BadInput(
                f"{where}: its {kind} is in another currency than the company's, {currency}, and adds up to nothing; "
                "say `currency` in systems.yaml, or give the amount in it"
            )
    undo = next(((by, compiled(args)) for by, args in (entry.undo or {}).items()), None)
    _require_paths(entry.args, binds, [path for path, _ in effect], where)
    send = None if entry.send is None else compiled(entry.send)
    done_when = Expression.compile(entry.done_when, f"{where}, done_when") if entry.done_when else None
    if done_when:
        done_when.require({"answer"}, VALUE_FUNCTIONS, f"{where}, done_when")
    values = [*money.values(), *to.values(), *(undo[1].values() if undo else ()), *(send or {}).values()]
    for expression in [*(condition for condition, _ in needs), *(one for value in values for one in value.expressions)]:
        expression.require(known, VALUE_FUNCTIONS, where)
    for expression in (one for _, value in effect for one in value.expressions):
        expression.require({*known, _CHANGED}, VALUE_FUNCTIONS, where)
    if free := uncounted(entry.args, binds, [path for path, _ in effect], money, schema):
        raise BadInput(f"{where}: {free}; say under money what it moves or costs")
    tool = f"{entry.system}.{entry.tool or name}"
    return Action(
        name, entry.system, entry.says, entry.args, binds, needs, effect,
        frozenset(entry.after), frozenset(entry.changes), money, to, entry.automate_up_to_cents, undo, entry.once,
        tool, send, done_when, foreign, schema.takes.get(tool), where,
    )  # fmt: skip


def _require_paths(args: Collection[str], binds: Mapping[str, RecordPath], effect: Sequence[RecordPath], where: str) -> None:
    known = set(args)
    for name, path in [*binds.items(), *(("", path) for path in effect)]:
        if name and path.part_by in ("+", "*"):
            raise BadInput(f"{where}: binds names {path.source}, which is not a single value; name the list itself")
        if not name and (path.field is None) != (path.part_by == "+"):
            raise BadInput(f"{where}: the effect on {path.source} names no field to be set; add one")
        if unknown := set(path.names) - known:
            raise BadInput(f"{where}: the path {path.source} uses the unknown argument {sorted(unknown)[0]!r}")
        known.add(name)  # a path may use what stands before it


def _known(value: Value, seen: Scope) -> Any:
    """The value, None where it is not known."""
    try:
        return value.evaluate(seen)
    except Unknown:
        return None
