"""What shows itself in a notebook: as HTML, and as plain text where no HTML is shown; and, whole, in a document or on a screen.

Whoever shows itself says what it is in parts: titles, sentences and tables. Every form is made of them, without a style
sheet, because code hosts take those away; and every value is escaped and cut, because it may come from outside.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from graphs.markup import joined, markup
from graphs.text import dollars, plain, plain_lines

LONGEST = 1_200
#: of a cell where tables are text
_LONGEST_IN_TEXT = 72
_CELL = '<{} style="text-align: {}; vertical-align: top;">{}</{}>'


@dataclass(frozen=True)
class Title:
    """A heading."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under their columns; a cell is anything."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    #: the columns whose cells stand to the right
    right: Collection[str] = ()
    #: the number of rows that a notebook shows, where it is not all
    most: int | None = None

    @property
    def rest(self) -> str:
        """How many of the rows are shown, where it is not all."""
        return "" if self.most is None or len(self.rows) <= self.most else f"{self.most:,} of {len(self.rows):,} rows"


Part = Title | Table | str


class Shown(ABC):
    """Shows itself when it is the last value of a cell."""

    @abstractmethod
    def parts(self) -> Iterable[Part]:
        """What it is, from the top."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        parts = list(self.parts())
        return {"text/plain": "\n\n".join(map(_text, parts)), "text/html": str(_joined(map(_html, parts)))}


def told(value: Any) -> str:
    """A value as harmless text of a sensible length: plain data as JSON, nothing for None."""
    return plain_lines("" if value is None else _as_text(value), LONGEST)


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows of one kind under their names; numbers stand to the right, and `*_cents` are dollars."""
    names = list(rows[0]) if rows else []
    numbers = {name for name in names if all(type(row[name]) in (int, float) for row in rows)}
    cells = [[_figure(name, row[name]) for name in names] for row in rows]
    return Table([_heading(name) for name in names], cells, right={_heading(name) for name in numbers})


def document(title: str, shown: Shown) -> str:
    """A whole HTML document of what shows itself."""
    style = "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:2px 10px}"
    template = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title><style>{}</style>\n{}\n</html>\n'
    return str(markup(template, title, Markup(style), _joined(map(_html, shown.parts()))))


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Any:
    """Rows as a pandas DataFrame, which has these columns where there is no row too."""
    # here, not above: commands that need no table need not wait for pandas
    from pandas import DataFrame

    return DataFrame(rows) if rows else DataFrame(columns=columns)


def _heading(name: str) -> str:
    return name.removesuffix("_cents").replace("_", " ")


def _figure(name: str, value: Any) -> Any:
    if type(value) is not int:
        return value
    return dollars(value) if name.endswith("_cents") else f"{value:,}"


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | list | tuple | bool) else str(value)


def _html(part: Part) -> Markup:
    match part:
        case Title(text):
            return markup("<h4>{}</h4>", told(text))
        case Table(columns, rows):
            sides = ["right" if column in part.right else "left" for column in columns]
            body = _joined(markup("<tr>{}</tr>", _cells("td", row, sides)) for row in rows[: part.most])
            return markup(
                '<table border="1" class="dataframe">\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>{}',
                _cells("th", columns, sides), body, markup("\n<p>{}</p>", part.rest) if part.rest else "",
            )  # fmt: skip
        case _:
            return markup("<p>{}</p>", _lines(part))


def _cells(kind: str, row: Sequence[Any], sides: Sequence[str]) -> Markup:
    return joined(markup(_CELL, kind, side, _lines(cell), kind) for cell, side in zip(row, sides, strict=True))


def _lines(value: Any) -> Markup:
    return Markup("<br>").join(told(value).split("\n"))


def _joined(pieces: Iterable[Markup]) -> Markup:
    return Markup("\n").join(pieces)


def _text(part: Part) -> str:
    match part:
        case Title(text):
            return told(text)
        case Table(columns, rows):
            cells = [[_short(cell) for cell in row] for row in (columns, *rows[: part.most])]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            right = [column in part.right for column in columns]
            lines = ["  ".join(map(_aligned, row, widths, right)).rstrip() for row in cells]
            return "\n".join([*lines, part.rest] if part.rest else lines)
        case _:
            return told(part)


def _aligned(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _short(cell: Any) -> str:
    return plain(told(cell).replace("\n", "; "), _LONGEST_IN_TEXT)
