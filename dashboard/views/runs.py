"""Runs found: what is asked for in the address as a filter, the rows, the counts, and the figures behind the charts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo, available_timezones

from markupsafe import Markup

from dashboard.markup import chip, joined, markup
from dashboard.text import plain, words
from dashboard.views.rail import took
from dashboard.views.run import OUTCOME_KINDS
from ledger.listed import RunFilter
from ledger.records import Outcome, Run, RunStatus

#: how a run stands: its outcome where it is closed
STATES: tuple[str, ...] = ("waiting", "running", "incident", *get_args(Outcome))
#: days back from today, today among them; None goes back to the first
PERIODS: Mapping[str, int | None] = {"7 days": 7, "30 days": 30, "90 days": 90, "year": 365, "all": None}
#: from one day to another
DATES = "dates"
#: the first and the last day that can be asked for
DAYS = (date(2000, 1, 1), date(2099, 12, 31))


def valid_zone(name: str | None) -> str:
    """The name of a zone of time that the browser told, if there is such a zone, else UTC."""
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
    *,
    text: str = "",
    mission: str = "",
    verdict: str = "",
    state: str = "",
    person: str = "",
    period: str = "30 days",
    between: tuple[date | None, date | None] = (None, None),
    zone: str = "UTC",
    today: date,
) -> RunFilter:
    """The filter for what was chosen. `between` counts with the period "dates" only; both days are in it."""
    first, last = between if period == DATES else (_first(period, today), None)
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


def _first(period: str, today: date) -> date | None:
    days = PERIODS.get(period, 30)
    return None if days is None else today - timedelta(days=days - 1)


def _midnight(day: date | None, zone: str) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), ZoneInfo(zone))


def run_table(runs: Sequence[Run], zone: str) -> Markup:
    """Rows of one height each; the links that open them stand beside it."""
    return markup(
        '<table class="rs-table"><thead><tr><th>Mission</th><th>Event</th><th>Verdict</th><th>State</th>'
        '<th class="m-num" title="{}">Started</th><th class="m-num">Took</th><th>Run</th></tr></thead><tbody>{}</tbody></table>',
        zone, joined(_row(run, ZoneInfo(zone)) for run in runs),
    )  # fmt: skip


def _row(run: Run, zone: ZoneInfo) -> Markup:
    state = run.outcome or run.status
    lasted = took(run.ended_at - run.started_at) if run.ended_at else ""
    return markup(
        '<tr><td>{}</td><td class="m-dim">{}</td><td>{}</td><td>{}</td><td class="m-num">{:%Y-%m-%d %H:%M}</td>'
        '<td class="m-num">{}</td><td class="m-mono m-dim">{}</td></tr>',
        words(plain(run.event.mission, 60)), plain(run.event.name.split(".")[-1].replace("_", " "), 60),
        words(plain(run.verdict or "", 60)), chip(words(state), OUTCOME_KINDS.get(state, "")), run.started_at.astimezone(zone),
        lasted, plain(run.run_id, 60),
    )  # fmt: skip


def counts(by_day: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many runs stand how, in the order of STATES."""
    found: dict[str, int] = {}
    for row in by_day:
        found[row["outcome"]] = found.get(row["outcome"], 0) + row["runs"]
    return {state: found[state] for state in STATES if state in found}


def count_strip(total: int, counted: Mapping[str, int], decisions: int) -> Markup:
    """The numbers above the charts."""
    pieces = [_number(total, "run" if total == 1 else "runs", "")]
    pieces += [_number(number, words(state), OUTCOME_KINDS.get(state, "")) for state, number in counted.items()]
    pieces.append(_number(decisions, "decision" if decisions == 1 else "decisions", ""))
    return markup('<div class="rs-counts">{}</div>', joined(pieces))


def _number(number: int, what: str, kind: str) -> Markup:
    return markup('<div class="rs-count rs-{}"><b>{:,}</b><span>{}</span></div>', kind or "plain", number, what)
