"""What a method that adjusts reads of a design, as columns, month by month of outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.record import effects_table
from whatworks.ledger import Ledger
from whatworks.stats.adjustment import regress
from whatworks.stats.fitted import FittedScore
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    MATCHED_SET,
    PERSON,
    SAMPLING,
    TREATED,
    WEIGHT,
    Estimand,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Months of outcome in which the same units are seen, each as many times.

    Parameters
    ----------
    columns : ndarray of int
        Positions of the months.
    factor : ndarray of shape (n,)
        What a unit seen stands for beyond itself; 0 for one that is not, and for one whose month of
        entry lacks an arm among those seen.
    values : ndarray of shape (n, n_columns)
        Outcomes less the middle of their range, which moves no effect; 0 where not seen.
    """

    columns: Ints
    factor: Floats
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Units of a design as columns.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        Number of the month of entry.
    covariates : ndarray of shape (n, k)
    weight, sampling : ndarray of shape (n,)
        What a unit stands for in the mean of its arm, and in the population sampled.
    cluster : ndarray of int, shape (n,)
    n_clusters : int
    """

    treated: Bools
    group: Ints
    covariates: Floats
    weight: Floats
    sampling: Floats
    cluster: Ints
    n_clusters: int

    @classmethod
    def of(cls, design: Design, *, cluster: str) -> Units:
        """Columns of a design; clusters are persons, markets or matched sets.

        Raises
        ------
        DesignRefused
            When sets are asked for and some unit is in none.
        """
        units = design.units
        column = {"person": PERSON, "market": MARKET, "matched_set": MATCHED_SET}[cluster]
        labels = units[column].to_numpy()
        if cluster == "matched_set" and (labels < 0).any():
            raise DesignRefused(
                what="cluster='matched_set'",
                needed="units each in one matched set",
                found=f"{int((labels < 0).sum())} in none",
                remedy="choose cluster='person', or a comparison that makes sets",
            )
        names, number = np.unique(labels, return_inverse=True)
        return cls(
            treated=units[TREATED].to_numpy(),
            group=np.unique(units[ENTRY_MONTH].to_numpy(), return_inverse=True)[1].astype(np.int64),
            covariates=units[list(design.covariates)].to_numpy(dtype=float),
            weight=units[WEIGHT].to_numpy(),
            sampling=units[SAMPLING].to_numpy(),
            cluster=number.astype(np.int64),
            n_clusters=names.size,
        )

    def target(self, estimand: str) -> Floats:
        """Weight of each unit in the population the effect is averaged over, shape (n,).

        The treated (``ATT``), the untreated (``ATC``), everyone sampled (``ATE``), or both arms as
        weighted (``ATO``).
        """
        return {
            Estimand.ATT: self.weight * self.treated,
            Estimand.ATC: self.weight * ~self.treated,
            Estimand.ATE: self.sampling,
            Estimand.ATO: self.weight,
        }[Estimand(estimand)]

    def seen(self, design: Design, among: Bools | None = None) -> Iterator[Seen]:
        """Months of outcome by who is seen in them; months of entry that lack an arm left out.

        Parameters
        ----------
        design : Design
        among : ndarray of bool, shape (n,), optional
            Units that take part.
        """
        values, weights = design.outcomes.values, design.outcomes.weights
        alike: dict[bytes, list[int]] = {}
        factors: dict[bytes, Floats] = {}
        for column in range(values.shape[1]):
            factor = np.isfinite(values[:, column]).astype(float)
            if weights is not None:
                factor *= np.nan_to_num(weights[:, column])
            if among is not None:
                factor *= among
            key = factor.tobytes()
            alike.setdefault(key, []).append(column)
            factors[key] = factor
        for key, columns in alike.items():
            factor = factors[key] * self.supported(factors[key] > 0)
            chosen = values[:, columns]
            inside = (factor > 0)[:, None]
            if not inside.any():
                continue
            low = np.where(inside, chosen, np.inf).min(axis=0)
            high = np.where(inside, chosen, -np.inf).max(axis=0)
            centred = np.where(inside, chosen - (low / 2 + high / 2), 0.0)
            yield Seen(columns=np.array(columns), factor=factor, values=centred)

    def supported(self, seen: Bools) -> Bools:
        """Units of months of entry in which some treated and some untreated units are seen."""
        n_groups = int(self.group.max()) + 1
        both = np.bincount(self.group[seen & self.treated], minlength=n_groups) > 0
        both &= np.bincount(self.group[seen & ~self.treated], minlength=n_groups) > 0
        return np.asarray(both[self.group])

    def ledger(self, design: Design, lost: dict[str, Bools]) -> Ledger:
        """The design's ledger, and who the method itself leaves out, by reason."""
        ledger = design.ledger
        if not any(mask.any() for mask in lost.values()):
            return ledger
        for name, arm in (
            ("adjusted_treated", self.treated),
            ("adjusted_comparison", ~self.treated),
        ):
            dropped = {reason: int((mask & arm).sum()) for reason, mask in lost.items()}
            ledger = ledger.add(
                "estimate", name, unit="units", before=int(arm.sum()), dropped=dropped
            )
        return ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Effects by month of outcome, filled pattern by pattern.

    Parameters
    ----------
    effect : ndarray of shape (n_months,)
    influence : ndarray of shape (n_clusters, n_months)
        Cluster sums, small-sample factor included.
    counts : ndarray of int, shape (n_months, 2)
        Treated and untreated units behind each effect.
    """

    effect: Floats
    influence: Floats
    counts: Ints

    @classmethod
    def blank(cls, n_clusters: int, n_months: int) -> Curve:
        """A curve of which nothing is known yet."""
        return cls(
            effect=np.full(n_months, np.nan),
            influence=np.full((n_clusters, n_months), np.nan),
            counts=np.zeros((n_months, 2), dtype=np.int64),
        )

    def fill(
        self, seen: Seen, units: Units, *, effect: Floats, influence: Floats, lost_df: int = 0
    ) -> None:
        r"""Set the months of one pattern.

        The covariance carries :math:`\frac{G}{G-1}\frac{n-1}{n-k}` (Cameron & Miller 2015, §II.B,
        doi:10.3368/jhr.50.2.317); with one unit per cluster that is HC1.

        Parameters
        ----------
        seen : Seen
        units : Units
        effect : ndarray of shape (n_columns,)
        influence : ndarray of shape (n, n_columns)
        lost_df : int
            Coefficients fitted, k; 0 leaves only :math:`G/(G-1)`.
        """
        inside = seen.factor > 0
        n, clusters = int(inside.sum()), units.cluster[inside]
        g = int((np.bincount(clusters) > 0).sum()) if n else 0
        spare = (n - 1) / (n - lost_df) if lost_df and n > lost_df else 1.0
        few = min(
            np.unique(units.cluster[inside & arm]).size for arm in (units.treated, ~units.treated)
        )
        factor = g / (g - 1) * spare if few > 1 and n > lost_df else np.nan
        self.effect[seen.columns] = effect
        for k, column in enumerate(seen.columns):
            sums = np.bincount(units.cluster, weights=influence[:, k], minlength=units.n_clusters)
            self.influence[:, column] = np.sqrt(factor) * sums
        self.counts[seen.columns] = (
            int((inside & units.treated).sum()),
            int((inside & ~units.treated).sum()),
        )

    def read(
        self, design: Design, *, cluster: Literal["person", "market", "matched_set"]
    ) -> tuple[pd.DataFrame, Influence]:
        """Effects as a table, and how sure they are; by market, Student's t with G−1 degrees."""
        n_clusters = self.influence.shape[0]
        uncertainty = Influence(values=self.influence, cluster=np.arange(n_clusters), level=cluster)
        effects = effects_table(
            self._terms(design, design.question.estimand.lower()),
            self.effect,
            uncertainty.covariance(),
            unit=design.outcomes.unit,
            df=float(n_clusters - 1) if cluster == "market" else np.inf,
            influence=uncertainty,
        )
        return effects, uncertainty

    def _terms(self, design: Design, name: str) -> list[dict[str, Any]]:
        """Row labels, in the order of the months."""
        return [
            {
                "term": name,
                "cohort": -1,
                "month": month,
                "group": "all",
                "n_treated": int(t),
                "n_comparison": int(c),
            }
            for month, (t, c) in zip(design.outcomes.months, self.counts, strict=True)
        ]


