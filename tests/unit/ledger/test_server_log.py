"""What a PostgreSQL wrote becomes one line that says why it did not start."""

import pytest

from ledger.embedded import reason_in

STAMP = "2026-03-14 09:30:00.000 UTC [17] "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{STAMP}LOG:  starting\n{STAMP}FATAL:  too many\n{STAMP}DETAIL:  More than 3.\n", "too many; More than 3"),
        (f"{STAMP}LOG:  could not bind Unix address: in use\n{STAMP}HINT:  x\n{STAMP}FATAL:  no sockets\n",
         "could not bind Unix address: in use; no sockets"),
        ("initdb: error: could not create directory: No space left on device\n",
         "could not create directory: No space left on device"),
        ("pg_ctl: something unheard of\n", "pg_ctl: something unheard of"),
        ("FATAL:  one\nFATAL:  one\n", "one"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_reason_is_what_went_wrong_with_its_detail(text: str, reason: str) -> None:
    assert reason_in(text) == reason


def test_a_reason_has_no_control_characters_and_an_end() -> None:
    told = reason_in("FATAL:  \x1b]0;title\x07 red \x1b[31m" + "x" * 9000)
    assert told.isprintable() and len(told) <= 400
