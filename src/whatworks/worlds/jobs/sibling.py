r"""A world with no ceiling on chances, whose means have a formula: for properties and fast tests.

.. math:: \mu(z,p) = (1+\beta z)\,h_0\,(1+\beta\omega p)^{\eta-1},\qquad \eta = 1-d,

hires per seeker are :math:`h_0(1+\beta\omega p)^\eta` and net jobs per 100 assigned
:math:`100\,h_0\,[(1+\beta\omega p)^\eta-1]/(\omega p)`, which tend to :math:`100\,\eta\beta h_0` when few are
helped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whatworks.worlds.jobs.options import bad

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbounded:
    r"""Means by arm when hires follow total search effort to the power :math:`\eta`.

    Parameters
    ----------
    effect : float
        :math:`\beta`.
    base_share : float
        :math:`h_0`.
    eligible_share : float
        :math:`\omega`.
    displacement : float
        :math:`d`.

    Examples
    --------
    >>> world = Unbounded(displacement=1.0)
    >>> float(world.net(0.5))
    0.0
    >>> float(world.mean(0.0, assigned=True).round(3))
    0.45
    """

    effect: float = 0.5
    base_share: float = 0.3
    eligible_share: float = 0.5
    displacement: float = 0.7

    def __post_init__(self) -> None:
        if self.effect <= -1:
            raise bad("effect", "more than -1", str(self.effect))
        for name in ("eligible_share", "displacement", "base_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise bad(name, "a share from 0 to 1", str(getattr(self, name)))
        if (1 + self.effect) * self.base_share > 1:
            raise bad("effect", "chances of at most 1", f"{(1 + self.effect) * self.base_share:g}")

    def mean(self, saturation: ArrayLike, *, assigned: bool) -> Floats:
        r""":math:`\mu(z,p)`; shape of the saturations."""
        helped = 1 + self.effect * assigned
        return np.asarray(
            helped * self.base_share * self._effort(saturation) ** (-self.displacement)
        )

    def hires(self, saturation: ArrayLike) -> Floats:
        """Hires per seeker of the market."""
        return np.asarray(self.base_share * self._effort(saturation) ** (1 - self.displacement))

    def net(self, saturation: ArrayLike) -> Floats:
        """Jobs of the market per 100 assigned, and its limit where nobody is."""
        p = np.asarray(saturation, dtype=float)
        helped = self.eligible_share * p
        limit = 100 * (1 - self.displacement) * self.effect * self.base_share
        some = np.where(helped > 0, helped, 1.0)
        return np.where(helped > 0, 100 * (self.hires(p) - self.base_share) / some, limit)

    def draw(self, rng: np.random.Generator, *, saturation: Floats, treated: Floats) -> Floats:
        """Independent outcomes, 0 or 1, of persons of these saturations and arms."""
        one, zero = (self.mean(saturation, assigned=told) for told in (True, False))
        chance = np.where(np.asarray(treated) == 1, one, zero)
        return (rng.random(chance.size) < chance).astype(np.float64)

    def _effort(self, saturation: ArrayLike) -> Floats:
        share = self.eligible_share * np.asarray(saturation, dtype=float)
        return 1 + self.effect * share
