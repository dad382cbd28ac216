r"""Quantile and distributional effects: not the mean gained, but where in the distribution.

Estimand
--------
By month since entry, quantiles of the outcome under treatment less quantiles without it, over the
population the design's weights stand for (QTT for the ATT); and shares above thresholds. Differences of
two distributions: who is at the median of one need not be at that of the other. The mean difference comes
first.

Equation
--------
.. math:: \hat\Delta_\tau = \hat q_1(\tau)-\hat q_0(\tau),\qquad
          \hat\Delta^{>t} = \hat F_0(t)-\hat F_1(t)

with :math:`\hat F_d` the distribution of arm d under the design's weights (Firpo 2007).

Identification
--------------
That of the design's weights, or randomisation: given covariates and month of entry, who enters is
unrelated to the whole of what would have become of them otherwise; overlap; no displacement.

Inference
---------
Influence functions, summed by person or market, factor G/(G−1); the estimation of weights is counted
where the design remembers its equation. A quantile's density is not smoothed: it is the slope of the
distribution over the quantiles that a test of the share does not reject (inversion of the test, Woodruff
1952). Bands are joint over quantiles of a month, and over thresholds of a month.

Edge cases
----------
At a mass (months without income) a quantile of an arm does not move, and contributes no error; where neither
arm's moves, the effect is what it is and standard errors, intervals and p-values are NaN. Just beside a
mass, intervals are wide. With positive weights quantiles never cross: nothing is rearranged. A unit without
outcome in a month, or censored by then, is left out of that month. An arm of a single cluster leaves standard
errors NaN.

References
----------
Firpo (2007), doi:10.1111/j.1468-0262.2007.00738.x. Woodruff (1952), doi:10.1080/01621459.1952.10483443.
Chernozhukov, Fernández-Val & Melly (2013), doi:10.3982/ECTA10582.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import OptionError, choice
from whatworks.estimate.columns import Seen, Units, moves_with_weights
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.options import typed
from whatworks.stats.quantiles import Distribution, below
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import DesignClass, Supply

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileEffects:
    """Effects on quantiles, and on shares above thresholds, by month since entry.

    Parameters
    ----------
    quantiles : tuple of float
        Between 0 and 1, increasing.
    thresholds : tuple of float
        In the unit of the outcome, increasing; effects on the share above each, in percentage points.
    cluster : str
        ``"person"`` or ``"market"``.

    Raises
    ------
    OptionError
        On quantiles outside 0 to 1, or either list not increasing.

    Examples
    --------
    >>> QuantileEffects(quantiles=(0.5,), thresholds=(0.0,)).quantiles
    (0.5,)
    """

    quantiles: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    thresholds: tuple[float, ...] = ()
    cluster: Literal["person", "market"] = "person"

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.WEIGHTS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")
        increasing = all((np.diff(v) > 0).all() for v in (self.quantiles, self.thresholds))
        if not increasing or not all(0 < q < 1 for q in self.quantiles):
            raise OptionError(
                what="QuantileEffects",
                needed="quantiles between 0 and 1, and thresholds, each list increasing",
                found=f"quantiles={self.quantiles}, thresholds={self.thresholds}",
                remedy="write for instance quantiles=(0.25, 0.5, 0.75)",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            Matched, weighted, or randomised.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            By month: the mean (term ``att`` and the like, group ``all``), then term ``quantile`` with
            groups such as ``q0.5``, and term ``share_above`` with groups such as ``>500``.

        Raises
        ------
        DesignRefused
            When nothing makes the design's arms comparable.
        """
        drawn = design.design_class is DesignClass.RANDOMISED
        needs = frozenset[Supply]() if drawn else self.needs
        require(design, needs, method="QuantileEffects", cluster=self.cluster)
        units = Units.of(design, cluster=self.cluster)
        months = design.outcomes.months
        labels = self._labels(design.question.estimand.lower())
        shape = (len(labels), len(months))
        effect = np.full(shape, np.nan)
        influence = np.full((units.n_clusters, *shape), np.nan)
        counts = np.zeros((len(months), 2), dtype=np.int64)
        for seen in units.seen(design):
            for k, column in enumerate(seen.columns):
                # Values are kept as they are: thresholds are on their scale.
                values = np.where(seen.factor > 0, design.outcomes.values[:, column], 0.0)
                month = _Month.of(values, seen.values[:, k], seen, units)
                for row, (found, part) in enumerate(self._read(month)):
                    effect[row, column] = found
                    influence[:, row, column] = month.clustered(part, design, units)
                counts[column] = month.counts
        return self._estimate(design, units, labels, effect, influence, counts)

    def _labels(self, mean: str) -> list[tuple[str, str]]:
        """Term and group of each curve, in the order they are read."""
        return [
            (mean, "all"),
            *(("quantile", f"q{q:g}") for q in self.quantiles),
            *(("share_above", f">{t:g}") for t in self.thresholds),
        ]

    def _read(self, month: _Month) -> Iterator[tuple[float, Floats]]:
        """Each effect, and its derivative in the weight of each unit."""
        yield month.mean()
        for tau in self.quantiles:
            yield month.quantile(tau)
        for threshold in self.thresholds:
            yield month.share_above(threshold)

    def _estimate(
        self,
        design: Design,
        units: Units,
        labels: list[tuple[str, str]],
        effect: Floats,
        influence: Floats,
        counts: NDArray[np.int64],
    ) -> Estimate:
        frames, start = [], 0
        flat = influence.reshape(units.n_clusters, -1)
        uncertainty = Influence(
            values=flat, cluster=np.arange(units.n_clusters), level=self.cluster
        )
        for kind in dict.fromkeys(term for term, _ in labels):
            groups = [g for term, g in labels if term == kind]
            rows = np.arange(start, start + len(groups) * len(design.outcomes.months))
            own = Influence(values=flat[:, rows], cluster=uncertainty.cluster, level=self.cluster)
            frames.append(
                effects_table(
                    _terms(design, kind, groups, counts),
                    effect.ravel()[rows],
                    own.covariance(),
                    unit="pp" if kind == "share_above" else design.outcomes.unit,
                    df=float(units.n_clusters - 1) if self.cluster == "market" else np.inf,
                    influence=own,
                    along="month" if groups == ["all"] else "group",
                )
            )
            start += rows.size
        return Estimate(
            method="QuantileEffects",
            options=asdict(self),
            effects=pd.concat(frames, ignore_index=True),
            uncertainty=uncertainty,
            ledger=design.ledger,
        )


