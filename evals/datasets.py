"""Datasets of recorded exceptions as files: a case is added to one, once."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from errors import BadInput
from evals.cases import MAX_LINE_BYTES, parse_line

#: what was recorded of a company holds records of its customers
_MODE = 0o600


def line_of(raw: Mapping[str, Any]) -> bytes:
    """A recorded exception as one line. Raises BadInput for one that is too long to be read again."""
    try:
        line = orjson.dumps(raw) + b"\n"
    except TypeError as error:
        raise BadInput(f"{raw['case_id']} cannot be written as a recorded exception: {error}") from error
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"{raw['case_id']} has {len(line):,} bytes, more than the {MAX_LINE_BYTES:,} of a recorded exception")
    return line


def add_case(file: Path, case_id: str, line: bytes) -> bool:
    """Add a line to a dataset, which is made with mode 600 where there is none; False where this very line is in it.

    Raises BadInput where the case is in it with other content, others can read the file, or it cannot be written.
    """
    try:
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE), "r+b") as dataset:
            if sys.platform != "win32":
                import fcntl  # Windows has neither this nor modes

                fcntl.flock(dataset, fcntl.LOCK_EX)  # who adds at the same moment waits until the file is closed
                if os.fstat(dataset.fileno()).st_mode & 0o077:
                    raise BadInput(
                        f"{file}: others can read it, and the case holds customers' records; name a file of your own (mode 600)"
                    )
            ends = b"\n"
            for number, known in enumerate(dataset, start=1):
                ends = known[-1:]
                if known.rstrip(b"\n") == line.rstrip(b"\n"):
                    return False
                if known.strip() and parse_line(known, f"{file}, line {number}").get("case_id") == case_id:
                    raise BadInput(
                        f"{file}, line {number}: the case {case_id} stands there with other content; name another file"
                    )
            dataset.write((b"" if ends == b"\n" else b"\n") + line)
            dataset.flush()
            os.fsync(dataset.fileno())
    except OSError as error:
        raise BadInput(f"{file}: cannot be written ({error.strerror}); name a file in a folder that you may write") from error
    return True
