"""Drafts of policies: the text of a next version made from the present one, checked, and put into the folder of policies.

Only what changes is rewritten; every other line stays as it was, comments and line breaks too. Texts have line ends as \\n.

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
from knowledge_index.documents import UNRULY, Document, parse_document
from knowledge_index.policies import PolicyBook, paragraphs

_MUST_BE: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text of one line"}


def _edited(block: list[str], values: Mapping[str, Any]) -> list[str]:
    """The lines of a clause's values with some of them others, which are of the same kind."""
    yaml = YAML()
    yaml.version, yaml.preserve_quotes, yaml.width = (1, 1), True, 1_000_000  # as it is read, and no line broken
    if any(line.startswith(" ") and line.lstrip().startswith("- ") for line in block):
        yaml.indent(mapping=2, sequence=4, offset=2)
    loaded = yaml.load("\n".join(block))

    def dumped() -> list[str]:
        yaml.dump(loaded, out := StringIO())
        return out.getvalue().removeprefix("%YAML 1.1\n---\n").removesuffix("\n").split("\n")

    before = dumped()
    for name, value in values.items():
        loaded[name] = _put_into(loaded[name], value)
    after = dumped()
    if len(before) != len(block):
        return after
    matched = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [line for tag, i, j, k, m in matched for line in (block[i:j] if tag == "equal" else after[k:m])]


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
        if not isinstance(after, Sequence) or isinstance(after, str) or (before and not after):
            raise BadInput(f"{where} is {after!r}; make it a list of at least one item.")
        fixed = any(isinstance(item, Mapping | list) for item in before)
        if fixed and len(after) != len(before):
            raise BadInput(f"{where} must keep its {len(before)} items; change their values only.")
        like = before if fixed else before[:1] * len(after)
        fitted = [fitting(was, now, f"{where}.{number}") for number, (was, now) in enumerate(zip(like, after, strict=False))]
        fitted = fitted if before else list(after)
        if not fixed and len(set(fitted)) != len(fitted):
            raise BadInput(f"{where} has an item twice; remove one of the two.")
        return fitted
    if isinstance(before, float) and isinstance(after, int) and not isinstance(after, bool):
        return float(after)
    if isinstance(before, int) and isinstance(after, float) and after.is_integer():
        after = int(after)
    kind = type(before)
    if type(after) is not kind or (kind is str and (not after.strip() or "\n" in after or UNRULY.search(after))):
        raise BadInput(f"{where} is {after!r}; make it {_MUST_BE[kind]}.")
    return after


def _with_field(text: str, name: str, value: str, file: Path) -> str:
    """The document's text with another value of a field of its front matter. Raises BadInput where it has no such line."""
    head, mark, rest = text.partition("\n---")
    changed, count = re.subn(rf"(?m)^({name}[ \t]*:[ \t]*)[^#\n]*?([ \t]*(?:#.*)?)$", rf"\g<1>{value}\g<2>", head, count=1)
    if count != 1 or not mark:
        raise BadInput(f"{file} has no line `{name}: …` in its front matter; add one, with each field on its own line.")
    return changed + mark + rest


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
    before, lines = parse_document(text, file), text.split("\n")
    clauses = {clause.id: clause for clause in before.clauses}
    for clause_id, edit in edits.items():
        if clause_id not in clauses:
            raise BadInput(f"{before.id} has no clause {clause_id}; it has {', '.join(sorted(clauses))}.")
        for name in edit.values.keys() - clauses[clause_id].values.keys():
            raise BadInput(f"{clause_id} has no value {name}; it has {', '.join(clauses[clause_id].values) or 'none'}.")
    wanted = []
    for clause in reversed(before.clauses):  # from the last one on, so that the lines of the others stay where they are
        edit, prose = edits.get(clause.id, Edit()), clause.prose
        if edit.prose is not None:
            prose = edit.prose.replace("\r\n", "\n").strip("\n").rstrip()
            if not prose.strip():
                raise BadInput(f"{clause.id} would say nothing; write its text.")
            if found := UNRULY.search(prose):
                raise BadInput(f"The text of {clause.id} holds the invisible character U+{ord(found[0]):04X}; take it out.")
            start = clause.prose_line - 1
            lines[start : start + clause.prose.count("\n") + 1] = prose.split("\n")
        values = {name: fitting(clause.values[name], value, f"{clause.id}: {name}") for name, value in edit.values.items()}
        if values:
            start, stop = [number for number in range(clause.line, len(lines)) if lines[number].startswith("```")][:2]
            lines[start + 1 : stop] = _edited(lines[start + 1 : stop], values)
        wanted.append((clause.id, clause.title, {**clause.values, **values}, prose))
    text = "\n".join(lines)
    fields = {"version": str(version), "in_force_from": in_force_from.isoformat(), "in_force_until": "null"}
    for name, value in fields.items():
        text = _with_field(text, name, value, file)
    drafted = parse_document(text, file.with_name(file_name(before.id, version)))
    made = [(clause.id, clause.title, dict(clause.values), clause.prose) for clause in reversed(drafted.clauses)]
    if made != wanted or drafted.intro != before.intro:  # a text with a heading in it makes a clause
        what = f"The edit of {' and '.join(edits)} changes more than these clauses"
        raise BadInput(f"{what}; leave out lines that begin with ## or ``` there.")
    if not differences(before, drafted):
        raise BadInput(f"The draft says what {before.id} version {before.version} says; change something.")
    return text


