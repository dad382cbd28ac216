r"""Who finds a job in a large market: the formulas, on the nodes of the covariate's law.

A market is told by the share of its seekers helped at each node of :math:`x\sim N(0,1)`, by its search
time were jobs unlimited, and by its displacement. With :math:`g_z(x,t)=1-e^{-(1+\beta z)e^{bx}t}` and
:math:`s(x)` the share helped, jobs are

.. math:: h = (1-d)\,E[s\,g_1(t_m)+(1-s)\,g_0(t_m)] + d\,E[g_0(t_m)]

and are gone at the time :math:`t` that solves :math:`E[s\,g_1(t)+(1-s)\,g_0(t)]=h`; who is still without
one then has none. Arrays of markets broadcast; nodes are the last axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROOTS, _MASSES = np.polynomial.hermite_e.hermegauss(60)
NODES: Final[Floats] = _ROOTS
"""Gauss–Hermite nodes of the standard normal law."""
LAW: Final[Floats] = _MASSES / _MASSES.sum()
_HALVINGS: Final = 80
"""Of an interval of times; beyond the precision of a float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    r"""How seekers search.

    Parameters
    ----------
    effect : float
        :math:`\beta`.
    slope : float
        :math:`b`.
    """

    effect: float
    slope: float

    def found(self, time: Floats, *, helped: bool) -> Floats:
        """Chance of a job by a time at each node, shape (..., n_nodes)."""
        weight = (1 + self.effect * helped) * np.exp(self.slope * NODES)
        return np.asarray(-np.expm1(-weight * np.asarray(time)[..., None]))

    def mixed(self, time: Floats, helped: Floats) -> Floats:
        """Share of a market with a job by a time, ``helped`` the share helped at each node."""
        none = self.found(time, helped=False)
        gained = self.found(time, helped=True) - none
        return np.asarray((none + helped * gained) @ LAW)

    def time_without_help(self, share: float) -> float:
        """Time by which this share has a job, nobody helped."""
        return float(self.time_for(np.array(share), np.zeros(NODES.size)))

    def time_for(self, share: Floats, helped: Floats) -> Floats:
        """Time by which this share has a job; 0 where none, infinite where everybody."""
        return rising_root(lambda time: self.mixed(time, helped), np.asarray(share, dtype=float))

    def closing(
        self, time: Floats, helped: Floats, displacement: Floats, *, added: Floats | float = 0.0
    ) -> Floats:
        """Time at which a market's jobs are gone.

        Parameters
        ----------
        time : ndarray of shape (...)
            Search time were jobs unlimited.
        helped : ndarray of shape (..., n_nodes)
        displacement : ndarray of shape (...)
        added : ndarray of shape (...)
            Jobs added by employers, per seeker.
        """
        free = self.mixed(time, helped)
        none = self.mixed(time, np.zeros(NODES.size))
        return self.time_for((1 - displacement) * free + displacement * none + added, helped)


def drawn_with(leaning: float, share: Floats) -> Floats:
    r"""Chance of being among a share of persons chosen by the largest :math:`sx+\text{Gumbel}`.

    :math:`1-\exp(-e^{sx}\tau)`, with :math:`\tau` such that it averages to the share. Shape
    (..., n_nodes).
    """
    share = np.asarray(share, dtype=float)
    chosen = Search(effect=0.0, slope=leaning)
    some = np.where(share < 1, share, 0.0)
    time = chosen.time_for(some, np.zeros(NODES.size))
    chance = np.where(share[..., None] < 1, chosen.found(time, helped=False), 1.0)
    return np.where(share[..., None] > 0, chance, 0.0)


def rising_root(value: Callable[[Floats], Floats], target: Floats) -> Floats:
    """Where a rising function of times reaches a target, by bisection, for all targets at once."""
    low, high = np.zeros(target.shape), np.ones(target.shape)
    for _ in range(_HALVINGS):
        short = value(high) < target
        if not short.any():
            break
        high = np.where(short, 2 * high, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = value(middle) < target
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray((low + high) / 2)
