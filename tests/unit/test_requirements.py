"""An installation for use has all that the product imports, and nothing of what only tests need."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.licenses import ROOT, Package, complete, locked, packages, table

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = PROJECT["tool"]["setuptools"]
ROOMS = [pattern.removesuffix("*") for pattern in SHIPPED["packages"]["find"]["include"]]
MODULES = SHIPPED["py-modules"]
#: `pip install missions[ray]`: whoever wants it installs it besides
OPTIONAL = {Requirement(r).name for r in PROJECT["project"]["optional-dependencies"]["ray"]}
#: the connector of the ERP
ERP = ROOT / "systems" / "connectors" / "tryton"
USED = {canonicalize_name(requirement.name) for requirement in locked()}


def sources() -> Iterator[Path]:
    yield from (ROOT / f"{module}.py" for module in MODULES)
    for room in ROOMS:
        # a connector runs beside its system, in an environment of its own with a lock of its own
        yield from (file for file in sorted((ROOT / room).rglob("*.py")) if "connectors" not in file.parts)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def of_others() -> dict[str, Path]:
    """Every package of others that the product imports, and a file that does."""
    own = {*ROOMS, *MODULES, *sys.stdlib_module_names}
    trees = ((file, ast.parse(file.read_bytes())) for file in sources())
    return {name: file for file, tree in trees for name in imported(tree) if name not in own}


def test_what_the_product_imports_is_in_the_lock_of_an_installation_for_use():
    installed = packages_distributions()
    imports = of_others()
    assert {"langgraph", "psycopg", "streamlit"} <= set(imports)
    missing = {
        name: str(file.relative_to(ROOT))
        for name, file in imports.items()
        if name not in OPTIONAL and USED.isdisjoint(map(canonicalize_name, installed.get(name, ())))
    }
    assert missing == {}


def test_the_connector_of_the_erp_imports_what_is_in_its_lock_and_nothing_of_missions():
    lock = (ERP / "requirements.lock").read_text()
    trees = [ast.parse(file.read_bytes()) for file in ERP.glob("*.py")]
    imports = {name.replace("_", "-") for tree in trees for name in imported(tree)} - sys.stdlib_module_names
    assert {"mcp", "proteus", "trytond"} <= imports
    assert [name for name in sorted(imports) if f"\n{name}==" not in lock] == []


def test_what_only_tests_need_is_not_in_that_lock():
    group = PROJECT["dependency-groups"]["dev"]
    tools = {canonicalize_name(Requirement(r).name) for r in group if isinstance(r, str)}
    assert {"pytest", "mypy"} <= tools
    assert not (tools | OPTIONAL) & USED


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_what_the_project_asks_for_is_locked_with_its_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text()
    requirements = map(Requirement, PROJECT["project"]["dependencies"])
    asked = {canonicalize_name(requirement.name): requirement for requirement in requirements}
    pins = locked(ROOT / lock)
    assert set(asked) <= {canonicalize_name(pin.name) for pin in pins}
    for pin in pins:
        version = str(pin.specifier).removeprefix("==")
        known = asked.get(canonicalize_name(pin.name))
        assert known is None or known.specifier.contains(version), pin
    lines = text.replace("\\\n", "").splitlines()
    assert all("--hash=sha256:" in line for line in lines if line[0].isalnum())
    assert "://" not in text and "--index-url" not in text


def test_every_locked_package_has_a_license_that_is_allowed():
    assert [p.problem for p in packages() if p.problem] == []


@pytest.mark.parametrize(
    "license",
    [
        *("GPL-3.0-only", "MIT OR GPL-2.0-only", "Apache-2.0 AND (MIT OR AGPL-3.0-only)"),
        *("MIT License; Other/Proprietary License", "GPL-2.0-only WITH Classpath-exception-2.0"),
        *("UNKNOWN", "", "LGPL-3.0-only", "MIT or later"),
    ],
)
def test_a_license_that_is_not_allowed_is_told(license):
    assert "tests/licenses.py" in (Package("left-pad", "1.0", license, True).problem or "")


@pytest.mark.parametrize(
    "license",
    ["MIT", "(MIT)", "Apache-2.0 AND (MIT OR BSD-3-Clause)", "BSD License; MIT License"],
)
def test_a_license_that_is_allowed_is_taken(license):
    assert Package("left-pad", "1.0", license, True).problem is None


def test_an_exception_holds_for_its_package_alone_and_its_reason_is_told():
    psycopg = Package("psycopg", "3.3.9", "LGPL-3.0-only", True)
    assert psycopg.problem is None
    assert psycopg.reasons in table([psycopg]) and psycopg.reasons


def test_a_package_that_is_not_installed_where_it_is_needed_is_told():
    assert "make install-dev" in (Package("left-pad", "1.0", None, True).problem or "")
    assert Package("pywin32", "312", None, False).problem is None


def test_the_bill_of_materials_gets_the_licenses_that_packages_declare():
    bill = {
        "components": [
            {"name": "Left_Pad", "version": "1.0"},
            {"name": "left-pad", "version": "2.0"},
        ]
    }
    for license, written in (
        ("MIT", {"license": {"id": "MIT", "acknowledgement": "declared"}}),
        ("MIT OR ISC", {"expression": "MIT OR ISC", "acknowledgement": "declared"}),
        ("BSD License", {"license": {"name": "BSD License", "acknowledgement": "declared"}}),
    ):
        first, second = complete(bill, [Package("left-pad", "1.0", license, True)])["components"]
        assert first["licenses"] == [written] and "licenses" not in second
