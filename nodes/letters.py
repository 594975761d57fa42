"""Letters: what the drafts of a pack become for a case, and what a letter that a model has written must satisfy.

A model writes with the holes of the pack's draft, so that it need not know what stands in them. Names, amounts and days
come from the facts alone, and what is said of them from the pack: a letter that says anything else, or leaves a fact out, is not
used, and the pack's stands. The tone is the model's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nodes.quoting import contacts, quotable, ungrounded
from nodes.tone import new_words

MOST_CHARACTERS = 1_500
_HOLE = re.compile(r"\{([^{}]+)\}")
_BEFORE_A_MARK = re.compile(r"[ \t]+([,.;:!?])")
_BLANKS = re.compile(r"(?<=\S)[ \t]{2,}")
#: would be shown as something else than the words that it is
_NOT_PLAIN = re.compile(r"[<>\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class Letter:
    """A draft of the pack, and what its holes hold for a case."""

    #: its name in the pack
    draft: str
    #: as it stands in the pack, with {holes}
    text: str
    #: source of a hole -> what stands there; empty where a fact is not known
    holes: Mapping[str, str]

    @property
    def filled(self) -> str:
        """What is sent if nobody writes anything else."""
        return filled(self.text, self.holes)


def filled(text: str, holes: Mapping[str, str]) -> str:
    """A text with its {holes} filled. Raises KeyError for one that is not known."""
    text = _HOLE.sub(lambda hole: holes[hole[1]], text)
    return _BLANKS.sub(" ", _BEFORE_A_MARK.sub(r"\1", text)).strip()


def problems(letter: Letter, text: str) -> list[str]:
    """Why a text with {holes} cannot be sent instead of the pack's letter; none if it can."""
    used = set(_HOLE.findall(text))
    found = [f"the hole {{{hole}}} does not belong to the letter {letter.draft}" for hole in sorted(used - letter.holes.keys())]
    found += [f"the hole {{{hole}}} is missing" for hole in sorted(letter.holes.keys() - used)]
    if not found and re.search(r"[{}]", _HOLE.sub("", text)):
        found.append("a brace is outside a hole")
    return found or unlike(letter, filled(text, letter.holes))


def unlike(letter: Letter, text: str) -> list[str]:
    """Why a letter, as it would be sent, cannot stand for the pack's: it says what that one does not, or leaves something out."""
    if not text.strip() or len(text) > MOST_CHARACTERS or _NOT_PLAIN.search(text):
        return [f"a letter is plain text of 1 to {MOST_CHARACTERS} characters"]
    own = letter.filled
    found = [f"the letter leaves out {value}" for value in letter.holes.values() if value and value not in text]
    found += [f"{one} is not known to the letter {letter.draft}" for one in ungrounded(text, quotable(own) | contacts(own))]
    return found or [f"the letter {letter.draft} does not say {one}" for one in new_words(text, own)]
