"""Learners that predict outcomes and treatment, fitted apart from what they predict.

A learner is one of our two regressions, ``"logit"`` or ``"least_squares"``; a scikit-learn object; or
one written out as text, ``"sklearn.ensemble.RandomForestRegressor(min_samples_leaf=20)"``, so that a
study file can name it. Text is read, never run: only scikit-learn's own classes, with plain values.
"""

from __future__ import annotations

import ast
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from whatworks.errors import DesignRefused, OptionError
from whatworks.stats.adjustment import regress
from whatworks.stats.logit import fit_logit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOGIT: Final = "logit"
LEAST_SQUARES: Final = "least_squares"


def is_regression(learner: Any) -> bool:
    """Whether a learner is one of our two regressions."""
    return isinstance(learner, str) and learner in {LOGIT, LEAST_SQUARES}


def check_learner(learner: Any, *, regression: str, method: str, what: str) -> None:
    """Raise unless a learner can be had from what was written.

    Parameters
    ----------
    learner : str or object
    regression : str
        Our own regression that may serve here.
    method : str
        What it must answer: ``"predict"`` or ``"predict_proba"``.
    what : str
        Option named in the error.

    Raises
    ------
    OptionError
    """
    if isinstance(learner, str) and learner == regression:
        return
    found = _written(learner, what=what) if isinstance(learner, str) else learner
    if not (hasattr(found, "fit") and hasattr(found, method)):
        raise OptionError(
            what=what,
            needed=f"{regression!r}, or a scikit-learn learner with fit and {method}",
            found=type(found).__name__,
            remedy="write for instance 'sklearn.ensemble.RandomForest"
            + ("Classifier()'" if method == "predict_proba" else "Regressor()'"),
        )


def _written(text: str, *, what: str) -> Any:
    """A scikit-learn learner from ``"sklearn.place.Kind(option=value)"``."""
    try:
        call = ast.parse(text, mode="eval").body
        name, given = _read(call) if isinstance(call, ast.Call) else (ast.unparse(call), {})
        place, _, kind = name.rpartition(".")
        home = import_module(place) if place.split(".")[0] == "sklearn" else None
        return getattr(home, kind)(**given)
    except (SyntaxError, ValueError, TypeError, ImportError, AttributeError):
        raise OptionError(
            what=what,
            needed="one of our regressions, or the full name of a scikit-learn class, with plain options",
            found=repr(text),
            remedy="write for instance 'sklearn.linear_model.Ridge(alpha=1.0)', or give the object",
        ) from None


def _read(call: ast.Call) -> tuple[str, dict[str, Any]]:
    """Name and plain options of a call; a ValueError for anything that is not one."""
    if call.args or any(k.arg is None for k in call.keywords):
        raise ValueError("options are given by name")
    given = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    return ast.unparse(call.func), given


def content_order(columns: list[NDArray[Any]]) -> Ints:
    """Order of rows by what they hold, the first column deciding first: labels play no part."""
    return np.lexsort(tuple(reversed(columns))).astype(np.int64)


def deal_alike(columns: list[NDArray[Any]], *, folds: int, seed: int) -> Ints:
    """Deal rows into folds, those equal in every column together.

    Parameters
    ----------
    columns : list of ndarray, each of shape (n,)
    folds : int
    seed : int

    Returns
    -------
    ndarray of int, shape (n,)

    Raises
    ------
    DesignRefused
        When there are fewer different rows than folds.
    """
    order = content_order(columns)
    fresh = np.zeros(order.size, dtype=bool)
    for column in columns:
        fresh[1:] |= np.diff(column[order]) != 0
    kind = np.empty(order.size, dtype=np.int64)
    kind[order] = np.cumsum(fresh)
    n_kinds = int(kind.max(initial=-1)) + 1
    if n_kinds < folds:
        raise DesignRefused(
            what="cross-fitting",
            needed=f"at least {folds} units that differ in a covariate or month",
            found=f"{n_kinds}",
            remedy="ask for fewer folds, or fit and predict on the same units with folds=1",
        )
    return np.asarray(np.random.default_rng(seed).permutation(n_kinds) % folds)[kind]


