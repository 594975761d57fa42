"""kill -9: at every place that one run passes, and at random among many runs and workers."""

import random
import re
import time
from collections.abc import Sequence
from dataclasses import replace

from ledger.records import Event
from tests.chaos.faults import AFTER_KILL, Rule
from tests.chaos.points import ANSWER_RECEIVED, BEFORE_COMMIT, CALL_SENT, LEAVE_GIVEN, REMOTE_COMMITTED, Hit, Passed
from tests.chaos.processes import Life
from tests.chaos.report import Report
from tests.chaos.world import World, kill

#: places between those that matter most: tried by `make chaos`, and not by `make chaos-short`
FURTHER = (BEFORE_COMMIT, "writes of a node kept", "facts kept", LEAVE_GIVEN)
#: the call that a system refuses, so that what was done before it must be undone
_REFUSES = {
    "dev-ord-0044": Rule("refused", "payments.reauthorize"),
    "dev-omn-0002": Rule("refused", "wms.reallocate_line", skip=1, times=1),
}


def at_every_place(report: Report, world: World, case_id: str, *, short: bool, compensated: bool = False) -> None:
    """A life is lived once unharmed; then one life for each place and each time it was passed, killed there.

    With `compensated` a late step is refused, and only the places that this adds are tried.
    """
    pattern, *_ = world.events([case_id], 1)
    rules = _refusal(case_id, pattern) if compensated else ()
    (passed,) = world.live([Life(pattern, rules=rules, control=world.control)])
    assert passed is not None
    world.taken_in.add(pattern.source_id)
    spared = () if not short else (*FURTHER, "checkpoint") if compensated else FURTHER
    hits = [hit for hit in _hits(passed) if hit[0] not in spared]
    lives = [_life(world, case_id, hit, compensated) for hit in hits]
    ends = world.live(lives)
    survived = [f"{hit[0]} {hit[1]}" for hit, end in zip(hits, ends, strict=True) if end is not None]
    report.require(not survived, f"kills of {case_id} that did not happen: {', '.join(survived)}")
    world.export_head()
    world.start_workers(2)
    world.take_in([life.event for life in lives])  # as a source does that had no answer; where it was taken in, nothing happens
    world.settle()
    world.kill_workers()
    name = "kills at every place, undoing" if compensated else "kills at every place"
    report.scenario(f"{name}, {case_id[-4:]}", world, places=len({place for place, _ in hits}), kills=len(hits))


def at_random(report: Report, world: World, kills: int, chance: random.Random, workers: int) -> None:
    """Runs are taken in, driven and decided without end, while one worker after the other is killed."""
    cases = ["dev-ord-0004", "dev-ord-0048", "dev-ord-0112", "dev-ord-0014", "dev-ord-0135", "dev-omn-0012"]
    batch = world.events(cases, 24)
    world.start_workers(workers)
    done = 0
    while done < kills:
        until = time.monotonic() + chance.uniform(0.02, 0.6)
        if world.statuses().get("running", 0) < 2 * workers:
            if not batch:
                batch = world.events(cases, 24)
            world.take_in([batch.pop() for _ in range(min(4, len(batch)))])
        world.approve_waiting()
        time.sleep(max(0.0, until - time.monotonic()))
        kill(world.workers.pop(chance.randrange(len(world.workers))))
        done += 1
        world.start_workers(1)
        if done % 50 == 0:
            world.export_head()
    world.settle()
    world.kill_workers()
    (caught,) = world.sql("SELECT count(*) FROM ledger.leases WHERE token > 1")[0]
    report.scenario("random kills", world, kills=done, runs=len(world.taken_in), workers=workers, leases_taken_again=caught)


def without_keys(report: Report, world: World, case_id: str) -> None:
    """The same around each call, of systems that take no idempotency key: its writes must not be sent again blindly."""
    (passed,) = world.live([Life(world.events([case_id], 1)[0])])
    assert passed is not None
    hits = [hit for hit in _hits(passed) if hit[0] in (CALL_SENT, REMOTE_COMMITTED, ANSWER_RECEIVED, "effect marked")]
    lives = [_life(world, case_id, hit, compensated=False) for hit in hits]
    world.live(lives)
    late = world.events([case_id], 4)
    world.rules(*(Rule("late after", "writes", about=_mark(event), skip=place, times=1) for place, event in enumerate(late[:2])))
    world.start_workers(2)
    world.take_in([*(life.event for life in lives), *late])
    world.settle()
    world.rules()
    world.retry_incidents()
    world.settle()
    world.kill_workers()
    report.scenario(f"systems that take no key, {case_id[-4:]}", world, kills=len(hits))


def _hits(passed: Passed) -> list[Hit]:
    """Every place and which time, after a failure where there was one; a call passes its system as often as it is answered."""
    until, since = ({**times, **dict.fromkeys((CALL_SENT, REMOTE_COMMITTED), times.get(ANSWER_RECEIVED, 0))}
                    for times in (passed.in_all, passed.before_failure))  # fmt: skip
    return [(place, time) for place, times in until.items() for time in range(since.get(place, 0) + 1, times + 1)]


def _life(world: World, case_id: str, hit: Hit, compensated: bool) -> Life:
    (event,) = world.events([case_id], 1)
    rules = _refusal(case_id, event) if compensated else ()
    place, time = hit
    if place in (CALL_SENT, REMOTE_COMMITTED):
        kind = AFTER_KILL if place == REMOTE_COMMITTED else f"killed: {CALL_SENT}"
        rules = (*rules, Rule(kind, "writes", about=_mark(event), skip=time - 1, times=1))
        return Life(event, rules=rules, control=world.control)
    return Life(event, dies_at=hit, rules=rules, control=world.control)


def _refusal(case_id: str, event: Event) -> tuple[Rule, ...]:
    return (replace(_REFUSES[case_id], about=_mark(event)),)


def _mark(event: Event) -> str:
    """What stands behind every identifier of a copied case, with the quotation mark that ends it."""
    (mark,) = set(re.findall(r"-k\d+\b", event.subject))
    return f'{mark}"'


def marks(events: Sequence[Event]) -> list[str]:
    """The mark of each."""
    return [_mark(event) for event in events]
