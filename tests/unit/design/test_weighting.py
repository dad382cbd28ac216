"""Comparisons by weight: balance, months, refusals, and what a unit's sampling weight moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from whatworks import (
    CovariateBalancing,
    Design,
    EntropyBalancing,
    InverseProbability,
    OverlapWeights,
    Propensity,
    StableWeights,
)
from whatworks.design.choosing.kept import keep_chosen
from whatworks.design.comparison import Chosen, Comparison
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError
from whatworks.ledger import Ledger
from whatworks.stats.weighted import weighted_difference

BOTH = ("ATT", "ATC", "ATE")


def candidates(
    estimand: str = "ATT", *, seed: int = 4, n: int = 240, months: int = 3
) -> Candidates:
    """Sampling weights, unequal months, a month without treated, a rare 0/1 covariate."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)) * np.array([1.0, 100.0, 0.01, 1.0]) + np.array([0, 3000, 0, 0])
    x[:, 3] = rng.random(n) < 0.3
    cell = 24_000 + rng.integers(0, months + 1, n)
    lean = 0.6 * x[:, 0] - 0.005 * (x[:, 1] - 3000) + 0.5 * x[:, 3] - 1 + 0.3 * (cell % 3)
    treated = (rng.random(n) < 1 / (1 + np.exp(-lean))) & (cell < 24_000 + months)
    return Candidates(
        treated=treated,
        cell=cell,
        covariates=x,
        names=("age", "wage", "rate", "alone"),
        weight=rng.uniform(0.5, 2.0, n),
        estimand=estimand,
    )


def outcomes(units: Candidates) -> np.ndarray:
    rng = np.random.default_rng(9)
    level = units.covariates[:, :1] + units.cell[:, None] % 5 + units.treated[:, None]
    return level + rng.normal(size=(units.treated.size, 2))


def means(units: Candidates, weight: np.ndarray, arm: np.ndarray) -> np.ndarray:
    w = np.where(arm, weight, 0.0)
    return w @ units.covariates / w.sum()


WEIGHTINGS: list[tuple[str, Comparison]] = [
    *((estimand, EntropyBalancing()) for estimand in BOTH),
    ("ATT", EntropyBalancing(moments=2)),
    *((estimand, CovariateBalancing()) for estimand in BOTH),
    *((estimand, InverseProbability()) for estimand in BOTH),
    ("ATE", InverseProbability(stabilised=True)),
    ("ATT", InverseProbability(propensity="probit")),
    ("ATE", InverseProbability(propensity="probit")),
    ("ATE", InverseProbability(bounds="crump")),
    ("ATT", InverseProbability(bounds="fixed", bound=0.3)),
    ("ATE", InverseProbability(bounds="fixed", bound=0.2, beyond="hold")),
    ("ATE", InverseProbability(bounds="percentile", bound=0.07)),
    ("ATE", InverseProbability(propensity=Propensity(discard="both"))),
    ("ATO", OverlapWeights()),
    ("ATO", OverlapWeights(propensity="probit")),
    *((estimand, StableWeights(tolerance_sd=0.02)) for estimand in BOTH),
    *((estimand, StableWeights()) for estimand in BOTH),
    ("ATT", StableWeights(tolerance_sd=0.1, moments=2)),
    ("ATE", StableWeights(tolerance_sd=0.2)),
]


def effect(units: Candidates, using: Comparison, y: np.ndarray) -> np.ndarray:
    chosen = using.choose(units)
    return weighted_difference(
        y, treated=units.treated, weight=chosen.weight, factor=np.ones_like(y)
    ).effect


@pytest.mark.parametrize(("estimand", "using"), WEIGHTINGS, ids=str)
def test_influence_is_what_moving_a_sampling_weight_does(estimand: str, using: Comparison) -> None:
    # The infinitesimal jackknife: everything is chosen again with one unit's weight a little off.
    units = candidates(estimand)
    y = outcomes(units)
    chosen = using.choose(units)
    kept = keep_chosen(units, chosen, Ledger(), person=np.arange(units.treated.size))
    told = np.zeros_like(y)
    told[kept.rows] = weighted_difference(
        y[kept.rows],
        treated=units.treated[kept.rows],
        weight=chosen.weight[kept.rows],
        factor=np.ones((kept.rows.size, 2)),
        fitted=kept.fitted,
    ).influence
    scale = np.abs(told).max()
    np.testing.assert_allclose(told.sum(axis=0), 0.0, atol=1e-8 * scale)
    # Squares are balanced to a tolerance about a centre that is taken as given.
    known = 1e-2 if isinstance(using, StableWeights) and using.moments == 2 else 1e-6
    for i in range(0, units.treated.size, 7):
        step, moved = 1e-4, []
        for sign in (1, -1):
            weight = units.weight.copy()
            weight[i] *= 1 + sign * step
            moved.append(effect(replace(units, weight=weight), using, y))
        derivative = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(told[i], derivative, atol=known * scale)


