"""What changed from one pack to another, in the words of the domain: findings, options, verdicts, guards, who approves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nodes.pack import ApprovalRule, Conclusion, Guard, ModelView, Option, Pack, PackPart, Raise, Read, Step, Verdict, Way

#: a text, or several that stand one below the other
FieldText = str | tuple[str, ...]
Items = dict[str, dict[str, FieldText]]


@dataclass(frozen=True)
class PackDifference:
    """One thing that changed; `fields` are (field, before, after), None where there is none."""

    kind: Literal["added", "removed", "changed", "renamed"]
    what: str
    fields: Sequence[tuple[str, FieldText | None, FieldText | None]] = ()


def differences(before: Pack, after: Pack) -> list[PackDifference]:
    """Everything that changed, in the order of the pack; none for packs that say the same."""
    old, new = _items(before), _items(after)
    removed = [name for name in old if name not in new]
    found: list[PackDifference] = []
    for name, fields in new.items():
        if name in old:
            changed = [(field, *_both(old[name].get(field), fields.get(field))) for field in {**old[name], **fields}]
            changed = [one for one in changed if one[1] != one[2]]
            if changed:
                found.append(PackDifference("changed", name, changed))
            continue
        twin = next((one for one in removed if _kind(one) == _kind(name) and old[one] == fields), None)
        if twin:
            removed.remove(twin)
            found.append(PackDifference("renamed", name, [("name", twin, name)]))
        else:
            found.append(PackDifference("added", name, [(field, None, text) for field, text in fields.items() if text]))
    gone = [
        PackDifference("removed", name, [(field, text, None) for field, text in old[name].items() if text]) for name in removed
    ]
    return [*found, *gone, *_orders(before, after)]


def _both(before: FieldText | None, after: FieldText | None) -> tuple[FieldText | None, FieldText | None]:
    """Before and after; of lists only what differs, unless it is their order."""
    if not (isinstance(before, tuple) and isinstance(after, tuple)) or set(before) == set(after):
        return before or None, after or None
    return tuple(one for one in before if one not in after) or None, tuple(one for one in after if one not in before) or None


def _kind(name: str) -> str:
    """What an item is: «part pickup, finding x» is a finding of that part."""
    part, comma, rest = name.partition(", ") if name.startswith("part ") else ("", "", name)
    return f"{part}{comma}{rest.split()[0]}"


def _items(pack: Pack) -> Items:
    items = dict(_own(pack))
    for name, part in pack.parts.items():
        own = {what: fields for what, fields in _own(part) if items.get(what) != fields}
        items |= {f"part {name}, {what}": fields for what, fields in own.items()}
    return items


def _own(pack: Pack) -> Iterator[tuple[str, dict[str, FieldText]]]:
    yield "the mission", {"name": pack.mission, "title": pack.title, "version": str(pack.version)}
    if not pack.parts:
        for event, subject in pack.trigger.events.items():
            yield f"event {event}", {"subject": subject}
    for name, path, piece in pack.pieces():
        match path:
            case ("drafts", _):
                yield name, {"text": tuple(piece.strip().splitlines())}
            case ("findings", dimension, _):
                yield name, {"dimension": str(dimension), **_fields(piece)}
            case _:
                yield name, _fields(piece) if isinstance(piece, PackPart) else {"is": _text(piece)}


def _fields(piece: PackPart) -> dict[str, FieldText]:
    """The fields of a piece in words, but those that its name says and those that are pieces of their own."""
    fields = {
        _LABELS.get(name) or (type(piece).model_fields[name].alias or name).replace("_", " "): _text(value)
        for name, _, value in piece.contents()
        if name not in _ELSEWHERE.get(type(piece), ("id",))
    }
    match piece:
        case Read() if piece.if_absent is not None:
            fields["if absent"] = str(piece.if_absent)
        case ModelView():
            fields["sees"] = tuple(f"{name}: {', '.join(seen)}" for name, seen in piece.sees.items())
        case Way():
            fields["ends"] = piece.ending
        case Verdict():
            fields["keeps"] = "everything" if piece.keeps is None else ", ".join(piece.keeps) or "nothing"
    return fields


_LABELS = {"do": "does", "that": "only if", "own": "own words", "escalate": "goes to"}
_WAY = ("id", "end", "escalate")
_ELSEWHERE: Mapping[type[PackPart], Sequence[str]] = {
    Option: _WAY, Conclusion: _WAY, Guard: ("for_", "says"), Raise: ("clause", "for_"), ApprovalRule: ("raises",),
    ModelView: ("may_read",),
}  # fmt: skip


def _text(value: Any) -> FieldText:
    match value:
        case None:
            return ""
        case Step():
            if_ = f", if {_line(value.if_)}" if value.if_ != "true" else ""
            each = "".join(f", for each {name} of {_line(source)}" for name, source in value.each.items())
            cites = f" [{', '.join(value.cites)}]" if value.cites else ""
            return f"{value.action or f'procedure {value.procedure}'}({_args(value.args)}){each}{if_}{cites}"
        case list():
            return tuple(str(_text(one)) for one in value)
        case dict():
            return _args(value)
        case PackPart():
            return _args(value.model_dump())
    return _line(str(value))


def _orders(before: Pack, after: Pack) -> list[PackDifference]:
    """Where what is in both packs stands in another order, and the order means something."""
    old, new = dict(_sequences(before)), dict(_sequences(after))
    found = []
    for name in new.keys() & old.keys():
        kept = [one for one in old[name] if one in new[name]]
        now = [one for one in new[name] if one in kept]
        if kept != now:
            found.append(PackDifference("changed", f"order of {name}", [("order", ", ".join(kept), ", ".join(now))]))
    return sorted(found, key=lambda one: list(new).index(one.what.removeprefix("order of ")))


def _sequences(pack: Pack) -> Iterator[tuple[str, list[str]]]:
    for part, one in (pack.parts or {"": pack}).items():
        label = f"part {part}, " if part else ""
        yield f"{label}the dimensions", list(one.findings)
        for dimension, findings in one.findings.items():
            yield f"{label}the findings of {dimension}", [finding.id for finding in findings]
        for finding_id, options in one.options.items():
            yield f"{label}the options of {finding_id}", [option.id for option in options]
        yield f"{label}the conclusions", [conclusion.id for conclusion in one.conclusions]


def _args(args: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_line(str(raw))}" for name, raw in args.items())


def _line(source: str) -> str:
    return " ".join(source.split())
