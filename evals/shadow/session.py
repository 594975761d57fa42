"""Opening a shadow: another version beside the live one, in a process that can read and cannot write.

Nothing is opened here that writes: the systems through a client that has no such method and whose connections carry READ
tools alone, the database in a role that writes nothing and in transactions that only read. What a Mission writes goes into
a simulation, and its ledger is in memory.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from evals.shadow.persistence import ShadowOf
from graphs.candidate import Candidate, Change, differing_clauses, differing_packs
from graphs.ledgers import database_address, database_logins
from graphs.mission import graph_version
from graphs.reasoners import open_reasoning
from knowledge_index.embeddings import MiniLM
from ledger.canonical import utc_now
from ledger.embedded import is_there
from ledger.migrate import is_migrated
from ledger.postgres import PostgresLedger
from ledger.roles import reading, without_writes
from nodes.pack import UNDERSTAND
from nodes.planner import Planner
from settings import Settings, settings
from systems.calls import Call, Reader
from systems.catalogue import load_catalogue
from systems.client import LiveReader
from systems.config import load_config, require_configured_read


@dataclass(frozen=True)
class Shadow:
    """What a shadow works with."""

    #: of the candidate, whose index is in memory
    environment: EvalEnvironment
    #: of the live company; the database refuses every write
    ledger: PostgresLedger
    #: of the live systems
    reader: Reader
    #: what is kept of it, under no name yet
    kept: ShadowOf

    def named(self, name: str) -> ShadowOf:
        """What is kept of it under a name, from now on."""
        return replace(self.kept, name=name, since=utc_now())


@contextmanager
def open_shadow(
    change: Change, *, as_of: datetime | None = None, chosen: Settings | None = None, reasoner: str = Planner.name
) -> Iterator[Shadow]:
    """Open what would be, beside the live company of the settings.

    Args:
        change: the policies, packs and values that would be others.
        as_of: of the changed policies those that are in force then; now unless given.
        chosen: the live company; the settings of this process unless given.
        reasoner: which makes its proposals; one that asks a model asks that of the settings, within its budgets.

    Raises BadInput for what does not load, where there is no live ledger, or no model where one is asked; Refused for packs
    that read with what is no READ tool.
    """
    chosen, at = chosen or settings(), as_of or utc_now()
    catalogue = load_catalogue(chosen.systems)
    present = Candidate.present(chosen, catalogue, at)
    candidate = present.with_change(change, chosen, catalogue, at)
    config = load_config(chosen.systems)
    for pack in candidate.packs.values():
        for part in pack.and_parts:
            for read in part.reads.values():
                if read.tool != UNDERSTAND:
                    require_configured_read(config, Call(catalogue.record_schema.served(read.tool), {}))
    with ExitStack() as stack:
        url = live_url(chosen)
        ledger = stack.enter_context(PostgresLedger.open(reading(url, database_logins(chosen))))
        systems = stack.enter_context(LiveReader(config, extra_env={"DATABASE_URL": without_writes(url)}))
        reasoning = stack.enter_context(open_reasoning(chosen, reasoner))
        opened = EvalEnvironment.of_candidate(candidate, catalogue, chosen, MiniLM(), reasoning=reasoning)
        environment = stack.enter_context(opened)
        kept = ShadowOf(
            name="",
            since=utc_now(),
            changed=differing_clauses(present.policies, candidate.policies),
            changed_packs=differing_packs(present.packs, candidate.packs),
            versions={
                "graph": graph_version(),
                "reasoner": reasoning.reasoner.name,
                **({"model": reasoning.reasoner.version} if environment.asks_model else {}),
                "policies": candidate.policies.period(at).digest,
                "catalogue": catalogue.digest,
                **{f"pack {mission}": pack.digest for mission, pack in sorted(candidate.packs.items())},
            },
        )
        yield Shadow(environment, ledger, systems, kept)


def live_url(chosen: Settings) -> str:
    """The address of the live ledger. Raises BadInput where there is none of this release, and makes none."""
    if chosen.database_url or is_there(chosen.postgres):
        url = database_address(chosen)
        if is_migrated(url):
            return url
    raise BadInput("There is no ledger of this release for a shadow to follow; start the live company first.")
