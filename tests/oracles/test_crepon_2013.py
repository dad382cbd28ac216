"""Crépon et al. (2013): every published number the public file gives, and the traps it holds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from oracles import crepon
from whatworks import Design, SaturationIV, SaturationRegression
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.responses import responses_of
from whatworks.stats.clusters.blocks import cluster_blocks
from whatworks.stats.clusters.covariance import cluster_robust
from whatworks.stats.displacement.joint import wald

ERROR = 6e-6
"""Standard errors are printed to five digits."""
LTFC, LT = "cdd6m", "emploidur"


def sample(folder: Path, name: str) -> pd.DataFrame:
    table = crepon.not_employed(folder)
    men, dense = table["homme"] == 1, table["concentrated"]
    above = table["tchom07"] > table.groupby("anonale")["tchom07"].first().median()
    chosen = {
        "all": men | ~men,
        "men": men,
        "women": ~men,
        "concentrated": dense,
        "other": ~dense,
        "men, concentrated": men & dense,
        "above": above,
        "below": ~above,
        "men, above": men & above,
    }[name]
    return table[chosen]


@cache
def fitted(folder: Path, name: str, outcome: str, errors: str = "CR1") -> Estimate:
    made = crepon.design(sample(folder, name), outcome)
    return SaturationRegression(errors=errors).fit(made)  # type: ignore[arg-type]


def pooled(estimate: Estimate) -> pd.DataFrame:
    effects = estimate.effects
    return effects[effects["group"] == "pooled"].set_index("term")


PRINTED = [
    ("all", LTFC, 11_806, (0.0232426, 0.00759), (-0.0134441, 0.00922), (0.00980, 0.00778)),
    ("all", LT, 11_806, (0.0246467, 0.01164), (-0.0212861, 0.01261), (0.00336, 0.01104)),
    ("men", LTFC, 4_387, (0.0430720, 0.01313), (-0.0357575, 0.01342), (0.00731, 0.01089)),
    ("men", LT, 4_387, (0.0373182, 0.01838), (-0.0431203, 0.01994), (-0.00580, 0.01784)),
    ("women", LTFC, 7_419, (0.0125182, 0.00974), (-0.0006165, 0.01239), (0.01190, 0.01072)),
    ("women", LT, 7_419, (0.0185096, 0.01443), (-0.0098711, 0.01781), (0.00864, 0.01567)),
    ("concentrated", LTFC, 3_066, (0.0400366, 0.01646), (-0.0398980, 0.02123), (0.00014, 0.01911)),
    ("other", LTFC, 8_740, (0.0188893, 0.00906), (-0.0055848, 0.01134), (0.01330, 0.00931)),
    (
        "men, concentrated",
        LTFC,
        1_016,
        (0.0718236, 0.02919),
        (-0.0859183, 0.03473),
        (-0.01409, 0.03116),
    ),
]


@pytest.mark.parametrize(("name", "outcome", "n", "direct", "spillover", "total"), PRINTED)
def test_pooled_effects_eight_months_after(
    shared_data: Path,
    name: str,
    outcome: str,
    n: int,
    direct: tuple[float, float],
    spillover: tuple[float, float],
    total: tuple[float, float],
) -> None:
    assert len(sample(shared_data, name)) == n
    found = pooled(fitted(shared_data, name, outcome))
    for term, (value, error), digits in (
        ("direct", direct, 5.1e-8),
        ("spillover", spillover, 5.1e-8),
        ("total", total, ERROR),
    ):
        assert found.loc[term, "estimate"] == pytest.approx(value, abs=digits)
        assert found.loc[term, "std_error"] == pytest.approx(error, abs=ERROR)


@pytest.mark.parametrize(
    ("name", "outcome", "direct", "spillover"),
    [
        ("all", LTFC, 0.0082698, 0.0104629),
        ("all", LT, 0.0107634, 0.0136420),
        ("men", LTFC, 0.0125824, 0.0160610),
        ("men", LT, 0.0179106, 0.0227345),
        ("women", LTFC, 0.0109045, 0.0136731),
        ("women", LT, 0.0135320, 0.0171287),
    ],
)
def test_errors_of_the_course_take_persons_for_independent(
    shared_data: Path, name: str, outcome: str, direct: float, spillover: float
) -> None:
    found = pooled(fitted(shared_data, name, outcome, "HC1"))["std_error"]
    assert found["direct"] == pytest.approx(direct, abs=5.1e-8)
    assert found["spillover"] == pytest.approx(spillover, abs=5.1e-8)


def test_means_where_nobody_was_assigned(shared_data: Path) -> None:
    printed = {
        ("all", LTFC): 0.1673,
        ("all", LT): 0.3757,
        ("men", LTFC): 0.1499,
        ("men", LT): 0.3957,
        ("women", LTFC): 0.1776,
        ("women", LT): 0.3638,
        ("concentrated", LTFC): 0.2123,
        ("other", LTFC): 0.1525,
        ("men, concentrated", LTFC): 0.2169,
    }
    for (name, outcome), mean in printed.items():
        table = sample(shared_data, name)
        assert table.loc[table["share"] == 0, outcome].mean() == pytest.approx(mean, abs=5.1e-5)


@pytest.mark.parametrize(
    ("name", "n", "direct", "spillover", "total"),
    [
        ("above", 6_017, (0.0437, 0.0178), (-0.0563, 0.0192), None),
        ("below", 5_789, (0.0083, 0.0156), (0.0113, 0.0165), None),
        ("men, above", 2_277, (0.0761, 0.0250), (-0.0971, 0.0256), (-0.0210, 0.0234)),
    ],
)
def test_by_local_unemployment(
    shared_data: Path,
    name: str,
    n: int,
    direct: tuple[float, float],
    spillover: tuple[float, float],
    total: tuple[float, float] | None,
) -> None:
    assert len(sample(shared_data, name)) == n
    found = pooled(fitted(shared_data, name, LT))
    for term, told in (("direct", direct), ("spillover", spillover), ("total", total)):
        if told is not None:
            assert found.loc[term, "estimate"] == pytest.approx(told[0], abs=6e-5)
            assert found.loc[term, "std_error"] == pytest.approx(told[1], abs=6e-5)


@pytest.mark.parametrize(
    ("outcome", "direct", "spillover"),
    [(LTFC, (0.0068, 0.0066), (0.0007, 0.0080)), (LT, (0.0057, 0.0086), (-0.0095, 0.0099))],
)
def test_everyone_employed_or_not(
    shared_data: Path, outcome: str, direct: tuple[float, float], spillover: tuple[float, float]
) -> None:
    table = crepon.trial(shared_data)
    assert len(table) == 21_431
    found = pooled(SaturationRegression(errors="CR1").fit(crepon.design(table, outcome)))
    for term, (value, error) in (("direct", direct), ("spillover", spillover)):
        assert found.loc[term, "estimate"] == pytest.approx(value, abs=6e-5)
        assert found.loc[term, "std_error"] == pytest.approx(error, abs=6e-5)


@pytest.mark.parametrize("outcome", [LTFC, LT])
def test_nothing_is_found_among_those_employed_at_entry(shared_data: Path, outcome: str) -> None:
    table = crepon.trial(shared_data)
    employed = table[table["emploiav"] == 1]
    assert len(employed) == 9_625
    found = pooled(SaturationRegression(errors="CR1").fit(crepon.design(employed, outcome)))
    assert (found["p_value"] > 0.05).all()


@pytest.mark.parametrize(
    ("wave", "n", "direct"),
    [(2, 10_263, (0.0102, 0.0119)), (3, 9_567, (0.0022, 0.0121)), (4, 9_809, (-0.0141, 0.0121))],
)
def test_gains_fade(shared_data: Path, wave: int, n: int, direct: tuple[float, float]) -> None:
    made = crepon.design(crepon.not_employed(shared_data), f"{LT}{wave}")
    assert len(made.units) == n
    found = pooled(SaturationRegression(errors="CR1").fit(made)).loc["direct"]
    assert found["estimate"] == pytest.approx(direct[0], abs=6e-5)
    assert found["std_error"] == pytest.approx(direct[1], abs=6e-5)


def test_unconstrained_effects_by_share(shared_data: Path) -> None:
    estimate = fitted(shared_data, "all", LTFC)
    found = estimate.effects.set_index(["term", "group"])
    printed = {
        "spillover": ((-0.0154, 0.0106), (-0.0137, 0.0129), (-0.0062, 0.0196)),
        "direct": ((0.0214, 0.0136), (0.0126, 0.0129), (0.0069, 0.0194)),
    }
    for term, told in printed.items():
        for share, (value, error) in zip(("0.25", "0.5", "0.75"), told, strict=True):
            assert found.loc[(term, share), "estimate"] == pytest.approx(value, abs=6e-5)
            assert found.loc[(term, share), "std_error"] == pytest.approx(error, abs=6e-5)
    assert found.loc[("total", "1"), "estimate"] == pytest.approx(0.0250, abs=6e-5)
    assert found.loc[("total", "1"), "std_error"] == pytest.approx(0.0103, abs=6e-5)
    # At one everyone is assigned: no spillover, and no direct effect, is identified there.
    assert not {("direct", "1"), ("spillover", "1")} & set(found.index)
    tests = estimate.extras["tests"].set_index("test")
    assert tests.loc["same_spillover", "p_value"] == pytest.approx(0.90, abs=0.005)


@pytest.mark.parametrize(
    ("outcome", "printed"),
    [
        (LTFC, ((-0.0089, 0.0092), (-0.0079, 0.0106), (0.0000, 0.0096), (0.0248, 0.0105))),
        (LT, ((-0.0089, None), (-0.0303, 0.0139), (-0.0061, None), (0.0199, 0.0139))),
    ],
)
def test_effect_per_eligible_person_where_rows_weigh_as_the_design_drew(
    shared_data: Path, outcome: str, printed: tuple[tuple[float, float | None], ...]
) -> None:
    made = crepon.design(crepon.not_employed(shared_data), outcome)
    found = (
        SaturationRegression(weights="design", errors="CR1")
        .fit(made)
        .effects.set_index(["term", "group"])
    )
    for share, (value, error) in zip((0.25, 0.5, 0.75, 1), printed, strict=True):
        row = found.loc[("overall", f"together@{share:g}")]
        assert row["estimate"] == pytest.approx(value, abs=6e-5)
        if error is not None:
            assert row["std_error"] == pytest.approx(error, abs=6e-5)


def test_raw_means(shared_data: Path) -> None:
    table = crepon.not_employed(shared_data)
    for outcome, low, high, gap, t in (
        (LTFC, 0.160, 0.178, 0.0175, 2.53),
        (LT, 0.365, 0.382, 0.0170, 1.89),
    ):
        arms = [table.loc[table["assigned"] == z, outcome] for z in (0, 1)]
        assert arms[0].mean() == pytest.approx(low, abs=6e-4)
        assert arms[1].mean() == pytest.approx(high, abs=6e-4)
        assert arms[1].mean() - arms[0].mean() == pytest.approx(gap, abs=6e-5)
        found = stats.ttest_ind(arms[1], arms[0], equal_var=False).statistic
        assert found == pytest.approx(t, abs=0.006)


def dense(
    folder: Path, outcome: str, *columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Columns asked for, then those of the paper, quintuplets written out."""
    table = crepon.not_employed(folder)
    made = crepon.design(table, outcome)
    covariates = made.units[list(made.covariates)].to_numpy()
    strata = pd.get_dummies(table["noq"]).to_numpy(dtype=float)
    return np.column_stack([*columns, covariates, strata]), table[outcome].to_numpy(float), table


