"""How a fault in a policy document is told: file, line, what is wrong, what to do."""

from pathlib import Path

from errors import BadInput


def fault(file: Path, line: int, what: str, remedy: str) -> BadInput:
    """The error for `line` (from 1) of `file`; `what` is a clause without a full stop, `remedy` an imperative."""
    return BadInput(f"{file}:{line}: {what}; {remedy}.")