def _terms(
    design: Design, term: str, groups: list[str], counts: NDArray[np.int64]
) -> list[dict[str, Any]]:
    return [
        {
            "term": term,
            "cohort": -1,
            "month": month,
            "group": group,
            "n_treated": int(t),
            "n_comparison": int(c),
        }
        for group in groups
        for month, (t, c) in zip(design.outcomes.months, counts, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Month:
    """One month of outcome, arm by arm."""

    values: Floats
    centred: Floats
    factor: Floats
    weights: tuple[Floats, Floats]
    laws: tuple[Distribution, Distribution]
    sums: tuple[NDArray[np.int64], int]
    counts: tuple[int, int]

    @classmethod
    def of(cls, values: Floats, centred: Floats, seen: Seen, units: Units) -> _Month:
        weight = units.weight * seen.factor
        arms = (weight * units.treated, weight * ~units.treated)
        return cls(
            values=values,
            centred=centred,
            factor=seen.factor,
            weights=arms,
            laws=(_law(values, arms[0]), _law(values, arms[1])),
            sums=(units.cluster, units.n_clusters),
            counts=(int((arms[0] > 0).sum()), int((arms[1] > 0).sum())),
        )

    def mean(self) -> tuple[float, Floats]:
        """Difference of weighted means."""
        total, moved = 0.0, np.zeros(self.values.size)
        for weight, sign in zip(self.weights, (1.0, -1.0), strict=True):
            mean = float(weight @ self.centred / weight.sum())
            total += sign * mean
            moved += sign * np.where(weight > 0, self.centred - mean, 0.0) / weight.sum()
        return total, moved

    def quantile(self, tau: float) -> tuple[float, Floats]:
        """Difference of quantiles."""
        total, moved = 0.0, np.zeros(self.values.size)
        for weight, law, sign in zip(self.weights, self.laws, (1.0, -1.0), strict=True):
            place = float(law.quantile(tau))
            share = below(self.values, place, weight=weight)
            sums = self._sums(weight * share)
            total += sign * place
            moved -= sign * share * law.spacing(tau, std_error=float(np.sqrt(sums @ sums)))
        return total, moved

    def share_above(self, threshold: float) -> tuple[float, Floats]:
        """Difference of shares above a threshold, in percentage points."""
        total, moved = 0.0, np.zeros(self.values.size)
        for weight, law, sign in zip(self.weights, self.laws, (1.0, -1.0), strict=True):
            total -= sign * 100.0 * float(law.at(threshold))
            moved -= sign * 100.0 * below(self.values, threshold, weight=weight)
        return total, moved

    def _sums(self, influence: Floats) -> Floats:
        cluster, n_clusters = self.sums
        sums: Floats = np.bincount(cluster, weights=influence, minlength=n_clusters).astype(float)
        return sums

    def clustered(self, by_weight: Floats, design: Design, units: Units) -> Floats:
        """Influence of each cluster on an effect, the estimation of weights included."""
        moved = by_weight[:, None]
        estimated = moves_with_weights(design.fitted, by_weight=moved, factor=self.factor)
        weight = units.weight * self.factor
        seen = self.factor > 0
        g = np.unique(units.cluster[seen]).size
        few = min(np.unique(units.cluster[arm > 0]).size for arm in self.weights)
        factor = g / (g - 1) if few > 1 else np.nan
        return np.asarray(np.sqrt(factor) * self._sums(weight * by_weight + estimated[:, 0]))


def _law(values: Floats, weight: Floats) -> Distribution:
    inside = weight > 0
    return Distribution.of(values[inside], weight=weight[inside])
