"""The incidents of a scan as a page that needs nothing else, and as CSV: what is worth a look comes first."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from evals.history.incidents import MOST
from evals.history.scanning import ScanResult
from evals.reports.charts import columns
from evals.reports.page import section, tile, whole_page
from rendering import as_csv, chip, clock, day, decimals, html_table, joined, markup, money, plain, words
from settings import company_currency

#: incidents on the page; the CSV has all
_ON_PAGE = 200
_CHANCES = ((0.6, "nearly always", "bad"), (0.25, "often", "warn"), (0.0, "seldom", "plain"))


def report(found: ScanResult, history: str) -> str:
    """The page: how many and how much, charts, and the incidents most worth a look, each with its reason."""
    shown = found.incidents
    listed = section("Most worth a look", _table(found)) if len(shown) else Markup("")
    body = joined([_head(found, history), _charts(found), listed, _counts(found)])
    return whole_page(f"Incidents of {plain(history, 80)}", body)


def incidents_csv(found: ScanResult) -> str:
    """A row an incident, with amounts in the currency of the history."""
    places = decimals(_currency(found))
    names = [
        "rank",
        "incident_id",
        "at",
        "customer_id",
        "kinds",
        "documents",
        "exceptions",
        "money",
        "currency",
        "chance",
        "says",
        "why",
    ]
    rows = (
        [
            row.rank, row.incident_id, "" if pd.isna(row.at) else row.at.isoformat(timespec="seconds"),
            "" if pd.isna(row.customer_id) else row.customer_id, ", ".join(row.kinds), " ".join(row.documents), row.exceptions,
            round(row.money_cents / 10**places, places), _currency(found), round(row.chance, 3), row.says, row.why,
        ]
        for row in _rows(found.incidents)
    )  # fmt: skip
    return as_csv(names, rows)


def _rows(incidents: pd.DataFrame) -> list[Any]:
    return list(incidents.astype({"customer_id": object}).itertuples())


def _head(found: ScanResult, history: str) -> Markup:
    shown, exceptions = found.incidents, sum(found.counts.values())
    likely = int((shown["money_cents"] * shown["chance"]).sum())
    more = f"the {MOST:,} most worth a look" if len(shown) == MOST else f"of {exceptions:,} exceptions"
    first = shown.iloc[0] if len(shown) else None
    said = f"Most worth a look: {plain(first['says'])} {plain(first['why'])}." if first is not None else "Nothing was found."
    tiles = [
        tile("incidents", f"{len(shown):,}", more),
        tile("probably at stake", money(likely, _currency(found)), "the money of each times its chance"),
        tile("nearly always worth it", f"{(shown['chance'] >= _CHANCES[0][0]).sum():,}", "by their kinds", "warn"),
        tile("order lines", f"{found.lines:,}", found.layout),
    ]
    return markup(
        '<header><h1>Incidents in a history of orders</h1><p class="m-dim">{}</p></header><p class="r-said">{}</p>'
        '<div class="r-cards">{}</div>', plain(history, 120), said, joined(tiles),
    )  # fmt: skip


def _charts(found: ScanResult) -> Markup:
    shown = found.incidents.assign(likely=found.incidents["money_cents"] * found.incidents["chance"])
    if not len(shown):
        return Markup("")
    months, kinds = Counter[str](), Counter[str]()
    for row in shown.itertuples():
        kinds[row.kinds[0]] += 1
        if not pd.isna(row.at):
            months[f"{row.at:%Y-%m}"] += int(row.likely)
    by_month: Mapping[str, int] = {f"{pd.Timestamp(month):%b %y}": months[month] for month in sorted(months)[-36:]}
    scale = 10 ** decimals(_currency(found))
    drawn = columns("Money probably at stake by month", "month", by_month, lambda cents: f"{cents / scale:,.0f}")
    figures = [
        markup("<figure>{}<figcaption>Money probably at stake, in {}, by month.</figcaption></figure>", drawn, _currency(found)),
        html_table("m-table r-narrow", {"incidents by what makes them worth a look": "", "": "m-num", " ": ""}, _bars(kinds)),
    ]
    return section("When, and what", markup('<div class="r-charts">{}</div>', joined(figures)))


def _bars(kinds: Counter[str]) -> list[tuple[object, ...]]:
    most = max(kinds.values())
    bar = (
        '<svg class="r-strip" viewBox="0 0 150 14" width="150" height="14">'
        '<rect class="r-bar" x="0" y="1" width="{}" height="12"/></svg>'
    )
    return [(kind, f"{number:,}", markup(bar, f"{number / most * 150:.1f}")) for kind, number in kinds.most_common()]


def _table(found: ScanResult) -> Markup:
    headings = {"": "m-num", "when": "", "what": "", "worth it": "", "money": "m-num", "documents": "m-mono"}
    rows = [
        (
            row.rank, _clock(row.at),
            markup('{}<div class="m-dim m-small">{}</div>', plain(row.says), plain(row.why)), _chance(row.chance),
            money(int(row.money_cents), _currency(found)), plain(" ".join(row.documents), 160),
        )
        for row in _rows(found.incidents.head(_ON_PAGE))
    ]  # fmt: skip
    rest = len(found.incidents) - len(rows)
    more = markup('<p class="m-dim">{} more stand in the CSV beside this page.</p>', f"{rest:,}") if rest > 0 else Markup("")
    return html_table("m-table", headings, rows) + more


def _chance(chance: float) -> Markup:
    return next(chip(name, kind) for least, name, kind in _CHANCES if chance >= least)


def _counts(found: ScanResult) -> Markup:
    rows = [(words(kind), f"{number:,}", "") for kind, number in found.counts.items()]
    rows += [(words(kind), "", reason) for kind, reason in found.not_looked_for.items()]
    since = (
        markup("<p>Cancellations name no order here: those before {} are not looked at.</p>", day(found.judged_from))
        if found.judged_from
        else Markup("")
    )
    table = html_table("m-table r-narrow", {"kind": "", "exceptions": "m-num", "not looked for": ""}, rows)
    return section("What was looked for", since + table)


def _currency(found: ScanResult) -> str:
    return found.currency or company_currency()


def _clock(moment: pd.Timestamp | None) -> str:
    return "" if moment is None or pd.isna(moment) else clock(moment.to_pydatetime())