def closed(text: str, file: Path, until: date) -> str:
    """The text of a version that ends with the day `until`. Raises BadInput if that lies before its first day."""
    text = _with_field(text.replace("\r\n", "\n"), "in_force_until", until.isoformat(), file)
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
    content = [document.id, document.version, document.title, document.owner, paragraphs(document.intro), clauses]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def with_draft(book: PolicyBook, drafted: str) -> PolicyBook:
    """The policies as they will be with the draft in force: the version before it ends the day before.

    Raises BadInput for a draft that is not the next version, begins no later than the one before it, or does not fit the others.
    """
    draft = parse_draft(drafted)
    before = newest(book, draft.id)
    if draft.version != before.version + 1:
        what = f"The draft is version {draft.version} of {draft.id}, and the newest is version {before.version}"
        raise BadInput(f"{what}; create a new draft from that one.")
    if draft.in_force_from <= before.in_force_from:
        what = f"Version {before.version} of {draft.id} is in force from {before.in_force_from} on"
        raise BadInput(f"{what}; let the draft begin on a later day.")
    ended, others = _ended(before, draft), [one for one in book.documents if one is not before]
    return PolicyBook([*others, before if ended is None else parse_document(ended, before.file), draft])


def parse_draft(drafted: str) -> Document:
    """The document of a draft; errors name the file that it will stand in."""
    document = parse_document(drafted, Path("draft.md"))
    return parse_document(drafted, Path(file_name(document.id, document.version)))


def _ended(before: Document, draft: Document) -> str | None:
    """The text of a version that ends the day before the next one begins; None where it has ended earlier."""
    until = before.in_force_until
    if until is not None and until < draft.in_force_from:
        return None
    return closed(before.text, before.file, draft.in_force_from - timedelta(days=1))


def differences(before: Document, after: Document) -> list[PolicyDifference]:
    """What two versions of a policy say differently, clause by clause."""
    old, new = ({clause.id: clause for clause in document.clauses} for document in (before, after))
    found: list[PolicyDifference] = []
    for clause_id in dict.fromkeys([*old, *new]):
        was, now = (
            {**dict(leaves(one.values)), "": one.prose} if one else {} for one in (old.get(clause_id), new.get(clause_id))
        )
        names = [name for name in dict.fromkeys([*was, *now]) if name]
        changed = [name for name in (*names, "") if name not in was or name not in now or was[name] != now[name]]
        found += [PolicyDifference(clause=clause_id, name=one, before=was.get(one), after=now.get(one)) for one in changed]
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


def install(folders: Sequence[Path], drafted: str) -> Callable[[], None]:
    """Write the version `drafted` into the last of the folders of policies. Returns what takes it back, as if it had not been.

    Raises BadInput for a draft that does not fit them, or a folder that cannot be written; nothing is changed then.
    """
    book, draft, folder = PolicyBook.load(*folders), parse_draft(drafted), folders[-1]
    with_draft(book, drafted)
    before = newest(book, draft.id)
    target, place, ended = folder / file_name(draft.id, draft.version), folder / before.file.name, _ended(before, draft)
    if target.exists():
        raise BadInput(f"{target} is there already; move it away, then put the draft in force.")

    def take_back() -> None:
        target.unlink(missing_ok=True)
        if place == before.file:
            _write(place, before.text, before.file)
        else:
            place.unlink(missing_ok=True)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the older one first: the folders are such that load at every moment in between
        if ended is not None:
            _write(place, ended, before.file)
        _write(target, drafted, before.file)
    except OSError as error:
        with suppress(OSError):
            take_back()
        what = f"The folder {folder} cannot be written ({error.strerror or error}), and no policy was changed"
        raise BadInput(f"{what}; give the account that runs this the right to write there.") from error
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
