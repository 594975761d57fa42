"""A backtest as one HTML file that needs nothing else: the page that somebody takes to a board."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from markupsafe import Markup

from evals.backtest.judging import JUDGED, SETTLES_DAYS, Judged
from evals.backtest.running import Backtest
from evals.backtest.tallies import TITLES, WAYS, By, Tally
from evals.history.detectors import DETECTORS, Backtested, Detector, Followed
from evals.intervals import Interval
from evals.reports.page import section, tile, whole_page
from rendering import chip, day, html_table, joined, markup, plain, share, words

_KINDS: Mapping[Judged, str] = {
    "caught": "good", "needless": "warn", "missed": "bad", "rightly let go": "plain", "handed over": "info", "not known": "plain",
}  # fmt: skip
_MEANS: Mapping[Judged, str] = {
    "caught": "It went wrong in the history, and the Mission would have stepped in: proposed, or done, something about it.",
    "needless": "It went well in the history, and the Mission would have stepped in all the same.",
    "missed": "It went wrong, and the Mission would have let it go.",
    "rightly let go": "It went well, and the Mission would have let it go.",
    "handed over": "The Mission would have asked a person to work on it, with what it had gathered: no time is counted as saved.",
    "not known": f"The history does not tell how it ended, or ended within {SETTLES_DAYS} days of it.",
}
_TITLES: Mapping[By, str] = {"kind": "By kind", "month": "By month", "channel": "By channel", "value": "By value of the order"}
_FOLLOWED: Mapping[Followed, str] = {
    "cancelled": "canceled", "refunded": "refunded", "disputed": "disputed by the customer (chargeback)",
    "late": "shipped late, or not at all",
    "never_charged": "shipped and never charged", "charged": "charged", "shipped": "shipped",
    "reordered": "the same goods ordered again within 30 days",
}  # fmt: skip
_WIDTH = 150


def page(found: Backtest) -> str:
    """The whole file."""
    body = joined([
        _head(found), _how_to_read(), *(section(_TITLES[by], _slices(found, by)) for by in WAYS if found.cases),
        _lacking(found), _followed(found), _cannot_know(found), _left_out(found), _made_by(found),
    ])  # fmt: skip
    return whole_page(f"Backtest of {plain(found.history, 80)}", body)


def _head(found: Backtest) -> Markup:
    all_, counts = found.all, found.all.counts
    money = all_.caught_cents
    tiles = [
        tile("caught", f"{counts['caught']:,}", f"{_sure(all_.caught_share)} of what went wrong", "good"),
        tile("value of orders caught", found.rounded(all_.money_cents("caught")), _between(found, money), "good"),
        tile("needless", f"{counts['needless']:,}", f"{_sure(all_.needless_share)} of what it stepped into", "warn"),
        tile(
            "missed",
            f"{counts['missed']:,}",
            f"{_sure(all_.missed_share)} of what went wrong",
            "bad" if counts["missed"] else "good",
        ),
        tile("handed to a person", f"{counts['handed over']:,}", "for what was not known: below"),
        tile("hours of work saved", f"{all_.hours:,.0f}", _hours_between(all_.hours_interval)),
    ]
    return markup(
        '<header><h1>Backtest: what would have happened</h1><p class="m-dim">{} · {} to {} · {} order lines</p></header>'
        '<p class="r-said">{}</p><div class="r-cards">{}</div>'
        '<p class="m-dim m-small">In brackets: 95% intervals, the customers of this history being a sample of those to come.</p>',
        plain(found.history, 120), day(found.begins), day(found.ends), f"{found.lines:,}", found.headline(), joined(tiles),
    )  # fmt: skip


def _sure(interval: Interval | None) -> str:
    return "–" if interval is None else f"{share(interval.mean)} ({share(interval.low)} – {share(interval.high)})"


def _between(found: Backtest, interval: Interval | None) -> str:
    return f"{found.rounded(interval.low)} – {found.rounded(interval.high)}" if interval else "–"


def _hours_between(interval: Interval | None) -> str:
    return f"{interval.low:,.0f} – {interval.high:,.0f}" if interval else "–"


def _how_to_read() -> Markup:
    lines = joined(markup("<p>{} {}</p>", chip(name, _KINDS[name]), means) for name, means in _MEANS.items())
    return section("How to read it", markup(
        "<p>Each exception was put before the Mission as it was known at the moment at which people would have been told, "
        "and nothing from later. What the history really did next says, as well as it can, whether something was wrong.</p>{}",
        lines,
    ))  # fmt: skip


def _slices(found: Backtest, by: By) -> Markup:
    slices = found.tallies(by)
    most = max(len(one.cases) for one in slices)
    columns = {
        _TITLES[by].removeprefix("By ").removesuffix(" of the order"): "", "exceptions": "m-num", "": "", "went wrong": "m-num",
        "caught": "m-num", "needless": "m-num", "missed": "m-num", "rightly let go": "m-num",
        "handed over": "m-num", "not known": "m-num",
        "value caught": "m-num", "hours saved": "m-num",
    }  # fmt: skip
    rows = [
        (
            one.name, f"{len(one.cases):,}", _bar(one, most), f"{one.troubles:,}",
            _counted(one.counts["caught"], one.caught_share), _counted(one.counts["needless"], one.needless_share),
            _counted(one.counts["missed"], one.missed_share), *(f"{one.counts[judged]:,}" for judged in JUDGED[3:]),
            found.rounded(one.money_cents("caught")), f"{one.hours:,.1f}",
        )
        for one in slices
    ]  # fmt: skip
    return markup('<div class="r-wide">{}</div>', html_table("m-table", columns, rows))


def _counted(number: int, interval: Interval | None) -> Markup:
    if interval is None:
        return markup("{}", f"{number:,}")
    likely = f"{interval.low * 100:.0f}–{interval.high * 100:.0f}%"
    return markup('{}<div class="m-dim m-small">{}<br>({})</div>', f"{number:,}", f"{interval.mean * 100:.0f}%", likely)


def _bar(one: Tally, most: int) -> Markup:
    """All cases of a slice, by what they come to, as long as there are many of them."""
    x, pieces = 0.0, [Markup("")]
    for judged in JUDGED:
        width = one.counts[judged] / most * _WIDTH
        if width:
            title = f"{judged}: {one.counts[judged]:,}"
            rect = '<rect class="r-{}" x="{}" y="1" width="{}" height="12"><title>{}</title></rect>'
            pieces.append(markup(rect, judged.replace(" ", "-"), f"{x:.1f}", f"{width:.1f}", title))
        x += width
    return markup(
        '<svg class="r-strip" viewBox="0 0 {0} 14" width="{0}" height="14" role="img">{1}</svg>', _WIDTH, joined(pieces)
    )


def _lacking(found: Backtest) -> Markup:
    if not found.lacks:
        return Markup("")
    columns = {"what was not known": "", "kind": "", "handed over": "m-num", "went wrong": "m-num"}
    rows = [(data, kind, f"{number:,}", f"{wrong:,}") for data, kind, number, wrong in found.lacks]
    said = "<p>The history does not tell it. Where live systems do, Missions can decide these, or come further.</p>{}"
    return section(
        "What was handed to a person, for lack of which data", markup(said, html_table("m-table r-narrow", columns, rows))
    )


def _followed(found: Backtest) -> Markup:
    counts = Counter((TITLES[case.kind], case.response, case.because) for case in found.cases)
    columns = {"kind": "", "the Mission would have": "", "and the history says": "", "exceptions": "m-num"}
    rows = [
        (kind, _RESPONSES[response], _FOLLOWED[because] if because else "nothing that tells", f"{number:,}")
        for (kind, response, because), number in sorted(counts.items(), key=lambda one: (one[0][0], -one[1]))
    ]
    later = [
        case.cancelled_after.total_seconds() / 3600 for case in found.cases if case.judged == "caught" and case.cancelled_after
    ]
    sooner = (
        markup("<p>Of what is called caught, people canceled {} orders themselves, half of them {} hours or more later.</p>",
               f"{len(later):,}", f"{median(later):,.0f}")
        if later else Markup("")
    )  # fmt: skip
    return section("What really happened next", sooner + html_table("m-table r-narrow", columns, rows)) if rows else Markup("")


_RESPONSES = {"stepped in": "stepped in", "let it go": "let it go", "handed over": "asked a person"}


def _cannot_know(found: Backtest) -> Markup:
    all_ = found.all
    return section("What this page cannot know", _list([
        "Why something happened. A refund, a cancellation or a late delivery is a weak sign that this exception was real: "
        "goods come back for other reasons, and a customer who kept two orders may have wanted one.",
        "What would have followed. Had an order been canceled, the customer might have ordered again, or complained.",
        "What people would have said. Where a Mission only proposes, somebody approves or rejects it: here all proposals "
        "count as they are made.",
        f"What would have been saved. The value caught is that of whole orders; {found.rounded(all_.given_back_cents)} of it was "
        "really refunded or disputed later.",
        "What the history does not tell: it is unknown to the Mission, too, which then asks a person. A status has no moment of "
        "its own in a history; an order counts as open until it was shipped or canceled, and a charge as good until the end.",
        f"What nobody looked for. Of {found.troubled:,} orders of the history that were canceled, refunded or disputed, "
        f"{found.troubled_seen:,} are among these exceptions; of the others it says nothing.",
        f"How long people need. {found.minutes.by_hand:g} minutes for an exception by hand and {found.minutes.to_decide:g} to "
        "decide about a proposal are declared, not measured.",
        f"The policies of the time. Those in force on {day(found.as_of)} are used for all of it.",
    ]))  # fmt: skip


def _left_out(found: Backtest) -> Markup:
    rows = [(words(kind), reason) for kind, reason in found.left_out.items()]
    if found.untold:
        rows.append(("several kinds", f"{found.untold:,} exceptions are too large for a case, or no event can name them"))
    return section("What is not in it", html_table("m-table r-narrow", {"kind": "", "because": ""}, rows)) if rows else Markup("")


def _made_by(found: Backtest) -> Markup:
    declared = [(one, one.backtest) for one in DETECTORS if one.backtest and one.kind not in found.left_out]
    columns = {"kind": "", "people would have been told": "", "trouble, where it was": "", "fine, where it was": ""}
    rows = [_declared(detector, when) for detector, when in declared]
    made = f"Code {found.code}; policies in force on {day(found.as_of)}."
    return section("How it was made", markup('{}<p class="m-dim">{}</p>', html_table("m-table", columns, rows), made))


def _declared(detector: Detector, when: Backtested) -> Sequence[str]:
    what = {"placed": "the order was placed", "shipped": "the order was shipped", "recorded": "it was recorded"}[when.after]
    length = f"{when.minutes // 60} hours" if when.minutes >= 60 else f"{when.minutes} minutes"
    return detector.title, f"{length} after {what}", _or(when.trouble), _or(when.fine)


def _or(followed: Iterable[Followed]) -> str:
    return ", or ".join(_FOLLOWED[one] for one in followed)


def _list(lines: Iterable[str]) -> Markup:
    return markup("<ul>{}</ul>", joined(markup("<li>{}</li>", line) for line in lines))