@pytest.mark.parametrize("estimand", BOTH)
@pytest.mark.parametrize("using", [EntropyBalancing(), CovariateBalancing()], ids=str)
def test_balance_is_exact_in_all_and_months_in_each(estimand: str, using: Comparison) -> None:
    units = candidates(estimand)
    weight = using.choose(units).weight
    arms = (units.treated, ~units.treated)
    gap = means(units, weight, arms[0]) - means(units, weight, arms[1])
    np.testing.assert_allclose(gap / units.covariates.std(axis=0), 0.0, atol=1e-12)
    for month in np.unique(units.cell):
        here = units.cell == month
        totals = [weight[here & arm].sum() for arm in arms]
        assert totals[0] == pytest.approx(totals[1], rel=1e-12)


@pytest.mark.parametrize("using", [EntropyBalancing(), StableWeights(tolerance_sd=0.02)], ids=str)
def test_means_are_those_of_the_units_sought(using: Comparison) -> None:
    for estimand in BOTH:
        units = candidates(estimand)
        weight = using.choose(units).weight
        held = units.cell < units.cell.max()  # its last month has no treated
        whom = units.sought & held
        target = means(units, units.weight, whom)
        share = units.weight[whom] / units.weight[whom].sum()
        spread = np.sqrt(share @ (units.covariates[whom] - target) ** 2)
        slack = 1e-10 if isinstance(using, EntropyBalancing) else 0.02 + 1e-10
        for arm in (units.treated, ~units.treated):
            assert (np.abs(means(units, weight, arm) - target) / spread).max() < slack


def test_two_moments_balance_variances() -> None:
    units = candidates()
    weight = EntropyBalancing(moments=2).choose(units).weight
    for arm in (units.treated, ~units.treated):
        share = np.where(arm, weight, 0.0) / weight[arm].sum()
        found = share @ units.covariates**2 - (share @ units.covariates) ** 2
        if arm is units.treated:
            wanted = found
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_entropy_balancing_by_hand() -> None:
    # Treated have mean ¾ of a 0/1 covariate; two comparisons of each kind share 3 + 1 units' weight.
    units = Candidates(
        treated=np.array([True] * 4 + [False] * 4),
        cell=np.zeros(8, dtype=np.int64),
        covariates=np.array([1.0, 1, 1, 0, 1, 1, 0, 0])[:, None],
        names=("x",),
        weight=np.ones(8),
    )
    for using in (EntropyBalancing(), CovariateBalancing(), StableWeights()):
        found = using.choose(units).weight
        np.testing.assert_allclose(found, [1, 1, 1, 1, 1.5, 1.5, 0.5, 0.5], atol=1e-12)
    # The propensity given x is 3/5 and 1/3: odds 3/2 and 1/2.
    found = InverseProbability().choose(units)
    np.testing.assert_allclose(found.weight[4:], [1.5, 1.5, 0.5, 0.5], atol=1e-9)
    overlap = OverlapWeights().choose(replace(units, estimand="ATO")).weight
    np.testing.assert_allclose(overlap, [0.4] * 3 + [2 / 3] + [0.6] * 2 + [1 / 3] * 2, atol=1e-9)
    # A quarter of a standard deviation of slack, √(3/16)/4, moves the mean sought to 0.642.
    slack = StableWeights(tolerance_sd=0.25).choose(units).weight
    mean = 0.75 - np.sqrt(3 / 16) / 4
    np.testing.assert_allclose(slack[4:], [2 * mean] * 2 + [2 - 2 * mean] * 2, atol=1e-12)


