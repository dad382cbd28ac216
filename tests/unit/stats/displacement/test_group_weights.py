"""Small groups: laws of treatment against brute force, and means exact over every assignment."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.special import expit

from whatworks.stats.displacement.group_law import GroupLaw, Members, fit_groups
from whatworks.stats.displacement.group_weights import others_treated, policy_means, predicted
from whatworks.stats.displacement.share_law import FittedLaw

POLICIES = np.array([0.0, 0.3, 0.6])


def people(seed: int, n_groups: int = 150, shared: float = 0.0) -> Members:
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 7, n_groups)
    group = np.repeat(np.arange(n_groups), size)
    x = np.column_stack([np.ones(group.size), rng.normal(size=group.size)])
    eta = x @ [-0.2, 0.5] + shared * rng.normal(size=n_groups)[group]
    return Members(
        regressors=x,
        treated=rng.random(group.size) < expit(eta),
        group=group,
        count=np.ones(group.size),
        n_groups=n_groups,
    )


def known(members: Members, theta: np.ndarray) -> GroupLaw:
    """A law whose coefficients are known, which nothing moves."""
    nil = np.zeros((members.n_groups, theta.size))
    return GroupLaw(members=members, fitted=FittedLaw(theta=theta, influence=nil, converged=True))


def test_horvitz_thompson_is_exactly_unbiased_over_every_assignment() -> None:
    """Two groups of two and three: all assignments enumerated, weighed by their chance."""
    rng = np.random.default_rng(1)
    group = np.array([0, 0, 1, 1, 1])
    x = np.column_stack([np.ones(5), rng.normal(size=5)])
    theta = np.array([-0.2, 0.7])
    h = expit(x @ theta)
    base, gain, loss = rng.normal(size=(3, 5))

    def outcome(z: np.ndarray) -> np.ndarray:
        others = np.bincount(group, z)[group] - z
        return base + gain * z + loss * others**2 + 0.3 * z * others

    truth = np.zeros((2, POLICIES.size))
    expected = np.zeros((2, POLICIES.size))
    for z in (np.array(z, dtype=float) for z in product((0, 1), repeat=5)):
        members = Members(regressors=x, treated=z == 1, group=group, count=np.ones(5), n_groups=2)
        chance = np.prod(np.where(z == 1, h, 1 - h))
        for arm in (0, 1):
            found = policy_means(
                outcome(z),
                known(members, theta),
                POLICIES,
                treated=bool(arm),
                seen=np.ones(5),
                weigh=np.array([1.0, 1.0]),
                how="horvitz_thompson",
                model=None,
            )
            expected[arm] += chance * found.mean
            for k, alpha in enumerate(POLICIES):
                for i in range(5):
                    # Own treatment set; the others of the group, and the other group, by the policy.
                    if z[i] != arm:
                        continue
                    rest = np.delete(z, i)
                    weight = np.prod(np.where(rest == 1, alpha, 1 - alpha))
                    size = (group == group[i]).sum()
                    truth[arm, k] += weight * outcome(z)[i] / size / 2
    np.testing.assert_allclose(expected, truth, rtol=1e-12)


def test_doubly_robust_means_are_exact_where_the_regression_is() -> None:
    members = people(2)
    z, g = members.treated.astype(float), others_treated(members)
    y = 1 + 0.5 * members.regressors[:, 1] + z - 0.8 * g + 0.2 * z * g
    law = known(members, np.array([3.0, -2.0]))  # a law that is far from right
    seen = np.ones(z.size)
    size = np.bincount(members.group).astype(float)
    model = predicted(y, members, seen=seen)
    for arm in (0, 1):
        found = policy_means(
            y,
            law,
            POLICIES,
            treated=bool(arm),
            seen=seen,
            weigh=size,
            how="doubly_robust",
            model=model,
        )
        level = 1 + 0.5 * members.regressors[:, 1].mean() + arm - (0.8 - 0.2 * arm) * POLICIES
        np.testing.assert_allclose(found.mean, level, rtol=1e-9)


def test_a_member_counted_twice_is_two_members() -> None:
    once = people(3, n_groups=40)
    count = np.where(np.arange(once.group.size) % 4 == 0, 2.0, 1.0)
    order = np.repeat(np.arange(once.group.size), count.astype(int))
    twice = Members(
        regressors=once.regressors[order],
        treated=once.treated[order],
        group=once.group[order],
        count=np.ones(order.size),
        n_groups=40,
    )
    y = np.random.default_rng(3).normal(size=once.group.size)
    found = []
    for members, values in ((replace(once, count=count), y), (twice, y[order])):
        law = fit_groups(members, shared=False)
        model = predicted(values, members, seen=members.count)
        size = np.bincount(members.group, members.count)
        found.append(
            policy_means(
                values,
                law,
                POLICIES,
                treated=False,
                seen=members.count,
                weigh=size,
                how="doubly_robust",
                model=model,
            )
        )
    np.testing.assert_allclose(found[0].mean, found[1].mean, rtol=1e-9)
    np.testing.assert_allclose(found[0].influence, found[1].influence, rtol=1e-7, atol=1e-12)


def test_the_integral_over_what_groups_share_is_that_of_a_fine_grid() -> None:
    members = people(4, shared=1.0)
    law = fit_groups(members, shared=True)
    assert law.fitted.converged
    theta, sigma = law.fitted.theta, law.spread
    assert 0.5 < sigma < 1.6
    b = np.linspace(-9, 9, 6_001)
    h = expit((members.regressors @ theta[:-1])[:, None] + sigma * b)
    own = np.where(members.treated[:, None], h, 1 - h)
    logs = np.array([np.log(own[members.group == c]).sum(axis=0) for c in range(members.n_groups)])
    integral = np.trapezoid(np.exp(logs - b**2 / 2) / np.sqrt(2 * np.pi), b, axis=1)
    np.testing.assert_allclose(law.log_density(theta), np.log(integral), atol=1e-8)
    np.testing.assert_allclose(law.scores(theta).sum(axis=0), 0, atol=1e-8)
    step = 1e-6 * np.eye(theta.size)
    for k in range(theta.size):
        around = [law.log_density(theta + s * step[k]) for s in (1, -1)]
        slope = (around[0] - around[1]) / 2e-6
        np.testing.assert_allclose(law.scores(theta)[:, k], slope, atol=1e-6)


def test_groups_no_more_alike_than_chance_has_it_share_nothing() -> None:
    found = [fit_groups(people(seed, n_groups=60), shared=True).spread for seed in range(8)]
    assert min(found) == 0.0


@pytest.mark.parametrize("how", ["doubly_robust", "hajek", "horvitz_thompson"])
def test_influences_are_those_of_leaving_a_group_out(how: str) -> None:
    members = people(5, n_groups=300)
    rng = np.random.default_rng(5)
    y = 2 + members.treated - others_treated(members) + rng.normal(size=members.group.size)

    def means(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = kept[members.group]
        some = Members(
            regressors=members.regressors[rows],
            treated=members.treated[rows],
            group=np.unique(members.group[rows], return_inverse=True)[1],
            count=members.count[rows],
            n_groups=int(kept.sum()),
        )
        seen = np.ones(int(rows.sum()))
        found = policy_means(
            y[rows],
            fit_groups(some, shared=False),
            np.array([0.3, 0.5]),
            treated=True,
            seen=seen,
            weigh=np.bincount(some.group).astype(float),
            how=how,
            model=predicted(y[rows], some, seen=seen) if how == "doubly_robust" else None,
        )
        return found.mean, found.influence

    everyone = np.ones(300, dtype=bool)
    mean, influence = means(everyone)
    if how == "horvitz_thompson":  # others are stretched by what each group bends the mean
        np.testing.assert_allclose(influence.sum(axis=0), 0, atol=1e-9)
    left = []
    for c in range(0, 300, 5):
        kept = everyone.copy()
        kept[c] = False
        left.append(mean - means(kept)[0])
    np.testing.assert_allclose(np.array(left), influence[::5], atol=0.1 * np.abs(influence).max())
    assert np.corrcoef(np.array(left)[:, 0], influence[::5, 0])[0, 1] > 0.995
