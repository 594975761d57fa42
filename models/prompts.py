"""Prompts: texts with holes, in Markdown files that a company may change.

    ---
    version: 1
    ---
    # System
    What the model is and does, in a {tone} tone …
    # User
    {data}

A hole is a lower-case name in braces; any other brace is text.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from errors import BadInput
from harmless import HIDDEN_BUT_BLANKS

#: The prompts that ship with the project, and with them which holes a prompt of each name may have.
SHIPPED = Path(__file__).with_name("prompts")

_HOLE = re.compile(r"\{([a-z_]+)\}")
_FILE = re.compile(r"---\nversion: (?P<version>[1-9]\d{0,5})\n---\n+# System\n(?P<system>.+)\n# User\n(?P<user>.+)", re.DOTALL)
_MOST_CHARACTERS = 20_000


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a model is given in every question of one kind; the data of the case fill its holes."""

    name: str
    version: int
    system: str
    user: str

    @classmethod
    def load(cls, name: str, folder: Path = SHIPPED) -> Self:
        """The prompt `name` of a folder, or the shipped one. Raises BadInput for a hole that the shipped one does not have."""
        shipped = cls._read(name, SHIPPED / f"{name}.md")
        own = folder / f"{name}.md"
        if folder == SHIPPED or not own.exists():
            return shipped
        prompt = cls._read(name, own)
        if unknown := sorted(prompt.holes - shipped.holes):
            known = ", ".join(f"{{{hole}}}" for hole in sorted(shipped.holes))
            raise BadInput(f"{own}: nothing fills {{{unknown[0]}}}; the prompt {name} may have {known}")
        return prompt

    @classmethod
    def _read(cls, name: str, file: Path) -> Self:
        try:
            text = file.read_bytes()[: _MOST_CHARACTERS * 4].decode().replace("\r\n", "\n")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not in UTF-8"
            raise BadInput(f"{file}: the prompt cannot be read ({why}); recreate it from {SHIPPED / name}.md") from error
        found = _FILE.fullmatch(text)
        if not found or len(text) > _MOST_CHARACTERS:
            shape = "a line `---`, `version: 1`, `---`, then `# System` and `# User`, each with text under it"
            raise BadInput(f"{file}: is no prompt of up to {_MOST_CHARACTERS:,} characters; it must have {shape}")
        system, user = found["system"].strip(), found["user"].strip()
        return cls(name=name, version=int(found["version"]), system=system, user=user)

    @property
    def label(self) -> str:
        """Name, version and digest, as `hybrid@1:3fa2b19c`: it stands with every call, so that no edit goes unseen."""
        digest = hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()
        return f"{self.name}@{self.version}:{digest[:8]}"

    @property
    def holes(self) -> frozenset[str]:
        """The names that stand in braces."""
        return frozenset(_HOLE.findall(self.system) + _HOLE.findall(self.user))

    def filled(self, **texts: str) -> tuple[str, str]:
        """(system, user) with a text in every hole, which is not searched for holes again. Raises KeyError for one without."""
        return _HOLE.sub(lambda hole: texts[hole[1]], self.system), _HOLE.sub(lambda hole: texts[hole[1]], self.user)


_MARKS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_LABEL = re.compile(r"[^A-Za-z0-9 _.,-]")


def block(source: str, value: Any) -> str:
    """A JSON value as data of a prompt: `<data from="customer message" trust="none">"…"</data>`.

    Nothing in it can end the block, since every `<`, `>` and `&` is escaped; hidden characters are gone. Raises ValueError
    for what is no JSON value.
    """
    text = _as_json(value)
    if HIDDEN_BUT_BLANKS.search(text) or _ESCAPED.search(text):  # as in next to none
        text = _as_json(_visible(value))
    return f'<data from="{_LABEL.sub(" ", source)}" trust="none">{text.translate(_MARKS)}</data>'


#: a control character, or what looks like one
_ESCAPED = re.compile(r"\\[ubfr]")


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _visible(value: Any) -> Any:
    if isinstance(value, dict):
        return {_visible(str(key)): _visible(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(inner) for inner in value]
    return HIDDEN_BUT_BLANKS.sub("", value) if isinstance(value, str) else value
