"""Effects by groups declared beforehand, with any method: overall, in each group, and their differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.estimate.record import Estimate, effects_table
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty
from whatworks.vocabulary import (
    MARKET,
    MATCH,
    MATCHED_SET,
    PERSON,
    SAMPLING,
    TREATED,
    UNIT,
    WEIGHT,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_LEVELS: Final = 12
"""Values of a covariate beyond which it is a number to cut, not a set of groups."""
DIFFERENCE: Final = "difference"


def declared(design: Design, by: Sequence[str]) -> dict[str, dict[str, Bools]]:
    """Units of each group, by covariate and group label.

    A number makes one group per value, ``sex=1``; a category one per level that has a column, and one
    for the level that has none, ``sex=(reference)``.

    Raises
    ------
    OptionError
        When a name is no covariate of the design, or has more than twelve values.
    """
    groups = {}
    for name in by:
        levels = [c for c in design.covariates if c.startswith(f"{name}=")]
        if name in design.covariates:
            values = design.units[name].to_numpy()
            found = {f"{name}={v:g}": values == v for v in np.unique(values)}
        elif levels:
            inside = design.units[levels].to_numpy() == 1
            found = {f"{name}=(reference)": ~inside.any(axis=1)}
            found |= {level: inside[:, k] for k, level in enumerate(levels)}
        else:
            known = sorted({c.split("=")[0] for c in design.covariates})
            raise OptionError(
                what="by",
                needed="covariates of the design",
                found=repr(name),
                remedy=suggestion(name, known) or "add it to the covariates",
            )
        if len(found) > MOST_LEVELS:
            raise OptionError(
                what="by",
                needed=f"covariates of at most {MOST_LEVELS} values",
                found=f"{name!r} with {len(found)}",
                remedy="cut it into classes before, and declare these",
            )
        groups[name] = {label: rows for label, rows in found.items() if rows.any()}
    return groups


def restricted(design: Design, rows: Bools) -> Design:
    """The design confined to some of the units for whom comparisons were sought.

    Matched units keep their matches, whichever group these are of; without pairs, both arms are
    confined. Weights are then taken as known: the equation behind them holds over everyone.

    Parameters
    ----------
    design : Design
    rows : ndarray of bool, shape (n_units,)

    Raises
    ------
    DesignRefused
        When an arm is empty.
    """
    weight, matches = design.units[WEIGHT].to_numpy(), design.matches
    if matches is None:
        weight = np.where(rows, weight, 0.0)
    else:
        sampling = design.units[SAMPLING].to_numpy()
        matches = matches[rows[matches[UNIT].to_numpy()]]
        unit, match = matches[UNIT].to_numpy(), matches[MATCH].to_numpy()
        own = np.zeros(rows.size)
        own[unit] = sampling[unit]
        part = sampling[unit] * matches[WEIGHT].to_numpy()
        weight = own + np.bincount(match, weights=part, minlength=rows.size)
    kept = np.flatnonzero(weight > 0)
    treated = design.units[TREATED].to_numpy()[kept]
    if not treated.any() or treated.all():
        raise DesignRefused(
            what="a group declared beforehand",
            needed="treated and untreated units in it",
            found=f"{int(treated.sum())} treated and {int((~treated).sum())} untreated",
            remedy="merge it with another",
        )
    units = design.units.iloc[kept].reset_index(drop=True)
    units[UNIT] = np.arange(kept.size)
    units[WEIGHT] = weight[kept]
    if matches is not None:
        place = np.full(rows.size, -1, dtype=np.int64)
        place[kept] = np.arange(kept.size)
        matches = matches.assign(
            **{UNIT: place[matches[UNIT].to_numpy()], MATCH: place[matches[MATCH].to_numpy()]}
        ).reset_index(drop=True)
    return replace(
        design,
        units=units,
        matches=matches,
        fitted=(),
        outcomes=design.outcomes.of(kept),
        seal=None,
    )


def by_group(
    fit: Callable[[Design], Estimate], design: Design, by: Sequence[str], *, method: Any
) -> Estimate:
    """Effects over everyone, in each group, and each group less the first of its covariate.

    Parameters
    ----------
    fit : callable
        Estimates on a design, without groups.
    design : Design
    by : sequence of str
    method : estimator
        Whose options the estimate is told to have.

    Returns
    -------
    Estimate
        Groups under ``group``; differences under the term ``difference``. ``extras["equality"]``
        tests, by covariate and month, that all groups have one effect (Wald).
    """
    overall = fit(design)
    parts, labels = [overall], ["all"]
    families: dict[str, list[int]] = {}
    designs = [design]
    for name, groups in declared(design, by).items():
        families[name] = []
        for label, rows in groups.items():
            confined = restricted(design, rows)
            families[name].append(len(parts))
            parts.append(fit(confined))
            designs.append(confined)
            labels.append(label)
    n = len(overall.effects)
    pairs = [(later, m[0]) for m in families.values() for later in m[1:]]
    whole = _with_differences(_stacked(parts, designs), pairs, n=n)
    frames = [p.effects.assign(group=g) for p, g in zip(parts, labels, strict=True)]
    if pairs:
        apart = whole.covariance()[n * len(parts) :, n * len(parts) :]
        frames.append(
            effects_table(
                [t for pair in pairs for t in _difference_terms(parts, labels, *pair)],
                np.concatenate([_points(parts[one]) - _points(parts[two]) for one, two in pairs]),
                apart,
                unit=str(overall.effects["unit"].iloc[0]),
                df=_df(overall.uncertainty),
            )
        )
    return replace(
        overall,
        options=asdict(method),
        effects=pd.concat(frames, ignore_index=True),
        uncertainty=whole,
        extras={**overall.extras, "equality": _equality(parts, families, whole)},
    )


def _points(part: Estimate) -> Floats:
    return part.effects["estimate"].to_numpy(dtype=float)


def _df(uncertainty: Uncertainty) -> float:
    if isinstance(uncertainty, Influence) and uncertainty.level == "market":
        return float(uncertainty.cluster.size - 1)
    return np.inf


def _with_differences(
    whole: Uncertainty, pairs: Sequence[tuple[int, int]], *, n: int
) -> Uncertainty:
    """Uncertainty of all terms, then of each pair's differences; an undefined term spoils no other."""
    k = whole.values.shape[1] if isinstance(whole, Influence) else len(whole.covariance())
    each = np.arange(n)
    plus = np.concatenate([np.arange(k), *(one * n + each for one, _ in pairs)])
    # Position k is nothing at all, which what is no difference is taken from.
    minus = np.concatenate([np.full(k, k), *(two * n + each for _, two in pairs)])
    if isinstance(whole, Influence):
        padded = np.pad(whole.values, ((0, 0), (0, 1)))
        return replace(whole, values=padded[:, plus] - padded[:, minus])
    wide = np.pad(whole.covariance(), ((0, 1), (0, 1)))
    rows = wide[plus] - wide[minus]
    return Covariance(matrix=rows[:, plus] - rows[:, minus])


