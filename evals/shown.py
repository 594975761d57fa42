"""What shows itself in a notebook: as HTML, and as plain text where no HTML is shown.

Whoever shows itself says what it is in parts: titles, sentences and tables. Both forms are made of them, without a style
sheet, because code hosts take those away; and every value is escaped and cut, because it may come from outside.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

#: control characters, lone surrogates, and what turns the writing around
_HIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
LONGEST = 1_200
#: of a cell where tables are text
_LONGEST_IN_TEXT = 72
_CELL = Markup('<{} style="text-align: left; vertical-align: top;">{}</{}>')


@dataclass(frozen=True)
class Title:
    """A heading."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under their columns; a cell is anything."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


Part = Title | Table | str


class Shown:
    """Shows itself when it is the last value of a cell."""

    def parts(self) -> Iterable[Part]:
        """What it is, from the top."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        parts = list(self.parts())
        return {"text/plain": "\n\n".join(map(_text, parts)), "text/html": str(Markup("\n").join(map(_html, parts)))}


def told(value: Any) -> str:
    """A value as harmless text of a sensible length: plain data as JSON, nothing for None."""
    text = "" if value is None else value if isinstance(value, str) else _as_text(value)
    text = _HIDDEN.sub(" ", text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def dollars(cents: int) -> str:
    """Cents as $1,234.50."""
    return f"-${-cents / 100:,.2f}" if cents < 0 else f"${cents / 100:,.2f}"


def before_and_after(field: str, before: Any, after: Any) -> str:
    """A change in words: of a record with the same fields only those that differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return ", ".join(before_and_after(name, before[name], after[name]) for name in before if before[name] != after[name])
    if before is None:
        return f"{field}: {_amount(field, after)}"
    return f"{field}: {_amount(field, before)} → {_amount(field, after)}"


def _amount(field: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_amount(name, one)}" for name, one in sorted(value.items()))
    return dollars(value) if field.endswith("_cents") and isinstance(value, int) else told(value) or "nothing"


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | list | tuple | bool) else str(value)


def _html(part: Part) -> Markup:
    match part:
        case Title(text):
            return Markup("<h4>{}</h4>").format(told(text))
        case Table(columns, rows):
            head = Markup("").join(_CELL.format("th", told(column), "th") for column in columns)
            body = Markup("\n").join(Markup("<tr>{}</tr>").format(_cells(row)) for row in rows)
            return Markup(
                '<table border="1" class="dataframe">\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>'
            ).format(head, body)
        case _:
            return Markup("<p>{}</p>").format(_lines(part))


def _cells(row: Sequence[Any]) -> Markup:
    return Markup("").join(_CELL.format("td", _lines(cell), "td") for cell in row)


def _lines(value: Any) -> Markup:
    return Markup("<br>").join(told(value).split("\n"))


def _text(part: Part) -> str:
    match part:
        case Title(text):
            return told(text)
        case Table(columns, rows):
            cells = [[_short(cell) for cell in row] for row in (columns, *rows)]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
            return "\n".join(lines)
        case _:
            return told(part)


def _short(cell: Any) -> str:
    text = told(cell).replace("\n", "; ")
    return text if len(text) <= _LONGEST_IN_TEXT else f"{text[: _LONGEST_IN_TEXT - 1]}…"
