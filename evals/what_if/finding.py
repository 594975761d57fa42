"""What a change of policies finds otherwise in a history: some clauses say what is an exception at all.

>>> found_otherwise(Path("orders.parquet"), present, changed, as_of)
Detected(thresholds=('window_minutes',), before={'duplicate': 193}, after={'duplicate': 205})
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from evals.what_if.answer import Detected
from knowledge_index.policies import PolicyBook

_MEMORY_MB = 1_024


def found_otherwise(history: Path | None, present: PolicyBook, changed: PolicyBook, as_of: datetime) -> Detected:
    """Scan a history, where there is one, with the definitions of both; nothing is scanned where they are the same.

    Raises BadInput as `evals.history.scanning.scan` does.
    """
    from evals.history.scanning import ScanThresholds  # here, not above: with its engine of tables

    was, now = ScanThresholds.of(present, as_of), ScanThresholds.of(changed, as_of)
    differing = tuple(name for name, value in was if value != getattr(now, name))
    if not differing or history is None:
        return Detected(thresholds=differing)
    return Detected(thresholds=differing, before=_counts(history, was), after=_counts(history, now))


def _counts(history: Path, thresholds: Any) -> Mapping[str, int]:
    from evals.history.scanning import open_search

    with open_search(history, thresholds, memory_mb=_MEMORY_MB) as search:
        search.find()
        return search.counts
