"""Somebody who has the folder of policies edits a file there and restarts: nobody has agreed to that."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from errors import Refused
from graphs.policy_versions import PoliciesInForce, load_policies_in_force, new_draft, put_in_force, read_policies_in_force
from graphs.runtime import open_database, open_runtime
from knowledge_index.drafting import Edit, newest
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from ledger.audit_export import examine
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from settings import Settings
from systems.sandbox.database import create_schema
from tests.attacks.test_attacks_policies import put
from tests.conftest import _database
from tests.integration.commands import missions
from tests.integration.live_company import built_home

pytestmark = pytest.mark.promise("A policy gives nobody what its author does not have")

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SOON = date.today() + timedelta(days=9)


@dataclass
class Place:
    """An installation whose folder of policies a test may change."""

    chosen: Settings
    ledger: PostgresLedger

    @property
    def desk(self) -> AdminService:
        return AdminService(self.ledger)

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        file = self.chosen.policies / f"{name}.md"
        text = file.read_text("utf-8")
        assert change(text) != text
        file.write_text(change(text), "utf-8")

    def start(self) -> PoliciesInForce:
        """What decides after a start."""
        return load_policies_in_force(self.chosen, self.desk)


@pytest.fixture
def place(server_url: str, tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    shutil.copytree(built_home() / "knowledge", home / "knowledge")
    shutil.copytree(REFERENCE_POLICIES, tmp_path / "policies")
    with _database(server_url) as url:
        chosen = Settings(home=home, policies=tmp_path / "policies", DATABASE_URL=url)
        open_database(chosen)
        create_schema(url)
        with PostgresLedger.open(url) as ledger:
            for name, role in (("ana", "analyst"), ("fay", "finance"), ("finn", "finance")):
                ledger.add_person(name, role)
            made = Place(chosen, ledger)
            assert made.start().held_back == {}, "the first start takes what is there"
            yield made


def gov(deciding: PoliciesInForce) -> object:
    return deciding.book.period(NOW).values["GOV_1"], deciding.book.period(NOW).values["GOV_3"]


LAX: dict[str, tuple[str, Callable[[str], str]]] = {
    "an action runs alone": ("GOV", put("flag_contact]", "flag_contact, cancel_order]")),
    "a template runs alone": ("GOV", put("[delay_notice]", "[delay_notice, refund_confirmation]")),
    "a reviewer approves more": ("GOV", put("up_to_cents: 50000,", "up_to_cents: 90000,")),
    "no four eyes": ("GOV", put("finance, four_eyes: true", "finance, four_eyes: false")),
    "a reviewer empties a flagship": ("GOV", put("flagship\nrole: supervisor", "flagship\nrole: reviewer")),
    "a cost counts for nothing": ("GOV", put("counts: [expedite_po, ", "counts: [")),
    "money runs alone, which no pack loads with": ("GOV", put("flag_contact]", "flag_contact, refund_charge]")),
    "an invoice takes less": ("AP", put("up_to_cents: 5000000,", "up_to_cents: 50000000,")),
    "nothing governs from a day on": ("GOV", put("in_force_until: null", "in_force_until: 2026-01-01")),
    "another version of the same": (
        "GOV", lambda text: put("up_to_cents: 50000,", "up_to_cents: 90000,")(text.replace("version: 1", "version: 2")),
    ),
    "in force long ago": (
        "GOV", lambda text: put("up_to_cents: 50000,", "up_to_cents: 90000,")(text.replace("2025-01-01", "2020-01-01")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LAX)
def test_a_file_is_edited_so_that_plans_run_with_less_approval(what: str, place: Place) -> None:
    before = gov(place.start())
    name, change = LAX[what]
    place.edit(name, change)
    found = place.start()
    assert set(found.held_back) == {name} and gov(found) == before
    assert "is not the one in force" in found.messages()[0]
    assert place.start().held_back == found.held_back, "however often it starts"
    assert len(place.desk.policies_kept(None)) == 1


def test_a_file_of_the_governance_is_taken_away(place: Place) -> None:
    before = gov(place.start())
    (place.chosen.policies / "GOV.md").unlink()
    found = place.start()
    assert set(found.held_back) == {"GOV"} and gov(found) == before


def test_a_lax_file_and_a_harmless_one_are_edited_together(place: Place) -> None:
    place.edit("GOV", LAX["no four eyes"][1])
    place.edit("FRD", put("elevated: 0.40", "elevated: 0.50"))
    found = place.start()
    assert set(found.held_back) == {"GOV"}
    assert found.book.period(NOW).values["FRD_2"]["elevated"] == 0.5
    assert [one.by for one in place.desk.policies_kept(None)] == ["the command line"] * 2


def test_little_by_little_a_file_asks_for_less(place: Place) -> None:
    for cents in (50001, 50002, 90000):
        place.edit("GOV", lambda text, cents=cents: text.replace(  # type: ignore[misc]
            text[text.index("up_to_cents: ") :].split(",")[0], f"up_to_cents: {cents}", 1
        ))  # fmt: skip
        assert set(place.start().held_back) == {"GOV"}


def test_a_file_that_asks_for_more_is_in_force_and_back_again_takes_an_agreement(
    place: Place,
) -> None:
    strict, lax = "up_to_cents: 50000,", "up_to_cents: 20000,"
    place.edit("GOV", put(strict, lax))
    assert place.start().held_back == {}
    place.edit("GOV", put(lax, strict))
    assert set(place.start().held_back) == {"GOV"}


def test_a_lax_file_makes_a_draft_look_as_if_it_took_nothing_away(place: Place) -> None:
    url = place.chosen.database_url
    with open_runtime(place.chosen) as runtime:
        base = newest(runtime.context.policies, "GOV")
        edit = {"GOV-2": Edit(values={"role": "supervisor"})}
        draft = place.desk.draft_policy(new_draft(place.chosen, base, edit, SOON, "why not"), "ana")
        place.edit("GOV", LAX["no four eyes"][1])
        with pytest.raises(Refused, match="missions knowledge restore"):
            put_in_force(runtime, place.desk, place.chosen, draft.draft_id, "fay", "agreed")
    told = missions("knowledge", "status", DATABASE_URL=url, MISSIONS_POLICIES=place.chosen.policies)
    assert "GOV in the folder is not the one in force" in " ".join(told.stdout.split())
    with open_runtime(place.chosen) as runtime:
        assert set(runtime.policies_in_force.held_back) == {"GOV"}
        bands = runtime.context.policies.period(NOW).values["GOV_3"]["bands"]
        assert bands[-1] == {"role": "finance", "four_eyes": True}
        assert runtime.context.knowledge.search("who approves", 3, as_of=NOW)
    told = missions("knowledge", "restore", DATABASE_URL=url, MISSIONS_POLICIES=place.chosen.policies)
    assert "GOV.md restored" in told.stdout
    with open_runtime(place.chosen) as runtime:
        assert runtime.policies_in_force.held_back == {}
        done = put_in_force(runtime, place.desk, place.chosen, draft.draft_id, "fay", "agreed")
        assert (done.draft.status, done.left_undone) == ("in_force", "")
    assert place.start().held_back == {}
    assert place.desk.policies_kept()[0].by == "fay"
    assert examine(place.ledger).problems == []


def test_what_two_people_put_in_force_stays_so_after_a_start(place: Place) -> None:
    base = newest(PolicyBook.load(place.chosen.policies), "GOV")
    bands = [{"up_to_cents": 50_000, "role": "reviewer"}, {"up_to_cents": 900_000, "role": "supervisor"},
             {"role": "finance", "four_eyes": True}]  # fmt: skip
    edit = {"GOV-3": Edit(values={"bands": bands})}
    draft = place.desk.draft_policy(new_draft(place.chosen, base, edit, SOON, "quicker"), "ana")
    with open_runtime(place.chosen) as runtime:
        for name in ("fay", "finn"):
            done = put_in_force(runtime, place.desk, place.chosen, draft.draft_id, name, "agreed")
        assert (done.draft.status, done.left_undone) == ("in_force", "")
    assert place.start().held_back == {}


KEPT = {
    "the documents": "UPDATE ledger.policy_books SET documents = '[]'",
    "who it was": "UPDATE ledger.policy_books SET by = 'fay'",
    "when it was": "UPDATE ledger.policy_books SET at = at - interval '1 day'",
    "a row less": "DELETE FROM ledger.policy_books",
    "a row more": "INSERT INTO ledger.policy_books SELECT 'b-2', documents, by, now() FROM ledger.policy_books",
}


@pytest.mark.promise("A change behind the ledger's back is found")
@pytest.mark.parametrize("what", KEPT)
def test_the_policies_that_decide_are_changed_in_the_tables(what: str, place: Place) -> None:
    with psycopg.connect(place.chosen.database_url) as session:
        session.execute(KEPT[what].encode())
    assert any("book of policies" in one for one in examine(place.ledger).problems)


@pytest.mark.parametrize("role", ["missions_reasoner", "missions_executor", "missions_shadow"])
def test_whoever_reasons_or_executes_says_which_policies_decide(role: str, place: Place) -> None:
    with psycopg.connect(place.chosen.database_url) as session:
        session.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(KEPT["a row more"].encode())


def test_packs_of_a_new_release_speak_of_a_clause_that_is_new(place: Place) -> None:
    """What is added takes nothing away, and is in force with the start."""
    place.edit("GOV", lambda text: text + "\n## GOV-10 New\n\n```yaml values\nlimit_cents: 1\n```\n\nNew: {limit_cents}.\n")
    assert place.start().held_back == {}
    kept = place.desk.policies_kept()
    assert read_policies_in_force(replace_folder(place.chosen, REFERENCE_POLICIES), kept).held_back == {}


def replace_folder(chosen: Settings, folder: Path) -> Settings:
    return chosen.model_copy(update={"policies": folder})
