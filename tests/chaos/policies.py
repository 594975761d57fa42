"""Somebody who has the folder of policies lets everything run without a person, while workers are killed and start again."""

import re
from pathlib import Path

from tests.actions import CREATE_TASK, FLAG_CONTACT, OPEN_CASE, REQUEST_CYCLE_COUNT, SEND_MESSAGE
from tests.chaos.checker import Found
from tests.chaos.report import Report
from tests.chaos.world import World

#: what GOV-1 lets run without a person, and what it lets besides once the folder was edited
_AUTOMATED = [OPEN_CASE, REQUEST_CYCLE_COUNT, CREATE_TASK, FLAG_CONTACT, SEND_MESSAGE]
_ADDED = "cancel_order, void_authorization, release_to_fulfilment"
_WITHOUT = """
SELECT DISTINCT effects.action, effects.run_id FROM ledger.effects JOIN ledger.proposals USING (proposal_id)
WHERE proposals.status = 'automatic' AND effects.action <> ALL (%s)
"""


def loosened_on_disk(report: Report, world: World, policies: Path, *, runs: int, restarts: int) -> None:
    """Nothing runs that the policies in force give to a person: every plan waits until somebody decides."""
    file = policies / "GOV.md"
    before = file.read_text()
    loosened = re.sub(r"(?m)^automate: \[", f"automate: [{_ADDED}, ", before)
    report.require(loosened != before, "the policies were to be loosened, and were not")
    events = world.events(["dev-ord-0004"], runs)
    world.start_workers(1)
    world.take_in(events[: runs // 2])
    file.write_text(loosened)
    for _ in range(restarts):
        world.kill_workers()
        world.start_workers(2)
    world.take_in(events[runs // 2 :])
    world.settle(decide=False)
    waiting = world.statuses().get("waiting", 0)
    report.require(waiting == runs, f"{runs} plans were to wait for a person, and {waiting} did")
    world.settle()
    world.kill_workers()
    ran = [f"{action} of run {run_id} ran without a person." for action, run_id in world.sql(_WITHOUT, _AUTOMATED)]
    report.found |= Found(unapproved_effects=tuple(ran))
    report.scenario("policies are loosened on disk", world, runs=runs, restarts=restarts)
