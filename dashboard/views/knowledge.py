"""Policies to read: versions and their state, clauses with their numbers, what works with them, and who cited them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from dashboard.markup import chip, clock, dollars, joined, markup, plain, words
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import leaves
from knowledge_index.index import Hit
from knowledge_index.policies import Clause, PolicyBook
from ledger.policies import CitingRun
from nodes.pack import Pack

STATES = ("in force", "to come", "superseded")
_KINDS = {"in force": "good", "to come": "info", "superseded": ""}
_CODE = re.compile(r"`([^`\n]+)`")
_UNITS = {
    "cents": "cents", "days": "days", "weeks": "weeks", "months": "months", "hours": "hours", "minutes": "minutes",
    "percent": "percent", "km": "km", "units": "units",
}  # fmt: skip
#: characters of a clause that a search shows
LONGEST_HIT = 600


@dataclass(frozen=True, kw_only=True)
class Use:
    """A Mission, or a part of it, that works with a clause."""

    mission: str
    part: str
    #: whether its conditions take numbers from the clause
    numbers: bool
    #: findings and conclusions whose ways cite it
    cited_for: Sequence[str]
    #: whether it is a rule about who approves
    approval: bool


def state(policy: Document, today: date) -> str:
    """One of STATES."""
    if policy.in_force_from > today:
        return "to come"
    return "superseded" if policy.in_force_until is not None and policy.in_force_until < today else "in force"


def listed(book: PolicyBook, today: date, wanted: str, text: str) -> list[Document]:
    """Versions of policies in `wanted` state (any other word: all) that hold `text` in id, title, owner or a clause, by id."""
    needle = text.strip().casefold()
    found = []
    for policy in book.documents:
        said = [
            policy.id,
            policy.title,
            policy.owner,
            *(one for raw in policy.clauses for one in (raw.id, raw.title, raw.prose)),
        ]
        if (wanted not in STATES or state(policy, today) == wanted) and any(needle in one.casefold() for one in said):
            found.append(policy)
    return sorted(found, key=lambda policy: (policy.id, -policy.version))


def policy_rows(
    policies: Iterable[Document], today: date, citations: Iterable[Mapping[str, Any]], drafts: Mapping[str, int]
) -> list[dict[str, Any]]:
    """A row a version, for a table; how often a policy was cited counts proposals."""
    cited: dict[str, int] = {}
    for row in citations:
        policy_id = str(row["clause"]).split("-")[0]
        cited[policy_id] = cited.get(policy_id, 0) + row["proposals"]
    return [
        {
            "Policy": policy.id,
            "Title": plain(policy.title, 80),
            "Version": policy.version,
            "State": state(policy, today),
            "Cited": cited.get(policy.id, 0),
            "Drafts": drafts.get(policy.id) or None,
        }
        for policy in policies
    ]


def policy_head(policy: Document, today: date) -> Markup:
    """Id, title, version, state, period, owner."""
    now = state(policy, today)
    until = f" to {policy.in_force_until}" if policy.in_force_until else ""
    about = f"from {policy.in_force_from}{until} · owner: {plain(policy.owner, 60)} · {len(policy.clauses)} clauses"
    template = '<div class="k-head"><h2>{} <span>{}</span></h2>{}{}</div><div class="m-dim m-small">{}</div>'
    return markup(template, policy.id, plain(policy.title, 100), chip(f"version {policy.version}"), chip(now, _KINDS[now]), about)


def said(text: str) -> Markup:
    """The text of a clause: `code` as code, everything else as it stands."""
    pieces = _CODE.split(plain_text(text))
    return joined(markup("<code>{}</code>" if number % 2 else "{}", piece) for number, piece in enumerate(pieces))


def plain_text(text: str) -> str:
    """Paragraphs of one line each, without what is invisible."""
    return "\n\n".join(plain(paragraph, 20_000) for paragraph in re.split(r"\n\s*\n", text))


def clause_card(raw: RawClause, clause: Clause | None, cited: int) -> Markup:
    """A clause with its text and numbers; `clause` is the rendered one, where the version is in force or to come."""
    text = clause.text if clause else raw.prose
    times = (
        markup('<span class="m-dim m-small" title="proposals, over all versions">cited {}×</span>', f"{cited:,}")
        if cited
        else Markup("")
    )
    head = markup('<div class="k-clause-head"><b>{}</b> {} {}</div>', raw.id, plain(raw.title, 120), times)
    body = markup('<div class="m-text k-text">{}</div>', said(text))
    return markup('<div class="k-clause">{}{}{}</div>', head, body, value_list(raw.values))


def value_list(values: Mapping[str, Any]) -> Markup:
    """Every number and list of a clause by name; nothing where there is none."""
    pairs = joined(markup("<span>{} <b>{}</b></span>", titled(path), shown(path, value)) for path, value in leaves(values))
    return markup('<div class="k-values">{}</div>', pairs) if pairs else Markup("")


def titled(path: str) -> str:
    """The name of a value as words, with its unit: bands.0.up_to_cents → bands 1: up to (cents)."""
    *before, name = path.split(".")
    stem, _, last = name.rpartition("_")
    told = f"{stem} ({_UNITS[last]})" if stem and last in _UNITS else name
    place = " ".join(str(int(part) + 1) if part.isdecimal() else words(part) for part in before)
    return f"{place}: {words(told)}" if place else words(told)


def shown(path: str, value: Any) -> str:
    """A value for a person: money in dollars, yes and no, lists with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(plain(item, 80) for item in value) or "none"
    if isinstance(value, int) and path.endswith("_cents"):
        return f"{value:,} ({dollars(value)})"
    if isinstance(value, int | float):
        return f"{value:,}"
    return plain(value, 300)


