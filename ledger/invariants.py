"""What may be written into the ledger besides decisions: events, proposals, effects, the end of a run.

Pure functions, the same for every ledger; they raise Refused or BadInput with one sentence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from errors import BadInput, Refused, TakenOver
from ledger.authorization import authority, steps_left_out
from ledger.canonical import digest, digest_of, moment, storable
from ledger.records import (
    Decision,
    Effect,
    EffectStatus,
    Event,
    Fact,
    NewObservation,
    ObservationKind,
    Outcome,
    Proposal,
    ProposalStatus,
    Run,
    RunStatus,
)

#: what may follow which status of an effect
_NEXT: Mapping[EffectStatus, Sequence[EffectStatus]] = {
    "intended": ("executing",),
    "executing": ("done", "failed", "unknown"),
    "unknown": ("done", "failed"),
    "done": (),
    "failed": (),
}
_OBSERVATION_KINDS = get_args(ObservationKind)
#: characters; names that are looked up must fit into an index of the database
LONGEST_NAME = 500

#: for when a record is not there, or somebody else has it
NO_RUN = "There is no run '{}' in the ledger: `missions queue` shows those that wait."
RUN_ID_TAKEN = "The run id '{}' belongs to another event; give the run a new id."
NO_PROPOSAL = "There is no proposal '{}' in the ledger: see `missions queue` for those that wait."
NO_EFFECT = "There is no effect with the key '{}' in the ledger: it must be intended before it is marked."
MODEL_CALL_TAKEN = "The question '{}' to a model was already started; give the next one a new id."
LEASED = "Run {} is being worked on by another process: wait until it is done."
STILL_SENT = "A step of run {} was sent just now, and its system may still do it: wait a minute, and look whether it did."
GIVEN_UP = "{} closed the run while it was under way."
TAKEN_OVER = "Run {} was taken over by another process, for this one gave no sign of life: nothing more is written here."


def nameable(name: object) -> bool:
    """Whether the ledger can keep it as a name: text, not empty, not too long, no NUL, no half of a character."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        return False
    return "\0" not in name and not any("\ud800" <= character <= "\udfff" for character in name)


def check_event(event: Event, run_id: str) -> None:
    """Names must be there and short enough to be looked up; the moment must have a time zone; else BadInput."""
    for what, name in (("source id", event.source_id), ("subject", event.subject), ("run id", run_id)):
        if not name.strip():
            raise BadInput(f"The event '{event.name}' has no {what}: give it one.")
        if len(name) > LONGEST_NAME:
            raise BadInput(f"The {what} of the event '{event.name}' is longer than {LONGEST_NAME} characters.")
    moment(event.as_of)


def event_digest(event: Event) -> str:
    """What makes two messages the same event; `as_of` is when one was looked at and does not count."""
    return digest([event.name, event.mission, event.subject, event.trigger])


def check_same_event(source_id: str, kept: str, come: str) -> None:
    """`kept` and `come` are the digests of the event taken in and of the one that came again; Refused where they differ."""
    if kept != come:
        raise Refused(
            f"The event {source_id} was already accepted with different content; send the new one under a new source id."
        )


def stored_facts(facts: Iterable[Fact]) -> list[Fact]:
    """Facts as a ledger keeps them, as plain data. BadInput where one look read a name twice."""
    kept: dict[str, Fact] = {}
    for fact in facts:
        if fact.name in kept:
            raise BadInput(f"The fact '{fact.name}' appears twice in one attempt; record each name once.")
        kept[fact.name] = Fact(**{**storable(vars(fact)), "read_at": moment(fact.read_at)})
    return list(kept.values())


def check_observations(said: Iterable[NewObservation]) -> None:
    """BadInput for an observation of a kind that there is none of: the database would refuse the row."""
    for one in said:
        if one.kind not in _OBSERVATION_KINDS:
            raise BadInput(f"'{one.kind}' is no kind of observation: choose one of {', '.join(_OBSERVATION_KINDS)}.")


