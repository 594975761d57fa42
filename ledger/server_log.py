"""Why a PostgreSQL did not start, out of what it and its programs wrote."""

import re
from collections.abc import Iterable

#: "2026-03-14 09:30:00.000 UTC [17] FATAL:  …", and "initdb: error: …" of the programs
_BAD = re.compile(
    r"(?:(?:FATAL|PANIC|ERROR):|(?:LOG|WARNING):(?=\s+(?:could not|invalid|unrecognized|syntax|.+ is outside ))"
    r"|\w+: error:)\s*(?P<said>.+)"
)
_MORE = re.compile(r"DETAIL:\s*(?P<said>.+)|\w+: detail:\s*(?P<told>.+)")
#: characters of a reason
_LONGEST = 400


def reason_in(text: str) -> str:
    """What the lines of a log say went wrong, as one line without control characters; its last line if none does."""
    lines = [_printable(line) for line in text.splitlines() if line.strip()]
    said = list(dict.fromkeys(_told(lines))) or lines[-1:]
    return "; ".join(said)[:_LONGEST]


def _told(lines: Iterable[str]) -> Iterable[str]:
    bad = False
    for line in lines:
        if found := _BAD.search(line):
            bad = True
            yield found["said"].strip().rstrip(".")
        elif bad and (more := _MORE.search(line)):
            yield (more["said"] or more["told"]).strip().rstrip(".")


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line).strip()