def uses(packs: Mapping[str, Pack], clause_id: str) -> list[Use]:
    """The Missions that work with a clause, by name."""
    found = []
    for mission, pack in sorted(packs.items()):
        for name, part in (pack.parts or {"": pack}).items():
            rule = part.approval
            use = Use(
                mission=mission,
                part=name,
                numbers=clause_id in part.clauses,
                cited_for=[finding for finding, clauses in part.cited.items() if clause_id in clauses],
                approval=clause_id in {rule.automate, rule.base, rule.bands, *(one.clause for one in rule.raises)},
            )
            if use.numbers or use.cited_for or use.approval or clause_id in part.cited_anyway:
                found.append(use)
    return found


def use_table(found: Sequence[Use]) -> Markup:
    """Where a clause is used, a row a Mission; parts that use it alike share one."""
    if not found:
        return markup('<div class="m-dim m-small">No Mission works with it.</div>')
    alike: dict[tuple[str, str], list[str]] = {}
    for use in found:
        alike.setdefault((words(use.mission), _how(use)), []).append(words(use.part))
    rows = joined(
        markup("<tr><td>{}</td><td>{}</td></tr>", plain(": ".join(filter(None, (mission, ", ".join(parts)))), 200), how)
        for (mission, how), parts in alike.items()
    )
    return markup('<table class="m-table k-uses">{}</table>', rows)


def _how(use: Use) -> str:
    told = ["its conditions take numbers from it"] if use.numbers else []
    if use.cited_for:
        names = ", ".join(words(name) for name in use.cited_for[:6])
        told.append(f"cites it for {names}{' and others' if len(use.cited_for) > 6 else ''}")
    if use.approval:
        told.append("decides who approves")
    return plain("; ".join(told) or "any case may cite it", 400)


def shown_in(documents: Iterable[Document], clause_id: str) -> list[str]:
    """The clauses whose texts show numbers of this one."""
    sign = f"{{{clause_id}."
    found = {raw.id for document in documents for raw in document.clauses if sign in raw.prose and raw.id != clause_id}
    return sorted(found)


def citation_table(citations: Iterable[Mapping[str, Any]], clause_id: str) -> Markup:
    """Who cited a clause how often, most first."""
    rows = joined(
        markup(
            '<tr><td>{}</td><td>{}</td><td class="m-num">{}</td><td class="m-num">{}</td></tr>',
            plain(words(row["mission"]), 80), plain(row["author"], 80), f"{row['proposals']:,}", clock(row["last"]),
        )
        for row in citations
        if row["clause"] == clause_id
    )  # fmt: skip
    if not rows:
        return markup('<div class="m-dim m-small">No proposal has cited it yet.</div>')
    head = '<th>Mission</th><th>By</th><th class="m-num">Proposals</th><th class="m-num">Last</th>'
    return markup(f'<table class="m-table"><tr>{head}</tr>{{}}</table>', rows)


def citing_table(runs: Sequence[CitingRun]) -> Markup:
    """The latest runs that cite a clause, each a link."""
    rows = joined(
        markup(
            '<tr><td><a href="run?run={}" target="_self">{}</a></td><td>{}</td><td>{}</td><td class="m-num">v{}</td>'
            '<td class="m-num">{}</td></tr>',
            run.run_id, plain(run.subject, 60), plain(words(run.mission), 60), plain(words(run.verdict), 60), run.version,
            clock(run.at),
        )
        for run in runs
    )  # fmt: skip
    head = '<th>Subject</th><th>Mission</th><th>Verdict</th><th class="m-num">Version</th><th class="m-num">When</th>'
    return markup('<table class="m-table">{}{}</table>', Markup(f"<tr>{head}</tr>"), rows)


def hit_card(hit: Hit) -> Markup:
    """A clause that a search found, with its score as number and bar."""
    head = markup(
        '<div class="k-clause-head"><b>{}</b> {} {}<span class="k-score" title="cosine of question and clause">'
        '<i style="width:{}%"></i></span><span class="m-num m-small">{}</span></div>',
        hit.clause_id, plain(hit.title, 120), chip(f"version {hit.version}"), round(hit.score * 100), f"{hit.score:.2f}",
    )  # fmt: skip
    return markup('<div class="k-clause">{}<div class="m-text k-text">{}</div></div>', head, said(hit.text[:LONGEST_HIT]))
