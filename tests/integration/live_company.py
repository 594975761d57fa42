"""A runtime as it runs live: embedded PostgreSQL, the sandbox company over MCP, the recorded exceptions of all missions.

A module names it in `pytest_plugins`; each worker then has one runtime, which takes its time to start.
"""

import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from evals.recorded.cases import recorded
from graphs.runtime import Runtime, open_database, open_runtime
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import build
from knowledge_index.policies import PolicyBook
from ledger.audit_export import examine
from ledger.postgres import PostgresLedger
from ledger.records import Effect, Event, Observation, Proposal, Run
from ledger.roles import grant_roles
from settings import CHECKOUT, Settings
from systems.calls import Call, Reader, ReadResult, Receipt, Writer
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from tests.conftest import _database
from tests.reference import KEYS, PART_KEYS
from tests.sandbox_records import snapshot

SAMPLE = CHECKOUT / "evals" / "cases" / "sample.jsonl"
CASES: dict[str, dict[str, Any]] = {case["case_id"]: case for case in map(json.loads, SAMPLE.read_text().splitlines())}
#: every recorded exception of the checkout, by case id
RECORDED: dict[str, dict[str, Any]] = {
    case["case_id"]: case
    for file in sorted(SAMPLE.parent.glob("*.jsonl"))
    for case in map(json.loads, file.read_text().splitlines())
}
PEOPLE = {"rita": "reviewer", "ron": "reviewer", "sam": "supervisor", "fay": "finance", "finn": "finance"}
_NUMBERS = count(1)

#: a recorded exception, or the id of one
Recorded = str | Mapping[str, Any]


def case_of(case: Recorded) -> Mapping[str, Any]:
    """The recorded exception, by its id where that is given."""
    return RECORDED[case] if isinstance(case, str) else case


#: what holds back the proposals of other runs, and what counts in limits
_FORGOTTEN = ("touches", "commitments")


def forget_what_waits(url: str, tables: Sequence[str] = _FORGOTTEN) -> None:
    """Proposals that wait hold back no others, and what was given away counts in no limit, until `put_back`."""
    _move(url, "ledger", "earlier", tables)


def put_back(url: str) -> None:
    """The ledger is as it was written."""
    _move(url, "earlier", "ledger", _FORGOTTEN)


def _move(url: str, source: str, target: str, tables: Sequence[str]) -> None:
    with psycopg.connect(url) as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS earlier")
        session.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            session.execute(f"CREATE TABLE IF NOT EXISTS earlier.{table} (LIKE ledger.{table})".encode())
            moved = f"WITH gone AS (DELETE FROM {source}.{table} RETURNING *) INSERT INTO {target}.{table} SELECT * FROM gone"
            session.execute(moved.encode())


class Company:
    """The runtime and what the tests ask of it. Every `take_in` begins with a sandbox that holds that case alone."""

    def __init__(self, runtime: Runtime, forgets: Sequence[str] = _FORGOTTEN) -> None:
        self.runtime, self.ledger, self.url, self._forgets = runtime, runtime.ledger, runtime.database_url, forgets

    def event(self, case: Recorded) -> Event:
        """The event of a case, under an id that was not used before."""
        raw = case_of(case)
        case_id = f"{raw['case_id']}/{next(_NUMBERS)}"
        return recorded({**raw, "case_id": case_id}, self.runtime.context.packs, case_id).event

    def load(self, *cases: Recorded) -> None:
        """Empty the sandbox company, then put cases into it. What waits from another test is about another world."""
        reset(self.url)
        forget_what_waits(self.url, self._forgets)
        assert load_cases(self.url, map(case_of, cases)).refused == {}

    def propose(self, case: Recorded) -> Run:
        """Load a case, take its event in, drive it as far as it goes by itself."""
        self.load(case)
        return self.take_in(case)

    def take_in(self, case: Recorded) -> Run:
        """Take the event of a case in, and drive it as far as it goes by itself on the sandbox as it is."""
        return self.runtime.drive(self.runtime.take_in(self.event(case)).run_id)

    def decide(self, run: Run, kind: Any, by: str, **details: Any) -> Run:
        """Decide, and drive the run on."""
        self.runtime.decide(run.run_id, kind, by, "as the test asks", details=details)
        return self.runtime.drive(run.run_id)

    def approve(self, run: Run, **details: Any) -> Run:
        """Approve with people whose role suffices and is the least that does: two of them where four eyes are asked for."""
        approval = self.proposal(run).approval
        people = [name for name, role in PEOPLE.items() if role == approval.role]
        for by in people[: 2 if approval.four_eyes else 1]:
            assert self.ledger.run(run.run_id).status == "waiting"
            run = self.decide(run, "approve", by, **details)
        return run

    def proposal(self, run: Run) -> Proposal:
        """The latest proposal of a run."""
        proposal = self.ledger.proposal(run.run_id)
        assert proposal is not None
        return proposal

    def told(self, run: Run) -> list[str]:
        """The texts of the Explain rail."""
        return [observation.text for observation in self.observations(run)]

    def observations(self, run: Run) -> list[Observation]:
        return self.ledger.observations(run.run_id)

    def effects(self, run: Run) -> list[Effect]:
        return self.ledger.effects(run.run_id)

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Every record of the sandbox company."""
        return snapshot(self.url)

    def problems(self) -> list[str]:
        """What verification says of the ledger."""
        put_back(self.url)
        with PostgresLedger.open(self.url) as ledger:
            return examine(ledger).problems

    def incidents(self, run: Run) -> list[str]:
        """The reasons of the open incidents of a run."""
        return [incident.reason for incident in self.ledger.incidents() if incident.run_id == run.run_id]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Something that happens in the database behind everybody's back."""
        with psycopg.connect(self.url, autocommit=True) as session:
            done = session.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    @contextmanager
    def without_systems(self, *names: str) -> Iterator[None]:
        """No read of these systems is answered for a while."""
        before = self.runtime.context.reader
        self.runtime.context.reader = Silent(before, names)
        try:
            yield
        finally:
            self.runtime.context.reader = before

    @contextmanager
    def writes_through(self, writer: Writer) -> Iterator[None]:
        """Everything is written through another writer for a while."""
        before = self.runtime.context.writer
        self.runtime.context.writer = writer
        try:
            yield
        finally:
            self.runtime.context.writer = before


