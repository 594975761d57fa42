"""Runs: search, counts and times over time, and a page of the runs found. What is asked for stands in the address."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo, available_timezones

import altair as alt
import streamlit as st
from markupsafe import Markup

from dashboard import handing_in
from dashboard.company import company
from dashboard.markup import label, show
from dashboard.pages.run import OUTCOME_KINDS
from dashboard.rail import took
from dashboard.visitor import enter
from ledger.canonical import utc_now
from ledger.queries import RunFilter, RunPage
from ledger.records import Outcome, Run, RunStatus
from rendering import chip, clock, html_table, joined, markup, plain, words

#: how a run stands: its outcome where it is closed
STATES: tuple[str, ...] = ("waiting", "running", "incident", *get_args(Outcome))
#: days back from today, today among them; None goes back to the first
PERIODS: Mapping[str, int | None] = {"7 days": 7, "30 days": 30, "90 days": 90, "year": 365, "all": None}
#: from one day to another
DATES = "dates"
#: the first and the last day that can be asked for
DAYS = (date(2000, 1, 1), date(2099, 12, 31))
HEIGHT_PX = 180
#: of the states, in their order: waiting and what needs attention warm, what is done calm; on light as on dark
_COLORS = ("#5b93d8", "#9cc3f5", "#d6526b", "#2f9e6e", "#9bb8a8", "#9a9aa6", "#e0a33a", "#7a4b52")
#: the largest unit in which the longest time is at least two: name, seconds
_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
#: runs on a page
ROWS = 50
#: what is asked for, by the keys of the widgets and the names in the address, with what asks for nothing
_NOTHING: Mapping[str, Any] = {
    "find": "", "mission": "", "verdict": "", "state": "", "by": "", "period": "30 days", "from": None, "to": None, "page": 1,
}  # fmt: skip


def valid_zone(name: str | None) -> str:
    """The name of a zone of time that the browser names, if there is such a zone, else UTC."""
    return name if name in available_timezones() else "UTC"


def read_back(key: str, given: str) -> str | int | date | None:
    """What stands in the address under the key of a filter; what cannot be read asks for nothing."""
    if key in ("from", "to"):
        try:
            day = date.fromisoformat(given)
        except ValueError:
            return None
        return day if DAYS[0] <= day <= DAYS[1] else None
    if key == "page":
        return max(1, int(given)) if given.isdecimal() and len(given) < 7 else 1
    if key == "period":
        return given if given in (*PERIODS, DATES) else "30 days"
    return given


def run_filter(
    *, text: str = "", mission: str = "", verdict: str = "", state: str = "", person: str = "", period: str = "30 days",
    between: tuple[date | None, date | None] = (None, None), zone: str = "UTC", today: date,
) -> RunFilter:  # fmt: skip
    """The filter for what was chosen. `between` counts with the period "dates" only; both days are in it."""
    days = PERIODS.get(period, 30)
    first, last = between if period == DATES else (today - timedelta(days=days - 1) if days else None, None)
    is_status = state in get_args(RunStatus)
    return RunFilter(
        text=text.strip(), mission=mission, verdict=verdict,
        status=state if is_status else "", outcome="" if is_status else state,
        person=person, since=_midnight(first, zone), until=_midnight(last + timedelta(days=1) if last else None, zone),
    )  # fmt: skip


def days_shown(wanted: RunFilter, found: Sequence[Mapping[str, Any]], zone: str, today: date) -> tuple[date, date]:
    """The first and the last day of the charts: of the filter, or of what was found where it has no end."""
    first, last = wanted.since, wanted.until
    return (
        first.astimezone(ZoneInfo(zone)).date() if first else min((row["day"] for row in found), default=today),
        (last - timedelta(days=1)).astimezone(ZoneInfo(zone)).date() if last else today,
    )


def _midnight(day: date | None, zone: str) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), ZoneInfo(zone))


def run_table(runs: Sequence[Run], zone: str) -> Markup:
    """Rows of one height each; the links that open them stand beside it."""
    started = markup('<span title="{}">Started</span>', zone)
    columns = {"Mission": "", "Event": "m-dim", "Verdict": "", "State": "", started: "m-num", "Took": "m-num"}
    return html_table("rs-table", {**columns, "Run": "m-mono m-dim"}, (_cells(run, ZoneInfo(zone)) for run in runs))


def _cells(run: Run, zone: ZoneInfo) -> Sequence[Any]:
    state = run.outcome or run.status
    return (
        words(plain(run.event.mission, 60)), words(plain(run.event.name.split(".")[-1], 60)), words(plain(run.verdict or "", 60)),
        chip(words(state), OUTCOME_KINDS.get(state, "")), clock(run.started_at, zone),
        took(run.ended_at - run.started_at) if run.ended_at else "", plain(run.run_id, 60),
    )  # fmt: skip


def counts(by_day: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many runs stand how, in the order of STATES."""
    found: dict[str, int] = {}
    for row in by_day:
        found[row["outcome"]] = found.get(row["outcome"], 0) + row["runs"]
    return {state: found[state] for state in STATES if state in found}


