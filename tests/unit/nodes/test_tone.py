"""What differs from a draft in tone alone, and what is new in it. What hostile words look like is in tests/attacks."""

import time

import pytest

from nodes.tone import new_words

DRAFT = """Hello,

I look after Lakeside Dental Inc at Harbor & Pine. I noticed a few things that I would like to put right: we have not spoken.

May I call you this week? Fifteen minutes are enough to hear what you need.

With kind regards
your customer success manager at Harbor & Pine"""


@pytest.mark.parametrize(
    ("drafted", "written"),
    [
        ("Hello,", "Good morning,"),
        ("Hello,", "Dear Lakeside Dental team,"),
        ("Hello,\n\nI look", "Hi there, I look"),
        ("Hello,", "Dear all,\n\nI hope this message finds you well."),
        ("May I", "Could I please"),
        ("I would like to", "I'd really love to"),
        ("I noticed", "Thank you for your trust. We noticed"),
        ("With kind regards", "Many thanks for your patience, and all the best,"),
        ("With kind", "I look forward to hearing from you soon.\n\nWith kind"),
        ("May I call you this week? ", ""),
    ],
)
def test_another_tone_is_nothing_new(drafted: str, written: str) -> None:
    assert new_words(DRAFT.replace(drafted, written, 1), DRAFT) == []


def test_what_is_new_is_told_and_no_more_than_is_read() -> None:
    assert new_words(f"{DRAFT}\nYou get $5.", DRAFT) == ["“You get $5.”"]
    assert new_words(f"{DRAFT}\n\u0435", DRAFT) == ["the character U+0435"]
    assert len(new_words("You get money. " * 200, DRAFT)) == 3
    assert len(new_words("money " * 200, DRAFT)[0]) < 100


@pytest.mark.parametrize("piece", ["a, ", "I ", ". ", "look forward to ", "hello, ", "-", "'\") "])
def test_any_text_is_looked_through_in_a_moment(piece: str) -> None:
    began = time.process_time()
    new_words(piece * (4_000 // len(piece)), DRAFT)
    assert time.process_time() - began < 1