def first_places(cluster: NDArray[np.intp] | Ints, order: Ints) -> Ints:
    """Where the first row of each cluster, 0 … n_clusters − 1, stands in an order of rows."""
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    first = np.full(int(cluster.max()) + 1, order.size, dtype=np.int64)
    np.minimum.at(first, cluster, place)
    return first


def deal(
    cluster: Ints, marked: Bools, order: Ints, *, folds: int, rng: np.random.Generator
) -> Ints:
    """Deal clusters into folds, those with marked rows and the others each evenly.

    Parameters
    ----------
    cluster : ndarray of int, shape (n,)
    marked : ndarray of bool, shape (n,)
        Rows of the treated, which each fold needs.
    order : ndarray of int, shape (n,)
        Of rows, by their content: the draw depends on nothing else.
    folds : int
    rng : Generator

    Returns
    -------
    ndarray of int, shape (n,)
        Fold of each row; rows of one cluster share it.

    Raises
    ------
    DesignRefused
        When one kind of cluster has fewer than ``folds``.
    """
    names, number = np.unique(cluster, return_inverse=True)
    first = first_places(number, order)
    with_marked = np.bincount(number, weights=marked, minlength=names.size) > 0
    fold = np.empty(names.size, dtype=np.int64)
    for kind in (with_marked, ~with_marked):
        mine = np.flatnonzero(kind)
        if 0 < mine.size < folds or (not mine.size and kind is with_marked):
            raise DesignRefused(
                what="cross-fitting",
                needed=f"at least {folds} clusters with treated units, and as many without or none",
                found=f"{mine.size}",
                remedy="ask for fewer folds, or cluster by person",
            )
        drawn = rng.permutation(mine[np.argsort(first[mine])])
        fold[drawn] = np.arange(drawn.size) % folds
    return np.asarray(fold[number])


def cross_probability(
    learner: Any,
    covariates: Floats,
    treated: Bools,
    *,
    group: Ints,
    weight: Floats,
    fold: Ints | None,
    order: Ints,
    seed: int,
) -> Floats:
    """Probability of treatment of each row, by a model fitted on the rows of other folds.

    Parameters
    ----------
    learner : str or classifier
    covariates : ndarray of shape (n, k)
    treated : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        Month of entry.
    weight : ndarray of shape (n,)
        0 for rows that take no part.
    fold : ndarray of int, shape (n,), or None
        −1 for rows predicted by nobody; None fits and predicts on the same rows.
    order : ndarray of int
        In which rows reach the learner.
    seed : int
        Of learners that draw.

    Returns
    -------
    ndarray of shape (n,)
        NaN where the other folds lack an arm in the row's month.
    """
    chance = np.full(treated.size, np.nan)
    everyone = np.ones(treated.size, dtype=bool)
    parts = [(everyone, everyone)]
    if fold is not None:
        parts = [(fold != k, fold == k) for k in np.unique(fold[fold >= 0])]
    for fitted_on, told in parts:
        rows = order[fitted_on[order] & (weight[order] > 0)]
        rows = rows[_with_both(group, treated, rows)[group[rows]]]
        out = np.flatnonzero(told & _with_both(group, treated, rows)[group])
        if not rows.size or not out.size:
            continue
        if is_regression(learner):
            months = np.unique(group[rows])
            fit = fit_logit(
                covariates[rows],
                treated[rows],
                group=np.searchsorted(months, group[rows]),
                weight=weight[rows],
            )
            if fit.separated or not fit.converged:
                raise DesignRefused(
                    what="the propensity of treatment",
                    needed="treated and untreated units that covariates cannot tell apart",
                    found="a fold in which they can, or where the climb does not end",
                    remedy="ask for fewer folds, or leave out the covariate that tells them apart",
                )
            eta = fit.intercepts[np.searchsorted(months, group[out])] + covariates[out] @ fit.slopes
            chance[out] = expit(eta)
        else:
            x = features(covariates, group)
            model = _fitted(learner, x[rows], treated[rows].astype(int), weight[rows], seed=seed)
            chance[out] = model.predict_proba(x[out])[:, 1]
    return chance


