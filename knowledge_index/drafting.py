"""Drafts of policies: the text of a next version made from the present one, checked, and put into the folder of policies.

Only what changes is written anew; every other line stays as it was, comments and line breaks too. Texts have line ends as \\n.

>>> edits = {"FRD-2": Edit(values={"elevated": 0.6})}
>>> drafted = redrafted(text, file, edits, version=2, in_force_from=date(2026, 6, 1))
>>> book = with_draft(PolicyBook.load(folder), drafted)
>>> take_back = install([folder], drafted)
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import SequenceMatcher
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from errors import BadInput
from knowledge_index.documents import UNRULY, Document, RawClause, parse_document, read_text
from knowledge_index.policies import PolicyBook
from knowledge_index.rendering import paragraphs

_MUST_BE: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text of one line"}


def clause_of(text: str, file: Path, clause_id: str) -> RawClause:
    """A clause of a document that has it."""
    return next(clause for clause in parse_document(text, file).clauses if clause.id == clause_id)


def written(prose: str, clause_id: str) -> str:
    """A text as it will stand in the document. Raises BadInput for an empty one, or one with invisible characters."""
    prose = prose.replace("\r\n", "\n").strip("\n").rstrip()
    if not prose.strip():
        raise BadInput(f"{clause_id} would say nothing; write its text.")
    if found := UNRULY.search(prose):
        raise BadInput(f"The text of {clause_id} holds the invisible character U+{ord(found[0]):04X}; take it out.")
    return prose


def with_prose(text: str, clause: RawClause, prose: str) -> str:
    """The document's text with another text of a clause of it."""
    lines = text.split("\n")
    start = clause.prose_line - 1
    return "\n".join([*lines[:start], *prose.split("\n"), *lines[start + clause.prose.count("\n") + 1 :]])


def with_value(text: str, clause: RawClause, name: str, value: Any) -> str:
    """The document's text with another value of a clause; every line that says what it said stays as it is.

    Raises BadInput for a name that the clause has not, or a value of another kind.
    """
    if name not in clause.values:
        raise BadInput(f"{clause.id} has no value {name}; it has {', '.join(clause.values) or 'none'}.")
    value = fitting(clause.values[name], value, f"{clause.id}: {name}")
    lines = text.split("\n")
    start = next(number for number in range(clause.line, len(lines)) if lines[number].startswith("```")) + 1
    stop = next(number for number in range(start, len(lines)) if lines[number].rstrip() == "```")
    return "\n".join([*lines[:start], *_edited(lines[start:stop], name, value), *lines[stop:]])


def _edited(lines: list[str], name: str, value: Any) -> list[str]:
    """The lines of a block of values with another value of a name."""
    yaml = YAML()
    yaml.version, yaml.preserve_quotes, yaml.width = (1, 1), True, 1_000_000  # as it is read, and no line broken
    if any(line.startswith(" ") and line.lstrip().startswith("- ") for line in lines):
        yaml.indent(mapping=2, sequence=4, offset=2)
    values = yaml.load("\n".join(lines))
    before = _dumped(yaml, values)
    values[name] = _put_into(values[name], value)
    after = _dumped(yaml, values)
    if len(before) != len(lines):
        return after
    matched = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [line for tag, i, j, k, m in matched for line in (lines[i:j] if tag == "equal" else after[k:m])]


def _dumped(yaml: YAML, values: Any) -> list[str]:
    out = StringIO()
    yaml.dump(values, out)
    return out.getvalue().removeprefix("%YAML 1.1\n---\n").removesuffix("\n").split("\n")


def _put_into(node: Any, value: Any) -> Any:
    """`value`, of equal kind as what stands in `node`, written as that is."""
    if isinstance(node, dict):
        for name, inner in node.items():
            node[name] = _put_into(inner, value[name])
        return node
    if isinstance(node, list):
        same = len(node) == len(value)
        node[:] = [_put_into(inner, one) for inner, one in zip(node, value, strict=True)] if same else value
        return node
    return node if node == value and isinstance(node, type(value)) else value


