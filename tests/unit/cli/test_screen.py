"""Text from outside is one harmless line, and figures of tables are never broken."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cli.screen import console, say_after, say_all, table
from cli.start import next_steps
from rendering import Displayable, Part, dollars, plain
from tests.ledger_examples import a_proposal


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The lines that a function prints on a screen of so many columns; 80 unless said otherwise."""

    def lines(print_it: Callable[..., None], *args: Any, columns: int = 80, **named: Any) -> list[str]:
        monkeypatch.setattr(console, "_width", columns)
        monkeypatch.setattr(console, "_height", 40)
        with console.capture() as capture:
            print_it(*args, **named)
        return [line.rstrip() for line in capture.get().splitlines()]

    return lines


@pytest.mark.parametrize("hidden", ["\x1b", "\n", "\r", "\0", "\x7f", "\x9b", "\u202e", "\u2066", "\u200b", "\t"])
def test_what_moves_the_cursor_or_hides_text_is_a_blank(hidden: str) -> None:
    assert plain(f"a{hidden}b") == "a b"


def test_markup_stays_text() -> None:
    assert plain("[red]x[/red]") == "[red]x[/red]"


def test_a_long_text_is_cut_at_its_longest_and_says_so() -> None:
    assert plain("x" * 20_000, 10) == "xxxxxxxxx…"
    assert plain("x" * 10, 10) == "x" * 10


def test_a_value_that_is_no_text_is_shown_as_python_writes_it() -> None:
    assert plain(None) == "None"
    assert plain(["a\n"]) == "['a\\n']"


def test_cents_are_shown_as_dollars() -> None:
    assert (dollars(0), dollars(1), dollars(500_001), dollars(-2_450)) == ("$0.00", "$0.01", "$5,000.01", "-$24.50")


def test_a_figure_is_in_one_piece_however_narrow_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [f"figure {number}" for number in range(30)]
    table(columns, [["$23,158.87"] * len(columns)], right=columns)
    assert capsys.readouterr().out.count("$23,158.87") == len(columns)


QUEUE = ("run", "subject", "verdict", "waits for", "at stake", "expires")
ROW = ("r-f470c1b9d33d", "HP-HARB-499@ST-DEN", "fulfil_with_changes", "2 × finance", "$5,000.01", "in 23 h")
WHOLE = ("run", "verdict", "waits for", "expires")


def test_a_row_of_the_queue_fits_80_columns_with_its_run_and_its_verdict_whole(printed: Callable[..., list[str]]) -> None:
    told = printed(table, QUEUE, [ROW], whole=WHOLE)
    assert max(map(len, told)) <= 80
    assert [told[1].split()[0], *told[1].split()[2:]] == [ROW[0], *ROW[2].split(), *ROW[3].split(), ROW[4], *ROW[5].split()]
    assert told[2].strip() == "-DEN"


def test_what_must_not_be_folded_goes_on_beyond_a_screen_that_is_too_narrow(printed: Callable[..., list[str]]) -> None:
    told = printed(table, QUEUE, [ROW], whole=WHOLE, columns=40)
    assert all(cell in told[1] for cell in (ROW[0], *ROW[2:4], ROW[5]))


def test_cells_are_folded_between_words_where_they_can_be(printed: Callable[..., list[str]]) -> None:
    told = printed(table, ("by", "because"), [("rita (reviewer)", "the move explains the score " * 6)], columns=60)
    assert (max(map(len, told)) <= 60, told[1].startswith("rita (reviewer) the move")) == (True, True)
    assert not [line for line in told[1:] if line.split()[-1] not in ("the", "move", "explains", "score")]


def test_a_line_that_is_folded_goes_on_under_itself(printed: Callable[..., list[str]]) -> None:
    assert printed(say_after, "0.13 s  read  ", "two records of this order", columns=36) == [
        "0.13 s  read  two records of this",
        "              order",
    ]


class Found(Displayable):
    """A sentence, and lines of data."""

    def parts(self) -> Iterable[Part]:
        return ["One run differs. " * 6, 'r-1 differs in\n+refund{"charge_id":"ch_1","note":"' + "x" * 100 + '"}']


def test_lines_of_data_are_not_folded(printed: Callable[..., list[str]]) -> None:
    told = printed(say_all, Found())
    assert max(map(len, told[:-1])) <= 80
    assert told[-2:] == ["r-1 differs in", '+refund{"charge_id":"ch_1","note":"' + "x" * 100 + '"}']


def test_the_first_steps_name_a_proposal_that_a_reviewer_may_approve(printed: Callable[..., list[str]]) -> None:
    four_eyes = a_proposal("p-1", run_id="r-000000000001", role="finance", four_eyes=True)
    told = printed(next_steps, [four_eyes, a_proposal("p-2", run_id="r-000000000002")], 1.0)
    assert [line.split()[1:3] for line in told if "missions" in line and "r-" in line] == [
        ["show", "r-000000000002"],
        ["decide", "r-000000000002"],
    ]
    assert max(map(len, told)) <= 80
    # what each does stands in one column
    assert {line.rindex("  ") for line in told if "missions" in line and "decide" not in line} == {told[3].rindex("  ")}
