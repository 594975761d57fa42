"""The pages on a company's own systems and Missions, word for word, one after the other, as somebody follows them."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import CHECKOUT
from tests.integration.forking import CLIENT, COMMANDS, forks
from tests.integration.test_tutorial import ROOMS, Reader, blocks

PAGES = ("your-systems.md", "your-mission.md")
#: the page's other way, in a company of its own
REST = "## The same from an OpenAPI document"
#: what stands below is told of any system, and no more step by step
ENDS = "## What can be said of a system"


class Founder(Reader):
    """A reader whose terminal keeps what is exported in it."""

    def _run(self, command: str, shown: list[str]) -> None:
        if not command.startswith("export "):
            super()._run(command, shown)
            return
        name = command.removeprefix("export ").partition("=")[0]
        if name != "PATH":  # commands are forked
            asked = ["bash", "-c", f'{command}; printf %s "${name}"']
            done = subprocess.run(asked, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=True)
            self._environment[name] = done.stdout


@pytest.fixture
def founder(database_url: str, tmp_path: Path) -> Iterator[Founder]:
    """A reader in a copy of the checkout, with an empty database and nothing else."""
    folder, bin_ = tmp_path / "checkout", tmp_path / "bin"
    for room in (*ROOMS, "tests/foreign_shop", "tests/foreign_rest"):
        shutil.copytree(CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for module in CHECKOUT.glob("*.py"):
        shutil.copy(module, folder)
    bin_.mkdir()
    (bin_ / "missions").write_text(f'#!/bin/sh\nexec "{sys.executable}" -SE "{CLIENT}" "{tmp_path}/socket" -m cli "$@"\n')
    (bin_ / "missions").chmod(0o755)
    given = {name: value for name, value in os.environ.items() if not name.startswith("MISSIONS_")}
    given |= {"PATH": f"{bin_}{os.pathsep}{given['PATH']}", "PYTHONPATH": str(folder)}
    given |= {"DATABASE_URL": database_url, "MISSIONS_HOME": str(tmp_path / "home")}
    with forks(tmp_path / "socket", folder, COMMANDS):
        yield Founder(folder, given, {})


@pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a Unix shell")
def test_who_follows_the_pages_has_a_mission_over_a_strangers_server(founder: Founder) -> None:
    followed = 0
    for page in PAGES:
        text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8").partition(REST)[0]
        for block in blocks(text):
            founder.follow(block)
            followed += 1
    assert followed >= 25


@pytest.mark.skipif(sys.platform == "win32", reason="the page is written for a Unix shell")
def test_who_follows_the_page_from_an_openapi_document_has_an_approved_effect(founder: Founder, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    text = (CHECKOUT / "docs" / PAGES[0]).read_text(encoding="utf-8").partition(REST)[2].partition(ENDS)[0]
    in_its_own = re.search(r"`\.venv/bin/python (.*) (\d+) (.*)`", text)
    assert in_its_own
    line = [sys.executable, in_its_own[1], port, in_its_own[3]]
    with subprocess.Popen(line, cwd=tmp_path / "checkout", env={**os.environ, "PYTHONPATH": ""}) as service:
        try:
            found = blocks(text.replace(in_its_own[2], port))
            for block in found:
                founder.follow(block)
        finally:
            service.kill()
    assert len(found) >= 12
