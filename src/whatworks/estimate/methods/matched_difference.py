r"""Difference between those who entered and their matches.

Estimand
--------
Average effect on the treated of starting now rather than not (yet), by month since entry.

Equation
--------
.. math::

    \hat\tau = \sum_i w_i y_i - \sum_j v_j y_j - (\bar x_w - \bar x_v)'\hat\beta,
    \qquad v_j = \sum_i w_i s_{ij}

:math:`s_{ij}` is the part of comparison :math:`j` among the matches of :math:`i`; the last term, with
``bias_adjust``, removes what differences of covariates left by matching explain.

Identification
--------------
Given the covariates and the calendar month, who enters is unrelated to what would have become of
them otherwise; every treated person has comparisons within reach (overlap); what some are given
takes nothing from the others (no displacement).

Inference
---------
``errors="person"`` (or ``"market"``): influence of each unit around the regression of comparisons on
covariates, summed by person (or market), so that a comparison used several times, and a person met
in several months, count once; factor G/(G−1). ``errors="abadie_imbens"``: the variance of Abadie and
Imbens (2006) for independent units. Sampling weights enter both. The propensity is treated as
known, which overstates the variance on average (Abadie & Imbens 2016).

Edge cases
----------
A unit without outcome in a month is left out of that month, and its matched set brought back to
one. A month with fewer than two treated or comparison persons has NaN standard errors. Outcomes
that do not vary have NaN standard errors, intervals and p-values.

References
----------
Abadie & Imbens (2006), doi:10.1111/j.1468-0262.2006.00655.x; (2011), doi:10.1198/jbes.2009.07333;
(2016), doi:10.3982/ECTA11293. Sianesi (2004), doi:10.1162/003465304323023723.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.stats.matching import MatchedSets, abadie_imbens, matched_effect
from whatworks.stats.neighbours import whiten
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty, cluster_sums
from whatworks.vocabulary import (
    MARKET,
    MATCH,
    PERSON,
    SAMPLING,
    TREATED,
    UNIT,
    WEIGHT,
    Supply,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedDifference:
    """Difference between those who entered and their matches, by month since entry.

    Parameters
    ----------
    bias_adjust : bool
        Remove by regression what matching left of covariate differences.
    errors : str
        ``"person"``, ``"market"`` or ``"abadie_imbens"``.

    Examples
    --------
    >>> MatchedDifference(bias_adjust=True).errors
    'person'
    """

    bias_adjust: bool = False
    errors: Literal["person", "market", "abadie_imbens"] = "person"

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MATCHES})

    def __post_init__(self) -> None:
        choice(self.errors, ("person", "market", "abadie_imbens"), what="errors")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            Matched.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            One row per month, term ``att``.

        Raises
        ------
        DesignRefused
            When the design has no matches, or its units are not independent and
            ``errors="abadie_imbens"``.
        """
        extra = {"abadie_imbens": {Supply.INDEPENDENT_UNITS}, "market": {Supply.MARKETS}}
        require(design, self.needs | extra.get(self.errors, set()), method="MatchedDifference")
        if self.errors == "abadie_imbens" and not design.covariates:
            raise DesignRefused(
                what="errors='abadie_imbens'",
                needed="covariates, by which neighbours of the same arm are found",
                found="a design without any",
                remedy="choose errors='person', or name covariates",
            )
        months = _Months.of(design)
        effect = np.full(len(design.outcomes.months), np.nan)
        influence = np.full(design.outcomes.values.shape, 0.0)
        covariance = np.full((effect.size, effect.size), np.nan)
        counts = np.zeros((effect.size, 2), dtype=np.int64)
        for pattern, columns in months.patterns():
            sets = months.sets.restricted(pattern)
            values = np.where(pattern[:, None], design.outcomes.values[:, columns], 0.0)
            if not sets.treated.size:
                continue
            found = matched_effect(values, months.covariates, sets, bias_adjust=self.bias_adjust)
            effect[columns] = found.effect
            counts[columns] = np.unique(sets.treated).size, np.unique(sets.comparison).size
            influence[:, columns] = found.influence
            if self.errors == "abadie_imbens":
                covariance[np.ix_(columns, columns)] = abadie_imbens(
                    values,
                    months.whitened,
                    sets,
                    bias_adjust=self.bias_adjust,
                    observed=pattern,
                )
        uncertainty = self._uncertainty(design, influence, covariance)
        terms = [
            {
                "term": "att",
                "cohort": -1,
                "month": m,
                "group": "all",
                "n_treated": int(t),
                "n_comparison": int(c),
            }
            for m, t, c in zip(design.outcomes.months, *counts.T, strict=True)
        ]
        matrix = uncertainty.covariance()
        return Estimate(
            method="MatchedDifference",
            options=asdict(self),
            effects=effects_table(terms, effect, matrix, unit=design.outcomes.unit),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )

    def _uncertainty(self, design: Design, influence: Floats, covariance: Floats) -> Uncertainty:
        if self.errors == "abadie_imbens":
            return Covariance(matrix=covariance)
        column = design.units[PERSON if self.errors == "person" else MARKET]
        labels = np.unique(column.to_numpy(), return_inverse=True)[1].astype(np.int64)
        sums, names = cluster_sums(influence, labels)
        factor = names.size / (names.size - 1) if names.size > 1 else float("nan")
        return Influence(values=sums, cluster=names, factor=factor, level=self.errors)


@dataclass(frozen=True, slots=True)
class _Months:
    """A matched design as arrays."""

    sets: MatchedSets
    covariates: Floats
    observed: NDArray[np.bool_]
    whitened: Floats

    @classmethod
    def of(cls, design: Design) -> _Months:
        if design.matches is None:
            raise AssertionError("a design that supplies matches has none")
        units = design.units
        covariates = units[list(design.covariates)].to_numpy(dtype=float)
        sets = MatchedSets(
            treated=design.matches[UNIT].to_numpy(),
            comparison=design.matches[MATCH].to_numpy(),
            part=design.matches[WEIGHT].to_numpy(),
            weight=units[SAMPLING].to_numpy(),
            is_treated=units[TREATED].to_numpy(),
        )
        return cls(
            sets=sets,
            covariates=covariates,
            observed=~np.isnan(design.outcomes.values),
            whitened=whiten(covariates, weight=np.ones(len(units))),
        )

    def patterns(self) -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
        """Months grouped by which units are observed in them."""
        groups: dict[bytes, list[int]] = {}
        for month, column in enumerate(self.observed.T):
            groups.setdefault(np.packbits(column).tobytes(), []).append(month)
        return [(self.observed[:, months[0]], np.array(months)) for months in groups.values()]
