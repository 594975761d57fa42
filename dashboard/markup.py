"""HTML of the dashboard's own, and values as short, harmless text as pages and Streamlit's widgets take it.

Classes stand in `static/style.css`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from errors import MissionsError
from rendering import markup, plain, plain_lines, safe

_STYLE = Path(__file__).parent / "static" / "style.css"

#: what means something in Streamlit's Markdown: emphasis, links, HTML, colors, icons, formulas
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+\-.!~:$<>|&]")
#: and, escaped, what Streamlit makes links and icons of afterwards: https://, mailto:, :material/, ann@, www.
_LINKED = re.compile(r"\\:|@|www(?=\\\.)", re.IGNORECASE)


def label(value: Any, longest: int = 80) -> str:
    """A value as the label of a widget: Streamlit reads labels as Markdown, so what means something there is escaped.

    Addresses and icons are looked for once more in what was read, where no escape is left: a joiner without width
    stands in their middle.
    """
    return _LINKED.sub("\\g<0>\u2060", _MARKDOWN.sub(r"\\\g<0>", plain(value, longest)))


def show(piece: Markup) -> None:
    """Put it on the page. Raises TypeError for anything but Markup, so that text which nobody escaped cannot get here."""
    if not isinstance(piece, Markup):
        raise TypeError("only Markup is shown; make it with dashboard.markup.markup")
    st.html(str(piece))


def icon(name: str, title: str = "") -> Markup:
    """A Material symbol, such as "bolt"."""
    return markup('<span class="m-icon" title="{}" aria-hidden="true">{}</span>', title, name)


def link(page: str, title: str, **parameters: str) -> Markup:
    """A link to a page of the dashboard, whose title is an id."""
    return markup('<a class="m-mono m-link" href="/{}?{}" target="_self">{}</a>', page, urlencode(parameters), plain(title, 60))


def raw(value: Any, longest: int = 6_000) -> str:
    """A record as the JSON that came, harmless and of at most `longest` characters."""
    return plain_lines(json.dumps(value, indent=2, ensure_ascii=False, default=str), longest)


def choose_row(
    rows: Iterable[Mapping[str, Any]], key: str, columns: Mapping[str, Any], chosen: int | None = None, **options: Any
) -> int | None:
    """Draw a table of which one row can be chosen: the place of that row, if there is one.

    Args:
        key: of the widget, with whatever is listed in it: a choice of a row means nothing in another list.
        columns: width in pixels, or a column's configuration, by title.
        chosen: the place of the row that is chosen at first.
        options: others of `st.dataframe`.
    """
    widths = {name: st.column_config.TextColumn(width=of) if isinstance(of, int) else of for name, of in columns.items()}
    listed, default = safe(rows), None if chosen is None else {"selection": {"rows": [chosen]}}
    options = {"selection_mode": "single-row", "selection_default": default, **options}
    event: Any = st.dataframe(listed, key=key, hide_index=True, on_select="rerun", column_config=widths, **options)
    return next((row for row in event["selection"]["rows"] if row < len(listed)), None)


def show_error(sentence: object) -> None:
    """What went wrong, in a sentence."""
    st.error(label(sentence, 1_000), icon=":material/error:")


def show_refused(sentence: object) -> None:
    """The same among the drafts of policies, where one sentence may name much."""
    show(markup('<div class="k-refused">{}</div>', str(sentence)))


@contextmanager
def refusals(shown: Callable[[object], None] = show_error) -> Iterator[None]:
    """Whatever is refused inside is shown as a sentence; the page goes on after it."""
    try:
        yield
    except MissionsError as error:
        shown(error)


@contextmanager
def redrawn(shown: Callable[[object], None] = show_error) -> Iterator[None]:
    """Draw the page again after what is done inside; whatever is refused is shown instead."""
    with refusals(shown):
        yield
        st.rerun()


def use_style() -> None:
    """Load the style sheet into the page."""
    st.html(f"<style>{_STYLE.read_text()}</style>")
