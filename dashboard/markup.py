"""HTML of the dashboard's own: every value is escaped, so that text from outside is shown as text.

Build with `markup`, show with `show`. Classes stand in `static/style.css`.

>>> markup('<b class="{}">{}</b>', "bad", "<img onerror=alert(1)>")
Markup('<b class="bad">&lt;img onerror=alert(1)&gt;</b>')
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import streamlit as st
from markupsafe import Markup

_STYLE = Path(__file__).parent / "static" / "style.css"


def markup(template: str, *values: Any) -> Markup:
    """`template` is HTML of this project with {} for values; each value is escaped unless it is Markup itself."""
    return Markup(template).format(*values)


def joined(pieces: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("").join(pieces)


def show(piece: Markup) -> None:
    """Put it on the page. Takes Markup only, so that text which nobody escaped cannot get here."""
    if not isinstance(piece, Markup):
        raise TypeError("only Markup is shown; make it with dashboard.markup.markup")
    st.html(str(piece))


def icon(name: str, title: str = "") -> Markup:
    """A Material symbol, such as "bolt"."""
    return markup('<span class="m-icon" title="{}" aria-hidden="true">{}</span>', title, name)


def chip(text: str, kind: str = "", title: str = "") -> Markup:
    """A small label; `kind` is "", "good", "warn", "bad" or "info"."""
    return markup('<span class="m-chip m-{}" title="{}">{}</span>', kind or "plain", title, text)


def use_style() -> None:
    """Load the style sheet into the page."""
    st.html(f"<style>{_STYLE.read_text()}</style>")
