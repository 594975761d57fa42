"""Every broken policy document is refused with its file, the line, and what to do."""

from pathlib import Path

import pytest

from errors import BadInput
from knowledge_index.documents import MAX_BYTES
from knowledge_index.policies import PolicyBook

HEAD = """---
id: FRD
title: Fraud
version: 1
in_force_from: 2025-01-01
in_force_until: null
owner: fraud
---
"""
GOOD = f"""{HEAD}
## FRD-1 Clear

```yaml values
below: 0.40
```

A score below {{below}}
is clear.
"""


def refused(tmp_path: Path, text: str | bytes) -> str:
    """The error for a folder with this document, without the path of the folder."""
    (tmp_path / "FRD.md").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(BadInput) as error:
        PolicyBook.load(tmp_path)
    return str(error.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("---\nid", "id", "FRD.md, line 1: the front matter is missing; begin"),
        ("owner: fraud\n---", "owner: fraud", "FRD.md, line 1: the front matter does not end; close"),
        ("owner: fraud\n", "", "FRD.md, line 1: owner: «owner» is required here; fix it: add «owner»"),
        ("owner: fraud\n", "owner: fraud\ncolour: red\n", "FRD.md, line 8: colour: «colour» is not permitted here"),
        ("version: 1", "version: one", "FRD.md, line 4: version: Input should be a valid integer; fix it"),
        ("version: 1", "version: true", "FRD.md, line 4: version: Input should be a valid integer"),
        ("version: 1", "version: 0", "FRD.md, line 4: version: Input should be greater than or equal to 1"),
        ("id: FRD", "id: frd", "FRD.md, line 2: id: String should match pattern '^[A-Z]{2,8}$'"),
        ("title: Fraud", "title: [Fraud", "FRD.md, line 4: the policy cannot be read ("),
        ("title: Fraud", "title: !!python/object/apply:os.getcwd []", "FRD.md, line 3: the policy cannot be read ("),
        ("2025-01-01", "2025-02-30", "FRD.md, line 2: the policy cannot be read (day is out of range"),
        ("2025-01-01", "2025-01-01 12:00:00", "FRD.md, line 5: in_force_from: Input should be a valid date"),
        ("until: null", "until: 2024-01-01", "FRD.md, line 1: the policy: in_force_until lies before in_force_from; correct one"),
        ("## FRD-1 Clear", "## FRD-1", "FRD.md, line 10: the heading is not that of a clause; write it as `## FRD-1 Title`"),
        ("## FRD-1 Clear", "## ORD-1 Clear", "FRD.md, line 10: the heading is not that of a clause"),
        ("## FRD-1 Clear", "### FRD-1 Clear", "FRD.md, line 8: no clause follows; add"),
        ("```yaml values", "```yaml", "FRD.md, line 12: the block is not labeled as values; open it with ```yaml values"),
        ("0.40\n```", "0.40\n", "FRD.md, line 12: the block of values does not end"),
        ("below: 0.40", "below: [0.40", "FRD.md, line 13: the policy cannot be read ("),
        ("below: 0.40", "below", "FRD.md, line 13: the YAML below is not a mapping"),
        (
            "below: 0.40",
            "below: 0.40\nbelow: 0.50",
            "FRD.md, line 14: the policy cannot be read («below» appears twice in one place, first in line 13)",
        ),
        (
            "below: 0.40",
            "below: &a [1]\nmore: *a",
            "FRD.md, line 14: the policy cannot be read (an alias (*name) is not allowed); fix it",
        ),
        ("below: 0.40", "below: .nan", "FRD.md, line 13: the values below have the value nan"),
        ("below: 0.40", "below: 2025-01-01", "FRD.md, line 13: the values below have the value datetime.date"),
        (
            "below: 0.40",
            "below: 0.40\nup_to_cents: -1",
            "FRD.md, line 13: the values below have the value -1 of up_to_cents, which cannot be",
        ),
        (
            "below: 0.40",
            "below: 0.40\nby: {role_days: -0.5}",
            "FRD.md, line 13: the values below have the value -0.5 of role_days, which",
        ),
        ("below: 0.40", "Below: 0.40", "FRD.md, line 13: the values below have the name 'Below'"),
        ("below: 0.40", "below: " + "[" * 3000, "FRD.md, line 13: the policy cannot be read ("),
        ("{below}", "{above}", "FRD.md, line 16: the placeholder {above} leads to no value; name"),
        ("is clear", "is {FRD-7.clear}", "FRD.md, line 17: the placeholder {FRD-7.clear} leads to no value"),
        ("{below}", "{below:loud}", "FRD.md, line 16: the placeholder {below:loud} asks for the unknown form 'loud'"),
        ("{below}", "{below:words}", "FRD.md, line 16: the placeholder {below:words} leads to a value that is not a whole"),
        ("{below}", "{below:or}", "FRD.md, line 16: the placeholder {below:or} leads to a value that is not a list of names"),
        ("{below}", "{be low}", "FRD.md, line 16: the placeholder {be low} is not of the form"),
        ("is clear", "is} clear", "FRD.md, line 17: a brace is unmatched"),
        ("A score below {below}\nis clear.", "", "FRD.md, line 10: FRD-1 says nothing; write its text"),
        ("is clear.", "is clear.\n\n```yaml values\na: 1\n```", "FRD.md, line 19: a block appears inside the prose"),
        ("is clear.", "is clear.\n\n## FRD-1 Again\n\nText.", "FRD.md, line 19: FRD-1 is already used in line 10; give it"),
    ],
)
def test_a_broken_document_is_refused_with_file_line_and_remedy(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    message = refused(tmp_path, GOOD.replace(old, new))
    assert message.startswith(told)
    assert message.endswith(".")


def test_the_document_that_the_others_are_broken_from_is_good(tmp_path: Path) -> None:
    (tmp_path / "FRD.md").write_text(GOOD)
    assert PolicyBook.load(tmp_path).documents


def test_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refused(tmp_path, GOOD.encode() + b"\xff").startswith("FRD.md, line 18: the text is not UTF-8; save")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD + "x" * MAX_BYTES)
    assert "more than 1,000,000; split the policy into several files." in message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "").startswith("FRD.md, line 1: the front matter is missing")
