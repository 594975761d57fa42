"""Slips of the keyboard mended: two neighbouring letters swapped, a blank shifted by one ("thew eather").

A word is changed only into one that the examples have, and only if they do not have the word itself.
"""

import re
from collections.abc import Set

_TOKEN = re.compile(r"[^\s]+")
_EDGES = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
#: Longer words are no slips of a known one.
MAX_LETTERS = 24


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without what stands around them."""
    return [bare for bare in (_EDGES.sub(r"\2", token) for token in text.lower().split()) if bare]


def mended(sentence: str, known: Set[str]) -> str:
    """The sentence in small letters with blanks in their place, then letters, as far as `known` words come of it."""
    tokens = sentence.lower().split()
    for i in range(len(tokens) - 1):
        one, other = tokens[i], tokens[i + 1]
        if _is_known(one, known) and _is_known(other, known):
            continue
        for shifted in ((one + other[0], other[1:]), (one[:-1], one[-1] + other)):
            if all(part and _is_known(part, known) for part in shifted):
                tokens[i], tokens[i + 1] = shifted
                break
    return " ".join(token if _is_known(token, known) else _unswapped(token, known) for token in tokens)


def _is_known(token: str, known: Set[str]) -> bool:
    bare = _EDGES.sub(r"\2", token)
    return bare in known or not any(character.isalpha() for character in bare)


def _unswapped(token: str, known: Set[str]) -> str:
    before, bare, after = _EDGES.fullmatch(token).groups()  # type: ignore[union-attr]
    if not 3 <= len(bare) <= MAX_LETTERS:
        return token
    for i in range(len(bare) - 1):
        swapped = bare[:i] + bare[i + 1] + bare[i] + bare[i + 2 :]
        if swapped in known:
            return f"{before}{swapped}{after}"
    return token
