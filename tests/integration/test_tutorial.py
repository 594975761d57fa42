"""The tutorial, word for word: its files are written, its commands are run, and what it shows is what comes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from settings import CHECKOUT
from tests.integration.forking import CLIENT, COMMANDS, forks
from tests.integration.live_company import built_home
from tests.integration.terminal import at_terminal
from tests.ledger_examples import admitted

PAGE = CHECKOUT / "docs" / "tutorial-sixth-mission.md"
#: what a command needs of a checkout
ROOMS = ("cli", "dashboard", "evals", "graphs", "knowledge_index", "ledger", "models", "nodes", "systems")
_BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^(`{3,})(\w+)\n(.*?)^\2$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"r-[0-9a-f]{12}")
_ONE_TIME = re.compile(r"One-time password of (\w+), .*: (\S+)$", re.MULTILINE)
CHOSEN = "correct horse battery"
#: signs of a drawn table or tree mean nothing
_DRAWN = re.compile(r"[│├└─]+")


@dataclass(frozen=True)
class Block:
    """A fenced block of the page: a file to be written, a change to one, or commands with what they print."""

    file: str
    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [Block(file, kind, text) for file, _, kind, text in _BLOCK.findall(page)]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block with the lines shown below it."""
    for piece in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = piece.strip().split("\n")
        yield command, shown


class Reader:
    """Somebody who follows the page, in a copy of the checkout."""

    def __init__(self, folder: Path, environment: dict[str, str], passwords: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        #: a run's number on the page -> the number that it has here
        self._runs: dict[str, str] = {}
        #: what was printed for them
        self._one_time = dict(passwords)

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        if block.kind == "console":
            for command, shown in commands(block.text):
                self._run(command, shown)
        elif block.kind == "diff":
            self._change(self._folder / block.file, block.text)
        else:
            assert block.file, f"no file is named for a block of {block.kind}"
            (self._folder / block.file).write_text(block.text, encoding="utf-8")

    def _change(self, file: Path, text: str) -> None:
        before, after = (next(line[1:] for line in text.split("\n") if line[:1] == sign) for sign in "-+")
        assert file.read_text(encoding="utf-8").count(f"{before}\n") == 1
        file.write_text(file.read_text(encoding="utf-8").replace(f"{before}\n", f"{after}\n"), encoding="utf-8")

    def _run(self, command: str, shown: list[str]) -> None:
        typed = _RUN.sub(lambda run: self._runs[run[0]], command)
        if typed.startswith("missions sign-in "):
            self._sign_in(typed.split()[-1], shown)
            return
        done = subprocess.run(
            ["bash", "-c", typed], cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        refused = any(line.startswith("missions: ") for line in shown)
        assert done.returncode == (1 if refused else 0), (command, done.stdout, done.stderr)
        self._compare(command, done.stderr if refused else done.stdout, shown)
        self._one_time |= dict(_ONE_TIME.findall(done.stdout))

    def _sign_in(self, name: str, shown: list[str]) -> None:
        answers = [("Password of", self._one_time[name]), ("New password:", CHOSEN), ("The same again:", CHOSEN)]
        # not forked: the terminal is that of the processes that are begun at it
        done = at_terminal([sys.executable, "-m", "cli", "sign-in", name], answers, self._environment, self._folder)
        assert done.returncode == 0, done.stdout
        self._compare(f"missions sign-in {name}", done.stdout, shown)

    def _compare(self, command: str, printed: str, shown: list[str]) -> None:
        printed, at = " ".join(_DRAWN.sub(" ", printed).split()), 0
        for line in shown:
            if line.strip() == "…":
                continue
            found = re.compile(self._pattern(line)).search(printed, at)
            assert found, f"`{command}` does not print «{line}», but: {printed[at:]}"
            self._runs |= {name.replace("r_", "r-", 1): run for name, run in found.groupdict().items()}
            at = found.end()

    def _pattern(self, line: str) -> str:
        pattern = ""
        for word in _DRAWN.sub(" ", line).split():
            pattern += r"\s+" if pattern else ""
            if _RUN.fullmatch(word):
                pattern += re.escape(self._runs[word]) if word in self._runs else rf"(?P<r_{word[2:]}>{_RUN.pattern})"
            else:
                pattern += re.escape(word).replace("…", ".*?")
        return pattern


@pytest.fixture
def reader(database_url: str, tmp_path: Path) -> Iterator[Reader]:
    """A reader after `make run`: a copy of the checkout, a database, an index of the policies as shipped.

    Commands are forked from a process that has imported the copy. What the page adds or changes is read by each.
    """
    folder, bin_, home = tmp_path / "checkout", tmp_path / "bin", tmp_path / "home"
    for room in ROOMS:
        shutil.copytree(CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for module in CHECKOUT.glob("*.py"):
        shutil.copy(module, folder)
    shutil.copytree(built_home(), home)
    bin_.mkdir()
    (bin_ / "missions").write_text(f'#!/bin/sh\nexec "{sys.executable}" -SE "{CLIENT}" "{tmp_path}/socket" -m cli "$@"\n')
    (bin_ / "missions").chmod(0o755)
    migrate(database_url)
    given = {name: value for name, value in os.environ.items() if not name.startswith("MISSIONS_")}
    given |= {"PATH": f"{bin_}{os.pathsep}{given['PATH']}", "PYTHONPATH": str(folder)}
    ledger = PostgresLedger.open(database_url)
    people = {"admin": "administrator", "rita": "reviewer"}
    passwords = {name: admitted(AdminService(ledger), name, role)[1] for name, role in people.items()}
    ledger.close()
    given |= {"DATABASE_URL": database_url, "MISSIONS_HOME": str(home), "MISSIONS_SYSTEMS": os.environ["MISSIONS_SYSTEMS"]}
    with forks(tmp_path / "socket", folder, COMMANDS):
        yield Reader(folder, given, passwords)


@pytest.mark.skipif(sys.platform == "win32", reason="the page is written for a Unix shell")
@pytest.mark.slow
def test_who_follows_the_tutorial_gets_what_it_shows(reader: Reader) -> None:
    found = blocks(PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 10
    for block in found:
        reader.follow(block)
