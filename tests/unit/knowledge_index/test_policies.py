"""Policies in versions: what is in force at a moment, what it says, and how faults are told."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from errors import BadInput
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook

JUNE = datetime(2025, 6, 15, 12, tzinfo=UTC)

GOOD = """---
id: FRD
title: Fraud
version: 1
in_force_from: 2025-01-01
in_force_until: null
owner: fraud
---

What holds for all.

## FRD-1 Clear

A score below {FRD-2.elevated} is clear.

## FRD-2 Elevated

```yaml values
elevated: 0.40
cap_cents: 1500000
factor: 2
tiers: [gold, vip, standard]
bands:
  - {up_to_cents: 50000, role: reviewer}
```

From {elevated}, up to {cap_cents}, at most {factor:times}, {factor:words},
for {tiers:or}, for {tiers}, for {tiers:plain}, by a {bands.0.role} up to {bands.0.up_to_cents}.

A second paragraph.
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., PolicyBook]:
    def load_documents(*documents: str | bytes) -> PolicyBook:
        for number, document in enumerate(documents, start=1):
            raw = document.encode() if isinstance(document, str) else document
            (tmp_path / f"P{number}.md").write_bytes(raw)
        return PolicyBook.load(tmp_path)

    return load_documents


Load = Callable[..., PolicyBook]


def version(number: int, begins: str, ends: str, elevated: str = "0.40") -> str:
    text = GOOD.replace("version: 1", f"version: {number}").replace("2025-01-01", begins)
    return text.replace("in_force_until: null", f"in_force_until: {ends}").replace("0.40", elevated)


def test_a_clause_says_its_numbers_in_its_text(load: Load) -> None:
    clause = load(GOOD).clause("FRD-2", JUNE)
    assert clause.text == (
        "From 0.40, up to $15,000.00, at most twice, two, for `gold`, `vip` or `standard`, for `gold`, `vip`, "
        "`standard`, for gold, vip, standard, by a reviewer up to $500.00.\n\nA second paragraph."
    )


def test_a_clause_may_refer_to_a_number_of_another_clause(load: Load) -> None:
    assert load(GOOD).clause("FRD-1", JUNE).text == "A score below 0.40 is clear."


def test_a_clause_carries_where_it_comes_from(load: Load) -> None:
    clause = load(GOOD).clause("FRD-2", JUNE)
    assert (clause.policy_id, clause.policy_title, clause.title, clause.version) == ("FRD", "Fraud", "Elevated", 1)
    assert (clause.in_force_from, clause.in_force_until, clause.owner) == (date(2025, 1, 1), None, "fraud")


def test_what_holds_for_all_clauses_belongs_to_the_policy(load: Load) -> None:
    (policy,) = load(GOOD).documents
    assert policy.intro == "What holds for all."
    assert tuple(clause.id for clause in policy.clauses) == ("FRD-1", "FRD-2")


def test_values_are_typed_and_named_by_clause_with_an_underscore(load: Load) -> None:
    values = load(GOOD).period(JUNE).values
    assert set(values) == {"FRD_2"}
    assert values["FRD_2"]["elevated"] == 0.4
    assert values["FRD_2"]["bands"] == [{"up_to_cents": 50000, "role": "reviewer"}]


def test_nothing_is_in_force_before_the_first_day(load: Load) -> None:
    book = load(GOOD)
    assert book.period(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)).clauses == {}
    assert set(book.period(datetime(2025, 1, 1, tzinfo=UTC)).clauses) == {"FRD-1", "FRD-2"}


def test_a_new_version_takes_over_on_its_first_day(load: Load) -> None:
    book = load(version(1, "2025-01-01", "2025-06-30"), version(2, "2025-07-01", "null", elevated="0.50"))
    last_moment = datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC)
    assert book.clause("FRD-2", last_moment).version == 1
    assert book.clause("FRD-1", last_moment).text == "A score below 0.40 is clear."
    assert book.clause("FRD-2", last_moment + timedelta(seconds=1)).version == 2
    assert book.clause("FRD-1", last_moment + timedelta(seconds=1)).text == "A score below 0.50 is clear."


