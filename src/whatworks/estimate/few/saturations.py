"""One effect of the shares of markets under every inference, and which of them to read."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.few.ways import (
    COLUMNS,
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
from whatworks.estimate.long_difference import SAME, LongDifference
from whatworks.estimate.reassigned.effects import tested_effects
from whatworks.estimate.reassigned.record import RandomisationTest
from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.estimate.reassigned.untreated import SpilloverTest, spillover_test
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.exposure_regression import exposure_regression
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.clusters.inversion import ConfidenceSet
from whatworks.stats.clusters.rules import Clusters
from whatworks.stats.displacement.rules import (
    BY_DRAW,
    SIX_POINTS_BELOW,
    WAYS,
    verdict_on_shares,
    way_to_read,
)
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import MARKET, Supply

Floats = NDArray[np.float64]

MOST_REDRAWS: Final = 1_999
"""Assignments drawn again, at most, where the draw is not asked for by itself."""
MOST_TOSSES: Final = 500_000_000
"""Persons times assignments; beyond, the draw must be asked for with `whatworks.randomisation`."""
FEWEST_REDRAWS: Final = 199


def few_saturations(
    design: Design,
    estimate: Estimate,
    wanted: tuple[int, str, str],
    *,
    randomised: RandomisationTest | None,
    draws: int,
    rng: np.random.Generator,
) -> FewClusters:
    """As `whatworks.few_clusters`, which calls it.

    Parameters
    ----------
    design : Design
    estimate : Estimate
    wanted : tuple of int, str, str
        Month, term and group.
    randomised : RandomisationTest or None
    draws : int
    rng : Generator
    """
    month, term, group = wanted
    rows = _rows(estimate, month, group)
    row = _row(rows, wanted)
    assigned = Assigned.of(design, what="few_clusters", drawn=False)
    clusters = _counted(assigned, term, group)
    point = float(row["estimate"])
    found = {"cluster_robust": _as_estimated(row, estimate, clusters)}
    regression = None
    if clusters.n <= MOST_CLUSTERS and np.isfinite(point):
        regression = _regression(assigned, wanted, point)
    if regression is not None:
        found["cluster_robust"] = _by_sums(regression)
        six = clusters.smaller < SIX_POINTS_BELOW
        found |= by_regression(regression, draws=draws, rng=rng, six_points=six)
    if clusters.n <= MOST_CLUSTERS:
        found |= by_score(row, estimate, MARKET, draws=draws, rng=rng)
    tosses = min(draws, MOST_REDRAWS, MOST_TOSSES // max(assigned.rows.size, 1))
    by_draw = _by_draw(design, assigned, rows, wanted, randomised, tosses, rng)
    found |= {name: told for name, (told, _) in by_draw.items()}
    possible = {name: number for name, (_, number) in by_draw.items()}
    table = _table(
        found,
        clusters,
        possible,
        drawn=Supply.DRAWN_SATURATION in design.supplies,
        per_stratum=assigned.n_markets / (int(assigned.stratum[-1]) + 1),
    )
    used = way_to_read(set(table.loc[table["legal"], "method"]), clusters, term=term)
    return FewClusters(
        month=month,
        term=term,
        level=MARKET,
        clusters=clusters,
        table=table.assign(used=table["method"] == used)[list(COLUMNS)],
        used=used,
        regression=regression,
        group=group,
    )


def _rows(estimate: Estimate, month: int, group: str) -> pd.DataFrame:
    rows = estimate.effects
    return rows[(rows["cohort"] == -1) & (rows["month"] == month) & (rows["group"] == group)]


def _row(rows: pd.DataFrame, wanted: tuple[int, str, str]) -> pd.Series:
    month, term, group = wanted
    rows = rows[rows["term"] == term]
    if rows.empty:
        raise OptionError(
            what="few_clusters",
            needed="a month, a term and a group among those estimated",
            found=f"month {month}, term {term!r}, group {group!r}",
            remedy="see .effects of the estimate for what there is",
        )
    return rows.iloc[0]


def _counted(assigned: Assigned, term: str, group: str) -> Clusters:
    """Markets of the pure control and of positive shares; with both arms, for a direct effect."""
    share = assigned.share
    mean = np.bincount(assigned.market, weights=assigned.treated) / assigned.size
    at = (share > 0) & (mean > 0 if term in ("direct", "total") else True)
    if term in ("direct", "spillover"):
        at &= mean < 1
    if group not in ("all", "pooled"):
        at &= np.array([format(float(p), ".6g") == group for p in share])
    positive, control = int(at.sum()), int((share == 0).sum())
    if term == "direct":
        return Clusters(n=positive, treated=positive, comparison=positive)
    return Clusters(n=positive + control, treated=positive, comparison=control)


def _as_estimated(row: pd.Series, estimate: Estimate, clusters: Clusters) -> Way:
    """The estimate's own error by market, read with G − 1 degrees of freedom."""
    held = estimate.uncertainty
    by_market = getattr(held, "level", MARKET) == MARKET
    error = float(row["std_error"]) if by_market else float("nan")
    n = held.cluster.size if isinstance(held, Influence) else clusters.n
    return student(float(row["estimate"]), error, float(max(n - 1, 1)))


