"""Joint bands against laws known in closed form, and signs of clusters by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whatworks.estimate.record import effects_table
from whatworks.stats.bands import critical_value, multiplier_critical_value


def test_one_term_is_the_pointwise_quantile() -> None:
    assert critical_value(np.array([[4.0]])) == pytest.approx(stats.norm.ppf(0.975))
    assert critical_value(np.array([[4.0]]), df=7) == pytest.approx(stats.t(7).ppf(0.975))


def test_terms_that_move_as_one_are_one_term() -> None:
    assert critical_value(np.full((5, 5), 2.0)) == pytest.approx(stats.norm.ppf(0.975), abs=2e-3)


@pytest.mark.parametrize("k", [2, 12, 25])
def test_independent_terms_are_sidak(k: int) -> None:
    sidak = stats.norm.ppf(0.5 + 0.95 ** (1 / k) / 2)
    assert critical_value(np.diag(np.arange(1.0, k + 1))) == pytest.approx(sidak, abs=2e-3)


@pytest.mark.parametrize("df", [np.inf, 6.0])
def test_equal_correlations_against_quadrature(df: float) -> None:
    k, rho = 8, 0.7
    c = critical_value(np.full((k, k), rho) + (1 - rho) * np.eye(k), df=df)

    # Given what all terms share, they are independent; nodes of Gauss and Hermite sum over it.
    common, mass = np.polynomial.hermite_e.hermegauss(101)

    def covered(at: float) -> float:
        low, high = (
            stats.norm.cdf((side * at - np.sqrt(rho) * common) / np.sqrt(1 - rho))
            for side in (-1, 1)
        )
        return float(mass @ (high - low) ** k / mass.sum())

    # Of the divisor common to all terms of the Student law, the middles of 200 equal parts.
    parts = (np.arange(200) + 0.5) / 200
    divisor = np.ones(1) if np.isinf(df) else np.sqrt(stats.chi2(df).ppf(parts) / df)
    assert np.mean([covered(c * v) for v in divisor]) == pytest.approx(0.95, abs=2e-3)


def test_signs_of_two_clusters_by_hand() -> None:
    # Sums ±3 ± 4 over √(9 + 16): 7/5 when signs agree, 1/5 when not; the 95 % quantile is the larger.
    assert multiplier_critical_value(np.array([[3.0], [4.0]])) == pytest.approx(7 / 5)


def test_signs_do_not_depend_on_the_order_of_clusters() -> None:
    sums = np.random.default_rng(3).normal(size=(25, 6))
    assert multiplier_critical_value(sums) == pytest.approx(multiplier_critical_value(sums[::-1]))


def test_bands_are_joint_before_and_after_entry_apart() -> None:
    months = [-2, -1, 0, 1, 2]
    terms = [
        {
            "term": "att",
            "cohort": -1,
            "month": m,
            "group": "all",
            "n_treated": 9,
            "n_comparison": 9,
        }
        for m in months
    ]
    covariance = np.diag([1.0, 4.0, 1.0, 0.0, 1.0])
    table = effects_table(terms, np.arange(5.0), covariance, unit="").set_index("month")
    half = (table["band_high"] - table["band_low"]) / 2
    two = stats.norm.ppf(0.5 + 0.95**0.5 / 2)
    assert np.isnan(half[1])  # a variance of zero is no variance, and spoils no other month
    assert half[[-2, -1, 0, 2]].to_numpy() == pytest.approx(two * np.array([1, 2, 1, 1]), abs=5e-3)
    assert (table["band_low"] <= table["conf_low"])[[-2, -1, 0, 2]].all()
