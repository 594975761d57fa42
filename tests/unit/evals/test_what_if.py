"""What a change of policies would do to recorded exceptions."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import orjson
import pytest

from errors import BadInput
from evals.recorded.cases import recorded_files
from evals.what_if import replaying, sweep, what_if
from evals.what_if.answer import Flip, WhatIf
from knowledge_index.drafting import Edit, newest, redrafted, with_draft
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from settings import CHECKOUT, Settings
from tests.engine import CASES, LEARNED
from tests.model_server.behaviours import Say
from tests.model_server.competent import chooses_first
from tests.model_server.server import ModelServer

DAY = date(2027, 3, 1)
AS_OF = datetime(2027, 3, 1, tzinfo=UTC)
#: escalated for its fraud score, fulfilled, needs a supervisor, compensated with a credit
SOME = ("dev-ord-0014", "dev-ord-0007", "dev-ord-0001", "dev-omn-0006", "dev-acc-0010")


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A few recorded exceptions of three Missions."""
    file = tmp_path_factory.mktemp("cases") / "some.jsonl"
    recorded = [line for source in sorted(CASES.parent.glob("*_*.jsonl")) for line in source.read_bytes().splitlines()]
    file.write_bytes(b"\n".join(line for line in recorded if orjson.loads(line)["case_id"] in SOME))
    return [file]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    (home / "language").symlink_to(LEARNED, target_is_directory=True)
    LEARNED.mkdir(exist_ok=True)
    return Settings(home=home)


def changed(policy_id: str, clause: str, folder: Path = REFERENCE_POLICIES, **values: object) -> PolicyBook:
    base = newest(PolicyBook.load(folder), policy_id)
    return with_draft(
        PolicyBook.load(folder), redrafted(base.text, base.file, {clause: Edit(values=values)}, version=2, in_force_from=DAY)
    )


def ask(book: PolicyBook | Path, some: Sequence[Path], chosen: Settings) -> WhatIf:
    return what_if(book, cases=some, as_of=AS_OF, chosen=chosen)


def only(found: WhatIf) -> Flip:
    (flip,) = found.flips
    return flip


def test_with_a_model_both_sides_are_its_own_and_the_planners_answers_are_not_taken_for_them(
    some: list[Path], chosen: Settings
) -> None:
    by_planner = what_if(changes={"FRD-2.elevated": 0.6}, cases=some, as_of=AS_OF, chosen=chosen)
    with ModelServer(lambda asked: Say(chooses_first(asked.system, asked.user, asked.schema))) as server:
        with_model = chosen.model_copy(update={"model": "m", "model_url": server.url})
        found = what_if(changes={"FRD-2.elevated": 0.6}, cases=some, as_of=AS_OF, chosen=with_model, reasoner="hybrid")
        asked = len(server.asked)
    assert only(found).case_id == only(by_planner).case_id and asked >= 2 * 3
    with pytest.raises(BadInput, match="MISSIONS_MODEL"):
        what_if(changes={"FRD-2.elevated": 0.6}, cases=some, chosen=chosen, reasoner="llm")


def test_a_higher_threshold_lets_an_escalated_order_go_on(some: list[Path], chosen: Settings) -> None:
    found = ask(changed("FRD", "FRD-2", elevated=0.6), some, chosen)
    flip = only(found)
    assert (found.cases, found.changed, found.broken) == (5, ["FRD-2"], [])
    assert (flip.case_id, flip.way, flip.because_of) == ("dev-ord-0014", "no_longer_escalated", ["FRD-2"])
    assert (flip.before.verdict, flip.after.verdict) == ("escalate", "fulfil_with_changes")
    assert flip.moved_cents == 28_700 == found.money_at_stake_after_cents - found.money_at_stake_before_cents
    assert next(row for row in found.money_rows() if row["kind"] == "release")["moved_cents"] == 28_700
    assert found.ways == {"no_longer_escalated": 1}
    assert found.rows()[0]["verdict_after"] == "fulfil_with_changes"


