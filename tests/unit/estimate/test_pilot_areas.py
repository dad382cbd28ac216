"""Pilot areas and an age limit, by hand and against regressions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from whatworks import Design, PilotAreas, few_clusters
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.record import without_bands
from whatworks.vocabulary import ELIGIBLE


def design(table: pd.DataFrame, *, weight: str | None = None) -> Design:
    return Design.from_panel(
        table,
        unit="u",
        period="t",
        first_treated="g",
        outcome="y",
        covariates=["eligible"],
        market="area",
        weight=weight,
    )


def pilots(
    seed: int = 1, *, starts: tuple[int, ...] = (3, 3, 3, 0, 0, 0, 0, 0), loss: float = -1.0
) -> pd.DataFrame:
    """Areas of 30 persons over five periods; the eligible gain 2, the others lose where a pilot runs."""
    rng = np.random.default_rng(seed)
    area = np.repeat(np.arange(len(starts)), 30)
    n = area.size
    eligible = (np.arange(n) % 3 > 0).astype(int)
    start = np.array(starts)[area]
    unit, period = np.repeat(np.arange(n), 5), np.tile(np.arange(1, 6), n)
    on = (start[unit] > 0) & (period >= start[unit])
    y = rng.normal(size=n)[unit] + 0.3 * period * eligible[unit] + rng.normal(size=unit.size)
    y += rng.normal(size=(len(starts), 5), scale=0.3)[area[unit], period - 1]
    y += on * np.where(eligible[unit] == 1, 2.0, loss)
    own = np.where(eligible == 1, start, 0)[unit]
    names = np.array([f"area {k}" for k in range(len(starts))])[area]
    return pd.DataFrame(
        {"u": unit, "t": period, "g": own, "y": y, "eligible": eligible[unit], "area": names[unit]}
    )


def changes(table: pd.DataFrame, *, at: int, base: int) -> pd.DataFrame:
    wide = table.pivot(index="u", columns="t", values="y")
    first = table.groupby("u").first()
    return first.assign(change=wide[at] - wide[base])


def test_four_means_and_their_joint_covariance_by_regression() -> None:
    table = pilots()
    found = PilotAreas().fit(design(table))
    rows = changes(table, at=5, base=2)
    piloted = rows["area"].isin([f"area {k}" for k in range(3)])
    group = 2 * (~piloted).astype(int) + (rows["eligible"] == 0)
    dummies = np.eye(4)[group]
    fit = sm.OLS(rows["change"].to_numpy(), dummies).fit()
    ep, op, en, on = fit.params
    expected = {
        "direct": ep - op,
        "total": ep - en,
        "spillover_ineligible": op - on,
        "triple": ep - op - en + on,
        "trend_gap": en - on,
    }
    here = found.effects["month"].eq(2) & found.effects["group"].eq("all")
    ours = found.effects[here].set_index("term")
    for term, value in expected.items():
        assert ours.loc[term, "estimate"] == pytest.approx(value, abs=1e-10)
    area = np.unique(rows["area"], return_inverse=True)[1]
    scores = dummies * fit.resid[:, None]
    sums = np.zeros((8, 4))
    np.add.at(sums, area, scores)
    bread = np.linalg.inv(dummies.T @ dummies)
    meat = bread @ sums.T @ sums @ bread * 8 / 7
    forms = np.array(
        [[1, -1, 0, 0], [1, 0, -1, 0], [0, 1, 0, -1], [1, -1, -1, 1], [0, 0, 1, -1]], dtype=float
    )
    at = np.flatnonzero(here.to_numpy())
    order = [list(ours.index).index(term) for term in expected]
    covariance = found.uncertainty.covariance()[np.ix_(at[order], at[order])]
    np.testing.assert_allclose(covariance, forms @ meat @ forms.T, rtol=1e-9, atol=1e-14)


def test_what_parts_a_from_b_is_the_loss_of_the_others() -> None:
    areas = tuple([3] * 20 + [0] * 20)
    effects = PilotAreas().fit(design(pilots(starts=areas))).effects
    for _, rows in effects.groupby(["month", "group"]):
        value = rows.set_index("term")["estimate"]
        gap = value["direct"] - value["total"] + value["spillover_ineligible"]
        assert gap == pytest.approx(value["trend_gap"])
        assert value["triple"] == pytest.approx(value["total"] - value["spillover_ineligible"])
    pooled = effects[effects["group"] == "throughout"].set_index("term")
    assert pooled.loc["total", "estimate"] == pytest.approx(2, abs=0.5)
    assert pooled.loc["direct", "estimate"] > pooled.loc["total", "estimate"] + 0.5
    assert pooled.loc["spillover_ineligible", "conf_high"] < 0
    still = PilotAreas().fit(design(pilots(starts=areas, loss=0.0))).effects
    row = still[(still["group"] == "throughout") & (still["term"] == "spillover_ineligible")].iloc[
        0
    ]
    assert row["conf_low"] < 0 < row["conf_high"]


def test_cohorts_weigh_as_their_eligible_and_their_weights_vary() -> None:
    starts = (3, 3, 4, 4, 4, 0, 0, 0)
    table = pilots(starts=starts)
    found = PilotAreas().fit(design(table)).effects
    one = found[(found["term"] == "total") & (found["month"] == 1) & (found["group"] == "all")]
    parts = []
    for start, at, base in ((3, 4, 2), (4, 5, 3)):
        rows = changes(table, at=at, base=base)
        rows = rows[rows["eligible"] == 1]
        places = [f"area {k}" for k, g in enumerate(starts) if g == start]
        never = [f"area {k}" for k, g in enumerate(starts) if g == 0]
        mine, theirs = rows["area"].isin(places), rows["area"].isin(never)
        effect = rows.loc[mine, "change"].mean() - rows.loc[theirs, "change"].mean()
        parts.append((effect, int(mine.sum())))
    expected = np.average([e for e, _ in parts], weights=[n for _, n in parts])
    assert one["estimate"].iloc[0] == pytest.approx(expected)
    later = PilotAreas(control="not_yet_treated").fit(design(table)).effects
    rows = later[(later["term"] == "total") & (later["group"] == "all")].set_index("month")
    assert rows.loc[0, "n_comparison"] == one["n_comparison"].iloc[0] + 60


def test_a_jackknife_of_areas_agrees_with_the_error_of_varying_weights() -> None:
    starts = tuple([3] * 14 + [4] * 12 + [0] * 24)
    table = pilots(starts=starts, seed=4)
    # Areas of unequal size, so that weights of cohorts vary from one sample of areas to the next.
    size = {f"area {k}": 12 + 18 * (k % 3 == 0) for k in range(len(starts))}
    kept = table[table["u"] % 30 < table["area"].map(size)]
    whole = PilotAreas().fit(design(kept)).effects
    rows = whole[whole["group"] == "throughout"].set_index("term")
    left = []
    with without_bands():
        for name in size:
            part = PilotAreas().fit(design(kept[kept["area"] != name])).effects
            left.append(part[part["group"] == "throughout"].set_index("term")["estimate"])
    table_of = pd.DataFrame(left)
    n = len(size)
    error = np.sqrt((n - 1) / n * ((table_of - table_of.mean()) ** 2).sum())
    np.testing.assert_allclose(rows["std_error"], error[rows.index], rtol=0.06)


def test_the_design_s_own_word_on_who_may_take_part_comes_first() -> None:
    table = pilots()
    made = design(table)
    may = made.units["eligible"].to_numpy() == 1
    said = replace(made, units=made.units.assign(**{ELIGIBLE: may}))
    ours = PilotAreas(eligible="nobody_reads_this").fit(said).effects
    pd.testing.assert_frame_equal(ours, PilotAreas().fit(made).effects)


def test_few_areas_are_told_by_few_clusters() -> None:
    made = design(pilots())
    estimate = PilotAreas().fit(made)
    found = few_clusters(made, estimate, month=1)
    assert found.level == "market"
    assert found.clusters.n == 8
    assert found.term == "total"
    row = found.table.set_index("method").loc["cluster_robust"]
    assert row["std_error"] == pytest.approx(estimate.at(1)["std_error"])
    assert np.isfinite(found.table.set_index("method").loc["score", "p_value"])


def test_units_left_out_are_counted() -> None:
    table = pilots()
    nobody = table["area"].eq("area 7") & table["eligible"].eq(1)
    gaps = table["u"].eq(0) & table["t"].eq(2)
    found = PilotAreas().fit(design(table[~nobody & ~gaps]))
    frame = found.ledger.frame()
    frame = frame[frame["step"] == "four_groups"].set_index("reason")["dropped"]
    assert frame["incomplete_panel"] == 1
    assert frame["no_comparison"] == 10


def test_refusals() -> None:
    table = pilots()
    with pytest.raises(OptionError, match="eligible"):
        PilotAreas(eligible="young").fit(design(table))
    with pytest.raises(OptionError, match="both"):
        PilotAreas().fit(design(table.assign(eligible=1)))
    mixed = table.assign(g=np.where((table["u"] == 1) & (table["g"] == 3), 4, table["g"]))
    with pytest.raises(DesignRefused, match="one start"):
        PilotAreas().fit(design(mixed))
    everywhere = pilots(starts=(3,) * 4 + (4,) * 4)
    with pytest.raises(DesignRefused, match="all four"):
        PilotAreas().fit(design(everywhere))
