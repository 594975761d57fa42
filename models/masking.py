"""Cards, addresses, telephones and keys: they stay here, and a model sees a mark in their place.

>>> masks = Masks()
>>> masks.mask("Write to ann@example.com, not to 4111 1111 1111 1111.")
'Write to [address 1], not to [card 1].'
>>> masks.restore("We wrote to [address 1] about [card 1].")
'We wrote to ann@example.com about [card 1].'
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from errors import NoAnswer
from models.calls import Limits, Question

Kind = Literal["card", "account", "address", "phone", "secret"]

#: as `models.masking` writes it
MARK = re.compile(r"\[(?:card|account|address|phone|secret) \d+\]")


class SensitiveSpan(NamedTuple):
    """A place in a text, from `start` to before `end`."""

    kind: Kind
    start: int
    end: int


def sensitive_spans(text: str) -> list[SensitiveSpan]:
    """All places, in order; none overlaps another. What overlaps is one place, of the kind that is graver."""
    plain, places = _plain(text)
    spans = sorted((start, end, rank) for rank, (_, _, find) in enumerate(_FINDERS) for start, end in find(plain))
    merged: list[tuple[int, int, int]] = []
    for start, end, rank in spans:
        if merged and start < merged[-1][1]:
            begun, ended, other = merged[-1]
            merged[-1] = (begun, max(end, ended), min(rank, other))
        else:
            merged.append((start, end, rank))
    return [SensitiveSpan(_FINDERS[rank][0], places[start], places[end - 1] + 1) for start, end, rank in merged]


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """One way to write digits and letters, without invisible characters; and where in the text each character stands."""
    if not text or _ORDINARY.fullmatch(text):
        return text, range(len(text))
    pieces, places = list[str](), list[int]()
    for run in _RUNS.finditer(text):
        pieces.append(run[0] if _ORDINARY.match(run[0]) else _plain_character(run[0]))
        places.extend(range(*run.span()) if len(run[0]) == len(pieces[-1]) else [run.start()] * len(pieces[-1]))
    return "".join(pieces), places


#: is written in one way already
_ORDINARY = re.compile(r"[ -~\n]+")
#: of a category of characters: nothing for zero-width blanks, soft hyphens and the circle of a key cap
_INSTEAD = {"Pd": "-", **dict.fromkeys(("Cc", "Cf", "Cs", "Mn", "Me"), ""), **dict.fromkeys(("Zs", "Zl", "Zp"), " ")}
_SIGNS = str.maketrans("\t\r−‘’“”", "  -''\"\"")
_RUNS = re.compile(rf"{_ORDINARY.pattern}|.", re.DOTALL)


@lru_cache(maxsize=10_000)
def _plain_character(character: str) -> str:
    normal = unicodedata.normalize("NFKC", character).translate(_SIGNS)
    if len(normal) > 1:
        return "".join(map(_plain_character, normal))
    if _ORDINARY.match(normal):
        return normal
    if normal.isdecimal():
        return str(unicodedata.decimal(normal))
    return _INSTEAD.get(unicodedata.category(normal), normal)


def plain_text(text: str) -> str:
    """A text with one way to write digits, dashes, quotes and blanks, and nothing invisible; letters stay as they are."""
    return _plain(unicodedata.normalize("NFKC", text))[0]


#: Days, moments and fractions, whose digits would otherwise look like those of a card or a telephone.
_HARMLESS = re.compile(
    r"(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?)?(?!\d)"
    r"|(?:^|(?<=[:,\[(=])|(?<=[A-Za-z:,] ))0\.\d{4,}"
)
_BETWEEN_DIGITS = r"(?:[^\w\"\[\]{}<>=%$€£\0]|_){0,3}"
_DIGITS = re.compile(rf"\d(?:{_BETWEEN_DIGITS}\d){{12,}}")
_GROUP = re.compile(r"\d+")
_CARD_SIZES = range(19, 12, -1)


@lru_cache(maxsize=1)  # it is asked for by two finders in turn
def _without_harmless(text: str) -> str:
    return _HARMLESS.sub(lambda match: "\0" * len(match[0]), text)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """13 to 19 digits whose check digit is right (Luhn, ISO/IEC 7812-1), and the code behind them."""
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

_IBAN = re.compile(r"(?<![A-Za-z])[A-Za-z]{2}[ -]?[0-9][ -]?[0-9](?:[ -]?[A-Za-z0-9]){11,30}")


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


_AT = r"(?:@|[\[({]\s?at\s?[\])}])"
_DOT = r"(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)"
_ADDRESS = re.compile(rf"[\w.+%'-]{{1,64}}\s?{_AT}\s?[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{1,8}}", re.IGNORECASE)
_AT_SIGN = re.compile(_AT, re.IGNORECASE)

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
#: (what one of which stands in every match, in small letters; what is looked for where it does, for that takes long)
_SECRETS: list[tuple[tuple[str, ...], re.Pattern[str]]] = [
    (("-----begin ",), re.compile(r"(-----BEGIN [A-Z0-9 ]{3,40}-----.*?(?:-----END [A-Z0-9 ]{3,40}-----|\Z))", re.DOTALL)),
    (("eyj",), re.compile(r"(eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)")),
    (("sk", "rk", "pk", "akia", "asia", "gh", "xox", "aiza"),
     re.compile(r"(?<![A-Za-z])((?:sk|rk|pk)[-_][\w-]{12,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|gh[pousr]_\w{16,}|xox[a-z]-[\w-]{10,}|AIza[\w-]{30,})")),
    (("bearer",), re.compile(r"(?<![A-Za-z])bearer\s{1,3}(?=[\w.~+/=-]{0,200}\d)([\w.~+/=-]{8,})", re.IGNORECASE)),
    # 40 characters with letters and at least three digits
    (("",), re.compile(r"(?<![\w+/=-])(?=[\w+/=-]{40})((?=[\w+/=-]*[A-Za-z])(?=(?:[A-Za-z_+/=-]*\d){3})[\w+/=-]{40,})")),
    (("pass", "pwd", "pin", "secret", "token", "key"),
     re.compile(rf"(?:{_PASSWORD}|(?<![A-Za-z])(?:passphrase|pass|secret|token|(?:api|access)[ _-]?key))\s?[:=]\s?"
                rf"(?!{MARK.pattern})(\S{{3,200}})", re.IGNORECASE)),
    (("pass", "pwd", "pin"), re.compile(rf"{_PASSWORD}\s(?:is|was)\s(?=\S{{0,200}}\d)(\S{{3,200}})", re.IGNORECASE)),
    (("cvv", "cvc", "csc", "cid", "code"),
     re.compile(r"(?<![A-Za-z])(?:cvv2?|cvc2?|csc|cid|security code|card code)\b\D{0,12}(\d{3,4})(?!\d)", re.IGNORECASE)),
]  # fmt: skip
#: letters that `re.IGNORECASE` takes for others, and `str.lower` does not
_FOLDED = str.maketrans("ıİſ", "iis")


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Keys, tokens, passwords and the codes of cards."""
    small = text.translate(_FOLDED).lower()
    for words, pattern in _SECRETS:
        if any(word in small for word in words):
            for match in pattern.finditer(text):
                yield match.span(1)


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    end = 0
    for sign in _AT_SIGN.finditer(text):
        # looked for from where the name before this sign may begin: elsewhere there is none, and to look takes long
        if sign.start() >= end and (match := _ADDRESS.search(text, max(end, sign.start() - 65), sign.end() + 700)):
            yield match.span()
            end = match.end()


