"""Named sets of recorded exceptions: what `returns@2` was, it stays, so that runs on it can be compared in a year.

A set lies in the folder of this checkout's data, a file of JSON lines for each version.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from errors import BadInput
from evals.atomic_write import atomic_write
from evals.evaluation.jobs import read_unique
from evals.evaluation.selecting import Selection
from nodes.pack import Pack

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_WRITTEN = re.compile(r"([a-z][a-z0-9-]{0,39})@([1-9][0-9]{0,5}|latest)")


@dataclass(frozen=True)
class CaseSets:
    """The sets that were saved."""

    folder: Path

    @classmethod
    def of(cls, home: Path) -> Self:
        """Those of the folder of this checkout's data."""
        return cls(home / "case-sets")

    def save(self, name: str, files: Sequence[Path], packs: Mapping[str, Pack], selection: Selection) -> str:
        """Save the cases of files that are selected as the next version of a set: `returns@2`.

        The version that is there already where it holds the same. Raises BadInput for a name that is none, and as `read_unique`.
        """
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name[:80]!r} is no name for a set: give lower-case letters, digits and hyphens, up to 40")
        cases = selection.of(case for _, case in read_unique(files, packs))
        content = b"".join(orjson.dumps(case.raw) + b"\n" for case in cases)
        last = max(self._versions(name), default=0)
        if last and self._file(name, last).read_bytes() == content:
            return f"{name}@{last}"
        with atomic_write(self._file(name, last + 1), make_folder=True) as unfinished:
            unfinished.write_bytes(content)
        return f"{name}@{last + 1}"

    def names(self) -> list[str]:
        """Every version of every set, in order: ["returns@1", "returns@2"]."""
        found = (_WRITTEN.fullmatch(file.stem) for file in self.folder.glob("*@*.jsonl"))
        return [f"{name}@{number}" for name, number in sorted((one[1], int(one[2])) for one in found if one)]

    def file(self, given: Path) -> Path:
        """The file of a set that is named so, or the file itself. Raises BadInput where there is no such set."""
        named = _WRITTEN.fullmatch(str(given))
        if not named or given.exists():
            return given
        name, version = named[1], named[2]
        versions = self._versions(name)
        number = max(versions, default=0) if version == "latest" else int(version)
        if number not in versions:
            known = ", ".join(self.names()) or "none: save one with `missions eval save`"
            raise BadInput(f"There is no set of cases {given}; there is {known}")
        return self._file(name, number)

    def _versions(self, name: str) -> list[int]:
        return [int(one.rpartition("@")[2]) for one in self.names() if one.rpartition("@")[0] == name]

    def _file(self, name: str, version: int) -> Path:
        return self.folder / f"{name}@{version}.jsonl"
