"""What a change of policies, tiers or packs would do to recorded exceptions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evals.what_if import comparing
from evals.what_if.answer import Sweep, WhatIf
from knowledge_index.policies import PolicyBook
from missions.cases import Source, cases
from missions.opened import Packs, in_folder
from missions.progress import progress


def what_if(
    changes: Mapping[str, Any] | None = None,
    cases_of: Source = None,
    *,
    policies: PolicyBook | Path | None = None,
    packs: Packs | None = None,
    as_of: datetime | None = None,
    history: Path | None = None,
) -> WhatIf:
    """Which cases would be answered otherwise, which way, and what money that moves.

    >>> found = ms.what_if({"FRD-2.elevated": 0.6}, "order_exception")
    >>> found.frame()                  # a row a case that flips; money in cents
    >>> found.plot()
    >>> found.explain("dev-ord-0007")  # both answers

    Args:
        changes: path -> value of a clause, or tier of an action: {"FRD-2.elevated": 0.8, "tier.cancel_order": "automate"}.
        cases_of: what `cases` takes.
        policies, packs: as for `version`.
        as_of: of both sides that is replayed which is in force then; now unless given.
        history: the orders (parquet) that the cases were found in: it is searched again where the change says what is found.

    Raises BadInput for what does not load, or is not there to be changed.
    """
    with in_folder(packs) as folder, progress() as on_done:
        return comparing.what_if(
            policies, changes=changes, packs=folder, cases=cases(cases_of), as_of=as_of, history=history, on_progress=on_done
        )  # fmt: skip


def sweep(value: str, values: Sequence[Any], cases_of: Source = None, *, changes: Mapping[str, Any] | None = None) -> Sweep:
    """`what_if` for one value of a clause after another; `plot()` draws what is escalated, and the money, over the values.

    >>> ms.sweep("FRD-2.elevated", [0.4, 0.5, 0.6], "order_exception").plot()

    Raises BadInput before anything is replayed, where one of the values cannot be.
    """
    with progress() as on_done:
        return comparing.sweep(value, values, changes=changes, cases=cases(cases_of), on_progress=on_done)
