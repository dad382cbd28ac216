"""The door of the room: what the units of a design must look like. An outcome cannot slip in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from whatworks.contracts import frames as pa
from whatworks.vocabulary import (
    DOSE,
    ELIGIBLE,
    ENTRY_MONTH,
    MARKET,
    MATCHED_SET,
    PERSON,
    PROPENSITY,
    SAMPLING,
    SATURATION,
    STRATUM,
    TOOK_PART,
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
    TOOK_PART: pa.Column("bool", required=False),
    ELIGIBLE: pa.Column("bool", required=False),
}
_ROLES = pa.DataFrameSchema(ROLES, strict=True)


def check_units(units: pd.DataFrame, *, covariates: tuple[str, ...], n_outcomes: int) -> None:
    """Raise when units carry anything but their roles and covariates known before entry."""
    # Covariates are many and all alike: one look at each array, where a schema takes milliseconds.
    known = set(covariates)
    roles = {name: column for name, column in units.items() if name not in known}
    for name in covariates:
        values = units[name].to_numpy() if name in units else None
        if values is None or values.dtype != np.float64 or np.isnan(values).any():
            raise AssertionError(
                f"units of a design: column {name!r} breaks 'a number known for every unit'"
            )
    try:
        # Nothing is coerced, so that nothing is written: in place spares a copy of all units.
        _ROLES.validate(pd.DataFrame(roles, copy=False), inplace=True)
    except pa.errors.SchemaError as error:
        # The library's message shows data; ours says which column broke which rule.
        column = getattr(error.schema, "name", None)
        message = f"units of a design: column {column!r} breaks {error.check!r}"
        raise AssertionError(message) from None
    if len(units) != n_outcomes or not np.array_equal(units[UNIT], np.arange(len(units))):
        raise AssertionError("units of a design and its outcomes are not aligned")