def fitting(before: Any, after: Any, where: str) -> Any:
    """The new value as the kind of the old one. Raises BadInput where it is of another kind or shape."""
    if isinstance(before, Mapping):
        if not isinstance(after, Mapping) or after.keys() != before.keys():
            raise BadInput(f"{where} must keep its names {', '.join(before)}; change their values only.")
        return {name: fitting(before[name], after[name], f"{where}.{name}") for name in before}
    if isinstance(before, list):
        return _fitting_list(before, after, where)
    if isinstance(before, float) and isinstance(after, int) and not isinstance(after, bool):
        return float(after)
    if isinstance(before, int) and isinstance(after, float) and after.is_integer():
        after = int(after)
    kind = type(before)
    if type(after) is not kind or (kind is str and (not after.strip() or "\n" in after or UNRULY.search(after))):
        raise BadInput(f"{where} is {after!r}; make it {_MUST_BE[kind]}.")
    return after


def with_field(text: str, name: str, value: str, file: Path) -> str:
    """The document's text with another value of a field of its front matter. Raises BadInput where it has no such line."""
    head, mark, rest = text.partition("\n---")
    changed, count = re.subn(rf"(?m)^({name}[ \t]*:[ \t]*)[^#\n]*?([ \t]*(?:#.*)?)$", rf"\g<1>{value}\g<2>", head, count=1)
    if count != 1 or not mark:
        raise BadInput(f"{file} has no line `{name}: …` in its front matter; add one, with each field on its own line.")
    return changed + mark + rest


