"""Tables for a spreadsheet: CSV in which no text is taken for a formula, and nothing is followed that would not be seen."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphs.text import plain

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
    return f"'{text}" if _is_formula(text) else text


def safe(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a table on a page, which whoever looks at it can copy and download past `as_csv`."""
    return [{name: cell(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet may take it for one: after blanks and quotes, in any width."""
    if _NUMBER.fullmatch(text):
        return False
    begins = unicodedata.normalize("NFKC", text).lstrip().lstrip(_PASSED_OVER + " \t").lstrip()
    return begins.startswith(_BEGINS)
