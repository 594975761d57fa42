"""What holds of names all over the house: `python -m tests.house`, which `make check` runs. Exit 1 where something does not."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOMS = ("cli", "dashboard", "evals", "graphs", "knowledge_index", "ledger", "missions", "models", "nodes", "systems")
#: a file of one subject may stand in so many folders: as its command, its page, and what they show
_MOST_FOLDERS = 3
#: what Python gives its meaning
_GIVEN = ("__init__", "__main__")

Places = Mapping[str, set[str]]


def code() -> list[Path]:
    """The files of the project's code, without tests and notebooks."""
    listed = subprocess.run(["git", "ls-files", "--", "*.py"], capture_output=True, text=True, check=True).stdout.split()
    return [file for file in map(Path, listed) if file.parts[0] in ROOMS or len(file.parts) == 1]


def classes(files: list[Path]) -> Places:
    """Class name, without the underscore of those that only their file uses -> the files that define it."""
    found = defaultdict(set)
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].add(str(file))
    return found


def modules(files: list[Path]) -> Places:
    """Name of a file -> the folders that have one of it."""
    found = defaultdict(set)
    for file in files:
        if file.stem not in _GIVEN:
            found[file.stem].add(str(file.parent))
    return found


def tests() -> Places:
    """Name of a file of tests -> the folders that have one of it: pytest imports a name once."""
    found = defaultdict(set)
    for file in Path("tests").rglob("test_*.py"):
        found[file.stem].add(str(file.parent))
    return found


def silent(file: Path) -> Iterator[tuple[int, str]]:
    """(line, name) of the public functions that raise an error themselves, and whose docstring does not say so.

    One without a docstring has that of the protocol that it fulfills, and so has one that says "See …".
    """
    # what clients and people at a terminal read: the descriptions of tools, and of commands
    if file.parts[0] == "cli" or file.is_relative_to("systems/sandbox"):
        return
    inside: list[tuple[ast.AST, bool]] = [(ast.parse(file.read_text("utf-8")), False)]
    while inside:
        within, private = inside.pop()
        for node in ast.iter_child_nodes(within):
            if isinstance(node, ast.ClassDef):
                inside.append((node, private or node.name.startswith("_")))
            elif isinstance(node, ast.FunctionDef) and not (private or node.name.startswith("_")):
                said, raised = ast.get_docstring(node) or "See", {one for one in map(_raised, ast.walk(node)) if one}
                if raised and not said.startswith("See") and not any(word in said for word in ("Raises", "raises", *raised)):
                    yield node.lineno, node.name


def _raised(node: ast.AST) -> str:
    """The name of the class that a statement raises; none where it raises another one again."""
    raised = node.exc.func if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else None
    return raised.id if isinstance(raised, ast.Name) and raised.id[0].isupper() else ""


def problems() -> Iterator[str]:
    """What does not hold, a sentence each."""
    files = code()
    for name, places in sorted(classes(files).items()):
        if len(places) > 1:
            yield f"the class name {name} stands for {len(places)} things, in {', '.join(sorted(places))}; rename all but one"
    for name, places in sorted(modules(files).items()):
        if len(places) > _MOST_FOLDERS:
            yield f"{name}.py stands in {len(places)} folders, {', '.join(sorted(places))}; rename or join some"
    for name, places in sorted(tests().items()):
        if len(places) > 1:
            yield f"{name}.py stands in {', '.join(sorted(places))}, and pytest collects one of them; rename all but one"
    for file in files:
        for line, name in silent(file):
            yield f"{file}:{line}: {name} raises an error, and its docstring does not name it"


if __name__ == "__main__":
    said = list(problems())
    print("\n".join(said) or "Every class name stands for one thing, and what raises says so.")
    sys.exit(1 if said else 0)
