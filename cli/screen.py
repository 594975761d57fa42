"""What commands print. Text from outside is shown as text: no markup, no control characters, no escape sequences."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Annotated, Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
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
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from errors import BadInput
from harmless import Harmless, escaped, harmless
from rendering import Displayable, Title, clock, plain

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunId = Annotated[str, typer.Argument(metavar="RUN")]
Reason = Annotated[str, typer.Option(help="The reason, recorded in the audit log.")]
#: a column that may be folded is not made narrower than this for the screen
_NARROW = 8


class Screen(Console):
    """A console on which styles are its own, and no text is followed: nobody has to think of it where something is printed."""

    @property
    def file(self) -> IO[str]:
        """Where it writes: past `Harmless`, which would take its styles away."""
        stream = super().file
        return stream.raw if isinstance(stream, Harmless) else stream

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See Console."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


console = Screen(highlight=False)


def moment(text: str) -> datetime:
    """The moment that `--as-of` names; now where it names none. Raises BadInput."""
    if not text:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--as-of {text!r} is not a valid time; write it as 2026-03-14T09:30:00Z") from None
    if found.tzinfo is None:
        raise BadInput(f"--as-of {text!r} has no zone; write it as 2026-03-14T09:30:00Z")
    return found


def print_json(value: Any, *, indented: bool = False) -> None:
    """Print a value as JSON; what would not be seen of its texts stands there as \\uXXXX."""
    print(escaped(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None).decode()))


def say(*pieces: Any, style: str = "") -> None:
    """Print a line of plain text."""
    console.print(Text(" ".join(plain(piece, 2_000) for piece in pieces), style=style))


def counted(number: int, one: str, more: str) -> str:
    """A number with its word: 1 exception, 2 exceptions."""
    return f"{number:,} {one if number == 1 else more}"


def in_column(at: datetime) -> str:
    """A moment of a table, in UTC: Nov 25, 9:24 AM."""
    day, time = clock(at).rsplit(", ", 2)[0], clock(at, with_day=False)
    return f"{day}, {time.removesuffix(' UTC')}"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Collection[str] = (), whole: Collection[str] = ()
) -> None:
    """Print rows under columns. Cells of `right` are aligned to the right; of `right` and `whole` none is folded."""
    cells = [list(columns), *([plain(cell) for cell in row] for row in rows)]
    gap, widths = _widths(cells, [column in whole or column in right for column in columns], console.width)
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold", min_width=width, max_width=width)
    for row in cells[1:]:
        grid.add_row(*map(Text, row))
    # where the screen is too narrow for what must not be folded, lines go on beyond it: columns are not left out
    console.print(grid, width=max(console.width, sum(widths) + gap * len(widths)), crop=False, soft_wrap=False)


def _widths(cells: Sequence[Sequence[str]], whole: Sequence[bool], room: int) -> tuple[int, list[int]]:
    """(gap, width of each column): cells are folded between words, and within a word only where the screen is too narrow."""
    columns = list(zip(*cells, strict=True))
    natural = [max(map(cell_len, column)) for column in columns]
    if sum(natural) + 2 * len(natural) <= room:
        return 2, natural
    room -= len(natural)  # the gap is one now
    words = [max((cell_len(word) for cell in column for word in cell.split()), default=1) for column in columns]
    uncut = [max([word, *map(cell_len, column[1:])]) for word, column in zip(words, columns, strict=True)]
    for longest in range(max(*words, _NARROW), _NARROW - 1, -1):
        least = [all_ if one else min(word, longest) for all_, word, one in zip(uncut, words, whole, strict=True)]
        if sum(least) <= room:
            break
    spare, wishes = max(0, room - sum(least)), [wide - narrow for wide, narrow in zip(natural, least, strict=True)]
    by_wish = sorted(range(len(wishes)), key=wishes.__getitem__)
    for left, place in zip(range(len(wishes), 0, -1), by_wish, strict=True):  # whoever lacks little gets it all
        given = min(wishes[place], spare // left)
        least[place], spare = least[place] + given, spare - given
    return 1, least


def say_after(lead: str, text: str) -> None:
    """Print a line of plain text after what leads it; where it is folded, it goes on under itself."""
    for number, line in enumerate(Text(plain(text, 2_000)).wrap(console, max(20, console.width - cell_len(lead)))):
        console.print(Text(lead if number == 0 else " " * cell_len(lead)).append_text(line))


def say_all(shown: Displayable) -> None:
    """Print what shows itself, whole."""
    for part in shown.parts():
        if isinstance(part, str):
            lines = part.splitlines()
            for line in lines:  # several are data, and stand as they are
                console.print(Text(plain(line, 2_000)), soft_wrap=len(lines) > 1)
        elif isinstance(part, Title):
            say(part.text, style="bold")
        else:
            console.print()
            table(part.columns, part.rows, right=part.right, whole=("run", "case"))


class _Rate(ProgressColumn):
    """Pieces a second, of late."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextmanager
def progress(what: str, total: int | None = None, done: int = 0) -> Iterator[Any]:
    """A progress bar with rate, time and time left; call what it gives for every finished piece, or with (done, of how many).

    `done` pieces are finished already. Nothing is shown where no terminal is.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn())
    screen = Screen(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda done=None, of=None: bar.update(task, advance=1 if done is None else None, completed=done, total=of)
