r"""Direct, spillover and total effects of a two-stage randomised saturation.

Estimand
--------
At each share :math:`t` of a market assigned: DE(t), assigned against unassigned of the same markets;
SNT(t), unassigned of those markets against pure-control markets; TT(t) = DE(t) + SNT(t), assigned
against pure control. Pooled over positive shares, then by share.

Equation
--------
.. math:: Y_i = \alpha + \sum_t \delta_t 1\{p_c=t\} + \sum_t \beta_t Z_i 1\{p_c=t\}
              + X_i'\gamma + \mu_{s(c)} + u_i

by least squares (through ``linearmodels``), with weights where the design has them;
:math:`\beta_t` = DE(t), :math:`\delta_t` = SNT(t). The pooled regression has one :math:`\beta` and one
:math:`\delta`.

Identification
--------------
Shares drawn at random between markets, some of them zero; assignment drawn at random within; no
market's outcome depends on another's assignment. The share is the design's, never the sample's.

Inference
---------
Clustered by market, where the share is drawn: CR1, factor
:math:`\frac{G}{G-1}\frac{n-1}{n-k}`, Student's t with G−1 degrees of freedom.

Edge cases
----------
A share at which no unassigned unit is observed identifies its total only. Without pure-control
markets the design is refused: the direct effect alone would count as gains what others lose.
Fewer than three markets at zero or at positive shares: refused. Outcomes that do not vary have NaN
standard errors.

References
----------
Crépon, Duflo, Gurgand, Rathelot & Zamora (2013), doi:10.1093/qje/qjt001. Baird, Bohren, McIntosh &
Özler (2018), doi:10.1162/REST_a_00716.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from linearmodels.iv import IV2SLS
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.stats.saturation import Contrast, contrast
from whatworks.stats.uncertainty import Influence, cluster_sums
from whatworks.vocabulary import MARKET, SATURATION, STRATUM, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]

FEWEST_MARKETS = 3
"""Markets with a zero share, and with a positive one, below which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationContrast:
    """Direct, spillover and total effects, pooled and by saturation.

    Parameters
    ----------
    by_saturation : bool
        Report each positive share beside the pooled effects.

    Examples
    --------
    >>> SaturationContrast().by_saturation
    True
    """

    by_saturation: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MARKETS, Supply.SATURATION})

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate by least squares, clustered by market.

        Parameters
        ----------
        design : Design
            With markets and the share assigned in each by design.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Terms ``direct``, ``spillover``, ``total``; ``group`` is ``all`` or the share.

        Raises
        ------
        DesignRefused
            Without markets, saturations, pure-control markets, or enough of them.
        """
        require(design, self.needs, method="SaturationContrast")
        units = design.units
        market = np.unique(units[MARKET].to_numpy(), return_inverse=True)[1].astype(np.int64)
        saturation = units[SATURATION].to_numpy()
        _enough_markets(market, saturation)
        treated = units[TREATED].to_numpy()
        contrasts = [contrast(treated, saturation, pooled=True)]
        if self.by_saturation:
            contrasts.append(contrast(treated, saturation, pooled=False))
        controls = _controls(design)
        month = design.outcomes.months[-1]
        fits = [_fit(design, c, controls, market) for c in contrasts]
        effect = np.concatenate([f[0] for f in fits])
        factors = [f[2] for f in fits]
        # One influence for all terms: each regression's own factor goes into its columns.
        influence = np.concatenate(
            [f[1] * np.sqrt(factor) for f, factor in zip(fits, factors, strict=True)], axis=1
        )
        uncertainty = Influence(values=influence, cluster=np.unique(market))
        terms = [
            _term(name, group, month, treated, saturation)
            for c in contrasts
            for name, group in zip(c.terms, c.groups, strict=True)
        ]
        return Estimate(
            method="SaturationContrast",
            options=asdict(self),
            effects=effects_table(
                terms,
                effect,
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                df=float(np.unique(market).size - 1),
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )


def _enough_markets(market: NDArray[np.int64], saturation: Floats) -> None:
    """Refuse what cannot be answered: one share per market, some zero, some positive."""
    shares = np.full(int(market.max()) + 1, np.nan)
    shares[market] = saturation
    if not np.array_equal(shares[market], saturation):
        raise DesignRefused(
            what="SaturationContrast",
            needed="one saturation per market",
            found="markets with several",
            remedy="give the share the design drew for each market",
        )
    n_zero, n_positive = int((shares == 0).sum()), int((shares > 0).sum())
    if min(n_zero, n_positive) < FEWEST_MARKETS:
        raise DesignRefused(
            what="SaturationContrast",
            needed=f"at least {FEWEST_MARKETS} markets without anyone assigned, and as many with",
            found=f"{n_zero} without and {n_positive} with",
            remedy="bring pure-control markets: without them what others lose counts as a gain",
        )


def _controls(design: Design) -> Floats:
    """Constant, covariates and indicators of strata but the first."""
    units = design.units
    columns = [np.ones((len(units), 1)), units[list(design.covariates)].to_numpy(dtype=float)]
    if units[STRATUM].notna().all():
        names, place = np.unique(units[STRATUM].to_numpy(), return_inverse=True)
        columns.append(np.eye(names.size)[place][:, 1:])
    return np.column_stack(columns)


def _fit(
    design: Design, exposure: Contrast, controls: Floats, market: NDArray[np.int64]
) -> tuple[Floats, Floats, float]:
    """Effects, influence by market, and the CR1 factor, of one regression."""
    x = np.column_stack([exposure.columns, controls])
    y = design.outcomes.values[:, -1]
    weight = design.units[WEIGHT].to_numpy()
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise DesignRefused(
            what="SaturationContrast",
            needed="covariates and strata that do not determine exposure",
            found="collinear columns",
            remedy="leave out covariates constant within saturations",
        )
    fit = IV2SLS(y, x, None, None, weights=weight).fit(cov_type="unadjusted")
    coefficients = fit.params.to_numpy()
    residual = y - x @ coefficients
    residual[np.abs(residual) < 1e-12 * np.abs(y).max()] = 0.0
    bread = np.linalg.inv(x.T @ (x * weight[:, None]))
    scores, names = cluster_sums(x * (weight * residual)[:, None], market)
    k = exposure.columns.shape[1]
    influence = scores @ bread[:, :k] @ exposure.forms.T
    n, g = y.size, names.size
    factor = g / (g - 1) * (n - 1) / (n - x.shape[1])
    return exposure.forms @ coefficients[:k], influence, factor


def _term(
    name: str, group: str, month: int, treated: NDArray[np.bool_], saturation: Floats
) -> dict[str, Any]:
    """Row labels with the units each contrast compares."""
    here = saturation > 0 if group == "all" else saturation == float(group)
    arms = {
        "direct": (here & treated, here & ~treated),
        "spillover": (here & ~treated, saturation == 0),
        "total": (here & treated, saturation == 0),
    }[name]
    return {
        "term": name,
        "cohort": -1,
        "month": month,
        "group": group,
        "n_treated": int(arms[0].sum()),
        "n_comparison": int(arms[1].sum()),
    }
