"""Text from outside is one harmless line, and figures of tables are never broken."""

import pytest

from cli.screen import table
from graphs.text import dollars, plain


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
