"""One effect under every inference for few clusters, and which of them its number of clusters allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import expect
from whatworks.estimate.cells import CELLS, Cells
from whatworks.estimate.long_difference import LongDifference, regression_of
from whatworks.estimate.randomisation import RandomisationTest
from whatworks.estimate.record import Estimate
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.clusters.inversion import ConfidenceSet
from whatworks.stats.clusters.rules import REFERENCES, Clusters, verdict
from whatworks.stats.clusters.score import score_bootstrap
from whatworks.stats.clusters.wild import wild_bootstrap, wild_interval
from whatworks.stats.intervals import wald
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import ENTRY_MONTH, MARKET, PERSON, TREATED, DesignClass, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEW_CLUSTERS: Final = "few_clusters"
"""Key of an estimate's extras under which this lies, for whoever weighs it."""
MOST_CLUSTERS: Final = 500
"""Beyond, sums of clusters are trusted and nothing else is worked out."""
SIX_POINTS_BELOW: Final = 10
"""Clusters below which signs give too few different values (Webb 2023)."""
LONE: Final = ("wild_restricted", "cr2_satterthwaite", "randomisation")
"""With few clusters, the first of these that is legal is the one to read."""


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

    def beside(self, estimate: Estimate) -> Estimate:
        """The estimate with this in its extras, where `whatworks.weigh` reads it."""
        return replace(estimate, extras={**estimate.extras, FEW_CLUSTERS: self})


def few_clusters(
    design: Design,
    estimate: Estimate,
    *,
    month: int | None = None,
    randomised: RandomisationTest | None = None,
    draws: int = 9_999,
    rng: np.random.Generator | None = None,
) -> FewClusters:
    """One effect under every inference, and which of them is legal.

    Parameters
    ----------
    design : Design
        The one the estimate was fitted on.
    estimate : Estimate
    month : int, optional
        By default the primary one of the question.
    randomised : RandomisationTest, optional
        What `whatworks.randomisation` found: only the user can say which assignments were possible.
    draws : int
        Draws of each bootstrap; all patterns of signs where they are no more.
    rng : Generator, optional
        By default seeded with 0.

    Returns
    -------
    FewClusters

    Notes
    -----
    Errors by person of a treatment given by market are read at the level of the market: outcomes of a
    territory move together, and treatment with them (Abadie, Athey, Imbens & Wooldridge 2023,
    doi:10.1093/qje/qjac038).
    """
    expect(design, Design, what="few_clusters", remedy="give the design the estimate was fitted on")
    expect(estimate, Estimate, what="few_clusters", remedy="fit an estimator on the design first")
    if randomised is not None:
        expect(
            randomised, RandomisationTest, what="randomised", remedy="give what randomisation found"
        )
    at = design.question.primary if month is None else month
    row = estimate.at(at)
    level, number = _level(design, estimate)
    clusters = _counted(design, estimate, at, number)
    point = float(row["estimate"])
    found = {"cluster_robust": _as_estimated(row, estimate, level, clusters)}
    regression = None
    chance = np.random.default_rng(0) if rng is None else rng
    needed = clusters.n <= MOST_CLUSTERS
    if needed and np.isfinite(point):
        regression = regression_of(
            design, at, point, cluster=number, anticipation=_anticipation(estimate)
        )
    if regression is not None:
        found |= _by_regression(regression, draws=draws, rng=chance)
    if needed:
        found |= _by_score(row, estimate, level, draws=draws, rng=chance)
    if randomised is not None:
        found["randomisation"] = _by_assignment(randomised, at)
    table = _table(found, clusters, randomised)
    used = _used(table, randomised=design.design_class is DesignClass.RANDOMISED)
    return FewClusters(
        month=at,
        term=str(row["term"]),
        level=level,
        clusters=clusters,
        table=table.assign(used=table["method"] == used)[list(COLUMNS)],
        used=used,
        regression=regression,
    )


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
_WITH_REGRESSION: Final = ("cr2_satterthwaite", "jackknife", "wild_restricted", "wild_unrestricted")


def _row(
    point: float,
    error: float,
    p_value: float,
    ends: ConfidenceSet | None,
    *,
    df: float = np.nan,
) -> dict[str, Any]:
    return {
        "estimate": point,
        "std_error": error,
        "df": df,
        "p_value": p_value,
        "conf_low": np.nan if ends is None else ends.low,
        "conf_high": np.nan if ends is None else ends.high,
        "connected": True if ends is None else ends.connected,
    }


def _student(point: float, error: float, df: float) -> dict[str, Any]:
    interval = wald(point, error, df=df)
    ends = ConfidenceSet(intervals=((float(interval.low), float(interval.high)),))
    return _row(point, error, float(interval.p_value), ends, df=df)


def _as_estimated(
    row: pd.Series, estimate: Estimate, level: str, clusters: Clusters
) -> dict[str, Any]:
    """The estimate's own error, read with G − 1 degrees of freedom."""
    told = getattr(estimate.uncertainty, "level", estimate.options.get("cluster", "person"))
    of_level = level != MARKET or told == MARKET
    error = float(row["std_error"]) if of_level else float("nan")
    return _student(float(row["estimate"]), error, float(max(clusters.n - 1, 1)))


