"""Order numbers in the ways people write them.

>>> order_numbers("Where is my order (36751)? And #36752, too.")
['O-36751', 'O-36752']
"""

import re
from collections.abc import Iterator

from models.masking import plain_text

MAX_DIGITS = 12
#: What is given as an order number but is none is handed on up to this length.
MAX_CHARACTERS = 40


#: What stands before a mention and goes with it, and what may enclose its number.
_OWN = re.compile(r"\b(?:my|our|your|the|this)\s{1,2}(?:(?:last|latest|recent|new|first|second|other)\s{1,2})?$", re.IGNORECASE)
_OPENING, _CLOSING = frozenset("([{<\"'*_"), tuple(")]}>\"'*_")


def order_numbers(text: str) -> list[str]:
    """The orders that `text` names, as `O-36751`, in the order of mention, without repeats.

    What is called an order number and is none (`order number ABC-12`) is given as it stands, in capitals, so that it
    is seen to be no order of anybody. A number alone is no mention: something must say that it is an order's.
    """
    return list(dict.fromkeys(number for number, _, _ in _mentions(plain_text(text))))


def without_order_numbers(text: str) -> str:
    """The text with `my order` for every order that it names: what is said of an order does not depend on its number."""
    plain, pieces, at = plain_text(text), list[str](), 0
    for _, start, end in _mentions(plain):
        pieces += [_OWN.sub("", plain[at:start]), "my order"]
        at = end + 1 if plain[end : end + 1] in _CLOSING and set(plain[start:end]) & _OPENING else end
    return "".join([*pieces, plain[at:]])


def _slips(*words: str) -> str:
    """A pattern for words with at most one slip: a letter missing, doubled or in its neighbour's place."""
    slips = set(words)
    for word in words:
        for i in range(len(word)):
            slips |= {word[:i] + word[i + 1 :], word[:i] + word[i] * 2 + word[i + 1 :]}
            slips.add(word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :])
    return "|".join(sorted(slips, key=len, reverse=True))


_ORDER = rf"(?:{_slips('order', 'orders')}|ord|purchase)"
_NUMBER = rf"(?:{_slips('number', 'numbers')}|numero|num|nbr|nos?|nr|id|code|ref|reference|n°|numbered)"

_BETWEEN = "confirmation|with|under|having|that|has|called|the|my|is|was|are|it's|its"

#: Numbers of other things: `ticket #12345`.
_OTHER = (
    r"items?|articles?|products?|parts?|models?|skus?|serial|tickets?|cases?|invoices?|tracking|phone|tel|telephone|mobile"
    r"|fax|accounts?|acct|cards?|customer|member|apt|apartment|unit|suite|room|flat|floor|house|box|stores?|shops?|branch"
    r"|gate|bus|flight|colou?rs?|files?|issues?|pages?|coupon|voucher|promo|zip|postcode"
)

