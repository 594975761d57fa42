"""The packs as shipped load, and a folder of packs is whole or not at all."""

from datetime import datetime
from pathlib import Path
from shutil import copy

import pytest

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from graphs.pack_files import load_packs
from tests.engine import AS_OF, PACKS


def test_every_pack_as_shipped_loads(lab: EvalEnvironment) -> None:
    assert len(lab.packs) == len(list(PACKS.glob("*.yaml")))
    assert all(mission == pack.mission for mission, pack in lab.packs.items())


def test_every_clause_that_a_pack_takes_numbers_from_has_values(lab: EvalEnvironment) -> None:
    values = lab.policies.period(datetime.fromisoformat(AS_OF)).values
    for pack in lab.packs.values():
        assert {clause.replace("-", "_") for clause in pack.clauses} <= values.keys()


def test_a_folder_without_a_pack_is_refused(lab: EvalEnvironment, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="contains no pack"):
        load_packs(tmp_path, lab.catalogue, lab.policies)


def test_two_packs_of_one_mission_are_refused(lab: EvalEnvironment, tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        copy(PACKS / "order_exception.yaml", tmp_path / name)
    with pytest.raises(BadInput, match=r"b\.yaml: the mission 'order_exception' has a pack already"):
        load_packs(tmp_path, lab.catalogue, lab.policies)
