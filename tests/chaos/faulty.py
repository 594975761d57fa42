"""Systems of record that answer late, wrongly, twice or not at all, and a tool whose schema changes in the middle."""

from collections.abc import Sequence

from tests.chaos.faults import AFTER, BEFORE, Rule
from tests.chaos.kills import marks
from tests.chaos.report import Report
from tests.chaos.world import World

_KINDS = tuple(kind for kind in (*BEFORE, *AFTER) if not kind.startswith("killed"))
#: the longer one has more reads than four, and more writes than one
_SHORTER, _LONGER = "dev-ord-0048", "dev-ord-0004"
#: how often faults that no run met are tried again
_MOST_AGAIN = 2
#: what goes wrong, of which calls, after how many that go well
_Fault = tuple[str, str, int]


def answers(report: Report, world: World, *, short: bool) -> None:
    """Every kind of wrong answer to reads, and to the first and the second write of a run; then the systems are well again.

    A run that takes another course than expected meets no fault: such a fault is tried again with another run, and counted.
    """
    places = [("reads", 0), ("writes", 1)] if short else [("reads", 0), ("reads", 4), ("writes", 0), ("writes", 1)]
    faults = [(kind, tools, skip) for kind in _KINDS for tools, skip in places]
    world.start_workers(2)
    unmet, again = _unmet(world, faults), 0
    while unmet and again < _MOST_AGAIN:
        unmet, again = _unmet(world, unmet), again + 1
    report.require(not unmet, f"faults that no call met: {', '.join(f'{kind} ({tools})' for kind, tools, _ in unmet)}")
    retried = world.retry_incidents()
    world.settle()
    world.kill_workers()
    report.scenario("systems that answer wrongly", world, faults=len(faults), tried_again=again, retried=retried)


def _unmet(world: World, faults: Sequence[_Fault]) -> list[_Fault]:
    """Have one run meet each fault; those that none met."""
    events = world.events([_LONGER if skip else _SHORTER for _, _, skip in faults], len(faults))
    rules = [
        # of what is late, one is enough: the others of the run would wait for it
        Rule(kind, tools, about=mark, skip=skip, times=1 if tools == "writes" or kind.startswith("late") else 1000)
        for (kind, tools, skip), mark in zip(faults, marks(events), strict=True)
    ]
    world.rules(*rules)
    world.take_in(events)
    world.settle(decide=False)
    reads_met = world.rules(*(rule for rule in rules if rule.tools == "writes"))
    world.settle()
    met = {one["about"] for one in (*reads_met, *world.rules()) if one["met"]}
    return [fault for fault, rule in zip(faults, rules, strict=True) if rule.about not in met]


def schema_changes(report: Report, world: World) -> None:
    """The tool of the second step is another one than was pinned when its turn comes; then it is as it was."""
    world.start_workers(1)
    world.take_in(world.events(["dev-ord-0004"], 4))
    world.settle(decide=False)
    world.rules(Rule("schema", "payments.void_authorization"))
    world.settle()
    stopped = world.sql("SELECT count(*) FROM ledger.effects WHERE error LIKE %s", "%pinned%")[0][0]
    report.require(stopped == 4, f"a changed tool was to be refused 4 times, and was {stopped} times")
    world.rules()
    world.retry_incidents()
    world.settle()
    world.kill_workers()
    report.scenario("a tool changes in the middle", world, refused=stopped)
