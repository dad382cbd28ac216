r"""Kernel matching: each treated unit against all untreated, the nearer the heavier.

Estimand
--------
ATT, ATC or ATE, over units with somebody within reach of the kernel.

Equation
--------
:math:`s_{ij} = w_j K(d_{ij}/h) / \sum_l w_l K(d_{il}/h)` with w the sampling weights, and
:math:`K(u)=e^{-u^2/2}` (``gaussian``) or :math:`(1-u^2)_+` (``epanechnikov``).

Edge cases
----------
With ``epanechnikov``, units with nobody within a bandwidth are left out and counted; with ``gaussian``
everyone has comparisons, so confine units to the common support (``Propensity(discard=...)``). When pairs
are too many to be listed the design has weights and no matches: estimate with a weighted difference.

References
----------
Heckman, Ichimura & Todd (1997), doi:10.2307/2971733; (1998), doi:10.1111/1467-937X.00044.
Becker & Ichino (2002), doi:10.1177/1536867X0200200403.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from whatworks.design.choosing.near_options import near_options
from whatworks.design.choosing.nearness import Metric, Nearness
from whatworks.design.choosing.smoothing import chosen_smooth
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError, choice
from whatworks.options import typed


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelMatching:
    """All comparisons of the same calendar month, weighted by nearness.

    Parameters
    ----------
    kernel : str
        ``"epanechnikov"`` or ``"gaussian"``.
    bandwidth : float
        In the unit of the distance: by default that of a probability.
    metric, calipers, exact, propensity
        As in `NearestNeighbours`.

    Raises
    ------
    OptionError
        On an unknown kernel or metric, or a bandwidth not above 0.
    DesignRefused
        From ``choose``: when nobody has a comparison within reach.

    Examples
    --------
    >>> KernelMatching(kernel="gaussian").bandwidth
    0.06
    """

    kernel: Literal["epanechnikov", "gaussian"] = "epanechnikov"
    bandwidth: float = 0.06
    metric: Metric = "propensity"
    calipers: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    propensity: Any = None

    def __post_init__(self) -> None:
        typed(self)
        choice(self.kernel, ("epanechnikov", "gaussian"), what="kernel")
        if not self.bandwidth > 0:
            raise OptionError(
                what="bandwidth",
                needed="a number above 0",
                found=str(self.bandwidth),
                remedy="write for instance bandwidth=0.06",
            )
        near = self._nearness()
        object.__setattr__(self, "exact", near.exact)
        object.__setattr__(self, "calipers", near.calipers)
        object.__setattr__(self, "propensity", near.propensity)

    def _nearness(self) -> Nearness:
        return near_options(
            metric=self.metric,
            on=(),
            caliper_sd=None,
            calipers=self.calipers,
            exact=self.exact,
            propensity=self.propensity,
        )

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        return chosen_smooth(
            candidates,
            self._nearness().measure(candidates),
            kernel=self.kernel,
            bandwidth=self.bandwidth,
        )
