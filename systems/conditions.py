"""Conditions and computed values: CEL (Common Expression Language, github.com/google/cel-spec), compiled once.

In packs and in the action catalogue, `when`, `each`, `choose` and `that` are CEL expressions. Everywhere else a
string that begins with `=` is computed, as in a spreadsheet, and any other value is what it says.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cel

from errors import BadInput

_BOUND_BY_MACRO = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(\s*(\w+)\s*,")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_AROUND_DOT = re.compile(r"\s*\.\s*")
_FREE_PATH = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
#: one field of every element: order.lines.map(l, l.sku)
_FIELD_OF_EACH = re.compile(r"([A-Za-z_][\w.]*)\.map\(\s*(\w+)\s*,\s*\2\.(\w+)\s*\)")
#: a named function of plain arguments: latest(payment.authorizations, 'authorized_at')
_CALL = re.compile(r"([A-Za-z_]\w*)\(\s*([^()]*?)\s*\)")
_LITERAL = re.compile(r"'([^'\\]*)'|(\d+)")
_NAMED_LITERALS = {"true": True, "false": False, "null": None}
_STANDARD_FUNCTIONS = frozenset(
    {"all", "bool", "contains", "double", "duration", "endsWith", "exists", "exists_one", "filter", "has", "int", "map"}
    | {"matches", "max", "min", "size", "startsWith", "string", "timestamp", "type", "uint"}
)

# The library logs every error of a function as a warning; here it is an Unknown, which its caller handles.
logging.getLogger("cel").setLevel(logging.CRITICAL)


class Unknown(Exception):
    """A value does not follow from what is known; `names` are the variables it would have needed."""

    def __init__(self, expression: "Expression", reason: str) -> None:
        super().__init__(reason)
        self.expression = expression


class Scope:
    """Names and their values, and functions on plain data, with which expressions are evaluated; `binding` adds names."""

    def __init__(self, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self.names, self.functions, self.bound = dict(names), functions or {}, dict[str, Any]()
        self._context: cel.Context | None = None

    @contextmanager
    def binding(self, bound: Mapping[str, Any]) -> Iterator[None]:
        """Give further names while the context manager is open."""
        before = self.bound
        self.bound = {**before, **bound}
        try:
            yield
        finally:
            self.bound = before

    def define(self, name: str, value: Any) -> None:
        """Give a name for good. (Names given late are resolved one by one: what is large is better given at once.)"""
        self.names[name] = value
        if value is None and self._context is not None:  # a resolver cannot answer null
            self._context.add_variable(name, None)

    @property
    def context(self) -> cel.Context:
        """The names and functions as CEL sees them, converted once; lists when they are asked for, as most are not."""
        if self._context is None:
            fixed = {name: value for name, value in self.names.items() if not isinstance(value, list)}
            self._context = cel.Context(fixed, dict(self.functions))
            self._context.set_variable_resolver(
                lambda name: self.bound[name] if name in self.bound else None if name in fixed else self.names.get(name)
            )
        return self._context


Plain = Callable[[Scope], Any]


@dataclass(frozen=True, eq=False)
class Expression:
    """A compiled CEL expression; `names` are its free variables, `functions` the functions it calls."""

    source: str
    program: cel.Program
    names: frozenset[str]
    functions: frozenset[str]
    #: what its macros bind
    bound: frozenset[str]
    #: the same without CEL, for a literal, a path, one field of every element, or a named function of these: most are one
    #: of them, and handing whole records to CEL and back costs more than evaluating them
    plain: Plain | None

    @classmethod
    def compile(cls, source: str, where: str) -> "Expression":
        """Compile `source`. Raises BadInput that names `where` it stands."""
        try:
            program = cel.compile(source)
        except ValueError as error:
            raise BadInput(f"{where}: the condition «{source}» does not compile ({_first_line(error)}); fix it") from error
        bound = set(_BOUND_BY_MACRO.findall(source))
        functions = {name for name in program.functions() if name[0].isalpha()} - _STANDARD_FUNCTIONS
        names = frozenset(program.variables()) - bound
        return cls(source, program, names, frozenset(functions), frozenset(bound), _plain(source, functions))

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...] | None:
        """The paths of its free variables, as far as they are written in dots, none within another; None where that is not sure.

        With the values that they lead to, and the functions that it calls, it comes to the same.
        """
        if "\\" in self.source or "//" in self.source:
            return None
        bare, found = _AROUND_DOT.sub(".", _TEXT.sub("''", self.source)), set[tuple[str, ...]]()
        for match in _FREE_PATH.finditer(bare):
            path = match[0].split(".")
            called = bare[match.end() :].lstrip().startswith("(")
            found.add(tuple(path[:-1] if called else path))
        free = {path for path in found if path and path[0] in self.names}
        if {path[0] for path in free} != self.names:
            return None
        return tuple(sorted(one for one in free if not any(one[:end] in free for end in range(1, len(one)))))

    def shadows(self, *names: Collection[str]) -> bool:
        """Whether something that its macros bind is a name besides: what it stands for where cannot be told."""
        return any(bound in known for bound in self.bound for known in names)

    def require(self, variables: Collection[str], functions: Collection[str], where: str) -> None:
        """Raise BadInput when the expression uses a variable or a function that does not exist `where` it stands."""
        for kind, used, known in (("name", self.names, variables), ("function", self.functions, functions)):
            if unknown := used - set(known):
                what = f"«{self.source}» uses the unknown {kind} {sorted(unknown)[0]!r}"
                raise BadInput(f"{where}: {what}; known are {', '.join(sorted(known))}")

    def evaluate(self, scope: Scope) -> Any:
        """Its value. Raises Unknown when it is not known: a name has no value, or a value is null."""
        try:
            return self.program.execute(scope.context) if self.plain is None else self.plain(scope)
        except (RuntimeError, TypeError, LookupError, ValueError) as error:
            raise Unknown(self, _first_line(error)) from error


def _plain(source: str, functions: Collection[str]) -> Plain | None:
    if source in _NAMED_LITERALS:
        return lambda _: _NAMED_LITERALS[source]
    if match := _LITERAL.fullmatch(source):
        literal = match[1] if match[2] is None else int(match[2])
        return lambda _: literal
    if _PATH.fullmatch(source):
        return _path(source)
    if match := _FIELD_OF_EACH.fullmatch(source):
        path, field = _path(match[1]), match[3]
        return lambda scope: [element[field] for element in path(scope)]
    if (match := _CALL.fullmatch(source)) and match[1] in functions:
        function, words = match[1], match[2].split(",") if match[2] else []
        arguments = [argument for word in words if (argument := _plain(word.strip(), ()))]
        if len(arguments) == len(words):
            return lambda scope: scope.functions[function](*[argument(scope) for argument in arguments])
    return None


def _path(source: str) -> Plain:
    first, *rest = source.split(".")

    def look_up(scope: Scope) -> Any:
        value = scope.bound[first] if first in scope.bound else scope.names[first]
        for part in rest:
            value = value[part]
        return value

    return look_up


@dataclass(frozen=True)
class Value:
    """A value in a pack: a constant, a computed value, or a mapping or list of values."""

    constant: Any = None
    expression: Expression | None = None
    #: of a mapping or list in which something is computed
    inner: "Mapping[str, Value] | Sequence[Value] | None" = None

    @classmethod
    def compile(cls, raw: Any, where: str) -> "Value":
        """Compile what stands in a pack. Raises BadInput that names `where` it stands."""
        if isinstance(raw, str) and raw.startswith("="):
            return cls(expression=Expression.compile(raw[1:].strip(), where))
        inner = cls._inside(raw, where)
        values = () if inner is None else inner.values() if isinstance(inner, Mapping) else inner
        return cls(inner=inner) if any(value.expressions for value in values) else cls(constant=raw)

    @classmethod
    def _inside(cls, raw: Any, where: str) -> "Mapping[str, Value] | Sequence[Value] | None":
        if isinstance(raw, dict):
            return {name: cls.compile(value, where) for name, value in raw.items()}
        return [cls.compile(value, where) for value in raw] if isinstance(raw, list) else None

    @property
    def expressions(self) -> Sequence[Expression]:
        """All that is computed of it."""
        if self.expression is not None:
            return [self.expression]
        values = () if self.inner is None else self.inner.values() if isinstance(self.inner, Mapping) else self.inner
        return [one for value in values for one in value.expressions]

    def evaluate(self, scope: Scope) -> Any:
        """Its value. Raises Unknown as an Expression does."""
        if self.expression is not None:
            return self.expression.evaluate(scope)
        if self.inner is None:
            return self.constant
        if isinstance(self.inner, Mapping):
            return {name: value.evaluate(scope) for name, value in self.inner.items()}
        return [value.evaluate(scope) for value in self.inner]


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
