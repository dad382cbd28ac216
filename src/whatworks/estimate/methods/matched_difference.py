r"""Difference between those compared and their matches.

Estimand
--------
Average effect of starting now rather than not (yet), by month since entry: on the treated (ATT), on the
untreated (ATC) or on both (ATE), as the question of the design asks. ``target="population"`` is the effect
in the population the units come from, ``"sample"`` that on these very units.

Equation
--------
.. math::

    \hat\tau = \sum_i w_i\sigma_i\Big(y_i - \sum_{j\in M_i} s_{ij}\big(y_j+(x_i-x_j)'\hat\beta_{d_j}\big)\Big)

over the units :math:`i` sought for, :math:`\sigma_i=1` when treated and −1 when not; :math:`s_{ij}` is the
part of :math:`j` among the matches of :math:`i`. :math:`\hat\beta_d=0` without ``bias_adjust``; with it, the
slope of the regression of the matches of arm :math:`d`, each weighted by what it stands for,
:math:`v_j=\sum_iw_is_{ij}`. In a design made of sets (subclasses, cells, full matching) the matches of a
unit are the other arm of its set.

Identification
--------------
Given the covariates and the calendar month, who enters is unrelated to what would have become of
them otherwise; everyone sought for has comparisons within reach (overlap); what some are given takes
nothing from the others (no displacement).

Inference
---------
``errors="person"`` (or ``"market"``): influence of each unit around the regression of matches on
covariates, summed by person (or market), so that a comparison used several times, and a person met
in several months, count once; scaled for the degrees of freedom of the regression, and G/(G−1).

``"matched_set"``: influence of the regression that gives the point, summed by matched set, with factor
G/(G−1)·(N−1)/(N−K); for matching without replacement (Abadie & Spiess 2022), where it is right
whether or not outcomes are linear in the covariates.

``"abadie_imbens"``: independent units, matched with replacement (Abadie & Imbens 2006). The variance of an
outcome given covariates comes from the ``neighbours`` nearest units of the same arm: by propensity when
the design has one, else by Mahalanobis' distance; 0 supposes one variance for all.
``"abadie_imbens_2016"``: the same, and the propensity being estimated by logit or probit counts: on the
untreated and treated together this lowers the variance, on one arm it may lower or raise it.

Sampling weights enter all of them. Monthly weights for censoring are taken as known.

Edge cases
----------
A unit without outcome in a month (or of weight zero in it) is left out of that month, and its matched
set brought back to one. A month with fewer than two units sought for, or in which no degree of freedom
is left, has NaN standard errors. Outcomes that do not vary have NaN standard errors, intervals and
p-values.

References
----------
Abadie & Imbens (2006), doi:10.1111/j.1468-0262.2006.00655.x; (2011), doi:10.1198/jbes.2009.07333;
(2016), doi:10.3982/ECTA11293. Abadie & Spiess (2022), doi:10.1080/01621459.2020.1840383. Sianesi (2004),
doi:10.1162/003465304323023723.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.stats.distances import whiten
from whatworks.stats.matched_effects import (
    Regressions,
    matched_effect,
    matched_influence,
    regressions,
)
from whatworks.stats.matching import Links, MatchedPairs, MatchedSets, Matching, matching
from whatworks.stats.matching_variance import Gaps, abadie_imbens, matched_gaps, same_arm
from whatworks.stats.propensity_variance import EstimatedScore, estimated_propensity
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty, sums_by_number
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
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Errors = Literal["person", "market", "matched_set", "abadie_imbens", "abadie_imbens_2016"]

CLUSTERED: Final = ("person", "market", "matched_set")
ERRORS: Final = (*CLUSTERED, "abadie_imbens", "abadie_imbens_2016")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedDifference:
    """Difference between those compared and their matches, by month since entry.

    Parameters
    ----------
    bias_adjust : bool
        Remove by regression what matching left of covariate differences.
    errors : str
        ``"person"``, ``"market"``, ``"matched_set"``, ``"abadie_imbens"`` or
        ``"abadie_imbens_2016"``.
    target : str
        ``"population"``, or ``"sample"``: the effect on the units at hand, known more precisely.
    neighbours : int
        Units of the same arm from which Abadie and Imbens' errors read the variance of an outcome;
        0 for one variance for all. Read by those errors only.

    Raises
    ------
    OptionError
        On unknown names, fewer than 0 neighbours, or ``"abadie_imbens_2016"`` for the sample.

    Examples
    --------
    >>> MatchedDifference(bias_adjust=True).errors
    'person'
    """

    bias_adjust: bool = False
    errors: Errors = "person"
    target: Literal["population", "sample"] = "population"
    neighbours: int = 1

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MATCHES})

    def __post_init__(self) -> None:
        choice(self.errors, ERRORS, what="errors")
        choice(self.target, ("population", "sample"), what="target")
        if self.neighbours < 0:
            raise OptionError(
                what="neighbours",
                needed="0 or more",
                found=str(self.neighbours),
                remedy="write neighbours=1, or 0 for one variance for all",
            )
        if self.errors == "abadie_imbens_2016" and self.target == "sample":
            raise OptionError(
                what="errors='abadie_imbens_2016'",
                needed="target='population', for which it was derived",
                found="target='sample'",
                remedy="choose errors='abadie_imbens' for the sample",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            Matched unit by unit, or in sets.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            One row per month; the term is ``att``, ``atc`` or ``ate``.

        Raises
        ------
        DesignRefused
            When the design has neither matches nor sets, or lacks what the errors need: units that
            are independent, markets, sets that share no unit, a propensity and its equation.
        """
        columns = _Columns.of(design, self)
        months = design.outcomes.months
        effect = np.full(len(months), np.nan)
        counts = np.zeros((len(months), 2), dtype=np.int64)
        sums = np.zeros((columns.n_clusters, len(months)))
        covariance = np.full((len(months), len(months)), np.nan)
        for which, month in columns.by_pattern(design):
            sums[:, which] = np.nan
            if not month.own.any():
                continue
            outcomes = _shifted(design.outcomes.values, which, month.used)
            counts[which] = [int((month.used & arm).sum()) for arm in columns.arms]
            lending = self._regressions(outcomes, columns.covariates, month)
            effect[which] = matched_effect(
                outcomes, columns.covariates, month, lending if self.bias_adjust else None
            )
            if self.errors in CLUSTERED:
                influence = self._influence(outcomes, columns.covariates, month, lending)
                sums[:, which] = sums_by_number(
                    influence, columns.cluster, n_clusters=columns.n_clusters
                )
            else:
                found = matched_gaps(outcomes, columns.covariates, month, lending)
                covariance[np.ix_(which, which)] = self._abadie_imbens(found, month, columns)
        uncertainty = self._uncertainty(sums, covariance)
        return Estimate(
            method="MatchedDifference",
            options=asdict(self),
            effects=effects_table(
                _terms(design, counts), effect, uncertainty.covariance(), unit=design.outcomes.unit
            ),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )

    def _regressions(
        self, outcomes: Floats, covariates: Floats, month: Matching
    ) -> Regressions | None:
        """Regressions of the matches that the point, or its influence, rests on."""
        if self.errors in CLUSTERED or self.bias_adjust:
            return regressions(outcomes, covariates, month.lent, month.is_treated)
        return None

    def _influence(
        self, outcomes: Floats, covariates: Floats, month: Matching, lending: Regressions | None
    ) -> Floats:
        """Influence of each unit, with the factor of its degrees of freedom."""
        if lending is None:
            raise AssertionError("an influence rests on the regressions of the matches")
        in_sets = self.errors == "matched_set"
        influence = matched_influence(
            outcomes,
            covariates,
            month,
            lending,
            bias_adjust=self.bias_adjust,
            sample=self.target == "sample",
            unbiased=not in_sets,
        )
        if in_sets:
            n = int(month.used.sum())
            spare = n - 2 - 2 * max(fit.rank for fit in lending.values())
            influence *= np.sqrt((n - 1) / spare) if spare > 0 else np.nan
        return influence

    def _abadie_imbens(self, found: Gaps, month: Matching, columns: _Columns) -> Floats:
        """Covariance of the months of one pattern."""
        sample = self.target == "sample"
        near = None
        if self.neighbours:
            near = same_arm(
                month,
                score=columns.score,
                points=columns.points,
                neighbours=self.neighbours,
                sample=sample,
            )
        known = abadie_imbens(found, month, near=near, sample=sample)
        if columns.estimated is None:
            return known
        return known + estimated_propensity(
            found, month, columns.estimated, neighbours=self.neighbours
        )

    def _uncertainty(self, sums: Floats, covariance: Floats) -> Uncertainty:
        if self.errors not in CLUSTERED:
            return Covariance(matrix=covariance)
        n = sums.shape[0]
        return Influence(
            values=sums,
            cluster=np.arange(n),
            factor=n / (n - 1) if n > 1 else float("nan"),
            level=self.errors,
        )


