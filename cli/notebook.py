"""`missions notebook`: JupyterLab in the folder of the notebooks."""

import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from errors import BadInput
from settings import CHECKOUT


def open_notebooks(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTION…]", help="Options of JupyterLab: -- --port 8890.")
    ] = None,
) -> None:
    """Open the notebooks of analysts in JupyterLab, until it is stopped."""
    folder = CHECKOUT / "notebooks"
    if find_spec("jupyterlab") is None:
        raise BadInput(
            f"JupyterLab is not installed here; `{sys.executable} -m pip install jupyterlab` installs it, once. "
            f"Without it, open {folder} in VS Code and choose this environment as the kernel."
        )
    with suppress(KeyboardInterrupt):  # which JupyterLab hears, too, and asks about
        sys.exit(subprocess.run([sys.executable, "-m", "jupyterlab", str(folder), *(options or ())], check=False).returncode)