def _by_sums(regression: LongDifference) -> Way:
    """CR1, whatever error the estimate prints, with G − 1 degrees of freedom."""
    told = cluster_robust(regression.blocks, kind="CR1S", contrasts=regression.contrast)
    df = float(max(regression.blocks.n_clusters - 1, 1))
    return student(float(told.estimate[0]), float(told.std_error[0]), df)


def _regression(
    assigned: Assigned, wanted: tuple[int, str, str], point: float
) -> LongDifference | None:
    """The regression whose form is the estimate; None where it is no regression's."""
    month, term, group = wanted
    try:
        # Strata are columns: wild bootstraps draw outcomes again and fit them each time.
        found = exposure_regression(assigned, month, group=group, most_strata=MOST_CLUSTERS)
    except DesignRefused:  # strata and covariates tell each other apart: no regression by columns
        return None
    form = found.form(term, group)
    if form is None or abs(form @ found.blocks.beta - point) > SAME * max(abs(point), 1e-12):
        return None
    adjusted = bool(assigned.design.covariates)
    return LongDifference(blocks=found.blocks, contrast=form, outcome="level", adjusted=adjusted)


def _by_draw(
    design: Design,
    assigned: Assigned,
    rows: pd.DataFrame,
    wanted: tuple[int, str, str],
    randomised: RandomisationTest | None,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, tuple[Way, int]]:
    """Tests that draw again, each with the number of orders of shares that were possible."""
    if Supply.DRAWN_SATURATION not in design.supplies:
        return {}
    month, term, group = wanted
    found = {}
    test = randomised
    if test is None and draws >= FEWEST_REDRAWS:
        test = tested_effects(assigned, rows, draws=draws, rng=rng)
    if test is not None:
        told = by_assignment(test, month, term=term, group=group)
        found["randomisation"] = (told, test.n_assignments)
    if term == "spillover" and group in ("all", "pooled"):
        conditional = _conditional(design, month, rng)
        if conditional is not None:
            found["conditional"] = (_of_untreated(conditional), conditional.n_assignments)
    return found


def _conditional(design: Design, month: int, rng: np.random.Generator) -> SpilloverTest | None:
    try:
        return spillover_test(design, month=month, rng=rng)
    except DesignRefused:  # nobody stays untreated where shares differ
        return None


def _of_untreated(test: SpilloverTest) -> Way:
    """The test on the untreated; where few orders are possible, half of the ties counted."""
    p_value = test.p_mid if test.exact else test.p_value
    return way(test.estimate, test.std_error, p_value, ConfidenceSet(intervals=()))


def _table(
    found: dict[str, Way],
    clusters: Clusters,
    possible: dict[str, int],
    *,
    drawn: bool,
    per_stratum: float,
) -> pd.DataFrame:
    rows = []
    df = found.get("cr2_satterthwaite", {"df": np.nan})["df"]
    for method, reference in WAYS.items():
        told = found.get(method, way(np.nan, np.nan, np.nan, None))
        reason = verdict_on_shares(
            method,
            clusters,
            defined=bool(np.isfinite(told["p_value"])),
            df=df,
            n_assignments=possible.get(method, 0) if drawn else 0,
            per_stratum=per_stratum,
        )
        if method not in found and method not in BY_DRAW:
            reason = why_absent(method, clusters)
        if method == "conditional" and method not in found:
            continue
        rows.append(row_of(method, reason, told, reference))
    return pd.DataFrame(rows)