def _terms(design: Design, counts: Ints) -> list[dict[str, Any]]:
    return [
        {
            "term": design.question.estimand.lower(),
            "cohort": -1,
            "month": month,
            "group": "all",
            "n_treated": int(treated),
            "n_comparison": int(comparison),
        }
        for month, (treated, comparison) in zip(design.outcomes.months, counts, strict=True)
    ]


def _shifted(values: Floats, which: Ints, used: Bools) -> Floats:
    """Outcomes less those of one unit: effects stay, and equal outcomes leave no rounding behind."""
    first = values[np.argmax(used), which]
    return np.where(used[:, None], values[:, which] - first, 0.0)


@dataclass(frozen=True, slots=True)
class _Columns:
    """A matched design as arrays.

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
    def of(cls, design: Design, method: MatchedDifference) -> _Columns:
        """Columns that one choice of errors reads, once the design is known to have them."""
        extra = {"market": {Supply.MARKETS}, "person": set()}
        require(
            design,
            method.needs | extra.get(method.errors, {Supply.INDEPENDENT_UNITS}),
            method="MatchedDifference",
        )
        if design.outcomes.weights is not None and method.errors not in CLUSTERED:
            raise DesignRefused(
                what=f"errors={method.errors!r}",
                needed="comparisons that are followed to the end",
                found="comparisons censored when they start, and weights for those who remain",
                remedy="choose errors='person', or ask with later_starts='keep'",
            )
        units = design.units
        treated = units[TREATED].to_numpy()
        covariates = units[list(design.covariates)].to_numpy(dtype=float)
        links, sought = _links(design)
        score, points, estimated = None, covariates, None
        if method.errors not in CLUSTERED:
            score, points, estimated = _nearness(design, covariates, method.errors)
        names, cluster = np.unique(_labels(design, method.errors), return_inverse=True)
        return cls(
            links=links,
            sought=np.where(sought, units[SAMPLING].to_numpy(), 0.0),
            arms=(treated, ~treated),
            covariates=(
                covariates[:, :0]
                if method.errors == "matched_set" and not method.bias_adjust
                else covariates
            ),
            cluster=cluster.reshape(-1).astype(np.int64),
            n_clusters=names.size,
            score=score,
            points=points,
            estimated=estimated,
        )

    def by_pattern(self, design: Design) -> Iterator[tuple[Ints, Matching]]:
        """Months that share who is observed and with what weight, and their matching."""
        known = ~np.isnan(design.outcomes.values)
        weights = design.outcomes.weights
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
