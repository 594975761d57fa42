"""The action catalogue: what a plan may do, with which arguments, when, to what effect.

`actions.yaml` beside this file holds the entries and describes their fields. An action that is not in the catalogue
cannot be proposed, approved or executed.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import BadInput, SendBack
from systems.conditions import Expression, Scope, Unknown, Value
from systems.costs import FLAT, uncounted
from systems.records import Change, Path, Records, Spot

MAX_ID_LENGTH = 100
MAX_TEXT_LENGTH = 4_000
ADDRESS_FIELDS = ("name", "line1", "city", "region", "postal_code", "country")

ArgumentType = Literal["id", "cents", "address", "text"] | list[str]
#: what an action moves or costs (the head of actions.yaml says which is which)
MoneyKind = Literal["refund", "capture", "release", "payment", "credit", "cost", "authorization"]
_TO_SOMEBODY = frozenset({"refund", "credit", "payment"})
#: what a person may word otherwise without its being another action
_FREE = ("address", "text")
#: in the values of an effect: the record, or the element of a list, that is changed
_CHANGED = "it"


class _Need(BaseModel):
    model_config = ConfigDict(extra="forbid")
    that: str
    otherwise: str = Field(alias="else")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    system: str
    says: str
    args: dict[str, ArgumentType]
    looks_at: dict[str, str] = {}
    needs: list[_Need] = []
    effect: dict[str, Any] = {}
    after: list[str] = []
    changes: list[str] = []
    money: Literal["none"] | dict[MoneyKind, Any]
    to: dict[str, str] = {}
    automate_up_to_cents: int | None = Field(default=None, ge=0)
    once: bool = False
    undo: dict[str, dict[str, Any]] | None = None


@dataclass(frozen=True)
class Action:
    """One entry of the catalogue, compiled."""

    name: str
    system: str
    says: str
    args: Mapping[str, ArgumentType]
    looks_at: Mapping[str, Path]
    needs: Sequence[tuple[Expression, str]]
    effect: Sequence[tuple[Path, Value]]
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

    @property
    def tool(self) -> str:
        """The MCP tool that does it, as system.name."""
        return f"{self.system}.{self.name}"

    @property
    def counting(self) -> tuple[str, ...]:
        """The arguments that make it this action and not another: all but texts and whole addresses."""
        return tuple(name for name, kind in self.args.items() if kind not in _FREE)

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
            problem = _problem(args[name], kind)
            if problem:
                raise SendBack(f"{self.name}: {name} {problem}")

    def sentence(self, args: Mapping[str, Any]) -> str:
        """What it does, for a person."""
        return self.says.format_map({name: _shown(name, value) for name, value in args.items()})

    def seen(self, records: Records, args: Mapping[str, Any]) -> Scope:
        """Its arguments and the records it looks at: the names that its expressions and paths may use."""
        names = dict(args)
        for name, path in self.looks_at.items():
            names[name] = records.at(path, names)
        return Scope(names)

    def unmet_need(self, seen: Scope) -> str | None:
        """Why it cannot be done on the records as they are, or None."""
        for condition, otherwise in self.needs:
            try:
                if condition.evaluate(seen) is not True:
                    return otherwise
            except Unknown:
                return f"{otherwise}, or it cannot be told"
        return None

    def apply(self, records: Records, seen: Scope) -> list[Change]:
        """Change `records` as the action would, and say what changed. Raises Refused when a record is not there.

        Every value is worked out before the first one is set, so that an effect never sees another of the same action.
        """
        wanted = [(spot, _worth(value, seen, spot)) for path, value in self.effect for spot in records.spots(path, seen.names)]
        return [change for spot, value in wanted if (change := spot.set(value))]

    @property
    def has_flat_cost(self) -> bool:
        """Whether the policy says what one costs."""
        return any(value.constant == FLAT for value in self.money.values())

    def cents(self, seen: Scope, flat: Mapping[str, int]) -> Mapping[str, int | None]:
        """What it moves or costs, by kind, in cents; None where that cannot be told. `flat`: action -> what one costs."""
        return {str(kind): self._worth(value, seen, flat) for kind, value in self.money.items()}

    def receivers(self, seen: Scope) -> Mapping[str, str]:
        """Who receives what it costs, by what they are; the id is empty where it cannot be told."""
        return {what: _id(value, seen) for what, value in self.to.items()}

    def _worth(self, value: Value, seen: Scope, flat: Mapping[str, int]) -> int | None:
        if value.constant == FLAT:
            return flat.get(self.name)
        try:
            cents = value.of(lambda e: e.evaluate(seen))
        except Unknown:
            return None
        return cents if type(cents) is int and cents >= 0 else None

    def undoing(self, seen: Scope) -> dict[str, Any] | None:
        """The action that takes it back, as {"name", "args"}; None where there is none, as where an argument is null."""
        if self.undo is None:
            return None
        name, values = self.undo
        args = {key: value.of(lambda e: e.evaluate(seen)) for key, value in values.items()}
        return None if None in args.values() else {"name": name, "args": args}


class Catalogue(dict[str, Action]):
    """The actions by name; `digest` names this version of the catalogue."""

    digest: str

    @classmethod
    def load(cls, file: FilePath) -> "Catalogue":
        """Read and compile a catalogue. Raises BadInput with file, action and remedy."""
        try:
            text = file.read_bytes()
            raw = yaml.safe_load(text)
        except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
            raise BadInput(
                f"{file}: the action catalogue cannot be read ({str(error).splitlines()[0]}); mend or restore it"
            ) from error
        if not isinstance(raw, dict):
            raise BadInput(f"{file}: the action catalogue must be a mapping of actions; mend or restore it")
        catalogue = cls({name: _compile(name, entry, f"{file.name}, action {name}") for name, entry in raw.items()})
        for action in catalogue.values():
            if action.undo and action.undo[0] not in catalogue:
                raise BadInput(f"{file.name}, action {action.name}: undo names the unknown action {action.undo[0]!r}")
        catalogue.digest = hashlib.sha256(text).hexdigest()[:12]
        return catalogue


def default_catalogue() -> Catalogue:
    """The catalogue of the reference company."""
    return Catalogue.load(FilePath(__file__).with_name("actions.yaml"))


def _compile(name: str, raw: Any, where: str) -> Action:
    try:
        entry = _Entry.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}; see the head of actions.yaml") from error
    looks_at = {key: Path.parse(path, where) for key, path in entry.looks_at.items()}
    known = {*entry.args, *looks_at}
    if len(known) < len(entry.args) + len(looks_at) or _CHANGED in known:
        raise BadInput(f"{where}: args and looks_at share a name, or use {_CHANGED!r}, which effects use; rename it")
    needs = [(Expression.compile(need.that, where), need.otherwise) for need in entry.needs]
    effect = [(Path.parse(path, where), Value.compile(value, where)) for path, value in entry.effect.items()]
    named = {} if entry.money == "none" else entry.money
    money = {str(kind): Value.compile(value, where) for kind, value in named.items()}
    to = {what: Value.compile(value, where) for what, value in entry.to.items()}
    if not to and not _TO_SOMEBODY.isdisjoint(money):
        raise BadInput(f"{where}: it gives money to somebody; say under to who receives it")
    undo = None
    if entry.undo:
        ((undo_name, undo_args),) = entry.undo.items()
        undo = (undo_name, {key: Value.compile(value, where) for key, value in undo_args.items()})
    _require_paths(entry.args, looks_at, [path for path, _ in effect], where)
    for condition, _ in needs:
        condition.require(known, (), where)
    for value in [*money.values(), *to.values(), *(undo[1].values() if undo else ())]:
        _require(value, known, where)
    for _, value in effect:
        _require(value, {*known, _CHANGED}, where)
    if free := uncounted(entry.args, looks_at, [path for path, _ in effect], money):
        raise BadInput(f"{where}: {free}; say under money what it moves or costs")
    return Action(
        name, entry.system, entry.says, entry.args, looks_at, needs, effect,
        frozenset(entry.after), frozenset(entry.changes), money, to, entry.automate_up_to_cents, undo, entry.once,
    )  # fmt: skip


def _require(value: Value, known: Collection[str], where: str) -> None:
    if value.expression:
        value.expression.require(known, (), where)


def _require_paths(args: Collection[str], looks_at: Mapping[str, Path], effect: Sequence[Path], where: str) -> None:
    known = set(args)
    for name, path in looks_at.items():
        if not path.names_one:
            raise BadInput(f"{where}: looks_at names {path.source}, which is no single value; name the list itself")
        _require_names(path, known, where)
        known.add(name)  # a path may use what stands before it
    for path in effect:
        if (path.field is None) != (path.part_by == "+"):
            raise BadInput(f"{where}: the effect on {path.source} names no field to be set; add one")
        _require_names(path, known, where)


def _require_names(path: Path, known: Collection[str], where: str) -> None:
    if unknown := set(path.names) - set(known):
        raise BadInput(f"{where}: the path {path.source} uses the unknown argument {sorted(unknown)[0]!r}")


def _id(value: Value, seen: Scope) -> str:
    try:
        found = value.of(lambda e: e.evaluate(seen))
    except Unknown:
        return ""
    return found if isinstance(found, str) else ""


def _worth(value: Value, seen: Scope, spot: Spot) -> Any:
    with seen.binding({_CHANGED: spot.holder}):
        return value.of(lambda e: e.evaluate(seen))


def _problem(value: Any, kind: ArgumentType) -> str | None:
    if isinstance(kind, list):
        return None if value in kind else f"must be one of {', '.join(kind)}"
    if kind == "cents":
        return None if type(value) is int and 0 < value <= 10**12 else "must be a whole number of cents above 0"
    if kind == "address":
        well_formed = isinstance(value, dict) and set(ADDRESS_FIELDS) <= value.keys()
        return None if well_formed else f"must be an address with {', '.join(ADDRESS_FIELDS)}"
    limit = MAX_ID_LENGTH if kind == "id" else MAX_TEXT_LENGTH
    return None if isinstance(value, str) and 0 < len(value) <= limit else f"must be text of 1 to {limit} characters"


def _shown(name: str, value: Any) -> str:
    return f"${value / 100:,.2f}" if name.endswith("_cents") and isinstance(value, int) else str(value)
