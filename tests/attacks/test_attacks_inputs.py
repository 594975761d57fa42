"""Bad input through every door: one clear sentence, nothing half-done, and nothing of it that a terminal would follow."""

import csv
import io
import json
import os
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.table import Table
from rich.text import Text

from cli.screen import Screen, print_json
from errors import BadInput, MissionsError, Refused, TryAgain
from evals.atomic_write import atomic_write
from evals.history import scan, scanning
from evals.history.cases import read_exceptions
from evals.history.engine import checked_schema
from harmless import Harmless
from ledger.canonical import moment, utc_now
from ledger.decision_requests import check_form, check_plan
from ledger.records import Run
from rendering import as_csv, safe
from settings import CHECKOUT
from tests.actions import OPEN_CASE
from tests.conftest import _database
from tests.engine import laboratory
from tests.integration.commands import missions
from tests.integration.live_company import RECORDED, Company, company

__all__ = ["company"]
pytestmark = pytest.mark.promise("Bad input gets one clear sentence")

STEP: dict[str, Any] = {"name": OPEN_CASE, "args": {}}
CIRCLE: dict[str, Any] = {"name": OPEN_CASE, "args": {}}
CIRCLE["args"]["again"] = CIRCLE
DEEP: Any = {}
for _ in range(5_000):
    DEEP = {"a": DEEP}
LONG = "x" * 10_000_000

#: what is no plan, or one that the catalogue does not know
PLANS: dict[str, Any] = {
    "none": None, "no list": {"0": STEP}, "text": OPEN_CASE, "bytes": b"open_case", "a number": 7, "a set": {OPEN_CASE},
    "an iterator": iter([STEP]), "empty": [], "a text for a step": [OPEN_CASE], "nothing for a step": [None],
    "a list for a step": [[OPEN_CASE, {}]], "no name": [{"args": {}}], "no arguments": [{"name": OPEN_CASE}],
    "a name of another type": [{"name": 5, "args": {}}], "a list for a name": [{"name": [OPEN_CASE], "args": {}}],
    "an empty name": [{"name": " ", "args": {}}], "half a character": [{"name": "\ud800", "args": {}}],
    "an action that there is not": [{"name": "give_it_all_away", "args": {}}],
    "an escape for a name": [{"name": "\x1b]0;owned\x07\x9b", "args": {}}],
    "a list for arguments": [{"name": OPEN_CASE, "args": []}], "an argument that there is not": [{**STEP, "args": {"x": 1}}],
    "a field that there is not": [{**STEP, "approved": True}], "a key of another type": [{**STEP, 5: 1}],
    "an argument under a key of another type": [{**STEP, "args": {5: 1}}],
    "not a number": [{**STEP, "args": {"amount_cents": float("nan")}}], "endless": [{**STEP, "args": {"x": float("inf")}}],
    "a number of a million digits": [{**STEP, "args": {"x": 10**1_000_000}}], "bytes inside": [{**STEP, "args": {"x": b"1"}}],
    "a half character inside": [{**STEP, "args": {"x": "\udfff"}}], "an object of Python": [{**STEP, "args": {"x": object()}}],
    "a million steps": [STEP] * 1_000_000, "in a circle": [CIRCLE], "deep": [{**STEP, "args": DEEP}],
    "10 MB of text": [{**STEP, "args": {"x": LONG}}], "a million values": [{**STEP, "args": {"x": [1] * 1_000_000}}],
}  # fmt: skip
#: what is no decision for other reasons, as arguments of `decide` that take the place of good ones
DECISIONS: dict[str, dict[str, Any]] = {
    "nobody": {"by": ""}, "nobody who can be seen": {"by": "\u200b\ufeff"}, "no name": {"by": None},
    "a list for a name": {"by": []},
    "no reason": {"reason": None}, "an empty reason": {"reason": " \n"}, "a reason of 10 MB": {"reason": LONG},
    "a reason that nobody sees": {"reason": "\u200b\x00\x1b"}, "bytes for a reason": {"reason": b"agreed"},
    "a digest of another type": {"digest": 5}, "an empty digest": {"digest": ""}, "bytes for a digest": {"digest": b"x"},
    "another digest": {"digest": "0" * 64}, "a kind that there is not": {"kind": "wave"},
    "a list for a kind": {"kind": ["approve"]},
    "no kind": {"kind": None}, "details that are a list": {"details": [1]}, "details that are text": {"details": "plan"},
    "a detail that there is not": {"details": {"approved": True}}, "a plan with an approval": {"details": {"plan": [STEP]}},
    "parts as text": {"details": {"without": "O-1"}}, "parts of another type": {"details": {"without": [5]}},
    "a part that is a list": {"details": {"without": [["O-1"]]}}, "a part that there is not": {"details": {"without": ["O-1"]}},
    "a million parts": {"details": {"without": ["O-1"] * 1_000_000}},
    "a queue that there is not": {"kind": "escalate", "details": {"queue": "my own"}},
    "no queue": {"kind": "escalate", "details": {"queue": None}},
    "a list for a queue": {"kind": "escalate", "details": {"queue": []}},
    "a remark of 10 MB": {"kind": "respond", "details": {"remark": LONG}},
    "a remark of another type": {"kind": "respond", "details": {"remark": {"a": 1}}},
    "an edit without a plan": {"kind": "edit", "details": {}},
    "a remark with an edit": {"kind": "edit", "details": {"remark": "x"}},
    "a number for a run": {"run_id": 5}, "no run": {"run_id": ""}, "an escape for a run": {"run_id": "\x1b[2J\x9b"},
    "a run of 10 MB": {"run_id": LONG}, "half a character for a run": {"run_id": "\ud800"},
}  # fmt: skip


