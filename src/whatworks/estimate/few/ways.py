"""One effect under every inference: the record, and a row for each way there is to judge it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from whatworks.estimate.long_difference import LongDifference
from whatworks.estimate.reassigned.record import RandomisationTest
from whatworks.estimate.record import Estimate
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.clusters.inversion import ConfidenceSet
from whatworks.stats.clusters.rules import Clusters
from whatworks.stats.clusters.score import score_bootstrap
from whatworks.stats.clusters.wild import wild_bootstrap, wild_interval
from whatworks.stats.intervals import wald
from whatworks.stats.uncertainty import Influence

Way = dict[str, Any]
"""What one way of judging says: ``estimate, std_error, df, p_value, conf_low, conf_high, connected``."""

FEW_CLUSTERS: Final = "few_clusters"
"""Key of an estimate's extras under which this lies, for whoever weighs it."""
MOST_CLUSTERS: Final = 500
"""Beyond, sums of clusters are trusted and nothing else is worked out."""
SIX_POINTS_BELOW: Final = 10
"""Clusters below which signs give too few different values (Webb 2023)."""
COMPARED: Final = ("cluster_robust", "cr2_satterthwaite", "wild_restricted", "randomisation")
FACTOR: Final = 2.0
"""Between p-values of ways that may all be relied upon, what is worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FewClusters:
    """What can be said of one effect with the clusters there are.

    Parameters
    ----------
    month : int
    term : str
    level : str
        What a cluster is: ``"person"`` or ``"market"``.
    clusters : Clusters
    table : DataFrame
        One row per method: ``method, legal, reason, used, estimate, std_error, df, p_value, conf_low,
        conf_high, connected, reference``. ``reason`` is a code of
        `whatworks.stats.clusters.rules.verdict`, ``"no_regression"`` (none gives the estimate), or
        ``"not_needed"`` (more than 500 clusters).
    used : str
        The method to read; empty when none is legal.
    group : str
        ``all``, or a share of markets or ``pooled`` where shares are what differs.
    regression : LongDifference or None
        The regression whose coefficient is the estimate; methods that need one are absent without.
    """

    month: int
    term: str
    level: str
    clusters: Clusters
    table: pd.DataFrame
    used: str
    regression: LongDifference | None
    group: str = "all"

    @property
    def spread(self) -> float:
        """Largest over smallest p-value of the ways that may be relied upon; NaN with fewer than two."""
        read = self.table["legal"] & self.table["method"].isin(COMPARED)
        legal = self.table.loc[read, "p_value"].to_numpy(dtype=float)
        legal = legal[np.isfinite(legal)]
        if legal.size < 2:
            return float("nan")
        return float(legal.max() / legal.min()) if legal.min() > 0 else float("inf")

    @property
    def disagree(self) -> bool:
        """Whether ways that may all be relied upon give p-values more than a factor 2 apart."""
        return self.spread > FACTOR

    def beside(self, estimate: Estimate) -> Estimate:
        """The estimate with this in its extras, where `whatworks.weigh` reads it."""
        return replace(estimate, extras={**estimate.extras, FEW_CLUSTERS: self})


COLUMNS: Final = (
    "method",
    "legal",
    "reason",
    "used",
    "estimate",
    "std_error",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "connected",
    "reference",
)


def way(
    point: float,
    error: float,
    p_value: float,
    ends: ConfidenceSet | None,
    *,
    df: float = np.nan,
) -> Way:
    """One row of the table, but for its method and whether it may be relied upon."""
    return {
        "estimate": point,
        "std_error": error,
        "df": df,
        "p_value": p_value,
        "conf_low": np.nan if ends is None else ends.low,
        "conf_high": np.nan if ends is None else ends.high,
        "connected": True if ends is None else ends.connected,
    }


def student(point: float, error: float, df: float) -> Way:
    """Student's interval and p-value."""
    interval = wald(point, error, df=df)
    ends = ConfidenceSet(intervals=((float(interval.low), float(interval.high)),))
    return way(point, error, float(interval.p_value), ends, df=df)


def by_regression(
    regression: LongDifference,
    *,
    draws: int,
    rng: np.random.Generator,
    six_points: bool | None = None,
) -> dict[str, Way]:
    """CR2, jackknife and wild bootstraps of a regression.

    Parameters
    ----------
    six_points : bool, optional
        Webb's law rather than signs; by default with fewer than 10 clusters.
    """
    blocks, contrast = regression.blocks, regression.contrast
    found = {}
    for name, kind in (("cr2_satterthwaite", "CR2"), ("jackknife", "jackknife")):
        robust = cluster_robust(blocks, kind=kind, contrasts=contrast)
        df = float(robust.df[0]) if kind == "CR2" else float(max(blocks.n_clusters - 1, 1))
        found[name] = student(float(robust.estimate[0]), float(robust.std_error[0]), df)
    few = blocks.n_clusters < SIX_POINTS_BELOW if six_points is None else six_points
    law = "webb" if few else "rademacher"
    for name, restricted in (("wild_restricted", True), ("wild_unrestricted", False)):
        # The same draws for the test and its inversion.
        seed = int(rng.integers(2**62))
        test = wild_bootstrap(
            blocks,
            contrast,
            restricted=restricted,
            weights=law,
            draws=draws,
            rng=np.random.default_rng(seed),
        )
        ends = wild_interval(
            blocks,
            contrast,
            restricted=restricted,
            weights=law,
            draws=draws,
            rng=np.random.default_rng(seed),
        )
        found[name] = way(regression.estimate, test.std_error, test.p_value, ends)
    return found


def by_score(
    row: pd.Series, estimate: Estimate, level: str, *, draws: int, rng: np.random.Generator
) -> dict[str, Way]:
    """Weights on the influence of clusters, where it is held at their level."""
    held = estimate.uncertainty
    if not isinstance(held, Influence) or held.level != level:
        return {}
    effects = estimate.effects
    same = (effects["term"] == row["term"]) & (effects["month"] == row["month"])
    same &= (effects["cohort"] == -1) & (effects["group"] == row["group"])
    influence = held.values[:, int(np.flatnonzero(same)[0])]
    if not np.isfinite(influence).all():
        return {}
    law = "webb" if influence.size < SIX_POINTS_BELOW else "rademacher"
    test = score_bootstrap(
        float(row["estimate"]), influence, weights=law, draws=min(draws, 9_999), rng=rng
    )
    return {"score": way(float(row["estimate"]), test.std_error, test.p_value, None)}


def by_assignment(
    randomised: RandomisationTest, month: int, *, term: str | None = None, group: str = "all"
) -> Way:
    """What re-assignment says of the effect."""
    row = randomised.at(month, term=term, group=group)
    at = int(np.flatnonzero(randomised.table.index == row.name)[0])
    return way(
        float(row["estimate"]),
        float(row["std_error"]),
        float(row["p_value"]),
        randomised.sets[at],
    )


def why_absent(method: str, clusters: Clusters) -> str:
    """Code of why a way that reads a regression, or scores, was not worked out."""
    if clusters.n > MOST_CLUSTERS:
        return "not_needed"
    return "no_regression" if method != "score" else "undefined"


def row_of(method: str, reason: str, told: Way, reference: str) -> Way:
    """Row of the table for one way; it is legal where nothing speaks against it."""
    return {
        "method": method,
        "legal": reason == "legal",
        "reason": reason,
        **told,
        "reference": reference,
    }
