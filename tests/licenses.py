"""The licenses of an installation for use, which `make sbom` adds to its bill of materials.

A license that is neither in ALLOWED nor one of EXCEPTIONS fails the command and the tests.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cyclonedx import spdx
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
BILL = ROOT / "build" / "sbom.cdx.json"
REPORT = ROOT / "build" / "licenses.md"

#: Permissive licenses, by their SPDX names and as packages also spell them
ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC"),
        *("MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib"),
        *("Apache License 2.0", "Apache License, Version 2.0", "Apache Software License"),
        *("3-Clause BSD License", "BSD License", "ISC License (ISCL)", "MIT License"),
        *("Public Domain", "Python Software Foundation License"),
    }
)


@dataclass(frozen=True)
class Exempt:
    """Packages that may have this license all the same, and why."""

    license: str
    packages: frozenset[str]
    reason: str


_MPL = "used as published; the license asks only for the source of changes to its own files"
EXCEPTIONS = (
    Exempt("MPL-2.0", frozenset({"orjson", "tqdm"}), _MPL),
    Exempt("Mozilla Public License 2.0 (MPL 2.0)", frozenset({"certifi"}), _MPL),
    Exempt(
        "LGPL-3.0-only",
        frozenset({"psycopg", "psycopg-binary", "psycopg-pool"}),
        "imported as published; whoever installs it can put another version in its place",
    ),
)
_KNOWN = ALLOWED | {e.license for e in EXCEPTIONS}


@dataclass(frozen=True)
class Package:
    """One package of the lock; `license` as it declares it, None where it is not installed."""

    name: str
    version: str
    license: str | None
    needed_here: bool

    @property
    def problem(self) -> str | None:
        """Why it may not be delivered, as a sentence."""
        if self.license is None:
            unknown = f"{self} is not installed, so its license is unknown: run make install-dev."
            return unknown if self.needed_here else None
        terms = _terms(self.license)
        refused = [term for term in terms if not (term in ALLOWED or self.reason(term))]
        if not refused:
            return None
        return (
            f"{self} has the license {' and '.join(map(repr, refused))}, which is not "
            "allowed: do without it, or add it with a reason to tests/licenses.py."
        )

    def reason(self, license: str) -> str | None:
        """Why it may have a license that is not allowed to others."""
        exempt = (e for e in EXCEPTIONS if e.license == license and self.name in e.packages)
        return next((e.reason for e in exempt), None)

    @property
    def reasons(self) -> str:
        return "; ".join(filter(None, map(self.reason, _terms(self.license or ""))))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def _terms(declared: str) -> list[str]:
    """Every license that is named, even as an alternative."""
    parts = (_of_expression(part) for part in declared.split("; "))
    return [term for terms in parts for term in terms]


def _of_expression(declared: str) -> list[str]:
    """What is not understood stays whole, and is refused."""
    if declared in _KNOWN:
        return [declared]
    return [term.strip("( )") for term in re.split(r"\s(?:AND|OR)\s", declared)]


def locked(lock: Path = LOCK) -> list[Requirement]:
    """What a lock pins, also for other platforms."""
    lines = lock.read_text().splitlines()
    return [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"\w", line)]


def packages() -> list[Package]:
    """The lock's packages with the licenses that the installed ones declare."""
    requirements = locked()
    scan = [sys.executable, "-m", "piplicenses", "--with-system", "--format=json", "--packages"]
    scan += [requirement.name for requirement in requirements]
    found = json.loads(subprocess.run(scan, check=True, capture_output=True, text=True).stdout)
    # some put the whole text in: its first line is the name
    declared = {_key(p["Name"], p["Version"]): p["License"].partition("\n")[0] for p in found}
    return [_package(requirement, declared) for requirement in requirements]


def _package(requirement: Requirement, declared: dict[tuple[str, str], str]) -> Package:
    name, version = _key(requirement.name, str(requirement.specifier).removeprefix("=="))
    needed = requirement.marker is None or requirement.marker.evaluate()
    return Package(name, version, declared.get((name, version)), needed)


def table(found: list[Package]) -> str:
    """As markdown."""
    away = "not installed on this platform"
    rows = (f"| {p.name} | {p.version} | {p.license or away} | {p.reasons} |" for p in found)
    head = "| Package | Version | License | Allowed because |"
    return "\n".join((head, "|---|---|---|---|", *rows, ""))


def complete(bill: dict, found: list[Package]) -> dict:
    """The bill of materials with the licenses that its tool does not see in a lock."""
    licenses = {_key(p.name, p.version): _as_cyclonedx(p.license) for p in found if p.license}

    def completed(component: dict) -> dict:
        known = licenses.get(_key(component["name"], component["version"]))
        return component | {"licenses": [known]} if known else component

    return bill | {"components": [completed(component) for component in bill["components"]]}


def _key(name: str, version: str) -> tuple[str, str]:
    return canonicalize_name(name), version


def _as_cyclonedx(declared: str) -> dict:
    declares = {"acknowledgement": "declared"}
    if spdx.is_supported_id(declared):
        return {"license": {"id": declared} | declares}
    if spdx.is_expression(declared):
        return {"expression": declared} | declares
    return {"license": {"name": declared} | declares}


def main() -> None:
    found = packages()
    BILL.write_text(json.dumps(complete(json.loads(BILL.read_text()), found), indent=1) + "\n")
    REPORT.write_text(table(found))
    if problems := [p.problem for p in found if p.problem]:
        sys.exit("\n".join(problems))
    bill, report = BILL.relative_to(ROOT), REPORT.relative_to(ROOT)
    print(f"{len(found)} packages in {bill}, their licenses in {report}: all allowed.")


if __name__ == "__main__":
    main()