@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.2])
def test_stable_weights_have_the_least_variance(tolerance: float) -> None:
    units = candidates(n=70, months=1, seed=11)
    weight = StableWeights(tolerance_sd=tolerance).choose(units).weight
    held = units.cell == units.cell.min()
    treated, others = units.treated & held, ~units.treated & held
    q, x = units.weight[others], units.covariates[others]
    mass = units.weight[treated].sum()
    target = means(units, units.weight, treated)
    square = units.weight[treated] @ (units.covariates[treated] - target) ** 2 / mass
    scaled = (x - target) / np.sqrt(square)

    def variance(w: np.ndarray) -> float:
        return float((w**2 / q).sum())

    solved = minimize(
        variance,
        np.full(q.size, mass / q.size),
        jac=lambda w: 2 * w / q,
        bounds=[(0, None)] * q.size,
        constraints=[
            {"type": "eq", "fun": lambda w: w.sum() - mass, "jac": lambda w: np.ones(w.size)},
            {
                "type": "ineq",
                "fun": lambda w: tolerance * mass - w @ scaled + 1e-12,
                "jac": lambda w: -scaled.T,
            },
            {
                "type": "ineq",
                "fun": lambda w: tolerance * mass + w @ scaled + 1e-12,
                "jac": lambda w: scaled.T,
            },
        ],
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    assert solved.success
    found = weight[others]
    assert found.sum() == pytest.approx(mass, rel=1e-12)
    assert np.abs(found @ scaled).max() <= tolerance * mass + 1e-10
    assert (found >= 0).all()
    assert variance(found) == pytest.approx(solved.fun, rel=1e-8)
    np.testing.assert_allclose(found, solved.x, atol=1e-4)


def test_stable_weights_meet_the_conditions_of_a_minimum() -> None:
    # With weights q·max(0, η), η linear in covariates and of the sign the binding side asks, no
    # weights within tolerance vary less: the problem is convex.
    units = candidates(n=2000, seed=2)
    tolerance = 0.1
    chosen = StableWeights(tolerance_sd=tolerance).choose(units)
    (equation,) = chosen.fitted
    others = ~units.treated & (units.cell < units.cell.max())
    ratio = (chosen.weight / units.weight)[others]
    free = ratio > 0
    assert 0 < (~free).sum() < free.sum()
    groups = (equation.group[others, None] == np.arange(3)).astype(float)
    regressors = np.hstack([groups, equation.basis[others]])
    theta, *_ = np.linalg.lstsq(regressors[free], ratio[free], rcond=None)
    np.testing.assert_allclose(regressors[free] @ theta, ratio[free], atol=1e-9)
    assert (regressors[~free] @ theta).max() < 1e-9
    mass = units.weight[units.treated].sum()
    gap = equation.basis[others].T @ chosen.weight[others]
    gap -= equation.basis[units.treated].T @ units.weight[units.treated]
    mean = units.weight[units.treated] @ equation.basis[units.treated] / mass
    square = units.weight[units.treated] @ (equation.basis[units.treated] - mean) ** 2 / mass
    np.testing.assert_allclose(
        gap / mass, -np.sign(theta[3:]) * tolerance * np.sqrt(square), atol=1e-10
    )


@pytest.mark.parametrize("tolerance", [0.0, 0.02])
def test_tighter_balance_costs_variance(tolerance: float) -> None:
    units = candidates()
    tight = StableWeights(tolerance_sd=tolerance).choose(units).weight
    loose = StableWeights(tolerance_sd=tolerance + 0.05).choose(units).weight
    others = ~units.treated
    cost = [float((w[others] ** 2 / units.weight[others]).sum()) for w in (tight, loose)]
    assert cost[1] < cost[0]


@pytest.mark.parametrize(
    "using", [EntropyBalancing(), CovariateBalancing(), StableWeights()], ids=str
)
def test_collinear_covariates_change_nothing(using: Comparison) -> None:
    units = candidates()
    x = units.covariates
    rng = np.random.default_rng(5)
    nearly = x[:, 0] + 1e-9 * rng.normal(size=x.shape[0])
    plain = using.choose(units).weight
    for extra in (2 * x[:, 0] - x[:, 3], np.ones(x.shape[0])):
        again = replace(
            units, covariates=np.column_stack([x, extra]), names=(*units.names, "extra")
        )
        np.testing.assert_allclose(using.choose(again).weight, plain, rtol=1e-7, atol=1e-9)
    close = replace(units, covariates=np.column_stack([x, nearly]), names=(*units.names, "near"))
    weight = using.choose(close).weight
    gap = means(close, weight, units.treated) - means(close, weight, ~units.treated)
    assert np.abs(gap / close.covariates.std(axis=0)).max() < 1e-8


@pytest.mark.parametrize(
    "using",
    [EntropyBalancing(), CovariateBalancing(), StableWeights(), InverseProbability()],
    ids=str,
)
def test_a_mean_out_of_reach_is_refused_by_name(using: Comparison) -> None:
    units = candidates()
    beyond = np.where(units.treated, 2.0, 0.0) + np.linspace(0, 1, units.treated.size)
    units = replace(
        units,
        covariates=np.column_stack([units.covariates, beyond]),
        names=(*units.names, "prior"),
    )
    named = "predict" if isinstance(using, InverseProbability) else "'prior'"
    with pytest.raises(DesignRefused, match=named):
        using.choose(units)


@pytest.mark.parametrize(
    "using", [EntropyBalancing(), StableWeights(), StableWeights(tolerance_sd=0.02)], ids=str
)
def test_a_mean_out_of_reach_together_is_refused(using: Comparison) -> None:
    # Each covariate could be balanced alone; the sum of two could not. The third is innocent.
    rng = np.random.default_rng(3)
    treated = np.arange(60) < 20
    first = 5 * rng.normal(size=60)
    total = np.where(treated, 3.0, 0.0) + rng.uniform(0, 1, 60)
    units = Candidates(
        treated=treated,
        cell=np.zeros(60, dtype=np.int64),
        covariates=np.column_stack([rng.normal(size=60), first, total - first]),
        names=("innocent", "first", "second"),
        weight=np.ones(60),
    )
    with pytest.raises(
        DesignRefused, match=r"'(first|second)', on which they cannot together with the other"
    ):
        using.choose(units)


def test_a_kind_nobody_sought_for_has_tends_to_no_weight() -> None:
    units = candidates()
    rare = (~units.treated & (np.arange(units.treated.size) % 4 == 0)).astype(float)
    units = replace(
        units, covariates=np.column_stack([units.covariates, rare]), names=(*units.names, "rare")
    )
    weight = EntropyBalancing().choose(units).weight
    assert weight[rare == 1].max() < 1e-8
    assert np.abs(means(units, weight, ~units.treated)[4]) < 1e-9


@pytest.mark.parametrize(("estimand", "using"), WEIGHTINGS, ids=str)
def test_a_month_without_an_arm_is_left_out_and_counted(estimand: str, using: Comparison) -> None:
    units = candidates(estimand)
    chosen = using.choose(units)
    late = units.cell == units.cell.max()
    assert not chosen.weight[late].any()
    np.testing.assert_array_equal(chosen.lost["no_comparison"], late & units.sought)
    total = sum(mask.astype(int) for mask in chosen.lost.values())
    assert np.max(total) <= 1
    ledger = keep_chosen(units, chosen, Ledger(), person=np.arange(240)).ledger
    for step in ledger.steps:
        assert step.before == step.after + sum(n for _, n in step.dropped)


@pytest.mark.parametrize(("estimand", "using"), WEIGHTINGS, ids=str)
def test_a_weight_of_two_is_a_unit_met_twice(estimand: str, using: Comparison) -> None:
    units = replace(candidates(estimand), weight=np.ones(240))
    twice = np.arange(240) % 5 == 0
    heavy = using.choose(replace(units, weight=1.0 + twice)).weight
    rows = np.concatenate([np.arange(240), np.flatnonzero(twice)])[::-1]
    repeated = using.choose(
        replace(
            units,
            treated=units.treated[rows],
            cell=units.cell[rows],
            covariates=units.covariates[rows],
            weight=units.weight[rows],
        )
    ).weight
    summed = np.bincount(rows, weights=repeated, minlength=240)
    np.testing.assert_allclose(summed, heavy, rtol=1e-7, atol=1e-9)


def test_units_beyond_a_bound_are_counted_and_the_rest_fitted_again() -> None:
    units = candidates("ATE")
    first = InverseProbability().choose(units).propensity
    using = InverseProbability(bounds="fixed", bound=0.2)
    chosen = using.choose(units)
    out = (first < 0.2) | (first > 0.8)
    assert 0 < out.sum() < 100
    np.testing.assert_array_equal(chosen.lost["outside_bounds"], out)
    inside = replace(
        units,
        treated=units.treated[~out],
        cell=units.cell[~out],
        covariates=units.covariates[~out],
        weight=units.weight[~out],
    )
    np.testing.assert_allclose(
        chosen.weight[~out], InverseProbability().choose(inside).weight, rtol=1e-9
    )


def test_a_weight_held_at_a_bound() -> None:
    units = candidates("ATE")
    free = InverseProbability().choose(units)
    held = InverseProbability(bounds="fixed", bound=0.2, beyond="hold").choose(units)
    used = free.weight > 0
    p = np.clip(free.propensity[used], 0.2, 0.8)
    own = np.where(units.treated[used], p, 1 - p)
    np.testing.assert_allclose(held.weight[used], units.weight[used] / own)
    assert held.weight.max() <= 5 * units.weight.max()
    # The ATT is bounded above only: comparisons of low propensity weigh little as it is.
    att = replace(units, estimand="ATT")
    p = np.minimum(free.propensity[used], 0.8)
    found = InverseProbability(bounds="fixed", bound=0.2, beyond="hold").choose(att).weight[used]
    others = ~units.treated[used]
    np.testing.assert_allclose(found[others], (units.weight[used] * p / (1 - p))[others])


def test_overlap_weights_of_a_logit_balance_exactly() -> None:
    units = candidates("ATO")
    weight = OverlapWeights().choose(units).weight
    gap = means(units, weight, units.treated) - means(units, weight, ~units.treated)
    np.testing.assert_allclose(gap / units.covariates.std(axis=0), 0.0, atol=1e-9)


def test_a_classifier_gives_weights_without_an_equation() -> None:
    units = candidates("ATE")
    model = Propensity(model="sklearn.naive_bayes.GaussianNB", folds=3)
    chosen = InverseProbability(propensity=model).choose(units)
    assert chosen.fitted == ()
    assert (chosen.weight > 0).sum() == (units.cell < units.cell.max()).sum()


def test_units_without_any_chance_are_refused() -> None:
    units = candidates("ATE")
    tree = Propensity(model="sklearn.tree.DecisionTreeClassifier")
    crossed = Propensity(model="sklearn.tree.DecisionTreeClassifier", folds=2)
    with pytest.raises(DesignRefused, match="whom the model gives none"):
        InverseProbability(propensity=crossed).choose(units)
    # Fitted and read on the same units, a full tree expects everyone where they are.
    weight = InverseProbability(propensity=tree).choose(units).weight
    np.testing.assert_allclose(weight[weight > 0], units.weight[weight > 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("estimand", "using"),
    [
        ("ATO", EntropyBalancing()),
        ("ATO", CovariateBalancing()),
        ("ATO", StableWeights()),
        ("ATO", InverseProbability()),
        ("ATT", OverlapWeights()),
    ],
    ids=str,
)
def test_another_estimand_is_not_answered(estimand: str, using: Comparison) -> None:
    with pytest.raises(OptionError, match=estimand):
        using.choose(candidates(estimand))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EntropyBalancing(moments=3),  # type: ignore[arg-type]  # the mistake under test
        lambda: StableWeights(moments=0),
        lambda: StableWeights(tolerance_sd=-0.1),
        lambda: StableWeights(tolerance_sd=float("nan")),
        lambda: InverseProbability(bound=0.5),
        lambda: InverseProbability(bounds="some"),  # type: ignore[arg-type]  # the mistake under test
        lambda: InverseProbability(propensity="logistic"),
        lambda: OverlapWeights(propensity="logistic"),
    ],
)
def test_options_that_mean_nothing(wrong: Any) -> None:
    with pytest.raises(OptionError):
        wrong()