def test_balance_looks_rejected_when_persons_are_taken_for_independent(shared_data: Path) -> None:
    """15 covariates on assignment, within quintuplets: F(15, 11744) = 2.62; by area they say nothing."""
    x, z, table = dense_of_assignment(shared_data)
    forms = np.eye(x.shape[1])[:15]
    apart = cluster_robust(cluster_blocks(x, z, np.arange(z.size)), kind="CR1S", contrasts=forms)
    found = wald(apart.estimate, apart.covariance, df=11_744.0)
    assert z.size - x.shape[1] == 11_744
    assert found.statistic == pytest.approx(2.62, abs=0.005)
    assert found.p_value == pytest.approx(0.0006, abs=5e-5)
    by_area = cluster_robust(
        cluster_blocks(x, z, table["anonale"].to_numpy()), kind="CR1S", contrasts=forms
    )
    of_design = wald(by_area.estimate, by_area.covariance, df=234.0)
    assert of_design.statistic != pytest.approx(found.statistic, rel=0.02)


def dense_of_assignment(folder: Path) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    x, _, table = dense(folder, LTFC)
    return x, table["assigned"].to_numpy(dtype=float), table


def test_net_effects_are_linear_in_both_effects_jointly(shared_data: Path) -> None:
    """100(β+δ/p), with the covariance of β and δ: they are correlated, −.59."""
    printed = {
        LTFC: ((0.5, -0.36, 1.53), (0.625, 0.17, 1.20), (1, 0.98, 0.78)),
        LT: ((0.625, -0.94, 1.63),),
    }
    for outcome, rows in printed.items():
        net(fitted(shared_data, "all", outcome), rows)
    net(fitted(shared_data, "men", LTFC), ((0.625, -1.41, 1.61),))
    estimate = fitted(shared_data, "all", LTFC)
    place = [_row(estimate, term) for term in ("direct", "spillover")]
    among = estimate.uncertainty.covariance()[np.ix_(place, place)]
    assert among[0, 1] / np.sqrt(among[0, 0] * among[1, 1]) == pytest.approx(-0.59, abs=0.005)


