"""A design as what is sealed and saved, and back: nothing of its outcomes but their name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from whatworks.design.looking.seal import Content
from whatworks.design.markets.saved import rewritten, written
from whatworks.design.parts import Outcomes, Population
from whatworks.design.question import Question
from whatworks.ledger import Ledger, Step
from whatworks.vocabulary import DesignClass, Supply

if TYPE_CHECKING:
    from whatworks.design.record import Design

FORMAT: Final = 1
_OF_OUTCOMES: Final = frozenset({Supply.PRE_MONTHS})
"""What is known only once outcomes are opened."""


def content_of(design: Design) -> Content:
    """What of a design is decided before its outcomes."""
    record = {
        "format": FORMAT,
        "question": asdict(design.question),
        "outcome": {
            "name": design.outcomes.name,
            "unit": design.outcomes.unit,
            "accumulates": design.outcomes.accumulates,
        },
        "covariates": design.covariates,
        "supplies": sorted(design.supplies - _OF_OUTCOMES),
        "design_class": str(design.design_class),
        "history_months": design.history_months,
        "cautions": design.cautions,
        "population": {
            f.name: _written(getattr(design.population, f.name)) for f in fields(Population)
        },
        "history": None if design.history is None else _written(design.history),
        "ledger": [asdict(step) for step in design.ledger.steps],
    }
    if design.markets is not None:
        record["markets"] = written(design.markets)
    return Content(units=design.units, matches=design.matches, fitted=design.fitted, record=record)


def fields_of(content: Content) -> dict[str, Any]:
    """Fields of the design that was saved, its outcomes not opened."""
    record = content.record
    outcome = record["outcome"]
    return {
        "question": Question(**_tuples(record["question"])),
        "units": content.units,
        "covariates": tuple(record["covariates"]),
        "matches": content.matches,
        "outcomes": Outcomes.unopened(
            outcome["name"],
            unit=outcome["unit"],
            accumulates=outcome["accumulates"],
            n_units=len(content.units),
        ),
        "supplies": frozenset(Supply(name) for name in record["supplies"]),
        "design_class": DesignClass(record["design_class"]),
        "population": _population(record["population"]),
        "ledger": Ledger(tuple(Step(**_step(step)) for step in record["ledger"])),
        "history_months": int(record["history_months"]),
        "cautions": tuple(record["cautions"]),
        "fitted": content.fitted,
        "history": None if record["history"] is None else _frame(record["history"]),
        "markets": rewritten(record["markets"]) if "markets" in record else None,
    }


def _written(value: Any) -> Any:
    """A part of the population as JSON holds it."""
    if isinstance(value, pd.DataFrame):
        return {str(name): value[name].tolist() for name in value}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _population(record: Mapping[str, Any]) -> Population:
    low, high = (np.nan if bound is None else float(bound) for bound in record["support"])
    treated, comparison = record["n_supported"]
    rest = {name: _read(record[name]) for name in record if name not in ("support", "n_supported")}
    return Population(**rest, support=(low, high), n_supported=(treated, comparison))


def _read(value: Any) -> Any:
    """Columns as a frame, numbers that may be undefined as an array."""
    if isinstance(value, Mapping):
        return _frame(value)
    return np.array(value, dtype=float) if isinstance(value, list) else value


def _frame(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Frame of columns whose undefined numbers were written as null."""
    return pd.DataFrame({name: _column(values) for name, values in columns.items()})


def _column(values: list[Any]) -> Any:
    kept = any(isinstance(v, str) for v in values) or all(isinstance(v, int) for v in values)
    return values if kept else np.array(values, dtype=float)


def _tuples(record: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}


def _step(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "dropped": tuple((str(r), int(n)) for r, n in record["dropped"])}
