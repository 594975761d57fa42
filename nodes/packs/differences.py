"""What changed from one pack to another, in the words of the domain: findings, options, verdicts, guards, who approves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nodes.pack import Pack, Step, Way

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
    for name, read in pack.reads.items():
        absent = "" if read.if_absent is None else str(read.if_absent)
        yield f"read {name}", {"tool": read.tool, "with": _args(read.args), "if absent": absent}
    for name, source in pack.let.items():
        yield f"let {name}", {"is": _line(source)}
    for dimension, findings in pack.findings.items():
        for finding in findings:
            yield f"finding {finding.id}", {
                "dimension": dimension, "when": _line(finding.when), "each": _each(finding.each), "says": finding.says,
                "priority": finding.priority or "", "choice": "" if finding.choice == "first" else finding.choice,
            }  # fmt: skip
    for finding_id, options in pack.options.items():
        for option in options:
            yield f"option {option.id!r} of {finding_id}", {
                "when": _line(option.when), "choose": _each(option.choose), "says": option.says, "else": option.otherwise,
                "consumes": _args(option.consumes), **_way(option),
            }  # fmt: skip
    for conclusion in pack.conclusions:
        yield f"conclusion {conclusion.id}", {
            "when": _line(conclusion.when), "each": _each(conclusion.each), "says": conclusion.says, **_way(conclusion),
        }  # fmt: skip
    for name, procedure in pack.procedures.items():
        yield f"procedure {name}", {"does": tuple(map(_step, procedure.do))}
    for name, text in pack.drafts.items():
        yield f"draft {name}", {"text": tuple(text.strip().splitlines())}
    for name, verdict in pack.verdicts.items():
        keeps = "everything" if verdict.keeps is None else ", ".join(verdict.keeps) or "nothing"
        yield f"verdict {name}", {"says": verdict.says, "keeps": keeps}
    for guard in pack.guards:
        yield f"guard for {guard.for_}: {guard.says}", {"only if": _line(guard.that), "cites": guard.cites or ""}
    rule = pack.approval
    own = f"{rule.own.owner} ({rule.own.clause})" if rule.own else ""
    named: dict[str, FieldText] = {name: getattr(rule, name) for name in ("automate", "base", "bands", "costs")}
    yield "approval", {**named, "limits": ", ".join(rule.limits), "own words": own}
    for one in rule.raises:
        yield f"approval raised by {one.clause} for {one.for_}", {"if": _line(one.that)}
    yield "escalation", {"does": _step(pack.escalation)}
    yield "missing evidence", {"goes to": pack.missing.escalate, "cites": ", ".join(pack.missing.cites)}
    if pack.model:
        yield "a model", {"tone": pack.model.tone}
        for name, fields in pack.model.sees.items():
            yield f"model sees {name}", {"fields": tuple(fields)}
        for name, extra in pack.model.may_read.items():
            yield f"model may read {name}", {"tool": extra.tool, "with": _args(extra.args), "fields": tuple(extra.sees)}
    if pack.book:
        book = pack.book
        yield "book", {
            "event": book.event, "subjects": f"{book.field} of {book.tool}",
            "rank": _line(book.rank), "says": book.says, "schedule": book.schedule,
        }  # fmt: skip


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


def _way(way: Way) -> dict[str, FieldText]:
    ends = f"escalates to {way.escalate}" if way.escalate else f"verdict {way.end}" if way.end else "goes on"
    return {"does": tuple(map(_step, way.do)), "ends": ends, "part": way.part or "", "cites": ", ".join(way.cites)}


def _step(step: Step) -> str:
    if_ = f", if {_line(step.if_)}" if step.if_ != "true" else ""
    each = f", for each {_each(step.each)}" if step.each else ""
    cites = f" [{', '.join(step.cites)}]" if step.cites else ""
    return f"{step.action or f'procedure {step.procedure}'}({_args(step.args)}){each}{if_}{cites}"


def _args(args: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_line(str(raw))}" for name, raw in args.items())


def _each(each: Mapping[str, str]) -> str:
    return ", ".join(f"{name} of {_line(source)}" for name, source in each.items())


def _line(source: str) -> str:
    return " ".join(source.split())