def _row(estimate: Estimate, term: str) -> int:
    effects = estimate.effects
    return int(np.flatnonzero((effects["group"] == "pooled") & (effects["term"] == term))[0])


def net(estimate: Estimate, rows: tuple[tuple[float, float, float], ...]) -> None:
    for share, value, error in rows:
        form = np.zeros((1, len(estimate.effects)))
        form[0, _row(estimate, "direct")] = 100
        form[0, _row(estimate, "spillover")] = 100 / share
        assert form @ estimate.effects["estimate"].to_numpy() == pytest.approx(value, abs=0.006)
        found = np.sqrt(estimate.uncertainty.combine(form).covariance()[0, 0])
        assert found == pytest.approx(error, abs=0.006)


# --- what the file holds that deceives ------------------------------------------------------------


def test_the_share_of_the_sample_is_not_that_of_the_draw(shared_data: Path) -> None:
    table = fitted(shared_data, "all", LTFC).extras["markets"].set_index("saturation")
    assert table["n_markets"].tolist() == [47] * 5
    for share, met in ((0.25, 0.47), (0.5, 0.50), (0.75, 0.83)):
        assert table.loc[share, "sample_share"] == pytest.approx(met, abs=0.006)


def test_markets_of_one_arm_count_for_that_arm_and_are_told(shared_data: Path) -> None:
    estimate = fitted(shared_data, "all", LTFC)
    lone = estimate.extras["one_armed"]
    assert len(lone) == 12
    assert set(lone["saturation"]) == {0.75}
    assert set(lone["missing"]) == {"unassigned"}
    told = responses_of(estimate, what="test")
    at = told.saturation == 0.75
    counts = dict(zip(told.arm[at], told.n_markets[at], strict=True))
    assert counts == {"assigned": 47, "unassigned": 35}
    assert int(told.n_units.sum()) == 11_806


