"""A draft changes what was edited and nothing else, and what does not fit is told in a sentence."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput
from knowledge_index.drafting import (
    Edit,
    PolicyDifference,
    closed,
    content_digest,
    differences,
    install,
    newest,
    parse_draft,
    redrafted,
    with_draft,
)
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from tests.actions import OPEN_CASE

DAY = date(2027, 3, 1)
BEFORE, AFTER = datetime(2027, 2, 28, 23, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)


def drafted(policy_id: str, edits: dict[str, Edit], version: int = 2, day: date = DAY, folder: Path = REFERENCE_POLICIES) -> str:
    document = newest(PolicyBook.load(folder), policy_id)
    return redrafted(document.text, document.file, edits, version=version, in_force_from=day)


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    return [(b, a) for b, a in zip(before.split("\n"), after.split("\n"), strict=True) if a != b]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(REFERENCE_POLICIES, tmp_path / "policies")
    return tmp_path / "policies"


def test_a_threshold_changes_one_line_besides_the_front_matter() -> None:
    text = drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})})
    assert changed_lines((REFERENCE_POLICIES / "FRD.md").read_text(), text) == [
        ("version: 1", "version: 2"),
        ("in_force_from: 2025-01-01", "in_force_from: 2027-03-01"),
        ("elevated: 0.40", "elevated: 0.6"),
    ]


def test_one_number_within_a_list_of_bands_changes_alone() -> None:
    bands = [{"up_to_cents": 75_000, "role": "reviewer"}, {"up_to_cents": 500_000, "role": "finance"}]
    text = drafted("GOV", {"GOV-3": Edit(values={"bands": [*bands, {"role": "finance", "four_eyes": True}]})})
    assert changed_lines((REFERENCE_POLICIES / "GOV.md").read_text(), text)[2:] == [
        ("  - {up_to_cents: 50000, role: reviewer}", "  - {up_to_cents: 75000, role: reviewer}"),
        ("  - {up_to_cents: 500000, role: supervisor}", "  - {up_to_cents: 500000, role: finance}"),
    ]


def test_a_list_may_grow_and_its_texts_are_quoted_where_they_must_be() -> None:
    text = drafted("GOV", {"GOV-1": Edit(values={"automate": [OPEN_CASE, "a, b: {c}", "2"]})})
    assert "automate: [open_case, 'a, b: {c}', '2']\n" in text
    assert parse_draft(text).clauses[0].values["automate"] == [OPEN_CASE, "a, b: {c}", "2"]


def test_comments_block_lists_and_the_values_beside_them_stay(folder: Path) -> None:
    file = folder / "FRD.md"
    file.write_text(
        "---\nid: FRD # fraud\ntitle: Fraud\nversion: 1 # first\nin_force_from: 2025-01-01\n"
        "in_force_until: null\nowner: me\n---\n\n"
        "## FRD-1 One\n\n```yaml values\n# why\na: 0x10 # hex\nnames:\n  - b\n  - c\nlast: 'x'\n```\n\nText {a}.\n\n\n"
    )
    text = redrafted(
        file.read_text(), file, {"FRD-1": Edit(values={"a": 17, "names": ["b", "c", "d"]})}, version=2, in_force_from=DAY
    )
    assert "version: 2 # first\n" in text
    assert "# why\na: 17   # hex\nnames:\n  - b\n  - c\n  - d\nlast: 'x'\n```\n\nText {a}.\n\n\n" in text


def test_a_text_is_replaced_and_what_follows_stays() -> None:
    text = drafted("FRD", {"FRD-1": Edit(prose="Nothing below {FRD-2.elevated} matters.\n\nNothing.")})
    assert "## FRD-1 Clear\n\nNothing below {FRD-2.elevated} matters.\n\nNothing.\n\n## FRD-2 Elevated\n" in text
    assert text.endswith("From {from}: escalate to `fraud`.\n")


def test_several_clauses_change_in_one_draft_and_the_differences_say_how() -> None:
    text = drafted("FRD", {"FRD-3": Edit(values={"from": 0.8}), "FRD-1": Edit(prose="Fine.")})
    before = newest(PolicyBook.load(REFERENCE_POLICIES), "FRD")
    assert differences(before, parse_draft(text)) == [
        PolicyDifference(clause="FRD-1", name="", before=before.clauses[0].prose, after="Fine."),
        PolicyDifference(clause="FRD-3", name="from", before=0.75, after=0.8),
    ]


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ({"FRD-9": Edit(prose="x")}, "FRD has no clause FRD-9; it has FRD-1, FRD-2, FRD-3."),
        ({"FRD-2": Edit(values={"lowered": 1})}, "FRD-2 has no value lowered; it has elevated"),
        ({"FRD-2": Edit(values={"elevated": "high"})}, "FRD-2: elevated is 'high'; make it a number."),
        ({"FRD-2": Edit(values={"elevated": True})}, "FRD-2: elevated is True; make it a number."),
        ({"FRD-2": Edit(values={"elevated": float("nan")})}, "the value nan"),
        ({"FRD-2": Edit(values={"customer_days": 1.5})}, "FRD-2: customer_days is 1.5; make it a whole number."),
        ({"FRD-2": Edit(values={"elevated": 0.4})}, "The draft says what FRD version 1 says; change something."),
        ({"FRD-1": Edit(prose=" \n ")}, "FRD-1 would say nothing; write its text."),
        ({"FRD-1": Edit(prose="a\x00b")}, "The text of FRD-1 holds the invisible character U+0000; take it out."),
        ({"FRD-1": Edit(prose="a\n## FRD-4 New\n\nb")}, "The edit of FRD-1 changes more than these clauses"),
        ({"FRD-1": Edit(prose="a\n## AUT-1 New\n\nb")}, "the heading is not that of a clause"),
        ({"FRD-1": Edit(prose="```yaml values\nx: 1\n```\nb")}, "The edit of FRD-1 changes more than these clauses"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edits: dict[str, Edit], sentence: str) -> None:
    with pytest.raises(BadInput) as told:
        drafted("FRD", edits)
    assert sentence in str(told.value)


@pytest.mark.parametrize(
    "value", [[], ["x", "x"], OPEN_CASE, [1], [{"a": 1}]], ids=["empty", "twice", "text", "number", "mapping"]
)
def test_a_list_keeps_the_kind_of_its_items(value: Any) -> None:
    with pytest.raises(BadInput, match="GOV-1: automate"):
        drafted("GOV", {"GOV-1": Edit(values={"automate": value})})


def test_bands_keep_their_number_and_their_names() -> None:
    for bands in ([{"up_to_cents": 1, "role": "reviewer"}], [{"role": "x"}] * 3):
        with pytest.raises(BadInput, match="GOV-3: bands"):
            drafted("GOV", {"GOV-3": Edit(values={"bands": bands})})


def test_a_placeholder_that_leads_to_nothing_is_found_before_anybody_uses_it() -> None:
    text = drafted("FRD", {"FRD-1": Edit(prose="Below {FRD-2.elevatet}.")})
    with pytest.raises(BadInput, match=r"FRD.v2.md, line 12: the placeholder \{FRD-2.elevatet\} leads to no value"):
        with_draft(PolicyBook.load(REFERENCE_POLICIES), text)


def test_the_book_with_a_draft_has_both_versions_each_in_its_time() -> None:
    book = with_draft(PolicyBook.load(REFERENCE_POLICIES), drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})}))
    assert [book.clause("FRD-2", at).values["elevated"] for at in (BEFORE, AFTER)] == [0.4, 0.6]
    assert "below 0.60" in book.clause("FRD-1", AFTER).text
    present = PolicyBook.load(REFERENCE_POLICIES)
    assert book.period(BEFORE).digest == present.period(BEFORE).digest != book.period(AFTER).digest


def test_a_standing_book_holds_the_clauses_of_one_moment_always() -> None:
    made = with_draft(PolicyBook.load(REFERENCE_POLICIES), drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})}))
    book = made.standing(AFTER)
    assert book.clause("FRD-2", datetime(1999, 1, 1, tzinfo=UTC)).values["elevated"] == 0.6


def test_a_draft_of_a_version_that_is_not_the_next_is_stale(folder: Path) -> None:
    text = drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})})
    install([folder], text)
    with pytest.raises(BadInput, match="The draft is version 2 of FRD, and the newest is version 2; create a new draft"):
        with_draft(PolicyBook.load(folder), text)


def test_a_draft_begins_later_than_the_version_before_it(folder: Path) -> None:
    install([folder], drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})}))
    third = drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.7})}, version=3, folder=folder)
    with pytest.raises(BadInput, match="Version 2 of FRD is in force from 2027-03-01 on; let the draft begin on a later day"):
        with_draft(PolicyBook.load(folder), third)


def test_putting_a_version_into_the_folder_ends_the_one_before_and_can_be_taken_back(folder: Path) -> None:
    as_it_was = {file.name: file.read_bytes() for file in folder.iterdir()}
    take_back = install([folder], drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})}))
    versions = {(p.version, p.in_force_until) for p in PolicyBook.load(folder).documents if p.id == "FRD"}
    assert versions == {(1, date(2027, 2, 28)), (2, None)}
    take_back()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == as_it_was


def test_a_folder_that_cannot_be_written_is_told_and_stays_as_it_was(folder: Path) -> None:
    (folder / ".FRD.v2.md.partial").mkdir()  # what would have to be written first is in the way
    as_it_was = {file.name: file.read_bytes() for file in folder.glob("*.md")}
    with pytest.raises(BadInput, match=r"cannot be written \(Is a directory\), and no policy was changed"):
        install([folder], drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})}))
    assert {file.name: file.read_bytes() for file in folder.glob("*.md")} == as_it_was


def test_a_file_that_stands_where_the_version_would_is_not_overwritten(folder: Path) -> None:
    text = drafted("FRD", {"FRD-2": Edit(values={"elevated": 0.6})})
    (folder / "FRD.v2.md").write_text(text.replace("FRD", "XYZ"))
    with pytest.raises(BadInput, match=r"FRD.v2.md is there already; move it away"):
        install([folder], text)


def test_what_a_version_says_does_not_depend_on_its_last_day() -> None:
    document = newest(PolicyBook.load(REFERENCE_POLICIES), "FRD")
    ended = parse_draft(closed(document.text, document.file, DAY))
    assert ended.in_force_until == DAY and content_digest(ended) == content_digest(document)
    other = parse_draft(drafted("FRD", {"FRD-1": Edit(prose="Fine.")}))
    assert content_digest(other) != content_digest(document)
