"""`missions history`: the exceptions of historical orders, and made-up histories in which they are known."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cli.screen import progress, say, table
from evals.history import make_files, scan


def scan_history(orders: Path, out: Path, memory_mb: int) -> None:
    """Write the exceptions of a history, and say how many there are of each kind and what was not looked for."""
    with _steps("scanning") as advance:
        found = scan(orders, out, memory_mb=memory_mb, on_progress=advance)
    rows: list[tuple[object, ...]] = [
        (kind, f"{number:,}", f"{found.cases.get(kind, 0):,}") for kind, number in found.counts.items()
    ]
    rows += [(kind, f"not looked for: {reason}", "") for kind, reason in found.not_looked_for.items()]
    table(("kind", "exceptions", "cases for a Mission"), rows, right=("cases for a Mission",))
    speed = f"{found.lines:,} lines in {found.seconds:.1f} s, {found.lines / found.seconds:,.0f} a second"
    say(f"{found.layout}: {speed}; {sum(found.counts.values()):,} exceptions in {out}.")


def make_history(lines: int, seed: int, out: Path, truth: Path) -> None:
    """Write a made-up history and the exceptions that are in it."""
    with _steps("making") as advance:
        exceptions = make_files(lines, seed, out, truth, on_progress=advance)
    say(f"About {lines:,} order lines in {out}; the {exceptions:,} exceptions in them stand in {truth}.")


@contextmanager
def _steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that opens when it is told of how many steps none is done yet."""
    with ExitStack() as bars:
        advance: list[Callable[[], None]] = []

        def told(done: int, total: int) -> None:
            if done:
                advance[0]()
            else:
                advance.append(bars.enter_context(progress(what, total)))

        yield told
