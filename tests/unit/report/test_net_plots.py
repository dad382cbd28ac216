"""Figures of net effects alone: those of the page, without an evidence around them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import whatworks as ww
from whatworks.errors import OptionError
from whatworks.worlds import FiniteJobs, simulate_jobs


@pytest.fixture(scope="module")
def found() -> ww.NetEffects:
    people = simulate_jobs(FiniteJobs(n_markets=50, seed=3)).frame
    design = ww.Design.from_cross_section(
        people.assign(y=100 * people["y"]),
        treatment="treated",
        outcome="y",
        market="market",
        stratum="stratum",
        saturation="saturation",
        unit="pp",
        randomised=True,
    )
    return ww.net(ww.SaturationRegression().fit(design), design, pool_share=0.5)


def points(ax: Axes, marker: str) -> np.ndarray:
    drawn = [
        line for line in ax.lines if line.get_marker() == marker and line.get_linestyle() == "None"
    ]
    return np.concatenate([line.get_ydata() for line in drawn])


def test_responses_draw_both_arms_and_both_fits(found: ww.NetEffects) -> None:
    ax = ww.plot_responses(found, lang="en")
    gained = found.table.query("fit == 'saturated' and quantity == 'total' and read == 'observed'")
    lost = found.table.query(
        "fit == 'saturated' and quantity == 'spillover' and read == 'observed'"
    )
    assert np.allclose(points(ax, "o"), gained["estimate"], atol=0.051)
    assert np.allclose(points(ax, "s"), lost["estimate"].dropna(), atol=0.051)
    dashes = [line for line in ax.lines if line.get_linestyle() == "--" or line.is_dashed()]
    assert len(dashes) == 4


def test_nets_draw_both_bounds_of_the_pool(found: ww.NetEffects) -> None:
    ax = ww.plot_net(found, lang="en")
    table = found.table.query("fit == 'saturated' and quantity == 'net_pool'")
    for pool, marker in (("eligible_only", "o"), ("everyone_exposed", "s")):
        wanted = table.loc[table["pool"] == pool, "estimate"].dropna()
        assert np.allclose(points(ax, marker), wanted, atol=0.051)


def test_net_effects_plot_themselves_on_axes_given(found: ww.NetEffects) -> None:
    given = Figure().subplots()
    assert found.plot(ax=given) is given
    assert found.plot("responses").get_xlabel() == "part accompagnée des éligibles"
    with pytest.raises(OptionError, match="responses"):
        found.plot("ratios")
