"""Comparisons by nearness: propensities, calipers, orders, estimands, and what is told of the lost."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from whatworks import (
    COMPARISONS,
    Caliper,
    Design,
    KernelMatching,
    MatchedDifference,
    NearestNeighbours,
    PairMatching,
    Propensity,
    RadiusMatching,
)
from whatworks.design.choosing.propensity import LINKS
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError
from whatworks.study import build

NAMES = ("x", "z", "b")


def candidates(seed: int = 0, n: int = 400, months: int = 1, **changed: Any) -> Candidates:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(n, 2)), rng.integers(0, 2, n)])
    cell = rng.integers(0, months, n)
    chance = 1 / (1 + np.exp(1 - 0.6 * x[:, 0] + 0.4 * x[:, 1] - 0.5 * x[:, 2] - 0.3 * cell))
    given = {
        "treated": rng.random(n) < chance,
        "cell": cell,
        "covariates": x,
        "names": NAMES,
        "weight": np.ones(n),
    }
    return Candidates(**{**given, **changed})


def shuffled(given: Candidates, rows: np.ndarray) -> Candidates:
    return replace(
        given,
        treated=given.treated[rows],
        cell=given.cell[rows],
        covariates=given.covariates[rows],
        weight=given.weight[rows],
    )


# --- the propensity -------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["logit", "probit"])
def test_the_equation_behind_a_propensity_is_solved_and_bends_as_it_says(model: str) -> None:
    given = candidates(months=3, weight=np.random.default_rng(1).uniform(0.5, 2, 400))
    found = Propensity(model=model).fit(given).fitted
    assert found is not None
    group = np.bincount(found.group, weights=found.score)
    np.testing.assert_allclose(np.append(group, found.basis.T @ found.score), 0, atol=1e-8)
    # The curvature is minus the slope of the score: a step of one month's intercept, by hand.
    linear, step = Propensity(model=model).fit(given).linear, 1e-6
    link, d = LINKS[model], given.treated.astype(float)
    ahead, back = (link.terms(linear + s, d)[1] for s in (step, -step))
    np.testing.assert_allclose(
        found.curvature, -given.weight * (ahead - back) / (2 * step), rtol=1e-5
    )
    np.testing.assert_array_equal(found.slope, 0)
    np.testing.assert_allclose(
        found.information(), replace(found, whole=None).information(), rtol=1e-8, atol=1e-8
    )


def test_a_month_that_lacks_an_arm_has_no_propensity_and_no_match() -> None:
    given = candidates(months=3)
    lone = given.cell == 2
    given = replace(given, treated=given.treated & ~lone)
    fitted = Propensity().fit(given)
    assert np.isnan(fitted.probability[lone]).all()
    assert not np.isnan(fitted.probability[~lone]).any()
    assert fitted.fitted is not None
    np.testing.assert_array_equal(fitted.fitted.score[lone], 0)
    one = NearestNeighbours().choose(given)
    assert (one.weight[lone] == 0).all()
    rest = shuffled(given, np.flatnonzero(~lone))
    np.testing.assert_allclose(one.weight[~lone], NearestNeighbours().choose(rest).weight)


@pytest.mark.parametrize("folds", [1, 4])
@pytest.mark.parametrize(
    "model", ["logit", RandomForestClassifier(8), "sklearn.tree.DecisionTreeClassifier"]
)
def test_order_of_rows_changes_no_propensity(model: Any, folds: int) -> None:
    given = candidates(months=2)
    order = np.random.default_rng(2).permutation(given.treated.size)
    using = Propensity(model=model, folds=folds)
    one, two = using.fit(given), using.fit(shuffled(given, order))
    np.testing.assert_allclose(two.probability, one.probability[order], rtol=1e-9)


def test_cross_fitting_predicts_each_fold_by_the_others() -> None:
    given = candidates()
    using = Propensity(model=KNeighborsClassifier(1), folds=5)
    alone = Propensity(model=KNeighborsClassifier(1))
    # The nearest of a unit is itself: fitted on the same units it predicts perfectly.
    assert (alone.fit(given).certain).all()
    agree = (using.fit(given).probability > 0.5) == given.treated
    assert 0.4 < agree.mean() < 0.8


def test_a_cross_fitted_logit_is_a_logit_elsewhere() -> None:
    given = candidates(n=3_000)
    crossed = Propensity(folds=3).fit(given).linear
    whole = Propensity().fit(given).linear
    assert 0 < np.abs(crossed - whole).max() < 0.5
    learner = Propensity(model=LogisticRegression(C=1e12, tol=1e-12), folds=3).fit(given).linear
    np.testing.assert_allclose(learner, crossed, atol=2e-3)


@pytest.mark.parametrize("folds", [1, 3])
def test_a_classifier_may_be_written_with_its_options(folds: int) -> None:
    given = candidates()
    written = Propensity(
        model="sklearn.ensemble.RandomForestClassifier(n_estimators=8)", folds=folds
    ).fit(given)
    held = Propensity(model=RandomForestClassifier(8), folds=folds).fit(given)
    np.testing.assert_array_equal(written.probability, held.probability)


def test_a_forest_certain_of_its_answer_is_cut_and_not_infinite() -> None:
    fitted = Propensity(model=RandomForestClassifier(5)).fit(candidates())
    assert np.isfinite(fitted.linear).all()
    assert np.abs(fitted.linear).max() == 20


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "logti"}, "logit"),
        ({"model": "sklearn.ensemble.NoSuch"}, "full name"),
        ({"model": "os.path.join"}, "full name"),
        ({"model": object()}, "predict_proba"),
        ({"folds": 0}, "folds"),
        ({"discard": "all"}, "both"),
    ],
)
def test_an_unknown_propensity_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Propensity(**options)


def test_sampling_weights_need_a_classifier_that_takes_them() -> None:
    given = candidates(weight=np.random.default_rng(1).uniform(0.5, 2, 400))
    with pytest.raises(OptionError, match="sample_weight"):
        Propensity(model=KNeighborsClassifier()).fit(given)


def test_more_folds_than_kinds_of_unit_are_refused() -> None:
    given = candidates(covariates=np.tile([0.0, 0.0, 1.0], (400, 1)))
    with pytest.raises(DesignRefused, match="5 units"):
        Propensity(folds=5).fit(given)


# --- matching -------------------------------------------------------------------------------


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
@pytest.mark.parametrize("metric", ["linear_propensity", "mahalanobis"])
def test_weights_are_what_pairs_amount_to(estimand: str, metric: Any) -> None:
    rng = np.random.default_rng(3)
    given = candidates(months=2, estimand=estimand, weight=rng.uniform(0.5, 2, 400))
    found = NearestNeighbours(ratio=2, metric=metric).choose(given)
    assert found.matches is not None
    np.testing.assert_array_equal(np.unique(found.matches.unit), np.flatnonzero(given.sought))
    total = given.weight[given.sought].sum()
    for arm in (given.treated, ~given.treated):
        assert found.weight[arm].sum() == pytest.approx(total)
    assert (given.cell[found.matches.unit] == given.cell[found.matches.match]).all()
    assert (given.treated[found.matches.unit] != given.treated[found.matches.match]).all()


@pytest.mark.parametrize(
    "using",
    [
        NearestNeighbours(),
        NearestNeighbours(metric="robust_mahalanobis"),
        NearestNeighbours(metric="mahalanobis_pooled", calipers=(Caliper(of="x", width=0.3),)),
        RadiusMatching(radius=Caliper(width=0.1)),
        KernelMatching(),
        KernelMatching(kernel="gaussian", metric="linear_propensity", bandwidth=0.5),
    ],
    ids=lambda using: type(using).__name__,
)
def test_a_weight_of_two_is_a_row_written_twice(using: Any) -> None:
    given = candidates(months=2)
    given = replace(given, covariates=np.round(given.covariates, 1))
    twice = np.flatnonzero(np.arange(400) % 5 == 0)
    weighted = replace(given, weight=np.where(np.arange(400) % 5 == 0, 2.0, 1.0))
    rows = np.concatenate([np.arange(400), twice])
    repeated = using.choose(shuffled(given, rows)).weight
    together = np.bincount(rows, weights=repeated)
    np.testing.assert_allclose(using.choose(weighted).weight, together, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    "using",
    [
        NearestNeighbours(),
        NearestNeighbours(metric="mahalanobis", caliper_sd=0.5),
        PairMatching(order=7),
        PairMatching(order="closest", metric="robust_mahalanobis"),
        PairMatching(calipers=(Caliper(of="z", sd=0.2),)),
        RadiusMatching(),
        KernelMatching(kernel="gaussian", propensity="probit"),
    ],
    ids=repr,
)
def test_order_of_rows_changes_nobody(using: Any) -> None:
    given = candidates(months=2)
    order = np.random.default_rng(4).permutation(400)
    np.testing.assert_allclose(
        using.choose(shuffled(given, order)).weight, using.choose(given).weight[order], rtol=1e-8
    )


def test_each_comparison_serves_once() -> None:
    given = candidates(months=2)
    found = PairMatching(ratio=2).choose(given).matches
    assert found is not None
    assert np.unique(found.match).size == found.match.size
    assert np.bincount(found.unit).max() == 2


def test_calipers_hold_for_every_pair() -> None:
    given = candidates()
    calipers = (Caliper(of="x", width=0.2), Caliper(of="linear_propensity", sd=0.1))
    linear = Propensity().fit(given).linear
    for using in (
        NearestNeighbours(metric="mahalanobis_pooled", on=("z",), calipers=calipers),
        PairMatching(metric="scaled_euclidean", on=("z",), calipers=calipers),
        RadiusMatching(radius=Caliper(width=1.0), metric="mahalanobis", calipers=calipers),
        KernelMatching(calipers=(*calipers, Caliper(width=0.01))),
    ):
        chosen = using.choose(given)
        found = chosen.matches
        assert found is not None
        gap = np.abs(given.covariates[found.unit] - given.covariates[found.match])
        assert gap[:, 0].max() <= 0.2
        assert np.abs(linear[found.unit] - linear[found.match]).max() <= 0.1 * linear.std(ddof=1)
        lost = chosen.lost["no_match_in_caliper"]
        assert lost.sum() + np.unique(found.unit).size == given.treated.sum()


def test_those_off_the_support_are_told_from_those_without_a_match() -> None:
    given = candidates()
    using = NearestNeighbours(
        metric="propensity", caliper_sd=0.001, propensity=Propensity(discard="both")
    )
    found = using.choose(given)
    score = Propensity().fit(given).probability
    other = score[~given.treated]
    beyond = given.treated & ((score > other.max()) | (score < other.min()))
    off, near = found.lost["off_common_support"], found.lost["no_match_in_caliper"]
    np.testing.assert_array_equal(off & given.treated, beyond)
    assert beyond.any()
    assert not (off & near).any()
    assert (found.weight[off] == 0).all()


def test_fitting_again_within_the_support_moves_the_propensity() -> None:
    given = candidates()
    once = Propensity(discard="untreated").fit(given)
    again = Propensity(discard="untreated", reestimate=True).fit(given)
    np.testing.assert_array_equal(once.supported, again.supported)
    assert np.isnan(again.probability[~again.supported]).all()
    kept = shuffled(given, np.flatnonzero(again.supported))
    np.testing.assert_allclose(
        again.probability[again.supported], Propensity().fit(kept).probability, rtol=1e-8
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: NearestNeighbours(ties="some"), "first"),  # type: ignore[arg-type] # as a file may
        (lambda: NearestNeighbours(on=("x",)), "mahalanobis"),
        (lambda: NearestNeighbours(metric="euclid"), "mahalanobis"),  # type: ignore[arg-type] # as a file may
        (lambda: PairMatching(order="biggest"), "largest"),
        (lambda: PairMatching(ratio=0), "ratio"),
        (lambda: Caliper(of="x"), "width"),
        (lambda: Caliper(of="x", sd=1, width=1), "one of them"),
        (lambda: RadiusMatching(radius=Caliper(of="x", width=1)), "radius"),
        (lambda: KernelMatching(bandwidth=0), "bandwidth"),
        (lambda: KernelMatching(kernel="cosine"), "epanechnikov"),  # type: ignore[arg-type] # as a file may
    ],
)
def test_options_that_make_no_sense_are_refused(make: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        make()


@pytest.mark.parametrize(
    ("using", "estimand", "said"),
    [
        (PairMatching(), "ATE", "full matching"),
        (NearestNeighbours(), "ATO", "overlap"),
        (PairMatching(order="largest", metric="mahalanobis"), "ATT", "closest"),
        (NearestNeighbours(calipers=(Caliper(of="xx", width=1),)), "ATT", "'x'"),
        (NearestNeighbours(metric="mahalanobis", on=("zz",)), "ATT", "'z'"),
    ],
)
def test_what_candidates_cannot_give_is_refused(using: Any, estimand: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        using.choose(candidates(estimand=estimand))


@pytest.mark.parametrize(
    "using",
    [
        NearestNeighbours(metric="mahalanobis", calipers=(Caliper(width=0.01),)),
        PairMatching(metric="mahalanobis", calipers=(Caliper(of="x", width=0.5),)),
        RadiusMatching(metric="mahalanobis", radius=Caliper(width=0.01)),
    ],
    ids=lambda using: type(using).__name__,
)
def test_nobody_within_reach_is_refused(using: Any) -> None:
    arm = np.arange(400) % 2 == 0
    apart = np.column_stack([np.where(arm, 1.0, 0.0), np.zeros((400, 2))])
    with pytest.raises(DesignRefused, match="reach"):
        using.choose(candidates(covariates=apart, treated=arm))


def test_a_study_file_says_it_all() -> None:
    text = """
    method = "pair_matching"
    metric = "mahalanobis_pooled"
    on = ["x", "z"]
    exact = ["b"]
    order = "largest"
    propensity = { model = "probit", discard = "both" }
    calipers = [{ of = "propensity", sd = 0.25 }, { of = "x", width = 0.5 }]
    """
    using = build(COMPARISONS, tomllib.loads(text), what="comparison")
    assert using == PairMatching(
        metric="mahalanobis_pooled",
        on=("x", "z"),
        exact=("b",),
        order="largest",
        propensity=Propensity(model="probit", discard="both"),
        calipers=(Caliper(of="propensity", sd=0.25), Caliper(of="x", width=0.5)),
    )
    assert hash(using) == hash(replace(using))
    found = using.choose(candidates()).matches
    gap = candidates().covariates[found.unit] - candidates().covariates[found.match]
    assert (gap[:, 2] == 0).all()


@pytest.mark.parametrize(
    "using",
    [PairMatching(), RadiusMatching(), KernelMatching(propensity=Propensity(discard="both"))],
    ids=lambda using: type(using).__name__,
)
def test_designs_hold_and_their_ledgers_balance(using: Any) -> None:
    given = candidates()
    table = pd.DataFrame(given.covariates, columns=list(NAMES)).assign(
        treat=given.treated.astype(int), y=given.covariates[:, 0] + 2 * given.treated
    )
    design = Design.from_cross_section(
        table, treatment="treat", outcome="y", covariates=list(NAMES)
    ).matched(using=using)
    for step in design.ledger.steps:
        assert step.before == step.after + sum(n for _, n in step.dropped)
    effect = MatchedDifference().fit(design).effects["estimate"].iloc[0]
    assert effect == pytest.approx(2, abs=0.2)
    assert len(design.fitted) == 1
