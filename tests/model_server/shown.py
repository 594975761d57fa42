"""What a prompt shows of a case, read from its blocks as a model would."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BLOCK = re.compile(r'<data from="([^"]*)" trust="none">(.*?)</data>', re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """The blocks of a prompt by name, and the text as it stands."""

    text: str
    blocks: Mapping[str, Any]

    @classmethod
    def of(cls, user: str) -> "Shown":
        """What the user's part of a prompt shows."""
        return cls(user, {name: json.loads(value) for name, value in _BLOCK.findall(user)})

    def rows(self, block: str) -> Sequence[Mapping[str, Any]]:
        """The objects of a block that is a list; none where the prompt has no such block."""
        return [one for one in self.blocks.get(block, ()) if isinstance(one, dict)]

    def named(self, name: str) -> list[Any]:
        """All values under a name in the facts, and under names that end in it: of order_id also from_order_id's."""
        bare = re.sub(r"^(from|to)_", "", name)
        found = [value for key, value in _pairs(self.blocks.get("facts", {})) if key == bare or key.endswith(f"_{bare}")]
        return list(dict.fromkeys(value for value in found if isinstance(value, str | int)))

    def cents(self) -> list[int]:
        """All amounts in the facts."""
        amounts = (value for key, value in _pairs(self.blocks.get("facts", {})) if key.endswith("_cents"))
        return [amount for amount in amounts if isinstance(amount, int)]

    def gives(self, cents: int) -> bool:
        """Whether an amount stands in the prompt, or is worked out of two that do: what is left, a total, a share by a clause."""
        amounts, numbers = set(self.cents()), {int(one) for one in re.findall(r"(?<!\d)\d{1,3}(?!\d)", self.text)}
        return (
            self.says(cents)
            or any(abs(cents - one) in amounts for one in amounts)
            or any(cents in (one * number, one * number // 100, -(-one * number // 100)) for one in amounts for number in numbers)
        )

    def says(self, value: str | int) -> bool:
        """Whether a word, or an amount in cents, stands anywhere in the prompt."""
        ways = (
            [value]
            if isinstance(value, str)
            else [str(value), f"{value:,}", f"{value / 100:,.2f}", *([f"{value // 100:,}"] if value % 100 == 0 else [])]
        )
        return any(re.search(rf"(?<![\w.,-]){re.escape(way)}(?![\w-]|[.,]\d)", self.text) for way in ways)


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)
