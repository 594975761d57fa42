"""A message of a customer as sentences that can be compared: cleaned, order numbers replaced, greetings cut off."""

import re
import unicodedata

#: Of a longer message the beginning and the end are looked at, and so many sentences of each.
MAX_CHARACTERS, MAX_SENTENCES = 4_000, 12
#: No sentence has more words, and none that is read in stretches.
MAX_WORDS, STRETCH_WORDS = 40, 14

#: What stands for every way to name an order.
ORDER = "my order"

_ORDER_NUMBER = re.compile(
    r"(?:\b(?:my|our|the|this)\s)?"
    r"(?:\borders?\b[\s:.,(]{0,3}(?:(?:number|no|nr|num|id|ref)\b[\s.:]{0,3})?(?:#\s?|o[-\s]?)?|#\s?|\bo-?)\d{3,12}\b\)?",
    re.IGNORECASE,
)
_UNSEEN = re.compile(r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_STOP = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\s*\n\s*|(?<=\w)[.!?]{2,}\s*|(?<=[a-z])[.!?](?=[A-Z][a-z])")
_GREETING = re.compile(
    r"^(?:(?:hi|hiya|hello|hey|heya|dear|greetings|good (?:morning|afternoon|evening|day)|to whom it may concern"
    r"|urgent|ok so|so)\b"
    r"(?:\s(?:there|all|again|team|folks|guys|everyone|support|sir|madam|or|and|&|harbor|pine|customer|care|service)\b){0,5}"
    r"(?:[,.:!?]+\s*|\s|$)|(?:hi|hello|hey|dear)\s\w{1,20}(?:\s\w{1,20})?,\s*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w", re.UNICODE)


def sentences(text: str) -> list[str]:
    """The sentences of a message, each once, in their order, in small letters; none of an empty one."""
    found: list[str] = []
    for piece in _STOP.split(_plain(text)):
        bare = _GREETING.sub("", piece.strip()).strip(" \t\"'*_>-–,.!:;")
        if _WORD.search(bare):
            found += _cut(bare.lower(), MAX_WORDS)
    return _bounded(found)


def stretches(said: list[str]) -> list[str]:
    """Sentences of many words in overlapping stretches: without stops, several sentences look like one."""
    return _bounded([stretch for sentence in said for stretch in _cut(sentence, STRETCH_WORDS)])


def _plain(text: str) -> str:
    # longer than what is looked at: normalising may make a text shorter, and hostile ones much longer
    if len(text) > 2 * MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}\n{text[-MAX_CHARACTERS:]}"
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'"))
    return _ORDER_NUMBER.sub(ORDER, text)


def _cut(sentence: str, most: int) -> list[str]:
    """Stretches of at most `most` words, each from the middle of the one before."""
    words = sentence.split()
    step = most // 2
    return [" ".join(words[start : start + most]) for start in range(0, max(1, len(words) - step), step)]


def _bounded(texts: list[str]) -> list[str]:
    """Each once, and of too many the first and the last."""
    every = list(dict.fromkeys(texts))
    return every if len(every) <= 2 * MAX_SENTENCES else every[:MAX_SENTENCES] + every[-MAX_SENTENCES:]
