"""Imported once by the process that commands are forked from: all that they import; it opens no connection."""

import gc
from importlib import import_module

from tests.integration.forking import COMMANDS

for _name in COMMANDS:
    import_module(_name)
# collecting garbage among all that would copy each page of it in every fork
gc.freeze()
