"""What a model may see of a case, as labeled blocks of data for its prompt: only what the pack names, and masked.

Sentences of the pack are made again, since they may hold what is not to be seen. Those that cannot be made again, such as
objections, are redacted.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson

from ledger.records import NewObservation, Observation, ObservationKind
from models.masking import Masks
from models.prompts import block
from nodes.case import LONGEST_SAID, ShownAs, shown
from nodes.derivation import Plan, queues
from nodes.pack import ModelView, PackPart
from nodes.quoting import quotable
from nodes.state import Task
from systems.arguments import ADDRESS_FIELDS, Kind, choices, is_free, without_words
from systems.calls import Call
from systems.conditions import Expression, Unknown

MOST_ELEMENTS = 40
MOST_CHARACTERS = 1_500


def allowed(value: Any, fields: Sequence[str]) -> Any:
    """A fact with nothing but these fields, dotted into records and lists: `lines.sku`. None where nothing is left.

    A list with more elements than fit ends with a text that says so.
    """
    if isinstance(value, list):
        more = [f"and {len(value) - MOST_ELEMENTS} more"] if len(value) > MOST_ELEMENTS else []
        return [*(allowed(one, fields) for one in value[:MOST_ELEMENTS]), *more]
    if not fields:
        return None if isinstance(value, Mapping) else value[:MOST_CHARACTERS] if isinstance(value, str) else value
    if not isinstance(value, Mapping):
        return None  # something else than the record that the pack speaks of
    inside: dict[str, list[str]] = {}
    for path in fields:
        name, _, rest = path.partition(".")
        inside.setdefault(name, []).extend([rest] if rest else [])
    return {name: allowed(value[name], rest) for name, rest in inside.items() if name in value}


def texts(value: Any) -> Iterable[str]:
    """Every text in a value, but the names of fields."""
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from texts(inner)
        case list() | tuple():
            for inner in value:
                yield from texts(inner)


#: bytes of what was read, on the rail
MOST_BYTES = 4_000


def may_read(task: Task) -> dict[str, Call]:
    """What a model may ask for: in a look once, and what the arguments are known of."""
    model, calls = task.case.pack.model, dict[str, Call]()
    if model is None or task.reader is None or any("read" in one.evidence for one in task.rail):
        return calls
    for name, read in model.may_read.items():
        with suppress(Unknown):
            args = {key: task.case.value(raw) for key, raw in read.args.items()}
            if None not in args.values() and [] not in args.values():
                calls[name] = Call(read.tool, args)
    return calls


def read_more(task: Task, name: str) -> Task:
    """The task with what was read on its rail, where a reason can cite it. The findings stay as they are."""
    assert task.case.pack.model and task.reader and task.ledger, "what may be read depends on them"
    call, read = may_read(task)[name], task.case.pack.model.may_read[name]
    (result,) = task.reader.read_all([call])
    value = allowed(result.value, read.sees)
    while isinstance(value, list) and len(value) > 1 and len(orjson.dumps(value)) > MOST_BYTES:
        value = value[: len(value) // 2]
    value = value if len(orjson.dumps(value)) <= MOST_BYTES else None
    found = {"ok": "read", "absent": "no record", "failed": "could not be read"}[result.status]
    kind: ObservationKind = "missing" if result.status == "failed" else "read"
    evidence = {"tool": call.tool, "read": name, "value": value}
    said = NewObservation("propose", kind, f"A model asked for {name}, {call.tool}: {found}", evidence)
    return replace(task, rail=[*task.rail, *task.ledger.observe(task.run_id, [said])])


#: the fields that are blocks of the prompt, in their order
_BLOCKS = (
    "case", "facts", "findings", "evidence", "clauses", "verdicts", "actions", "rules", "queues", "plans", "addresses", "letters",
    "risks", "reads",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PromptView:
    """What a model may see of a case. Everything is plain data, filtered by the pack and masked."""

    #: {"mission", "event", "as_of", "subject": where it is made of what may be seen}
    case: Mapping[str, Any]
    #: read -> the fields of it that the pack lets a model see
    facts: Mapping[str, Any]
    #: [{"id", "says", "options": [{"option", "if_it_does_not_work"}]}]
    findings: Sequence[Mapping[str, Any]]
    #: [{"seq", "kind", "says"}]: what a reason may cite
    evidence: Sequence[Mapping[str, Any]]
    #: [{"id", "version", "text", "values": its numbers, units in their names}]: what a reason may cite
    clauses: Sequence[Mapping[str, Any]]
    #: where a case may be handed over to
    queues: Sequence[str]
    #: to choose from, the planner's first: [{"id", "says", "verdict", "steps", "cites", "options_that_lost"}], of a step
    #: {"step": from 1, "action", "args", "for", "letter": where it sends one}
    plans: Sequence[Mapping[str, Any]] = ()
    #: to make a plan of: verdict -> what it means
    verdicts: Mapping[str, str] = field(default_factory=dict)
    #: [{"name", "says", "args": {name: kind}}]; the kinds are those of the catalogue
    actions: Sequence[Mapping[str, Any]] = ()
    #: what the pack says may be done about what was found, in its own words
    rules: Mapping[str, Any] = field(default_factory=dict)
    #: facts that are addresses, by reference: "order.ship_to"; what stands in them is not shown
    addresses: Sequence[str] = ()
    #: name -> the letter of the pack, with its holes
    letters: Mapping[str, str] = field(default_factory=dict)
    risks: Mapping[str, float] = field(default_factory=dict)
    #: name -> what may be read once more: {"tool", "fields"}
    reads: Mapping[str, Any] = field(default_factory=dict)
    #: words of the pack, which a sentence may have in it as they are
    names: frozenset[str] = frozenset()
    #: texts that were read and are not to be seen
    hidden: Sequence[str] = ()
    #: sentence of a finding -> what a model is shown instead
    retold: Mapping[str, str] = field(default_factory=dict)
    #: which mark stands for what
    masks: Masks = field(default_factory=Masks)

    @cached_property
    def known(self) -> frozenset[str]:
        """What a sentence of the model may quote; see `nodes.quoting`."""
        values = [clause["values"] for clause in self.clauses]
        said = [*(clause["text"] for clause in self.clauses), *self.letters.values()]
        quoted = quotable(self.case, self.facts, self.findings, self.evidence, self.plans, self.risks, values, said)
        words = [*self.names, *(one["id"] for one in (*self.findings, *self.clauses, *self.plans))]
        return quoted | {word.lower() for word in words}

    def text(self) -> str:
        """The blocks of the prompt; what there is nothing of is left out."""
        return "\n\n".join(block(name, value) for name in _BLOCKS if (value := getattr(self, name)))


NOT_SHOWN = "[not shown]"
#: computed by what is called, whatever it is computed from
_HARMLESS = ("money(", "size(")
#: shorter texts stand in sentences that mean something else
_LEAST_HIDDEN = 3


def prompt_view(task: Task, plans: Sequence[Plan] = ()) -> PromptView:
    """What a model may see of a case. With plans to choose from it is not shown the actions and rules to make one of."""
    case, pack, model = task.case, task.case.pack, task.case.pack.model
    assert model is not None, "a model is asked where the pack lets it see something"
    facts = _facts(task, model)
    seen = {*texts(facts), *texts([list(clause.values.values()) for clause in task.clauses.values()])}
    shown_as = _only_what_is_seen(seen)
    findings = [_finding(task, one, shown_as) for one in case.findings]
    retold = {one["says"]: again["says"] for one, again in zip(case.findings, findings, strict=True)}
    # what the case is about, where the model sees all that it is made of
    named = set(pack.trigger.fields(case.event.name)) <= set(model.sees.get("trigger", ()))
    view: dict[str, Any] = {
        "case": {"mission": pack.title, "event": case.event.name, "as_of": case.as_of}
        | ({"subject": case.event.subject} if named else {}),
        "facts": facts,
        "findings": findings,
        "evidence": [one for one in (_evidence(line, retold) for line in task.rail) if one],
        "clauses": [
            {"id": one.id, "version": one.version, "text": one.text, "values": dict(one.values)} for one in task.clauses.values()
        ],
        "queues": sorted(queues(case)),
        "risks": dict(task.risks),
    }
    if plans:
        view |= {
            "letters": {letter.draft: letter.text for plan in plans for letter in plan.letters.values()},
            "plans": [_plan(task, plan, seen) for plan in plans],
            "reads": {name: {"tool": model.may_read[name].tool, "fields": model.may_read[name].sees} for name in may_read(task)},
        }
    else:
        known = [task.catalogue[name] for name in sorted(pack.actions)]
        view |= {
            "letters": dict(pack.drafts),
            "verdicts": {name: re.sub(r" *\{[^}]*\}", " …", verdict.says) for name, verdict in pack.verdicts.items()},
            "actions": [{"name": one.name, "says": one.says, "args": dict(one.args)} for one in known],
            "addresses": [
                f"{fact.name}.{field}"
                for fact in case.facts
                if isinstance(fact.value, Mapping)
                for field, value in fact.value.items()
                if isinstance(value, Mapping) and set(ADDRESS_FIELDS) <= value.keys()
            ],
            "rules": _rules(task),
        }
    masks = Masks()
    # texts that were read and are not to be seen, as they stand and as sentences cut them
    read = texts([dict(case.event.trigger), [fact.value for fact in case.facts]])
    shown_texts = set(texts(facts))
    hidden = {cut for one in read if one not in shown_texts for cut in (one, one[:LONGEST_SAID]) if len(cut) >= _LEAST_HIDDEN}
    return PromptView(
        **masks.mask_all(view), names=frozenset({*pack.verdicts, *pack.actions}),
        hidden=sorted(hidden, key=lambda one: (-len(one), one)), retold=retold, masks=masks,
    )  # fmt: skip


def redacted(text: str, view: PromptView) -> str:
    """A sentence without what a model may not see."""
    for says, instead in view.retold.items():
        text = text.replace(says, instead) if says else text
    if not view.hidden:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, view.hidden))})(?!\w)", NOT_SHOWN, text)


def _facts(task: Task, model: ModelView) -> dict[str, Any]:
    """The reads that the pack lets a model see something of, the trigger, and what a model has asked for besides."""
    values: dict[str, Any] = {"trigger": dict(task.case.event.trigger)}
    for fact in task.case.facts:
        if fact.name == fact.read:
            values[fact.name] = fact.value
        elif fact.value is not None:
            values.setdefault(fact.read, []).append(fact.value)
    seen = {name: allowed(values[name], fields) for name, fields in model.sees.items() if values.get(name) is not None}
    return seen | {one.evidence["read"]: one.evidence["value"] for one in task.rail if "read" in one.evidence}


def _only_what_is_seen(known: set[str]) -> ShownAs:
    """Numbers are shown, and of texts those that stand in what is seen."""

    def shown_as(expression: Expression, value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(shown_as(expression, one) for one in value)
        plain = value is None or isinstance(value, bool | int | float) or value in known
        return shown(expression, value) if plain or expression.source.startswith(_HARMLESS) else NOT_SHOWN

    return shown_as


def _finding(task: Task, finding: Mapping[str, Any], shown_as: ShownAs) -> dict[str, Any]:
    """What was found, and what may be done about it, said again of what may be seen."""
    case, finding_id = task.case, finding["id"]
    options = case.pack.options.get(finding_id, ())
    if finding["lacking"]:
        says, lost = "This is not known, because something could not be read.", [""] * len(options)
    else:
        says = case.sentence(case.pack.all_findings[finding_id].says, finding["about"], shown_as)
        lost = [case.sentence(option.otherwise, finding["about"], shown_as) for option in options]
    what = [{"option": option.id, "if_it_does_not_work": why} for option, why in zip(options, lost, strict=True)]
    return {"id": finding_id, "says": says, "options": what}


def _evidence(line: Observation, retold: Mapping[str, str]) -> dict[str, Any] | None:
    """A line of the rail that a reason may cite, said again from what it is evidence of."""
    match line.kind:
        case "finding":
            says = retold.get(line.text, NOT_SHOWN)
        case "read" if "tool" in line.evidence:
            says = f"{line.evidence['tool']} was read: {line.evidence.get('fact') or line.evidence.get('read', '')}"
        case "missing" if "tool" in line.evidence:
            says = f"{line.evidence['tool']} could not be read"
        case "policy" | "prediction":
            says = line.text
        case _:
            return None
    return {"seq": line.seq, "kind": line.kind, "says": says}


def _plan(task: Task, plan: Plan, seen: Collection[str]) -> dict[str, Any]:
    def shown_as(kind: Kind, value: Any) -> Any:
        """Numbers, words of the catalogue, and of other texts those that stand in what is seen."""
        return value if not isinstance(value, str) or choices(kind) or value in seen else NOT_SHOWN

    steps = []
    for step, action in enumerate(plan.draft["plan"]):
        kinds = task.catalogue[action["name"]].args
        args = {
            name: without_words(kinds[name], value, shown_as)
            for name, value in action["args"].items()
            if not is_free(kinds[name])
        }
        letter = {"letter": plan.letters[step].draft} if step in plan.letters else {}
        steps.append({"step": step + 1, "action": action["name"], "args": args, "for": action["for"], **letter})
    lost = [{"option": one["option"], "for": one["for"]} for one in plan.draft["alternatives"]]
    told = {name: plan.draft[name] for name in ("verdict", "cites")}
    return {"id": plan.id, "says": plan.says, **told, "steps": steps, "options_that_lost": lost}


def _rules(task: Task) -> dict[str, Any]:
    """What the pack says may be done about what was found, in its own words; no value of the case is in it."""

    def written(ways: Iterable[PackPart]) -> list[Any]:
        return [way.model_dump(by_alias=True, exclude_defaults=True) for way in ways]

    pack = task.case.pack
    found = dict.fromkeys(one["id"] for one in task.case.findings)
    return {
        "options": {finding: written(pack.options[finding]) for finding in found if finding in pack.options},
        "conclusions": written(pack.conclusions),
        "procedures": dict(zip(pack.procedures, written(pack.procedures.values()), strict=True)),
        "names": dict(pack.let),
    }
