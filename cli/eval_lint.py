"""`missions eval lint`: what is wrong with recorded exceptions."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import say
from evals.lint import lint
from evals.run import Laboratory
from graphs.settings import settings


def lint_files(cases: Annotated[list[Path], typer.Argument(help="Files of recorded exceptions (JSONL).")]) -> None:
    """Print a sentence for each fault; exit 1 where a case cannot fail, or cannot be met."""
    found = Counter[str]()
    for fault in lint(cases, Laboratory.open(settings())):
        found[fault.severity] += 1
        say(f"{fault.severity}: {fault.sentence}")
    if not found:
        say("Every case can fail, and can be met.")
    else:
        say(", ".join(f"{number} × {severity}" for severity, number in found.most_common()))
    if found["cannot fail"] or found["error"]:
        sys.exit(1)
