"""What is no error in a pack and probably not meant: hints for the person who writes it."""

import re
from collections.abc import Iterator, Sequence

from nodes.pack import Conclusion, Finding, Option, Pack
from systems.arguments import opened
from systems.catalogue import HAND_OVER, Catalogue

_REMEDY = "give it a `when` or put it last"
_UNMET = re.compile(r"unmet\(\s*'([^']*)'\s*\)")


def hints(pack: Pack, catalogue: Catalogue) -> list[str]:
    """Sentences, in the order of the pack; none for one in which everything is used, guarded, and can be reached.

    What stands before `parts` is used if one of the parts uses it.
    """
    parts: Sequence[tuple[str, Pack]] = [(f"part {name}: ", part) for name, part in pack.parts.items()] or [("", pack)]
    found = [
        f"{label}{hint}"
        for label, part in parts
        for hint in (*_silent(part), *_behind(part), *_without_end(part), *_unguarded(part, catalogue))
    ]
    return [*found, *_unused([part for _, part in parts])]


def reached(pack: Pack) -> set[str]:
    """The verdicts that a case can end in; `escalate` is always one."""
    return {"escalate", *(way.end for way in pack.ways if way.end)}


def _silent(pack: Pack) -> Iterator[str]:
    """Findings that change nothing."""
    asked = {name for source in pack.expressions for name in _UNMET.findall(source)}
    kept = {name for verdict in pack.verdicts.values() for name in verdict.keeps or ()}
    for dimension, findings in pack.findings.items():
        silent = [one.id for one in findings if one.id not in pack.options and one.id not in asked | kept]
        if silent:
            them, they = ("it", "it is") if len(silent) == 1 else ("them", "they are")
            nobody = f"no option answers {_listed(silent)} ({dimension}) and no condition asks for {them}"
            yield f"{nobody}: {they} said, and nothing follows"


def _behind(pack: Pack) -> Iterator[str]:
    """Options and conclusions behind one that always works."""
    for finding, options in pack.options.items():
        for place, option in enumerate(options[:-1]):
            if _always(option):
                rest = _listed([repr(one.id) for one in options[place + 1 :]])
                yield f"option {option.id!r} of {finding} always works: {rest} behind it is never reached; {_REMEDY}"
                break
    for place, conclusion in enumerate(pack.conclusions[:-1]):
        if _always(conclusion) and (conclusion.end or conclusion.escalate):
            rest = _listed([one.id for one in pack.conclusions[place + 1 :]])
            yield f"conclusion {conclusion.id} always ends the case: {rest} behind it is never reached; {_REMEDY}"
            break


def _without_end(pack: Pack) -> Iterator[str]:
    answers = [(finding, one) for finding, options in pack.options.items() for one in options]
    goes_on = [f"{one.id!r} of {finding}" for finding, one in answers if not (one.end or one.escalate)]
    # a conclusion, or the option that always works for a finding that is always so, ends the case
    so = {one.id for one in pack.all_findings.values() if _always(one)}
    surely: list[Option | Conclusion] = [*(one for finding, one in answers if finding in so), *pack.conclusions]
    if goes_on and not any(_always(way) and (way.end or way.escalate) for way in surely):
        yield (
            f"after option {goes_on[0]} the case continues, and no conclusion always ends it: if none fits, it is escalated "
            f"to {pack.missing.escalate}; let the last conclusion have no `when`"
        )


def _unguarded(pack: Pack, catalogue: Catalogue) -> Iterator[str]:
    """Actions that change, cost or send something, and of which no guard says when they are right."""
    guarded = {guard.for_ for guard in pack.guards}
    for name in sorted(pack.actions - guarded - {HAND_OVER}):
        action = catalogue[name]
        if action.effect or action.money or any(opened(kind)[0] == "text" for kind in action.args.values()):
            yield f"action {name} has no guard: a proposal may do it to any record; say under guards to which it may"


def _unused(parts: Sequence[Pack]) -> Iterator[str]:
    drafts = {name for part in parts for name, text in part.drafts.items() if text in part.templates}
    procedures = {step.procedure for part in parts for way in part.ways for step in way.do if step.procedure}
    verdicts = {verdict for part in parts for verdict in reached(part)}
    names = {name for part in parts for name in part.names}
    for kind, section, used, why in (
        ("draft", "drafts", drafts, "no step writes it"),
        ("procedure", "procedures", procedures, "no option or conclusion does it"),
        ("verdict", "verdicts", verdicts, "no option or conclusion ends in it"),
        ("let", "let", names, "no condition, sentence or value uses it"),
    ):
        for name in dict.fromkeys(name for part in parts for name in getattr(part, section)):
            if name not in used:
                yield f"{kind} {name} is never used: {why}; remove it, or use it where it belongs"


def _always(one: Finding | Option | Conclusion) -> bool:
    return one.when == "true" and not (one.choose if isinstance(one, Option) else one.each)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
