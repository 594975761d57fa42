"""What an evaluation of models needs: transcripts, a choice of cases, an end in time, named sets, notes, Inspect's log."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import BadInput, NoAnswer
from evals.evaluation.engines import Here
from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.evaluation.inspect_log import inspect_log, log_name
from evals.evaluation.journal import open_disk_buffer
from evals.evaluation.matrix import Matrix, combinations, matrix_row
from evals.evaluation.notes import ResultNotes
from evals.evaluation.persistence import judged_case
from evals.evaluation.running import Batch, Finished, run_batch
from evals.evaluation.selecting import FEWEST, Enough, Selection
from evals.evaluation.sets import CaseSets
from evals.evaluation.store import EvaluationStore
from evals.recorded.cases import RecordedException, recorded
from evals.reports.transcript import transcript_of
from graphs.transcripts import Transcript
from models.answers import ScriptedModel
from models.calls import Limits
from models.prompts import Prompt
from nodes.reasoning.answers import FirstPlan
from nodes.reasoning.reasoners import Hybrid
from settings import Settings
from tests.engine import recorded_cases
from tests.evaluation_examples import a_case, a_run

#: a million tokens for a dollar each: every question costs thousands of dollars
DEAR = Limits(price_input=100_000_000, run_tokens=10**9, day_tokens=10**9)


def with_model(lab: EvalEnvironment, model: ScriptedModel, limits: Limits = DEAR) -> EvalEnvironment:
    transcript = Transcript()
    prompts = {name: Prompt.load(name) for name in ("hybrid", "llm")}
    return replace(lab, reasoner=Hybrid(transcript.before(model), prompts, limits, "brief"), transcript=transcript)


@pytest.fixture
def cases(lab: EvalEnvironment) -> list[RecordedException]:
    return [recorded(raw, lab.packs, "test") for raw in recorded_cases("order_exception")[:6]]


@pytest.fixture
def file(tmp_path: Path, cases: Sequence[RecordedException]) -> Path:
    found = tmp_path / "cases.jsonl"
    found.write_bytes(b"\n".join(orjson.dumps(case.raw) for case in cases))
    return found


def test_what_a_model_was_asked_and_answered_stands_with_each_result_as_it_was_sent(
    lab: EvalEnvironment, cases: list[RecordedException]
) -> None:
    model = ScriptedModel(FirstPlan())
    evaluation = Evaluation(with_model(lab, model))
    first, second = (judged_case(case, evaluation.run(case), lab.catalogue) for case in cases[:2])
    assert [(one.system, one.user) for one in (*first.transcript, *second.transcript)] == [
        (asked.system, asked.user) for asked in model.asked
    ]
    assert first.usage["by_model"] == 1.0
    assert len(first.transcript) == 1 and first.transcript[0].answer == FirstPlan()(model.asked[0])
    assert "transcript" not in Evaluation(lab).run(cases[0])


def test_a_question_without_an_answer_stands_there_with_why(lab: EvalEnvironment, cases: list[RecordedException]) -> None:
    model = ScriptedModel(lambda _: NoAnswer("The server is <b>away</b>.", "outage"))
    case = judged_case(cases[0], Evaluation(with_model(lab, model)).run(cases[0]), lab.catalogue)
    (one,) = case.transcript
    assert case.usage["by_model"] == 0.0
    assert one.answer is None and one.error == "The server is <b>away</b>."
    shown = transcript_of(case.transcript)
    assert "&lt;b&gt;away" in shown and "<b>away" not in shown


CASES = st.lists(
    st.tuples(st.text("ab", min_size=1, max_size=4), st.sampled_from(["order_exception", "account_save"])),
    unique_by=lambda one: one[0],
    min_size=1,
    max_size=30,
)


class _Event:
    def __init__(self, mission: str) -> None:
        self.mission, self.name = mission, f"{mission}.happened"


def _named(case_id: str, mission: str = "order_exception") -> RecordedException:
    return RecordedException(case_id, _Event(mission), {}, None, {})  # type: ignore[arg-type]


@given(CASES, st.integers(1, 40), st.randoms())
def test_a_sample_is_the_same_cases_in_the_same_order_however_they_come(
    named: list[tuple[str, str]], number: int, chance: Random
) -> None:
    cases = [_named(*one) for one in named]
    drawn = [case.case_id for case in Selection(sample=number).of(cases)]
    chance.shuffle(cases)
    assert [case.case_id for case in Selection(sample=number).of(cases)] == drawn
    assert len(drawn) == len({*drawn}) == min(number, len(cases))
    # a larger sample begins with the smaller one
    assert [case.case_id for case in Selection(sample=number + 5).of(cases)][: len(drawn)] == drawn


@given(CASES)
def test_a_filter_takes_what_meets_one_pattern_of_each_name_and_nothing_else(named: list[tuple[str, str]]) -> None:
    cases = [_named(*one) for one in named]
    wanted = [one for one, mission in named if mission == "order_exception" and one[0] in "ab" and (one[0] == "a" or one == "b")]
    chosen = Selection(filters=["mission=order*", "case=a*", "case=b"])
    if not wanted:
        with pytest.raises(BadInput, match="No case meets"):
            next(chosen.of(cases))
    else:
        assert [case.case_id for case in chosen.of(cases)] == wanted
        assert [case.case_id for case in replace(chosen, limit=1).of(cases)] == wanted[:1]


@pytest.mark.parametrize(
    ("given_", "says"), [("order", "not understood"), ("money=9", "not understood"), ("case=", "not understood")]
)
def test_what_is_no_filter_is_refused_with_those_that_there_are(given_: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        Selection(filters=[given_])
    assert "mission=…" in str(caught.value)


def test_who_may_end_early_runs_cases_in_an_order_by_chance() -> None:
    for ends in ({"most_cost": 1.0}, {"interval": 0.1}):
        with pytest.raises(BadInput, match="--sample"):
            Enough(**ends)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="one of the two"):
        Selection(limit=1, sample=1)


def test_it_ends_once_the_interval_of_exact_is_narrow_and_not_before_thirty_cases() -> None:
    enough = Enough(selection=Selection(sample=1_000), interval=0.12)
    said = [enough.after(a_case(str(number), figures={"exact": 1.0})) for number in range(100)]
    first = next(number for number, why in enumerate(said, start=1) if why)
    # Wilson's interval of n of n is n / (n + 3.84) to 1
    assert first == FEWEST and said[first - 1].startswith("the interval of exact is 88.6% to 100.0%")
    mixed = Enough(selection=Selection(sample=1_000), interval=0.2)
    said = [mixed.after(a_case(str(number), figures={"exact": float(number % 2)})) for number in range(200)]
    assert next(number for number, why in enumerate(said, start=1) if why) > 80


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def run(batch: Batch, environment: EvalEnvironment, chosen: Settings, enough: Enough) -> Finished:
    with open_disk_buffer(batch.out) as judged:
        return run_batch(batch, Here(), environment, chosen, judged, enough, lambda *_: lambda: None)


def test_what_ended_at_its_cost_goes_on_with_a_higher_one_and_asks_nothing_again(
    lab: EvalEnvironment, file: Path, chosen: Settings
) -> None:
    selection = Selection(sample=6)
    batch = Batch(files=[file], out=file.with_name("out.jsonl"), selection=selection)
    model = ScriptedModel(FirstPlan())
    first = run(batch, with_model(lab, model), chosen, Enough(selection=selection, most_cost=0.01))
    assert len(model.asked) == 1 and not first.whole and not batch.out.exists()
    assert first.run.stopped.startswith("ended after 1 of 6: it has cost $")
    again = run(batch, with_model(lab, model), chosen, Enough(selection=selection, most_cost=0.001))
    assert (again.new, again.whole, len(model.asked)) == (0, False, 1)
    done = run(batch, with_model(lab, model), chosen, Enough(selection=selection))
    assert done.whole and done.new == 5 and done.run.cases == 6 and done.run.stopped == ""
    assert len({asked.digest for asked in model.asked}) == len(model.asked) == 6
    assert len(batch.out.read_bytes().splitlines()) == 6


def test_another_choice_of_cases_is_another_evaluation(lab: EvalEnvironment, file: Path, chosen: Settings) -> None:
    out = file.with_name("out.jsonl")
    selection = Selection(sample=6)
    batch = Batch(files=[file], out=out, selection=selection)
    run(batch, with_model(lab, ScriptedModel(FirstPlan())), chosen, Enough(selection=selection, most_cost=0.01))
    other = run(replace(batch, selection=Selection(sample=2)), with_model(lab, ScriptedModel(FirstPlan())), chosen, Enough())
    assert other.new == other.run.cases == 2


def test_a_named_set_stays_what_it_was_and_another_content_is_its_next_version(
    lab: EvalEnvironment, file: Path, tmp_path: Path
) -> None:
    sets = CaseSets.of(tmp_path)
    assert sets.save("orders", [file], lab.packs, Selection()) == "orders@1"
    assert sets.save("orders", [file], lab.packs, Selection()) == "orders@1"
    assert sets.save("orders", [file], lab.packs, Selection(limit=2)) == "orders@2"
    assert sets.names() == ["orders@1", "orders@2"] and sets.file(Path("orders@latest")) == sets.file(Path("orders@2"))
    assert len(sets.file(Path("orders@1")).read_bytes().splitlines()) == 6
    assert sets.file(file) == file
    with pytest.raises(BadInput, match="there is orders@1, orders@2"):
        sets.file(Path("orders@3"))
    with pytest.raises(BadInput, match="no name for a set"):
        sets.save("../orders", [file], lab.packs, Selection())


def test_notes_stand_in_the_order_in_which_they_were_written_and_are_no_run_of_their_own(tmp_path: Path) -> None:
    store = EvaluationStore.of(tmp_path)
    store.write(a_run(), [a_case("c-1")])
    (run_,) = store.runs().runs
    notes = ResultNotes.of(store, run_.run_id)
    notes.add("c-1", "rita", "The address is right.\u202e")
    notes.add("c-1", "omar", "Agreed.")
    assert [(one.by, one.text) for one in notes.by_case()["c-1"]] == [("rita", "The address is right."), ("omar", "Agreed.")]
    assert len(store.runs().runs) == 1 and not store.runs().faults
    with pytest.raises(BadInput, match="1 to 2,000 characters"):
        notes.add("c-1", "rita", " \n")


def test_a_run_in_inspects_log_has_a_sample_a_trial_with_what_was_asked_expected_and_answered(
    lab: EvalEnvironment, file: Path, chosen: Settings
) -> None:
    model = ScriptedModel(FirstPlan())
    batch = Batch(files=[file], out=file.with_name("out.jsonl"), trials=2)
    done = run(batch, with_model(lab, model), chosen, Enough())
    log = inspect_log(EvaluationStore.of(chosen.home).open(done.run.run_id))
    assert (log["version"], log["status"], log["eval"]["config"]["epochs"]) == (2, "success", 2)
    assert log["eval"]["dataset"]["samples"] == 6 and len(log["samples"]) == log["results"]["total_samples"] == 12
    ids = log["eval"]["dataset"]["sample_ids"]
    assert {(one["id"], one["epoch"]) for one in log["samples"]} == {(case, n) for case in ids for n in (1, 2)}
    first = log["samples"][0]
    assert [one["role"] for one in first["messages"]] == ["system", "user", "assistant"]
    assert first["messages"][1]["content"] == model.asked[0].user and first["scores"]["exact"]["value"] == "C"
    said = orjson.loads(first["output"]["choices"][0]["message"]["content"])
    assert orjson.loads(first["target"])["verdict"] == said["verdict"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\+00-00_missions_[0-9A-Fa-fT]+\.json", log_name(done.run))
    assert sum(used["total_tokens"] for one in log["samples"] for used in one["model_usage"].values()) > 0
    (used,) = log["stats"]["model_usage"].values()
    assert used["total_tokens"] == used["input_tokens"] + used["output_tokens"] > 0
    assert orjson.loads(orjson.dumps(log)) == log


MATRIX = """
reasoners: [planner, hybrid]
models:
  small: {model: local, url: http://127.0.0.1:9/v1}
  large: {model: big, key: LARGE_KEY, price_input: 250}
prompts: {shipped: "", brief: brief}
"""


def _matrix(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "matrix.yaml"
    file.write_text(text)
    return file


def test_a_matrix_is_each_model_with_each_prompt_and_the_planner_once(
    tmp_path: Path, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARGE_KEY", "k-large")
    found = [*combinations(Matrix.read(_matrix(tmp_path, MATRIX)), tmp_path, chosen)]
    assert [one.name for one, _ in found] == [
        "planner", "hybrid-small-shipped", "hybrid-small-brief", "hybrid-large-shipped", "hybrid-large-brief",
    ]  # fmt: skip
    *_, (_, last) = found
    assert (last.model, last.model_key.get_secret_value(), last.prompts) == ("big", "k-large", tmp_path / "brief")
    assert "k-large" not in repr(found) and found[1][1].model_key.get_secret_value() == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reasoners: [hybrid]", "asks a model"),
        ("models: {a: {model: x, key: NOT_SET_HERE}}", "NOT_SET_HERE"),
        ("models: {a: {modle: x}}", "modle"),
        ("reasoners: [guess]", "'planner', 'hybrid' or 'llm'"),
        ("models: {../a: {model: x}}", "pattern"),
    ],
)
def test_a_matrix_that_cannot_be_run_is_refused_with_what_to_do(tmp_path: Path, chosen: Settings, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        [*combinations(Matrix.read(_matrix(tmp_path, text)), tmp_path, chosen)]


def test_a_row_of_the_matrix_has_exact_for_each_mission_and_over_all() -> None:
    cases = [a_case(str(number), figures={"exact": float(number > 0), "unsafe": 0.0}) for number in range(4)]
    cases = [replace(case, usage={"by_model": float(number < 3)}) for number, case in enumerate(cases)]
    row = matrix_row(cases, [cases[0].mission, "account_save"])
    assert row["by the model"] == "75%"
    assert row["all"].startswith("75% (") and row[cases[0].mission] == row["all"] and row["account_save"] == "–"
