"""A message of a customer as sentences that can be compared: cleaned, order numbers replaced, greetings cut off."""

import re
import unicodedata

#: Of a longer message the beginning and the end are looked at, and so many sentences of each.
MAX_CHARACTERS, MAX_SENTENCES = 4_000, 12
#: Words without a stop between them are cut into overlapping stretches of so many.
MAX_WORDS, STEP_WORDS = 40, 20

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
    r"^(?:(?:hi|hiya|hello|hey|heya|dear|greetings|good (?:morning|afternoon|evening|day)|to whom it may concern|urgent|ok so|so)\b"
    r"(?:\s(?:there|all|again|team|folks|guys|everyone|support|sir|madam|or|and|&|harbor|pine|customer|care|service)\b){0,5}"
    r"(?:[,.:!?]+\s*|\s|$)|(?:hi|hello|hey|dear)\s\w{1,20}(?:\s\w{1,20})?,\s*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w", re.UNICODE)


def sentences(text: str) -> list[str]:
    """The sentences of a message, each once, in their order, in small letters; none of an empty one."""
    found: dict[str, None] = {}
    for piece in _STOP.split(_plain(text)):
        bare = _GREETING.sub("", piece.strip()).strip(" \t\"'*_>-–,.!:;")
        if _WORD.search(bare):
            for stretch in _stretches(bare.lower()):
                found.setdefault(stretch)
    every = list(found)
    return every if len(every) <= 2 * MAX_SENTENCES else every[:MAX_SENTENCES] + every[-MAX_SENTENCES:]


def _plain(text: str) -> str:
    # longer than what is looked at: normalising may make a text shorter, and hostile ones much longer
    if len(text) > 2 * MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}\n{text[-MAX_CHARACTERS:]}"
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'"))
    return _ORDER_NUMBER.sub(ORDER, text)


def _stretches(sentence: str) -> list[str]:
    words = sentence.split()
    if len(words) <= MAX_WORDS:
        return [" ".join(words)]
    return [" ".join(words[start : start + MAX_WORDS]) for start in range(0, len(words) - STEP_WORDS, STEP_WORDS)]
