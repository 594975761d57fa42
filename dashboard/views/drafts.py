"""Drafts to read and to write: fields of a form, what is different, and what it would do to recorded exceptions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal

from markupsafe import Markup

from dashboard.markup import chip, clock, joined, markup, plain, plain_lines, until
from dashboard.views.knowledge import headed, shown, titled
from knowledge_index.drafting import PolicyDifference, leaves
from ledger.policies import PolicyDraft
from ledger.records import ROLES

FieldKind = Literal["flag", "whole", "number", "role", "text", "list"]
_STATUS = {"draft": ("waits", "warn"), "in_force": ("put in force", "good"), "withdrawn": ("withdrawn", "")}
_TOKEN = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One value of a clause as a field of a form."""

    path: str
    title: str
    kind: FieldKind
    value: Any


def fields(values: Mapping[str, Any]) -> list[Field]:
    """The fields of a clause's values, in their order."""
    return [Field(path=path, title=titled(path), kind=_kind(path, value), value=value) for path, value in leaves(values)]


def grouped(of: Iterable[Field]) -> list[list[Field]]:
    """Fields that belong together, such as those of one band, apart from the others."""
    groups: dict[str, list[Field]] = {}
    for field in of:
        groups.setdefault(field.path.rpartition(".")[0], []).append(field)
    return list(groups.values())


def _kind(path: str, value: Any) -> FieldKind:
    kinds: dict[type, FieldKind] = {bool: "flag", int: "whole", float: "number", list: "list"}
    name = path.rsplit(".", 1)[-1]
    is_role = (name == "role" or name.endswith("_role")) and value in ROLES[1:]
    return next((kind for of, kind in kinds.items() if isinstance(value, of)), "role" if is_role else "text")


def changed_values(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> whole new value, of the names in which something given by path differs."""
    rebuilt = {name: _rebuilt(value, name, given) for name, value in values.items()}
    return {name: value for name, value in rebuilt.items() if value != values[name]}


def _rebuilt(value: Any, path: str, given: Mapping[str, Any]) -> Any:
    if path in given:
        return given[path]
    if isinstance(value, Mapping):
        return {name: _rebuilt(item, f"{path}.{name}", given) for name, item in value.items()}
    if isinstance(value, list):
        return [_rebuilt(item, f"{path}.{number}", given) for number, item in enumerate(value)]
    return value


def items(text: str) -> list[str]:
    """A list as it is written into a field: with commas between the items."""
    return [item for item in (piece.strip() for piece in re.split(r"[,\n]", text)) if item]


def difference_table(differences: Iterable[PolicyDifference]) -> Markup:
    """Old and new, a row a value; texts with what went and what came."""
    head = Markup('<tr><th>Clause</th><th>What</th><th class="m-num">Now</th><th class="m-num">Draft</th></tr>')
    return markup('<table class="m-table k-diff">{}{}</table>', head, joined(map(_difference_row, differences)))


def _difference_row(one: PolicyDifference) -> Markup:
    if one.name:
        row = '<tr><td>{}</td><td>{}</td><td class="m-num"><del>{}</del></td><td class="m-num"><ins>{}</ins></td></tr>'
        return markup(row, one.clause, titled(one.name), shown(one.name, one.before), shown(one.name, one.after))
    row = '<tr><td>{}</td><td colspan="3" class="m-text k-text">{}</td></tr>'
    return markup(row, one.clause, text_difference(one.before or "", one.after or ""))


def text_difference(before: str, after: str) -> Markup:
    """One text in which what went is struck and what came is marked, by words; where lines break does not count."""
    old, new = (_TOKEN.findall(_flowing(text)) for text in (before, after))
    pieces = []
    for what, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        went, came = "".join(old[i:j]), "".join(new[k:m])
        if what == "equal":
            pieces.append(markup("{}", came))
        else:
            pieces += [markup("<del>{}</del>", went)] * bool(went) + [markup("<ins>{}</ins>", came)] * bool(came)
    return joined(pieces)


def _flowing(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", plain_lines(text, 20_000))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def draft_rows(drafts: Sequence[PolicyDraft], now: datetime) -> list[dict[str, Any]]:
    """A row a draft, for a table."""
    return [
        {
            "Policy": draft.policy_id, "Version": f"{draft.base_version} → {draft.version}", "In force from": draft.in_force_from,
            "Status": _STATUS[draft.status][0], "Drafted by": plain(draft.drafted_by, 60), "When": until(draft.drafted_at, now),
            "Why": plain(draft.reason, 200),
        }
        for draft in drafts
    ]  # fmt: skip


def draft_head(draft: PolicyDraft, title: str, stale: bool, now: datetime) -> Markup:
    """What it is, where it stands, who wrote it and why, who settled it and why."""
    name, kind = _STATUS[draft.status]
    status = chip("stale", "bad", "the version it was made from has changed") if stale else chip(name, kind)
    versions = chip(f"version {draft.base_version} → {draft.version}")
    was = draft.status == "withdrawn"
    day = chip(f"{'was to be ' if was else ''}in force from {draft.in_force_from}", "" if was else "info")
    head = headed(draft.policy_id, plain(title, 100), versions, day, status)
    lines = [_line("Drafted", draft.drafted_by, draft.drafted_at, draft.reason, now)]
    if draft.settled_at is not None:
        verb = "Put in force" if draft.status == "in_force" else "Withdrawn"
        lines.append(_line(verb, draft.settled_by, draft.settled_at, draft.settled_reason, now))
    return head + joined(lines)


def _line(verb: str, by: str, at: datetime, reason: str, now: datetime) -> Markup:
    template = '<div class="k-line"><span class="m-dim" title="{}">{} by {}, {}:</span> {}</div>'
    return markup(template, clock(at), verb, plain(by, 80), until(at, now), plain(reason, 2_000))
