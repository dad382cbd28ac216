"""What reached those taken for a comparison: seen beside another estimate, and beyond the outermost ring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, Imputation, SpilloverDiD, weigh
from whatworks.evidence.checks import contamination
from whatworks.vocabulary import Verdict

RNG = np.random.default_rng(0)
NEAR = SpilloverDiD(rings=(8, 16), coordinates=("x", "z"))


def places(*, loss: float, reach: float, seed: int = 3) -> Design:
    rng = np.random.default_rng(seed)
    n = 300
    points = rng.uniform(0, 120, (n, 2))
    start = np.zeros(n, dtype=int)
    start[:12] = 4
    near = np.linalg.norm(points[:, None] - points[:12], axis=2).min(axis=1)
    unit, period = np.repeat(np.arange(n), 6), np.tile(np.arange(1, 7), n)
    after = period >= 4
    y = rng.normal(size=unit.size) + 2.0 * ((start[unit] > 0) & after)
    y -= loss * ((start[unit] == 0) & after & (near[unit] <= reach))
    table = pd.DataFrame({"u": unit, "t": period, "g": start[unit], "y": y})
    table = table.assign(x=points[unit, 0], z=points[unit, 1])
    return Design.from_panel(
        table, unit="u", period="t", first_treated="g", outcome="y", covariates=["x", "z"]
    )


@pytest.mark.parametrize(
    ("loss", "verdict"), [(1.0, Verdict.FAILS), (-1.0, Verdict.FAILS), (0.0, Verdict.HOLDS)]
)
def test_beside_an_estimate_that_takes_the_exposed_for_a_comparison(
    loss: float, verdict: Verdict
) -> None:
    design = places(loss=loss, reach=16)
    found = contamination.run(design, [Imputation().fit(design), NEAR.fit(design)], rng=RNG)
    assert found is not None
    assert found.verdict is verdict
    if loss:  # either sign: what others lose adds to the effect, what they gain hides some of it
        assert np.sign(found.facts["difference"]) == np.sign(loss)
    assert set(found.table["rings"]) == {0, 1, 2}


def test_of_the_spillover_aware_estimate_what_lies_outside_is_asked() -> None:
    for reach, verdict in ((16, Verdict.HOLDS), (32, Verdict.FAILS)):
        design = places(loss=1.0, reach=reach)
        evidence = weigh(design, NEAR.fit(design))
        found = next(f for f in evidence.findings if f.check == "contamination")
        assert found.verdict is verdict


def test_nobody_outside_is_not_an_answer() -> None:
    design = places(loss=1.0, reach=16)
    wide = SpilloverDiD(rings=(8, 25), coordinates=("x", "z"))
    table = wide.fit(design).extras["exposure"]
    assert len(table) > 0
    found = contamination.run(design, [wide.fit(design)], rng=RNG)
    assert found is not None
    assert found.verdict is Verdict.NOT_TESTABLE


def test_without_rings_nothing_is_asked() -> None:
    design = places(loss=0.0, reach=16)
    assert contamination.run(design, [Imputation().fit(design)], rng=RNG) is None
