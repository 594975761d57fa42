"""For analysts: everything in one import, for notebooks and scripts.

>>> import missions as ms
>>> cases = ms.cases("order_exception")             # recorded exceptions; ms.cases() for all of the company
>>> today = ms.run(cases)                           # Missions on them; today.figures, today.cases are frames
>>> today.explain("dev-ord-0007")                   # the proposal, and the rail that led there
>>> ms.compare(today, ms.run(cases, ms.version({"FRD-2.elevated": 0.6})))
>>> ms.what_if({"FRD-2.elevated": 0.6}, cases)      # who would be answered otherwise, and the money that moves
>>> ms.scan(ms.read_export("orders.csv"))           # the exceptions in your own history
>>> ms.backtest(ms.read_export("orders.csv"))       # what Missions would have done about them, and what really followed
>>> ms.overruled()                                  # what people overrule, in the ledger of the company

What comes back shows itself in a notebook, has `frame()` for a DataFrame, and `plot()` for an Altair chart where there is
something to draw. Frames have money in cents (columns `…_cents`) and moments in UTC. Bad input is a BadInput that says what,
where and what to do; nothing here writes to a system, and the company is that of MISSIONS_COMPANY. docs/analysts.md goes
through it.
"""

from errors import BadInput, MissionsError, Refused
from evals.backtest import Backtest
from evals.evaluation.environment import EvalEnvironment
from evals.history import ScanResult
from evals.reports.runs import OpenRun, RunComparison, open_run
from evals.walk import Walk
from evals.what_if.answer import Sweep, WhatIf
from ledger.memory import MemoryLedger
from missions.cases import Cases, cases
from missions.changes import sweep, what_if
from missions.decisions import PeopleOverrule, overruled
from missions.evaluations import Evaluated, Explanation, Variation, compare, explain, run, vary, walk, with_value
from missions.histories import Export, MadeHistory, backtest, made_history, read_export, scan
from missions.opened import pack, version
from missions.policies import Found, Knowledge, knowledge
from models.answers import ScriptedModel
from nodes.reasoning.answers import FirstPlan

__all__ = [
    "Backtest", "BadInput", "Cases", "EvalEnvironment", "Evaluated", "Explanation", "Export", "FirstPlan", "Found", "Knowledge",
    "MadeHistory", "MemoryLedger", "MissionsError", "OpenRun", "PeopleOverrule", "Refused", "RunComparison",
    "ScanResult", "ScriptedModel", "Sweep", "Variation", "Walk", "WhatIf", "backtest", "cases", "compare", "explain", "knowledge",
    "made_history", "open_run", "overruled", "pack", "read_export", "run", "scan", "sweep", "vary", "version", "walk",
    "what_if", "with_value",
]  # fmt: skip
