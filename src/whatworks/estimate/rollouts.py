"""What a method reads of a rollout: units as columns, outcomes by period, and when each starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.ledger import Ledger
from whatworks.vocabulary import DOSE, ENTRY_MONTH, MARKET, PERSON, SAMPLING

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Units of a rollout as columns.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        NaN where a unit is not observed.
    periods : ndarray of int, shape (n_periods,)
        Increasing, not always evenly spaced.
    start : ndarray of int, shape (n,)
        First treated period, possibly after the last one observed; `vocabulary.NEVER` for none.
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
        Sampling weights.
    cluster : ndarray of int, shape (n,)
        Number of each unit's cluster, 0 to ``n_clusters`` − 1.
    n_clusters : int
    level : str
        ``"person"`` or ``"market"``.
    ledger : Ledger
    dose : ndarray of shape (n,) or None
        NaN for units never treated; None where the design says none.
    """

    values: Floats
    periods: Ints
    start: Ints
    covariates: Floats
    weight: Floats
    cluster: Ints
    n_clusters: int
    level: Literal["person", "market"]
    ledger: Ledger
    dose: Floats | None = None

    @classmethod
    def of(
        cls,
        design: Design,
        *,
        cluster: Literal["person", "market"],
        gaps: Literal["drop", "keep"] = "drop",
        anticipation: int = 0,
    ) -> Rollout:
        """Columns of a design.

        Parameters
        ----------
        design : Design
            That supplies a rollout.
        cluster : str
            What errors are summed over; a person has one market, so that clustering by market is
            clustering by both.
        gaps : str
            ``"drop"``: units not observed in some period are left out and counted; ``"keep"``: they
            take part in the periods in which they are.
        anticipation : int
            Periods before the start in which units may react already: those that start that close
            to the first period have no period to be compared with, and are left out and counted.

        Raises
        ------
        DesignRefused
            When nobody is left.
        """
        units, outcomes = design.units, design.outcomes
        start = units[ENTRY_MONTH].to_numpy()
        holed = _holed(outcomes.values) & (gaps == "drop")
        early = start <= outcomes.months[0] + anticipation
        keep = ~(holed | early)
        treated = start <= outcomes.months[-1]
        ledger = design.ledger
        for name, arm in (("observed_treated", treated), ("observed_comparison", ~treated)):
            reasons = {
                "incomplete_panel": int((arm & holed).sum()),
                "treated_from_start": int((arm & ~holed & early).sum()),
            }
            ledger = ledger.add(
                "estimate", name, unit="units", before=int(arm.sum()), dropped=reasons
            )
        if not keep.any():
            raise DesignRefused(
                what="the rollout",
                needed="units observed in every period" if gaps == "drop" else "units observed",
                found=f"none of {keep.size}",
                remedy="choose gaps='keep': units count in the periods in which they are observed",
            )
        if not (keep & treated).any():
            raise DesignRefused(
                what="the rollout",
                needed="treated units with a period before their start"
                + (", observed in every period" if gaps == "drop" else ""),
                found=f"none of {int(treated.sum())}: {int((treated & holed).sum())} lack a period, "
                f"{int((treated & ~holed & early).sum())} have none before",
                remedy="leave out of the table periods that few are observed in, lower anticipation, "
                "or choose a method that keeps units with gaps",
            )
        rows: slice | Bools = slice(None) if keep.all() else keep
        number, n_clusters = _numbered(
            units[PERSON if cluster == "person" else MARKET].to_numpy()[rows]
        )
        return cls(
            values=outcomes.values[rows],
            periods=np.array(outcomes.months, dtype=np.int64),
            start=start[rows],
            covariates=units[list(design.covariates)].to_numpy(dtype=float)[rows],
            weight=units[SAMPLING].to_numpy()[rows],
            cluster=number,
            n_clusters=n_clusters,
            level=cluster,
            ledger=ledger,
            dose=units[DOSE].to_numpy()[rows] if DOSE in units else None,
        )

    @property
    def cohorts(self) -> Ints:
        """Starts within the periods observed, increasing."""
        return np.unique(self.start[self.start <= self.periods[-1]])

    @property
    def df(self) -> float:
        """Degrees of freedom of intervals: G−1 by market, none counted by person."""
        return float(self.n_clusters - 1) if self.level == "market" else np.inf

    def shares(self) -> tuple[Floats, Floats]:
        """Share of each cohort among all units, and each cluster's influence on it.

        Returns
        -------
        share : ndarray of shape (n_cohorts,)
        influence : ndarray of shape (n_clusters, n_cohorts)
        """
        total = self.weight.sum()
        share = np.empty(self.cohorts.size)
        influence = np.empty((self.n_clusters, self.cohorts.size))
        for k, g in enumerate(self.cohorts):
            mine = self.weight * (self.start == g)
            share[k] = mine.sum() / total
            apart = mine - self.weight * share[k]
            influence[:, k] = np.bincount(self.cluster, apart, minlength=self.n_clusters) / total
        return share, influence


def _holed(values: Floats) -> Bools:
    """Units not observed in some period: a sum shows a gap, and only sums are held for all."""
    with np.errstate(invalid="ignore"):
        holed = np.asarray(np.isnan(values.sum(axis=1)))
    found = np.flatnonzero(holed)
    holed[found] = np.isnan(values[found]).any(axis=1)
    return holed


def _numbered(labels: NDArray[np.generic]) -> tuple[Ints, int]:
    """Numbers of labels in their order, and how many there are."""
    if labels.dtype.kind == "i" and (np.diff(labels) > 0).all():
        return np.arange(labels.size, dtype=np.int64), labels.size
    if labels.dtype.kind == "O":  # names are hashed: sorting a million of them costs seconds
        labels = pd.factorize(labels, sort=True)[0]
    names, number = np.unique(labels, return_inverse=True)
    return number.astype(np.int64), names.size
