"""Spillover-aware difference in differences with fewer rings, with one more, and what neighbours share."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.estimate.rings.exposed import Cells, Exposed
from whatworks.estimate.rings.terms import (
    ORDINARY,
    POOLED,
    SPILLOVER,
    TOTAL,
    Errors,
    terms_of,
    uncertainty_of,
)
from whatworks.stats.did.near import moran
from whatworks.stats.did.rings import FOLDS, Touched, impute_cells, widths
from whatworks.stats.intervals import wald
from whatworks.stats.uncertainty import Influence, cluster_sums, order_by_content

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FURTHER: Final = 2.0
"""How many times further than the outermost bound the ring outside reaches."""
MOST_PAIRS: Final = 2e7
"""Pairs of neighbours beyond which what is left between them is not looked at."""


def widths_table(exposed: Exposed, how: Errors, effects: pd.DataFrame) -> pd.DataFrame:
    """Pooled effects for each number of rings kept, the nearest first, from none.

    Returns
    -------
    DataFrame
        ``rings, bound, term, group, estimate, std_error, conf_low, conf_high, bic, cv``; with none, the
        ordinary difference in differences. ``bound`` is the last bound kept, NaN for none.
    """
    whole = exposed.rollout
    units = replace(
        exposed.units(),
        cohort=np.zeros(whole.start.size, dtype=np.int64),
        used=np.ones((1, whole.periods.size), dtype=bool),
    )
    criteria = widths(units, exposed.states(), _folds(exposed))
    parts = []
    for k in range(len(exposed.bounds) + 1):
        kept = exposed.bounds[-k:] if exposed.nearness.by_share else exposed.bounds[:k]
        rows = _of_effects(effects, k, last=len(exposed.bounds))
        if rows is None:
            rows = _pooled(Exposed.of(whole, exposed.place, exposed.nearness, kept), how)
        bound = np.nan if not k else kept[0] if exposed.nearness.by_share else kept[-1]
        told = criteria.bic[k] if k < criteria.bic.size else np.nan
        rows.insert(0, "bound", bound)
        rows.insert(0, "rings", k)
        missed = criteria.cv[k] if k < criteria.cv.size else np.nan
        parts.append(rows.assign(bic=told, cv=missed))
    return pd.concat(parts, ignore_index=True)


def beyond(exposed: Exposed, how: Errors, touched: Touched) -> pd.DataFrame:
    """Effect in one ring outside the outermost, and Moran's I of what clean places have left.

    Returns
    -------
    DataFrame
        One row: ``group, estimate, std_error, conf_low, conf_high, p_value, moran, moran_expected,
        moran_std_error, moran_p_value, n_places``. NaN where no place lies there, or nobody would be left
        clean.
    """
    bounds = exposed.bounds
    wider = (
        (bounds[0] / FURTHER, *bounds)
        if exposed.nearness.by_share
        else (*bounds, FURTHER * bounds[-1])
    )
    row = {"group": "", "estimate": np.nan, "std_error": np.nan, "p_value": np.nan}
    row |= {"conf_low": np.nan, "conf_high": np.nan}
    if wider[-1] > bounds[-1] or wider[0] < bounds[0]:
        more = Exposed.of(exposed.rollout, exposed.place, exposed.nearness, wider)
        row["group"] = more.names[-1]
        clean = more.clean
        if clean.any():
            found = _pooled(more.kept(clean), how)
            mine = found[found["group"] == f"{POOLED}@{more.names[-1]}"]
            mine = mine[mine["term"] != TOTAL]
            if len(mine):
                row |= mine.iloc[0][["estimate", "std_error", "conf_low", "conf_high", "p_value"]]
    return pd.DataFrame([{**row, **_left(exposed, touched)}])


def exposure_table(exposed: Exposed, cells: Cells) -> pd.DataFrame:
    """Units and observations by what reaches them: ``group, treated, n_units, n_observations``."""
    terms = [t for t in terms_of(exposed, cells, months=False) if "@" in t.group]
    if not terms:
        return pd.DataFrame({"group": [], "treated": [], "n_units": [], "n_observations": []})
    members = np.column_stack([t.members for t in terms])
    size = np.bincount(cells.label[cells.label >= 0], minlength=cells.month.size)
    return pd.DataFrame(
        {
            "group": [t.group.removeprefix(f"{POOLED}@") for t in terms],
            "treated": [t.term == TOTAL for t in terms],
            "n_units": cells.units_of(members),
            "n_observations": members.T.astype(np.int64) @ size,
        }
    )


def _of_effects(effects: pd.DataFrame, k: int, *, last: int) -> pd.DataFrame | None:
    """Pooled rows that the estimate holds already: without any ring, and with all of them."""
    pooled = effects["group"].str.startswith(POOLED)
    if k == last:
        rows = effects[pooled & effects["term"].isin([TOTAL, SPILLOVER])]
    elif k == 0:
        rows = effects[pooled & (effects["term"] == ORDINARY)].assign(term=TOTAL)
    else:
        return None
    told = ["term", "group", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    return rows[told].reset_index(drop=True)


def _pooled(exposed: Exposed, how: Errors) -> pd.DataFrame:
    """Pooled effects of one choice of rings."""
    cells = Cells.of(exposed)
    terms = terms_of(exposed, cells, months=False)
    if not terms:
        return pd.DataFrame({"term": [], "group": []})
    members = np.column_stack([t.members for t in terms])
    found = impute_cells(exposed.units(), cells.label, members)
    told = uncertainty_of(found, exposed, how, n_terms=len(terms))
    # Of a million units, sums of squares are had at once, and their products are not read here.
    variance = (
        told.factor * np.einsum("cj,cj->j", told.values, told.values)
        if isinstance(told, Influence)
        else np.diag(told.covariance())
    )
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    ends = wald(found.effect, error, df=how.df)
    return pd.DataFrame(
        {
            "term": [t.term for t in terms],
            "group": [t.group for t in terms],
            "estimate": found.effect,
            "std_error": error,
            "conf_low": ends.low,
            "conf_high": ends.high,
            "p_value": ends.p_value,
        }
    )


def _folds(exposed: Exposed) -> Ints:
    """Part of each unit in cross-validation: clusters dealt in the order of what they hold."""
    rollout = exposed.rollout
    held = np.column_stack([np.nan_to_num(rollout.values), rollout.weight, rollout.start < 2**30])
    sums, _ = cluster_sums(held, rollout.cluster)
    dealt = np.empty(rollout.n_clusters, dtype=np.int64)
    dealt[order_by_content(sums)] = np.arange(rollout.n_clusters) % min(FOLDS, rollout.n_clusters)
    return dealt[rollout.cluster]


def _left(exposed: Exposed, touched: Touched) -> dict[str, float]:
    """Moran's I of mean residuals of clean places after the first start."""
    rollout, nearness = exposed.rollout, exposed.nearness
    nothing = dict.fromkeys(("moran", "moran_expected", "moran_std_error", "moran_p_value"), np.nan)
    after = rollout.periods >= nearness.starts[0]
    sums = np.zeros((rollout.start.size, 2))
    for first in range(0, rollout.start.size, 2**15):
        rows = np.arange(first, min(first + 2**15, rollout.start.size))
        left, weight = touched.residuals(rows)
        sums[rows] = np.column_stack(
            [(weight * left)[:, after].sum(axis=1), weight[:, after].sum(axis=1)]
        )
    clean = np.flatnonzero((sums[:, 1] > 0) & (exposed.until > rollout.periods[-1]))
    totals, places = cluster_sums(sums[clean], exposed.place[clean])
    weights = nearness.links(places, bound=exposed.bounds[-1], most=MOST_PAIRS)
    if weights is None or not places.size:
        return {**nothing, "n_places": int(places.size)}
    found = moran(totals[:, 0] / totals[:, 1], weights)
    return {
        "moran": found.index,
        "moran_expected": found.expected,
        "moran_std_error": found.std_error,
        "moran_p_value": found.p_value,
        "n_places": found.n_places,
    }
