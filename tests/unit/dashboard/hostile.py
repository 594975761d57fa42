"""Text that wants to be more than text, and what becomes of it in a document."""

import unicodedata
from html.parser import HTMLParser

from hypothesis import strategies as st

#: text with what means something somewhere in it
NASTY = st.text(
    st.one_of(
        st.sampled_from("<>&\"'`\\*_{}[]()#+-.!~:$|=/ \n\r\t\x00\x1b\x7f\x85"),
        st.sampled_from("\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"),
        st.characters(),
    ),
    max_size=60,
)
#: turns the direction of what stands behind it
BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
#: marks of a direction, which are seen by nobody
MARKS = {"\u200e", "\u200f", "\u061c"}
TAGS = '<img src=x onerror=alert(1)> </b></span></details><script>alert(1)</script> " onmouseover="alert(1)'


class Parsed(HTMLParser):
    """The tags of a document with their attributes, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.feed(str(document))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append(("!--", ()))

    def handle_decl(self, decl: str) -> None:
        self.tags.append(("!", ()))

    def handle_pi(self, data: str) -> None:
        self.tags.append(("?", ()))


def steering(text: str) -> set[str]:
    """The characters that control, or turn the direction of writing."""
    return {one for one in text if unicodedata.category(one) == "Cc" or unicodedata.bidirectional(one) in BIDI or one in MARKS}
