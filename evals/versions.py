"""What results are made by, and of: digests of 12 hexadecimal digits."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from errors import BadInput
from evals.run import Laboratory
from graphs.mission import GRAPH_VERSION
from graphs.settings import CHECKOUT

_DIGITS = 12
#: where what decides a case stands
_ROOMS = ("evals", "graphs", "knowledge_index", "ledger", "models", "nodes", "systems")


def versions_of(laboratory: Laboratory, phrasings: Path) -> dict[str, str]:
    """Graph, reasoner (with model, prompts and what packs show it, if it has any), policies, phrasings (the folder), and more."""
    said = sorted(phrasings.rglob("*.txt"))
    reasoner = laboratory.reasoner
    model = {"model": reasoner.version} if reasoner.version != reasoner.name else {}
    reads = {"texts": laboratory.reads.version} if laboratory.reads else {}
    sees = {f"shown by {mission}": pack.model_digest for mission, pack in sorted(laboratory.packs.items())}
    packs = {f"pack {mission}": pack.digest for mission, pack in sorted(laboratory.packs.items())}
    return {
        "graph": GRAPH_VERSION,
        "reasoner": reasoner.name,
        **model,
        **reads,
        **(sees if model else {}),
        # of every period: recorded exceptions are looked at as of then
        "policies": _digest(period.digest.encode() for period in laboratory.policies.periods),
        "phrasings": _digest(part for file in said for part in (file.name.encode(), file.read_bytes())),
        "catalogue": laboratory.catalogue.digest,
        **packs,
    }


def code_digest() -> str:
    """Of the Python files that are here, whatever git knows of them."""
    files = sorted(file for room in _ROOMS for file in (CHECKOUT / room).rglob("*.py"))
    return _digest(part for file in files for part in (str(file.relative_to(CHECKOUT)).encode(), file.read_bytes()))


def file_digest(file: Path) -> str:
    """Of a file of any size. Raises BadInput where it cannot be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()[:_DIGITS]
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give a file of recorded exceptions") from error


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:_DIGITS]
