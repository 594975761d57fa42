"""Cards, addresses, telephones and keys: they stay here, and a model sees a mark in their place.

>>> masks = Masks()
>>> masks.mask("Write to ann@example.com, not to 4111 1111 1111 1111.")
'Write to [address 1], not to [card 1].'
>>> masks.restore("We wrote to [address 1] about [card 1].")
'We wrote to ann@example.com about [card 1].'
"""

import re
from typing import Any

from models.sensitive import MARK, Kind, found

_NAMES: dict[Kind, str] = {
    "card": "a card number",
    "account": "an account number",
    "address": "an e-mail address",
    "phone": "a telephone number",
    "secret": "a key or password",
}
#: what a letter may hold again
_RESTORED = ("address", "phone")
#: a mark in the place of letters or digits may free what stood beside them; what is left after so many is not sent
_ROUNDS = 10
_ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|.)", re.IGNORECASE | re.DOTALL)


class Masks:
    """The marks of one case, numbered by first occurrence: the same texts in the same order give the same marks."""

    def __init__(self) -> None:
        self._marks: dict[tuple[Kind, str], str] = {}
        self._restored: dict[str, str] = {}

    def mask(self, text: str) -> str:
        """The text with a mark for everything that must not leave."""
        for _ in range(_ROUNDS):
            places = found(text)
            if not places:
                break
            pieces, at = list[str](), 0
            for place in places:
                pieces += [text[at : place.start], self._mark(place.kind, text[place.start : place.end])]
                at = place.end
            text = "".join([*pieces, text[at:]])
        return text

    def mask_all(self, value: Any) -> Any:
        """A JSON value with every text in it masked, names of objects too, and numbers that could be a card's."""
        match value:
            case str():
                return self.mask(value)
            case int() | float() if not isinstance(value, bool):
                masked = self.mask(str(value))
                return value if masked == str(value) else masked
            case dict():
                return {self.mask(str(key)): self.mask_all(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.mask_all(inner) for inner in value]
        return value

    def restore(self, text: str) -> str:
        """The text with addresses and telephones in the place of their marks; cards, accounts and keys stay marks."""
        return MARK.sub(lambda mark: self._restored.get(mark[0], mark[0]), text)

    def _mark(self, kind: Kind, said: str) -> str:
        mark = self._marks.get((kind, said))
        if mark is None:
            number = 1 + sum(other == kind for other, _ in self._marks)
            mark = self._marks[kind, said] = f"[{kind} {number}]"
            if kind in _RESTORED:
                self._restored[mark] = said
        return mark


def leaks(text: str) -> list[str]:
    """What must not leave and stands in the text, which may be JSON, by kind ("a card number"); never the thing itself."""
    return list(dict.fromkeys(_NAMES[place.kind] for place in found(_ESCAPE.sub(_unescaped, text))))


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": ""}.get(code, code)
