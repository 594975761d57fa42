"""Where in a text a card, an account, an address, a telephone or a key stands, however its characters are written.

Found too much is a mark in the place of a harmless number; found too little leaves the company. So doubt finds.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["card", "account", "address", "phone", "secret"]

#: as `models.masking` writes it
MARK = re.compile(r"\[(?:card|account|address|phone|secret) \d+\]")


@dataclass(frozen=True)
class Found:
    """A place in a text, from `start` to before `end`."""

    kind: Kind
    start: int
    end: int


def found(text: str) -> list[Found]:
    """All places, in order; none overlaps another. What overlaps is one place, of the kind that is graver."""
    plain, places = _plain(text)
    spans = sorted((start, end, rank) for rank, (_, find) in enumerate(_FINDERS) for start, end in find(plain))
    merged: list[tuple[int, int, int]] = []
    for start, end, rank in spans:
        if merged and start < merged[-1][1]:
            begun, ended, other = merged[-1]
            merged[-1] = (begun, max(end, ended), min(rank, other))
        else:
            merged.append((start, end, rank))
    return [Found(_FINDERS[rank][0], places[start], places[end - 1] + 1) for start, end, rank in merged]


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """One way to write digits and letters, without invisible characters; and where in the text each character stands."""
    if _ORDINARY.fullmatch(text):
        return text, range(len(text))
    characters, places = list[str](), list[int]()
    for at, character in enumerate(text):
        for one in character if character.isascii() else unicodedata.normalize("NFKC", character):
            made = _plain_character(one)
            if made:
                characters.append(made)
                places.append(at)
    return "".join(characters), places


#: is written in one way already
_ORDINARY = re.compile(r"[ -~\n]*")


def _plain_character(character: str) -> str:
    if " " <= character <= "~" or character == "\n":
        return character
    if character in "\t\r":
        return " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    match unicodedata.category(character):
        case "Pd":
            return "-"
        case "Cc" | "Cf" | "Cs" | "Mn" | "Me":  # zero-width blanks, soft hyphens, the circle of a key cap
            return ""
        case "Zs" | "Zl" | "Zp":
            return " "
    return character


Finder = Callable[[str], Iterator[tuple[int, int]]]

#: Days, moments and fractions, whose digits would otherwise look like those of a card or a telephone.
_HARMLESS = re.compile(
    r"(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?)?(?!\d)"
    r"|(?:^|(?<=[:,\[(=])|(?<=[A-Za-z:,] ))0\.\d{4,}"
)
_BETWEEN_DIGITS = r"(?:[^\w\"\[\]{}<>=%$€£\0]|_){0,3}"
_DIGITS = re.compile(rf"\d(?:{_BETWEEN_DIGITS}\d){{12,}}")
_GROUP = re.compile(r"\d+")
_CARD_SIZES = range(19, 12, -1)


def _without_harmless(text: str) -> str:
    return _HARMLESS.sub(lambda match: "\0" * len(match[0]), text)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """13 to 19 digits whose check digit is right, and the code behind them."""
    plain = _without_harmless(text)
    for run in _DIGITS.finditer(plain):
        groups = list(_GROUP.finditer(plain, *run.span()))
        first = 0
        while first < len(groups):
            last = _card_from(plain, groups, first)
            if last is None:
                first += 1
                continue
            yield groups[first].start(), groups[last].end()
            if code := _CODE_BEHIND.match(plain, groups[last].end()):
                yield code.span(1)
            first = last + 1


def _card_from(text: str, groups: list[re.Match[str]], first: int) -> int | None:
    """The group with which a card ends that begins with a group."""
    digits, ends = "", dict[int, int]()
    for last in range(first, len(groups)):
        digits += groups[last][0]
        if len(digits) > _CARD_SIZES[0]:
            break
        ends[len(digits)] = last
    for size in _CARD_SIZES:
        if size in ends and _luhn(digits[:size]):
            between = text[groups[first].start() : groups[ends[size]].end()]
            # numbers of a list are no card, but for those that are grouped as one
            if "," not in between or re.fullmatch(r"\d{4}(,\s?\d{4}){3}|\d{4},\s?\d{6},\s?\d{5}", between):
                return ends[size]
    return None


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0 and set(digits) != {"0"}


_CODE_BEHIND = re.compile(r"\W{0,5}(?:exp\w{0,10}\W{0,3})?(?:\d{2}\W{1,3}\d{2,4}\W{1,5})?(\d{3,4})(?!\w)", re.IGNORECASE)

_IBAN = re.compile(r"(?<![A-Z])[A-Z]{2}[ -]?\d[ -]?\d(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)


def _accounts(text: str) -> Iterator[tuple[int, int]]:
    """International account numbers (ISO 13616) whose check digits are right."""
    at = 0
    while match := _IBAN.search(text, at):
        at = match.start() + 1
        ends = [one.end() for one in re.finditer(r"[A-Za-z0-9](?![A-Za-z0-9])", match[0])]
        for end in reversed([*ends, len(match[0])]):
            number = re.sub(r"[ -]", "", match[0][:end]).upper()
            if len(number) >= 15 and int("".join(str(int(one, 36)) for one in number[4:] + number[:4])) % 97 == 1:
                yield match.start(), match.start() + end
                at = match.start() + end
                break


_AT = r"(?:\s?@\s?|\s?[\[({]\s?at\s?[\])}]\s?)"
_DOT = r"(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)"
_ADDRESS = re.compile(rf"[\w.+%'-]{{1,64}}{_AT}[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{1,8}}", re.IGNORECASE)

_PHONE = re.compile(r"(?:\+|(?<!\w)(?<![A-Za-z][_-]))(?:[ ()./-]{0,3}\d){9,}(?!\w)")
_CALLED_PHONE = re.compile(
    r"(?<![A-Za-z])(?:tel|telephone|phone|mobile|cell|fax|whatsapp|call|text|reach|ring|sms)\b[^\d\n]{0,20}?"
    r"((?:\+|00)?\d(?:[ ()./-]{0,3}\d){6,})",
    re.IGNORECASE,
)


def _phones(text: str) -> Iterator[tuple[int, int]]:
    """Nine digits and more with something between them or a plus in front, and seven that are called a telephone."""
    plain = _without_harmless(text)
    for match in _PHONE.finditer(plain):
        number = match[0].lstrip(" (./-")
        if not number.isdigit():
            yield match.end() - len(number), match.end()
    for match in _CALLED_PHONE.finditer(plain):
        yield match.span(1)


_PASSWORD = r"(?<![A-Za-z])(?:passw(?:or)?d|passwort|pwd|passcode|pin)"
_SECRETS = [
    re.compile(r"(-----BEGIN [A-Z0-9 ]{3,40}-----.*?(?:-----END [A-Z0-9 ]{3,40}-----|\Z))", re.DOTALL),
    re.compile(r"(eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)"),
    re.compile(r"(?<![A-Za-z])((?:sk|rk|pk)[-_][\w-]{12,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|gh[pousr]_\w{16,}|xox[a-z]-[\w-]{10,}|AIza[\w-]{30,})"),
    re.compile(r"(?<![A-Za-z])bearer\s{1,3}(?=[\w.~+/=-]{0,200}\d)([\w.~+/=-]{8,})", re.IGNORECASE),
    # 40 characters with letters and at least three digits
    re.compile(r"(?<![\w+/=-])((?=[\w+/=-]*[A-Za-z])(?=(?:[A-Za-z_+/=-]*\d){3})[\w+/=-]{40,})"),
    re.compile(rf"(?:{_PASSWORD}|(?<![A-Za-z])(?:passphrase|pass|secret|token|(?:api|access)[ _-]?key))\s?[:=]\s?"
               rf"(?!{MARK.pattern})(\S{{3,200}})", re.IGNORECASE),
    re.compile(rf"{_PASSWORD}\s(?:is|was)\s(?=\S{{0,200}}\d)(\S{{3,200}})", re.IGNORECASE),
    re.compile(r"(?<![A-Za-z])(?:cvv2?|cvc2?|csc|cid|security code|card code)\b\D{0,12}(\d{3,4})(?!\d)", re.IGNORECASE),
]  # fmt: skip


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Keys, tokens, passwords and the codes of cards."""
    for pattern in _SECRETS:
        for match in pattern.finditer(text):
            yield match.span(1)


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for match in _ADDRESS.finditer(text):
        yield match.span()


#: the gravest first
_FINDERS: list[tuple[Kind, Finder]] = [
    ("secret", _secrets),
    ("card", _cards),
    ("account", _accounts),
    ("address", _addresses),
    ("phone", _phones),
]
