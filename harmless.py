"""Text as terminals, logs and screens may show it: without characters that are followed instead of seen.

Which those are: Unicode's technical report 36 (security) and "Trojan Source" (Boucher and Anderson 2021, arXiv:2111.00169).
"""

import re
from typing import IO, Any

#: controls, those that turn the direction of writing, those without width, halves of characters, invisible tags
_SPECIAL = (
    r"\x7f-\x9f\xad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0"
    r"\ufff9-\ufffb\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"[\\x00-\\x1f{_SPECIAL}]")
#: as above, but lines stay lines
HIDDEN_IN_LINES = re.compile(f"[\\x00-\\x09\\x0b-\\x1f{_SPECIAL}]")
#: as above, but lines and their columns stay
HIDDEN_BUT_BLANKS = re.compile(f"[\\x00-\\x08\\x0b-\\x1f{_SPECIAL}]")


def harmless(text: str) -> str:
    """Lines of text with a blank in the place of every character that would not be seen."""
    return HIDDEN_BUT_BLANKS.sub(" ", text.replace("\r\n", "\n"))


def escaped(json: str) -> str:
    """A JSON text of the same value, in which such characters are written as \\uXXXX."""
    return HIDDEN_BUT_BLANKS.sub(lambda found: _as_json(found[0]), json)


def _as_json(character: str) -> str:
    """A character as JSON writes what it does not show: by its UTF-16 units."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


class Harmless:
    """A stream of text like `raw`, but no terminal, on which nothing is written that would be followed instead of seen."""

    def __init__(self, raw: IO[str]) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write the text, harmless."""
        self.raw.write(harmless(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write lines, harmless."""
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """See the class."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)
