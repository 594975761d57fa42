"""Systems of record that answer late, wrongly, twice or not at all, and a tool whose schema changes in the middle."""

from tests.chaos.faults import AFTER, BEFORE, Rule
from tests.chaos.kills import marks
from tests.chaos.report import Report
from tests.chaos.world import World

_KINDS = tuple(kind for kind in (*BEFORE, *AFTER) if not kind.startswith("killed"))
_CASES = ("dev-ord-0048", "dev-ord-0004")


def answers(report: Report, world: World, *, short: bool) -> None:
    """Every kind of wrong answer to reads, and to the first and the second write of a run; then the systems are well again."""
    places = [("reads", 0), ("writes", 1)] if short else [("reads", 0), ("reads", 4), ("writes", 0), ("writes", 1)]
    wanted = [(kind, tools, skip) for kind in _KINDS for tools, skip in places]
    events = world.events(_CASES, len(wanted))
    rules = [
        # of what is late, one is enough: the others of the run would wait for it
        Rule(kind, tools, about=mark, skip=skip, times=1 if tools == "writes" or kind.startswith("late") else 1000)
        for (kind, tools, skip), mark in zip(wanted, marks(events), strict=True)
    ]
    world.rules(*rules)
    world.start_workers(2)
    world.take_in(events)
    world.settle(decide=False)
    reads_met = world.rules(*(rule for rule in rules if rule.tools == "writes"))
    world.settle()
    writes_met = world.rules()
    met = {(one["kind"], one["tools"]) for one in (*reads_met, *writes_met) if one["met"]}
    missing = [f"{kind} ({tools})" for kind, tools, _ in wanted if (kind, tools) not in met]
    report.require(not missing, f"faults that no call met: {', '.join(missing)}")
    retried = world.retry_incidents()
    world.settle()
    world.kill_workers()
    report.scenario("systems that answer wrongly", world, faults=len(wanted), retried=retried)


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
