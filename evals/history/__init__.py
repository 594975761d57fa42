"""Historical orders: find the exceptions in them, and make histories in which they are known.

>>> from evals.history import make, scan
>>> history, truth = make(lines=50_000, seed=7)
>>> scan(history).exceptions
"""

from evals.history.making import make, make_files
from evals.history.scanning import ScanResult, ScanThresholds, scan

__all__ = ["ScanResult", "ScanThresholds", "make", "make_files", "scan"]
