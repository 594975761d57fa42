"""HTML of the dashboard's own, and values as short, harmless text as pages and Streamlit's widgets take it.

Classes stand in `static/style.css`.
"""

import re
from pathlib import Path
from typing import Any

import streamlit as st
from markupsafe import Markup

from rendering import chip, clock, dollars, in_words, joined, markup, plain, plain_lines, share, span, until, words

__all__ = [
    "chip", "clock", "dollars", "icon", "in_words", "joined", "label", "markup", "plain", "plain_lines", "share", "show", "span",
    "until", "use_style", "words",
]  # fmt: skip
_STYLE = Path(__file__).parent / "static" / "style.css"

#: what means something in Streamlit's Markdown: emphasis, links, HTML, colours, icons, formulas
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
    """Put it on the page. Takes Markup only, so that text which nobody escaped cannot get here."""
    if not isinstance(piece, Markup):
        raise TypeError("only Markup is shown; make it with dashboard.markup.markup")
    st.html(str(piece))


def icon(name: str, title: str = "") -> Markup:
    """A Material symbol, such as "bolt"."""
    return markup('<span class="m-icon" title="{}" aria-hidden="true">{}</span>', title, name)


def use_style() -> None:
    """Load the style sheet into the page."""
    st.html(f"<style>{_STYLE.read_text()}</style>")
