"""What a pack does not show stays: no request to a model, log, state of a run, index, export or report has it."""

import json
import logging
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from graphs.runtime import thread
from ledger.audit_export import export
from ledger.canonical import utc_now
from models.calls import Endpoint, Limits
from models.client import open_chat_model
from models.prompts import Prompt
from nodes.pack import Pack
from nodes.reasoning.prompt_context import texts
from nodes.reasoning.reasoners import Hybrid, Llm
from tests.engine import MISSIONS, laboratory, recorded_cases
from tests.integration.live_company import Company, built_home, edited
from tests.minds import walk
from tests.model_server.adversary import Adversary
from tests.model_server.behaviours import Asked, Say
from tests.model_server.server import ModelServer

pytest_plugins = ["tests.integration.live_company"]

#: in every text that a pack shows: they are masked
PRIVATE = {
    "card": "4111 1111 1111 1111",
    "mail": "zoe.canary@shop.example",
    "telephone": "+1 415 555 0199",
    "key": "sk-canary1234567890abcdef",
}
CANARY = "Quuxcanary"
#: words, ids and moments that records mean something by
_MEANS = re.compile(r"[a-z_.]+|[A-Za-z]{1,6}[-_]?[\w-]*\d[\w-]*|\d{4}-\d\d-\d\d.*|[A-Z]{2,3}(-[A-Z]{3})?|\d+")


def with_canaries(raw: dict[str, Any], pack: Pack) -> dict[str, Any]:
    """The exception with a canary for every text that no field of `sees` is called by, and what is private in the others."""
    assert pack.model is not None
    shown = {path.split(".")[-1] for fields in pack.model.sees.values() for path in fields}
    numbers = count()

    def changed(name: str, value: Any) -> Any:
        match value:
            case dict():
                return {key: changed(key, inner) for key, inner in value.items()}
            case list():
                return [changed(name, inner) for inner in value]
            case str() if _MEANS.fullmatch(value) is None and name in shown:
                return f"{value} {' '.join(PRIVATE.values())}"
            case str() if _MEANS.fullmatch(value) is None:
                return f"{CANARY}{next(numbers)}"
        return value

    made: dict[str, Any] = json.loads(json.dumps(raw))
    return {**made, "trigger": changed("", made["trigger"]), "systems": changed("", made["systems"])}


@pytest.fixture
def asked() -> Iterator[tuple[ModelServer, list[Any]]]:
    """A server with the worst model behind it, and the reasoners that ask it."""
    worst = Adversary()

    def script(question: Asked) -> Say:
        return Say(worst(question.system, question.user, question.schema))

    limits = Limits(day_tokens=10**9)
    with ModelServer(script) as server, open_chat_model(Endpoint(model="small", url=server.url, key="k-canary"), limits) as model:
        prompts = {name: Prompt.load(name) for name in ("hybrid", "llm")}
        yield server, [kind(model, prompts, limits, "brief") for kind in (Hybrid, Llm)]


def test_what_a_pack_does_not_show_leaves_no_trace(
    asked: tuple[ModelServer, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    server, reasoners = asked
    caplog.set_level(logging.DEBUG)
    canaries = 0
    for mission in MISSIONS:
        for place, raw in enumerate(recorded_cases(mission)[4::20]):
            pack = laboratory().packs[mission]
            made = with_canaries(raw, pack.of(raw["trigger"]["event"]))
            canaries += json.dumps(made["systems"]).count(CANARY)
            run = walk(made, reasoners[place % 2]).drive()
            states = [(one.values, one.tasks) for one in run._runtime.graph.get_state_history(thread(run._run_id))]
            calls = repr(run.ledger.model_calls(raw["case_id"]))
            assert len(states) > 6 and CANARY not in f"{states} {calls}", raw["case_id"]
            assert not [name for name, value in PRIVATE.items() if value in calls], raw["case_id"]
    bodies = b"\n".join(question.raw for question in server.asked).decode()
    for name, value in {**PRIVATE, "what no pack shows": CANARY}.items():
        assert value not in bodies and value not in caplog.text, name
    assert canaries > 100 and len(server.asked) > 30 and "[card 1]" in bodies
    assert "k-canary" not in caplog.text


def test_it_is_in_no_checkpoint_index_log_or_export_of_a_company(
    company: Company,
    asked: tuple[ModelServer, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    server, reasoners = asked
    runs = []
    for place, mission in enumerate(MISSIONS):
        monkeypatch.setattr(company.runtime.context, "reasoner", reasoners[place % 2])
        for raw in [one for one in recorded_cases(mission) if None not in one["systems"].values()][2:40:12]:
            run = company.propose(with_canaries(raw, company.runtime.context.packs[mission].of(raw["trigger"]["event"])))
            runs.append(run.run_id)
            if run.status == "waiting" and company.proposal(run).approval.role == "reviewer":
                run = company.decide(run, "edit", "ron", plan=edited(company.proposal(run)))
            if run.status == "waiting":
                company.approve(run)
    read = [one for run_id in runs for fact in company.ledger.facts(run_id) for one in texts(fact.value)]
    assert sum(CANARY in one for one in read) > 20 and len(server.asked) > len(runs) > 10

    kept = b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
        for row in company.sql(f"SELECT * FROM {table}")
        for value in row
    )
    index = b"".join(file.read_bytes() for file in (built_home() / "knowledge").rglob("*") if file.is_file())
    export(company.ledger, tmp_path, Ed25519PrivateKey.generate(), utc_now())
    exported = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    questions = b"".join(one.raw for one in server.asked)
    for name, place in {"state": kept, "index": index, "export": exported, "questions": questions}.items():
        assert len(place) > 1_000 and not [one for one in (CANARY, *PRIVATE.values()) if one.encode() in place], name
    assert not [one for one in (CANARY, *PRIVATE.values()) if one in caplog.text]