def cross_outcomes(
    learner: Any,
    outcomes: Floats,
    covariates: Floats,
    *,
    group: Ints,
    weight: Floats,
    fold: Ints,
    order: Ints,
    seed: int,
) -> Floats:
    """Outcome each row would have in an arm, by models fitted on that arm's rows of other folds.

    Parameters
    ----------
    learner : str or regressor
    outcomes : ndarray of shape (n, n_outcomes)
    covariates, group, fold, order, seed
        As for the probability.
    weight : ndarray of shape (n,)
        0 outside the arm.

    Returns
    -------
    ndarray of shape (n, n_outcomes)
        NaN where the other folds lack the row's month.
    """
    found = np.full(outcomes.shape, np.nan)
    x = None if is_regression(learner) else features(covariates, group)
    for k in np.unique(fold[fold >= 0]):
        rows = order[(fold[order] != k) & (weight[order] > 0)]
        known = np.bincount(group[rows], minlength=int(group.max()) + 1) > 0
        out = np.flatnonzero((fold == k) & known[group])
        if not rows.size or not out.size:
            continue
        if x is None:
            apart = np.where(fold != k, weight, 0.0)
            fit = regress(outcomes, covariates, group=group, weight=apart)
            found[out] = fit.predict(covariates[out], group[out])
            continue
        for columns in _together(learner, outcomes.shape[1]):
            y = outcomes[np.ix_(rows, np.array(columns))]
            y = y[:, 0] if len(columns) == 1 else y
            model = _fitted(learner, x[rows], y, weight[rows], seed=seed)
            found[np.ix_(out, np.array(columns))] = model.predict(x[out]).reshape(out.size, -1)
    return found


def features(covariates: Floats, group: Ints) -> Floats:
    """Covariates, and an indicator of each month of entry but the first."""
    n_groups = int(group.max()) + 1
    return np.column_stack([covariates, np.eye(n_groups)[:, 1:][group]])


def _with_both(group: Ints, treated: Bools, rows: Ints) -> Bools:
    """Groups in which some of the rows are treated and some are not."""
    n_groups = int(group.max()) + 1
    both = np.bincount(group[rows[treated[rows]]], minlength=n_groups) > 0
    both &= np.bincount(group[rows[~treated[rows]]], minlength=n_groups) > 0
    return np.asarray(both)


def _together(learner: Any, n_outcomes: int) -> list[list[int]]:
    """Outcomes fitted in one go where the learner takes several at once."""
    model = _written(learner, what="outcome") if isinstance(learner, str) else learner
    if get_tags(model).target_tags.multi_output:
        return [list(range(n_outcomes))]
    return [[k] for k in range(n_outcomes)]


def _fitted(learner: Any, x: Floats, y: NDArray[Any], weight: Floats, *, seed: int) -> Any:
    """A copy of the learner, fitted; the caller's own is left as it is."""
    model = _written(learner, what="learner") if isinstance(learner, str) else clone(learner)
    if model.get_params().get("random_state", 0) is None:
        model.set_params(random_state=seed)
    if np.ptp(weight) == 0:
        return model.fit(x, y)
    if not has_fit_parameter(model, "sample_weight"):
        raise OptionError(
            what="learner",
            needed="one that takes sample weights, as these units carry some",
            found=type(model).__name__,
            remedy="choose one whose fit has sample_weight",
        )
    return model.fit(x, y, sample_weight=weight)
