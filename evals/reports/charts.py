"""Charts as inline SVG: colours come from the style sheet by class, so that they follow light, dark and paper.

Every chart has a title for who cannot see it. Numbers are made here; no text from outside is in them.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log10, sqrt

from markupsafe import Markup

from evals.evaluation.measured import Calibration
from evals.intervals import Interval
from rendering import joined, markup

_WIDTH, _HEIGHT = 340, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 10, 36
_BINS = 28
#: columns with their name below them
_NAMED = 6


def strip(interval: Interval | None, width: int = 150) -> Markup:
    """A share from 0 to 1 as a dot on a line `width` pixels wide, with its interval; nothing of nothing."""
    if interval is None:
        return Markup("")
    low, mean, high = (_px(4 + value * (width - 8)) for value in (interval.low, interval.mean, interval.high))
    summary = f"{interval.mean:.4f}, 95% interval {interval.low:.4f} to {interval.high:.4f}"
    return markup(
        '<svg class="r-strip" viewBox="0 0 {0} 14" width="{0}" height="14" role="img"><title>{1}</title>'
        '<line class="r-track" x1="4" x2="{2}" y1="7" y2="7"/><line class="r-range" x1="{3}" x2="{4}" y1="7" y2="7"/>'
        '<circle class="r-dot" cx="{5}" cy="7" r="3.5"/></svg>',
        width, summary, width - 4, low, high, mean,
    )  # fmt: skip


def reliability(found: Calibration) -> Markup:
    """The share of exact answers by their confidence: on the diagonal it is worth what it says; a dot's area is its answers."""
    most = max((one.answers for one in found.bins), default=1) or 1
    dots = [Markup("")]
    for one in found.bins:
        if one.confidence is None or one.exact is None:
            continue
        x, radius = _px(_x(one.confidence)), _px(3 + 7 * sqrt(one.answers / most))
        summary = f"{one.answers:,} answers: confidence {one.confidence:.2f}, exact {one.exact.mean:.2f}"
        low, mean, high = (_px(_y(value)) for value in (one.exact.low, one.exact.mean, one.exact.high))
        dot = markup(
            '<g><title>{0}</title><line class="r-range" x1="{1}" x2="{1}" y1="{2}" y2="{3}"/>'
            '<circle class="r-dot" cx="{1}" cy="{4}" r="{5}"/></g>',
            summary, x, low, high, mean, radius,
        )  # fmt: skip
        dots.append(dot)
    ticks = [value / 4 for value in range(5)]
    diagonal = markup('<line class="r-ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>', *map(_px, (_x(0), _y(0), _x(1), _y(1))))
    return _framed(
        "Share of exact answers by confidence", "confidence", diagonal + joined(dots),
        [(_x(value), f"{value:.0%}") for value in ticks], [(_y(value), f"{value:.0%}") for value in ticks],
    )  # fmt: skip


def confidences(found: Calibration) -> Markup:
    """How many answers were given with which confidence."""
    counts = [one.answers for one in found.bins]
    edges = [0.0, *(one.high for one in found.bins)]
    ticks = [(_x(value / 4), f"{value / 4:.0%}") for value in range(5)]
    return _histogram("Answers by confidence", "confidence", counts, [_x(edge) for edge in edges], ticks)


def latencies(milliseconds: Sequence[float]) -> Markup:
    """How many answers took how long; the axis is logarithmic."""
    if not milliseconds:
        return Markup("")
    logs = [log10(max(value, 0.01)) for value in milliseconds]
    low, high = floor(min(logs) * 4) / 4, max(ceil(max(logs) * 4) / 4, floor(min(logs) * 4) / 4 + 0.25)
    counts = [0] * _BINS
    for value in logs:
        counts[min(_BINS - 1, int((value - low) / (high - low) * _BINS))] += 1
    decades = [(power, f"{10.0**power:g}") for power in range(floor(low), ceil(high) + 1)]
    steps = [(log10(3 * 10.0**power), f"{3 * 10.0**power:g}") for power in range(floor(low), ceil(high) + 1)]
    ticks = [(_x((at - low) / (high - low)), text) for at, text in sorted([*decades, *steps]) if low <= at <= high]
    return _histogram("Answers by latency", "milliseconds", counts, [_x(place / _BINS) for place in range(_BINS + 1)], ticks)


def columns(title: str, axis: str, values: Mapping[str, int], written: Callable[[int], str]) -> Markup:
    """A column a name, as high as its number, in their order; `written` is a number as people read it. Names are escaped."""
    most, width = max([1, *values.values()]), 1 / max(1, len(values))
    drawn = joined(
        markup(
            '<rect class="r-bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            _px(_x(place * width) + 1), _px(_y(value / most)), _px(_x(width) - _x(0) - 2), _px(_y(0) - _y(value / most)),
            f"{name}: {written(value)}",
        )
        for place, (name, value) in enumerate(values.items())
    )  # fmt: skip
    every = ceil(len(values) / _NAMED)
    ticks = [(_x((place + 0.5) * width), name) for place, name in enumerate(values) if place % every == 0]
    return _framed(title, axis, drawn, ticks, [(_y(share), written(round(most * share))) for share in (0.0, 0.5, 1.0)])


def _histogram(
    title: str, axis: str, counts: Sequence[int], edges: Sequence[float], ticks: Sequence[tuple[float, str]]
) -> Markup:
    most = _round_up(max(counts, default=1) or 1)
    bars = joined(
        markup(
            '<rect class="r-bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            _px(edges[place] + 0.75), _px(_y(count / most)), _px(edges[place + 1] - edges[place] - 1.5),
            _px(_y(0) - _y(count / most)), f"{count:,} answers",
        )
        for place, count in enumerate(counts)
        if count
    )  # fmt: skip
    return _framed(title, axis, bars, ticks, [(_y(share), f"{most * share:,.0f}") for share in (0.0, 0.5, 1.0)])


def _framed(
    title: str, axis: str, drawn: Markup, below: Sequence[tuple[float, str]], beside: Sequence[tuple[float, str]]
) -> Markup:
    """A chart with its axes; ticks are (place in pixels, text)."""
    grid = joined(
        markup(
            '<line class="r-grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
            '<text class="r-tick" x="{3}" y="{4}" text-anchor="end">{5}</text>',
            _LEFT, _WIDTH - _RIGHT, _px(y), _LEFT - 6, _px(y + 4), text,
        )
        for y, text in beside
    )  # fmt: skip
    ticks = joined(
        markup('<text class="r-tick" x="{}" y="{}" text-anchor="middle">{}</text>', _px(x), _HEIGHT - _BOTTOM + 16, text)
        for x, text in below
    )
    name = markup(
        '<text class="r-tick r-axis" x="{}" y="{}" text-anchor="middle">{}</text>',
        (_LEFT + _WIDTH - _RIGHT) / 2,
        _HEIGHT - 3,
        axis,
    )
    return markup(
        '<svg class="r-chart" viewBox="0 0 {} {}" role="img"><title>{}</title>{}{}{}{}</svg>',
        _WIDTH, _HEIGHT, title, grid, ticks, name, drawn,
    )  # fmt: skip


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _px(value: float) -> str:
    return f"{value:.1f}"


def _round_up(value: int) -> int:
    """To two digits that halve: 1, 2, 4, 6, 10, 12 … 520 → 540."""
    unit = 2 * int(10 ** max(0, len(str(value)) - 2))
    return max(2, -(-value // unit) * unit)
