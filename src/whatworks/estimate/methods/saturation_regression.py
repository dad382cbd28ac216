r"""Direct, spillover and total effects of a two-stage randomised saturation.

Estimand
--------
At each share :math:`t` of a market assigned: DE(t), assigned against unassigned of the same markets;
SNT(t), unassigned of those markets against pure-control markets; TT(t) = DE(t) + SNT(t), assigned
against pure control. First their averages over shares, each share weighing as its number of
markets; then by share; then the pooled regression that papers print.

Equation
--------
.. math:: Y_i = \alpha + \sum_t \delta_t 1\{p_c=t\} + \sum_t \beta_t Z_i 1\{p_c=t\}
              + X_i'\gamma + \mu_{s(c)} + u_i

by least squares (through ``linearmodels``), with weights where the design has them;
:math:`\beta_t` = DE(t), :math:`\delta_t` = SNT(t). Averages (group ``all``) weigh shares by their number
of markets. The pooled regression (group ``pooled``) has one :math:`\beta` and one :math:`\delta`; because
treated units come mostly from high shares and untreated ones from low shares, they are not averages
of DE(t) and SNT(t) when spillovers differ by share.

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
A share at which one arm alone is observed identifies its total, or its spillover, only. Without pure-control
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
from whatworks.options import typed
from whatworks.stats.displacement.contrasts import Contrast, average, pooled, saturated
from whatworks.stats.uncertainty import Influence, cluster_sums
from whatworks.vocabulary import MARKET, SATURATION, STRATUM, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]

FEWEST_MARKETS = 3
"""Markets with a zero share, and with a positive one, below which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationRegression:
    """Direct, spillover and total effects, on average, by saturation and pooled.

    Parameters
    ----------
    pooled_regression : bool
        Report the pooled regression too, as the published trials do.

    Examples
    --------
    >>> SaturationRegression().pooled_regression
    True
    """

    pooled_regression: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MARKETS, Supply.SATURATION})

    def __post_init__(self) -> None:
        typed(self)

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
        require(design, self.needs, method="SaturationRegression")
        units = design.units
        market = np.unique(units[MARKET].to_numpy(), return_inverse=True)[1].astype(np.int64)
        saturation = units[SATURATION].to_numpy()
        _enough_markets(market, saturation)
        treated = units[TREATED].to_numpy()
        _as_designed(treated, saturation)
        controls = _controls(design)
        by_share = saturated(treated, saturation)
        forms, names = average(by_share, markets=_markets_of(market, saturation))
        reads = [_Read(by_share, np.vstack([forms, by_share.forms]))]
        labels = [(name, "all", saturation > 0) for name in names]
        labels += [
            (name, format(level, ".6g"), saturation == level)
            for name, level in zip(by_share.terms, by_share.levels, strict=True)
        ]
        if self.pooled_regression:
            one = pooled(treated, saturation)
            reads.append(_Read(one, one.forms))
            labels += [(name, "pooled", saturation > 0) for name in one.terms]
        fits = [_fit(design, read, controls, market) for read in reads]
        effect = np.concatenate([f.effect for f in fits])
        # Each regression spends its own degrees of freedom: its factor goes into its columns.
        influence = np.concatenate([f.influence * np.sqrt(f.factor) for f in fits], axis=1)
        uncertainty = Influence(values=influence, cluster=np.unique(market), level="market")
        month = design.outcomes.months[-1]
        terms = [
            _term(name, group, month, treated, here, saturation == 0)
            for name, group, here in labels
        ]
        return Estimate(
            method="SaturationRegression",
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
            what="SaturationRegression",
            needed="one saturation per market",
            found="markets with several",
            remedy="give the share the design drew for each market",
        )
    n_zero, n_positive = int((shares == 0).sum()), int((shares > 0).sum())
    if min(n_zero, n_positive) < FEWEST_MARKETS:
        raise DesignRefused(
            what="SaturationRegression",
            needed=f"at least {FEWEST_MARKETS} markets without anyone assigned, and as many with",
            found=f"{n_zero} without and {n_positive} with",
            remedy="bring pure-control markets: without them what others lose counts as a gain",
        )


