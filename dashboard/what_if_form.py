"""What if, without a draft: values, tiers and packs are changed for a replay of recorded exceptions, and for nothing else."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, show
from dashboard.visitor import enter
from dashboard.what_if_found import replayed, show_found
from errors import BadInput, MissionsError
from graphs.what_if import WhatIf
from knowledge_index.changing import read_change
from ledger.permissions import may
from ledger.records import Person

#: of the changes; bytes of a pack, and how many packs at once
MOST_CHARACTERS, MOST_BYTES, MOST_PACKS = 4_000, 1_000_000, 20
_FOUND = "what-if.found"


def draw(person: Person) -> None:
    """The form, and what was found last."""
    if not may(person, "draft_policy"):
        st.caption("Analysts and those who decide about policies ask what a change would do.")
        return
    with st.form("what-if"):
        written = st.text_area(
            "Values that would be others, one a line",
            placeholder="FRD-2.elevated=0.6\nGOV-3.bands.0.up_to_cents=20000\ntier.cancel_order=automate",
            max_chars=MOST_CHARACTERS, key="what-if.values",
        )  # fmt: skip
        packs = st.file_uploader(
            "Packs that would take the place of those of their Missions", type="yaml", accept_multiple_files=True,
            max_upload_size=1, key="what-if.packs",
        )  # fmt: skip
        asked = st.form_submit_button("Replay recorded exceptions", type="primary", icon=":material/replay:")
    if asked:
        enter("draft_policy")
        st.session_state.pop(_FOUND, None)
        try:
            st.session_state[_FOUND] = _ask(written, [file.getvalue() for file in packs or ()])
        except MissionsError as error:
            show(markup('<div class="k-refused">{}</div>', str(error)))
    if found := st.session_state.get(_FOUND):
        show_found(found, "what-if.flips", "the change")


def _ask(written: str, packs: list[bytes]) -> WhatIf:
    what_if = company().tools.what_if
    if what_if is None:
        raise BadInput("This dashboard was opened without recorded exceptions to replay.")
    changes: dict[str, Any] = dict(read_change(line) for line in written.splitlines() if line.strip())
    if not changes and not packs:
        raise BadInput("Nothing is changed; write a value such as FRD-2.elevated=0.6, or give a pack.")
    if len(packs) > MOST_PACKS or any(len(pack) > MOST_BYTES for pack in packs):
        raise BadInput(f"Give at most {MOST_PACKS} packs, each of at most {MOST_BYTES:,} bytes.")
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, pack in enumerate(packs, start=1):
            (folder / f"pack-{number}.yaml").write_bytes(pack)
        try:
            return replayed(partial(what_if, changes=changes, packs=folder if packs else None))
        except BadInput as error:  # whoever gave the pack does not know where it was put
            raise BadInput(str(error).replace(f"{folder}/", "")) from error