def test_other_bands_ask_for_more_approval_of_the_same_plan(some: list[Path], chosen: Settings) -> None:
    bands = [{"up_to_cents": 20_000, "role": "reviewer"}, {"up_to_cents": 500_000, "role": "supervisor"}]
    found = ask(changed("GOV", "GOV-3", bands=[*bands, {"role": "finance", "four_eyes": True}]), some, chosen)
    flip = only(found)
    assert (flip.case_id, flip.way, flip.because_of) == ("dev-ord-0007", "more_approval", ["GOV-3"])
    assert (found.rows()[0]["approval_before"], found.rows()[0]["approval_after"]) == ("reviewer", "supervisor")
    assert flip.before.actions == flip.after.actions and flip.moved_cents == 0


def test_another_percentage_changes_an_amount_that_no_approval_looks_at(some: list[Path], chosen: Settings) -> None:
    found = ask(changed("VIP", "VIP-2", percent=10), some, chosen)
    flip = only(found)
    assert (flip.way, flip.before.verdict, flip.because_of) == ("other_actions", "compensate", ["VIP-2"])
    credit = next(row for row in found.money_rows() if row["kind"] == "credit")
    assert credit["moved_cents"] < 0


def test_a_change_of_words_flips_nothing(some: list[Path], chosen: Settings) -> None:
    base = newest(PolicyBook.load(REFERENCE_POLICIES), "FRD")
    text = redrafted(base.text, base.file, {"FRD-1": Edit(prose="Fine.")}, version=2, in_force_from=DAY)
    found = ask(with_draft(PolicyBook.load(REFERENCE_POLICIES), text), some, chosen)
    assert (found.changed, found.flips, found.ways) == (["FRD-1"], [], {})


def test_a_role_that_nobody_has_is_not_tried(some: list[Path], chosen: Settings) -> None:
    with pytest.raises(BadInput, match="GOV-2 must name a role"):
        ask(changed("GOV", "GOV-2", role="manager"), some, chosen)


