"""Kinds of arguments: which values an action takes, how people are shown them, and how they are typed.

    id                         text of 1 to 100 characters
    text                       words, of 1 to 4,000 characters
    cents                      an amount of the company in whole minor units, above 0
    whole | number | flag      a whole number, any finite number, true or false
    moment                     a day, or a day and a time with its offset (ISO 8601): 2026-03-14, 2026-03-14T09:30:00Z
    address                    a record with its fields
    [restock, scrap]           one of these words; {words: [restock, scrap]} is the same
    {money: USD}               an amount in major units, above 0: 12.5 or "12.50", with no more decimals than its currency has
    {list: KIND}               1 to 100 of a kind
    {object: {field: KIND}}    a record of these fields, at most 40

A ? takes null as well: text?, id?, {list?: id}, {words?: [restock, scrap]}. Text, ids and lists may then be empty too, and a
field with one may be left out of an object. Lists and objects stand in each other up to four deep.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from errors import BadInput
from rendering import clock, day, dollars, money, words
from strict_json import strict_json
from systems.values import cents

MAX_ID_LENGTH = 100
MAX_TEXT_LENGTH = 4_000
MAX_ELEMENTS, MAX_FIELDS, DEEPEST_KIND = 100, 40, 4
ADDRESS_FIELDS = ("name", "line1", "city", "region", "postal_code", "country")

#: as it stands in a catalogue
Kind = str | list[str] | dict[str, Any]
#: what a person may word otherwise without its being another action
_FREE = ("address", "text")
_DECIMAL = re.compile(r"\d{1,15}(\.\d{1,4})?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?")
_CURRENCY = re.compile(r"[A-Z]{3}")


def opened(kind: Kind) -> tuple[str, Any, bool]:
    """A kind as its name, what it is of (the words, the kind of the elements, the kinds of the fields, the currency; None
    for the others), and whether it takes null."""
    if isinstance(kind, list):
        return "words", kind, False
    name, of = (kind, None) if isinstance(kind, str) else next(iter(kind.items()))
    return name.removesuffix("?"), of, name.endswith("?")


def require_kind(kind: Kind, depth: int = 1) -> Kind:
    """The kind. Raises ValueError for what is none, with a sentence."""
    if not isinstance(kind, str | list | dict) or (isinstance(kind, dict) and len(kind) != 1):
        raise ValueError(f"{str(kind)[:60]!r} is no kind of argument; one is written as id or as {{list: id}}")
    name, of, _ = opened(kind)
    if depth > DEEPEST_KIND:
        raise ValueError(f"its lists and objects are more than {DEEPEST_KIND} deep; flatten it")
    if name == "words" and not isinstance(kind, str):
        right = isinstance(of, list) and bool(of) and all(isinstance(word, str) and word for word in of)
    elif name == "money" and not isinstance(kind, str):
        right = isinstance(of, str) and bool(_CURRENCY.fullmatch(of))
    elif name == "list" and not isinstance(kind, str):
        right = isinstance(of, str | list | dict) and bool(require_kind(of, depth + 1))
    elif name == "object" and not isinstance(kind, str):
        right = isinstance(of, dict) and 0 < len(of) <= MAX_FIELDS and all(require_kind(one, depth + 1) for one in of.values())
    else:
        right = isinstance(kind, str) and name in _PLAIN
    if not right:
        raise ValueError(f"{str(kind)[:60]!r} is no kind of argument; systems/arguments.py tells them")
    return kind


def _text(most: int) -> tuple[Callable[[Any], bool], str]:
    return lambda value: isinstance(value, str) and 0 < len(value) <= most, f"text of 1 to {most} characters"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) <= 10**15


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return False
    try:
        return bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_address(value: Any) -> bool:
    return isinstance(value, dict) and set(ADDRESS_FIELDS) <= value.keys()


#: which values a kind takes, and what a sentence calls them
_PLAIN: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "id": _text(MAX_ID_LENGTH),
    "text": _text(MAX_TEXT_LENGTH),
    "cents": (lambda value: type(value) is int and 0 < value <= 10**12, "a whole number of cents above 0"),
    "address": (_is_address, f"an address with {', '.join(ADDRESS_FIELDS)}"),
    "whole": (lambda value: type(value) is int and abs(value) <= 10**12, "a whole number"),
    "number": (_is_number, "a number"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "moment": (_is_moment, "a day such as 2026-03-14, or a time such as 2026-03-14T09:30:00Z"),
}


def minor_units(value: Any, currency: str) -> int | None:
    """An amount in major units in minor ones; None for what is none of its currency."""
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        return None
    with suppress(ValueError):
        return cents(value, currency)
    return None


def fits(kind: Kind, value: Any) -> bool:
    """Whether an argument of this kind takes the value."""
    name, of, optional = opened(kind)
    if value is None or (value == "" and name in ("id", "text")) or (value == [] and name == "list"):
        return optional
    match name:
        case "words":
            return isinstance(value, str) and value in of
        case "money":
            return 0 < (minor_units(value, of) or 0) <= 10**12
        case "list":
            return isinstance(value, list) and len(value) <= MAX_ELEMENTS and all(fits(of, one) for one in value)
        case "object":
            known = isinstance(value, dict) and value.keys() <= of.keys()
            return known and all(fits(one, value.get(field)) for field, one in of.items())
    return _PLAIN[name][0](value)


def described(kind: Kind) -> str:
    """What a value of a kind must be, as the end of a sentence."""
    name, of, optional = opened(kind)
    match name:
        case "words":
            says = f"one of {', '.join(of)}"
        case "money":
            says = f"an amount of {of} above 0, such as 12.50, with no more decimals than {of} has"
        case "list":
            says = f"a list of {0 if optional else 1} to {MAX_ELEMENTS}, each {described(of)}"
        case "object":
            says = f"an object of {'; '.join(f'{field}: {described(one)}' for field, one in of.items())}"
        case _:
            says = _PLAIN[name][1]
    return f"{says}, or null" if optional else says


def refusal(kind: Kind, value: Any, name: str) -> str:
    """What is wrong with a value of this name, and where in it: "lines 2, qty must be a whole number". Empty where it fits."""
    if fits(kind, value):
        return ""
    base, of, _ = opened(kind)
    parts: list[tuple[Kind, Any, str]] = []
    if base == "list" and isinstance(value, list) and len(value) <= MAX_ELEMENTS:
        parts = [(of, one, f"{name} {place}") for place, one in enumerate(value, start=1)]
    elif base == "object" and isinstance(value, dict) and value.keys() <= of.keys():
        parts = [(one, value.get(field), f"{name}, {words(field.removesuffix('_cents'))}") for field, one in of.items()]
    return next(filter(None, (refusal(*part) for part in parts)), f"{name} must be {described(kind)}")


def shown(kind: Kind, value: Any) -> str:
    """A value as people are shown it; one that does not fit as it is."""
    name, of, _ = opened(kind)
    if value is None or value in ("", []):
        return "none"
    if not fits(kind, value):
        return str(value)
    match name:
        case "list":
            return ("; " if opened(of)[0] == "object" else ", ").join(shown(of, one) for one in value)
        case "object":
            said = {field: shown(one, value[field]) for field, one in of.items() if value.get(field) is not None}
            return ", ".join(f"{words(field.removesuffix('_cents'))} {one}" for field, one in said.items())
        case "money":
            return money(minor_units(value, of) or 0, of)
        case "words":
            return words(value)
        case "cents":
            return dollars(value)
        case "flag":
            return "yes" if value else "no"
        case "moment":
            at = datetime.fromisoformat(value)
            return clock(at) if "T" in value else day(at)
        case "address":
            return ", ".join(str(value[field]) for field in ADDRESS_FIELDS if value[field])
    return str(value)


def choices(kind: Kind) -> Sequence[str] | None:
    """The words that a value of the kind may be; None where it may be others."""
    name, of, _ = opened(kind)
    return of if name == "words" else None


def is_free(kind: Kind) -> bool:
    """Whether people may word a value otherwise without its being another action: texts and addresses, and nothing else in it."""
    name, of, _ = opened(kind)
    inner = [of] if name == "list" else list(of.values()) if name == "object" else []
    return all(map(is_free, inner)) if inner else name in _FREE


def currencies(kind: Kind) -> set[str]:
    """The currencies of the amounts in a kind; "" is the company's."""
    name, of, _ = opened(kind)
    inner = [of] if name == "list" else of.values() if name == "object" else ()
    own = {of} if name == "money" else {""} if name == "cents" else set[str]()
    return own.union(*map(currencies, inner))


