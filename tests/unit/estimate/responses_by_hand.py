"""Responses by arm and share from two least-squares fits written out in full, and their estimate.

Nothing of the package is used but its records: what net effects are checked with does not come from the
estimators they are used with.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    INELIGIBLE,
    UNASSIGNED,
    Further,
    Responses,
    estimate_of_responses,
)
from whatworks.ledger import Ledger
from whatworks.stats.uncertainty import Covariance, Influence


def regression(y, x, market):
    """Coefficients, and their influence by market with the CR1 factor in it."""
    bread = np.linalg.pinv(x.T @ x)
    coefficients = bread @ (x.T @ y)
    score = x * (y - x @ coefficients)[:, None]
    sums = np.zeros((market.max() + 1, x.shape[1]))
    np.add.at(sums, market, score)
    g, n, k = sums.shape[0], y.size, np.linalg.matrix_rank(x)
    return coefficients, sums @ bread * np.sqrt(g / (g - 1) * (n - 1) / (n - k))


def fitted(frame: pd.DataFrame, *, controls=None, unit: str = "", df=None) -> Estimate:
    """Estimate with cells, the pooled regression and the lines; ``y, treated, saturation, market``."""
    y, z = frame["y"].to_numpy(float), frame["treated"].to_numpy(bool)
    p = frame["saturation"].to_numpy(float)
    market = np.unique(frame["market"].to_numpy(), return_inverse=True)[1]
    held = np.zeros((y.size, 0)) if controls is None else controls - controls.mean(axis=0)
    cells = sorted({(float(s), bool(a)) for s, a in zip(p, z, strict=True)})
    inside = np.column_stack([(p == s) & (z == a) for s, a in cells]).astype(float)
    k = len(cells)
    mean, cell_influence = regression(y, np.column_stack([inside, held]), market)
    one = np.ones(y.size)
    pooled, of_pooled = regression(y, np.column_stack([one, z, p > 0, held]).astype(float), market)
    lines, of_lines = regression(y, np.column_stack([one, z, z * p, (~z) * p, held]), market)
    names = ["direct", "spillover", "total", "direct", "slope_assigned", "slope_unassigned"]
    effect = [pooled[1], pooled[2], pooled[1] + pooled[2], lines[1], lines[2], lines[3]]
    pooled_i = np.column_stack([of_pooled[:, 1], of_pooled[:, 2], of_pooled[:, 1:3].sum(axis=1)])
    values = np.column_stack([cell_influence[:, :k], pooled_i, of_lines[:, 1:4]])
    shares = sorted({s for s, _ in cells if s > 0})
    responses = Responses(
        arm=np.array([ASSIGNED if a else UNASSIGNED for _, a in cells], dtype=object),
        saturation=np.array([s for s, _ in cells]),
        month=np.zeros(k, dtype=np.int64),
        group=np.array(["all"] * k, dtype=object),
        mean=mean[:k],
        n_units=inside.sum(axis=0).astype(np.int64),
        n_markets=np.array([np.unique(market[c > 0]).size for c in inside.T]),
        uncertainty=Influence(values=values, cluster=np.arange(market.max() + 1), level="market"),
        weight={s: float(np.unique(market[p == s]).size) for s in shares},
        df=float(market.max()) if df is None else df,
        further=Further(
            term=np.array(names, dtype=object),
            group=np.array(["pooled"] * 3 + ["linear"] * 3, dtype=object),
            month=np.zeros(6, dtype=np.int64),
            effect=np.array(effect),
            n_treated=np.full(6, int(z.sum())),
            n_comparison=np.full(6, int((~z).sum())),
        ),
    )
    return as_estimate(responses, unit=unit)


def known(rows, *, covariance=None, weight=None, df=np.inf, unit: str = "") -> Estimate:
    """Estimate of cells ``(arm, share, mean)`` known exactly, or with a covariance."""
    arm, share, mean = zip(*rows, strict=True)
    k = len(rows)
    matrix = np.eye(k) * 1e-8 if covariance is None else np.asarray(covariance, dtype=float)
    positive = sorted({s for s in share if s > 0})
    responses = Responses(
        arm=np.array(arm, dtype=object),
        saturation=np.array(share, dtype=float),
        month=np.zeros(k, dtype=np.int64),
        group=np.array(["all"] * k, dtype=object),
        mean=np.array(mean, dtype=float),
        n_units=np.full(k, 500),
        n_markets=np.full(k, 20),
        uncertainty=Covariance(matrix=matrix),
        weight=dict.fromkeys(positive, 20.0) if weight is None else weight,
        df=df,
    )
    return as_estimate(responses, unit=unit)


def as_estimate(responses: Responses, *, unit: str = "") -> Estimate:
    return estimate_of_responses(responses, method="ByHand", options={}, unit=unit, ledger=Ledger())


def arms(truth: pd.DataFrame, *, base: float, ineligible: bool = False):
    """Cells of a closed-form truth: the seekers that cannot be assigned fare as the unassigned."""
    rows = [(UNASSIGNED, 0.0, base)]
    if ineligible:
        rows.append((INELIGIBLE, 0.0, base))
    for row in truth[truth["saturation"] > 0].itertuples():
        rows.append((ASSIGNED, row.saturation, base + row.total))
        if row.saturation < 1:
            rows.append((UNASSIGNED, row.saturation, base + row.spillover))
        if ineligible:
            rows.append((INELIGIBLE, row.saturation, base + row.spillover))
    return rows
