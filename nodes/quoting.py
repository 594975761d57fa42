"""What a text quotes: amounts, numbers, days and ids, which must be known, and ways to get in touch, which are the company's.

A model writes reasons, summaries and letters. What it may quote is what it was shown; a text that has another figure in it
is wrong or made up, and one with a link in it of its own wants something.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ledger.records import Observation, ObservationKind
from models.masking import plain_text


def _patterns(*sources: str) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, sources))


#: whole numbers up to this may stand anywhere: two of three lines, within 5 days
SMALL = 12
#: of a text, so many are looked through for what may be quoted
MOST_CHARACTERS = 4_000
_MONTHS = ("january", "february", "march", "april", "may", "june", "july",
           "august", "september", "october", "november", "december")  # fmt: skip
_MONTH = "(?:" + "|".join(f"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in _MONTHS) + r")\b\.?"
_CODE = r"(?:usd|eur|gbp|chf|cad|aud|jpy|inr|cny|brl|mxn|sek|nok|dkk|pln|czk)"
_NUMBER = r"(?<!\d)(?<!\d[,.])\d[\d,]*(?:\.\d+)?"
#: what is looked for, in this order; what one has found is not looked at again. None takes more than a moment for any text
_CONTACTS = _patterns(
    r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"(?<![\w.+-])[a-z][a-z0-9+.-]*://\S+",
    r"\b(?:mailto|tel|sms|data|javascript):\S+",
    r"(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.[a-z]\w+(?:/\S*)?",
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
)
_DATES = _patterns(
    r"(?P<iso>\d{4}-\d{2}-\d{2})(?:t(?P<at>\d{2}:\d{2})[\d:.+-]*z?)?",
    rf"(?<![\d.,$€£¥])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH}),?(?: (?P<year>\d{{4}}))?",
    rf"(?P<month>{_MONTH}) (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<year>\d{{4}}))?",
)
_FIGURES = _patterns(
    r"(?P<odd>\d+[/.]\d+[/.]\d+)",
    r"(?P<time>\b\d{1,2}:\d{2}\b)",
    rf"(?P<sign>[$€£¥]|\b{_CODE}\b) ?(?P<money>{_NUMBER})(?P<times>[a-z]*)",
    rf"(?P<money>{_NUMBER}) ?(?P<sign>[$€£¥]|{_CODE}\b|dollars?\b|euros?\b|pounds?\b)",
    rf"(?P<percent>{_NUMBER}) ?(?:%|percent\b|per cent\b)",
    rf"(?P<with_unit>{_NUMBER})-?(?:st|nd|rd|th|x|h|d|km|hours?|days?|weeks?|months?|years?|units?|lines?|pieces?)\b(?![-_\w])",
    r"(?P<id>(?<![a-z0-9])(?=[a-z0-9])(?=[a-z_/#-]*\d)(?=[\d_/#-]*[a-z])[a-z0-9]+(?:[-_/#][a-z0-9]+)*)",
    rf"(?P<number>{_NUMBER})",
)
_BIG = re.compile(r"\b(?:hundreds?|thousands?|millions?|billions?)\b")
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
#: numbers in words, above SMALL and below a hundred
_IN_WORDS = re.compile(rf"\b(?:(?P<teen>{'|'.join(_TEENS)})|(?P<ten>{'|'.join(_TENS)})(?:[- ](?P<one>{'|'.join(_ONES)}))?)\b")
_DIGIT = re.compile(r"\d")
#: without one of these, there is no link and no address of mail
_MARKS = frozenset(".@:")
#: what stands where something was taken out, so that its neighbours do not become one
_GONE = " | "
_TELEPHONE = re.compile(r"(?<![\w-])\+?\(?\d[\d \t()./-]{6,}\d")
_LEAST_DIGITS = 9
_SIGNS = {"€": "eur", "£": "gbp", "¥": "jpy", "$": "usd"}
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:T|$)")


def contacts(text: str) -> frozenset[str]:
    """Links, addresses of mail and telephone numbers in a text."""
    return frozenset(_contacts(plain_text(text).lower())[0])


def quotable(*values: Any) -> frozenset[str]:
    """What may be quoted of plain data: its figures, days, ids and the names of its fields; ways to get in touch never."""
    return frozenset(one for value in values for one in _quotable(value, "", ""))


def ungrounded(text: str, known: Collection[str]) -> list[str]:
    """What a text quotes that is not known: figures, days, ids, and every way to get in touch.

    `known` is of `quotable`, and whatever else may stand there as it is, in small letters: names of findings, say.
    """
    plain = plain_text(text).lower()
    found, rest = _contacts(plain)
    figures = (one for one in _figures(rest) if not (one.isdecimal() and int(one) <= SMALL))
    return list(dict.fromkeys(one for one in (*found, *figures) if one not in known))


def _contacts(plain: str) -> tuple[list[str], str]:
    """The ways to get in touch in a text, and the text without them."""
    found = []
    if not _MARKS.isdisjoint(plain):
        matches, plain = _taken_out(_CONTACTS, plain)
        found = [match[0].rstrip(".,;:!?)") for match in matches]
    if sum(one.isdigit() for one in plain) >= _LEAST_DIGITS:
        for match in _TELEPHONE.finditer(_taken_out(_DATES, plain)[1]):
            if sum(one.isdigit() for one in match[0]) >= _LEAST_DIGITS:
                found.append(match[0])
                plain = plain.replace(match[0], _GONE)
    return found, plain


def _figures(plain: str) -> Iterator[str]:
    if _DIGIT.search(plain):
        found, plain = _taken_out((*_DATES, *_FIGURES), plain)
        for match in found:
            yield from _said({name: value for name, value in match.groupdict().items() if value})
    yield from _BIG.findall(plain)
    for match in _IN_WORDS.finditer(plain):
        if match["teen"]:
            yield str(13 + _TEENS.index(match["teen"]))
        else:
            yield str(20 + 10 * _TENS.index(match["ten"]) + (1 + _ONES.index(match["one"]) if match["one"] else 0))


def _taken_out(patterns: Sequence[re.Pattern[str]], plain: str) -> tuple[list[re.Match[str]], str]:
    """What the patterns find, one after the other, each in what the ones before have left; and what is left then."""
    found = []
    for pattern in patterns:
        matches = list(pattern.finditer(plain))
        if matches:
            found += matches
            plain = pattern.sub(_GONE, plain)
    return found, plain


def _said(found: Mapping[str, str]) -> Iterator[str]:
    """What the groups of a pattern say: a day and its time, money with its currency, a number, or what was written."""
    match found:
        case {"iso": day}:
            yield from (day, found["at"]) if "at" in found else (day,)
        case {"day": day, "month": name}:
            month = next(place for place, month in enumerate(_MONTHS, start=1) if month.startswith(name[:3]))
            yield "-".join(filter(None, [found.get("year"), f"{month:02}", f"{int(day):02}"]))
        case {"money": money, "sign": sign}:
            code = _SIGNS.get(sign) or {"dol": "usd", "eur": "eur", "pou": "gbp"}.get(sign[:3], sign)
            yield f"{code} {_number(money)}{found.get('times', '')}"
        case {"percent": number}:
            yield f"{_number(number)}%"
        case {"number": number} | {"with_unit": number}:
            yield _number(number)
        case _:
            yield next(iter(found.values()))


def _number(text: str) -> str:
    whole, _, part = text.replace(",", "").partition(".")
    return ".".join(filter(None, [whole.lstrip("0") or "0", part.rstrip("0")]))


def _quotable(value: Any, path: str, currency: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        unit = value.get("currency")
        for name, inner in value.items():
            yield from _quotable(inner, f"{path}.{name}", unit if isinstance(unit, str) else currency)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _quotable(inner, path, currency)
    elif isinstance(value, str):
        yield from _of_text(value[:MOST_CHARACTERS])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_number(value, path, currency)
    names = path.lower().split(".")[1:]
    yield from (".".join(names[start:]) for start in range(len(names) - 1))


@lru_cache(maxsize=4_096)  # clauses, goods and places are the same in case after case
def _of_text(text: str) -> tuple[str, ...]:
    days = (text[:4], text[5:10]) if _MOMENT.match(text) else ()
    return (*_figures(_contacts(plain_text(text).lower())[1]), *days)


def _of_number(value: float, path: str, currency: str) -> Iterator[str]:
    amount = Decimal(str(value)).copy_abs()
    if not amount.is_finite():
        return
    number, hundredth = _number(f"{amount:f}"), _number(f"{amount / 100:f}")
    yield number
    if path.endswith("_cents"):
        yield from (hundredth, f"usd {hundredth}", f"{(currency or 'usd').lower()} {hundredth}")
    if path.endswith("percent"):
        yield f"{number}%"
    elif amount <= 1:
        yield f"{_number(f'{amount * 100:f}')}%"


#: what a reason can rest on: evidence, and not what somebody planned or decided
EVIDENCE: tuple[ObservationKind, ...] = ("read", "finding", "policy", "prediction", "missing")
LONGEST = 300


def objections(
    draft: Mapping[str, Any], rail: Sequence[Observation], grounded: Mapping[str, int], known: Collection[str]
) -> list[str]:
    """Why the reasons of a draft do not stand; none if they do.

    Args:
        draft: its `reasons` are [{"says", "observations": [seq], "clauses": [id]}].
        rail: the observations of this look.
        grounded: clause -> version, as retrieved.
        known: what may be quoted besides the plan, the clauses and the numbers of observations; see `nodes.quoting`.
    """
    reasons = draft.get("reasons") or ()
    evidence = {one.seq for one in rail if one.kind in EVIDENCE}
    quoted = {*known, *quotable([action["args"] for action in draft["plan"]], list(grounded)), *map(str, evidence)}
    found = [] if reasons else ["no reason is given"]
    for place, reason in enumerate(reasons, start=1):
        says = reason["says"]
        if not says.strip() or len(says) > LONGEST or not says.isprintable():
            found.append(f"reason {place} is not a sentence of at most {LONGEST} characters")
            continue
        found += [f"reason {place} rests on no {what}" for what in ("observations", "clauses") if not reason[what]]
        found += [f"reason {place} cites {seq}, which is not evidence" for seq in reason["observations"] if seq not in evidence]
        found += [f"reason {place} cites {one}, which was not retrieved" for one in reason["clauses"] if one not in grounded]
        found += [f"reason {place} quotes {one}, which nothing says" for one in ungrounded(says, quoted)]
    return found
