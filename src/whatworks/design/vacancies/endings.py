"""How the waits of units ended, and when: what shares by some horizons do not say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """Waits of units on the clock of their outcomes.

    Parameters
    ----------
    time : ndarray of shape (n_units,)
        From the start to the ending, or to when the unit was last seen.
    kind : ndarray of int, shape (n_units,)
        Position in ``names``, counted from 1; 0 for a wait that had not ended when last seen.
    entry : ndarray of shape (n_units,)
        Time after which the unit is seen: −1 from its start, more where it had started before anybody
        looked.
    names : tuple of str
        Kinds of endings; the first is the one that is hoped for.
    """

    time: Floats
    kind: Ints
    entry: Floats
    names: tuple[str, ...]

    def of(self, rows: Ints) -> Endings:
        """Endings of some units, in the order asked."""
        return replace(self, time=self.time[rows], kind=self.kind[rows], entry=self.entry[rows])