def _by_regression(
    regression: LongDifference, *, draws: int, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    blocks, contrast = regression.blocks, regression.contrast
    found = {}
    for name, kind in (("cr2_satterthwaite", "CR2"), ("jackknife", "jackknife")):
        robust = cluster_robust(blocks, kind=kind, contrasts=contrast)
        df = float(robust.df[0]) if kind == "CR2" else float(max(blocks.n_clusters - 1, 1))
        found[name] = _student(float(robust.estimate[0]), float(robust.std_error[0]), df)
    law = "webb" if blocks.n_clusters < SIX_POINTS_BELOW else "rademacher"
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
        found[name] = _row(regression.estimate, test.std_error, test.p_value, ends)
    return found


def _by_score(
    row: pd.Series, estimate: Estimate, level: str, *, draws: int, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Weights on the influence of clusters, where it is held at their level."""
    held = estimate.uncertainty
    if not isinstance(held, Influence) or held.level != level:
        return {}
    effects = estimate.effects
    same = (effects["term"] == row["term"]) & (effects["month"] == row["month"])
    same &= (effects["cohort"] == -1) & (effects["group"] == "all")
    influence = held.values[:, int(np.flatnonzero(same)[0])]
    if not np.isfinite(influence).all():
        return {}
    law = "webb" if influence.size < SIX_POINTS_BELOW else "rademacher"
    test = score_bootstrap(
        float(row["estimate"]), influence, weights=law, draws=min(draws, 9_999), rng=rng
    )
    return {"score": _row(float(row["estimate"]), test.std_error, test.p_value, None)}


def _by_assignment(randomised: RandomisationTest, month: int) -> dict[str, Any]:
    told = randomised.table["month"].tolist().index(randomised.at(month)["month"])
    row = randomised.table.iloc[told]
    return _row(
        float(row["estimate"]),
        float(row["std_error"]),
        float(row["p_value"]),
        randomised.sets[told],
    )


def _table(
    found: dict[str, dict[str, Any]], clusters: Clusters, randomised: RandomisationTest | None
) -> pd.DataFrame:
    rows = []
    for method, reference in REFERENCES.items():
        told = found.get(method, _row(np.nan, np.nan, np.nan, None))
        reason = verdict(
            method,
            clusters,
            defined=bool(np.isfinite(told["p_value"])),
            df=found.get("cr2_satterthwaite", told)["df"],
            n_assignments=0 if randomised is None else randomised.n_assignments,
        )
        if method in (*_WITH_REGRESSION, "score") and method not in found:
            reason = "no_regression" if method != "score" else "undefined"
            reason = reason if clusters.n <= MOST_CLUSTERS else "not_needed"
        rows.append(
            {
                "method": method,
                "legal": reason == "legal",
                "reason": reason,
                **told,
                "reference": reference,
            }
        )
    return pd.DataFrame(rows)


def _used(table: pd.DataFrame, *, randomised: bool) -> str:
    """What was drawn by lot is judged by lot; many clusters by their sums; few by what they allow."""
    order = [*(("randomisation",) if randomised else ()), "cluster_robust", *LONE]
    legal = set(table.loc[table["legal"], "method"])
    return next((method for method in order if method in legal), "")


def _anticipation(estimate: Estimate) -> int:
    cells = estimate.extras.get(CELLS)
    return cells.anticipation if isinstance(cells, Cells) else 0


def _level(design: Design, estimate: Estimate) -> tuple[str, Ints]:
    """What clusters are, and each unit's; the market where all of one is treated alike."""
    told = getattr(estimate.uncertainty, "level", None)
    told = told or estimate.options.get("cluster", "person")
    level = MARKET if told == "market" or given_by_market(design) else "person"
    # Territories that are units themselves need no market of their own.
    named = level == "market" and Supply.MARKETS in design.supplies
    label = design.units[MARKET if named else PERSON]
    return level, pd.factorize(label)[0].astype(np.int64)


def given_by_market(design: Design) -> bool:
    """Whether units of one market were all treated at once, and markets are no mere names of units."""
    if Supply.MARKETS not in design.supplies or Supply.SATURATION in design.supplies:
        return False
    units = design.units
    number = pd.factorize(units[MARKET])[0]
    rollout = Supply.ROLLOUT in design.supplies
    told = (units[ENTRY_MONTH] if rollout else units[TREATED]).to_numpy().astype(np.int64)
    n = int(number.max()) + 1
    own = np.zeros(n, dtype=np.int64)
    own[number] = told
    persons = int(units[PERSON].nunique())
    return bool(np.array_equal(own[number], told)) and 1 < n < persons


def _counted(design: Design, estimate: Estimate, month: int, number: Ints) -> Clusters:
    """Clusters with units that were treated by the month read, and with units that were not."""
    if Supply.ROLLOUT not in design.supplies:
        treated = design.units[TREATED].to_numpy()
        beside = ~treated
    else:
        treated, beside = _arms(design, estimate, month)
    return Clusters(
        n=int(np.unique(number[treated | beside]).size),
        treated=int(np.unique(number[treated]).size),
        comparison=int(np.unique(number[beside]).size),
    )


def _arms(design: Design, estimate: Estimate, month: int) -> tuple[Bools, Bools]:
    """Units of the cohorts read in a month, and those that stand beside one of them."""
    start = design.units[ENTRY_MONTH].to_numpy()
    periods = np.array(design.outcomes.months)
    cells = estimate.extras.get(CELLS)
    if isinstance(cells, Cells):
        cohorts = np.unique(cells.cohort[(cells.month == month) & np.isfinite(cells.effect)])
    else:
        starts = np.unique(start[start <= periods[-1]])
        cohorts = starts[np.isin(starts + month, periods)]
    treated = np.isin(start, cohorts)
    if estimate.options.get("control") == "not_yet_treated":
        return treated, start > cohorts.min(initial=periods[-1]) + month + _anticipation(estimate)
    return treated, start > periods[-1]
