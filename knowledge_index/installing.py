"""Putting a drafted version into the folder of policies: its file appears, the version before it gets its last day."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from errors import BadInput
from knowledge_index.documents import read_text
from knowledge_index.drafting import book_with, closed, ends_before, file_name, newest, parse_draft
from knowledge_index.policies import PolicyBook

#: Takes an installation back, as if it had not been.
TakeBack = Callable[[], None]


def install(folder: Path, drafted: str) -> TakeBack:
    """Write the version `drafted` into `folder`. Returns what takes it back.

    Raises BadInput for a draft that does not fit the folder, or a folder that cannot be written; nothing is changed then.
    """
    book_with(folder, drafted)
    draft = parse_draft(drafted)
    before = newest(PolicyBook.load(folder), draft.header.id)
    target = folder / file_name(draft.header.id, draft.header.version)
    if target.exists():
        raise BadInput(f"{target} is there already; move it away, then put the draft in force.")
    old_text, until = read_text(before.file), ends_before(before, draft.header.in_force_from)

    def take_back() -> None:
        with suppress(FileNotFoundError):
            target.unlink()
        _write(before.file, old_text, before.file)

    try:
        # the older one first: the folder is one that loads at every moment in between
        if until is not None:
            _write(before.file, closed(old_text, before.file, until), before.file)
        _write(target, drafted, before.file)
    except OSError as error:
        with suppress(OSError):
            take_back()
        reason = error.strerror or error
        raise BadInput(
            f"The folder {folder} cannot be written ({reason}), and no policy was changed; give the account that runs this "
            "the right to write there."
        ) from error
    return take_back


def _write(file: Path, text: str, like: Path) -> None:
    """The whole file or nothing of it, with the permissions of another."""
    unfinished = file.with_name(f".{file.name}.partial")
    try:
        with unfinished.open("wb") as written:
            written.write(text.encode())
            written.flush()
            os.fsync(written.fileno())
        shutil.copymode(like, unfinished)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
