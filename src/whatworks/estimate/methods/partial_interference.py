r"""Effects of help, and of how many are helped, in small groups observed whole: help that nobody drew.

Estimand
--------
:math:`\mu(z,\alpha)`, the mean outcome of arm :math:`z` were each other member of the group treated with
chance :math:`\alpha`. In the terms of the house, with :math:`\alpha` in the place of the share:
``direct`` :math:`\mu(1,\alpha)-\mu(0,\alpha)`; where some groups have nobody treated, ``spillover``
:math:`\mu(0,\alpha)-\mu(0,0)`, ``total`` and ``overall``. The literature's direct effect is minus ours. The
indirect effect between any two policies is a difference of two cells of the responses.

Equation
--------
.. math:: \hat\mu(z,\alpha)=\frac1C\sum_c\frac1{n_c}\sum_{i\in c}
          \Big[\hat m_i(z,\alpha)+\frac{\pi(Z_{-i};\alpha)1\{Z_i=z\}}{\hat f(Z_c|X_c)}
          \{Y_i-\hat m_i(Z_i,g_i)\}\Big]

(`stats.displacement.group_weights`), :math:`f` a logit for each person given covariates, with or without an
intercept that a group shares (`stats.displacement.group_law`). ``means="hajek"`` has no regression and
divides by the weights; ``"horvitz_thompson"`` divides by the number of groups.

Identification
--------------
People act on each other within their group only; all members are seen. Given covariates, and what groups
share, who is treated in a group is by chance; every way of treating a group could happen. Doubly robust:
either the law of treatment or the regression is right.

Inference
---------
M-estimation: influence by group, which carries that of the law's coefficients and of the regression; what
a group strayed from a weighted mean is divided by one less its part of the weight. Factor
:math:`C/(C-1)`, Student's t with C−1 degrees of freedom. In simulations intervals of direct effects hold
the truth 91 to 93 times in 100 with 400 groups, and 94 to 96 with 1,000 or more: few groups carry most of
the weight of policies far from the shares seen.

Edge cases
----------
Groups of more than 15 are refused: weights are products over members, and collapse. So are policies
beyond the shares seen, and fewer than 20 groups. Read ``weights`` in the extras: groups that would weigh
alike to as much. Weights of units must be whole numbers, so many members alike. Members whose outcome is
not seen count among those treated or not, and not in means.

References
----------
Tchetgen Tchetgen & VanderWeele (2012), doi:10.1177/0962280210386779; Liu & Hudgens (2014),
doi:10.1080/01621459.2013.844698; Liu, Hudgens & Becker-Dreps (2016), doi:10.1093/biomet/asw047; Liu,
Hudgens, Saul, Clemens, Ali & Emch (2019), doi:10.1002/sta4.214.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.reading import coded
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    UNASSIGNED,
    Responses,
    estimate_of_responses,
)
from whatworks.options import typed
from whatworks.stats.displacement.common_support import nearest
from whatworks.stats.displacement.group_law import GroupLaw, Members, fit_groups
from whatworks.stats.displacement.group_weights import (
    MEANS,
    Means,
    PolicyMeans,
    policy_means,
    predicted,
)
from whatworks.stats.uncertainty import Influence, factor_of_clusters
from whatworks.vocabulary import MARKET, TREATED, WEIGHT, Supply, Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST: Final = 15
"""Members beyond which weights of a group, products over its members, tell nothing."""
FEWEST_GROUPS: Final = 20
FEWEST_WITHOUT: Final = 5
"""Groups with nobody treated for the policy that treats nobody to be told."""
QUANTILES: Final = (0.25, 0.5, 0.75)
"""Of the shares of groups treated, at which responses are told when none are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialInterference:
    """Responses to policies that treat each member with some chance, in small groups.

    Parameters
    ----------
    policies : tuple of float
        Chances of treatment from 0 to below 1; by default quartiles of the shares of groups treated,
        rounded to a hundredth, and 0 where some groups have nobody treated.
    means : str
        ``"doubly_robust"``, ``"hajek"`` or ``"horvitz_thompson"``.
    shared_intercept : bool
        Whether groups have an intercept of their own, normal, in the law of treatment.
    weigh : str
        Each group counts as its members (``"persons"``) or all alike (``"markets"``): two estimands.

    Examples
    --------
    >>> PartialInterference(policies=(0.0, 0.3)).means
    'doubly_robust'
    """

    policies: tuple[float, ...] = ()
    means: Means = "doubly_robust"
    shared_intercept: bool = False
    weigh: Literal["persons", "markets"] = "persons"

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MARKETS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.means, MEANS, what="means")
        choice(self.weigh, ("persons", "markets"), what="weigh")
        asked = np.array(self.policies, dtype=float)
        if not ((asked >= 0) & (asked < 1)).all() or np.unique(asked).size < asked.size:
            raise OptionError(
                what="PartialInterference(policies=...)",
                needed="distinct chances from 0 to below 1",
                found=str(self.policies),
                remedy="write for instance policies=(0.0, 0.25, 0.5)",
            )
        if asked.size and not (asked > 0).any():
            raise OptionError(
                what="PartialInterference(policies=...)",
                needed="a chance above 0",
                found="0 alone",
                remedy="write for instance policies=(0.0, 0.25, 0.5)",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate responses at every month of the design.

        Parameters
        ----------
        design : Design
            Whose markets are small groups, seen whole.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            As `estimate_of_responses`. Extras: ``weights`` (by policy and arm, groups that would weigh
            alike to as much) and ``group_spread``, the standard deviation of what groups share.

        Raises
        ------
        DisplacementRefused
            ``MARKET_SIZE``, ``TOO_FEW_MARKETS``, ``EXTRAPOLATED_P``, ``NO_SATURATION_VARIATION``.
        DesignRefused
            When weights are not whole numbers, or covariates tell who is treated without error.
        """
        require(design, self.needs, method="PartialInterference")
        members, n_of = _members(design)
        share = np.bincount(members.group, members.count * members.treated) / n_of
        policies = _policies(self, share)
        law = fit_groups(members, shared=self.shared_intercept)
        if not law.fitted.converged:
            raise DesignRefused(
                what="who is treated in groups",
                needed="people whom covariates cannot tell apart without error",
                found="a law of treatment without a maximum",
                remedy="leave out the covariate that decides treatment, or merge its rare levels",
            )
        cells = [
            cell
            for month in design.outcomes.months
            for cell in _cells(self, design, law, policies, month)
        ]
        groups = nearest(share, policies[policies > 0])
        count = np.bincount(groups, minlength=int((policies > 0).sum())).astype(float)
        return estimate_of_responses(
            _responses(cells, members, dict(zip(policies[policies > 0], count, strict=True))),
            method="PartialInterference",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=design.ledger,
            extras={
                "weights": pd.DataFrame(
                    {
                        "arm": [c.arm for c in cells],
                        "policy": [c.policy for c in cells],
                        "month": [c.month for c in cells],
                        "n_groups": [c.n_groups for c in cells],
                        "effective_groups": [c.effective for c in cells],
                    }
                ),
                "group_spread": law.spread,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    arm: str
    policy: float
    month: int
    mean: float
    influence: Floats
    n_units: int
    n_groups: int
    effective: float


def _members(design: Design) -> tuple[Members, Floats]:
    """People by group, and how many each group has."""
    units = design.units
    if units[MARKET].isna().any():
        raise DesignRefused(
            what="PartialInterference",
            needed="a group for every unit",
            found=f"{int(units[MARKET].isna().sum())} units without",
            remedy="say who competes with whom, with market=",
        )
    names, group = coded(units[MARKET])
    count = units[WEIGHT].to_numpy(dtype=float)
    if not np.array_equal(count, np.round(count)):
        raise DesignRefused(
            what="PartialInterference",
            needed="weights that are whole numbers, so many members alike",
            found=f"{int((count != np.round(count)).sum())} others",
            remedy="bring groups with all of their members, without sampling weights",
        )
    size = np.bincount(group, count, names.size).astype(float)
    if size.max() > LARGEST:
        raise DisplacementRefused(
            code=Unidentified.MARKET_SIZE,
            what="PartialInterference",
            needed=f"groups of at most {LARGEST} members, all of them seen",
            found=f"{int((size > LARGEST).sum())} of {names.size} groups larger, up to {size.max():.0f}",
            remedy="use SaturationScore for larger markets: weights that are products over members "
            "collapse there",
        )
    if names.size < FEWEST_GROUPS:
        raise DisplacementRefused(
            code=Unidentified.TOO_FEW_MARKETS,
            what="PartialInterference",
            needed=f"at least {FEWEST_GROUPS} groups",
            found=f"{names.size}",
            remedy="bring further groups",
        )
    covariates = units[list(design.covariates)].to_numpy(dtype=float)
    centred = (
        covariates - np.average(covariates, axis=0, weights=count) if len(units) else covariates
    )
    spread = np.sqrt(np.average(centred**2, axis=0, weights=count))
    kept = spread > 1e-10 * np.abs(covariates).max(axis=0, initial=0.0)
    members = Members(
        regressors=np.column_stack([np.ones(len(units)), centred[:, kept] / spread[kept]]),
        treated=units[TREATED].to_numpy(),
        group=group,
        count=count,
        n_groups=names.size,
    )
    return members, size


def _policies(asked: PartialInterference, share: Floats) -> Floats:
    """Chances of treatment to tell responses at, increasing, within the shares seen."""
    none = int((share == 0).sum())
    low, high = float(share.min()), float(share.max())
    if low == high:
        raise DisplacementRefused(
            code=Unidentified.NO_SATURATION_VARIATION,
            what="PartialInterference",
            needed="groups treated to different shares",
            found=f"{share.size} groups, all of one share",
            remedy="bring groups of which more, or fewer, are treated",
        )
    if not asked.policies:
        told = np.round(np.quantile(share, QUANTILES), 2)
        told = np.unique(told[(told >= low) & (told <= high) & (told > 0) & (told < 1)])
        if not told.size:
            told = np.array([round(float(share[share > 0].mean()), 2)])
        return np.append(0.0, told) if none >= FEWEST_WITHOUT else told
    policies = np.sort(np.array(asked.policies, dtype=float))
    if policies[0] < low or policies[-1] > high:
        raise DisplacementRefused(
            code=Unidentified.EXTRAPOLATED_P,
            what="PartialInterference(policies=...)",
            needed=f"policies within the shares of groups treated, {low:.3g} to {high:.3g}",
            found=f"{policies[0]:g} to {policies[-1]:g}",
            remedy="ask for policies within them",
        )
    if policies[0] == 0 and none < FEWEST_WITHOUT:
        raise DisplacementRefused(
            code=Unidentified.NO_PURE_CONTROL,
            what="PartialInterference(policies=...)",
            needed=f"at least {FEWEST_WITHOUT} groups with nobody treated, for the policy 0",
            found=f"{none}",
            remedy="leave out the policy 0: direct effects can be told without",
        )
    return policies


def _cells(
    asked: PartialInterference, design: Design, law: GroupLaw, policies: Floats, month: int
) -> Iterator[_Cell]:
    """Both arms at one month, under every policy."""
    members, y = law.members, design.outcomes.at(month)
    seen = members.count * design.outcomes.counted(month)
    middle = 0.0
    if asked.means != "horvitz_thompson" and seen.any():  # which moves when outcomes are shifted
        middle = float(np.where(seen > 0, y, 0.0) @ seen / seen.sum())
    y = y - middle
    size = np.bincount(members.group, seen, members.n_groups).astype(float)
    weigh = size if asked.weigh == "persons" else np.ones(members.n_groups)
    model = predicted(y, members, seen=seen) if asked.means == "doubly_robust" else None
    for arm, treated in ((ASSIGNED, True), (UNASSIGNED, False)):
        here = (members.treated == treated) & (seen > 0)
        if not here.any():
            continue
        # Nobody is assigned under the policy that treats nobody.
        told = policies[policies > 0] if treated else policies
        found: PolicyMeans = policy_means(
            y,
            law,
            told,
            treated=treated,
            seen=seen,
            weigh=weigh,
            how=asked.means,
            model=model,
        )
        for k, policy in enumerate(told):
            yield _Cell(
                arm=arm,
                policy=float(policy),
                month=month,
                mean=float(found.mean[k]) + middle,
                influence=found.influence[:, k],
                n_units=int(here.sum()),
                n_groups=int(np.unique(members.group[here]).size),
                effective=float(found.effective[k]),
            )


def _responses(cells: list[_Cell], members: Members, weight: dict[float, float]) -> Responses:
    return Responses(
        arm=np.array([c.arm for c in cells], dtype=object),
        saturation=np.array([c.policy for c in cells]),
        month=np.array([c.month for c in cells], dtype=np.int64),
        group=np.array(["all"] * len(cells), dtype=object),
        mean=np.array([c.mean for c in cells]),
        n_units=np.array([c.n_units for c in cells], dtype=np.int64),
        n_markets=np.array([c.n_groups for c in cells], dtype=np.int64),
        uncertainty=Influence(
            values=np.column_stack([c.influence for c in cells]),
            cluster=np.arange(members.n_groups),
            factor=factor_of_clusters(members.n_groups),
            level="market",
        ),
        weight={float(p): w for p, w in weight.items()},
        df=float(members.n_groups - 1),
    )
