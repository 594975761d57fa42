"""Who uses a server: every process holds a lock, which the kernel releases when the process ends, however it ends."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    from fasteners import InterProcessReaderWriterLock
else:
    import fcntl


def join(path: Path) -> Callable[[], None]:
    """Be one of those who use what `path` stands for, until what is returned is called or the process ends.

    A forked child is one too, for as long as it lives: the lock belongs to the open file that both have. A program that
    the process starts is none. Raises OSError where `alone` has it.
    """
    leave = _lock(path, shared=True)
    if leave is None:
        raise OSError(f"{path} is locked")
    return leave


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody uses what `path` stands for; if so, nobody can join before the end of this."""
    release = _lock(path, shared=False)
    try:
        yield release is not None
    finally:
        if release is not None:
            release()


if sys.platform == "win32":

    def _lock(path: Path, shared: bool) -> Callable[[], None] | None:
        lock = InterProcessReaderWriterLock(path)
        if shared:
            return lock.release_read_lock if lock.acquire_read_lock(blocking=False) else None
        return lock.release_write_lock if lock.acquire_write_lock(blocking=False) else None

else:

    def _lock(path: Path, shared: bool) -> Callable[[], None] | None:
        """What releases the lock; None where others have it."""
        # flock and not lockf: the latter is lost with any other file of the process that is closed, and in a fork
        file = path.open("a")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file.close
