"""Values as short, harmless text: no control characters, nothing that turns the direction of writing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from harmless import HIDDEN, HIDDEN_IN_LINES


def plain(value: Any, longest: int = 300) -> str:
    """A value as one harmless line of at most `longest` characters."""
    return _cut(HIDDEN.sub(" ", str(value)), longest)


def plain_lines(value: Any, longest: int = 4_000) -> str:
    """A text as harmless lines of at most `longest` characters in all."""
    return _cut(HIDDEN_IN_LINES.sub(" ", str(value).replace("\r\n", "\n")), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def dollars(cents: int) -> str:
    """Cents as $1,234.50."""
    return f"-${-cents / 100:,.2f}" if cents < 0 else f"${cents / 100:,.2f}"


def share(value: float | None) -> str:
    """A share as per cent; never 100% or 0% where it is not quite."""
    if value is None:
        return "–"
    text = f"{value * 100:.1f}"
    if text == "100.0" and value < 1:
        return "> 99.9%"
    if text == "0.0" and value > 0:
        return "< 0.1%"
    return f"{text.removesuffix('.0')}%"


def approver(role: str, four_eyes: bool) -> str:
    """Who must approve: reviewer, 2 × finance, nobody."""
    return "nobody" if role == "none" else f"2 × {role}" if four_eyes else role


def words(name: str) -> str:
    """An identifier as words: fulfil_with_changes → fulfil with changes."""
    return name.replace("_", " ").replace(".", " · ")


def in_words(path: str, value: Any) -> str:
    """A value of a record: yes and no, none, dollars where the path says cents, a record as its fields."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and path.endswith("_cents"):
        return dollars(value)
    if isinstance(value, dict):
        fields = ((str(name), one) for name, one in value.items())
        return plain(", ".join(f"{words(name.removesuffix('_cents'))} {in_words(name, one)}" for name, one in fields), 160)
    if isinstance(value, list):
        return plain(", ".join(in_words(path, one) for one in value), 160) or "none"
    return plain(value, 160)


def span(length: timedelta) -> str:
    """A length of time in its largest unit: 12 s, 4 min, 3 h, 2 d."""
    seconds = abs(length.total_seconds())
    for unit, size, until in (("s", 1, 90), ("min", 60, 5_400), ("h", 3_600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def until(moment: datetime, now: datetime) -> str:
    """How far off a moment is: in 12 min, 3 h ago."""
    return f"in {span(moment - now)}" if moment >= now else f"{span(now - moment)} ago"


def clock(moment: datetime) -> str:
    """A moment in UTC: 2026-03-14 09:30 UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
