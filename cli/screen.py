"""What commands print. Text from outside is shown as text: no markup, no control characters, no escape sequences."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from errors import BadInput
from graphs.shown import Shown, Title
from graphs.text import plain

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
console = Console(highlight=False)


def moment(text: str) -> datetime:
    """The moment that `--as-of` names; now where it names none. Raises BadInput."""
    if not text:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--as-of {text!r} is no moment; write it as 2026-03-14T09:30:00Z") from None
    if found.tzinfo is None:
        raise BadInput(f"--as-of {text!r} has no zone; write it as 2026-03-14T09:30:00Z")
    return found


def say(*pieces: Any, style: str = "") -> None:
    """Print a line of plain text."""
    console.print(Text(" ".join(plain(piece, 2_000) for piece in pieces), style=style))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Collection[str] = (), whole: Sequence[str] = ()) -> None:
    """Print rows under columns. Cells of `right` are aligned to the right; of `right` and `whole` none is folded."""
    grid, rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0)), list(rows)
    for place, column in enumerate(columns):
        pieces = [*column.split(), *(plain(row[place]) for row in rows)]
        least = max(map(len, pieces), default=0) if column in whole or column in right else None
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold", min_width=least)
    for row in rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    # where the screen is too narrow for what must not be folded, lines go on beyond it: columns are not left out
    least = sum((column.min_width or 0) + 2 for column in grid.columns)
    console.print(grid, width=max(console.width, least), crop=False, soft_wrap=False)


def say_all(shown: Shown) -> None:
    """Print what shows itself, whole."""
    for part in shown.parts():
        if isinstance(part, str):
            say(part)
        elif isinstance(part, Title):
            say(part.text, style="bold")
        else:
            table(part.columns, part.rows, right=part.right)


class _Rate(ProgressColumn):
    """Pieces a second, of late."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextmanager
def progress(what: str, total: int | None, done: int = 0) -> Iterator[Any]:
    """A progress bar with rate, time and time left; call what it gives once for every finished piece.

    `done` pieces are finished already. Nothing is shown where no terminal is.
    """
    with _bar() as bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda: bar.advance(task)


@contextmanager
def progress_told(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar; call what it gives with how many pieces are done, and of how many."""
    with _bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn())
    screen = Console(stderr=True)
    return Progress(*columns, TimeRemainingColumn(), console=screen, transient=True, disable=not screen.is_terminal)
