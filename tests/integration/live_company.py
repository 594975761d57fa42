"""A runtime as it runs live: embedded PostgreSQL, the sandbox company over MCP, the recorded exceptions of the sample.

A module names it in `pytest_plugins`; each worker then has one runtime, which takes its time to start.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from evals.cases import recorded
from graphs.runtime import Runtime, open_runtime
from graphs.settings import CHECKOUT, Settings
from knowledge_index.building import build
from knowledge_index.embeddings import MiniLM
from knowledge_index.policies import PolicyBook
from ledger.records import Effect, Event, Observation, Proposal, Run
from systems.calls import Call, Receipt, Writer
from systems.sandbox.database import create_schema, reset, snapshot
from systems.sandbox.loader import load_cases
from tests.conftest import _database

SAMPLE = CHECKOUT / "evals" / "cases" / "sample.jsonl"
CASES: dict[str, dict[str, Any]] = {case["case_id"]: case for case in map(json.loads, SAMPLE.read_text().splitlines())}
PEOPLE = {"rita": "reviewer", "ron": "reviewer", "sam": "supervisor", "fay": "finance", "finn": "finance"}
_NUMBERS = count(1)


class Company:
    """The runtime and what the tests ask of it. Every `take_in` begins with a sandbox that holds that case alone."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.ledger, self.url = runtime, runtime.ledger, runtime.database_url

    def event(self, case_id: str) -> Event:
        """The event of a case, under an id that was not used before."""
        raw = {**CASES[case_id], "case_id": f"{case_id}/{next(_NUMBERS)}"}
        return recorded(raw, self.runtime.context.packs, case_id).event

    def load(self, *case_ids: str) -> None:
        """Empty the sandbox company, then put cases into it."""
        reset(self.url)
        assert load_cases(self.url, [CASES[case_id] for case_id in case_ids]).refused == {}

    def propose(self, case_id: str) -> Run:
        """Load a case, take its event in, drive it as far as it goes by itself."""
        self.load(case_id)
        return self.runtime.drive(self.runtime.take_in(self.event(case_id)).run_id)

    def decide(self, run: Run, kind: Any, by: str, **details: Any) -> Run:
        """Decide, and drive the run on."""
        self.runtime.decide(run.run_id, kind, by, "as the test asks", details=details)
        return self.runtime.drive(run.run_id)

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

    def incidents(self, run: Run) -> list[str]:
        """The reasons of the open incidents of a run."""
        return [incident.reason for incident in self.ledger.incidents() if incident.run_id == run.run_id]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Something that happens in the database behind everybody's back."""
        with psycopg.connect(self.url, autocommit=True) as session:
            done = session.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    @contextmanager
    def writes_through(self, writer: Writer) -> Iterator[None]:
        """Everything is written through another writer for a while."""
        before = self.runtime.context.writer
        self.runtime.context.writer = writer
        try:
            yield
        finally:
            self.runtime.context.writer = before


class Meanwhile:
    """A writer before whose write of one tool something else happens in the world."""

    def __init__(self, company: Company, tool: str, happens: Any) -> None:
        writer = company.runtime.context.writer
        assert writer is not None
        self._writer, self._tool, self._happens = writer, tool, happens

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


def order_in(world: Mapping[str, list[dict[str, Any]]], order_id: str) -> dict[str, Any]:
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
    with open_runtime(settings_for(url, **chosen)) as runtime:
        for name, role in PEOPLE.items():
            runtime.ledger.add_person(name, role)
        yield Company(runtime)


@pytest.fixture(scope="session")
def company(server_url: str) -> Iterator[Company]:
    """The company of this worker."""
    with _database(server_url) as url, opened(url) as made:
        yield made
