"""The notebooks as they are committed: what they show can be read where nothing is run."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks import normalised, notebooks

MOST_BYTES = 150_000
MOST_CELLS = 30
#: of a machine, not of the project; and the addresses of objects
_OF_A_MACHINE = re.compile(r"(?<![\w.<:/])/(?:home|root|work|tmp|var|usr|opt|Users|private|mnt)/|[A-Z]:\\\\|\bat 0x[0-9a-f]{6,}")


@pytest.fixture(params=notebooks(), ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def notebook(file: Path) -> Any:
    return nbformat.read(file, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks_and_each_is_small(file: Path, notebook: Any) -> None:
    nbformat.validate(notebook)
    assert file.stat().st_size < MOST_BYTES
    assert len(notebook.cells) <= MOST_CELLS
    assert notebook.cells[0].source.startswith(f"# {file.name[:2]} ")


def test_every_cell_was_run_in_order_and_none_failed_or_warned(notebook: Any) -> None:
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_nothing_tells_of_the_machine_or_needs_a_browser(file: Path, notebook: Any) -> None:
    text = file.read_text("utf-8")
    assert not _OF_A_MACHINE.search(text), _OF_A_MACHINE.search(text)
    assert "<script" not in text and "application/vnd.jupyter.widget" not in text
    assert notebook == normalised(nbformat.from_dict(notebook))  # written by `make notebooks-write`


def test_what_a_room_should_have_is_not_defined_here(notebook: Any) -> None:
    for cell in code(notebook):
        defined = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert not defined, cell.source


def test_one_import_is_all_that_it_takes_and_something_is_drawn_and_left_to_do(notebook: Any) -> None:
    imports = [line for cell in code(notebook) for line in cell.source.splitlines() if re.match(r"\s*(import|from)\s", line)]
    assert imports == ["import missions as ms"]
    assert any("image/svg+xml" in output.get("data", {}) for cell in code(notebook) for output in cell.outputs)
    assert notebook.cells[-1].source.startswith("**To do**")
