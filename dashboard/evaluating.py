"""Starting an evaluation from the page: one at a time in this process, in the background, by who may look at evaluations."""

from dataclasses import dataclass, field
from threading import Lock, Thread

import streamlit as st

from dashboard.company import Evaluate, company
from dashboard.text import label
from dashboard.visitor import enter
from errors import MissionsError

_TICK_S = 0.7


@dataclass
class Progress:
    """How far the evaluation of this process is."""

    running: bool = False
    done: int = 0
    total: int = 0
    failed: str = ""
    kept: str = ""
    lock: Lock = field(default_factory=Lock)


@st.cache_resource
def _progress() -> Progress:
    return Progress()


def start(evaluate: Evaluate, by: str, progress: Progress) -> bool:
    """Start it in the background; False where one is running already."""
    with progress.lock:
        if progress.running:
            return False
        progress.running, progress.done, progress.total, progress.failed, progress.kept = True, 0, 0, "", ""
    Thread(target=_work, args=(evaluate, by, progress), name="evaluate", daemon=True).start()
    return True


def _work(evaluate: Evaluate, by: str, progress: Progress) -> None:
    def told(done: int, total: int) -> None:
        progress.done, progress.total = done, total

    try:
        progress.kept = evaluate(by, told)
    except MissionsError as error:
        progress.failed = str(error)
    except Exception as error:  # a defect must be seen where it was asked for, not in a thread that is gone
        progress.failed = f"The evaluation failed ({type(error).__name__}: {error}); nothing was kept."
        raise
    finally:
        progress.running = False


def start_button() -> None:
    """The button, or how far what it started is."""
    evaluate = company().tools.evaluate
    if evaluate is None:
        return
    progress = _progress()
    if progress.running:
        st.fragment(_watch, run_every=_TICK_S)()
        return
    if progress.failed:
        st.error(label(progress.failed, 400))
    if st.button("Run the recorded exceptions now", icon=":material/play_arrow:"):
        person = company().desk.require(enter("read").name, "read")
        start(evaluate, person.name, progress)
        st.rerun()


def _watch() -> None:
    progress = _progress()
    if not progress.running:
        st.rerun()
    share = progress.done / progress.total if progress.total else 0.0
    told = f"{progress.done:,} of {progress.total:,} cases" if progress.total else "Opening policies, packs and phrasings…"
    st.progress(share, told, width=320)
