"""Drafts of policies: the list, what one would do and what may become of it, and the form that makes one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from functools import partial
from typing import Any, Literal

import streamlit as st
from markupsafe import Markup

from dashboard.company import company
from dashboard.markup import choose_row, redrawn, refusals, show, show_refused
from dashboard.visitor import enter
from dashboard.what_if import replayed, show_found
from graphs.policy_versions import approval_of, check, first_moment, is_stale, new_draft, put_in_force
from knowledge_index.documents import Document, RawClause
from knowledge_index.drafting import Edit, PolicyDifference, differences, leaves, newest, parse_draft, redrafted
from ledger.permissions import may
from ledger.policies import PolicyDraft
from ledger.records import ROLES, Person
from rendering import chip, clock, day, dollars, joined, markup, plain, plain_lines, until, words

FieldKind = Literal["flag", "whole", "number", "role", "text", "list"]
_STATUS = {"draft": ("waits", "warn"), "in_force": ("put in force", "good"), "withdrawn": ("withdrawn", "")}
_TOKEN = re.compile(r"\s+|[^\s]+")
_UNITS = ("cents", "days", "weeks", "months", "hours", "minutes", "percent", "km", "units")
#: drafts that are listed, the newest first
MOST_DRAFTS = 100
#: of a reason, and of one list
MOST_CHARACTERS = 2_000
#: in the address: whether the form is open
_OPEN = "edit"
#: in the session: the tab that is opened next, what is shown once, what was found last
GO_TO, _MESSAGE, _FOUND = "knowledge.go-to", "knowledge.message", "knowledge.what-if"


# The list


def draw(person: Person) -> None:
    """The drafts, and the one that is asked for."""
    drafts = company().desk.policy_drafts(limit=MOST_DRAFTS)
    if message := st.session_state.pop(_MESSAGE, None):
        show(markup('<div class="k-message">{}</div>', message))
    if asked := st.query_params.get("draft", ""):
        st.button("All drafts", icon=":material/arrow_back:", type="tertiary", on_click=_back)
        with refusals(show_refused):
            _draft(person, company().desk.policy_draft(asked))
        return
    if not drafts:
        st.text("There is no draft. Open a policy and draft a change; another person puts it in force.")
        return
    columns = {
        "Policy": 70, "Version": 70, "In force from": 110, "Status": 90, "Drafted by": 110, "When": 100,
        "Why": st.column_config.TextColumn(width="large"),
    }  # fmt: skip
    chosen = choose_row(draft_rows(drafts, datetime.now(UTC)), "knowledge.drafts", columns, row_height=30)
    if chosen is not None:
        st.query_params["draft"] = drafts[chosen].draft_id
        st.rerun()


def draft_rows(drafts: Sequence[PolicyDraft], now: datetime) -> list[dict[str, Any]]:
    """A row a draft, for a table."""
    return [
        {
            "Policy": draft.policy_id, "Version": f"{draft.base_version} → {draft.version}",
            "In force from": day(draft.in_force_from), "Status": _STATUS[draft.status][0],
            "Drafted by": plain(draft.drafted_by, 60), "When": until(draft.drafted_at, now), "Why": plain(draft.reason, 200),
        }
        for draft in drafts
    ]  # fmt: skip


def _back() -> None:
    st.query_params.pop("draft", None)
    st.session_state.pop("knowledge.drafts", None)


# One draft


def _draft(person: Person, draft: PolicyDraft) -> None:
    book = company().runtime.context.policies
    document = parse_draft(draft.text)
    stale = draft.status == "draft" and is_stale(draft, book)
    show(draft_head(draft, document.title, stale, datetime.now(UTC)))
    changes, become = st.columns([5, 3], gap="medium")
    base = next((one for one in book.documents if (one.id, one.version) == (draft.policy_id, draft.base_version)), None)
    with changes:
        if base is not None:
            show(difference_table(differences(base, document)))
        with st.expander("The whole document of the new version", icon=":material/description:"):
            st.code(draft.text, language=None, wrap_lines=True)
    if draft.status != "draft":
        return
    with become:
        _become(person, draft, stale)
    if stale:
        st.text(f"{draft.policy_id} has changed since this was drafted. Withdraw this draft and draft the change again.")
    else:
        _what_if(draft)


def headed(policy_id: str, title: str, *chips: Markup) -> Markup:
    """The head of a policy or of a draft of one."""
    return markup('<div class="k-head"><h2>{} <span>{}</span></h2>{}</div>', policy_id, title, joined(chips))


def draft_head(draft: PolicyDraft, title: str, stale: bool, now: datetime) -> Markup:
    """What it is, where it stands, who wrote it and why, who settled it and why."""
    name, kind = _STATUS[draft.status]
    status = chip("stale", "bad", "the version it was made from has changed") if stale else chip(name, kind)
    versions = chip(f"version {draft.base_version} → {draft.version}")
    was = draft.status == "withdrawn"
    from_day = chip(f"{'was to be ' if was else ''}in force from {day(draft.in_force_from)}", "" if was else "info")
    head = headed(draft.policy_id, plain(title, 100), versions, from_day, status)
    lines = [_line("Drafted", draft.drafted_by, draft.drafted_at, draft.reason, now)]
    if draft.settled_at is not None:
        verb = "Put in force" if draft.status == "in_force" else "Withdrawn"
        lines.append(_line(verb, draft.settled_by, draft.settled_at, draft.settled_reason, now))
    return head + joined(lines)


def _line(verb: str, by: str, at: datetime, reason: str, now: datetime) -> Markup:
    template = '<div class="k-line"><span class="m-dim" title="{}">{} by {}, {}:</span> {}</div>'
    return markup(template, clock(at), verb, plain(by, 80), until(at, now), plain(reason, 2_000))


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


def _become(person: Person, draft: PolicyDraft, stale: bool) -> None:
    """Put in force by another person, or withdrawn; each with a reason."""
    mine, may_put = person.name == draft.drafted_by, may(person, "put_policy_in_force")
    if not (mine or may_put):
        st.caption("A supervisor, finance or an administrator puts it in force.")
        return
    with st.container(border=True):
        if mine:
            st.caption("You drafted this: another person puts it in force.")
        if not stale:
            show(markup("<p>{}</p>", _takes(draft)))
        reason = st.text_input("Reason", key=f"draft.reason.{draft.draft_id}", max_chars=2_000)
        with st.container(horizontal=True):
            blank = not reason.strip()
            if not mine and st.button("Put in force", type="primary", icon=":material/gavel:", disabled=stale or blank):
                with redrawn(show_refused):
                    st.session_state[_MESSAGE] = _put_in_force(draft, reason)
            if st.button("Withdraw", icon=":material/delete:", disabled=blank):
                with redrawn(show_refused):
                    company().desk.withdraw_draft(draft.draft_id, enter("read").name, reason)
                    message = f"The draft of {draft.policy_id} version {draft.version} is withdrawn."
                    st.session_state[_MESSAGE] = message


def _takes(draft: PolicyDraft) -> str:
    """Who has to put it in force, and who has agreed."""
    needed = approval_of(company().settings, company().runtime.context.policies, draft)
    if needed.role == "none":
        return "It takes no approval away: a supervisor, finance or an administrator puts it in force."
    who = f"{'Two people who are' if needed.four_eyes else 'Someone who is'} {needed.role} or above"
    agreed = ", ".join(one["by"] for one in draft.agreed)
    return f"It lets plans run with less approval than now. {who} must put it in force.{f' {agreed} agreed.' if agreed else ''}"


def _put_in_force(draft: PolicyDraft, reason: str) -> str:
    """What became of it, in a sentence."""
    person, here = enter("put_policy_in_force"), company()
    with st.spinner("Putting the version in force"):
        done = put_in_force(here.runtime, here.desk, here.settings, draft.draft_id, person.name, reason)
    if done.draft.status != "in_force":
        return done.left_undone
    return f"{draft.policy_id} version {draft.version} is in force from {day(draft.in_force_from)} on. {done.left_undone}".strip()


def _what_if(draft: PolicyDraft) -> None:
    """What the draft would do to recorded exceptions, replayed once and kept while the policies are the same."""
    show(markup('<h3 class="k-title">What it would do to recorded exceptions</h3>'))
    here, start = company(), first_moment(draft.in_force_from)
    if here.tools.what_if is None:
        st.caption("This dashboard was opened without recorded exceptions to replay.")
        return
    key = (draft.draft_id, here.runtime.context.policies.period(start).digest)
    with refusals(show_refused):
        if st.session_state.get(_FOUND, ("", None))[0] != key:
            found = replayed(partial(here.tools.what_if, check(here.settings, draft.text), as_of=start))
            st.session_state[_FOUND] = (key, found)
        show_found(st.session_state[_FOUND][1], f"knowledge.flips.{draft.draft_id}", "the draft")


# The form


def is_open(person: Person) -> bool:
    """Whether the form is asked for, by somebody who may draft."""
    return st.query_params.get(_OPEN) == "1" and may(person, "draft_policy")


def open_for(clause_id: str | None) -> None:
    """Ask for the form, with this clause to change."""
    st.query_params[_OPEN] = "1"
    if clause_id:
        st.query_params["clause"] = clause_id


def close() -> None:
    """Leave the form; what was written in it is gone."""
    st.query_params.pop(_OPEN, None)


def draw_form(person: Person, base: Document) -> None:
    """The form over the newest version of a policy."""
    base = newest(company().runtime.context.policies, base.id)
    of, today = f"{base.id}.{base.version}", datetime.now(UTC).date()
    show(markup('<div class="k-head"><h2>{} <span>draft of version {}</span></h2></div>', base.id, base.version + 1))
    ids = [clause.id for clause in base.clauses]
    asked = st.query_params.get("clause")
    default, key = [asked] if asked in ids else ids[:1], f"draft.clauses.{of}"
    chosen = st.pills("Clauses to change", ids, selection_mode="multi", default=default, key=key)
    edits: dict[str, Edit] = {}
    for clause in base.clauses:
        if clause.id in (chosen or ()):
            with st.container(border=True):
                edit = _clause(clause, of)
            if edit.values or edit.prose is not None:
                edits[clause.id] = edit
    left, right = st.columns([1, 3])
    tomorrow, key = today + timedelta(days=1), f"draft.from.{of}"
    in_force_from = left.date_input("In force from (UTC)", tomorrow, min_value=today, key=key, format="MM/DD/YYYY")
    reason = right.text_input("Why", key=f"draft.why.{of}", max_chars=MOST_CHARACTERS, placeholder="What should get better by it")
    if in_force_from == today:
        st.caption("From today on: runs of today that still wait were started with the present version, and become incidents.")
    ready = _preview(base, edits)
    with st.container(horizontal=True):
        title, missing = "Save the draft and see what it does", not (ready and reason.strip())
        if st.button(title, type="primary", icon=":material/save:", disabled=missing):
            with redrawn(show_refused):
                by = enter("draft_policy").name
                with st.spinner("Checking the draft"):
                    draft = company().desk.draft_policy(new_draft(company().settings, base, edits, in_force_from, reason), by)
                close()
                st.query_params["draft"], st.session_state[GO_TO] = draft.draft_id, "Drafts"
        st.button("Leave", on_click=close)
        if ready and not reason.strip():
            st.caption("Say why, and it can be saved.")


def _clause(clause: RawClause, of: str) -> Edit:
    show(markup('<div class="k-clause-head"><b>{}</b> {}</div>', clause.id, clause.title))
    given: dict[str, Any] = {}
    for group in grouped(fields(clause.values)):
        across = 2 if any(field.kind == "list" for field in group) else 3
        for start in range(0, len(group), across):
            columns = st.columns(across, vertical_alignment="bottom")
            for column, field in zip(columns, group[start : start + across], strict=False):
                with column:
                    given[field.path] = _field(field, f"draft.{of}.{clause.id}.{field.path}")
    prose = st.text_area(
        "Text; numbers stand in it as {name}", clause.prose, key=f"draft.{of}.{clause.id}", height="content", max_chars=20_000
    )
    return Edit(values=changed_values(clause.values, given), prose=None if prose == clause.prose else prose)


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


def _field(field: Field, key: str) -> Any:
    title = field.title  # of names that policies may give, which mean nothing in Markdown
    if field.kind == "flag":
        return st.checkbox(title, field.value, key=key)
    if field.kind == "role":
        return st.selectbox(title, ROLES[1:], ROLES[1:].index(field.value), key=key)
    if field.kind == "list":
        written = st.text_input(title, ", ".join(map(str, field.value)), key=key, max_chars=MOST_CHARACTERS)
        return field.value if items(written) == list(map(str, field.value)) else items(written)
    if field.kind == "text":
        return st.text_input(title, field.value, key=key, max_chars=MOST_CHARACTERS)
    # an emptied field leaves the value
    if field.kind == "whole":
        whole = st.number_input(title, value=int(field.value), step=1, key=key)
        return field.value if whole is None else whole
    number = st.number_input(title, value=float(field.value), step=0.01, format="%g", key=key)
    return field.value if number is None or number == field.value else round(number, 10)


def _preview(base: Document, edits: Mapping[str, Edit]) -> bool:
    """Show what would be different; True if that is something, and fits."""
    if not edits:
        st.caption("Nothing is changed yet.")
        return False
    with refusals(show_refused):
        text = redrafted(base.text, base.file, edits, version=base.version + 1, in_force_from=base.in_force_from)
        show(difference_table(differences(base, parse_draft(text))))
        return True
    return False