def test_the_effect_of_a_weak_market_depends_on_the_cut_and_the_outcome(shared_data: Path) -> None:
    """Six areas of unemployment above 15 %: cut, rank and line disagree, and are all to be told."""
    x, _, table = dense(shared_data, LTFC)
    z = table["assigned"].to_numpy(float)
    some = (table["share"] > 0).to_numpy(float)
    by_area = table.groupby("anonale")["tchom07"].first()
    assert int((by_area > 15).sum()) == 6
    split = (table["tchom07"] > by_area.median()).to_numpy(float)
    rank = table["anonale"].map(by_area.rank(pct=True)).to_numpy(float)
    line = table["tchom07"].to_numpy(float)
    for moved, outcome, value, error in (
        (split, LT, -0.065, 0.025),
        (split, "cdi", -0.076, 0.022),
        (split, LTFC, 0.011, 0.019),
        (rank, LT, -0.019, 0.046),
        (line, LT, 0.004, 0.006),
    ):
        columns = np.column_stack([z, some, z * moved, some * moved, moved, x])
        y = table[outcome].to_numpy(float)
        blocks = cluster_blocks(columns, y, table["anonale"].to_numpy())
        found = cluster_robust(blocks, kind="CR1S", contrasts=np.eye(columns.shape[1])[3:4])
        assert found.estimate[0] == pytest.approx(value, abs=6e-4)
        assert found.std_error[0] == pytest.approx(error, abs=6e-4)


