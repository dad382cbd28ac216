"""The door of the room: what the units of a design must look like. An outcome cannot slip in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from whatworks.contracts import frames as pa
from whatworks.vocabulary import (
    DOSE,
    ENTRY_MONTH,
    MARKET,
    MATCHED_SET,
    PERSON,
    PROPENSITY,
    SAMPLING,
    SATURATION,
    STRATUM,
    TREATED,
    UNIT,
    WEIGHT,
)

ROLES = {
    UNIT: pa.Column("int64", unique=True),
    PERSON: pa.Column("int64"),
    TREATED: pa.Column("bool"),
    ENTRY_MONTH: pa.Column("int64"),
    WEIGHT: pa.Column("float64", pa.Check.gt(0)),
    SAMPLING: pa.Column("float64", pa.Check.gt(0)),
    MATCHED_SET: pa.Column("int64"),
    PROPENSITY: pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
    STRATUM: pa.Column("object", nullable=True),
    MARKET: pa.Column("object", nullable=True),
    SATURATION: pa.Column("float64", nullable=True),
    DOSE: pa.Column("float64", pa.Check.gt(0), nullable=True, required=False),
}


def check_units(units: pd.DataFrame, *, covariates: tuple[str, ...], n_outcomes: int) -> None:
    """Raise when units carry anything but their roles and covariates known before entry."""
    expected = {**ROLES, **{name: pa.Column("float64") for name in covariates}}
    try:
        # Nothing is coerced, so that nothing is written: in place spares a copy of all units.
        pa.DataFrameSchema(expected, strict=True).validate(units, inplace=True)
    except pa.errors.SchemaError as error:
        # The library's message shows data; ours says which column broke which rule.
        column = getattr(error.schema, "name", None)
        message = f"units of a design: column {column!r} breaks {error.check!r}"
        raise AssertionError(message) from None
    if len(units) != n_outcomes or not np.array_equal(units[UNIT], np.arange(len(units))):
        raise AssertionError("units of a design and its outcomes are not aligned")
