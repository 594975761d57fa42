"""Files read and written with a sentence where that fails; whole or not at all, and never in the place of one that is read."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from errors import BadInput


def refuse_to_replace(read: Sequence[Path | str], out: Path) -> None:
    """Raise BadInput where `out` is one of the files that are read: what is written would take their place."""
    if any(Path(one).resolve() == out.resolve() for one in read):
        raise BadInput(f"{out}: is the file being read and would be overwritten; name another output file")


@contextmanager
def reading(file: Path, remedy: str) -> Iterator[None]:
    """Raises BadInput, with what to do, where `file` cannot be read inside."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); {remedy}") from error


@contextmanager
def writing(file: Path, remedy: str = "name a file in a folder you can write to") -> Iterator[None]:
    """Raises BadInput, with what to do, where `file` cannot be written inside."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{file}: cannot be written ({error.strerror or error}); {remedy}") from error


@contextmanager
def atomic_write(file: Path, *, make_folder: bool = False) -> Iterator[Path]:
    """A place to write to beside `file`, which takes its place when all went well and is gone otherwise.

    Raises BadInput where nothing can be written, and where a device or a folder would be replaced.
    """
    if file.exists() and not file.is_file():
        raise BadInput(f"{file}: is not a regular file and would be replaced by one; name a file")
    with writing(file):
        if make_folder:
            file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{file.name[:60]}.", dir=file.parent) as folder:
            unfinished = Path(folder, f"unfinished{file.suffix}")
            yield unfinished
            with unfinished.open("r+b") as written:
                os.fsync(written.fileno())
            os.replace(unfinished, file)