def count_strip(total: int, counted: Mapping[str, int], decisions: int) -> Markup:
    """The numbers above the charts."""
    numbers = [
        ("plain", total, "run" if total == 1 else "runs"),
        *((OUTCOME_KINDS.get(state, "plain"), number, words(state)) for state, number in counted.items()),
        ("plain", decisions, "decision" if decisions == 1 else "decisions"),
    ]
    template = '<div class="rs-count rs-{}"><b>{:,}</b><span>{}</span></div>'
    return markup('<div class="rs-counts">{}</div>', joined(markup(template, *number) for number in numbers))


def outcome_chart(by_day: Sequence[Mapping[str, Any]], days: tuple[date, date]) -> alt.Chart:
    """Runs a day, by how they stand: [{"day", "outcome", "runs"}]. `days` are the first and the last to show."""
    rows = [
        {"day": _local(row["day"]), "state": words(row["outcome"]), "runs": row["runs"], "order": STATES.index(row["outcome"])}
        for row in by_day
    ]
    present = {row["outcome"] for row in by_day}
    colors = {words(state): color for state, color in zip(STATES, _COLORS, strict=True) if state in present}
    y = alt.Y("runs:Q", title="runs started", axis=alt.Axis(tickMinStep=1, tickCount=4))
    chart = _chart(rows, days, y, "state", colors, ["runs:Q"])
    return cast(alt.Chart, chart.mark_bar(binSpacing=0.5).encode(order=alt.Order("order:Q")))


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
    y = alt.Y("time:Q", title=f"to decide, {unit}", axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=True))
    tooltip = [alt.Tooltip("time:Q", format=".1f", title=unit), "decisions:Q"]
    chart = _chart(rows, days, y, "what", {"median": "#3b82d6", "9 of 10 within": "#e0a33a"}, tooltip)
    return cast(alt.Chart, chart.mark_line(point=alt.OverlayMarkDef(size=24), strokeWidth=2))


def _chart(
    rows: list[dict[str, Any]], days: tuple[date, date], y: alt.Y, split_by: str, colors: Mapping[str, str], tooltip: list[Any]
) -> Any:
    """Something a day, split by a field whose values have these colors."""
    domain = alt.Scale(domain=[_local(days[0]), _local(days[1] + timedelta(days=1))])
    axis = alt.Axis(format="%b %-d", labelOverlap=True, labelFlush=True, tickCount=8)
    legend = alt.Legend(orient="top", direction="horizontal", symbolSize=60, offset=2, padding=0)
    scale = alt.Scale(domain=list(colors), range=list(colors.values()))
    return alt.Chart({"values": rows}, height=HEIGHT_PX).encode(
        x=alt.X("yearmonthdate(day):T", title=None, scale=domain, axis=axis), y=y,
        color=alt.Color(f"{split_by}:N", title=None, scale=scale, legend=legend),
        tooltip=[alt.Tooltip("day:T", format="%b %-d, %Y"), f"{split_by}:N", *tooltip],
    )  # fmt: skip


def unit_for(seconds: Sequence[float]) -> tuple[str, int]:
    """The unit, and its seconds, in which the longest is readable."""
    longest = max(seconds, default=0.0)
    return next(((name, size) for name, size in _UNITS if longest >= 2 * size), _UNITS[-1])


def _local(day: date) -> str:
    """Midnight where the browser is: a bare date would be read as midnight in UTC."""
    return f"{day.isoformat()}T00:00:00"


def draw() -> None:
    """The page."""
    person = enter("read")
    zone = valid_zone(st.context.timezone)
    today = utc_now().astimezone(ZoneInfo(zone)).date()
    _recall()
    wanted = _asked(zone, today)
    _figures(wanted, zone, today)
    handing_in.draw(person)
    _rows(wanted, zone)


def _recall() -> None:
    """Take what is asked for from the address; whoever comes back from a run finds the search that led there."""
    given = {key: st.query_params[key] for key in _NOTHING if key in st.query_params}
    kept: Mapping[str, str] = st.session_state.get("runs_asked", {})
    if "find" not in st.session_state:  # they come from another page, or reload
        given = given or dict(kept)
    elif given == kept:
        return
    for key, nothing in _NOTHING.items():
        st.session_state[key] = read_back(key, given[key]) if key in given else nothing


