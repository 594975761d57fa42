"""Reading what people wrote: a Reader that understands texts itself and leaves every other read to the systems.

What a text is understood to ask is a fact like any other, with its evidence: it is kept in the ledger and not worked out
again when a run goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from systems.calls import Call, Reader, ReadResult

#: `text` is understood by the phrasings of the folder `examples`
UNDERSTAND = "language.understand"


class Listening:
    """A Reader over the systems that answers `language.understand` by `understand(examples, text)`."""

    def __init__(
        self, systems: Reader, understand: Callable[[str, str], Mapping[str, Any]], clock: Callable[[], datetime]
    ) -> None:
        self._systems, self._understand, self._clock = systems, understand, clock

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """Answers in the order of the calls."""
        others = iter(self._systems.read_all([call for call in calls if call.tool != UNDERSTAND]))
        return [self._listen(call) if call.tool == UNDERSTAND else next(others) for call in calls]

    def _listen(self, call: Call) -> ReadResult:
        text, examples = call.args.get("text"), call.args.get("examples")
        if not isinstance(text, str) or not isinstance(examples, str):
            return ReadResult(call, "failed", None, self._clock(), f"{UNDERSTAND} takes a text and the examples to understand it by")
        return ReadResult(call, "ok", dict(self._understand(examples, text)), self._clock())
