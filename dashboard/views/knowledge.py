"""Policies to read: versions and their state, clauses with their numbers, what works with them, and who cited them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from dashboard.markup import chip, clock, dollars, html_table, joined, markup, plain, words
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import leaves
from knowledge_index.index import Hit
from knowledge_index.policies import Clause, PolicyBook
from ledger.policies import CitingRun
from nodes.pack import Pack

STATES = ("in force", "to come", "superseded")
_KINDS = {"in force": "good", "to come": "info", "superseded": ""}
_CODE = re.compile(r"`([^`\n]+)`")
_UNITS = ("cents", "days", "weeks", "months", "hours", "minutes", "percent", "km", "units")
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

    def texts(policy: Document) -> list[str]:
        clauses = (one for raw in policy.clauses for one in (raw.id, raw.title, raw.prose))
        return [policy.id, policy.title, policy.owner, *clauses]

    needle = text.strip().casefold()
    found = (policy for policy in book.documents if wanted not in STATES or state(policy, today) == wanted)
    found = (policy for policy in found if any(needle in one.casefold() for one in texts(policy)))
    return sorted(found, key=lambda policy: (policy.id, -policy.version))


def policy_rows(
    policies: Iterable[Document], today: date, citations: Iterable[Mapping[str, Any]], drafts: Mapping[str, int]
) -> list[dict[str, Any]]:
    """A row a version, for a table; how often a policy was cited counts proposals."""
    cited: Counter[str] = Counter()
    for row in citations:
        cited[str(row["clause"]).split("-")[0]] += row["proposals"]
    return [
        {
            "Policy": policy.id, "Title": plain(policy.title, 80), "Version": policy.version, "State": state(policy, today),
            "Cited": cited[policy.id], "Drafts": drafts.get(policy.id) or None,
        }
        for policy in policies
    ]  # fmt: skip


def policy_head(policy: Document, today: date) -> Markup:
    """Id, title, version, state, period, owner."""
    now = state(policy, today)
    until = f" to {policy.in_force_until}" if policy.in_force_until else ""
    about = f"from {policy.in_force_from}{until} · owner: {plain(policy.owner, 60)} · {len(policy.clauses)} clauses"
    head = headed(policy.id, plain(policy.title, 100), chip(f"version {policy.version}"), chip(now, _KINDS[now]))
    return head + markup('<div class="m-dim m-small">{}</div>', about)


def headed(policy_id: str, title: str, *chips: Markup) -> Markup:
    """The head of a policy or of a draft of one."""
    return markup('<div class="k-head"><h2>{} <span>{}</span></h2>{}</div>', policy_id, title, joined(chips))


def clause_text(text: str) -> Markup:
    """The text of a clause: `code` as code, everything else as it stands."""
    # paragraphs of one line each, without what is invisible
    pieces = _CODE.split("\n\n".join(plain(paragraph, 20_000) for paragraph in re.split(r"\n\s*\n", text)))
    return joined(markup("<code>{}</code>" if number % 2 else "{}", piece) for number, piece in enumerate(pieces))


def clause_box(head: Markup, text: str, values: str = "") -> Markup:
    """A clause under its head."""
    return markup('<div class="k-clause">{}<div class="m-text k-text">{}</div>{}</div>', head, clause_text(text), values)


def clause_card(raw: RawClause, clause: Clause | None, cited: int) -> Markup:
    """A clause with its text and numbers; `clause` is the rendered one, where the version is in force or to come."""
    times = '<span class="m-dim m-small" title="proposals, over all versions">cited {:,}×</span>'
    counted = markup(times, cited) if cited else ""
    head = markup('<div class="k-clause-head"><b>{}</b> {} {}</div>', raw.id, plain(raw.title, 120), counted)
    return clause_box(head, clause.text if clause else raw.prose, value_list(raw.values))


def value_list(values: Mapping[str, Any]) -> Markup:
    """Every number and list of a clause by name; nothing where there is none."""
    pairs = joined(markup("<span>{} <b>{}</b></span>", titled(path), shown(path, value)) for path, value in leaves(values))
    return markup('<div class="k-values">{}</div>', pairs) if pairs else Markup("")


def titled(path: str) -> str:
    """The name of a value as words, with its unit: bands.0.up_to_cents → bands 1: up to (cents)."""
    *before, name = path.split(".")
    stem, _, last = name.rpartition("_")
    title = words(f"{stem} ({last})" if stem and last in _UNITS else name)
    place = " ".join(str(int(part) + 1) if part.isdecimal() else words(part) for part in before)
    return f"{place}: {title}" if place else title


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
                mission=mission, part=name, numbers=clause_id in part.clauses,
                cited_for=[finding for finding, clauses in part.cited.items() if clause_id in clauses],
                approval=clause_id in {rule.automate, rule.base, rule.bands, *(one.clause for one in rule.raises)},
            )  # fmt: skip
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
    rows = ((plain(": ".join(filter(None, (mission, ", ".join(parts)))), 200), how) for (mission, how), parts in alike.items())
    return html_table("m-table k-uses", {"Mission": "", "How": ""}, rows)


def _how(use: Use) -> str:
    names = ", ".join(words(name) for name in use.cited_for[:6])
    ways = (
        "its conditions take numbers from it" * use.numbers,
        f"cites it for {names}{' and others' if len(use.cited_for) > 6 else ''}" if names else "",
        "decides who approves" * use.approval,
    )
    return plain("; ".join(filter(None, ways)) or "any case may cite it", 400)


def shown_in(documents: Iterable[Document], clause_id: str) -> list[str]:
    """The clauses whose texts show numbers of this one."""
    sign = f"{{{clause_id}."
    found = {raw.id for document in documents for raw in document.clauses if sign in raw.prose and raw.id != clause_id}
    return sorted(found)


def citation_table(citations: Iterable[Mapping[str, Any]], clause_id: str) -> Markup:
    """Who cited a clause how often, most first."""
    rows = [
        (plain(words(row["mission"]), 80), plain(row["author"], 80), f"{row['proposals']:,}", clock(row["last"]))
        for row in citations
        if row["clause"] == clause_id
    ]
    if not rows:
        return markup('<div class="m-dim m-small">No proposal has cited it yet.</div>')
    return html_table("m-table", {"Mission": "", "By": "", "Proposals": "m-num", "Last": "m-num"}, rows)


def citing_table(runs: Sequence[CitingRun]) -> Markup:
    """The latest runs that cite a clause, each a link."""
    anchor = '<a href="run?run={}" target="_self">{}</a>'
    rows = (
        (markup(anchor, run.run_id, plain(run.subject, 60)), plain(words(run.mission), 60), plain(words(run.verdict), 60),
         f"v{run.version}", clock(run.at))
        for run in runs
    )  # fmt: skip
    columns = {"Subject": "", "Mission": "", "Verdict": "", "Version": "m-num", "When": "m-num"}
    return html_table("m-table", columns, rows)


def hit_card(hit: Hit) -> Markup:
    """A clause that a search found, with its score as number and bar."""
    head = markup(
        '<div class="k-clause-head"><b>{}</b> {} {}<span class="k-score" title="cosine of question and clause">'
        '<i style="width:{}%"></i></span><span class="m-num m-small">{}</span></div>',
        hit.clause_id, plain(hit.title, 120), chip(f"version {hit.version}"), round(hit.score * 100), f"{hit.score:.2f}",
    )  # fmt: skip
    return clause_box(head, hit.text[:LONGEST_HIT])
