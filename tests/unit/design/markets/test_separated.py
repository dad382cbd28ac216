"""What strata and controls leave of a column, against dummies written out."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from whatworks.stats.displacement.separated import association, unexplained


@pytest.mark.parametrize("strata", [True, False])
@pytest.mark.parametrize("k", [0, 2])
def test_slope_beside_strata_is_that_of_the_regression_with_dummies(strata: bool, k: int) -> None:
    rng = np.random.default_rng(3)
    n = 60
    stratum = rng.integers(0, 7, n)
    controls = rng.normal(size=(n, k)) * 10.0 ** rng.integers(-3, 4, k)
    x = rng.normal(size=n) + stratum
    y = 0.3 * x + 0.5 * stratum + controls.sum(axis=1) + rng.normal(size=n)
    dummies = np.eye(7)[stratum] if strata else np.ones((n, 1))
    fit = sm.OLS(y, np.column_stack([x, controls, dummies])).fit()
    found = association(y, x, controls, stratum=stratum if strata else None)
    assert found.slope == pytest.approx(fit.params[0], rel=1e-9)
    assert found.std_error == pytest.approx(fit.bse[0], rel=1e-9)
    assert found.p_value == pytest.approx(fit.pvalues[0], rel=1e-7)
    assert found.df == fit.df_resid
    rest = sm.OLS(y, np.column_stack([controls, dummies])).fit()
    part = rest.ssr / ((y - y.mean()) ** 2).sum()
    mine = unexplained(y, controls, stratum=stratum if strata else None)
    assert mine == pytest.approx(part, rel=1e-9)


def test_determined_and_constant_columns() -> None:
    stratum = np.repeat([0, 1, 2], 4)
    none = np.empty((12, 0))
    assert unexplained(stratum * 0.25, none, stratum=stratum) == 0
    assert unexplained(stratum * 0.25, stratum[:, None] * 1e6) == 0
    assert np.isnan(unexplained(np.full(12, 0.5), none))
    # A control that strata determine already is no further degree of freedom.
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(2, 12))
    twice = association(y, x, stratum[:, None] * 1.0, stratum=stratum)
    assert twice.df == association(y, x, none, stratum=stratum).df == 8
    assert np.isnan(association(y, stratum * 1.0, none, stratum=stratum).slope)
