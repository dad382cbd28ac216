r"""Two groups in two kinds of areas: mean changes, and what is read off them.

.. math:: A=\Delta_{11}-\Delta_{01},\quad B=\Delta_{11}-\Delta_{10},\quad C=\Delta_{01}-\Delta_{00}

with :math:`\Delta_{zm}` the mean change of group :math:`z` in areas of kind :math:`m` (Blundell, Costa
Dias, Meghir & Van Reenen 2004, doi:10.1162/1542476041423368).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EP, OP, EN, ON = range(4)
"""Eligible and others of pilot areas, eligible and others elsewhere."""
FORMS: Final[dict[str, tuple[tuple[float, ...], tuple[tuple[int, ...], tuple[int, ...]]]]] = {
    "direct": ((1.0, -1.0, 0.0, 0.0), ((EP,), (OP,))),
    "total": ((1.0, 0.0, -1.0, 0.0), ((EP,), (EN,))),
    "spillover_ineligible": ((0.0, 1.0, 0.0, -1.0), ((OP,), (ON,))),
    "triple": ((1.0, -1.0, -1.0, 1.0), ((EP,), (OP, EN, ON))),
    "trend_gap": ((0.0, 0.0, 1.0, -1.0), ((EN,), (ON,))),
}
"""Terms as combinations of the four means, and the groups that each sets against which."""
_MATRIX: Final = np.array([form for form, _ in FORMS.values()])
ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class FourGroups:
    """Terms of one cohort of areas in one period.

    Parameters
    ----------
    month : int
        Periods since the areas' start.
    effect : ndarray of shape (n_terms,)
    influence : ndarray of shape (b, n_terms)
    rows : ndarray of int, shape (b,)
        Which units.
    number : ndarray of int, shape (b,)
        Group of each: `EP`, `OP`, `EN` or `ON`.
    counted : ndarray of shape (b,)
        Weight of the eligible of pilot areas, 0 for others.
    """

    month: int
    effect: Floats
    influence: Floats
    rows: Ints
    number: Ints
    counted: Floats

    @property
    def mass(self) -> float:
        """Weight of the eligible of pilot areas."""
        return float(self.counted.sum())


def four_groups(
    change: Floats, *, pilot: Bools, eligible: Bools, weight: Floats, rows: Ints, month: int
) -> FourGroups | None:
    r"""Terms and their influence, :math:`w_i(\Delta y_i-\Delta_{zm})/W_{zm}` on means; None without all four.

    Parameters
    ----------
    change : ndarray of shape (b,)
    pilot, eligible : ndarray of bool, shape (b,)
    weight : ndarray of shape (b,)
    rows : ndarray of int, shape (b,)
    month : int
    """
    number = 2 * (~pilot).astype(np.int64) + (~eligible)
    mass = np.bincount(number, weight, minlength=4)
    if not (mass > 0).all():
        return None
    mean = np.bincount(number, weight * change, minlength=4) / mass
    apart = change - mean[number]
    apart[np.abs(apart) <= ROUNDING * max(np.abs(change).max(), np.abs(mean).max())] = 0.0
    share = weight * apart / mass[number]
    return FourGroups(
        month=month,
        effect=_MATRIX @ mean,
        influence=share[:, None] * _MATRIX.T[number],
        rows=rows,
        number=number,
        counted=weight * (number == EP),
    )
