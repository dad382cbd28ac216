"""The one rounding point: every number a reader meets, in any format, is rounded here and once.

The rounded frames are handed to the page, the figures' data, CSV, Parquet and JSON alike, so
that no two of them can disagree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

_DECIMALS: Final = {"pp": 1, "months": 2, "EUR/month": 0, "USD": 0}
SMD_DECIMALS: Final = 3
SHARE_DECIMALS: Final = 3
P_VALUE_DECIMALS: Final = 4
STATISTIC_DECIMALS: Final = 3
BIN_DECIMALS: Final = 4

_IN_UNIT: Final = ("estimate", "conf_low", "conf_high", "band_low", "band_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Unit of an outcome and the decimals its effects are shown with."""

    unit: str
    decimals: int

    @property
    def finer(self) -> Scale:
        """Scale of standard errors, which carry one decimal more than effects."""
        return Scale(unit=self.unit, decimals=self.decimals + 1)


def scale_of(unit: str, std_errors: ArrayLike) -> Scale:
    """Scale of an outcome.

    Parameters
    ----------
    unit : str
        ``"pp"``, ``"months"``, ``"EUR/month"``, ``"USD"``: decimals fixed by the unit. Any other
        unit is the user's own: as many decimals as give its median standard error two
        significant digits.
    std_errors : array_like
        Standard errors of the effects, NaN where undefined.

    Examples
    --------
    >>> scale_of("pp", [2.1]).decimals, scale_of("", [0.0123]).decimals
    (1, 3)
    """
    if unit in _DECIMALS:
        return Scale(unit=unit, decimals=_DECIMALS[unit])
    errors = np.asarray(std_errors, dtype=float)
    errors = errors[np.isfinite(errors) & (errors > 0)]
    if errors.size == 0:
        return Scale(unit=unit, decimals=3)
    digits = 1 - math.floor(math.log10(float(np.median(errors))))
    return Scale(unit=unit, decimals=min(max(digits, 0), 6))


def rounded(value: float, decimals: int) -> float:
    """Value rounded half to even, never a negative zero; NaN stays NaN.

    >>> rounded(-0.04, 1), rounded(2.25, 1)
    (0.0, 2.2)
    """
    return float(np.round(float(value), decimals)) + 0.0


def rounded_effects(effects: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Effects with their numbers rounded for publication, other columns untouched."""
    out = effects.copy()
    for column in _IN_UNIT:
        out[column] = out[column].astype(float).round(scale.decimals) + 0.0
    out["std_error"] = out["std_error"].astype(float).round(scale.finer.decimals) + 0.0
    out["p_value"] = out["p_value"].astype(float).round(P_VALUE_DECIMALS)
    return out


def rounded_columns(frame: pd.DataFrame, decimals: int, *columns: str) -> pd.DataFrame:
    """Frame whose named columns are rounded to the same number of decimals."""
    return frame.assign(**{c: frame[c].astype(float).round(decimals) + 0.0 for c in columns})
