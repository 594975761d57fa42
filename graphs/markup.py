"""HTML of the project's own, for pages, reports and notebooks: every value is escaped, and text from outside stays text.

>>> markup('<b class="{}">{}</b>', "bad", "<img onerror=alert(1)>")
Markup('<b class="bad">&lt;img onerror=alert(1)&gt;</b>')
"""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup


def markup(template: str, *values: Any) -> Markup:
    """`template` is HTML of this project with {} for values; each value is escaped unless it is Markup itself."""
    return Markup(template).format(*values)


def joined(pieces: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("").join(pieces)


def chip(text: str, kind: str = "", title: str = "") -> Markup:
    """A small label; `kind` is "", "good", "warn", "bad" or "info"."""
    return markup('<span class="m-chip m-{}" title="{}">{}</span>', kind or "plain", title, text)
