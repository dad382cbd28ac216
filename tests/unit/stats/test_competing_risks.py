"""Incidence of competing endings: by hand, by brute force, and in limits."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats.competing_risks import Waits, incidence, mean_within


def some(n: int = 60, *, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    entry = rng.integers(-1, 4, n).astype(float)
    return {
        "time": entry + 1 + rng.integers(0, 12, n),
        "kind": rng.choice(3, n, p=[0.2, 0.5, 0.3]),
        "weight": rng.uniform(0.5, 2, n),
        "entry": entry,
    }


def waits_of(data: dict[str, np.ndarray], weight: np.ndarray | None = None) -> Waits:
    mass = data["weight"] if weight is None else weight
    return Waits.of(data["time"], data["kind"], weight=mass, entry=data["entry"])


def by_hand(data: dict[str, np.ndarray], kind: int, t: float) -> float:
    left, share = 1.0, 0.0
    for s in np.unique(data["time"][data["time"] <= t]):
        at_risk = (data["time"] >= s) & (data["entry"] < s)
        risk = data["weight"][at_risk].sum()
        ended = at_risk & (data["time"] == s)
        share += left * data["weight"][ended & (data["kind"] == kind)].sum() / risk
        left *= 1 - data["weight"][ended & (data["kind"] > 0)].sum() / risk
    return share


@pytest.mark.parametrize("kind", [1, 2])
def test_shares_are_those_of_a_loop(kind: int) -> None:
    data = some()
    at = (-1.0, 0.0, 2.5, 4.0, 9.0)
    found = incidence(waits_of(data), kind=kind, at=at).value
    np.testing.assert_allclose(found, [by_hand(data, kind, t) for t in at], rtol=1e-12)


def test_influence_is_the_derivative_in_each_weight() -> None:
    data = some()
    at, step = (1.0, 4.0, 9.0), 1e-6

    def read(weight: np.ndarray) -> np.ndarray:
        waits = waits_of(data, weight)
        mean = mean_within(waits, kind=1, horizon=8.5).value
        return np.concatenate([incidence(waits, kind=1, at=at).value, mean])

    waits = waits_of(data)
    ours = np.hstack(
        [
            incidence(waits, kind=1, at=at).influence,
            mean_within(waits, kind=1, horizon=8.5).influence,
        ]
    )
    for i in range(0, 60, 7):
        up, down = (data["weight"].copy() for _ in range(2))
        up[i] += step
        down[i] -= step
        slope = (read(up) - read(down)) / (2 * step) * data["weight"][i]
        np.testing.assert_allclose(ours[i], slope, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(ours.sum(axis=0), 0, atol=1e-10)  # weights have no scale


def test_without_censoring_shares_are_shares() -> None:
    rng = np.random.default_rng(3)
    time, kind = rng.integers(0, 20, 500).astype(float), rng.integers(1, 3, 500)
    waits = Waits.of(time, kind)
    for t in (0.0, 7.0, 25.0):
        found = incidence(waits, kind=1, at=(t,))
        share = (kind == 1) & (time <= t)
        assert found.value[0] == pytest.approx(share.mean())
        np.testing.assert_allclose(found.influence[:, 0], (share - share.mean()) / 500, atol=1e-14)
    within = np.where(kind == 1, np.minimum(time, 9), 9)
    assert mean_within(waits, kind=1, horizon=9).value[0] == pytest.approx(within.mean())


def test_competing_endings_are_no_censoring() -> None:
    # Half are withdrawn on day 1: nobody fills those, whatever becomes of the rest.
    time, kind = np.array([1.0, 1, 2, 2]), np.array([2, 2, 1, 1])
    assert incidence(Waits.of(time, kind), kind=1, at=(3.0,)).value[0] == 0.5
    censored = Waits.of(time, np.array([0, 0, 1, 1]))
    assert incidence(censored, kind=1, at=(3.0,)).value[0] == 1.0


def test_what_nobody_watched_is_not_known() -> None:
    waits = Waits.of(np.array([1.0, 5.0]), np.array([1, 0]))
    found = incidence(waits, kind=1, at=(5.0, 6.0))
    assert found.value[0] == 0.5
    assert np.isnan(found.value[1])
    assert np.isnan(found.influence[:, 1]).all()
    assert np.isnan(mean_within(waits, kind=1, horizon=6.0).value[0])
    over = Waits.of(np.array([1.0, 5.0]), np.array([1, 2]))
    assert incidence(over, kind=1, at=(100.0,)).value[0] == 0.5
