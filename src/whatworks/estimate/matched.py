"""What a matched design is to an estimator: who stands for whom, month by month of outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.clustered import ClusteredCurve
from whatworks.stats.distances import whiten
from whatworks.stats.matched_effects import (
    Regressions,
    matched_effect,
    matched_influence,
    regressions,
)
from whatworks.stats.matching import Links, MatchedPairs, MatchedSets, Matching, matching
from whatworks.stats.propensity_variance import EstimatedScore
from whatworks.vocabulary import (
    MARKET,
    MATCH,
    MATCHED_SET,
    PERSON,
    PROPENSITY,
    SAMPLING,
    TREATED,
    UNIT,
    WEIGHT,
    Estimand,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CLUSTERED: Final = ("person", "market", "matched_set")
"""Errors that sum influences by cluster; the others are variances of independent units."""


def shifted(values: Floats, which: Ints, used: Bools) -> Floats:
    """Outcomes less those of one unit: effects stay, and equal outcomes leave no rounding behind.

    Parameters
    ----------
    values : ndarray of shape (n, n_months)
    which : ndarray of int
        Months.
    used : ndarray of bool, shape (n,)
        Units that count; outcomes of the others become 0.
    """
    found = values[:, which]
    found -= values[np.argmax(used), which]
    found[~used] = 0.0
    return found


def everyone_followed(design: Design) -> bool:
    """Whether each unit stands for itself alone in every month."""
    weights = design.outcomes.weights
    return weights is None or bool((weights == 1).all())


@dataclass(frozen=True, slots=True)
class MatchedUnits:
    """A matched design as columns.

    Parameters
    ----------
    links : Links
    sought : ndarray of shape (n,)
        Sampling weight of units sought for, zero for others.
    arms : tuple of ndarray of bool
        Treated, and the others.
    covariates : ndarray of shape (n, k)
        Of the regressions; no column when the point rests on none and errors on sets.
    cluster : ndarray of int, shape (n,)
        From 0.
    score, points : ndarray or None, ndarray of shape (n, r)
        By which units of the same arm are near.
    estimated : EstimatedScore or None
    """

    links: Links
    sought: Floats
    arms: tuple[Bools, Bools]
    covariates: Floats
    cluster: Ints
    n_clusters: int
    score: Floats | None
    points: Floats
    estimated: EstimatedScore | None

    @classmethod
    def of(cls, design: Design, *, errors: str, bias_adjust: bool) -> MatchedUnits:
        """Columns that one choice of errors reads, of a design known to supply them.

        Raises
        ------
        DesignRefused
            When sets share units, or nothing tells which units of an arm are near.
        """
        units = design.units
        treated = units[TREATED].to_numpy()
        covariates = units[list(design.covariates)].to_numpy(dtype=float)
        links, sought = _links(design)
        score, points, estimated = None, covariates, None
        if errors not in CLUSTERED and not everyone_followed(design):
            raise DesignRefused(
                what=f"errors={errors!r}",
                needed="comparisons that are followed to the end",
                found="comparisons censored when they start, and weights for those who remain",
                remedy="choose errors='person', or ask with later_starts='keep'",
            )
        if errors not in CLUSTERED:
            score, points, estimated = _nearness(design, covariates, errors)
        names, cluster = np.unique(_labels(design, errors), return_inverse=True)
        return cls(
            links=links,
            sought=np.where(sought, units[SAMPLING].to_numpy(), 0.0),
            arms=(treated, ~treated),
            covariates=(
                covariates[:, :0] if errors == "matched_set" and not bias_adjust else covariates
            ),
            cluster=cluster.reshape(-1).astype(np.int64),
            n_clusters=names.size,
            score=score,
            points=points,
            estimated=estimated,
        )

    def within(self, group: Ints) -> MatchedUnits:
        """The same with an intercept per group in every regression, groups being matched apart."""
        names = np.unique(group)
        apart = (group[:, None] == names[None, 1:]).astype(float)
        return replace(self, covariates=np.hstack([self.covariates, apart]))

    def by_pattern(
        self, design: Design, among: Bools | None = None
    ) -> Iterator[tuple[Ints, Matching]]:
        """Months that share who is observed and with what weight, and their matching.

        Parameters
        ----------
        design : Design
        among : ndarray of bool, shape (n,), optional
            Units that take part.
        """
        known = ~np.isnan(design.outcomes.values)
        if among is not None:
            known &= among[:, None]
        weights = None if everyone_followed(design) else design.outcomes.weights
        if known.all() and weights is None:
            groups = {b"": list(range(known.shape[1]))}
        else:
            groups = {}
            for month in range(known.shape[1]):
                key = np.packbits(known[:, month]).tobytes()
                key += b"" if weights is None else weights[:, month].tobytes()
                groups.setdefault(key, []).append(month)
        for months in groups.values():
            seen = known[:, months[0]]
            yield (
                np.array(months),
                matching(
                    self.links,
                    weight=self.sought,
                    is_treated=self.arms[0],
                    factor=None if seen.all() else seen.astype(float),
                    standing=None if weights is None else weights[:, months[0]],
                ),
            )


def matched_curve(
    design: Design,
    columns: MatchedUnits,
    *,
    errors: str,
    bias_adjust: bool,
    sample: bool = False,
    unbiased: bool = True,
    among: Bools | None = None,
) -> ClusteredCurve:
    """Effects of a matched design at every month of its outcomes, with clustered errors.

    Parameters
    ----------
    design : Design
    columns : MatchedUnits
        Of it.
    errors : str
        One of `CLUSTERED`.
    bias_adjust : bool
    sample : bool
        Effect on the units at hand rather than in the population they come from.
    unbiased : bool
        Scale influences for the degrees of freedom that regressions spend.
    among : ndarray of bool, shape (n,), optional
        Units that take part.
    """
    curve = ClusteredCurve.blank(columns.n_clusters, design.outcomes.values.shape[1])
    for which, month in columns.by_pattern(design, among):
        if not month.own.any():
            continue
        outcomes = shifted(design.outcomes.values, which, month.used)
        lending = regressions(outcomes, columns.covariates, month.lent, month.is_treated)
        effect = matched_effect(
            outcomes, columns.covariates, month, lending if bias_adjust else None
        )
        in_sets = errors == "matched_set"
        influence = matched_influence(
            outcomes,
            columns.covariates,
            month,
            lending,
            bias_adjust=bias_adjust,
            sample=sample,
            unbiased=unbiased and not in_sets,
        )
        if unbiased and in_sets:
            influence *= _spent_by_sets(month, lending)
        curve.fill(
            which,
            effect=effect,
            influence=influence,
            used=np.broadcast_to(month.used[:, None], influence.shape),
            treated=columns.arms[0],
            cluster=columns.cluster,
        )
    return curve


def _spent_by_sets(month: Matching, lending: Regressions) -> float:
    """What makes up for the degrees of freedom of the regression whose residuals sets sum."""
    n = int(month.used.sum())
    spare = n - 2 - 2 * max(fit.rank for fit in lending.values())
    return float(np.sqrt((n - 1) / spare)) if spare > 0 else float("nan")


def _links(design: Design) -> tuple[Links, Bools]:
    """Matches of a design, and which units they were sought for."""
    units = design.units
    treated = units[TREATED].to_numpy()
    if design.matches is None:
        estimand = design.question.estimand
        both = np.ones(treated.size, dtype=bool)
        sought = {Estimand.ATT: treated, Estimand.ATC: ~treated}.get(Estimand(estimand), both)
        weight = units[WEIGHT].to_numpy()
        return MatchedSets.of(units[MATCHED_SET].to_numpy(), weight, treated), sought
    unit, match = design.matches[UNIT].to_numpy(), design.matches[MATCH].to_numpy()
    pairs = MatchedPairs.of(unit, match, design.matches[WEIGHT].to_numpy(), n=treated.size)
    return pairs, pairs.reached()


def _labels(design: Design, errors: str) -> NDArray[Any]:
    """What units are summed by.

    Raises
    ------
    DesignRefused
        When a unit is in several sets.
    """
    if errors == "market":
        return design.units[MARKET].to_numpy().astype(str)
    if errors != "matched_set":
        return np.asarray(design.units[PERSON])
    number = np.asarray(design.units[MATCHED_SET])
    if (number >= 0).all():
        return number
    own = np.arange(number.size)
    if design.matches is not None:
        match = design.matches[MATCH].to_numpy()
        once = np.unique(match).size == match.size
        if once and not np.isin(match, design.matches[UNIT]).any():
            own[match] = design.matches[UNIT]
            return own
    raise DesignRefused(
        what="errors='matched_set'",
        needed="sets that share no unit: matching without replacement, subclasses or cells",
        found="units matched several times",
        remedy="choose errors='person' or 'abadie_imbens', or use PairMatching",
    )


def _nearness(
    design: Design, covariates: Floats, errors: str
) -> tuple[Floats | None, Floats, EstimatedScore | None]:
    """By what units of the same arm are near: the score of a design that has one, else covariates.

    Raises
    ------
    DesignRefused
        When it has neither, or lacks the equation of its propensity.
    """
    if not covariates.shape[1]:
        raise DesignRefused(
            what=f"errors={errors!r}",
            needed="covariates, by which neighbours of the same arm are found",
            found="a design without any",
            remedy="choose errors='person', or name covariates",
        )
    if not everyone_followed(design):
        raise DesignRefused(
            what=f"errors={errors!r}",
            needed="units that are all followed",
            found="some that were censored, for whom others stand",
            remedy="choose errors='person', which counts it",
        )
    score = design.units[PROPENSITY].to_numpy()
    scored = not np.isnan(score).any()
    if errors != "abadie_imbens_2016":
        return (score, covariates, None) if scored else (None, _white(covariates), None)
    if not scored or len(design.fitted) != 1:
        raise DesignRefused(
            what="errors='abadie_imbens_2016'",
            needed="a design matched on a propensity fitted by logit or probit",
            found="no propensity" if not scored else f"{len(design.fitted)} fitted equations",
            remedy="match on such a propensity, or choose errors='abadie_imbens'",
        )
    estimated = EstimatedScore(
        fitted=design.fitted[0],
        propensity=score,
        weight=design.units[SAMPLING].to_numpy(),
        points=_white(covariates),
    )
    return score, covariates, estimated


def _white(covariates: Floats) -> Floats:
    return whiten(covariates, weight=np.ones(len(covariates)))