def _fitting_list(before: Sequence[Any], after: Any, where: str) -> list[Any]:
    if not isinstance(after, Sequence) or isinstance(after, str) or not after:
        raise BadInput(f"{where} is {after!r}; make it a list of at least one item.")
    if any(isinstance(item, Mapping | list) for item in before):
        if len(after) != len(before):
            raise BadInput(f"{where} must keep its {len(before)} items; change their values only.")
        return [fitting(was, now, f"{where}.{number}") for number, (was, now) in enumerate(zip(before, after, strict=True))]
    fitted = [fitting(before[0], item, f"{where}.{number}") for number, item in enumerate(after)] if before else list(after)
    if len(set(fitted)) != len(fitted):
        raise BadInput(f"{where} has an item twice; remove one of the two.")
    return fitted


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What changes in a clause."""

    #: value name -> the whole new value; names that are not here stay as they are
    values: Mapping[str, Any] = field(default_factory=dict)
    #: the new text with its placeholders; None leaves it
    prose: str | None = None


@dataclass(frozen=True, kw_only=True)
class PolicyDifference:
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
            raise BadInput(f"{before.id} has no clause {clause_id}; it has {', '.join(sorted(known))}.")
    for clause_id, edit in edits.items():
        if edit.prose is not None:
            text = with_prose(text, clause_of(text, file, clause_id), written(edit.prose, clause_id))
        for name, value in edit.values.items():
            text = with_value(text, clause_of(text, file, clause_id), name, value)
    text = with_field(text, "version", str(version), file)
    text = with_field(text, "in_force_from", in_force_from.isoformat(), file)
    text = with_field(text, "in_force_until", "null", file)
    drafted = parse_document(text, file.with_name(file_name(before.id, version)))
    _refuse_more(before, drafted, edits)
    if not differences(before, drafted):
        raise BadInput(f"The draft says what {before.id} version {before.version} says; change something.")
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
    versions = [document for document in book.documents if document.id == policy_id]
    if not versions:
        raise BadInput(f"There is no policy {policy_id}; there are {', '.join(sorted({one.id for one in book.documents}))}.")
    return max(versions, key=lambda document: document.version)


def content_digest(document: Document) -> str:
    """64 hexadecimal digits of what a version says, whatever its period, its comments and where its lines end."""
    clauses = [[clause.id, clause.title, clause.values, paragraphs(clause.prose)] for clause in document.clauses]
    said = [document.id, document.version, document.title, document.owner, paragraphs(document.intro), clauses]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def with_draft(book: PolicyBook, drafted: str) -> PolicyBook:
    """The policies as they will be with the draft in force: the version before it ends the day before.

    Raises BadInput for a draft that is not the next version, begins no later than the one before it, or does not fit the others.
    """
    draft = parse_draft(drafted)
    before = newest(book, draft.id)
    if draft.version != before.version + 1:
        raise BadInput(
            f"The draft is version {draft.version} of {draft.id}, and the newest is version "
            f"{before.version}; create a new draft from that one."
        )
    if draft.in_force_from <= before.in_force_from:
        raise BadInput(
            f"Version {before.version} of {draft.id} is in force from {before.in_force_from} on; "
            "let the draft begin on a later day."
        )
    others = [document for document in book.documents if document is not before]
    return PolicyBook([*others, _ended(before, draft.in_force_from), draft])


def parse_draft(drafted: str) -> Document:
    """The document of a draft; errors name the file that it will stand in."""
    document = parse_document(drafted, Path("draft.md"))
    return parse_document(drafted, Path(file_name(document.id, document.version)))


def ends_before(document: Document, day: date) -> date | None:
    """The last day of a version that another follows on `day`; None where it has ended before."""
    until = document.in_force_until
    return None if until is not None and until < day else day - timedelta(days=1)


def differences(before: Document, after: Document) -> list[PolicyDifference]:
    """What two versions of a policy say differently, clause by clause."""
    old = {clause.id: clause for clause in before.clauses}
    new = {clause.id: clause for clause in after.clauses}
    found: list[PolicyDifference] = []
    for clause_id in dict.fromkeys([*old, *new]):
        was, now = old.get(clause_id), new.get(clause_id)
        values = (dict(was.values) if was else {}, dict(now.values) if now else {})
        found += [PolicyDifference(clause=clause_id, name=name, before=b, after=a) for name, b, a in _apart("", *values)]
        texts = (was.prose if was else None, now.prose if now else None)
        if texts[0] != texts[1]:
            found.append(PolicyDifference(clause=clause_id, name="", before=texts[0], after=texts[1]))
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


#: Takes an installation back, as if it had not been.
TakeBack = Callable[[], None]


def install(folders: Sequence[Path], drafted: str) -> TakeBack:
    """Write the version `drafted` into the last of the folders of policies. Returns what takes it back.

    Raises BadInput for a draft that does not fit them, or a folder that cannot be written; nothing is changed then.
    """
    book, folder = PolicyBook.load(*folders), folders[-1]
    with_draft(book, drafted)
    draft = parse_draft(drafted)
    before = newest(book, draft.id)
    target, ended = folder / file_name(draft.id, draft.version), folder / before.file.name
    if target.exists():
        raise BadInput(f"{target} is there already; move it away, then put the draft in force.")
    old_text, until = read_text(before.file), ends_before(before, draft.in_force_from)

    def take_back() -> None:
        target.unlink(missing_ok=True)
        if ended == before.file:
            _write(ended, old_text, before.file)
        else:
            ended.unlink(missing_ok=True)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the older one first: the folders are such that load at every moment in between
        if until is not None:
            _write(ended, closed(old_text, before.file, until), before.file)
        _write(target, drafted, before.file)
    except OSError as error:
        with suppress(OSError):
            take_back()
        reason = error.strerror or error
        raise BadInput(
            f"The folder {folder} cannot be written ({reason}), and no policy was changed; give the account that runs this "
            "the right to write there."
        ) from error
    return take_back


def _write(file: Path, text: str, like: Path) -> None:
    """The whole file or nothing of it, with the permissions of another."""
    unfinished = file.with_name(f".{file.name}.partial")
    try:
        with unfinished.open("wb") as written:
            written.write(text.encode())
            written.flush()
            os.fsync(written.fileno())
        shutil.copymode(like, unfinished)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