@pytest.fixture(scope="module")
def waiting(company: Company) -> Iterator[tuple[Company, Run]]:
    """A run that waits for a decision; in the end it can still be decided about."""
    run = company.propose(RECORDED["dev-ord-0004"])
    assert run.status == "waiting"
    yield company, run
    assert company.ledger.decisions(run.run_id) == []
    assert company.approve(run).status == "closed"


def refused(company: Company, run: Run, act: Callable[[], object]) -> str:
    """The sentence with which something is refused, while everything stays as it is."""
    before = company.ledger.audit_head()
    with pytest.raises((BadInput, Refused)) as error:
        act()
    said = str(error.value)
    assert said and len(said) < 1_000 and said.isprintable()
    assert (company.ledger.run(run.run_id).status, company.ledger.audit_head()) == ("waiting", before)
    return said


@pytest.mark.parametrize("plan", PLANS)
def test_an_edit_with_a_plan_that_is_none(waiting: tuple[Company, Run], plan: str) -> None:
    company, run = waiting
    decide = company.runtime.decide
    refused(company, run, lambda: decide(run.run_id, "edit", "rita", "as I say", details={"plan": PLANS[plan]}))


@pytest.mark.parametrize("plan", PLANS)
def test_a_preview_of_a_plan_that_is_none(waiting: tuple[Company, Run], plan: str) -> None:
    company, run = waiting
    try:
        objections = company.runtime.preview(run.run_id, PLANS[plan]).objections
    except BadInput as error:
        assert str(error).isprintable() and len(str(error)) < 1_000
    else:
        assert objections or plan == "empty", "an empty plan is one, as long as it is only looked at"


@pytest.mark.parametrize("what", DECISIONS)
def test_a_decision_that_is_none(waiting: tuple[Company, Run], what: str) -> None:
    company, run = waiting
    good: dict[str, Any] = {"run_id": run.run_id, "kind": "approve", "by": "fay", "reason": "agreed"}
    refused(company, run, lambda: company.runtime.decide(**{**good, **DECISIONS[what]}))


