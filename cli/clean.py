"""`missions clean`."""

import shutil

from cli.screen import say
from errors import BadInput
from graphs.settings import default_home, settings
from ledger.embedded import stop_embedded


def clean_home() -> None:
    """Stop the embedded database and remove the data of this checkout. Raises BadInput for a folder that was named by hand."""
    home = settings().home
    if home != default_home():
        raise BadInput(f"{home} was named in MISSIONS_HOME; remove it yourself if you no longer need what is in it")
    if (home / "postgres").exists():
        stop_embedded(home / "postgres")
    shutil.rmtree(home, ignore_errors=True)
    if home.exists():
        raise BadInput(f"{home} could not be removed as a whole; stop what still uses it and try again")
    say(f"{home} is removed.")