def test_strata_of_the_draw_are_held(shared_data: Path) -> None:
    table = crepon.not_employed(shared_data)
    held = pooled(fitted(shared_data, "all", LTFC))
    plain = Design.from_cross_section(
        table,
        treatment="assigned",
        outcome=LTFC,
        market="anonale",
        saturation="share",
        covariates=crepon.COVARIATES,
        randomised=True,
    )
    loose = pooled(SaturationRegression(errors="CR1").fit(plain))
    assert abs(held.loc["spillover", "estimate"] - loose.loc["spillover", "estimate"]) > 1e-4


def test_bytes_of_stata_overflow_in_silence(shared_data: Path) -> None:
    table = crepon.not_employed(shared_data)
    narrow = table["ancchom18"].to_numpy().astype(np.int8)
    wrong = pooled(
        SaturationRegression(errors="CR1").fit(
            crepon.design(table.assign(duration2=narrow**2), LTFC)
        )
    )
    assert wrong.loc["spillover", "estimate"] == pytest.approx(-0.01339, abs=6e-6)


def test_groups_declared_beforehand_are_the_published_subsamples(shared_data: Path) -> None:
    made = crepon.design(crepon.not_employed(shared_data), LTFC)
    estimate = SaturationRegression(by=("homme",), errors="CR1").fit(made)
    found = estimate.effects.set_index(["term", "group"])
    for group, name in (("homme=1", "men"), ("homme=0", "women")):
        alone = pooled(fitted(shared_data, name, LTFC))
        for term in ("direct", "spillover", "total"):
            row = found.loc[(term, f"{group}@pooled")]
            assert row["estimate"] == pytest.approx(alone.loc[term, "estimate"], abs=1e-12)
            assert row["std_error"] == pytest.approx(alone.loc[term, "std_error"], rel=1e-9)
    tests = estimate.extras["tests"]
    assert set(tests.loc[tests["group"] == "homme", "test"]) == {
        "groups_direct",
        "groups_spillover",
        "groups_total",
    }


def test_take_up_and_effects_of_taking_part(shared_data: Path) -> None:
    everyone, table = crepon.trial(shared_data), crepon.not_employed(shared_data)
    for rows, share in ((everyone, 0.351), (table, 0.435)):
        assert rows.loc[rows["assigned"] == 1, "signopp"].mean() == pytest.approx(share, abs=6e-4)
    estimate = SaturationIV(errors="CR1").fit(crepon.design(table, LTFC, took_part="signopp"))
    found = estimate.effects.set_index(["term", "group"])
    stage = estimate.extras["first_stage"].set_index("group").loc["pooled"]
    assert stage["f_statistic"] > 100
    # Nobody else took part: the effect on participants is that of assignment over take-up.
    taken = estimate.extras["compliers"].set_index(["effect", "saturation"])
    direct = taken.loc[("direct", 0.25)]
    assert direct["on_outcome"] == pytest.approx(found.loc[("direct", "0.25"), "estimate"])
    assert found.loc[("direct_participants", "pooled"), "estimate"] > 0
