"""One effect under every inference for few clusters, and which of them its number of clusters allows."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, expect
from whatworks.estimate.cells import CELLS, Cells
from whatworks.estimate.few.saturations import few_saturations
from whatworks.estimate.few.ways import (
    COLUMNS,
    FEW_CLUSTERS,
    MOST_CLUSTERS,
    FewClusters,
    Way,
    by_assignment,
    by_regression,
    by_score,
    row_of,
    student,
    way,
    why_absent,
)
from whatworks.estimate.long_difference import regression_of
from whatworks.estimate.reassigned.record import RandomisationTest
from whatworks.estimate.record import Estimate
from whatworks.stats.clusters.rules import REFERENCES, Clusters, verdict
from whatworks.vocabulary import ENTRY_MONTH, MARKET, PERSON, TREATED, DesignClass, Supply

__all__ = ["FEW_CLUSTERS", "FewClusters", "few_clusters"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LONE: Final = ("wild_restricted", "cr2_satterthwaite", "randomisation")
"""With few clusters, the first of these that is legal is the one to read."""


def few_clusters(
    design: Design,
    estimate: Estimate,
    *,
    month: int | None = None,
    term: str | None = None,
    group: str = "all",
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
    term, group : str
        Where shares of markets are what differs: ``spillover``, ``direct`` or ``total`` (by default the
        total), on average, at a share (``"0.25"``) or ``"pooled"``.
    randomised : RandomisationTest, optional
        What `whatworks.randomisation` found: only the user can say which assignments were possible.
        Where the design says that shares were drawn, they are drawn again here if nothing is given.
    draws : int
        Draws of each bootstrap; all patterns of signs where they are no more.
    rng : Generator, optional
        By default seeded with 0.

    Returns
    -------
    FewClusters

    Raises
    ------
    DesignRefused
        When a term or a group is asked of an estimate that has one effect a month.

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
    chance = np.random.default_rng(0) if rng is None else rng
    if Supply.SATURATION in design.supplies and estimate.term in ("total", "direct", "spillover"):
        wanted = (at, estimate.term if term is None else term, group)
        return few_saturations(
            design, estimate, wanted, randomised=randomised, draws=draws, rng=chance
        )
    if group != "all" or term not in (None, estimate.term):
        raise DesignRefused(
            what="few_clusters",
            needed="an estimate by share of the market assigned, to read one of its terms",
            found=f"one of {estimate.method}",
            remedy="leave term and group out",
        )
    row = estimate.at(at)
    level, number = _level(design, estimate)
    clusters = _counted(design, estimate, at, number)
    point = float(row["estimate"])
    found = {"cluster_robust": _as_estimated(row, estimate, level, clusters)}
    regression = None
    needed = clusters.n <= MOST_CLUSTERS
    if needed and np.isfinite(point):
        regression = regression_of(
            design, at, point, cluster=number, anticipation=_anticipation(estimate)
        )
    if regression is not None:
        found |= by_regression(regression, draws=draws, rng=chance)
    if needed:
        found |= by_score(row, estimate, level, draws=draws, rng=chance)
    if randomised is not None:
        found["randomisation"] = by_assignment(randomised, at)
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


_WITH_REGRESSION: Final = ("cr2_satterthwaite", "jackknife", "wild_restricted", "wild_unrestricted")


def _as_estimated(row: pd.Series, estimate: Estimate, level: str, clusters: Clusters) -> Way:
    """The estimate's own error, read with G − 1 degrees of freedom."""
    told = getattr(estimate.uncertainty, "level", estimate.options.get("cluster", "person"))
    of_level = level != MARKET or told == MARKET
    error = float(row["std_error"]) if of_level else float("nan")
    return student(float(row["estimate"]), error, float(max(clusters.n - 1, 1)))


def _table(
    found: dict[str, Way], clusters: Clusters, randomised: RandomisationTest | None
) -> pd.DataFrame:
    rows = []
    for method, reference in REFERENCES.items():
        told = found.get(method, way(np.nan, np.nan, np.nan, None))
        reason = verdict(
            method,
            clusters,
            defined=bool(np.isfinite(told["p_value"])),
            df=found.get("cr2_satterthwaite", told)["df"],
            n_assignments=0 if randomised is None else randomised.n_assignments,
        )
        if method in (*_WITH_REGRESSION, "score") and method not in found:
            reason = why_absent(method, clusters)
        rows.append(row_of(method, reason, told, reference))
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
