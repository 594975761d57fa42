"""Values as people are shown them: short harmless text, escaped HTML, tables for notebooks and documents, CSV.

Every value may come from outside. In text no character controls anything or turns the direction of writing; in HTML every
value is escaped; in CSV (RFC 4180) no text is taken for a formula (OWASP, "CSV Injection"), and nothing is followed that
would not be seen.

>>> markup('<b class="{}">{}</b>', "bad", "<img onerror=alert(1)>")
Markup('<b class="bad">&lt;img onerror=alert(1)&gt;</b>')
"""

import csv
import io
import json
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from markupsafe import Markup

from harmless import HIDDEN, HIDDEN_IN_LINES
from settings import company_currency

# Text


def plain(value: Any, longest: int = 300) -> str:
    """A value as one harmless line of at most `longest` characters."""
    return _cut(HIDDEN.sub(" ", str(value)), longest)


def plain_lines(value: Any, longest: int = 4_000) -> str:
    """A text as harmless lines of at most `longest` characters in all."""
    return _cut(HIDDEN_IN_LINES.sub(" ", str(value).replace("\r\n", "\n")), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def kind_of(value: Any) -> str:
    """What a value of JSON is, in a word: a person never meets the names of our types."""
    kinds = ((bool, "truth value"), (str, "text"), (int | float, "number"), (list | tuple, "list"), (Mapping, "record"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "null" if value is None else "value of another kind")


#: currencies that have not two decimals (ISO 4217)
_WITHOUT = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
_WITH_THREE = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def decimals(currency: str | None) -> int:
    """Of a currency by its code; two where it is not known."""
    code = str(currency).upper()
    return 0 if code in _WITHOUT else 3 if code in _WITH_THREE else 2


def money(minor: int, currency: str | None = "") -> str:
    """Minor units as people write them, "$1,234.50" or "1,234.50 EUR": of the company's currency, unless another is given.

    Raises ValueError for what is no whole number.
    """
    if type(minor) is not int:
        raise ValueError(f"{minor} is not a whole number of minor units")
    code = company_currency() if currency == "" else currency
    places = decimals(code)
    value = f"{Decimal(abs(minor)).scaleb(-places):,.{places}f}"
    shown = f"${value}" if code == "USD" else f"{value} {code or '(currency not known)'}"
    return f"-{shown}" if minor < 0 else shown


def dollars(cents: int) -> str:
    """An amount of the company in minor units, as $1,234.50; in the currency that it has."""
    return money(int(cents))


def major(cents: int) -> float:
    """An amount of the company in major units, for tables that are computed with."""
    return float(Decimal(cents).scaleb(-decimals(company_currency())))


def share(value: float | None) -> str:
    """A share as percent; never 100% or 0% where it is not quite."""
    if value is None:
        return "–"
    text = f"{value * 100:.1f}"
    almost = "> 99.9%" if text == "100.0" and value < 1 else "< 0.1%" if text == "0.0" and value > 0 else ""
    return almost or f"{text.removesuffix('.0')}%"


def approver(role: str, four_eyes: bool, approved_by: Sequence[str] = ()) -> str:
    """Who must approve: reviewer, 2 × finance, nobody; and who has: finance, second after fay."""
    if role == "none" or not four_eyes:
        return "nobody" if role == "none" else role
    return f"{role}, second after {plain(approved_by[0], 60)}" if approved_by else f"2 × {role}"


_WORDS: Mapping[str, str] = {
    "cancelled": "canceled", "csm": "CSM", "fulfil": "fulfill", "fulfilment": "fulfillment", "po": "PO", "sku": "SKU",
    "vip": "VIP",
}  # fmt: skip


def words(name: str) -> str:
    """A code or an identifier as words: fulfil_with_changes → fulfill with changes. Not for the id of a record."""
    pieces = ([_WORDS.get(word, word) for word in piece.split("_")] for piece in name.split("."))
    return " · ".join(map(" ".join, pieces))


def in_words(path: str, value: Any) -> str:
    """A value of a record: yes and no, none, dollars where the path says cents, a record as its fields."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and path.endswith("_cents"):
        return dollars(value)
    if isinstance(value, dict):
        fields = ((str(name), one) for name, one in value.items())
        return plain(", ".join(f"{words(name.removesuffix('_cents'))} {in_words(name, one)}" for name, one in fields), 160)
    if isinstance(value, list):
        return plain(", ".join(in_words(path, one) for one in value), 160) or "none"
    return plain(value, 160)


def differing(path: str, before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """(path, before, after) of a change: of a record only its fields that differ, such as address/city."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return [(path, before, after)]
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return [change for name in names for change in differing(f"{path}/{name}", before.get(name), after.get(name))]


def span(length: timedelta) -> str:
    """A length of time in its largest unit: 12 s, 4 min, 3 h, 2 d."""
    seconds = abs(length.total_seconds())
    for unit, size, until in (("s", 1, 90), ("min", 60, 5_400), ("h", 3_600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def until(moment: datetime, now: datetime) -> str:
    """How far off a moment is: in 12 min, 3 h ago."""
    return f"in {span(moment - now)}" if moment >= now else f"{span(now - moment)} ago"


def day(of: date) -> str:
    """A day: Mar 14, 2026."""
    return f"{of:%b} {of.day}, {of.year}"


def clock(moment: datetime, zone: tzinfo = UTC, *, with_day: bool = True, with_seconds: bool = False) -> str:
    """A moment in a time zone: Mar 14, 2026, 9:30 AM UTC; without its day, 9:30 AM UTC; with seconds, 9:30:05 AM UTC."""
    local = moment.astimezone(zone)
    time = f"{local:%I:%M:%S %p %Z}" if with_seconds else f"{local:%I:%M %p %Z}"
    return f"{day(local)}, {time.removeprefix('0')}" if with_day else time.removeprefix("0")


# HTML


def markup(template: str, *values: Any) -> Markup:
    """`template` is HTML of this project with {} for values; each value is escaped unless it is Markup itself."""
    return Markup(template).format(*values)


def joined(pieces: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("").join(pieces)


def chip(text: str, kind: str = "", title: str = "") -> Markup:
    """A small label; `kind` is "", "good", "warn", "bad" or "info"."""
    return markup('<span class="m-chip m-{}" title="{}">{}</span>', kind or "plain", title, text)


def html_table(
    kind: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], kinds: Iterable[str] = (), foot: str = ""
) -> Markup:
    """A table of these CSS classes; `columns` is title -> CSS class of its cells, `kinds` are CSS classes of the rows."""
    heads = joined(markup('<th class="{}">{}</th>', css if "m-num" in css else "", title) for title, css in columns.items())
    cells = joined(markup('<td class="{}">{{}}</td>', css) for css in columns.values())
    body = joined(
        markup("<tr{}>{}</tr>", markup(' class="{}"', css) if css else "", markup(cells, *row))
        for row, css in zip_longest(rows, kinds, fillvalue="")
    )
    return markup('<table class="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody>{}</table>', kind, heads, body, foot)


# Tables, and what displays itself in a notebook

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


class Displayable(ABC):
    """Shows itself when it is the last value of a cell."""

    @abstractmethod
    def parts(self) -> Iterable[Part]:
        """What it is, from the top."""

    def __str__(self) -> str:
        return "\n\n".join(map(_text, self.parts()))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": str(_lines_of(map(_html, self.parts())))}


def rendered(value: Any) -> str:
    """A value as harmless text of a sensible length: plain data as JSON, nothing for None."""
    if isinstance(value, Mapping | list | tuple | bool):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return plain_lines("" if value is None else value, LONGEST)


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows of one kind under their names; numbers stand to the right, and `*_cents` are dollars."""
    names = {name: name.removesuffix("_cents").replace("_", " ") for name in (rows[0] if rows else ())}
    right = {heading for name, heading in names.items() if all(type(row[name]) in (int, float) for row in rows)}
    return Table(list(names.values()), [[_figure(name, row[name]) for name in names] for row in rows], right)


def document(title: str, shown: Displayable) -> str:
    """A whole HTML document of what shows itself."""
    style = "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:2px 10px}"
    template = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title><style>{}</style>\n{}\n</html>\n'
    return str(markup(template, title, Markup(style), _lines_of(map(_html, shown.parts()))))


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Any:
    """Rows as a pandas DataFrame, which has these columns where there is no row too."""
    # here, not above: commands that need no table need not wait for pandas
    from pandas import DataFrame

    return DataFrame(rows) if rows else DataFrame(columns=columns)


def _figure(name: str, value: Any) -> Any:
    if type(value) is not int:
        return value
    return dollars(value) if name.endswith("_cents") else f"{value:,}"


def _html(part: Part) -> Markup:
    match part:
        case Title(text):
            return markup("<h4>{}</h4>", rendered(text))
        case Table(columns, rows):
            sides = ["right" if column in part.right else "left" for column in columns]
            body = _lines_of(markup("<tr>{}</tr>", _cells("td", row, sides)) for row in rows[: part.most])
            return markup(
                '<table border="1" class="dataframe">\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>{}',
                _cells("th", columns, sides), body, markup("\n<p>{}</p>", part.rest) if part.rest else "",
            )  # fmt: skip
        case _:
            return markup("<p>{}</p>", _with_breaks(part))


def _cells(kind: str, row: Sequence[Any], sides: Sequence[str]) -> Markup:
    return joined(markup(_CELL, kind, side, _with_breaks(cell), kind) for cell, side in zip(row, sides, strict=True))


def _with_breaks(value: Any) -> Markup:
    return Markup("<br>").join(rendered(value).split("\n"))


def _lines_of(pieces: Iterable[Markup]) -> Markup:
    return Markup("\n").join(pieces)


def _text(part: Part) -> str:
    match part:
        case Title(text):
            return rendered(text)
        case Table(columns, rows):
            cells = [
                [plain(rendered(one).replace("\n", "; "), _LONGEST_IN_TEXT) for one in row]
                for row in (columns, *rows[: part.most])
            ]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            forms = [f"{{:{'>' if column in part.right else '<'}{width}}}" for column, width in zip(columns, widths, strict=True)]
            lines = ["  ".join(form.format(one) for form, one in zip(forms, row, strict=True)).rstrip() for row in cells]
            return "\n".join([*lines, part.rest] if part.rest else lines)
        case _:
            return rendered(part)


# CSV

#: characters of a cell
_LONGEST = 2_000
#: what a formula begins with, once full-width and small forms are their common ones
_BEGINS = ("=", "+", "-", "@", "\u2212")
#: what a program may pass over, or take away, before it looks at the first character of a cell
_PASSED_OVER = "'\"`\u2018\u2019\u201c\u201d,;|"
#: what is text only for its sign or its currency
_NUMBER = re.compile(r"[+-]?\$?\d[\d,]*(\.\d+)?%?")


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows under their columns. Numbers stay numbers; a text that would be a formula has an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([cell(column) for column in columns])
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def cell(value: Any) -> Any:
    """A value as a cell: text in one line that begins no formula."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    text = plain(value, _LONGEST)
    begins = unicodedata.normalize("NFKC", text).lstrip().lstrip(_PASSED_OVER + " \t").lstrip()
    return f"'{text}" if begins.startswith(_BEGINS) and not _NUMBER.fullmatch(text) else text


def safe(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a table on a page, which whoever looks at it can copy and download past `as_csv`."""
    return [{name: cell(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
