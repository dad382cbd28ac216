"""Classifiers of others, fitted so that neither row order nor labels change what they answer."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def learner_named(name: str) -> Any:
    """A scikit-learn classifier with its own defaults, from its full name.

    Raises
    ------
    OptionError
        When the name is not of scikit-learn, or of nothing that tells probabilities.
    """
    place, _, kind = name.rpartition(".")
    found = None
    if place.split(".")[0] == "sklearn":
        try:
            found = getattr(import_module(place), kind, None)
        except ModuleNotFoundError:
            found = None
    if not isinstance(found, type) or not hasattr(found, "predict_proba"):
        raise OptionError(
            what="propensity model",
            needed="'logit', 'probit', or the full name of a scikit-learn classifier",
            found=repr(name),
            remedy="write for instance 'sklearn.ensemble.HistGradientBoostingClassifier'",
        )
    return found()


def folds_of(candidates: Candidates, rows: Bools, *, folds: int, seed: int) -> Ints:
    """Fold of each unit, −1 outside ``rows``; units alike in every covariate share one.

    Raises
    ------
    DesignRefused
        When there are fewer different units than folds.
    """
    alike = _alike(candidates, rows)
    n_kinds = int(alike.max(initial=-1)) + 1
    if n_kinds < folds:
        raise DesignRefused(
            what="cross-fitting",
            needed=f"at least {folds} units that differ in a covariate or month",
            found=f"{n_kinds}",
            remedy="ask for fewer folds, or fit and predict on the same units with folds=1",
        )
    dealt = np.random.default_rng(seed).permutation(n_kinds) % folds
    found = np.full(rows.size, -1, dtype=np.int64)
    found[rows] = dealt[alike]
    return found


def crossed(learner: Any, candidates: Candidates, rows: Bools, *, folds: int, seed: int) -> Floats:
    """Probability of treatment of ``rows``, each predicted by the other folds when there are several.

    Rows reach the classifier in the order of their values, so that one that draws rows draws the
    same ones however the table is sorted.
    """
    x = _columns(candidates, rows)
    d, w = candidates.treated[rows], candidates.weight[rows]
    order = np.lexsort((w, d, *x.T))
    x, d, w = x[order], d[order], w[order]
    chance = np.empty(d.size)
    if folds == 1:
        chance[order] = _fitted(learner, x, d, w, seed=seed).predict_proba(x)[:, 1]
        return chance
    part = folds_of(candidates, rows, folds=folds, seed=seed)[rows][order]
    for fold in range(folds):
        out = part == fold
        fitted = _fitted(learner, x[~out], d[~out], w[~out], seed=seed)
        chance[order[out]] = fitted.predict_proba(x[out])[:, 1]
    return chance


def _fitted(learner: Any, x: Floats, d: Bools, w: Floats, *, seed: int) -> Any:
    """A copy of the classifier, fitted; the caller's own is left as it is."""
    if d.all() or not d.any():
        raise DesignRefused(
            what="cross-fitting",
            needed="treated and untreated units outside each fold",
            found="a fold that holds all of one arm",
            remedy="ask for fewer folds",
        )
    model = clone(learner)
    if model.get_params().get("random_state", 0) is None:
        model.set_params(random_state=seed)
    if np.ptp(w) == 0:
        return model.fit(x, d)
    if not has_fit_parameter(model, "sample_weight"):
        raise OptionError(
            what="propensity model",
            needed="a classifier that takes sample weights, as these units carry some",
            found=type(model).__name__,
            remedy="choose one whose fit has sample_weight",
        )
    return model.fit(x, d, sample_weight=w)


def _columns(candidates: Candidates, rows: Bools) -> Floats:
    """Covariates, and an indicator of each month but the first."""
    months, which = np.unique(candidates.cell[rows], return_inverse=True)
    indicators = np.eye(months.size)[which][:, 1:]
    return np.column_stack([candidates.covariates[rows], indicators])


def _alike(candidates: Candidates, rows: Bools) -> Ints:
    """Number of each row's kind, in the order of values: equal month and covariates, equal kind."""
    keys = [candidates.cell[rows].astype(float), *candidates.covariates[rows].T]
    order = np.lexsort(keys)
    fresh = np.zeros(order.size, dtype=bool)
    for key in keys:
        fresh[1:] |= np.diff(key[order]) != 0
    kind = np.empty(order.size, dtype=np.int64)
    kind[order] = np.cumsum(fresh)
    return kind