def amounts(kind: Kind, value: Any) -> Iterator[tuple[str, int]]:
    """The amounts in a value that fits: (currency, minor units); the currency is "" where it is the company's."""
    for leaf, one in _leaves(kind, value):
        name, of, _ = opened(leaf)
        if one is not None and name in ("cents", "money"):
            yield ("", one) if name == "cents" else (of, minor_units(one, of) or 0)


def _leaves(kind: Kind, value: Any) -> Iterator[tuple[Kind, Any]]:
    name, of, _ = opened(kind)
    if name == "list":
        for one in value or ():
            yield from _leaves(of, one)
    elif name == "object":
        for field, inner in of.items():
            yield from _leaves(inner, (value or {}).get(field))
    else:
        yield kind, value


def without_words(kind: Kind, value: Any, shown_as: Callable[[Kind, Any], Any] = lambda kind, one: one) -> Any:
    """A value that fits without the texts and addresses in it; null in their place. `shown_as`: of all else that is no list."""
    name, of, _ = opened(kind)
    if value is None or is_free(kind):
        return None
    if name == "list":
        return [without_words(of, one, shown_as) for one in value] if isinstance(value, list) else None
    if name == "object":
        fields = {field: one for field, one in of.items() if not is_free(one) and isinstance(value, dict) and field in value}
        return {field: without_words(one, value[field], shown_as) for field, one in fields.items()}
    return shown_as(kind, value)


