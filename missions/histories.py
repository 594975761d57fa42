"""Histories of orders: an export that is read, one that is made up, and the exceptions in either."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from evals import backtest as backtesting
from evals import history
from evals.backtest import Backtest
from evals.history.importing import import_exports
from evals.history.making import compare, make
from evals.history.mapping import ExportMapping
from evals.history.profile import Profile
from evals.history.scanning import ScanResult, ScanThresholds
from missions.opened import opened
from missions.progress import progress
from rendering import Displayable, Part, frame, table


@dataclass(frozen=True)
class Export(Displayable):
    """An export of orders as it was read; shows what stands in it and what is missing."""

    #: the history (parquet), which `scan` and `backtest` take; of this process alone, unless `out` was given
    file: Path
    profile: Profile

    @property
    def mapping(self) -> ExportMapping:
        """How it was read; `mapping.dump(path)` writes it, to be corrected and given to `read_export`."""
        return self.profile.mapping

    def frame(self) -> pd.DataFrame:
        """The orders, in the columns of docs/history.md: money in minor units, moments in UTC."""
        return pd.read_parquet(self.file)

    def parts(self) -> Iterator[Part]:
        """How each column was read and why, and what is to be known of it."""
        columns = self.mapping.columns.items()
        yield table(
            [
                {"ours": ours, "column": theirs[0], "because": self.profile.because.get(ours, self.mapping.layout)}
                for ours, theirs in columns
            ]
        )
        yield from self.profile.sentences()


@dataclass(frozen=True)
class MadeHistory:
    """A made-up history in which every exception is known."""

    orders: pd.DataFrame = field(repr=False)
    #: kind, subject, other_id
    truth: pd.DataFrame = field(repr=False)

    def measure(self, found: ScanResult) -> pd.DataFrame:
        """A row a kind: true, found, hits, recall and precision (0 to 1) of a scan of `orders`."""
        counts = compare(found.frame(), self.truth).items()
        rows = [{"kind": kind, **vars(one), "recall": one.recall, "precision": one.precision} for kind, one in counts]
        measured: pd.DataFrame = frame(rows, ["kind"]).set_index("kind")
        return measured


def read_export(
    files: Path | str | Sequence[Path | str], mapping: Path | str | None = None, out: Path | str | None = None
) -> Export:
    """An export of a shop: CSV, TSV, XLSX, JSON lines or parquet, or several files of one kind.

    >>> export = ms.read_export("orders.csv")
    >>> ms.scan(export)

    Args:
        mapping: a file that says how it is read (docs/history.md); guessed from names and values unless given.
        out: where the history goes (parquet); to a file of this process unless given.

    Raises BadInput with file, row and remedy.
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(one) for one in files]
    file = Path(out) if out is not None else Path(opened.enter_context(TemporaryDirectory())) / "orders.parquet"
    return Export(file, import_exports(paths, file, ExportMapping.load(Path(mapping)) if mapping else None))


def made_history(lines: int, seed: int = 0) -> MadeHistory:
    """A history of about so many order lines, at least 10,000, with exceptions, and with what looks like one and is none.

    The same seed gives the same history. Raises BadInput for a number of lines that it cannot be made of.
    """
    return MadeHistory(*make(lines, seed))


def scan(
    orders: pd.DataFrame | Path | str | Export, *, thresholds: ScanThresholds | None = None, as_of: datetime | None = None
) -> ScanResult:
    """The exceptions in a history of orders: a frame, an export, or a parquet file of any size (`missions history import`).

    >>> found = ms.scan(orders)
    >>> found.frame()                # a row an exception; money in cents, moments in UTC
    >>> found.plot()                 # by month and kind
    >>> ms.run(found.frame())        # Missions on those that one handles

    Args:
        orders: docs/history.md has its columns. Moments without a zone are UTC.
        thresholds: of the definitions; those of the policies in force at `as_of` unless given.
        as_of: the moment at which the cases are looked at; now unless given.

    Raises BadInput for a history that cannot be read or holds what cannot be reckoned with.
    """
    with progress() as on_done:
        return history.scan(_rows(orders), thresholds=thresholds, as_of=as_of, trusted=True, on_progress=on_done)


def backtest(
    orders: pd.DataFrame | Path | str | Export, *, as_of: datetime | None = None, workers: int | None = None
) -> Backtest:
    """Missions on the exceptions of a history, each as it was known at its moment, and what the history really did next.

    >>> found = ms.backtest(export)
    >>> found.frame()[["kind", "subject", "verdict", "judged"]]
    >>> found.plot()

    Args:
        orders: as for `scan`.
        as_of: policies that are in force then are used for all of it; now unless given.
        workers: processes; one unless given.

    Raises BadInput for a history that cannot be read, and Stuck for a case that would be an incident.
    """
    with progress() as on_done:
        return backtesting.backtest(
            _rows(orders), as_of=as_of, workers=workers, trusted=True, on_progress=lambda _, done, of: on_done(done, of)
        )


def _rows(orders: pd.DataFrame | Path | str | Export) -> pd.DataFrame | Path | str:
    return orders.file if isinstance(orders, Export) else orders
