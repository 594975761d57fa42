"""Settings: where a company keeps what is its own."""

from pathlib import Path

import pytest

from settings import CHECKOUT, Settings


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPANY", "HOME", "SYSTEMS", "PACKS", "POLICIES", "PHRASINGS", "SOURCES", "OUTGOING", "CASES"):
        monkeypatch.delenv(f"MISSIONS_{name}", raising=False)


def test_one_variable_names_all_that_a_company_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "outgoing.yaml").touch()
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("MISSIONS_COMPANY", tmp_path.name)
    chosen = Settings()
    files = (chosen.systems, chosen.packs, chosen.policies, chosen.phrasings, chosen.sources, chosen.outgoing, chosen.cases)
    names = ("systems.yaml", "packs", "policies", "phrasings", "sources", "outgoing.yaml", "cases")
    assert files == tuple(tmp_path / name for name in names)
    assert chosen.policy_folders == (tmp_path / "policies",)


def test_a_variable_of_its_own_goes_before_the_folder_of_the_company(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MISSIONS_COMPANY", str(tmp_path))
    monkeypatch.setenv("MISSIONS_PACKS", str(tmp_path / "drafts"))
    chosen = Settings()
    assert (chosen.packs, chosen.systems, chosen.outgoing) == (tmp_path / "drafts", tmp_path / "systems.yaml", None)


def test_two_companies_of_one_checkout_have_data_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    homes = set()
    for company in ("", str(tmp_path / "one"), str(tmp_path / "two")):
        monkeypatch.setenv("MISSIONS_COMPANY", company)
        homes.add(Settings().home)
    assert len(homes) == 3
    monkeypatch.setenv("MISSIONS_COMPANY", "")
    assert Settings().systems == CHECKOUT / "systems" / "systems.yaml"