@pytest.mark.parametrize(
    "plan", [name for name in PLANS if name not in ("empty", "an action that there is not", "an argument that there is not")]
)
def test_a_decision_that_is_none_handed_to_the_ledger_itself(waiting: tuple[Company, Run], plan: str) -> None:
    company, run = waiting
    proposal = company.proposal(run)
    asked: dict[str, Any] = {"kind": "edit", "by": "rita", "reason": "as I say", "digest": proposal.digest, "at": utc_now()}
    if plan == "an escape for a name":  # text, which only the catalogue tells from the name of an action
        check_plan(PLANS[plan])
        return
    decide = company.ledger.decide
    refused(company, run, lambda: decide(proposal.proposal_id, details={"plan": PLANS[plan]}, **asked))


ANYTHING: dict[str, Any] = {
    "nothing": None, "a number": 5, "bytes": b"x", "a list": [], "an object": {}, "an object of Python": object(),
    "not a number": float("nan"), "an escape": "\x1b[31m", "10 MB": LONG,
}  # fmt: skip


@pytest.mark.parametrize("value", ANYTHING)
@pytest.mark.parametrize("field", ["kind", "by", "reason", "digest", "details", "at"])
def test_anything_in_the_place_of_anything_of_a_decision(field: str, value: str) -> None:
    good = {"kind": "approve", "by": "fay", "reason": "agreed", "digest": "d", "details": {}, "at": utc_now()}
    try:
        check_form(**{**good, field: ANYTHING[value]})
    except MissionsError as error:
        assert str(error).isprintable() and len(str(error)) < 500
    else:
        assert isinstance(ANYTHING[value], str | dict)


# Files

DAY = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)


def constant(value: Any, rows: int) -> pa.Array:
    """The same value in many rows, in as few bytes as parquet needs."""
    return pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()).take(pa.array(np.zeros(rows, np.int32))), pa.array([value]))


def history(rows: int, **columns: Any) -> pa.Table:
    """A history of orders that are all the same."""
    told = {"order_id": "O-1", "at": DAY, "sku": "A", "customer_id": "C-1", **columns}
    ones = {name: constant(value, rows) for name, value in told.items() if name != "at"}
    at = pa.array(np.full(rows, 1_773_480_600_000_000), pa.timestamp("us", "UTC"))
    return pa.table({**ones, "at": at, "qty": pa.array(np.ones(rows, np.int64))})


def many_row_groups(file: Path) -> None:
    table = history(3_000)
    pq.write_table(table, file, row_group_size=1)


def many_columns(file: Path) -> None:
    pq.write_table(pa.table({"order_id": ["O-1"], **{f"c{n}": [1] for n in range(600)}}), file)


def many_inside(file: Path) -> None:
    inside = pa.ListArray.from_arrays(pa.array([0, 9_000_000]), pa.array(np.zeros(9_000_000, np.int8)))
    pq.write_table(pa.table({"order_id": ["O-1"], "at": [DAY], "sku": ["A"], "qty": [1], "more": inside}), file)


USUAL = CHECKOUT / "evals" / "history" / "data" / "online_retail_240k.parquet"
#: name -> (what writes the file, what is said of it)
BOMBS: dict[str, tuple[Callable[[Path], object], str]] = {
    "20 million rows": (lambda file: pq.write_table(history(20_000_000), file), "rows"),
    "many row groups": (many_row_groups, "row groups"),
    "many columns": (many_columns, "columns"),
    "9 million values in a row": (many_inside, "rows"),
    "200 MB of blanks": (lambda file: pq.write_table(
        pa.table({"order_id": [" " * 1_000_000] * 200}), file, compression="zstd", use_dictionary=False), "bytes"),
    "a text of 5 MB in each row": (lambda file: pq.write_table(history(20_000, line1="x" * 5_000_000), file), "bytes of text"),
    "nothing": (lambda file: file.write_bytes(b""), "not a readable parquet"),
    "its mark alone": (lambda file: file.write_bytes(b"PAR1PAR1"), "not a readable parquet"),
    "a footer of 4 GB": (lambda file: file.write_bytes(b"PAR1" + b"x" * 100 + b"\xff\xff\xff\xffPAR1"), "not a readable parquet"),
    "a footer of zeros": (lambda file: file.write_bytes(b"PAR1" + b"\0" * 5_000 + b"\x88\x13\0\0PAR1"), "not a readable parquet"),
}  # fmt: skip