def weighted(design: Design) -> bool:
    """Whether the design's own weights make its arms comparable."""
    return Supply.WEIGHTS in design.supplies


def moves_with_weights(
    fitted: tuple[FittedScore, ...], *, by_weight: Floats, factor: Floats
) -> Floats:
    """Influence of the estimated weights on a sum whose derivative in each weight is known.

    Parameters
    ----------
    fitted : tuple of FittedScore
    by_weight : ndarray of shape (n, n_columns)
        Derivative of the sum in each unit's weight of the month.
    factor : ndarray of shape (n,)
        Weight of the month over the unit's weight.
    """
    total = np.zeros_like(by_weight)
    for equation in fitted:
        total += equation.correction(by_weight * factor[:, None])
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Effects after regression of each arm, of months that share who is seen.

    Parameters
    ----------
    effect : ndarray of shape (n_columns,)
    influence : ndarray of shape (n, n_columns)
    rank : int
        Coefficients fitted, both arms together.
    """

    effect: Floats
    influence: Floats
    rank: int


def adjusted_effect(
    seen: Seen, units: Units, *, estimand: str, fitted: tuple[FittedScore, ...], drawn: bool
) -> Adjusted:
    """Regress each arm on covariates and months of entry, and read both over one population.

    Parameters
    ----------
    seen : Seen
    units : Units
    estimand : str
    fitted : tuple of FittedScore
        Equations behind the weights.
    drawn : bool
        Count the chance in whose covariates were drawn.
    """
    target = units.target(estimand) * seen.factor
    target = target / target.sum()
    gap = np.zeros_like(seen.values)
    influence, by_weight = np.zeros_like(gap), np.zeros_like(gap)
    rank = 0
    weight = units.weight * seen.factor
    inside = seen.factor > 0
    for arm, sign in ((units.treated, 1.0), (~units.treated, -1.0)):
        fit = regress(seen.values, units.covariates, group=units.group, weight=weight * arm)
        predicted = fit.predict(units.covariates, units.group)
        gap[inside] += sign * predicted[inside]
        leverage = fit.leverage(units.covariates, units.group, target=target)
        moved = sign * leverage[:, None] * fit.residual
        influence += moved
        by_weight += moved / np.where(weight > 0, weight, 1.0)[:, None]
        rank += fit.rank
        if np.count_nonzero(weight * arm) <= fit.rank:  # every unit fitted: nothing varies
            influence[:] = np.nan
    effect = target @ gap
    apart = target[:, None] * (gap - effect)
    apart[np.abs(apart) < 1e-12 * np.abs(target[:, None] * seen.values).max()] = 0.0
    if drawn:
        influence += apart
    if estimand != Estimand.ATE:
        by_weight += apart / np.where(weight > 0, weight, 1.0)[:, None]
    influence += moves_with_weights(fitted, by_weight=by_weight, factor=seen.factor)
    return Adjusted(effect=effect, influence=influence, rank=rank)