#: What begins a mention. Every repetition is bounded, so that no text takes long.
_CUE = re.compile(
    rf"""
    (?P<other> \b(?:{_OTHER}) \s{{0,2}} (?:{_NUMBER}\b)? [\s.:]{{0,3}} (?:is\s)? [#]\s? )
  | (?P<word> (?<![^\W_]) {_ORDER} (?=[\W\d_]|n) (?:'s)?
        (?P<between> (?:{_NUMBER}(?=[\W\d_]))? (?: [\s:.,;(\[<="'_*-]{{1,3}} (?:{_NUMBER}|{_BETWEEN})(?=[\W\d_]) ){{0,4}} )
        [\s:.,;(\[<="'_*-]{{0,4}}
    )
    (?P<sharp> [#]?\s? )
  | (?P<hash> (?<![\w&#/]) [#]\s? )
  | (?P<letter> (?<![\w-]) (?= o[-_.]\s?\d | o\s?\d{{4}} | o\s-\s\d ) )
  | (?P<before> (?<![\w.,/:$#-]) (?=\d{{4,{MAX_DIGITS}}} \s (?:(?:is|was)\s(?:my|our|the)\s)? order\b) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TOKEN = re.compile(r"[a-z0-9]+(?:[-_/.][a-z0-9]+)*", re.IGNORECASE)
#: `36 751`, `36.751`, `3 6 7 5 1`
_GROUPED = re.compile(r"(?:\d{1,3}(?:[ .,'-]\d{3}){1,3}|\d(?:[ .-]\d){3,11})(?![\w-]|[.,/:]\d)")
_LETTER = re.compile(r"[o0][-_.:]|o\s?-?\s?(?=\d)", re.IGNORECASE)
#: What follows a number that is a quantity, an amount or a date.
_UNIT = re.compile(
    r"\s?(?:%|[$€£¥]|[.:/-]\d|,\d{1,3}(?!\d))"
    r"|\s?(?:usd|eur|gbp|cad|chf|dollars?|euros?|pounds?|bucks|cents?|days?|weeks?|months?|years?|hours?|minutes?|km|kg|am|pm)\b",
    re.IGNORECASE,
)
_AND = re.compile(r"\s{0,2}(?:,|;|&|/|\+|\b(?:and|or|plus)\b){1,2}\s{0,2}(?:and\s|also\s)?\s?(?=(\d{4,12})(?!\w))", re.IGNORECASE)
#: Before `order` they make it something that is done: "can I order 300 mugs".
_DOING = re.compile(r"\b(?:to|i|we|you|they|would|could|can|will)\s{1,2}$", re.IGNORECASE)


def _mentions(text: str) -> Iterator[tuple[str, int, int]]:
    """(order, where its mention begins, where it ends)."""
    at = 0
    while cue := _CUE.search(text, at):
        at = max(cue.end(), at + 1)
        if cue["other"] is not None:
            token = _TOKEN.match(text, cue.end(), cue.end() + 200)
            at = token.end() if token else cue.end()
            continue
        found = _number(text, cue)
        if found is None:
            continue
        number, at = found
        yield number, cue.start(), at
        while (more := _AND.match(text, at)) and not _UNIT.match(text, more.end(1)):
            yield f"O-{more[1]}", more.start(1), more.end(1)
            at = more.end(1)


def _number(text: str, cue: re.Match[str]) -> tuple[str, int] | None:
    """The number that a cue introduces, and where it ends; None where nothing follows that could be one."""
    start = cue.end()
    named = bool(cue["between"] and re.search(rf"\b{_NUMBER}\b", cue["between"], re.IGNORECASE))
    sharp = cue["hash"] is not None or "#" in (cue["sharp"] or "")
    letter = _LETTER.match(text, start)
    begun = letter.end() if letter else start
    grouped = _GROUPED.match(text, begun)
    if grouped and (named or sharp or letter or cue["word"]):
        digits = re.sub(r"\D", "", grouped[0])
        return (f"O-{digits}", grouped.end()) if not _UNIT.match(text, grouped.end()) else None
    token = _TOKEN.match(text, begun, begun + 200)
    if token is None:
        return None
    # `36751.It` and `36751-it` are a number and a word
    body = re.sub(r"^(\d+)[-/._]+[a-z]{2,}.*$", r"\1", token[0], flags=re.IGNORECASE)
    end = begun + len(body)
    if body.isdecimal() and len(body) <= MAX_DIGITS:
        sure = named or "#" in (cue["sharp"] or "") or (letter is not None and "-" in letter[0])
        if sure or _is_likely(text, cue, body, end):
            return f"O-{body}", end
        return None
    if all(re.fullmatch(r"\d{4,12}", part) for part in body.split("/")):
        first = body.split("/")[0]
        return f"O-{first}", begun + len(first)
    if not _is_called_a_number(cue, letter is not None, named, body):
        return None
    return text[start:end].strip().upper()[:MAX_CHARACTERS], end


def _is_likely(text: str, cue: re.Match[str], digits: str, end: int) -> bool:
    """Whether digits after a mere `order`, `#` or `o` are an order's, not a quantity, an amount or a date."""
    if _UNIT.match(text, end):
        return False
    if len(digits) >= 4:
        return True
    if len(digits) < 3:
        return False
    return cue["word"] is None or not _DOING.search(text, max(0, cue.start() - 12), cue.start())


def _is_called_a_number(cue: re.Match[str], letter: bool, named: bool, body: str) -> bool:
    """Whether something that is not digits alone was given as an order's number."""
    if "#" in (cue["sharp"] or ""):
        return True
    has_digit = any(character.isdecimal() for character in body)
    if letter or named:  # «order number ABC-DEF», but not «order number please»
        return has_digit or (letter and named) or (named and "-" in body and body == body.upper())
    # `order X-123`, but not `order 3rd time`, `order 24/7`, `order 10am`, `order 2024-05-01`
    return cue["word"] is not None and has_digit and bool(re.search(r"[a-z]", body, re.I)) and not _COUNTED.fullmatch(body)


_COUNTED = re.compile(r"\d+(?:[./:-]\d+)*[a-z]{1,6}|[a-z]{1,3}\d", re.IGNORECASE)
