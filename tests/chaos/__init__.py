"""Fault injection: what is promised, tried where it hurts. `python -m tests.chaos [--short] [--seed N]`, START IN `__main__.py`.

world.py      a company, its ledger, workers that can be killed, and a desk that takes events in and decides
points.py     the places at which a process can be made to die
faults.py     a system that answers late, wrongly, twice, or not at all
checker.py    reads ledger and sandbox by SQL of its own, and counts what must be 0
kills.py, late.py, faulty.py, storage.py, people.py, recovery.py    the scenarios
"""
