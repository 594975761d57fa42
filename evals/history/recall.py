"""How what was found compares with what is true, by kind."""

from dataclasses import dataclass

import pandas as pd

_KEY = ["kind", "subject", "other_id"]


@dataclass(frozen=True)
class Hits:
    """Of one kind of exception."""

    true: int
    found: int
    #: found and true
    hits: int

    @property
    def recall(self) -> float:
        """The share of what is true that was found; 1 where nothing is."""
        return self.hits / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        """The share of what was found that is true; 1 where nothing was."""
        return self.hits / self.found if self.found else 1.0


def compare(found: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Hits]:
    """Hits by kind, of two frames with kind, subject and other_id."""
    one, other = (frame[_KEY].fillna("") for frame in (found, truth))
    both = one.merge(other, on=_KEY)
    kinds = sorted({*one["kind"], *other["kind"]})
    counts = [frame["kind"].value_counts() for frame in (other, one, both)]
    return {kind: Hits(*(int(count.get(kind, 0)) for count in counts)) for kind in kinds}
