"""What was tried against each promise, and whether it held: `make attack` prints it as a table and keeps it in docs/attacks.md.

A test here carries `@pytest.mark.promise("…")`, or its file does; its name is the sentence that says what was tried.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.integration.conftest import _forked_systems

__all__ = ["_forked_systems"]

#: promise -> what was tried -> how often, and how often it held
Table = Mapping[str, Mapping[str, tuple[int, int]]]
_HEAD = """# What was tried

Every promise of the README that somebody might want to break, and what was tried against it:
written by `make attack`, which tries all of it again. A line is a test in `tests/attacks/`; the
number says in how many ways it was tried.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--attacks-to", metavar="FILE", help="write what was tried into this file")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each attack says what it is aimed at; the report of its outcome carries it, from worker processes too."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        marker = item.get_closest_marker("promise")
        if marker is None:
            raise pytest.UsageError(f"{item.nodeid}: an attack names the promise that it is aimed at: @pytest.mark.promise(…)")
        item.user_properties.append(("attack", (marker.args[0], sentence(item))))


def sentence(item: pytest.Item) -> str:
    """What was tried, as the name of a test says it."""
    name = re.sub(r"\[.*", "", item.name).removeprefix("test_").replace("_", " ")
    return name[:1].upper() + name[1:]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how much was tried against each promise; write all of it where a file is named."""
    table = _table(terminalreporter.stats)
    if not table:
        return
    terminalreporter.section("what was tried, and held")
    for promise, tried in table.items():
        total, held = (sum(column) for column in zip(*tried.values(), strict=True))
        terminalreporter.write_line(f"{held:>5} of {total:<5} {promise}")
    if file := config.getoption("--attacks-to", None):
        Path(file).write_text("\n".join(_lines(table)) + "\n", "utf-8")


def _table(stats: Mapping[str, Sequence[object]]) -> Table:
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for report in _reports(stats):
        for name, value in report.user_properties:
            if name == "attack":
                promise, tried = value
                total, held = found[promise].get(tried, (0, 0))
                found[promise][tried] = (total + 1, held + report.passed)
    return {promise: dict(sorted(found[promise].items())) for promise in sorted(found)}


def _reports(stats: Mapping[str, Sequence[object]]) -> Iterable[pytest.TestReport]:
    for outcome in ("passed", "failed", "error"):
        for report in stats.get(outcome, ()):
            # what fails before it begins was tried in vain
            if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed):
                yield report


def _lines(table: Table) -> Iterable[str]:
    yield _HEAD
    for promise, tried in table.items():
        yield f"## {promise}\n"
        for what, (total, held) in tried.items():
            ways = f" ({total} ways)" if total > 1 else ""
            broken = "" if held == total else f" **{total - held} did not hold**"
            yield f"- {what}{ways}{broken}"
        yield ""
