"""Loading the pack of one file as Missions do: with the tools that they may read and the clauses in force now.

Apart from the runtime, because `missions pack validate` needs neither LangGraph nor Chroma nor MCP, which take two
seconds to load.
"""

from datetime import UTC, datetime
from pathlib import Path

from knowledge_index.policies import PolicyBook
from nodes.listening import UNDERSTAND
from nodes.pack import Pack
from nodes.packs.loading import load_pack
from systems.catalogue import Catalogue
from systems.reads import READ_TOOLS


def load_pack_file(file: Path, catalogue: Catalogue, policies: PolicyBook) -> Pack:
    """The pack of a file. Raises BadInput with file, place and remedy if it does not validate."""
    clauses = policies.in_force(datetime.now(UTC))
    return load_pack(file, catalogue=catalogue, tools={*READ_TOOLS, UNDERSTAND}, clauses=clauses)