class Silent:
    """A reader to which some systems do not answer."""

    def __init__(self, reader: Reader, systems: Collection[str]) -> None:
        self._reader, self._systems = reader, systems

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        return [
            replace(result, status="failed", value=None, error=f"{result.call.system} cannot be reached")
            if result.call.system in self._systems
            else result
            for result in self._reader.read_all(calls)
        ]


class Meanwhile:
    """A writer before whose write of one tool something else happens in the world."""

    def __init__(self, company: Company, tool: str, happens: Any) -> None:
        writer = company.runtime.context.writer
        assert writer is not None
        self._writer, self._tool, self._happens = writer, tool, happens

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return self._writer.honours_keys(call)

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer."""
        if call.name == self._tool:
            self._happens()
        return self._writer.write(call, key)


def plan_of(proposal: Proposal) -> list[tuple[str, dict[str, Any]]]:
    """The actions of a proposal."""
    return [(action["name"], dict(action["args"])) for action in proposal.plan]


def edited(proposal: Proposal, *, drop: int | None = None, **args: Any) -> list[dict[str, Any]]:
    """The plan as a person's edit hands it in: without a step, or with arguments set wherever an action has them."""
    steps = [
        {"name": action["name"], "args": {**action["args"], **{k: v for k, v in args.items() if k in action["args"]}},
         "for": action["for"], "cites": list(action["cites"])}
        for action in proposal.plan
    ]  # fmt: skip
    return [step for place, step in enumerate(steps) if place != drop]


World = Mapping[str, list[dict[str, Any]]]


def changed(before: World, after: World) -> dict[tuple[str, str, str], Any]:
    """What two snapshots differ in, as (system, record, field) -> value afterwards; fields are named as in a proposal."""
    fields: dict[tuple[str, str, str], Any] = {}
    for collection in KEYS:
        was, now = ({_name(collection, record): record for record in world[collection]} for world in (before, after))
        for name in sorted(was.keys() | now.keys()):
            system, old, new = collection.split(".")[0], _flat(was.get(name, {})), _flat(now.get(name, {}))
            fields |= {
                (system, name, field): new.get(field)
                for field in old.keys() | new.keys()
                if old.get(field) != new.get(field)
            }  # fmt: skip
    return fields


def promised(proposal: Proposal) -> dict[tuple[str, str, str], Any]:
    """What a proposal says that it changes, in the form of `changed`: the last word on each field, where it is another one."""
    first: dict[tuple[str, str, str], Any] = {}
    last: dict[tuple[str, str, str], Any] = {}
    for change in proposal.changes:
        field = (change["system"], change["record"], change["field"])
        first.setdefault(field, change["before"])
        last[field] = change["after"]
    return {field: value for field, value in last.items() if value != first[field]}


def _name(collection: str, record: Mapping[str, Any]) -> str:
    return "/".join(str(record[field]) for field in KEYS[collection])


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record and of the elements of its lists, by the name that a proposal gives them."""
    flat: dict[str, Any] = {}
    for field, value in record.items():
        key = PART_KEYS.get(field)
        if key and value and all(key in element for element in value):
            flat |= {f"{field}/{element[key]}/{inner}": told for element in value for inner, told in element.items()}
        else:
            flat[field] = value
    return flat


def order_in(world: World, order_id: str) -> dict[str, Any]:
    """One order of a snapshot."""
    return next(order for order in world["oms.orders"] if order["order_id"] == order_id)


def built_home() -> Path:
    """A home folder with the knowledge index in it, kept from one test run to the next; the database is elsewhere."""
    home = Path(tempfile.gettempdir()) / f"missions-test-home-{os.getuid()}"
    build(PolicyBook.load(CHECKOUT / "knowledge_index" / "policies"), home / "knowledge", MiniLM())
    return home


def settings_for(url: str, **chosen: Any) -> Settings:
    """Settings for a database, with the index of `built_home`."""
    return Settings(home=built_home(), DATABASE_URL=url, **chosen)


@contextmanager
def opened(url: str, **chosen: Any) -> Iterator[Company]:
    """A company over a database, with the people of PEOPLE."""
    create_schema(url)
    open_database(settings_for(url))
    grant_roles(url)
    with open_runtime(settings_for(url, **chosen)) as runtime:
        for name, role in PEOPLE.items():
            runtime.ledger.add_person(name, role)
        yield Company(runtime)


@pytest.fixture(scope="session")
def company(server_url: str) -> Iterator[Company]:
    """The company of this worker."""
    with _database(server_url) as url, opened(url) as made:
        yield made
