r"""Radius matching: each treated unit against every untreated within a declared distance.

Estimand
--------
ATT, ATC or ATE, over units with somebody within the radius.

Equation
--------
:math:`s_{ij} = w_j 1\{d_{ij}\le r\} / \sum_l w_l 1\{d_{il}\le r\}` with w the sampling weights.

Edge cases
----------
Units with nobody within the radius are left out and counted. When pairs are too many to be listed the
design has weights and no matches: estimate with a weighted difference.

References
----------
Dehejia & Wahba (2002), doi:10.1162/003465302317331982.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from whatworks.design.choosing.near_options import near_options
from whatworks.design.choosing.nearness import Caliper, Metric, Nearness, as_calipers
from whatworks.design.choosing.smoothing import chosen_smooth
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError
from whatworks.options import typed

FIFTH: Final = Caliper(sd=0.2)
"""A fifth of a standard deviation of the log-odds (Austin 2011, doi:10.1002/pst.433)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiusMatching:
    """All comparisons of the same calendar month within a distance, by their sampling weights.

    Parameters
    ----------
    radius : Caliper
        Greatest distance, in its own unit (``width``) or in standard deviations (``sd``).
    metric, on, calipers, exact, propensity
        As in `NearestNeighbours`.

    Raises
    ------
    OptionError
        On an unknown metric or a radius of something else than the distance.
    DesignRefused
        From ``choose``: when nobody has a comparison within the radius.

    Examples
    --------
    >>> RadiusMatching(radius=Caliper(width=0.01), metric="propensity").radius.width
    0.01
    """

    radius: Any = FIFTH
    metric: Metric = "linear_propensity"
    on: tuple[str, ...] = ()
    calipers: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    propensity: Any = None

    def __post_init__(self) -> None:
        typed(self)
        (radius,) = as_calipers((self.radius,))
        if not isinstance(radius, Caliper) or radius.of != FIFTH.of:
            raise OptionError(
                what="radius",
                needed="a width or sd of the distance itself",
                found=repr(radius),
                remedy="write Caliper(sd=0.2), and confine covariates with calipers",
            )
        object.__setattr__(self, "radius", radius)
        near = self._nearness()
        object.__setattr__(self, "on", near.on)
        object.__setattr__(self, "exact", near.exact)
        object.__setattr__(self, "calipers", near.calipers[1:])
        object.__setattr__(self, "propensity", near.propensity)

    def _nearness(self) -> Nearness:
        return near_options(
            metric=self.metric,
            on=self.on,
            caliper_sd=None,
            calipers=(self.radius, *self.calipers),
            exact=self.exact,
            propensity=self.propensity,
        )

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        measured = self._nearness().measure(candidates)
        # Where all score the same the radius is 0 but for rounding, and everyone is within it.
        least = 1e-12 * max(1.0, float(np.nanmax(np.abs(measured.points))))
        reach = max(measured.caliper, least)
        return chosen_smooth(candidates, measured, kernel="uniform", bandwidth=reach)
