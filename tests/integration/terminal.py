"""A command at a terminal, with somebody who types where it asks."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 60.0


def at_terminal(
    line: Sequence[str], answers: Sequence[tuple[str, str]], env: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run a command; each (prompt, answer) is typed when the prompt is there. Output and errors come as one text."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder, start_new_session=True)
    os.close(theirs)
    told, seen, until = "", 0, time.monotonic() + PATIENCE_S
    left = list(answers)
    try:
        while time.monotonic() < until:
            if not select.select([ours], [], [], 0.5)[0]:
                continue
            try:
                piece = os.read(ours, 4_096)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            told += piece.decode(errors="replace")
            if left and (at := told.find(left[0][0], seen)) >= 0:
                seen = at + len(left[0][0])
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
        return subprocess.CompletedProcess(line, process.wait(max(1.0, until - time.monotonic())), told)
    finally:
        os.close(ours)
        process.kill()
