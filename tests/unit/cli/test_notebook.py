"""`missions notebook`."""

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from cli import notebook
from errors import BadInput
from settings import CHECKOUT


def test_without_jupyterlab_one_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"-m pip install jupyterlab` installs it"):
        notebook.open_notebooks()


def test_jupyterlab_is_opened_in_the_folder_of_the_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        started.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(notebook, "find_spec", lambda name: importlib.util.find_spec("sys"))
    monkeypatch.setattr(notebook.subprocess, "run", run)
    with pytest.raises(SystemExit, match="0"):
        notebook.open_notebooks(["--no-browser"])
    assert started == [[sys.executable, "-m", "jupyterlab", str(CHECKOUT / "notebooks"), "--no-browser"]]
