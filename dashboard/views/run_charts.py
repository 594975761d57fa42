"""Charts over many runs: how they ended, and how long people took to decide, day by day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt

from dashboard.text import words
from dashboard.views.runs import STATES

HEIGHT_PX = 180
#: of the states, in their order: waiting and what needs attention warm, what is done calm; on light as on dark
_COLOURS = ("#5b93d8", "#9cc3f5", "#d6526b", "#2f9e6e", "#9bb8a8", "#9a9aa6", "#e0a33a", "#7a4b52")
#: the largest unit in which the longest time is at least two: name, seconds
_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


def outcome_chart(by_day: Sequence[Mapping[str, Any]], days: tuple[date, date]) -> alt.Chart:
    """Runs a day, by how they stand: [{"day", "outcome", "runs"}]. `days` are the first and the last to show."""
    rows = [
        {"day": _local(row["day"]), "state": words(row["outcome"]), "runs": row["runs"], "order": STATES.index(row["outcome"])}
        for row in by_day
    ]
    present = {row["outcome"] for row in by_day}
    names = [words(state) for state in STATES if state in present]
    colours = [colour for state, colour in zip(STATES, _COLOURS, strict=True) if state in present]
    chart: alt.Chart = (
        alt.Chart({"values": rows})
        .mark_bar(binSpacing=0.5)
        .encode(
            x=_days(days),
            y=alt.Y("runs:Q", title="runs started", axis=alt.Axis(tickMinStep=1, tickCount=4)),
            color=alt.Color("state:N", title=None, scale=alt.Scale(domain=names, range=colours), legend=_legend()),
            order=alt.Order("order:Q"),
            tooltip=[alt.Tooltip("day:T", format="%Y-%m-%d"), "state:N", "runs:Q"],
        )
        .properties(height=HEIGHT_PX)
    )
    return chart


def decision_chart(by_day: Sequence[Mapping[str, Any]], days: tuple[date, date]) -> alt.Chart:
    """Time from proposal to decision, by the day of the decision: the median, and what nine of ten took at most.

    `by_day` is [{"day", "median_s", "p90_s", "decisions"}].
    """
    unit, size = unit_for([row["p90_s"] for row in by_day])
    rows = [
        {"day": _local(row["day"]), "what": what, "time": row[key] / size, "decisions": row["decisions"]}
        for row in by_day
        for what, key in (("median", "median_s"), ("9 of 10 within", "p90_s"))
    ]
    colours = alt.Scale(domain=["median", "9 of 10 within"], range=["#3b82d6", "#e0a33a"])
    told = [alt.Tooltip("day:T", format="%Y-%m-%d"), "what:N", alt.Tooltip("time:Q", format=".1f", title=unit), "decisions:Q"]
    chart: alt.Chart = (
        alt.Chart({"values": rows})
        .mark_line(point=alt.OverlayMarkDef(size=24), strokeWidth=2)
        .encode(
            x=_days(days),
            y=alt.Y("time:Q", title=f"to decide, {unit}", axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=True)),
            color=alt.Color("what:N", title=None, scale=colours, legend=_legend()),
            tooltip=told,
        )
        .properties(height=HEIGHT_PX)
    )
    return chart


def unit_for(seconds: Sequence[float]) -> tuple[str, int]:
    """The unit, and its seconds, in which the longest is readable."""
    longest = max(seconds, default=0.0)
    return next(((name, size) for name, size in _UNITS if longest >= 2 * size), _UNITS[-1])


def _legend() -> alt.Legend:
    return alt.Legend(orient="top", direction="horizontal", symbolSize=60, offset=2, padding=0)


def _days(days: tuple[date, date]) -> alt.X:
    shown = alt.Scale(domain=[_local(days[0]), _local(days[1] + timedelta(days=1))])
    axis = alt.Axis(format="%d %b", labelOverlap=True, labelFlush=True, tickCount=8)
    return alt.X("yearmonthdate(day):T", title=None, scale=shown, axis=axis)


def _local(day: date) -> str:
    """Midnight where the browser is: a bare date would be read as midnight in UTC."""
    return f"{day.isoformat()}T00:00:00"
