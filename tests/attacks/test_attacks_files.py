"""Files that are not what a command takes them for: each command answers with one sentence, soon, and does nothing."""

import gzip
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from cli.main import app
from errors import MissionsError
from settings import CHECKOUT, settings
from tests.conftest import _database

pytestmark = pytest.mark.promise("Bad input gets one clear sentence")

CASES = CHECKOUT / "evals" / "cases" / "sample.jsonl"
_ALIASES = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
GARBAGE: Mapping[str, bytes] = {
    "nothing": b"",
    "every byte": bytes(range(256)) * 40,
    "zeros": b"\0" * 5000,
    "a hundred thousand brackets": b"[" * 100_000,
    "mappings in each other": b"a: " + b"{a: " * 3000,
    "aliases that grow": b"a0: &a0 [x, x]\n" + _ALIASES.encode(),
    "a day that is none": b"id: x\na: 2024-13-45\n",
    "a number of 6,000 digits": b'{"a": ' + b"9" * 6000 + b"}",
    "numbers without end": b'{"amount": 1e99999, "case_id": NaN}',
    "half a character": b'{"case_id": "\\ud800", "event": {}}',
    "an empty object": b"\xef\xbb\xbf{}",
    "a list": b"[]",
    "null": b"null",
    "a packed 100 MB": gzip.compress(b"{}" * 50_000_000, 1),
    "entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><Invoice>&c;</Invoice>',
    "a deep document": b"<a>" * 50_000,
    "a policy of a version to come": b"---\nid: X\nversion: 99999999999999999999\n---\n# x\n",
    "a line of 3 MB": b"x" * 3_000_000,
}
#: what is called, after settings; {f} is the file without its ending, {d} a folder of such files, {o} a file to write
COMMANDS = [
    "sandbox load {f}.jsonl",
    "audit verify --head {f}.json",
    "audit verify --export {f}.json",
    "events take {f}.jsonl",
    "history scan {f}.parquet --out {o}",
    "backtest {f}.parquet",
    "invoice read {f}.txt --out {o}",
    "invoice run {f}.json",
    "run {f}.jsonl",
    "run {f}.xml",
    "eval {f}.jsonl --out {o} --reasoner planner",
    "eval gate --baseline {f}.jsonl",
    "eval compare {f}.jsonl {f}.jsonl",
    "what-if --policies {d}",
    "what-if --packs {d}",
    "shadow run n --policies {d}",
    "pack validate {f}.yaml",
    "pack diff {f}.yaml {f}.yaml",
    "database restore {f}.dump",
    "MISSIONS_POLICIES={d} knowledge build",
    f"MISSIONS_PACKS={{d}} eval {CASES} --out {{o}} --reasoner planner",
    f"MISSIONS_PHRASINGS={{d}} eval {CASES} --out {{o}}",
    "MISSIONS_SYSTEMS={f}.yaml systems pin",
    "MISSIONS_DATABASE_LOGINS={f}.json queue",
    "MISSIONS_AUDIT_KEY={f}.json audit export --out {o}",
]
#: how long any of them may take; the first opens a database, the longest an index
SECONDS = 40


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    with _database(server_url) as made:
        yield made


@pytest.fixture
def set_up(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("MISSIONS_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def _written(garbage: bytes, folder: Path) -> tuple[Path, Path]:
    file, inside = folder / "given", folder / "folder"
    inside.mkdir()
    for ending in ("jsonl", "json", "yaml", "md", "xml", "parquet", "txt", "dump"):
        file.with_suffix(f".{ending}").write_bytes(garbage)
        (inside / f"X.{ending}").write_bytes(garbage)
    return file, inside


#: of the rest, one answer a second is much
QUICK = ("every byte", "a hundred thousand brackets", "an empty object")
ATTEMPTS = [
    pytest.param(command, garbage, marks=() if garbage in QUICK and " eval" not in f" {command}" else pytest.mark.slow)
    for command in COMMANDS
    for garbage in GARBAGE
]


@pytest.mark.parametrize(("command", "garbage"), ATTEMPTS)
def test_a_file_that_is_not_what_a_command_takes_it_for(
    command: str, garbage: str, set_up: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, inside = _written(GARBAGE[garbage], tmp_path)
    out = tmp_path / "out"
    words = command.format(f=file, d=inside, o=out).split()
    while words[0].startswith("MISSIONS_"):
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    begun = time.monotonic()
    with pytest.raises((MissionsError, SystemExit, click.exceptions.Exit)) as ended:
        raise SystemExit(app(words, standalone_mode=False))
    if isinstance(ended.value, MissionsError):
        assert str(ended.value) and "\n" not in str(ended.value).strip()[:200]
    else:
        assert getattr(ended.value, "code", None) or getattr(ended.value, "exit_code", None), "it ended as if it were well"
    assert not out.exists()
    assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
@pytest.mark.parametrize("command", ["run {f}", "sandbox load {f}", "eval {f} --out {o} --reasoner planner"])
def test_a_file_without_an_end(command: str, device: str, set_up: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    begun = time.monotonic()
    with pytest.raises(MissionsError, match=device):
        app(command.format(f=device, o=out).split(), standalone_mode=False)
    assert not out.exists()
    assert time.monotonic() - begun < SECONDS