#: the gravest first: (kind, as people call it, what finds it)
_FINDERS: list[tuple[Kind, str, Callable[[str], Iterator[tuple[int, int]]]]] = [
    ("secret", "a key or password", _secrets),
    ("card", "a card number", _cards),
    ("account", "an account number", _accounts),
    ("address", "an e-mail address", _addresses),
    ("phone", "a telephone number", _phones),
]
_NAMES = {kind: name for kind, name, _ in _FINDERS}
#: what a letter may hold again
_RESTORED = ("address", "phone")
#: a mark in the place of letters or digits may free what stood beside them; what is left after so many is not sent
_ROUNDS = 10
_ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|.)", re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=10_000)  # clauses, goods and names are the same in case after case
def _is_harmless(text: str) -> bool:
    return not sensitive_spans(text)


class Masks:
    """The marks of one case, numbered by first occurrence: the same texts in the same order give the same marks."""

    def __init__(self) -> None:
        self._marks: dict[tuple[Kind, str], str] = {}
        self._restored: dict[str, str] = {}

    def mask(self, text: str) -> str:
        """The text with a mark for everything that must not leave."""
        for _ in range(_ROUNDS):
            if _is_harmless(text):
                break
            places = sensitive_spans(text)
            pieces, at = list[str](), 0
            for kind, start, end in places:
                pieces += [text[at:start], self._mark(kind, text[start:end])]
                at = end
            text = "".join([*pieces, text[at:]])
        return text

    def mask_all(self, value: Any) -> Any:
        """A JSON value with every text in it masked, names of objects too, and numbers that could be a card's."""
        if isinstance(value, dict):
            return {self.mask(str(key)): self.mask_all(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_all(inner) for inner in value]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        masked = self.mask(str(value))
        return value if masked == str(value) else masked

    def restore(self, text: str) -> str:
        """The text with addresses and telephones in the place of their marks; cards, accounts and keys stay marks."""
        return MARK.sub(lambda mark: self._restored.get(mark[0], mark[0]), text)

    def _mark(self, kind: Kind, text: str) -> str:
        if (kind, text) not in self._marks:
            mark = self._marks[kind, text] = f"[{kind} {1 + sum(other == kind for other, _ in self._marks)}]"
            if kind in _RESTORED:
                self._restored[mark] = text
        return self._marks[kind, text]


def leaks(text: str) -> list[str]:
    """What must not leave and stands in the text, which may be JSON, by kind ("a card number"); never the thing itself."""
    return list(dict.fromkeys(_NAMES[place.kind] for place in sensitive_spans(_ESCAPE.sub(_unescaped, text))))


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": ""}.get(code, code)


def refuse_what_must_not_leave(question: Question, limits: Limits) -> None:
    """Raises NoAnswer for a question that is too long, or in which a card, an address, a telephone or a key stands."""
    size, most = len(question.system) + len(question.user), limits.prompt_characters
    if size > most:
        raise NoAnswer(f"The case is too large for a model ({size:,} characters, and {most:,} are the most).", "limit")
    if found := sorted({*_leaks_of_system(question.system), *leaks(question.user)}):
        what = f"Nothing was sent to a model, since {found[0]} would have left"
        raise NoAnswer(f"{what}; the prompt {question.prompt} must mask it.", "blocked")


#: what a pack and a prompt say is the same for every case
_leaks_of_system = lru_cache(maxsize=32)(leaks)
