"""Two reviewers at the same instant, and clocks that jump."""

from threading import Barrier, Thread

from errors import Refused
from ledger.jobs import open_jobs
from ledger.postgres import PostgresLedger
from ledger.records import DecisionKind, Proposal
from tests.chaos import processes
from tests.chaos.report import Report
from tests.chaos.world import World


def two_at_once(report: Report, world: World, times: int) -> None:
    """One approves and the other rejects, or approves too, at the same instant: one of them, and only one, is told yes."""
    waiting = [(run, proposal) for run, proposal, _ in world.desk.ledger.queue() if not proposal.approval.four_eyes][:times]
    report.require(len(waiting) == times, f"two reviewers were to meet {times} times, and met {len(waiting)} times")
    winners = []
    with PostgresLedger.open(world.url) as here, PostgresLedger.open(world.url) as there, open_jobs(world.url) as jobs:
        for number, (run, proposal) in enumerate(waiting):
            kinds: tuple[DecisionKind, DecisionKind] = ("approve", "approve" if number % 2 else "reject")
            made = _race((here, there), kinds, proposal)
            winners.append(len(made))
            world.decided.update(made)
            jobs.drive(run)
    report.require(set(winners) == {1}, f"of two reviewers at once {sorted(set(winners))} won")
    world.start_workers(2)
    world.settle()
    world.kill_workers()
    report.scenario("two reviewers at one instant", world, times=len(waiting))


def clock_moves(report: Report, world: World, runs: int) -> None:
    """The clock of every worker jumps by days at every look; leases go by the database's clock, and nothing is lost."""
    world.start_workers(2, wandering=True)
    world.take_in(world.events(["dev-ord-0004", "dev-ord-0014", "dev-omn-0012"], runs))
    world.settle()
    world.kill_workers()
    report.scenario("clocks that jump by days", world, runs=runs)


def _race(
    ledgers: tuple[PostgresLedger, PostgresLedger], kinds: tuple[DecisionKind, DecisionKind], proposal: Proposal
) -> list[str]:
    """The ids of the decisions that were acknowledged."""
    start, made = Barrier(2), list[str]()
    people = [name for name, role in processes.PEOPLE.items() if role == proposal.approval.role]

    def decide(ledger: PostgresLedger, kind: DecisionKind, by: str) -> None:
        start.wait()
        try:
            decision, _ = ledger.decide(
                proposal.proposal_id, kind=kind, by=by, reason="at once", digest=proposal.digest, at=processes.now()
            )
            made.append(decision.decision_id)
        except Refused:
            pass  # the other was faster

    both = [Thread(target=decide, args=one) for one in zip(ledgers, kinds, people, strict=False)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    return made