def _remember() -> None:
    """Write what is asked for into the address."""
    chosen = st.session_state
    asked = {key: str(chosen[key]) for key, nothing in _NOTHING.items() if chosen.get(key, nothing) != nothing}
    st.session_state["runs_asked"] = asked
    if {key: st.query_params[key] for key in st.query_params} != asked:
        st.query_params.from_dict(asked)


def _first_page() -> None:
    st.session_state["page"] = 1


@st.fragment
def _rows(wanted: RunFilter, zone: str) -> None:
    """A page of runs; the next one is asked for without the figures above."""
    enter("read")
    number, found = _found(wanted)
    if not found.runs:
        st.text("No run is like that. Take a filter away, or choose a longer time.")
        _remember()
        return
    with st.container(key="runs_rows"):
        links, rows = st.columns([1, 6.5], gap=None)
        with links, st.container(gap=None, key="runs_links"):
            st.text("Subject")
            page = st.session_state["pages"]["run"]
            for run in found.runs:
                st.page_link(page, label=label(run.event.subject, 60), query_params={"run": run.run_id})
        with rows:
            show(run_table(found.runs, zone))
    _pages(number, found.total, zone)
    _remember()


def _asked(zone: str, today: date) -> RunFilter:
    """The filters, each in the widget of its key."""
    packs = company().runtime.context.packs
    with st.container(key="runs_filters"):
        find, missions, verdicts, states, people = st.columns([1.5, 1.2, 1.2, 1, 1])
        hint = "Subject or r-1a2b…"
        text = find.text_input("Subject or run", key="find", placeholder=hint, icon=":material/search:", on_change=_first_page)
        with missions:
            mission = _choice("Mission", "mission", sorted(packs))
        known = packs[mission].verdicts if mission in packs else {name for pack in packs.values() for name in pack.verdicts}
        with verdicts:
            verdict = _choice("Verdict", "verdict", sorted(known))
        with states:
            state = _choice("State", "state", list(STATES))
        with people:
            names = [person.name for person in company().ledger.people() if person.role != "customer"]
            person = _choice("Decided by", "by", names, plain)
        period, between = _period()
    return run_filter(
        text=text or "", mission=mission, verdict=verdict, state=state, person=person, period=period, between=between, zone=zone,
        today=today,
    )  # fmt: skip


def _choice(name: str, key: str, options: list[str], shown: Callable[[str], str] = words) -> str:
    if st.session_state[key] not in options:
        st.session_state[key] = ""
    titles = {"": "any", **{one: shown(one) for one in options}}
    return st.selectbox(name, list(titles), key=key, format_func=titles.__getitem__, on_change=_first_page) or ""


def _period() -> tuple[str, tuple[date | None, date | None]]:
    with st.container(horizontal=True, vertical_alignment="center", key="runs_period"):
        period = st.segmented_control(
            "Started", [*PERIODS, DATES], required=True, key="period", on_change=_first_page, label_visibility="collapsed"
        )
        if period != DATES:
            return period or "30 days", (None, None)
        first = st.date_input("From", None, *DAYS, key="from", on_change=_first_page, width=150, format="MM/DD/YYYY")
        last = st.date_input("To", None, *DAYS, key="to", on_change=_first_page, width=150, format="MM/DD/YYYY")
        return period, (first, last)


def _figures(wanted: RunFilter, zone: str, today: date) -> None:
    desk = company().desk
    outcomes, times = desk.outcomes(wanted, zone), desk.decision_times(wanted, zone)
    counted = counts(outcomes)
    show(count_strip(sum(counted.values()), counted, sum(row["decisions"] for row in times)))
    if not outcomes:
        return
    days = days_shown(wanted, [*outcomes, *times], zone, today)
    left, right = st.columns(2, gap="medium")
    left.altair_chart(outcome_chart(outcomes, days), alt="Runs a day by how they stand")
    if times:
        right.altair_chart(decision_chart(times, days), alt="Time to decide a day")
    else:
        right.text("No one decided anything in these runs.")


def _found(wanted: RunFilter) -> tuple[int, RunPage]:
    """The number of the page, and the page; a number from an older search may be past the end."""
    number: int = st.session_state.get("page", 1)
    found = company().desk.search(wanted, (number - 1) * ROWS, ROWS)
    if found.runs or number == 1:
        return number, found
    st.session_state["page"] = 1
    return 1, company().desk.search(wanted, 0, ROWS)


def _pages(number: int, total: int, zone: str) -> None:
    pages = -(-total // ROWS)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        first = (number - 1) * ROWS + 1
        st.text(f"{first:,} to {min(total, first + ROWS - 1):,} of {total:,} · times in {zone.replace('_', ' ')}")
        if pages > 1:
            st.pagination(pages, key="page")
