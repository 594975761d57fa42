"""Logs for programs: one JSON object a line on stderr, without personal data.

It is kept out by what a line may hold, not by looking for it: of a message the template that stands in the code, with
arguments that are numbers or look like ids; of `extra` the fields in EXTRA; of an error its type and where it came from,
and never its text, for sentences quote values. A message of somebody else's code that is no template is left out.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from settings import CHECKOUT

#: what a caller may add with `extra={...}`
EXTRA = ("run_id", "job", "task", "queue", "worker", "attempt", "mission", "source", "count", "seconds")
_OURS = {"__main__", "cli", "dashboard", "evals", "graphs", "knowledge_index", "ledger", "logs", "models", "nodes", "systems"}
#: a word of a program ("oms", "payment_review"), or something with a digit and without blanks ("r-1f2e", "O-17")
_ID = re.compile(r"[a-z][a-z0-9_.]{0,39}|(?=[^\d]*\d)[A-Za-z0-9_.:/-]{1,80}")
#: the second line of defence: addresses, card and telephone numbers, tokens
_MASKED = (
    (re.compile(r"\S+@\S+"), "[address]"),
    (re.compile(r"(?i)\bbearer\s+\S+"), "[token]"),
    (re.compile(r"(?<![\w-])\+?\d(?:[ .-]?\d){8,}(?!\w)"), "[number]"),
    (re.compile(r"\b[A-Za-z0-9_-]{40,}\b"), "[token]"),
)
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?([a-zA-Z%])")
_LEFT_OUT = "…"
_MOST_FRAMES = 12


def log_as_json() -> None:
    """From now on, everything that this process logs is JSON on stderr, uncaught errors and warnings too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    log = logging.getLogger("logs")

    def log_error(message: str, args: Any) -> None:
        log.error(message, exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback))

    sys.excepthook = lambda kind, error, trace: log.critical("an error ended the process", exc_info=(kind, error, trace))
    threading.excepthook = lambda args: log_error("an error ended a thread", args)
    sys.unraisablehook = lambda args: log_error("an unhandled error", args)


class JsonLines(logging.Formatter):
    """A record as {"at", "level", "logger", "message", "where"}, with EXTRA and "error" where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "where": f"{_place(record.pathname)}:{record.lineno}",
        }
        line |= {name: _argument(value) for name in EXTRA if (value := record.__dict__.get(name)) is not None}
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            line["error"] = {"types": list(_types(record.exc_info[1])), "at": _frames(record.exc_info[2])}
        return orjson.dumps(line).decode()


def _message(record: logging.LogRecord) -> str:
    """The template with its arguments, as far as they may be logged."""
    template = record.msg
    if not isinstance(template, str) or not (record.args or record.name.split(".")[0] in _OURS):
        return ""
    if not record.args:
        return masked(template)
    named: Mapping[str, object] = record.args if isinstance(record.args, Mapping) else {}
    arguments = iter(() if named else record.args)

    def filled(place: re.Match[str]) -> str:
        if place[2] == "%":
            return "%"
        return str(_argument(named.get(place[1]) if place[1] else next(arguments, _LEFT_OUT)))

    return masked(_PLACEHOLDER.sub(filled, template))


def _argument(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, str) and _ID.fullmatch(value) and masked(value) == value:
        return value
    return _LEFT_OUT


def masked(text: str) -> str:
    """`text` without what looks like an e-mail address, a card or telephone number, or a token."""
    for pattern, instead in _MASKED:
        text = pattern.sub(instead, text)
    return text


def _types(error: BaseException | None) -> Iterator[str]:
    """The type of an error, and of those that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield type(error).__name__
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(trace: TracebackType | None) -> list[str]:
    """The last places, the innermost last."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(trace)][-_MOST_FRAMES:]
    return [f"{_place(code.co_filename)}:{line} {code.co_name}" for code, line in frames]


def _place(file: str) -> str:
    """A file of the checkout by its path there, any other by its last names."""
    path = Path(file)
    inside = path.is_relative_to(CHECKOUT) and ".venv" not in path.parts
    return path.relative_to(CHECKOUT).as_posix() if inside else "/".join(path.parts[-3:])
