"""Text from outside is shown as text: nothing of it is markup, Markdown, or steers what stands around it."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from dashboard.markup import icon, label, show
from rendering import chip, clock, dollars, joined, markup, plain, plain_lines, span, until, words
from tests.unit.dashboard.hostile import NASTY, TAGS, Parsed, steering

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)


@given(NASTY)
def test_plain_text_is_one_line_that_steers_nothing(text: str) -> None:
    assert not steering(plain(text))
    assert len(plain(text).splitlines()) <= 1


@given(NASTY)
def test_plain_lines_keep_their_lines_and_steer_nothing(text: str) -> None:
    assert steering(plain_lines(text)) <= {"\n"}
    assert plain_lines(text).count("\n") == text.count("\n")


@pytest.mark.parametrize("hidden", ["\u061c", "\u2028", "\u2029", "\ud800"], ids=ascii)
def test_no_mark_of_a_direction_no_end_of_line_and_no_half_character_is_left(hidden: str) -> None:
    assert hidden not in plain(f"a{hidden}b")


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=50))
def test_text_that_steers_nothing_stays_as_it_is(text: str) -> None:
    assert plain(text) == plain_lines(text) == text


@given(NASTY, st.integers(1, 80))
def test_a_text_is_cut_with_a_mark_where_it_is_too_long(text: str, longest: int) -> None:
    for cut in (plain(text, longest), plain_lines(text, longest)):
        assert len(cut) <= longest
    assert plain(text, longest) == plain(text) or plain(text, longest) == plain(text)[: longest - 1] + "…"


def test_carriage_returns_do_not_overwrite_a_line() -> None:
    assert plain_lines("refused\r\napproved\rdenied") == "refused\napproved denied"


@given(NASTY)
def test_a_label_has_no_character_that_markdown_reads(text: str) -> None:
    unescaped = re.sub(r"\\[\\`*_{}\[\]()#+\-.!~:$<>|&]", "", label(text))
    assert not re.search(r"[\\`*_{}\[\]()#+\-.!~:$<>|&\n]", unescaped)


@given(NASTY)
def test_a_label_says_what_the_text_says(text: str) -> None:
    assert read(label(text)) == plain(text, 80)


@pytest.mark.parametrize("text", ["https://evil.example/x", "see www.evil.example", "ann@evil.example", ":material/delete:"])
def test_a_label_has_nothing_that_becomes_a_link_or_an_icon_past_its_escapes(text: str) -> None:
    """Addresses, e-mail and icons are looked for in the text that was read, where no backslash is left (seen in a browser)."""
    unescaped = re.sub(r"\\(.)", r"\1", label(text))
    assert not re.search(r"https?://|www(?=\.)|[-.\w+]@[-\w]+\.|:material/\w", unescaped)


def read(said: str) -> str:
    """What is seen of a label: its escapes are gone, and a joiner of words has no width."""
    return re.sub(r"\\(.)", r"\1", said).replace("\u2060", "")


def test_a_long_label_is_cut_before_it_is_escaped() -> None:
    assert label("*" * 200, 10) == "\\*" * 9 + "…"


@given(NASTY, NASTY)
def test_values_add_no_tag_and_no_attribute(one: str, other: str) -> None:
    template = '<p class="{}" title="{}">{}<b>{}</b></p>'
    shown, harmless = Parsed(markup(template, one, other, one, other)), Parsed(markup(template, "a", "b", "c", "d"))
    assert [(tag, [name for name, _ in attributes]) for tag, attributes in shown.tags] == [
        (tag, [name for name, _ in attributes]) for tag, attributes in harmless.tags
    ]
    assert shown.tags[0][1] == (("class", one), ("title", other))
    assert shown.text == one + other


@given(NASTY)
def test_braces_in_a_value_are_no_holes(text: str) -> None:
    assert Parsed(markup("<b>{}</b>{}", f"{{0}} {{}} {text}", "end")).text == f"{{0}} {{}} {text}end"


def test_what_is_markup_already_is_put_in_as_it_is() -> None:
    inner = markup("<b>{}</b>", TAGS)
    assert [tag for tag, _ in Parsed(markup("<p>{}</p>", inner)).tags] == ["p", "b", "/b", "/p"]
    assert joined([inner, inner]) == inner + inner


def test_an_object_does_not_bring_its_own_markup_through_its_text() -> None:
    class Told:
        def __str__(self) -> str:
            return TAGS

    assert Parsed(markup("<p>{}</p>", Told())).tags == [("p", ()), ("/p", ())]


@pytest.mark.parametrize("piece", [chip(TAGS, "warn", TAGS), icon("bolt", TAGS)])
def test_a_chip_and_an_icon_are_one_element(piece: Markup) -> None:
    shown = Parsed(piece)
    assert [tag for tag, _ in shown.tags] == ["span", "/span"]
    assert dict(shown.tags[0][1])["title"] == TAGS


def test_only_markup_is_shown() -> None:
    with pytest.raises(TypeError, match="only Markup is shown"):
        show("<b>nobody escaped this</b>")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cents", "said"),
    [(0, "$0.00"), (5, "$0.05"), (123_450, "$1,234.50"), (-199, "-$1.99"), (10**11, "$1,000,000,000.00")],
)
def test_cents_are_told_as_dollars(cents: int, said: str) -> None:
    assert dollars(cents) == said


@given(st.integers(-(10**13), 10**13))
def test_no_cent_is_lost_in_the_telling(cents: int) -> None:
    assert int(re.sub(r"[$,.]", "", dollars(cents))) == cents


def test_identifiers_are_told_as_words() -> None:
    assert words("fulfil_with_changes") == "fulfill with changes"
    assert words("order.late") == "order · late"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (89, "89 s"), (90, "2 min"), (5_399, "90 min"), (5_400, "2 h"), (172_799, "48 h"), (172_800, "2 d"),
        (-7_200, "2 h"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: int, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said


def test_how_far_off_a_moment_is_says_on_which_side_it_lies() -> None:
    assert until(NOW + timedelta(minutes=12), NOW) == "in 12 min"
    assert until(NOW - timedelta(hours=3), NOW) == "3 h ago"
    assert until(NOW, NOW) == "in 0 s"


def test_a_moment_is_told_in_utc() -> None:
    assert clock(NOW.astimezone(timezone(timedelta(hours=-5)))) == "Mar 14, 2026, 9:30 AM UTC"
    assert clock(NOW + timedelta(hours=3, minutes=35), with_day=False) == "1:05 PM UTC"
    assert clock(NOW + timedelta(seconds=5), with_day=False, with_seconds=True) == "9:30:05 AM UTC"