def _as_designed(treated: NDArray[np.bool_], saturation: Floats) -> None:
    """Refuse shares that are not shares, and assigned units where the design assigned nobody."""
    if not ((saturation >= 0) & (saturation <= 1)).all():
        raise DesignRefused(
            what="SaturationRegression",
            needed="saturations from 0 to 1",
            found="values outside",
            remedy="divide percentages by 100",
        )
    stray = int((treated & (saturation == 0)).sum())
    if stray:
        raise DesignRefused(
            what="SaturationRegression",
            needed="nobody assigned where the share is zero",
            found=f"{stray} assigned units in such markets",
            remedy="use assignment, not take-up, as the treatment; correct the share of those markets",
        )


def _markets_of(market: NDArray[np.int64], saturation: Floats) -> dict[float, int]:
    """Number of markets at each positive share."""
    return {
        float(t): int(np.unique(market[saturation == t]).size)
        for t in np.unique(saturation[saturation > 0])
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """A regression's exposure columns and the forms read off it."""

    exposure: Contrast
    forms: Floats


@dataclass(frozen=True, slots=True)
class _Fit:
    effect: Floats
    influence: Floats
    factor: float


def _controls(design: Design) -> Floats:
    """Constant, covariates and indicators of strata but the first."""
    units = design.units
    columns = [np.ones((len(units), 1)), units[list(design.covariates)].to_numpy(dtype=float)]
    if units[STRATUM].notna().all():
        names, place = np.unique(units[STRATUM].to_numpy(), return_inverse=True)
        columns.append(np.eye(names.size)[place][:, 1:])
    return np.column_stack(columns)


def _fit(design: Design, read: _Read, controls: Floats, market: NDArray[np.int64]) -> _Fit:
    """Effects, influence by market, and the CR1 factor, of one regression."""
    x = np.column_stack([read.exposure.columns, controls])
    y = design.outcomes.values[:, -1]
    weight = design.units[WEIGHT].to_numpy()
    spread = x.std(axis=0)
    scaled = np.where(spread > 0, (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1), 1.0)
    if np.linalg.matrix_rank(scaled) < x.shape[1]:
        raise DesignRefused(
            what="SaturationRegression",
            needed="covariates and strata that do not determine exposure",
            found="collinear columns",
            remedy="leave out covariates constant within saturations, or merge strata",
        )
    fit = IV2SLS(y, x, None, None, weights=weight).fit(cov_type="unadjusted")
    coefficients = fit.params.to_numpy()
    residual = y - x @ coefficients
    residual[np.abs(residual) < 1e-12 * np.abs(y).max()] = 0.0
    bread = np.linalg.inv(x.T @ (x * weight[:, None]))
    scores, names = cluster_sums(x * (weight * residual)[:, None], market)
    k = read.exposure.columns.shape[1]
    n, g = y.size, names.size
    return _Fit(
        effect=read.forms @ coefficients[:k],
        influence=scores @ bread[:, :k] @ read.forms.T,
        factor=g / (g - 1) * (n - 1) / (n - x.shape[1]),
    )


def _term(
    name: str,
    group: str,
    month: int,
    treated: NDArray[np.bool_],
    here: NDArray[np.bool_],
    control: NDArray[np.bool_],
) -> dict[str, Any]:
    """Row labels with the units each contrast compares."""
    arms = {
        "direct": (here & treated, here & ~treated),
        "spillover": (here & ~treated, control),
        "total": (here & treated, control),
    }[name]
    return {
        "term": name,
        "cohort": -1,
        "month": month,
        "group": group,
        "n_treated": int(arms[0].sum()),
        "n_comparison": int(arms[1].sum()),
    }