def test_days_are_counted_in_utc_wherever_the_moment_was_noted(load: Load) -> None:
    book = load(version(1, "2025-01-01", "2025-06-30"), version(2, "2025-07-01", "null"))
    still_june_in_utc = datetime(2025, 7, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert book.clause("FRD-2", still_june_in_utc).version == 1


def test_a_policy_that_has_ended_is_not_in_force(load: Load) -> None:
    book = load(version(1, "2025-01-01", "2025-06-30"))
    with pytest.raises(BadInput, match=r"No clause FRD-2 is in force at 2025-07-01.*; correct the id"):
        book.clause("FRD-2", datetime(2025, 7, 1, tzinfo=UTC))


def test_an_unknown_clause_is_refused_by_name(load: Load) -> None:
    with pytest.raises(BadInput, match="No clause FRD-9 is in force"):
        load(GOOD).clause("FRD-9", JUNE)


def test_a_moment_without_a_time_zone_is_refused(load: Load) -> None:
    with pytest.raises(BadInput, match="has no time zone"):
        load(GOOD).period(JUNE.replace(tzinfo=None))


def test_the_digest_changes_with_a_number_and_not_with_the_moment(load: Load) -> None:
    book = load(version(1, "2025-01-01", "2025-06-30"), version(2, "2025-07-01", "null", elevated="0.50"))
    assert book.period(JUNE).digest == book.period(JUNE + timedelta(days=10)).digest
    assert book.period(JUNE).digest != book.period(JUNE + timedelta(days=30)).digest
    assert re.fullmatch("[0-9a-f]{12}", book.period(JUNE).digest)


def test_the_same_moment_gives_the_same_objects_again(load: Load) -> None:
    book = load(GOOD)
    assert book.period(JUNE).clauses is book.period(JUNE + timedelta(hours=1)).clauses
    assert book.period(JUNE).values is book.period(JUNE + timedelta(hours=1)).values


def test_versions_that_overlap_are_refused_naming_both_files(load: Load) -> None:
    with pytest.raises(BadInput, match=r"P1\.md and .*P2\.md are both in force on 2025-06-30; end the older"):
        load(version(1, "2025-01-01", "2025-06-30"), version(2, "2025-06-30", "null"))


def test_one_version_in_two_files_is_refused_naming_both_files(load: Load) -> None:
    with pytest.raises(BadInput, match=r"P1\.md and .*P2\.md are both version 1 of FRD"):
        load(version(1, "2025-01-01", "2025-06-30"), version(1, "2025-07-01", "null"))


def test_a_reference_to_a_clause_that_is_not_in_force_at_the_same_time_is_refused(load: Load) -> None:
    other = GOOD.replace("FRD", "ORD").replace("ORD-2.elevated", "FRD-2.elevated")
    with pytest.raises(BadInput, match=r"P2\.md, line 14: the placeholder \{FRD-2\.elevated\} leads to no value"):
        load(version(1, "2025-01-01", "2025-06-30"), other)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="The folder .* does not exist"):
        PolicyBook.load(tmp_path / "nowhere")


def test_a_folder_without_policies_is_refused_and_its_readme_is_no_policy(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("About this folder.")
    with pytest.raises(BadInput, match="holds no policy documents"):
        PolicyBook.load(tmp_path)


def test_a_folder_that_is_named_like_a_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "FRD.md").mkdir()
    with pytest.raises(BadInput, match="is not a file"):
        PolicyBook.load(tmp_path)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(load: Load) -> None:
    expected = load(GOOD).period(JUNE).digest
    assert load(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()).period(JUNE).digest == expected


def test_the_reference_policies_cover_every_family_of_the_handbook() -> None:
    book = PolicyBook.load(REFERENCE_POLICIES)
    families = "GOV ORD DUP FRD ADR AUT CAP STK CAN SUP REF SUB CRD ACC AP INV OMN BOP PHA INB RTN VIP"
    assert {policy.id for policy in book.documents} == set(families.split())
    assert len(book.period(JUNE).clauses) == 91


def test_no_number_of_the_reference_policies_stands_in_prose() -> None:
    for file in set(REFERENCE_POLICIES.glob("*.md")) - {REFERENCE_POLICIES / "README.md"}:
        clauses = file.read_text(encoding="utf-8").split("\n## ")[1:]
        for clause in clauses:
            prose = re.sub(r"(?s)```.*?```|`[^`]*`|\{[^}]*\}", "", clause)
            # what is left may name clauses, number the parts of a list and name tiers
            rest = re.sub(r"[A-Z]+-\d+|\(\d\)|[Tt]ier \d", "", prose)
            assert not re.search(r"\d", rest), f"{file.name}: {rest}"
