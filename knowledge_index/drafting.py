"""Drafts of policies: the text of a next version made from the present one, checked before anybody uses it.

Only what changes is written anew; every other byte stays as it was, comments and line breaks too.

>>> edits = {"FRD-2": Edit(values={"elevated": 0.6})}
>>> drafted = redrafted(text, file, edits, version=2, in_force_from=date(2026, 6, 1))
>>> book = book_with(folder, drafted)
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from errors import BadInput
from knowledge_index.documents import Document, parse_document
from knowledge_index.policies import PolicyBook
from knowledge_index.rewriting import clause_of, fitting, with_field, with_prose, with_value, written


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What changes in a clause."""

    #: value name -> the whole new value; names that are not here stay as they are
    values: Mapping[str, Any] = field(default_factory=dict)
    #: the new text with its placeholders; None leaves it
    prose: str | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value, or the text (`name` is empty), of a clause before and after."""

    clause: str
    #: a path such as bands.0.up_to_cents
    name: str
    before: Any
    after: Any


def redrafted(text: str, file: Path, edits: Mapping[str, Edit], *, version: int, in_force_from: date) -> str:
    """The text of the next version: `text`, which stands in `file`, with the `edits` of its clauses, by id.

    Raises BadInput for an edit that does not fit the clause, that changes more than itself, or nothing.
    """
    text = text.replace("\r\n", "\n")
    before = parse_document(text, file)
    known = {clause.id for clause in before.clauses}
    for clause_id in edits:
        if clause_id not in known:
            raise BadInput(f"{before.header.id} has no clause {clause_id}; it has {', '.join(sorted(known))}.")
    for clause_id, edit in edits.items():
        if edit.prose is not None:
            text = with_prose(text, clause_of(text, file, clause_id), written(edit.prose, clause_id))
        for name, value in edit.values.items():
            text = with_value(text, clause_of(text, file, clause_id), name, value)
    text = with_field(text, "version", str(version), file)
    text = with_field(text, "in_force_from", in_force_from.isoformat(), file)
    text = with_field(text, "in_force_until", "null", file)
    drafted = parse_document(text, file.with_name(file_name(before.header.id, version)))
    _refuse_more(before, drafted, edits)
    if not differences(before, drafted):
        raise BadInput(f"The draft says what {before.header.id} version {before.header.version} says; change something.")
    return text


def closed(text: str, file: Path, until: date) -> str:
    """The text of a version that ends with the day `until`. Raises BadInput if that lies before its first day."""
    text = with_field(text.replace("\r\n", "\n"), "in_force_until", until.isoformat(), file)
    parse_document(text, file)
    return text


def file_name(policy_id: str, version: int) -> str:
    """What the file of a version is called: FRD.v2.md."""
    return f"{policy_id}.v{version}.md"


def newest(book: PolicyBook, policy_id: str) -> Document:
    """The latest version of a policy, whether in force or to come. Raises BadInput if there is none."""
    versions = [document for document in book.documents if document.header.id == policy_id]
    if not versions:
        raise BadInput(f"There is no policy {policy_id}; there are {', '.join(sorted({p.id for p in book.policies}))}.")
    return max(versions, key=lambda document: document.header.version)


def content_digest(document: Document) -> str:
    """64 hexadecimal digits of what a version says, whatever its period: two with the same digest say the same."""
    header = document.header
    clauses = [[clause.id, clause.title, clause.values, clause.prose] for clause in document.clauses]
    said = [header.id, header.version, header.title, header.owner, document.intro, clauses]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def book_with(folder: Path, drafted: str) -> PolicyBook:
    """The policies of `folder` as they will be with the draft in force: the version before it ends the day before.

    Raises BadInput for a draft that is not the next version, begins no later than the one before it, or does not fit the others.
    """
    return with_draft(PolicyBook.load(folder), drafted)


def with_draft(book: PolicyBook, drafted: str) -> PolicyBook:
    """As `book_with`, of policies that are loaded."""
    draft = parse_draft(drafted)
    before = newest(book, draft.header.id)
    if draft.header.version != before.header.version + 1:
        raise BadInput(
            f"The draft is version {draft.header.version} of {draft.header.id}, and the newest is version "
            f"{before.header.version}; draft it anew from that."
        )
    if draft.header.in_force_from <= before.header.in_force_from:
        raise BadInput(
            f"Version {before.header.version} of {draft.header.id} is in force from {before.header.in_force_from} on; "
            "let the draft begin on a later day."
        )
    others = [document for document in book.documents if document is not before]
    return PolicyBook([*others, _ended(before, draft.header.in_force_from), draft])


def parse_draft(drafted: str) -> Document:
    """The document of a draft; errors name the file that it will stand in."""
    document = parse_document(drafted, Path("draft.md"))
    return parse_document(drafted, Path(file_name(document.header.id, document.header.version)))


def ends_before(document: Document, day: date) -> date | None:
    """The last day of a version that another follows on `day`; None where it has ended before."""
    until = document.header.in_force_until
    return None if until is not None and until < day else day - timedelta(days=1)


def differences(before: Document, after: Document) -> list[Difference]:
    """What two versions of a policy say differently, clause by clause."""
    old = {clause.id: clause for clause in before.clauses}
    new = {clause.id: clause for clause in after.clauses}
    found: list[Difference] = []
    for clause_id in dict.fromkeys([*old, *new]):
        was, now = old.get(clause_id), new.get(clause_id)
        values = (dict(was.values) if was else {}, dict(now.values) if now else {})
        found += [Difference(clause=clause_id, name=name, before=b, after=a) for name, b, a in _apart("", *values)]
        texts = (was.prose if was else None, now.prose if now else None)
        if texts[0] != texts[1]:
            found.append(Difference(clause=clause_id, name="", before=texts[0], after=texts[1]))
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything in a value that can be changed by itself: scalars, and lists of scalars as a whole."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}.{number}" if path else str(number))
    else:
        yield path, value


def _apart(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    old, new = dict(leaves(before, path)), dict(leaves(after, path))
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new or old[name] != new[name]:
            yield name, old.get(name), new.get(name)


def _ended(document: Document, day: date) -> Document:
    until = ends_before(document, day)
    if until is None:
        return document
    return parse_document(closed(document.text, document.file, until), document.file)


def _refuse_more(before: Document, after: Document, edits: Mapping[str, Edit]) -> None:
    """Raise BadInput unless the draft differs in what was edited only: a text with a heading in it makes a clause."""
    wanted = []
    for clause in before.clauses:
        edit = edits.get(clause.id, Edit())
        prose = clause.prose if edit.prose is None else written(edit.prose, clause.id)
        values = {
            name: fitting(value, edit.values[name], name) if name in edit.values else value
            for name, value in clause.values.items()
        }
        wanted.append((clause.id, clause.title, values, prose))
    made = [(clause.id, clause.title, dict(clause.values), clause.prose) for clause in after.clauses]
    if made != wanted or after.intro != before.intro:
        raise BadInput(
            f"The edit of {' and '.join(edits)} changes more than these clauses; leave out lines that begin with ## or ``` there."
        )
