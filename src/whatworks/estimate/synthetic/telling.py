"""Tables a reader is owed: donors' weights, fit before the start, paths, and what leaving one out does."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.estimate.synthetic.fitting import (
    Fits,
    Fitter,
    average_weights,
    cell_columns,
    paths_of,
)
from whatworks.estimate.synthetic.inference import Inferred, rmspe
from whatworks.estimate.synthetic.reading import Cohort, Territories
from whatworks.stats.synthetic.placebos import Placebos, rank_p_value

Floats = NDArray[np.float64]

NEGLIGIBLE: Final = 1e-6
"""Weight under which a donor is not listed."""


def tables(land: Territories, fits: Fits, inferred: Inferred, fitter: Fitter) -> dict[str, Any]:
    """Extras of an estimate on territories.

    Returns
    -------
    dict
        ``donors``: ``cohort, territory, donor, weight``; ``periods``: ``cohort, period, weight`` of
        periods before the start whose mean gap is taken away; ``paths``: ``cohort, territory, period,
        month, actual, synthetic``; ``fit``: ``cohort, territory, rmspe_before, rmspe_after, ratio,
        relative, p_value``; ``without``: ``territory, role, average``; ``placebos`` where donors were
        taken for the treated: ``territory, rmspe_before, rmspe_after, ratio, average``; ``inference``.
    """
    paths = fits.paths(land.values)
    told: dict[str, Any] = {
        "donors": _donors(land, fits),
        "periods": _periods(land, fits),
        "paths": _paths_table(land, fits, paths),
        "fit": _fit(land, fits, paths, inferred),
        "without": _without(land, fits, inferred, fitter, paths),
        "inference": _inference(land, fits, inferred),
    }
    if inferred.placebo is not None:
        told["placebos"] = _placebos(land, fits.cohorts[0], inferred.placebo)
    return told


def _of_rows(land: Territories, fits: Fits) -> dict[str, Any]:
    return {"cohort": land.cohorts[fits.place], "territory": land.names[fits.rows]}


def _donors(land: Territories, fits: Fits) -> pd.DataFrame:
    which, donor = np.nonzero(np.abs(fits.weights) > NEGLIGIBLE)
    table = pd.DataFrame(
        {
            "cohort": land.cohorts[fits.place[which]],
            "territory": land.names[fits.rows[which]],
            "donor": land.names[donor],
            "weight": fits.weights[which, donor],
        }
    )
    order = np.lexsort((-table["weight"].to_numpy(), which))
    return table.iloc[order].reset_index(drop=True)


def _periods(land: Territories, fits: Fits) -> pd.DataFrame:
    first = np.unique(fits.place, return_index=True)[1]
    which, column = np.nonzero(fits.before[first] > NEGLIGIBLE)
    return pd.DataFrame(
        {
            "cohort": land.cohorts[fits.place[first[which]]],
            "period": land.periods[column],
            "weight": fits.before[first[which], column],
        }
    )


def _paths_table(land: Territories, fits: Fits, paths: Floats) -> pd.DataFrame:
    m, n_periods = paths.shape
    actual = land.values[fits.rows] + land.floor
    period = np.tile(land.periods, m)
    cohort = np.repeat(land.cohorts[fits.place], n_periods)
    return pd.DataFrame(
        {
            "cohort": cohort,
            "territory": np.repeat(land.names[fits.rows], n_periods),
            "period": period,
            "month": period - cohort,
            "actual": actual.ravel(),
            "synthetic": (actual - paths).ravel(),
        }
    )


def _errors(cohort: Cohort, paths: Floats) -> dict[str, Floats]:
    before, after = rmspe(paths[:, : cohort.n_before]), rmspe(paths[:, cohort.read])
    ratio = np.divide(after, before, out=np.full(before.size, np.nan), where=before > 0)
    return {"rmspe_before": before, "rmspe_after": after, "ratio": ratio}


def _fit(land: Territories, fits: Fits, paths: Floats, inferred: Inferred) -> pd.DataFrame:
    parts = []
    for c in fits.cohorts:
        mine = fits.place == c.place
        errors = _errors(c, paths[mine])
        past = land.values[c.donors][:, : c.n_before]
        spread = float(np.sqrt(past.var(axis=0).mean()))
        relative = errors["rmspe_before"] / spread if spread > 0 else np.nan
        p_value = np.full(int(mine.sum()), np.nan)
        if inferred.placebo is not None:
            among = _errors(c, inferred.placebo)["ratio"]
            p_value = rank_p_value(errors["ratio"], among[:, None])
        parts.append(pd.DataFrame({**errors, "relative": relative, "p_value": p_value}))
    table = pd.concat(parts, ignore_index=True)
    return pd.concat([pd.DataFrame(_of_rows(land, fits)), table], axis=1)


def _without(
    land: Territories, fits: Fits, inferred: Inferred, fitter: Fitter, paths: Floats
) -> pd.DataFrame:
    """Mean effect when one territory is left out: donors of an only treated one weighted anew."""
    place, column = cell_columns(fits.cohorts)
    weights = average_weights(land, fits.cohorts)
    mean = float(weights @ fits.cohort_paths(paths)[place, column])
    if inferred.without is not None and fits.rows.size > 1:
        change = inferred.without @ weights
        rows = np.flatnonzero(np.abs(inferred.without).sum(axis=1) > 0)
        average = mean + change[rows]
    elif fits.rows.size == 1:
        cohort = fits.cohorts[0]
        rows = np.flatnonzero(np.abs(fits.weights[0]) > NEGLIGIBLE)
        average = np.array([_refitted(land, cohort, fitter, int(j)) for j in rows])
    else:
        rows, average = np.empty(0, dtype=np.int64), np.empty(0)
    role = np.where(np.isin(rows, fits.rows), "treated", "donor")
    table = pd.DataFrame({"territory": land.names[rows], "role": role, "average": average})
    order = np.argsort(-np.abs(table["average"].to_numpy(dtype=float) - mean), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _refitted(land: Territories, cohort: Cohort, fitter: Fitter, left_out: int) -> float:
    others = cohort.donors[cohort.donors != left_out]
    if not others.size:
        return float("nan")
    found = fitter(cohort.treated, others, mass=land.weight, n_before=cohort.n_before)
    paths = paths_of(land.values, cohort.treated, others, found)
    return float(paths[0, cohort.read].mean())


def _placebos(land: Territories, cohort: Cohort, paths: Floats) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "territory": land.names[land.untreated],
            **_errors(cohort, paths),
            "average": paths[:, cohort.read].mean(axis=1),
        }
    )


def _inference(land: Territories, fits: Fits, inferred: Inferred) -> dict[str, Any]:
    """How intervals were made, in numbers: the smallest p-value there can be, and placebo spread."""
    told: dict[str, Any] = {
        "how": inferred.how,
        "n_treated": int(fits.rows.size),
        "n_donors": int(land.untreated.size),
    }
    if isinstance(inferred.uncertainty, Placebos) and inferred.placebo is not None:
        average = inferred.placebo[:, fits.cohorts[0].read].mean(axis=1)
        told["smallest_p_value"] = 1.0 / (len(average) + 1)
        told["placebo_std_error"] = float(average.std())
    return told