def _difference_terms(
    parts: Sequence[Estimate], labels: Sequence[str], later: int, first: int
) -> list[dict[str, Any]]:
    names = ["cohort", "month", "n_treated", "n_comparison"]
    both = parts[later].effects[names[2:]] + parts[first].effects[names[2:]]
    rows = parts[later].effects[names[:2]].join(both)
    return [
        {
            "term": DIFFERENCE,
            "group": f"{labels[later]} - {labels[first]}",
            **{str(k): v for k, v in row.items()},
        }
        for row in rows.to_dict("records")
    ]


def _stacked(parts: Sequence[Estimate], designs: Sequence[Design]) -> Uncertainty:
    """Uncertainty of all parts together: a person met in two groups counts in both."""
    influences = [p.uncertainty for p in parts if isinstance(p.uncertainty, Influence)]
    if len(influences) < len(parts):
        return _blocks(parts, designs)
    clusters = [_clusters(u, d) for u, d in zip(influences, designs, strict=True)]
    names = np.unique(np.concatenate(clusters))
    columns = []
    for found, mine in zip(influences, clusters, strict=True):
        values = np.zeros((names.size, found.values.shape[1]))
        values[np.searchsorted(names, mine)] = found.values * np.sqrt(found.factor)
        columns.append(values)
    return Influence(
        values=np.concatenate(columns, axis=1),
        cluster=np.arange(names.size),
        level=influences[0].level,
    )


def _clusters(found: Influence, design: Design) -> NDArray[Any]:
    """Labels of the clusters of an influence, which methods number in increasing order."""
    column = {"person": PERSON, "market": MARKET, "matched_set": MATCHED_SET}[found.level]
    return np.asarray(np.unique(design.units[column].to_numpy()))


def _blocks(parts: Sequence[Estimate], designs: Sequence[Design]) -> Covariance:
    """Groups as independent samples, where the method knows covariances only.

    Raises
    ------
    DesignRefused
        When persons are met in several units, or comparisons may serve several groups.
    """
    if Supply.INDEPENDENT_UNITS not in designs[0].supplies or designs[0].matches is not None:
        raise DesignRefused(
            what="effects by group",
            needed="groups that share nobody, or errors by person",
            found="a covariance that does not tell who is in several groups",
            remedy="choose errors by person",
        )
    matrices = [p.uncertainty.covariance() for p in parts]
    sizes = [len(m) for m in matrices]
    whole = np.zeros((sum(sizes), sum(sizes)))
    start = 0
    for matrix, size in zip(matrices, sizes, strict=True):
        whole[start : start + size, start : start + size] = matrix
        start += size
    return Covariance(matrix=whole)


def _equality(
    parts: Sequence[Estimate], families: Mapping[str, Sequence[int]], whole: Uncertainty
) -> pd.DataFrame:
    """Wald test, by covariate and row of effects, that all groups have one effect."""
    covariance = whole.covariance()
    n = len(parts[0].effects)
    rows = []
    for name, members in families.items():
        for k in range(n):
            place = np.array([m * n + k for m in members])
            points = np.array([_points(parts[m])[k] for m in members])
            statistic, df = _wald(points, covariance[np.ix_(place, place)])
            label = parts[0].effects.iloc[k]
            rows.append(
                {
                    "by": name,
                    "term": label["term"],
                    "month": int(label["month"]),
                    "statistic": statistic,
                    "df": df,
                    "p_value": float(stats.chi2.sf(statistic, df)) if df else float("nan"),
                }
            )
    return pd.DataFrame(rows)


def _wald(points: Floats, covariance: Floats) -> tuple[float, int]:
    """Statistic and degrees of freedom of no difference; NaN and 0 where undefined."""
    contrast = np.eye(points.size)[1:] - np.eye(points.size)[0]
    matrix = contrast @ covariance @ contrast.T
    gap = contrast @ points
    if points.size < 2 or not np.isfinite(matrix).all() or not np.isfinite(gap).all():
        return float("nan"), 0
    df = int(np.linalg.matrix_rank(matrix, hermitian=True))
    return float(gap @ np.linalg.pinv(matrix, hermitian=True) @ gap), df