def test_no_month_with_both_arms() -> None:
    units = candidates()
    apart = replace(units, cell=units.treated.astype(np.int64))
    for using in (EntropyBalancing(), InverseProbability(), StableWeights()):
        with pytest.raises(DesignRefused, match="a month with treated and untreated"):
            using.choose(apart)


def test_chosen_is_as_long_as_the_candidates() -> None:
    units = candidates("ATE")
    chosen: Chosen = CovariateBalancing().choose(units)
    assert chosen.propensity is not None
    assert np.isnan(chosen.propensity).sum() == (units.cell == units.cell.max()).sum()
    # At its solution the inverse probabilities of its propensity are the weights.
    used = chosen.weight > 0
    own = np.where(units.treated, chosen.propensity, 1 - chosen.propensity)
    np.testing.assert_allclose(chosen.weight[used], (units.weight / own)[used], rtol=1e-9)


def test_a_saved_design_keeps_the_equations(tmp_path: Any) -> None:
    units = candidates("ATT", months=1)
    table = pd.DataFrame(units.covariates, columns=list(units.names)).assign(
        treat=units.treated.astype(int), y=outcomes(units)[:, 0]
    )
    design = Design.from_cross_section(
        table, treatment="treat", outcome="y", covariates=list(units.names)
    ).matched(using=StableWeights(tolerance_sd=0.02))
    design.save(tmp_path / "design")
    (again,) = Design.load(tmp_path / "design").fitted
    (first,) = design.fitted
    for part in ("basis", "score", "slope", "beyond"):
        np.testing.assert_array_equal(getattr(again, part), getattr(first, part))
