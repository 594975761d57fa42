"""Tables as a notebook shows them: plain HTML in which every text is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

#: characters of a cell, at most
LONGEST = 200


def html_table(rows: Iterable[Mapping[str, Any]], most: int = 50) -> Markup:
    """Rows of one kind under their names; of more than `most` it is said how many there are. Empty where there is none."""
    listed = list(rows)
    if not listed:
        return Markup("")
    head = Markup("").join(Markup("<th>{}</th>").format(name.replace("_", " ")) for name in listed[0])
    body = Markup("").join(_row(row.values()) for row in listed[:most])
    rest = Markup("<p>{} of {} rows</p>").format(f"{most:,}", f"{len(listed):,}") if len(listed) > most else Markup("")
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}").format(head, body, rest)


def dollars(cents: int) -> str:
    """Cents as people write them: $1,234.50, -$3.00."""
    return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.2f}"


def in_dollars(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its `*_cents` as dollars."""
    return {
        name.removesuffix("_cents"): dollars(value) if name.endswith("_cents") and isinstance(value, int) else value
        for name, value in row.items()
    }


def frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as a pandas DataFrame."""
    # here, not above: commands that need no table need not wait for pandas
    import pandas

    return pandas.DataFrame(rows)


def share(value: float | None) -> str:
    """A share in per cent; a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def page(title: str, body: str) -> str:
    """A whole document around what `_repr_html_` gives."""
    style = "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:2px 10px;text-align:left}"
    template = Markup('<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title><style>{}</style>{}</html>\n')
    return str(template.format(title, Markup(style), Markup(body)))


def _row(cells: Iterable[Any]) -> Markup:
    return Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(_cell(cell)) for cell in cells))


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:,}" if type(value) is int else str(value)
    seen = "".join(character if character.isprintable() else " " for character in text[: LONGEST + 1])
    return seen if len(text) <= LONGEST else f"{seen[: LONGEST - 1]}…"
