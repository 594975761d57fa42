"""What a reasoner is asked: the case, and what the run has found out about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knowledge_index.policies import Clause
from ledger.base import Ledger
from ledger.records import Observation
from nodes.case import Case
from systems.calls import Reader
from systems.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Task:
    """A case to make a draft for. The planner needs the case, its findings and the catalogue; a model the rest too."""

    case: Case
    #: as `nodes.diagnose.find` gives them
    findings: list[dict[str, Any]]
    catalogue: Catalogue
    run_id: str = ""
    look: int = 1
    #: the retrieved clauses, as they are in force at the moment of the case
    clauses: Mapping[str, Clause] = field(default_factory=dict)
    #: clause values in force, by clause id with an underscore
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: what this look has said so far on the Explain rail
    rail: Sequence[Observation] = ()
    #: predictions: name -> value between 0 and 1
    risks: Mapping[str, float] = field(default_factory=dict)
    #: why the last draft did not pass, and that draft
    objections: Sequence[str] = ()
    refused: Mapping[str, Any] | None = None
    #: of the person who asked to look again
    remark: str = ""
    #: where questions to a model are kept; None where no run asks
    ledger: Ledger | None = None
    #: for the one more read that a pack allows a model
    reader: Reader | None = None
