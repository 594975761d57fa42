"""The runtime: opens everything that the nodes work with, takes events in, and drives runs to their end.

The ledger is the truth and the checkpoint a means: a run is driven until its ledger row says that it waits, is closed,
or is an incident.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Durability
from langsmith import tracing_context

from errors import BadInput, MissionsError, Refused, SendBack, Stuck, TakenOver, TryAgain
from graphs.checkpoints import Checkpoints, open_pool, set_up_checkpoints
from graphs.ledgers import database_address, database_logins, open_ledgers
from graphs.mission import compiled_graph, graph_version
from graphs.pack_files import load_packs
from graphs.policy_versions import PoliciesInForce, load_policies_in_force
from graphs.reasoners import MissionResources, open_reasoning
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import KnowledgeIndex, build
from ledger.audit_export import keep_powers
from ledger.authorization import check_settlement, parts_left_out
from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.decision_requests import check_decision, check_plan, check_run_id
from ledger.inbox import EventOrigin
from ledger.invariants import check_restart
from ledger.jobs import make_job_tables
from ledger.migrate import migrate
from ledger.records import Decision, DecisionKind, Event, Lease, Proposal, ProposalStatus, Run, RunHistory
from ledger.roles import grant_roles
from ledger.services import AdminService
from nodes.authorship import NO_EDITORS, editors_of, outdated_letters
from nodes.case import Case
from nodes.check import Judgement, judge
from nodes.drift import Drift, drift
from nodes.state import MissionContext, MissionState, unfinished
from nodes.understanding import Phrasebook
from nodes.undo import to_take_back
from settings import Settings
from systems.catalogue import load_catalogue
from systems.client import LiveSystems
from systems.config import load_config
from systems.invoices import InvoicesConfig

_log = logging.getLogger(__name__)
#: A run that ends without its ledger row saying so is driven on this often before it is an incident.
MOST_DRIVES = 5
#: A run on which this many processes in a row ended without giving it back is an incident: it may be what ends them.
MOST_LOST = 5

_Graph = CompiledStateGraph[MissionState, MissionContext, MissionState, MissionState]
OnObservation = Callable[[Mapping[str, Any]], None]


def thread(run_id: str) -> RunnableConfig:
    """The checkpoints of a run, as LangGraph names them."""
    return {"configurable": {"thread_id": run_id}}


def new_run_id() -> str:
    """An id for a run that is new."""
    return f"r-{uuid4().hex[:12]}"


class Runtime:
    """Takes events in, drives runs, records decisions. Made by `open_runtime`.

    Args:
        durability: "exit" keeps a checkpoint where a run pauses: what it has done by then stands in the ledger. "sync"
            keeps one after every node, for whoever goes node by node.
    """

    def __init__(
        self,
        context: MissionContext,
        saver: BaseCheckpointSaver[Any],
        database_url: str,
        ledger: Ledger,
        durability: Durability = "exit",
        policies_in_force: PoliciesInForce | None = None,
        invoices: InvoicesConfig | None = None,
    ) -> None:
        self.context, self.database_url, self._durability = context, database_url, durability
        #: for what comes from outside and from people; the graph has those of reasoner and executor
        self.ledger = ledger
        #: the policies that decide, beside what their folder holds
        self.policies_in_force = policies_in_force or PoliciesInForce(context.policies)
        #: what becomes of an invoice that comes as a file or by mail
        self.invoices = invoices
        self.saver = saver
        self.graph = compiled_graph().copy({"checkpointer": saver})
        self._reopened = ExitStack()

    def close(self) -> None:
        """Close what was opened since the start."""
        self._reopened.close()

    def reload_policies(self, settings: Settings, desk: AdminService) -> None:
        """Work with the policies that are in force now, and bring the index up to them.

        What is being driven goes on with those it has. Raises BadInput or TryAgain; then everything stays as it was.
        """
        current, embedder = load_policies_in_force(settings, desk), MiniLM()
        policies = current.book
        packs = load_packs(settings.packs, self.context.catalogue, policies)
        if not current.held_back:
            build(policies, settings.knowledge, embedder)
        knowledge = self._reopened.enter_context(_knowledge(settings, current, embedder))
        self.policies_in_force = current
        # another context, not this one changed: a drive that is under way must not see two books
        self.context = replace(self.context, policies=policies, packs=packs, knowledge=knowledge, _cases={})

    def take_in(self, event: Event, run_id: str = "", origin: EventOrigin | None = None) -> Run:
        """Take an event in; the run that it started, now (then it has this id, if one is given) or when it came first.

        Raises BadInput or TooMany where its `origin` may not hand it in.
        """
        return self.ledger.take_in(event, run_id or new_run_id(), self.versions(event), origin)

    def versions(self, event: Event) -> dict[str, str]:
        """What a run of this event starts with: graph, pack, policies, catalogue and model."""
        context, pack = self.context, self.context.packs[event.mission]
        asks = context.reasoner.version != context.reasoner.name
        return {
            "graph": graph_version(),
            "pack": pack.digest,
            "policies": context.policies.period(event.as_of).digest,
            "catalogue": context.catalogue.digest,
            "model": f"{context.reasoner.version}, shown {pack.model_digest}" if asks else context.reasoner.version,
        }

    def drive(self, run_id: str, on_observation: OnObservation | None = None) -> Run:
        """Drive a run until it waits for a person, is closed, or is an incident, and then the runs that waited for it.

        One process at a time does. Raises TakenOver where another process has taken the run over meanwhile, and Refused
        where one works on it.
        """
        run = self.drive_one(run_id, on_observation)
        for other in self._released_by(run) if run.status == "closed" else ():
            with suppress(Refused, TryAgain):  # another works on it already, or will
                self.drive(other)
        return run

    def _released_by(self, run: Run) -> list[str]:
        """The runs whose proposals had to wait for this one, and do no more."""
        latest = ((other.run_id, self.ledger.proposal(other.run_id)) for other in self.ledger.runs("running"))
        return [run_id for run_id, proposal in latest if proposal is not None and proposal.held_by == run.run_id]

    def drive_one(self, run_id: str, on_observation: OnObservation | None = None) -> Run:
        """As `drive`, without the runs that waited for it."""
        with self.context.ledger.lease(run_id) as held:
            context = self.context.under(held)
            ledger = context.ledger
            if held.token > 1:
                context.echo += unfinished(ledger.observations(run_id))
            if held.lost >= MOST_LOST and ledger.run(run_id).status == "running":
                reason = f"{held.lost} processes in a row ended while they worked on it; look into their logs"
                ledger.incident(run_id, reason, self.context.clock())
            for _ in range(MOST_DRIVES):
                run = ledger.run(run_id)
                if run.status != "running":
                    return run
                try:
                    self._drive_once(run, held, context, on_observation)
                except TakenOver:
                    raise
                except (Stuck, Refused, BadInput) as error:  # to try again would end in the same way
                    ledger.incident(run_id, str(error), self.context.clock())
                except MissionsError:
                    raise
                except Exception as error:  # a defect must not leave a run that nobody sees
                    ledger.incident(run_id, f"{type(error).__name__}: {error}", self.context.clock())
                    raise
                finally:  # whoever drives it on may be another process
                    context.forget(run_id)
            ledger.incident(run_id, "the graph stopped without an end; look at the last observations", self.context.clock())
            return ledger.run(run_id)

    def restart(self, run_id: str, by: str, reason: str) -> Run:
        """Restart the run of an incident, as somebody decided: with what is loaded now, on the world as it is now.

        Raises Refused to who may not, without a reason, and where a step is in doubt; nothing has changed then.
        """
        run = self.ledger.run(run_id)
        with self.context.ledger.lease(run.run_id) as held:
            # first those: a run with new versions must not go on from an old checkpoint
            check_settlement(run, self.ledger.person(by), by, reason)
            check_restart(run, self.ledger.effects(run.run_id))
            saver = self._under(held)
            saver.delete_thread(run.run_id)
            self.graph.copy({"checkpointer": saver}).update_state(thread(run.run_id), {"run_id": run.run_id}, as_node=START)
            return self.ledger.under(held).restart(
                run.run_id, self.versions(run.event), by=by, reason=reason, at=self.context.clock()
            )

    def decide(
        self,
        run_id: str,
        kind: DecisionKind,
        by: str,
        reason: str,
        digest: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> tuple[Decision, ProposalStatus]:
        """Record a person's decision about the proposal that waits; `drive` then does what follows from it.

        `digest` is that of the proposal the person saw; without it, the one that waits now. Raises BadInput or Refused, and
        the proposal waits as before, for what is no decision by its form, and for actions, arguments, parts or queues that
        there are not.
        """
        details = {} if details is None else details
        check_run_id(run_id)
        check_decision(kind, by, reason, "latest" if digest is None else digest, details, self.context.clock())
        history = self.ledger.history(self.ledger.run(run_id).run_id)
        run, proposal = history.run, history.proposal
        if proposal is None:
            raise Refused(f"run {run.run_id} has no proposal to decide; see `missions show {run.run_id}`")
        if kind == "edit":
            self._refuse_edit(details["plan"])
        if without := details.get("without"):
            self._refuse_without(history, proposal, kind, without)
        if kind == "escalate" and "queue" in details:
            self._refuse_queue(run, details["queue"])
        seen = proposal.digest if digest is None else digest
        return self.ledger.decide(
            proposal.proposal_id, kind=kind, by=by, reason=reason, digest=seen, details=details, at=self.context.clock()
        )

    def preview(self, run_id: str, plan: Sequence[Mapping[str, Any]], by: str = "") -> Judgement:
        """What the check says to the latest proposal with another plan: objections, or its changes, money and approval.

        `by` edits it: whether they may approve their own words, and if not why (`others`). A letter that is left as it
        was, and names an amount that the plan has no more, is an objection too. Raises Refused where nothing was proposed,
        and BadInput for what is no plan.
        """
        check_run_id(run_id)
        check_plan(plan)
        history = self.ledger.history(run_id)
        proposal = history.proposal
        if proposal is None:
            raise Refused(f"run {run_id} has no proposal to edit; see `missions show {run_id}`")
        judgement = self._judged(history, proposal, plan, by)
        if judgement.objections:
            return judgement
        outdated = outdated_letters(proposal.plan, plan, self.context.catalogue)
        return Judgement(outdated) if outdated else judgement

    def drift(self, run_id: str) -> Drift:
        """What differs in the systems now from what the latest proposal stands on. Reads; changes nothing.

        Raises Stuck for a run of other versions than are loaded, which cannot be executed either.
        """
        history = self.ledger.history(run_id)
        self._refuse_other_versions(history.run)
        return drift(self.context, history, history.proposal, self.ledger.person) if history.proposal else Drift()

    def _judged(self, history: RunHistory, proposal: Proposal, plan: Sequence[Mapping[str, Any]], by: str = "") -> Judgement:
        event = history.run.event
        values = self.context.policies.period(event.as_of).values
        case = Case(self.context.pack(event), event, history.facts, values)
        back = to_take_back(history, proposal.undoes)
        draft = {"verdict": proposal.verdict, "plan": plan, "cites": []}
        editors = editors_of(history, proposal.plan, proposal.revision, self.ledger.person, by) if by else NO_EDITORS
        return judge(case, draft, {}, self.context.catalogue, values, back, editors=editors)

    def _refuse_edit(self, plan: Sequence[Mapping[str, Any]]) -> None:
        """Raise BadInput for a plan with actions or arguments that there are not.

        What does not hold on the facts is for the check, which sends the plan back with its reasons.
        """
        for number, step in enumerate(plan, start=1):
            action = self.context.catalogue.get(step["name"])
            if action is None:
                raise BadInput(f"step {number}: {step['name'][:60]!r} is not an action of the catalogue; nothing was decided")
            try:
                action.validate(step["args"])
            except SendBack as error:
                raise BadInput(f"step {number}: {error}; nothing is decided") from error

    def _refuse_queue(self, run: Run, queue: str) -> None:
        """Raise BadInput unless a case can be handed over to this queue."""
        queues = self.context.pack(run.event).queues_in(self.context.catalogue)
        if queues and queue not in queues:
            raise BadInput(f"{queue[:60]!r} is not a queue; the queues are {', '.join(queues)}")

    def _refuse_without(self, history: RunHistory, proposal: Proposal, kind: DecisionKind, parts: Sequence[str]) -> None:
        """Raise BadInput unless the plan can be approved without these parts."""
        known = list(dict.fromkeys(action["part"] for action in proposal.plan if action.get("part")))
        if kind != "approve" or not known:
            raise BadInput("only an approval of a plan with parts can leave parts out; reject or edit the proposal instead")
        for part in parts:
            if part not in known:
                raise BadInput(f"the plan has no part {part!r}; its parts are {', '.join(known)}")
        left_out = {*parts, *parts_left_out(proposal, history.decisions)}
        rest = [action for action in proposal.plan if action.get("part") not in left_out]
        if not rest:
            raise BadInput("an approval that leaves out every step is a rejection; reject the proposal")
        if objections := self._judged(history, proposal, rest).objections:
            raise BadInput(f"the plan does not hold without {', '.join(parts)}: {'; '.join(objections)}")

    @tracing_context(enabled=False)  # whatever the environment says: it would send the state away
    def _drive_once(self, run: Run, held: Lease, context: MissionContext, on_observation: OnObservation | None) -> None:
        self._refuse_other_versions(run)
        saver = self._under(held)
        graph = self.graph.copy({"checkpointer": saver})
        proposed = bool(context.ledger.proposals(run.run_id))
        is_new = not proposed and held.token == 1 and self._durability == "exit"
        given = _graph_input(graph, run.run_id, proposed=proposed, is_new=is_new)
        config = thread(run.run_id)
        # where nobody watches, the nodes need no threads beside this one
        watched: Any = "custom" if on_observation else []
        with saver.together() if isinstance(saver, Checkpoints) else nullcontext():
            for observation in graph.stream(given, config, context=context, stream_mode=watched, durability=self._durability):
                if on_observation:
                    on_observation(observation)

    @tracing_context(enabled=False)
    def step(self, run_id: str) -> tuple[str, Mapping[str, Any]]:
        """Run the next node alone, without a lease: its name, and its update of the state. With durability "sync" only."""
        given = _graph_input(self.graph, run_id, proposed=bool(self.ledger.proposals(run_id)))
        steps = self.graph.stream(given, thread(run_id), context=self.context, stream_mode="updates", interrupt_after="*")
        ((node, update),) = next(step for step in steps if "__interrupt__" not in step).items()
        return node, update or {}

    def _under(self, held: Lease) -> BaseCheckpointSaver[Any]:
        return self.saver.under(held) if isinstance(self.saver, Checkpoints) else self.saver

    def _refuse_other_versions(self, run: Run) -> None:
        now = self.versions(run.event)
        changed = [name for name in ("graph", "pack", "policies", "catalogue") if run.versions.get(name) != now[name]]
        if changed:
            raise Stuck(
                f"run {run.run_id} was started with another {' and '.join(changed)} than is loaded now; look again "
                "(respond), and then `missions incident retry` with --restart, or close it"
            )


def _graph_input(graph: _Graph, run_id: str, *, proposed: bool, is_new: bool = False) -> Any:
    """What the graph goes on with: checkpoints are of where it paused, and what the ledger has since counts."""
    if is_new:
        return {"run_id": run_id}
    paused = graph.get_state(thread(run_id))
    if paused.values and paused.values.get("run_id") != run_id:
        raise Stuck(f"the checkpoint of run {run_id} belongs to another run; restart the run, or close it")
    if paused.interrupts:
        return Command(resume={paused.interrupts[0].id: "the ledger holds the decision"})
    return None if paused.next else {"run_id": run_id, "proposed": proposed}


@contextmanager
def open_runtime(settings: Settings) -> Iterator[Runtime]:
    """Open database, checkpoints, knowledge index, packs and systems; close them at the end."""
    with ExitStack() as stack:
        url = open_database(settings)
        ledgers = stack.enter_context(open_ledgers(url, settings.lease_seconds, database_logins(settings)))
        catalogue, current = load_catalogue(settings.systems), load_policies_in_force(settings, AdminService(ledgers.front))
        policies = current.book
        packs = load_packs(settings.packs, catalogue, policies)
        embedder = MiniLM()
        knowledge = stack.enter_context(_knowledge(settings, current, embedder))
        phrasebook = stack.enter_context(closing(Phrasebook(settings.phrasings, embedder, settings.language)))
        config = load_config(settings.systems)
        if unpinned := config.unpinned(action.tool for action in catalogue.values() if action.system in config.systems):
            which = ", ".join(unpinned) if config.pins else "all tools"
            _log.warning("not pinned, so every call is refused: %s; review and run `missions systems pin`", which)
        systems = stack.enter_context(LiveSystems(config, extra_env={"DATABASE_URL": url}))
        checkpoints = Checkpoints(stack.enter_context(open_pool(ledgers.checkpoints)))
        reasoning = stack.enter_context(open_reasoning(settings))
        shared = MissionResources(packs, catalogue, policies, knowledge, phrasebook, reasoning.reasoner, reasoning.reads)
        context = shared.context(ledgers.reasoner, systems.reader(), systems, utc_now)
        context = replace(context, executor=ledgers.executor, proposal_hours=settings.proposal_hours)
        with closing(Runtime(context, checkpoints, url, ledgers.front, "exit", current, config.invoices)) as runtime:
            for message in current.messages():
                _log.warning(message)
            yield runtime


def _knowledge(settings: Settings, current: PoliciesInForce, embedder: MiniLM) -> KnowledgeIndex:
    """The index of the policies that decide; the one in its folder is of what the folder of policies holds."""
    if current.held_back:
        return KnowledgeIndex.in_memory(current.book, embedder)
    return KnowledgeIndex.open(settings.knowledge, current.book, embedder)


def open_database(settings: Settings) -> str:
    """The URL of the migrated database: the one of the settings, or the embedded one, started if need be."""
    url = database_address(settings)
    migrate(url)
    make_job_tables(url)
    set_up_checkpoints(url)
    if not settings.database_url:  # whose account may do all there is
        grant_roles(url)
        keep_powers(url, again=False)
    return url
