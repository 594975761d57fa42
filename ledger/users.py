"""Who uses a server: every process holds a lock, which the kernel releases when the process ends, however it ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

if sys.platform == "win32":
    from fasteners import InterProcessReaderWriterLock
else:
    import fcntl


class Held(Protocol):
    """A lock that is held until it is closed."""

    def close(self) -> None:
        """Give it back."""
        ...


def join(path: Path) -> Held:
    """Be one of those who use what `path` stands for, until it is closed or the process ends.

    A forked child is one too, for as long as it lives: the lock belongs to the open file that both have. A program that
    the process starts is none.
    """
    held = _lock(path, shared=True)
    if held is None:
        raise OSError(f"{path} is locked")
    return held


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody uses what `path` stands for; if so, nobody can join before the end of this."""
    held = _lock(path, shared=False)
    try:
        yield held is not None
    finally:
        if held is not None:
            held.close()


if sys.platform == "win32":

    class _Windows:
        def __init__(self, lock: InterProcessReaderWriterLock, shared: bool) -> None:
            self._lock, self._shared = lock, shared

        def close(self) -> None:
            (self._lock.release_read_lock if self._shared else self._lock.release_write_lock)()

    def _lock(path: Path, shared: bool) -> Held | None:
        lock = InterProcessReaderWriterLock(path)
        acquire = lock.acquire_read_lock if shared else lock.acquire_write_lock
        return _Windows(lock, shared) if acquire(blocking=False) else None

else:

    def _lock(path: Path, shared: bool) -> Held | None:
        # flock and not lockf: the latter is lost with any other file of the process that is closed, and in a fork
        file = path.open("a")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file
