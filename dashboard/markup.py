"""HTML of the dashboard's own: built with `markup`, `joined` and `chip` of `graphs.markup`, shown with `show`.

Classes stand in `static/style.css`.
"""

from pathlib import Path

import streamlit as st
from markupsafe import Markup

from graphs.markup import chip, joined, markup

__all__ = ["chip", "icon", "joined", "markup", "show", "use_style"]

_STYLE = Path(__file__).parent / "static" / "style.css"


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
