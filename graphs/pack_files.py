"""Loading packs from their files as Missions do: with the tools that they may read and the clauses in force now.

Apart from the runtime, because `missions pack validate` needs neither LangGraph nor Chroma nor MCP, which take two
seconds to load.
"""

from pathlib import Path

from errors import BadInput
from knowledge_index.policies import PolicyBook
from ledger.canonical import utc_now
from nodes.pack import UNDERSTAND, Pack
from nodes.packs.loading import load_pack, pack_files
from systems.action_names import require_sound
from systems.catalogue import Catalogue


def load_pack_file(file: Path, catalogue: Catalogue, policies: PolicyBook) -> Pack:
    """The pack of a file. Raises BadInput with file, place and remedy if it, or what it stands on, does not validate."""
    require_sound(catalogue)
    return _loaded(file, catalogue, policies)


def _loaded(file: Path, catalogue: Catalogue, policies: PolicyBook) -> Pack:
    clauses = policies.period(utc_now()).clauses
    return load_pack(file, catalogue=catalogue, tools={*catalogue.record_schema.readable, UNDERSTAND}, clauses=clauses)


def load_packs(folder: Path, catalogue: Catalogue, policies: PolicyBook) -> dict[str, Pack]:
    """Every pack of a folder, by mission. Raises BadInput for one that does not validate: it does not load."""
    require_sound(catalogue)
    packs: dict[str, Pack] = {}
    for file in pack_files(folder):
        pack = _loaded(file, catalogue, policies)
        if pack.mission in packs:
            raise BadInput(f"{file}: the mission {pack.mission!r} has a pack already; rename or remove one of them")
        packs[pack.mission] = pack
    if not packs:
        raise BadInput(f"{folder}: contains no pack; set MISSIONS_PACKS to the folder of the packs")
    return packs
