"""Backtests: each exception of a history as it was known at its moment, the Mission on it, and what the history really did next.

>>> from evals.backtest import backtest
>>> found = backtest("orders.parquet")
>>> found.frame()
"""

from evals.backtest.running import Backtest, backtest

__all__ = ["Backtest", "backtest"]
