"""Values as short, harmless text, as `graphs.text` makes it; and as Streamlit's widgets take it."""

import re
from typing import Any

from graphs.text import clock, dollars, in_words, plain, plain_lines, share, span, until, words

__all__ = ["clock", "dollars", "in_words", "label", "plain", "plain_lines", "share", "span", "until", "words"]

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
