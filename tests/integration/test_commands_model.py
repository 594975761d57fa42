"""`missions model check`: whether the model of the settings answers, said to a person."""

from tests.integration.commands import missions, refused
from tests.model_server.behaviours import Say, Status
from tests.model_server.server import ModelServer


def test_a_model_that_answers_is_told_with_its_way_and_tokens() -> None:
    with ModelServer(lambda _: Say({"more": 3}), supports={"tools"}) as server:
        done = missions("model", "check", MISSIONS_MODEL="small", MISSIONS_MODEL_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert "small answers by tools in" in done.stdout and "Proposals are made by: hybrid." in done.stdout
    assert server.wrong == []


def test_without_a_model_or_an_answer_it_is_refused_in_a_sentence() -> None:
    refused(missions("model", "check"), "MISSIONS_MODEL")
    with ModelServer(lambda _: Status(401)) as server:
        refused(missions("model", "check", MISSIONS_MODEL="small", MISSIONS_MODEL_URL=server.url))
