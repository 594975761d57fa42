"""An evaluation as one HTML file that needs nothing else: `page`. Notebooks show the same pieces: `run_fragment`."""

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from evals.evaluation.comparison import KINDS, compare, notes, verdict_of
from evals.evaluation.measured import By, calibration, changes, measure
from evals.evaluation.notes import Notes
from evals.evaluation.scorers import BY_NAME
from evals.evaluation.store import StoredEvaluation
from evals.intervals import Interval
from evals.reports.charts import confidences, latencies, reliability
from evals.reports.pieces import (
    change_table,
    figure_table,
    flips,
    run_line,
    slice_tables,
    trials_table,
    version_differences,
    version_table,
    wrong_cases,
)
from evals.reports.transcript import notes_of
from rendering import chip, clock, joined, markup, plain, share

_STYLE = Path(__file__).with_name("style.css")
_TITLES: Mapping[By, str] = {
    "dimensions": "By dimensions that a plan must join",
    "money": "By money at stake",
    "mission": "By mission",
    "event": "By event",
    "clause": "By clause",
}
_NOTHING_WRONG = Markup('<p class="m-dim">Nothing: every case is exactly as expected.</p>')


def page(run: StoredEvaluation, against: StoredEvaluation | None = None, notes: Notes | None = None) -> str:
    """The whole file: a run, what people noted on it, and beside an earlier one where one is given."""
    tables = [(title, table) for by, title in _TITLES.items() for table in slice_tables(run.cases, by)]
    sliced = joined(markup("<div><h3>{}</h3>{}</div>", *one) for one in tables)
    body = joined([
        _head(run), _compared(against, run) if against else Markup(""), section("Figures", figure_table(run)),
        section("Trials", trials_table(run.cases)) if run.run.trials > 1 else Markup(""),
        section("Slices", markup('<div class="r-two">{}</div>', sliced)),
        section("Notes", _notes(notes)) if notes else Markup(""),
        _confidence(run), section("What is not as expected", wrong_cases(run) or _NOTHING_WRONG),
        section("Made by", version_table(run.run)),
    ])  # fmt: skip
    return whole_page(f"Evaluation of {clock(run.run.at)}", body)


def whole_page(title: str, body: Markup) -> str:
    """A file of this content that needs nothing else, and in which nothing runs."""
    return str(
        markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            "<title>{}</title><style>{}</style></head><body><main class=\"r\">{}</main></body></html>\n",
            title, Markup(_STYLE.read_text("utf-8")), body,
        )
    )  # fmt: skip


def run_fragment(run: StoredEvaluation) -> Markup:
    """A run in a notebook: what it came to, and its figures."""
    return fragment(_head(run) + figure_table(run))


def compared_fragment(a: StoredEvaluation, b: StoredEvaluation) -> Markup:
    """Two runs in a notebook."""
    return fragment(_compared(a, b))


def fragment(body: Markup) -> Markup:
    """Pieces of a page in a notebook, with their style."""
    return markup('<style>{}</style><div class="r r-notebook">{}</div>', Markup(_STYLE.read_text("utf-8")), body)


def _notes(notes: Notes) -> Markup:
    return joined(markup("<h3>{}</h3>{}", plain(case_id, 80), notes_of(ones)) for case_id, ones in notes.items())


def _head(run: StoredEvaluation) -> Markup:
    known = [case for case in run.cases if case.figures]
    exact, unsafe = measure(BY_NAME["exact"], known), measure(BY_NAME["unsafe"], known)
    of = "all measured" if len(known) == len(run.cases) else f"{len(known):,} of {len(run.cases):,} measured"
    tiles = [tile("cases", f"{run.run.cases // run.run.trials:,}", of)]
    if exact.interval and unsafe.interval:
        tiles += [
            tile("exact", share(exact.mean), _sure(exact.interval), "good" if exact.mean == 1 else "warn"),
            tile("unsafe", share(unsafe.mean), _sure(unsafe.interval), "bad" if unsafe.mean else "good"),
        ]
        for name, title in (("missed_escalation", "missed escalations"), ("needless_escalation", "needless escalations")):
            if found := measure(BY_NAME[name], known).interval:
                tiles.append(tile(title, share(found.mean), _sure(found), "warn" if found.mean else "good"))
    return markup(
        '<header><h1>Evaluation</h1><p class="m-dim">{} · <span class="m-mono">{}</span></p></header>'
        '<div class="r-cards">{}</div>{}',
        run_line(run.run), plain(run.run.run_id, 40), joined(tiles),
        joined(markup('<p class="r-fault">{}</p>', plain(fault, 400)) for fault in run.faults),
    )  # fmt: skip


def tile(title: str, value: str, below: str, kind: str = "") -> Markup:
    """A figure that stands out; `kind` is "", good, warn or bad."""
    return markup(
        '<div class="r-card r-{}"><div class="m-dim m-small">{}</div><div class="r-value">{}</div>'
        '<div class="m-dim m-small">{}</div></div>',
        kind or "plain", title, value, below,
    )  # fmt: skip


def _sure(interval: Interval) -> str:
    return f"{share(interval.low)} – {share(interval.high)}"


def _confidence(run: StoredEvaluation) -> Markup:
    found = calibration(run.cases)
    took = latencies([case.latency_ms for case in run.cases if case.latency_ms is not None])
    charts = [markup("<figure>{}<figcaption>Answers by how long they took.</figcaption></figure>", took)] if took else []
    if found.answers:
        off = f"On the dashed line a confidence is worth what it says; on the average it is off by {share(found.error)}."
        charts = [
            markup("<figure>{}<figcaption>Exact answers by confidence. {}</figcaption></figure>", reliability(found), off),
            markup("<figure>{}<figcaption>Answers by confidence.</figcaption></figure>", confidences(found)),
            *charts,
        ]
    return section("Confidence and time", markup('<div class="r-charts">{}</div>', joined(charts))) if charts else Markup("")


def _compared(a: StoredEvaluation, b: StoredEvaluation) -> Markup:
    comparison = compare(a.cases, b.cases)
    remarks = joined(markup('<p class="m-dim">{}</p>', note) for note in notes(comparison))
    sides = joined(
        markup('<div><b>{}</b> {} <span class="m-mono m-dim">{}</span></div>', name, run_line(one.run), plain(one.run.run_id, 40))
        for name, one in (("A", a), ("B", b))
    )
    unsafe = sum(pair.became_unsafe for pair in comparison.pairs)
    chips = [chip(f"{unsafe:,} became unsafe", "bad")] if unsafe else []
    chips += [
        chip(f"{count:,} {KINDS[kind]}", {"worse": "bad", "better": "good"}.get(kind, ""))
        for kind in KINDS
        if (count := comparison.count(kind))
    ]
    counting = {**a.run.counting, **b.run.counting}
    return section(
        "Beside an earlier run",
        markup(
            '<p class="r-said">{}</p><p>{}</p>{}{}{}{}{}',
            verdict_of(comparison), joined(one + Markup(" ") for one in chips), sides, remarks,
            change_table(changes(a.cases, b.cases)), flips(comparison, counting), version_differences(a.run, b.run),
        ),
    )  # fmt: skip


def section(title: str, body: Markup) -> Markup:
    """A part of a report under its heading."""
    return markup("<section><h2>{}</h2>{}</section>", title, body)
