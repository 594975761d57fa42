"""`make notebooks-write`: run the notebooks and keep what they show, in a form that is the same each time.

>>> python -m tests.notebooks                 # all
>>> python -m tests.notebooks 02 04           # those whose names begin so
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from settings import CHECKOUT

NOTEBOOKS = CHECKOUT / "notebooks"
_LONGEST_CELL_S = 300


def notebooks() -> list[Path]:
    """The notebooks in their order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook run from top to bottom in a kernel of this interpreter, with the rooms of this checkout."""
    client = NotebookClient(
        notebook,
        timeout=_LONGEST_CELL_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(CHECKOUT)})
    return normalised(notebook)


def normalised(notebook: NotebookNode) -> NotebookNode:
    """Without what differs from one machine or moment to another, and with cells counted from 1."""
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"}, language_info={"name": "python"}
    )
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count, cell.metadata = number, NotebookNode()
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            if "metadata" in output:
                output.metadata = NotebookNode()
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what told how far it is, is empty by now
            cell.outputs = [one for one in cell.outputs if one.get("data") != {"text/plain": ""}]
        cell.metadata = NotebookNode()
    return notebook


def main(beginnings: list[str]) -> None:
    """Run and write those whose names begin so; all without a beginning."""
    for file in notebooks():
        if not beginnings or file.name.startswith(tuple(beginnings)):
            nbformat.write(executed(nbformat.read(file, as_version=4)), file)
            print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
