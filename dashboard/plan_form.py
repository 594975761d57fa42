"""The form by which a person edits a plan: a field for every argument of each step, by its kind.

What does not fit is told beneath its field. What nobody changed stays as it was proposed, however it is shown.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
import streamlit as st

from dashboard.card import note
from dashboard.markup import label, show
from ledger.decision_requests import edited_step
from rendering import decimals, frame, markup, plain, words
from settings import company_currency
from systems.arguments import ADDRESS_FIELDS, MAX_ID_LENGTH, MAX_TEXT_LENGTH, Kind, minor_units, opened, refusal, typed
from systems.catalogue import Catalogue

#: characters of a list
MAX_WRITTEN = 20_000
_ADDRESS: Mapping[str, Kind] = dict.fromkeys(ADDRESS_FIELDS, "id?")
_WIDE = ("text", "list", "object", "address")
_DEEP = ("list", "object", "address")


def step_form(number: int, action: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any] | None:
    """The step as it stands in the form; None where it is left out."""
    with st.container(border=True):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            keep = st.checkbox(f"Step {number + 1}", value=True, key=f"keep-{number}", width="content")
            show(markup('<div class="c-says">{}</div>', plain(action["says"], 200)))
        args = fields(str(number), catalogue[action["name"]].args, action["args"])
    return edited_step(action, args) if keep else None


def fields(key: str, kinds: Mapping[str, Kind], values: Mapping[str, Any]) -> dict[str, Any]:
    """A field for each of several values, three in a row where they are short; what stands in them."""
    given = {}
    short = [name for name, kind in kinds.items() if opened(kind)[0] not in _WIDE]
    columns = [column for _ in range(0, len(short), 3) for column in st.columns(3)]
    for name, column in zip(short, columns, strict=False):
        with column:
            given[name] = _field(f"{key}-{name}", name, kinds[name], values.get(name))
    for name in (name for name in kinds if name not in short):
        given[name] = _field(f"{key}-{name}", name, kinds[name], values.get(name))
    return {name: given[name] for name in kinds if name in values or given[name] is not None}


def _field(key: str, name: str, kind: Kind, value: Any) -> Any:
    called = words(name.removesuffix("_cents"))
    given = _given(key, label(called), kind, value)
    if opened(kind)[0] not in ("object", "address") and (said := refusal(kind, given, called)):
        show(note("bad", plain(f"{said[0].upper()}{said[1:]}.", 300)))
    return given


def _given(key: str, title: str, kind: Kind, value: Any) -> Any:
    base, of, optional = opened(kind)
    match base:
        case "object" | "address":
            return _object(key, title, of or _ADDRESS, optional, value)
        case "list":
            return _list(key, title, of, optional, value)
        case "cents" | "money":
            return _amount(key, title, kind, value)
        case "whole":
            return st.number_input(title, value=value, step=1, key=key)
        case "flag" if not optional:
            return st.checkbox(title, value=value is True, key=key)
        case "words" | "flag":
            options = [*([None] if optional else []), *(of or (True, False))]
            place = options.index(value) if value in options else 0
            return st.selectbox(title, options, index=place, format_func=_word, key=key)
        case "text":
            text = st.text_area(title, value or "", max_chars=MAX_TEXT_LENGTH, height=180 if value else "content", key=key)
        case _:
            text = st.text_input(title, _line(kind, value), max_chars=MAX_ID_LENGTH, key=key)
    return _meant(kind, text, value)


def _word(option: Any) -> str:
    return words(option) if isinstance(option, str) else {True: "yes", False: "no"}.get(option, "none")


def _object(key: str, title: str, kinds: Mapping[str, Kind], optional: bool, value: Any) -> Any:
    """A field for each of its fields; null where it may be and the tick is taken away."""
    with st.container(border=True):
        there = st.checkbox(title, value is not None, key=key) if optional else bool(st.caption(title))
        given = fields(key, kinds, value or {})
    return {**(value or {}), **given} if there else None


def _amount(key: str, title: str, kind: Kind, value: Any) -> Any:
    """In major units, with as many decimals as the currency has."""
    form, line = f".{decimals(opened(kind)[1] or company_currency())}f", _line(kind, value)
    start = float(line) if line else None
    entered = st.number_input(f"{title} ({_unit(kind)})", 0.0, value=start, step=1.0, format=f"%{form}", key=key)
    return _meant(kind, "" if entered is None else f"{entered:{form}}", value)


def _list(key: str, title: str, of: Kind, optional: bool, value: Any) -> Any:
    """One a line; texts and objects as rows of a table."""
    base, inner, _ = opened(of)
    elements, given = value or [], list[Any]()
    if base == "object" and not any(opened(kind)[0] in _DEEP for kind in inner.values()):
        given = _table(key, title, inner, elements)
    elif base == "text":
        given = [row.get("text") for row in _table(key, title, {"text": of}, [{"text": one} for one in elements])]
    elif base in _DEEP:
        written = orjson.dumps(elements, option=orjson.OPT_INDENT_2).decode()
        text = st.text_area(f"{title} (as JSON)", written, max_chars=MAX_WRITTEN, height="content", key=key)
        given = elements if text == written else typed({"list": of}, text)
    else:
        before = [_line(of, one) for one in elements]
        text = st.text_area(f"{title}, one per line", "\n".join(before), max_chars=MAX_WRITTEN, height="content", key=key)
        known = dict(zip(before, elements, strict=True))
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        given = [known.get(line, _meant(of, line, next(iter(elements), None))) for line in lines]
    return value if given == elements or (optional and not given and not value) else given


def _table(key: str, title: str, kinds: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows that can be changed, added and taken away; one with nothing in it is none."""
    st.caption(title)
    lines = [{name: _line(kind, row.get(name)) for name, kind in kinds.items()} for row in rows]
    columns = {name: _column(name, kind) for name, kind in kinds.items()}
    shown = frame(lines, list(kinds)).astype(str)
    table = st.data_editor(shown, num_rows="dynamic", hide_index=True, column_config=columns, placeholder="", key=key)
    given = []
    for place, cells in zip(table.index, table.fillna("").to_dict("records"), strict=True):
        row = rows[place] if place in range(len(rows)) else {}
        made = {name: _meant(kind, str(cells[name]), row.get(name)) for name, kind in kinds.items()}
        if any(str(cell).strip() for cell in cells.values()):
            given.append({name: one for name, one in made.items() if name in row or one is not None})
    return given


def _column(name: str, kind: Kind) -> Any:
    base, of, optional = opened(kind)
    title = label(words(name.removesuffix("_cents"))) + (f" ({_unit(kind)})" if base in ("cents", "money") else "")
    if base in ("words", "flag"):
        offered = of or ("yes", "no")
        return st.column_config.SelectboxColumn(title, options=offered, format_func=_word, required=not optional)
    return st.column_config.TextColumn(title)


def _unit(kind: Kind) -> str:
    currency = opened(kind)[1] or company_currency()
    return "$" if currency == "USD" else currency


def _line(kind: Kind, value: Any) -> str:
    """A value on a line or in a cell; amounts in major units."""
    base, of, _ = opened(kind)
    if value is None:
        return ""
    if base in ("cents", "money"):
        currency = of or company_currency()
        minor = value if base == "cents" else minor_units(value, currency)
        return str(Decimal(minor or 0).scaleb(-decimals(currency)))
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _meant(kind: Kind, line: str, before: Any) -> Any:
    """What a line means; what was there before, where it says the same."""
    if line == _line(kind, before):
        return before
    if opened(kind)[0] == "cents" and line.strip():
        minor = minor_units(line.strip(), company_currency())
        return line if minor is None else minor
    return typed(kind, line, before)
