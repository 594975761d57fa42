"""Reading what people wrote: a Reader that understands texts itself and leaves every other read to the systems.

What a text is understood to ask is a fact like any other, with its evidence: it is kept in the ledger and not worked out
again when a run goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from errors import BadInput
from knowledge_index.embeddings import Embedder
from knowledge_index.intents import Intents
from nodes.pack import Pack
from systems.calls import Call, Reader, ReadResult

#: `text` is understood by the phrasings of the folder `examples`
UNDERSTAND = "language.understand"


class Understands(Protocol):
    """Tells what texts ask for."""

    def understand(self, examples: str, text: str) -> Mapping[str, Any]:
        """See `Phrasebook.understand`."""
        ...


class Phrasebook:
    """Understands texts by the phrasings of a folder; each of its folders is learned when it is first needed.

    Args:
        folder: holds a folder of phrasings for each name that packs give as `examples`.
        embedder: makes vectors of texts.
        cache: keeps what was learned, and vectors.
    """

    def __init__(self, folder: Path, embedder: Embedder, cache: Path) -> None:
        self._folder, self._embedder, self._cache = folder, embedder, cache
        self._opened: dict[str, Intents] = {}

    def close(self) -> None:
        """Let go of the files of the cache."""
        for intents in self._opened.values():
            intents.close()
        self._opened.clear()

    def learn(self, packs: Iterable[Pack]) -> None:
        """Have at hand every folder that the packs understand texts by, before the first text comes."""
        for pack in packs:
            for read in pack.reads.values():
                if read.tool == UNDERSTAND and isinstance(read.args.get("examples"), str):
                    self._open(read.args["examples"])

    def understand(self, examples: str, text: str) -> Mapping[str, Any]:
        """What a text asks for; see `Intents.understand`. Raises BadInput where there are no such examples."""
        return self._open(examples).understand(text)

    def _open(self, examples: str) -> Intents:
        if examples not in self._opened:
            known = sorted(one.name for one in self._folder.iterdir() if one.is_dir()) if self._folder.is_dir() else []
            if examples not in known:
                raise BadInput(f"{self._folder} has no phrasings {examples!r}; it has {', '.join(known) or 'none'}")
            self._opened[examples] = Intents.open(self._folder / examples, self._embedder, self._cache)
        return self._opened[examples]


class Listening:
    """A Reader over the systems that answers `language.understand` from a phrasebook."""

    def __init__(self, systems: Reader, phrasebook: Understands, clock: Callable[[], datetime]) -> None:
        self._systems, self._phrasebook, self._clock = systems, phrasebook, clock

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """Answers in the order of the calls."""
        others = iter(self._systems.read_all([call for call in calls if call.tool != UNDERSTAND]))
        return [self._listen(call) if call.tool == UNDERSTAND else next(others) for call in calls]

    def _listen(self, call: Call) -> ReadResult:
        text, examples = call.args.get("text"), call.args.get("examples")
        if not isinstance(text, str) or not isinstance(examples, str):
            return ReadResult(
                call, "failed", None, self._clock(), f"{UNDERSTAND} takes a text and the examples to understand it by"
            )
        try:
            return ReadResult(call, "ok", dict(self._phrasebook.understand(examples, text)), self._clock())
        except BadInput as error:
            return ReadResult(call, "failed", None, self._clock(), str(error))
