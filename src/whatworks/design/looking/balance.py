"""What a choice of comparisons made of everyone it chose from: balance, overlap, who was left out.

All of it is computed when comparisons are chosen, before any outcome is opened, and none of it holds
a value of a person: rows of fewer than eleven units are hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates, Population
from whatworks.stats.balance import (
    Compared,
    compared,
    effective_size,
    moments,
    spread,
    standardised_difference,
    variance_ratio,
)
from whatworks.stats.threads import one_thread
from whatworks.vocabulary import MARKET, PERSON, TREATED, WEIGHT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST: Final = 11
"""Units below which a mean would point at somebody."""
BEFORE: Final = "before"
AFTER: Final = "after"
ARMS: Final = ("treated", "comparison")
LEFT_OUT: Final = (
    "arm",
    "covariate",
    "n_kept",
    "n_left_out",
    "mean_kept",
    "mean_left_out",
    "smd",
)


@one_thread()
def population(candidates: Candidates, chosen: Chosen | None) -> Population:
    """Everyone a comparison chose from, and what the choice made of them.

    Parameters
    ----------
    candidates : Candidates
    chosen : Chosen or None
        None where nothing was chosen: everyone takes part with their sampling weight.
    """
    weight = candidates.weight if chosen is None else chosen.weight
    score = None if chosen is None else chosen.propensity
    arms = (candidates.treated, ~candidates.treated)
    bins = np.empty(0) if score is None else _bins(score)
    place = None if score is None else _places(score, bins)
    before, after = (
        [_histogram(place, np.where(arm, w, 0.0), n_bins=bins.size - 1) for arm in arms]
        for w in (candidates.weight, weight)
    )
    low, high = (np.nan, np.nan) if score is None else _common(score, arms)
    inside = (
        np.zeros(weight.size, dtype=bool) if score is None else (score >= low) & (score <= high)
    )
    return Population(
        balance=_balance(candidates, {BEFORE: candidates.weight, AFTER: weight}),
        left_out=_left_out(candidates, weight),
        score_bins=bins,
        score_treated=before[0],
        score_comparison=before[1],
        score_treated_after=after[0],
        score_comparison_after=after[1],
        support=(low, high),
        n_treated=int(arms[0].sum()),
        n_comparison=int(arms[1].sum()),
        n_supported=(int((arms[0] & inside).sum()), int((arms[1] & inside).sum())),
    )


def _balance(candidates: Candidates, weights: Mapping[str, Floats]) -> pd.DataFrame:
    """One row per covariate and sample, in the order of the covariates."""
    values = candidates.covariates
    # Where nothing was chosen both samples are one, and columns are sorted for it once.
    told = {id(weight): weight for weight in weights.values()}
    found = compared(values, treated=candidates.treated, weights=tuple(told.values()))
    by_weight = dict(zip(told, found, strict=True))
    scale = spread(found[0].var_treated, found[0].var_comparison, estimand=candidates.estimand)
    names, samples = list(candidates.names), list(weights)
    parts = [_measures(by_weight[id(weight)], scale) for weight in weights.values()]
    # A covariate's samples stand side by side.
    table = {name: np.stack([part[name] for part in parts], axis=1).ravel() for name in parts[0]}
    return pd.DataFrame(
        {
            "covariate": [name for name in names for _ in samples],
            "sample": samples * len(names),
            **table,
        }
    )


def _measures(found: Compared, scale: Floats) -> dict[str, Floats]:
    """Columns of a balance table, a row per covariate."""
    return {
        "mean_treated": found.mean_treated,
        "mean_comparison": found.mean_comparison,
        "var_treated": found.var_treated,
        "var_comparison": found.var_comparison,
        "smd": standardised_difference(found.mean_treated, found.mean_comparison, variance=scale),
        "variance_ratio": variance_ratio(found),
        "ks": found.ks,
        "ecdf_mean": found.ecdf_mean,
    }


def _left_out(candidates: Candidates, weight: Floats) -> pd.DataFrame:
    """Means of those who were sought for and left out, beside those kept, arm by arm."""
    parts = []
    for arm, of_arm in zip(ARMS, (candidates.treated, ~candidates.treated), strict=True):
        asked = of_arm & candidates.sought
        out = asked & (weight == 0)
        if not out.any():
            continue
        n_out, n_kept = int(out.sum()), int(asked.sum() - out.sum())
        kept, gone = (_means(candidates, rows) for rows in (asked & ~out, out))
        variance = moments(candidates.covariates[asked], weight=candidates.weight[asked]).variance
        parts.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "covariate": list(candidates.names),
                    "n_kept": n_kept,
                    "n_left_out": n_out,
                    "mean_kept": kept,
                    "mean_left_out": gone,
                    "smd": standardised_difference(gone, kept, variance=variance),
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(LEFT_OUT))


def _means(candidates: Candidates, rows: Bools) -> Floats:
    """Weighted means of some candidates; NaN where they are too few to be shown."""
    if rows.sum() < FEWEST:
        return np.full(len(candidates.names), np.nan)
    return moments(candidates.covariates[rows], weight=candidates.weight[rows]).mean


def _places(score: Floats, bins: Floats) -> Ints:
    """Bin of each score, the last one closed; beyond it where none is known."""
    n_bins = bins.size - 1
    place = np.minimum(np.searchsorted(bins, score, side="right") - 1, n_bins - 1)
    place[np.isnan(score)] = n_bins
    return place


def _histogram(place: Ints | None, weight: Floats, *, n_bins: int) -> Floats:
    """Share of an arm in each bin of the score."""
    if place is None:
        return np.empty(0)
    total = weight.sum()
    counted = np.bincount(place, weights=weight, minlength=n_bins)[:n_bins]
    return np.asarray(counted / total if total > 0 else counted * np.nan)


def _bins(score: Floats) -> Floats:
    """Twenty bins from 0 to a round number at or above the greatest probability."""
    top = float(np.nanmax(score, initial=0.0))
    step = 10.0 ** np.floor(np.log10(top)) if top > 0 else 1.0
    return np.linspace(0, min(1.0, np.ceil(top / step) * step), 21)


def _common(score: Floats, arms: tuple[Bools, Bools]) -> tuple[float, float]:
    """Lowest and highest probability that both arms reach."""
    known = [score[arm & ~np.isnan(score)] for arm in arms]
    if not all(k.size for k in known):
        return np.nan, np.nan
    return float(max(k.min() for k in known)), float(min(k.max() for k in known))


def arms(units: pd.DataFrame, population: Population) -> pd.DataFrame:
    """Size of each arm before and after choosing, and how many it amounts to.

    Returns
    -------
    DataFrame
        ``arm, n_before, n_units, n_persons, effective_size, common_support``: candidates, units and
        persons that take part, Kish's effective size, and the share of candidates whose
        probability of entering the other arm reaches too (NaN where none was fitted).
    """
    treated = units[TREATED].to_numpy()
    sizes = (population.n_treated, population.n_comparison)
    scored = population.score_bins.size > 0
    records = [
        {
            "arm": name,
            "n_before": size,
            "n_units": int(arm.sum()),
            "n_persons": int(units.loc[arm, PERSON].nunique()),
            "effective_size": effective_size(units.loc[arm, WEIGHT].to_numpy()),
            "common_support": supported / size if scored and size else np.nan,
        }
        for name, arm, size, supported in zip(
            ARMS, (treated, ~treated), sizes, population.n_supported, strict=True
        )
    ]
    return pd.DataFrame(records)


def balance_by_market(
    units: pd.DataFrame, population: Population, covariates: tuple[str, ...], *, estimand: str
) -> pd.DataFrame:
    """Balance after choosing within each market, in the standard deviations of the whole.

    Returns
    -------
    DataFrame
        ``market, n_treated, n_comparison`` (units), then the columns of `Population.balance` but
        ``sample``. Measures are NaN in a market where an arm holds fewer than eleven persons.
    """
    raw = population.balance[population.balance["sample"] == BEFORE].set_index("covariate")
    raw = raw.loc[list(covariates)]
    scale = spread(
        raw["var_treated"].to_numpy(), raw["var_comparison"].to_numpy(), estimand=estimand
    )
    parts = []
    for market, group in units.groupby(MARKET, sort=True):
        treated = group[TREATED].to_numpy()
        [found] = compared(
            group[list(covariates)].to_numpy(dtype=float),
            treated=treated,
            weights=(group[WEIGHT].to_numpy(),),
        )
        rows = pd.DataFrame({"covariate": list(covariates), **_measures(found, scale)})
        if min(group.loc[arm, PERSON].nunique() for arm in (treated, ~treated)) < FEWEST:
            rows.iloc[:, 1:] = np.nan
        sizes = {"n_treated": int(treated.sum()), "n_comparison": int((~treated).sum())}
        parts.append(rows.assign(market=market, **sizes))
    if not parts:
        return pd.DataFrame(columns=["market", "n_treated", "n_comparison", "covariate"])
    table = pd.concat(parts, ignore_index=True)
    first = ["market", "n_treated", "n_comparison"]
    return table[[*first, *table.columns.drop(first)]]


def overlap(population: Population) -> pd.DataFrame:
    """Histogram of the probability of entering, shares of each arm before and after choosing.

    Returns
    -------
    DataFrame
        ``score_from, score_to, treated, comparison, treated_after, comparison_after``; no row
        where no score was fitted.
    """
    return pd.DataFrame(
        {
            "score_from": population.score_bins[:-1],
            "score_to": population.score_bins[1:],
            "treated": population.score_treated,
            "comparison": population.score_comparison,
            "treated_after": population.score_treated_after,
            "comparison_after": population.score_comparison_after,
        }
    )