def told_of(bomb: str, folder: Path, act: Callable[[Path], object]) -> None:
    """What is made of a hostile file: one sentence, in a few seconds."""
    write, says = BOMBS[bomb]
    file = folder / "orders.parquet"
    write(file)
    assert file.stat().st_size < 5_000_000
    begun = time.monotonic()
    with pytest.raises(BadInput) as error:
        act(file)
    assert says in str(error.value) and str(error.value).isprintable()
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_parquet_file_that_holds_more_than_a_machine_can_read(bomb: str, tmp_path: Path) -> None:
    told_of(bomb, tmp_path, lambda file: scan(file, tmp_path / "out.parquet"))
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("bomb", BOMBS)
def test_such_a_file_handed_in_as_exceptions(bomb: str, tmp_path: Path) -> None:
    told_of(bomb, tmp_path, lambda file: list(read_exceptions(file, laboratory().packs)))


def test_a_history_whose_exceptions_take_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_SECONDS", 0.05)
    monkeypatch.setattr(scanning, "_SECONDS_PER_MB", 0.0)
    with pytest.raises(BadInput, match="takes more than 0 seconds"):
        scan(USUAL, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    assert scan(history(100).to_pandas()).lines == 100, "what is in memory already is trusted"


def test_a_history_of_usual_size_is_read() -> None:
    assert checked_schema(USUAL, "it").names


# Spreadsheets

FORMULAS = [
    begins + sign + "HYPERLINK(1)"
    for begins in ("", " ", "\t", "\r\n", "\u00a0", "\u3000", "\ufeff", "\u200b", "\x00", "\x1b", '"', "'", " \u2060 ", "\xad")
    for sign in ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufe62", "\ufe63", "\ufe6b", "\u2212")
]


@pytest.mark.promise("Text from outside is data")
def test_a_text_that_a_spreadsheet_takes_for_a_formula() -> None:
    told = list(csv.reader(io.StringIO(as_csv(["said"], [[one] for one in FORMULAS]))))
    for one, (cell,) in zip(FORMULAS, told[1:], strict=True):
        begins = unicodedata.normalize("NFKC", cell).strip().lstrip('"')
        assert begins.startswith("'") and not FOLLOWED.search(cell), one
    assert safe([{"said": one} for one in FORMULAS]) == [{"said": cell} for (cell,) in told[1:]]


@pytest.mark.promise("Text from outside is data")
def test_numbers_stay_numbers_in_a_spreadsheet() -> None:
    numbers = [-1, 0.5, "-12.50", "+$1,200.00", "-5%", None]
    told = as_csv(["n"], [[one] for one in numbers]).splitlines()
    assert told[1:] == ["-1", "0.5", "-12.50", '"+$1,200.00"', "-5%", '""']


# Terminals

HOSTILE = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u2066\u200b\ufeff\U000e0041\r\x08O-1"
FOLLOWED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
#: commands that quote what they were given
QUOTING: dict[str, Sequence[str]] = {
    "a file": ("run", "FILE"), "a case": ("run", "FILE#CASE"), "a run": ("show", HOSTILE),
    "a run as JSON": ("show", HOSTILE, "--json"),
    "an option": ("run", f"--{HOSTILE}"), "a command": (HOSTILE,),
    "an option's value": ("worker", "--concurrency", HOSTILE),
    "a pack": ("pack", "show", HOSTILE), "a pack's file": ("pack", "validate", "FILE"),
    "a moment": ("what-if", "--as-of", HOSTILE),
    "a change": ("what-if", "--set", HOSTILE), "a source": ("source", "add", HOSTILE, "--missions", "order_exception"),
    "a mission of a source": ("source", "add", "oms", "--missions", HOSTILE), "events": ("events", "take", "FILE"),
    "a letter": ("events", "drop", HOSTILE, "--reason", "a test"), "cases": ("eval", "FILE", "--out", "OUT"),
    "cases to look at": ("eval", "lint", "FILE"), "runs to compare": ("eval", "compare", HOSTILE, HOSTILE),
    "a history": ("history", "scan", "FILE", "--out", "OUT"), "an invoice": ("run", "FILE.xml"), "a person": ("sign-in", HOSTILE),
    "a search": ("knowledge", "search", HOSTILE), "an export of the log": ("audit", "verify", "FILE"),
}  # fmt: skip


@pytest.fixture(scope="module")
def quoting_url(server_url: str) -> Iterator[str]:
    with _database(server_url) as url:
        yield url


@pytest.mark.promise("Text from outside is data")
@pytest.mark.parametrize("command", QUOTING)
def test_a_command_that_is_given_terminal_sequences(command: str, quoting_url: str, tmp_path: Path) -> None:
    file = tmp_path / HOSTILE.replace("/", "")
    case = {**RECORDED["dev-ord-0004"], "case_id": HOSTILE, "mission": HOSTILE}
    for one in (file, file.with_name(f"{file.name}.xml")):
        one.write_text(f"{json.dumps(case, ensure_ascii=False)}\nmission: {HOSTILE}\n", "utf-8")
    put = {"FILE": file, "OUT": tmp_path / f"out{HOSTILE}", "FILE#CASE": f"{file}#{HOSTILE}", "FILE.xml": f"{file}.xml"}
    done = missions(*(put.get(word, word) for word in QUOTING[command]), DATABASE_URL=quoting_url, MISSIONS_PASSWORD="x")
    said = done.stdout + done.stderr
    assert FOLLOWED.findall(said) == [] and "Traceback" not in said, said
    assert done.returncode != 0 or command == "a search"


@pytest.mark.promise("Text from outside is data")
def test_a_sentence_quotes_terminal_sequences() -> None:
    for kind in (BadInput, Refused, TryAgain):
        assert str(kind(f"{HOSTILE}\nmissions: all is well")).isprintable()
    assert len(str(BadInput(LONG))) < 5_000


@pytest.mark.promise("Text from outside is data")
def test_whatever_prints_terminal_sequences(capfd: pytest.CaptureFixture[str]) -> None:
    out = Harmless(sys.stdout)
    with redirect_stdout(cast(TextIO, out)):
        print(HOSTILE, "\ud800", flush=True)
        screen = Screen(force_terminal=True, width=200)
        screen.print(HOSTILE, markup=False)
        screen.print(Text(HOSTILE, style="bold"))
        console_table = Table(HOSTILE)
        console_table.add_row(HOSTILE)
        screen.print(console_table)
        print_json({"said": HOSTILE})
    said = capfd.readouterr().out
    *shown, told = said.strip().splitlines()
    assert FOLLOWED.findall(re.sub(r"\x1b\[(?:1|0|1;\d+)?m", "", "\n".join(shown))) == []
    assert FOLLOWED.findall(told) == [] and json.loads(told) == {"said": HOSTILE}


@pytest.mark.parametrize("as_of", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_moment_outside_all_years_is_said_in_one_sentence(as_of: str) -> None:
    with pytest.raises(BadInput, match="in no year from 1 to 9999"):
        moment(datetime.fromisoformat(as_of))


def test_a_device_is_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BadInput, match="is not a regular file"), atomic_write(pipe):
        pass
    assert pipe.is_fifo()