def draft_id(run_id: str, draft: Mapping[str, Any]) -> str:
    """The id of a draft, which is plain data: of the run, and of what it says."""
    return f"{run_id}.{digest_of(draft)[:16]}"


def check_draft(draft_id: str, kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """The draft that is kept under an id. BadInput where there is none, or it says something else."""
    if kept is None or not draft_id.endswith(f".{digest_of(kept)[:16]}"):
        wrong = "is not in the ledger" if kept is None else "does not say what it said: see `missions audit verify`"
        raise BadInput(f"There is no draft '{draft_id}' to check: it {wrong}.")
    return dict(kept)


def waits_for(run_id: str, other: str, held_by: Callable[[str], str]) -> bool:
    """Whether a run waits for another, or for one that does; `held_by` tells the run that one waits for, or nothing."""
    seen: set[str] = set()
    while run_id and run_id not in seen:
        if run_id == other:
            return True
        seen.add(run_id)
        run_id = held_by(run_id)
    return False


def check_proposal(proposal: Proposal, run_status: RunStatus) -> ProposalStatus:
    """The status a new proposal starts with: "pending", or "automatic" when it waits for nobody.

    Raises BadInput for one that nobody could decide about, Refused where the run does not go on.
    """
    authority(proposal.approval.role)
    moment(proposal.created_at)
    moment(proposal.expires_at)
    if not proposal.digest:
        raise BadInput(f"Proposal {proposal.proposal_id} has no digest: a decision could not be bound to it.")
    if proposal.approval.role == "none" and proposal.approval.four_eyes:
        raise BadInput(f"Proposal {proposal.proposal_id} requires four eyes but names no approver; name the role.")
    if run_status in ("closed", "incident"):
        raise Refused(f"Run {proposal.run_id} is '{run_status}': proposal {proposal.proposal_id} cannot be made in it.")
    return "automatic" if proposal.approval.role == "none" else "pending"


def held(proposal: Proposal, status: ProposalStatus, by: str) -> Proposal:
    """The proposal as it is kept: one that has to wait for another run waits whatever its approval asks for."""
    return replace(proposal, status="pending" if by else status, held_by=by)


def check_same_proposal(kept: Proposal, come: Proposal) -> None:
    """A node that was run again may propose the same once more, and nothing else under the same id: Refused."""
    if (kept.run_id, kept.digest) != (come.run_id, come.digest):
        raise Refused(f"Proposal {come.proposal_id} exists with another digest; give the new one a new id.")


def check_intent(effect: Effect, proposal: Proposal | None, run: Run, latest: Proposal | None) -> None:
    """An effect is a step of the approved (or automatic) plan of a run that goes on, exactly as it stands there.

    Raises BadInput for one that is none of this run's, Refused for one that may not be begun.
    """
    if proposal is None or proposal.run_id != effect.run_id:
        raise BadInput(f"Effect {effect.key} names the proposal {effect.proposal_id}, which does not belong to its run.")
    if effect.status != "intended":
        raise BadInput(f"Effect {effect.key} is handed in as '{effect.status}': a new one is 'intended'.")
    if proposal.status not in ("approved", "automatic"):
        raise Refused(f"Effect {effect.key} belongs to proposal {proposal.proposal_id}, which is '{proposal.status}'.")
    if run.status != "running" or proposal != latest:
        raise Refused(f"Effect {effect.key} comes too late: run {run.run_id} is '{run.status}', or has a newer proposal.")
    step = proposal.plan[effect.step] if 0 <= effect.step < len(proposal.plan) else {}
    if [step.get(name) for name in ("name", "tool", "args")] != [effect.action, effect.tool, effect.args]:
        raise Refused(
            f"Effect {effect.key} ({effect.action}) is not step {effect.step} of the plan of "
            f"{proposal.proposal_id}: only what was approved is executed."
        )
    moment(effect.at)


def check_part(effect: Effect, proposal: Proposal, decisions: Iterable[Decision]) -> None:
    """An effect is of no part that an approval left out; else Refused."""
    if effect.step in steps_left_out(proposal, decisions):
        raise Refused(
            f"Effect {effect.key} ({effect.action}) belongs to a part of {proposal.proposal_id} that the approval left out."
        )


def check_same_effect(kept: Effect, come: Effect) -> None:
    """The same key is the same effect, whatever has become of it since; else Refused."""
    if _identity(kept) != _identity(come):
        raise Refused(f"The key {come.key} belongs to another effect: nothing was intended under it.")


def _identity(effect: Effect) -> str:
    return digest([effect.run_id, effect.proposal_id, effect.step, effect.action, effect.tool, effect.args])


def check_transition(effect: Effect, status: EffectStatus) -> None:
    """intended → executing → done, failed or unknown; unknown → done or failed. Refused otherwise, BadInput for no status."""
    if status not in get_args(EffectStatus):
        raise BadInput(f"'{status}' is not a status of an effect; choose one of {', '.join(get_args(EffectStatus))}.")
    if status not in _NEXT[effect.status]:
        raise Refused(f"Effect {effect.key} ({effect.action}) is '{effect.status}' and cannot become '{status}'.")


def check_sendable(effect: Effect, run: Run) -> None:
    """A step is sent while it is under way in a run that goes on; else TakenOver."""
    if run.status != "running" or effect.status not in ("executing", "unknown"):
        raise TakenOver(f"Run {run.run_id} was ended by a decision; nothing more is sent for it.")


def late_news(effect: Effect, run: Run, receipt: Mapping[str, object] | None) -> str | None:
    """What a write that comes from whoever lost the run means for it, as the reason of an incident; None where nothing."""
    goes_on = run.status == "running" and effect.status != "failed"
    if goes_on or effect.status == "done" or (effect.status == "unknown" and receipt is None and run.status != "closed"):
        return None
    when = f"after the run was closed as {run.outcome}" if run.status == "closed" else "by a process that had lost the run"
    what = "was done" if receipt is not None else "was sent, and it is not known whether it was done,"
    return f"Step {effect.step + 1} ({effect.action}) {what} {when}: look into {effect.tool.split('.')[0]} for it."


def already_finished(run: Run, verdict: str, outcome: Outcome) -> bool:
    """Whether this very end was written before. Raises Refused when another one was."""
    if run.status != "closed":
        return False
    if (run.verdict, run.outcome) != (verdict, outcome):
        raise Refused(f"Run {run.run_id} was closed before as '{run.verdict}' ({run.outcome}).")
    return True


def check_end(run: Run, outcome: Outcome, effects: Iterable[Effect]) -> None:
    """A run ends in the middle of a step only where a person gives it up; else Refused."""
    doubt = next((effect for effect in effects if effect.status in ("executing", "unknown")), None)
    if doubt is not None and outcome != "abandoned":
        raise Refused(f"Run {run.run_id} cannot end as '{outcome}': it is not known whether {doubt.action} was done.")


def check_abandoned(run_id: str, effects: Iterable[Effect], may_arrive: bool) -> None:
    """A run is given up once nothing that was sent for it can be done any more; else Refused."""
    if may_arrive and any(effect.status in ("executing", "unknown") for effect in effects):
        raise Refused(STILL_SENT.format(run_id))


def check_restart(run: Run, effects: Iterable[Effect]) -> None:
    """A run is restarted once it is known what was done in it; else Refused."""
    doubt = next((effect for effect in effects if effect.status in ("executing", "unknown")), None)
    if doubt is not None:
        raise Refused(
            f"Run {run.run_id} cannot be restarted: it is not known whether {doubt.action} was done. Close it, "
            "and handle the rest manually."
        )


def check_not_closed(run: Run) -> None:
    """A closed run is over: it neither fails nor goes on: Refused."""
    if run.status == "closed":
        raise Refused(f"Run {run.run_id} is closed: '{run.verdict}' ({run.outcome}).")


def several_runs(prefix: str, found: Sequence[str]) -> str:
    """Of the start of an id that several runs have; five of them are named."""
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    return f"'{prefix}' names {len(found)} runs ({shown}): give more of the id."
