"""Moments as ISO 8601 text with a Z, as the systems give them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

SECONDS_PER_DAY = 86_400


@lru_cache(maxsize=50_000)
def moment(text: str) -> datetime:
    """The moment that an ISO 8601 text names. Raises ValueError for anything else, and for one without a zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return parsed


def days_between(earlier: str, later: str) -> float:
    """Exact 24-hour spans from one moment to another; negative if `later` comes first."""
    return (moment(later) - moment(earlier)).total_seconds() / SECONDS_PER_DAY


def latest(records: Sequence[Mapping[str, Any]], field: str) -> Mapping[str, Any] | None:
    """The record whose moment in `field` is the latest, the first of equals; None of no records."""
    newest: Mapping[str, Any] | None = None
    for record in records:
        if newest is None or moment(record[field]) > moment(newest[field]):
            newest = record
    return newest


def earliest(records: Sequence[Mapping[str, Any]], field: str) -> Mapping[str, Any] | None:
    """The record whose moment in `field` is the earliest, the first of equals; None of no records."""
    return min(records, key=lambda record: moment(record[field]), default=None)
