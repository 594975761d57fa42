"""Which systems of record there are and how they are reached: `systems.yaml`, with the pins beside it.

    systems:
      oms:
        command: ["{python}", "-m", "systems.sandbox", "oms"]    # or  url: "http://127.0.0.1:8701/mcp"
        env: [DATABASE_URL]          # names of the environment variables that this system is given, and no others
        reads: [get_order]           # its READ tools; every other tool is a WRITE
        timeout_seconds: 10          # of one call
        start_seconds: 30            # until it must be ready
        feed: {tool: list_events, every_seconds: 30}    # where it tells of events, if it does: one of its READ tools;
                                     # and its bounds: missions, as_of_days, per_hour (docs/events.md)

{python} stands for the interpreter that runs now.
"""

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from errors import BadInput
from systems.pins import Pins, read_pins

DEFAULT = Path(__file__).with_name("systems.yaml")
_FIELDS = {"command", "url", "env", "reads", "timeout_seconds", "start_seconds", "feed"}
_OF_FEED = {"tool", "every_seconds", "missions", "as_of_days", "per_hour"}
#: the source ids of a feed's events begin with the name of its system and a colon
_FEEDING = re.compile(r"[\w-]{1,50}")


@dataclass(frozen=True)
class FeedConfig:
    """A READ tool by which a system tells what happened; see docs/events.md for what it answers."""

    system: str
    tool: str
    #: between two polls
    every_seconds: int = 30
    #: the Missions that its events may start; None for those that read from its system
    missions: tuple[str, ...] | None = None
    #: how many days the `as_of` of its events may lie back; None for MISSIONS_AS_OF_DAYS
    as_of_days: int | None = None
    #: events that it may tell of in an hour
    per_hour: int = 3_600

    @property
    def name(self) -> str:
        """The feed as its position is kept: "oms.list_events"."""
        return f"{self.system}.{self.tool}"


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """How one system is reached: by a command that speaks MCP over stdio, or at an address."""

    name: str
    command: tuple[str, ...] | None = None
    url: str | None = None
    #: names of environment variables that its process is given
    env: tuple[str, ...] = ()
    reads: frozenset[str] = frozenset()
    timeout_seconds: float = 10.0
    start_seconds: float = 30.0
    feed: FeedConfig | None = None

    @property
    def is_sandbox(self) -> bool:
        """Whether it is a system of the sandbox company, whose records are at hand."""
        return "systems.sandbox" in (self.command or ())


@dataclass(frozen=True)
class SystemsConfig:
    """All systems by name, the pins of their tools, and the file that says so."""

    source: str
    systems: Mapping[str, SystemConfig]
    pins: Pins

    @property
    def feeds(self) -> list[FeedConfig]:
        """The feeds of all systems that have one."""
        return [system.feed for system in self.systems.values() if system.feed]


def load_config(path: Path = DEFAULT) -> SystemsConfig:
    """Read `path` and `pins.json` beside it. Raises BadInput that names the file, the system and the remedy."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); give a systems file that can.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise BadInput(f"{path} is no YAML ({problem}); mend it.") from error
    systems = raw.get("systems") if isinstance(raw, dict) else None
    if not isinstance(systems, dict) or not systems:
        raise BadInput(f"{path} names no systems; put them under the key `systems`.")
    return SystemsConfig(
        str(path),
        {str(name): _system(path, str(name), entry) for name, entry in systems.items()},
        read_pins(path.with_name("pins.json")),
    )


def _system(path: Path, name: str, entry: Any) -> SystemConfig:
    where = f"{path}: system {name}"
    if not isinstance(entry, dict):
        raise BadInput(f"{where} is {entry!r}; give it a command or a url.")
    if "." in name:
        raise BadInput(f"{where} has a dot in its name, which separates systems from tools; rename it.")
    unknown = sorted(set(map(str, entry)) - _FIELDS)
    if unknown:
        raise BadInput(f"{where} has the unknown field {unknown[0]}; the fields are {', '.join(sorted(_FIELDS))}.")
    if ("command" in entry) == ("url" in entry):
        raise BadInput(f"{where} needs either a command or a url, and exactly one of them.")
    url = entry.get("url")
    if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
        raise BadInput(f"{where} has the url {url!r}; give one that begins with http:// or https://.")
    command = _texts(where, entry, "command") if "command" in entry else None
    if command == ():
        raise BadInput(f"{where} has an empty command; give the program and its arguments.")
    reads = frozenset(_texts(where, entry, "reads"))
    return SystemConfig(
        name=name,
        command=command and tuple(word.replace("{python}", sys.executable) for word in command),
        url=url,
        env=_texts(where, entry, "env"),
        reads=reads,
        timeout_seconds=_seconds(where, entry, "timeout_seconds", SystemConfig.timeout_seconds),
        start_seconds=_seconds(where, entry, "start_seconds", SystemConfig.start_seconds),
        feed=_feed(where, name, entry["feed"], reads) if "feed" in entry else None,
    )


def _feed(where: str, system: str, entry: Any, reads: Collection[str]) -> FeedConfig:
    if not isinstance(entry, dict) or not {"tool"} <= entry.keys() <= _OF_FEED:
        raise BadInput(f"{where}: feed is {entry!r}; give it a tool, and of {', '.join(sorted(_OF_FEED))} what need be.")
    if entry["tool"] not in list(reads):  # a list is compared, a set would have to hash whatever stands there
        raise BadInput(f"{where}: feed has the tool {entry['tool']!r}, which is none of its reads; name one of them.")
    if not _FEEDING.fullmatch(system):
        raise BadInput(f"{where} has a feed, and a name that is not of letters, digits, - and _; rename it.")
    missions = _texts(f"{where}: feed", entry, "missions") if "missions" in entry else None
    seconds = _whole(where, entry, "every_seconds", FeedConfig.every_seconds, 1, 86_400)
    days = _whole(where, entry, "as_of_days", FeedConfig.as_of_days, 0, 36_500)
    per_hour = _whole(where, entry, "per_hour", FeedConfig.per_hour, 1, 1_000_000)
    assert seconds is not None and per_hour is not None, "they have defaults"
    return FeedConfig(system, str(entry["tool"]), seconds, missions, days, per_hour)


def _whole(where: str, entry: Mapping[str, Any], field: str, otherwise: int | None, least: int, most: int) -> int | None:
    if field not in entry:
        return otherwise
    value = entry[field]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadInput(f"{where}: {field} of feed is {value!r}; give a whole number from {least} to {most}.")
    return value


def _texts(where: str, entry: Mapping[str, Any], field: str) -> tuple[str, ...]:
    value = entry.get(field, [])
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise BadInput(f"{where}: {field} is {value!r}; give a list of texts.")
    return tuple(value)


def _seconds(where: str, entry: Mapping[str, Any], field: str, otherwise: float) -> float:
    value = entry.get(field, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
        raise BadInput(f"{where}: {field} is {value!r}; give a number of seconds above 0 and up to 3600.")
    return float(value)