def sample(kind: Kind, number: Callable[[], int], word: int, name: str) -> Any:
    """A made-up value; `word` is the place of the word that is taken of several."""
    of_kind, of, _ = opened(kind)
    match of_kind:
        case "words":
            return of[word]
        case "list":
            return [sample(of, number, word, name)]
        case "object":
            return {field: sample(one, number, word, field) for field, one in of.items()}
        case "cents" | "money":
            return number()
        case "whole" | "number":  # with either sign: a difference may be owed by whoever
            return number() if word == 0 else -number()
        case "flag":
            return word == 0
        case "moment":
            return "2026-03-14"
        case "address":
            return dict.fromkeys(ADDRESS_FIELDS, name)
    return name


def typed(kind: Kind, text: str, before: Any = None) -> Any:
    """What a person typed, as a value: lists with commas, one a line, or as JSON; objects as JSON. What cannot be that stays
    text, which no such kind takes. An amount is a number where the value `before` it is one."""
    name, of, optional = opened(kind)
    word = text.strip()
    if not word and optional:
        return [] if name == "list" and before == [] else None
    if name in ("list", "object", "address") and word[:1] in ("[", "{"):
        try:
            return strict_json(word.encode())
        except BadInput:
            return text
    match name:
        case "list" if _is_line(of):
            first = before[0] if isinstance(before, list) and before else None
            return [typed(of, one.strip(), first) for one in re.split(r"[,\n]", word) if one.strip()]
        case "cents" | "whole":
            return int(word) if re.fullmatch(r"-?\d{1,15}", word) else text
        case "number":
            return _number(word, text)
        case "money":
            return _number(word, text) if _DECIMAL.fullmatch(word) and not isinstance(before, str) else word
        case "flag":
            return {"yes": True, "true": True, "no": False, "false": False}.get(word.casefold(), text)
    return text


def _number(word: str, otherwise: str) -> int | float | str:
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,20})?(e[+-]?\d{1,3})?", word):
        return otherwise
    return int(word) if word.lstrip("-").isdecimal() else float(word)


def _is_line(kind: Kind) -> bool:
    """Whether a value of a kind is one line of text."""
    return opened(kind)[0] not in ("list", "object", "address", "text")
