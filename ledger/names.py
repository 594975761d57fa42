"""Names that tell people apart on a screen: what a name may be made of, and what it looks like.

After Unicode Technical Standard 39: one script a name ("highly restrictive"), and a skeleton that two names share which
can be taken for each other. Which signs look alike comes from `confusable_homoglyphs`, which has Unicode's own table.
"""

import re
import unicodedata
from functools import lru_cache

from errors import BadInput

MOST_CHARACTERS = 100
#: signs that are letters, marks or symbols by their category, and cannot be seen
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
#: control, format, surrogate, private and unassigned signs, ends of lines and paragraphs
_NEVER = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
#: scripts that are written together
_TOGETHER = (
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA"}, {"LATIN", "CJK", "HANGUL"}, {"LATIN", "CJK", "BOPOMOFO"},
)  # fmt: skip
#: what is taken for a letter, once in lower case; i, l and 1 are one
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "3": "e", "4": "a", "@": "a", "5": "s", "$": "s",
                        "7": "t", "8": "b"})  # fmt: skip


def check_name(name: str) -> None:
    """BadInput for a name that cannot be told from another by looking: unseen signs, several scripts, odd forms."""
    name = name.strip(" ")
    if len(name) > MOST_CHARACTERS:
        raise BadInput(f"A name has at most {MOST_CHARACTERS} characters: give a shorter one.")
    if any(unicodedata.category(sign) in _NEVER or (sign.isspace() and sign != " ") for sign in name) or _UNSEEN.search(name):
        raise BadInput("This name contains an invisible character; type it again, with letters and single spaces.")
    if "  " in name:
        raise BadInput("This name has two blanks beside each other: type it with single ones.")
    if unicodedata.normalize("NFKC", name) != unicodedata.normalize("NFC", name):
        raise BadInput("This name has letters in an odd form (wide, raised, joined): type it with ordinary ones.")
    if _loose_marks(name):
        raise BadInput("This name has accent marks without a letter; type it again.")
    scripts = {script for sign in name if (script := _script(sign))}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _TOGETHER):
        mixed = " and ".join(sorted(script.capitalize() for script in scripts))
        raise BadInput(f"This name mixes letters of {mixed}, which can look like another name: type it in one script.")


def skeleton(name: str) -> str:
    """What a name looks like: the same for two that can be taken for each other.

    >>> skeleton("R1ta") == skeleton("rita") == skeleton("ríta") != skeleton("rosa")
    True
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    # marks over or under a letter are left out; the vowels of some scripts are marks too, and tell names apart
    letters = (sign for sign in folded if not unicodedata.name(sign, "").startswith("COMBINING"))
    seen = (_plain(sign) for sign in letters if unicodedata.category(sign) not in (*_NEVER, "Zs"))
    plain = _UNSEEN.sub("", "".join(seen)).translate(_ALIKE)
    return plain.replace("rn", "m").replace("vv", "w")


def _loose_marks(name: str) -> bool:
    """Whether a mark stands alone, or more than two stand over one letter."""
    marks = 2
    for sign in unicodedata.normalize("NFC", name):
        marks = marks + 1 if unicodedata.category(sign)[0] == "M" else (0 if sign.isalpha() else 2)
        if marks > 2:
            return True
    return False


def _script(sign: str) -> str:
    """The script of a letter, as the first word of its name; empty for signs that all scripts share."""
    if not sign.isalpha():
        return ""
    return unicodedata.name(sign, "UNKNOWN").split()[0].split("-")[0]


def _plain(sign: str) -> str:
    """The ASCII letter or digit that this sign is taken for; otherwise the sign."""
    if sign.isascii():
        return sign
    alike = [other for other in _confusables().get(sign, ()) if other.isascii() and other.isalnum()]
    return min(alike).casefold() if alike else sign


@lru_cache(maxsize=1)
def _confusables() -> dict[str, list[str]]:
    from confusable_homoglyphs.confusables import confusables_data  # reads a megabyte, for whoever adds a person

    return {sign: [one["c"] for one in others] for sign, others in confusables_data.items()}
