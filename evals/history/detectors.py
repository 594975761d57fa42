"""The kinds of exceptions that are looked for in a history (`detectors.yaml` beside this file), and what their queries read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from evals.history.layout import Layout
from rendering import decimals
from settings import company_currency
from strict_yaml import read_yaml

_TABLES = Path(__file__).with_suffix(".sql")


Followed = Literal["cancelled", "refunded", "disputed", "late", "never_charged", "charged", "shipped", "reordered"]


class Backtested(BaseModel):
    """When people would have been told of an exception, and how what followed is read; see the head of detectors.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: what people call it
    title: str
    after: Literal["placed", "shipped", "recorded"]
    minutes: int = Field(ge=0)
    lets_go: tuple[str, ...]
    trouble: tuple[Followed, ...]
    fine: tuple[Followed, ...]


class Detector(BaseModel):
    """One kind of exception in a history; see the head of detectors.yaml for the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    definition: str
    needs: tuple[str, ...]
    records: tuple[str, ...] = ()
    documents: str = "[subject]"
    article: str = "null"
    chance: float | str
    within_a_day: bool = False
    event: tuple[str, str] | None = None
    backtest: Backtested | None = None
    prepared: str | None = None
    sketch: tuple[str, ...] = ()
    suspects: str
    query: str

    @property
    def title(self) -> str:
        """What people call it."""
        return self.backtest.title if self.backtest else self.kind.replace("_", " ")


class _Detectors(RootModel[tuple[Detector, ...]]):
    @model_validator(mode="before")
    @classmethod
    def _name_kinds(cls, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"kind": kind, **fields} for kind, fields in data.items()]


DETECTORS = (
    read_yaml(Path(__file__).with_name("detectors.yaml"), "definition of exceptions").as_model(_Detectors, "its head").root
)


def suspected(layout: Layout, looked_for: Sequence[Detector]) -> str:
    """SQL that makes the tables which the queries of the detectors read (`detectors.sql`)."""
    currency = layout.told.currency or company_currency()
    sketches = dict.fromkeys(f", {one}" for detector in looked_for for one in detector.sketch)
    conditions = dict.fromkeys(f"({detector.suspects})" for detector in looked_for)
    return Template(_TABLES.read_text("utf-8")).substitute(
        places=decimals(currency),
        before="$" if currency == "USD" else "",
        after="" if currency == "USD" else f" {currency}",
        prepared=";\n".join(detector.prepared for detector in looked_for if detector.prepared),
        sketches="".join(sketches),
        conditions=" or ".join(conditions) or "false",
        total_cents=layout.total_cents,
        origin=layout.origin,
        place=layout.place,
        level=layout.level,
    )


def missing(detector: Detector, layout: Layout, counts: Mapping[str, int]) -> str | None:
    """Why a kind cannot be looked for in a history with so many of each record; None where it can."""
    if detector.within_a_day and layout.told.is_dates_only:
        return "its moments are days, and minutes count"
    columns = [column for column in detector.needs if column not in layout.columns]
    if columns:
        return f"no column {', '.join(columns)}"
    records = [record for record in detector.records if not counts.get(record)]
    return f"no {', '.join(records)} in it" if records else None