def test_only_what_a_change_can_decide_is_replayed_and_progress_is_told(
    some: list[Path], chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(changed("FRD", "FRD-2", elevated=0.6), some, chosen)
    replayed: list[str] = []
    run = replaying.Evaluation.run
    monkeypatch.setattr(replaying.Evaluation, "run", lambda self, case: (replayed.append(case.case_id), run(self, case))[1])
    told: list[tuple[int, int]] = []
    what_if(
        changed("FRD", "FRD-2", elevated=0.65), cases=some, as_of=AS_OF, chosen=chosen, on_progress=lambda *at: told.append(at)
    )
    assert sorted(replayed) == sorted(case for case in SOME if case.startswith("dev-ord"))
    assert told[-1] == (10, 10)


def test_before_its_day_a_draft_changes_nothing(some: list[Path], chosen: Settings) -> None:
    eve = datetime(2027, 2, 28, tzinfo=UTC)
    found = what_if(changed("FRD", "FRD-2", elevated=0.6), cases=some, as_of=eve, chosen=chosen)
    assert (found.changed, found.flips) == ([], [])


def test_a_folder_of_changed_policies_does_as_well(some: list[Path], chosen: Settings, tmp_path: Path) -> None:
    for file in REFERENCE_POLICIES.glob("*.md"):
        (tmp_path / file.name).write_text(file.read_text().replace("elevated: 0.40", "elevated: 0.60"))
    assert only(what_if(tmp_path, cases=some, chosen=chosen)).case_id == "dev-ord-0014"


def test_policies_without_a_clause_that_packs_need_are_refused(some: list[Path], chosen: Settings, tmp_path: Path) -> None:
    (tmp_path / "FRD.md").write_bytes((REFERENCE_POLICIES / "FRD.md").read_bytes())
    with pytest.raises(BadInput):
        what_if(tmp_path, cases=some, chosen=chosen)


def test_the_recorded_exceptions_are_those_of_the_checkout() -> None:
    files = recorded_files()
    assert [file.parent for file in files] == [CHECKOUT / "evals" / "cases"] * 5
    assert "sample.jsonl" not in {file.name for file in files}


def test_a_value_is_changed_without_a_file_and_says_so_in_a_table(some: list[Path], chosen: Settings) -> None:
    found = what_if(changes={"FRD-2.elevated": 0.6}, cases=some, as_of=AS_OF, chosen=chosen)
    assert (only(found).way, found.changed, found.escalated_before - found.escalated_after) == (
        "no_longer_escalated",
        ["FRD-2"],
        1,
    )
    assert list(found.frame()["case"]) == ["dev-ord-0014"]
    for said in found._repr_mimebundle_().values():
        assert "dev-ord-0014" in said and "$287.00" in said and str(found.seconds) not in said and len(said) < 3_000


def test_what_no_policy_may_automate_is_not_tried_as_if_one_could(some: list[Path], chosen: Settings) -> None:
    with pytest.raises(BadInput, match="refund_charge run without a person, which the catalogue lets no policy do"):
        what_if(changes={"tier.refund_charge": "automate"}, cases=some, as_of=AS_OF, chosen=chosen)


def test_a_changed_pack_takes_the_place_of_its_mission_and_the_others_stay(
    some: list[Path], chosen: Settings, tmp_path: Path
) -> None:
    pack = (CHECKOUT / "graphs" / "packs" / "order_exception.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(pack.replace("FRD_2.elevated", "0.6"))
    found = what_if(packs=tmp_path, cases=some, as_of=AS_OF, chosen=chosen)
    assert (found.changed, found.changed_packs) == ([], ["order_exception"])
    assert (only(found).case_id, only(found).because_of) == ("dev-ord-0014", ["the pack"])


def test_a_sweep_shows_what_every_value_would_do(some: list[Path], chosen: Settings) -> None:
    told: list[tuple[int, int]] = []
    found = sweep(
        "FRD-2.elevated", [0.3, 0.4, 0.6], cases=some, as_of=AS_OF, chosen=chosen, on_progress=lambda *at: told.append(at)
    )
    assert (found.present, told[-1]) == (0.4, (20, 20))
    assert [(row["FRD-2.elevated"], row["no_longer_escalated"]) for row in found.rows()] == [(0.3, 0), (0.4, 0), (0.6, 1)]
    assert found.rows()[2]["moved_cents"] == 28_700 and "0.4 now" in found._repr_mimebundle_()["text/html"]
    with pytest.raises(BadInput, match="make it a number"):
        sweep("FRD-2.elevated", [0.5, "high"], cases=some, chosen=chosen)


def test_recordings_of_ones_own_are_refused_where_they_cannot_be_told_apart(some: list[Path], chosen: Settings) -> None:
    with pytest.raises(BadInput, match="appears twice"):
        what_if(changes={"FRD-2.elevated": 0.6}, cases=[*some, *some], chosen=chosen)


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [("FRD-2.elevated", 0.2, 0.79), ("GOV-3.bands.0.up_to_cents", 1_000, 400_000), ("STK-2.counted_within_days", 1, 60)],
)
def test_what_a_change_cannot_reach_is_answered_as_a_full_replay_answers_it(
    path: str, low: float, high: float, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Random().uniform(low, high)
    value = round(drawn, 2) if isinstance(low, float) else int(drawn)
    cases = [CASES.with_name("order_exception.jsonl")]

    def asked() -> WhatIf:
        return what_if(changes={path: value}, cases=cases, as_of=AS_OF, chosen=chosen)

    part = asked()
    assert part.proof.not_reached > part.proof.sampled > 0 == part.proof.differed, value
    replaying._remembered.popitem()
    monkeypatch.setattr(replaying, "_not_reached", lambda *_: {})
    assert (part.rows(), part.money_rows()) == (asked().rows(), asked().money_rows()), value


def test_where_the_sample_differs_everything_is_replayed_and_it_is_said(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying.Reach, "reaches", lambda *_: False)
    monkeypatch.setattr(replaying, "LEAST_SAMPLE", 1_000)
    monkeypatch.setattr(replaying, "MOST_SAMPLE", 1_000)
    cases = [CASES.with_name("order_exception.jsonl")]
    found = what_if(changes={"FRD-2.elevated": 0.61}, cases=cases, as_of=AS_OF, chosen=chosen)
    assert found.flips and found.proof.differed and "every case was replayed" in found.proof.sentence
