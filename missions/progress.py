"""How far something is, in a notebook: it appears after two seconds, and is gone at the end."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_PATIENCE_S, _EVERY_S = 2.0, 0.5


@contextmanager
def progress(total: int = 0) -> Iterator[Callable[[int, int], None]]:
    """What it gives is called with how much is done, and of how much; outside of a notebook it says nothing."""
    shown: Any = None
    said = time.monotonic() + _PATIENCE_S - _EVERY_S

    def on_done(done: int, of: int = total) -> None:
        nonlocal shown, said
        if "ipykernel" not in sys.modules or time.monotonic() < said + _EVERY_S:
            return
        said, text = time.monotonic(), {"text/plain": f"{done:,} of {of:,} …"}
        if shown is None:
            shown = import_module("IPython.display").display(text, raw=True, display_id=True)
        else:
            shown.update(text, raw=True)

    try:
        yield on_done
    finally:
        if shown is not None:
            shown.update({"text/plain": ""}, raw=True)
