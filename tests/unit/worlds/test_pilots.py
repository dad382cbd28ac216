"""Pilots: levels differ, trends do not, and adoption adds the curve that is announced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whatworks.design import Design
from whatworks.errors import OptionError
from whatworks.worlds import Pilots, pilots_truth, simulate_pilots

MANY = Pilots(seed=5, n_zones=400)
STAGGERED = replace(MANY, adoptions=((13, 0.25), (19, 0.25), (25, 0.2)))


def means(options: Pilots):
    """Mean outcome and its standard error by cohort (rows) and month (columns)."""
    frame = simulate_pilots(options).frame
    wide = frame.pivot_table(index=["first_treated", "unit"], columns="period", values="outcome")
    by = wide.groupby("first_treated")
    return wide, by.mean(), by.std() / np.sqrt(by.size().iloc[0])


def test_trends_are_parallel_before_adoption_and_levels_are_not():
    wide, mean, _ = means(MANY)
    gap = mean.loc[19] - mean.loc[0]
    assert gap.loc[1:18].mean() == pytest.approx(MANY.pilot_gap, abs=0.4)
    for month in range(2, 19):
        change = wide[month] - wide[1]
        by = change.groupby("first_treated")
        error = np.sqrt((by.var() / by.size()).sum())
        assert abs(by.mean()[19] - by.mean()[0]) < 4 * error


@pytest.mark.parametrize("first", [13, 19, 25])
def test_adoption_adds_the_curve(first):
    wide, _, _ = means(STAGGERED)
    truth = pilots_truth(STAGGERED).query("first_treated == @first").set_index("month")["value"]
    assert len(truth) == 36 - first + 1
    for month, value in truth.items():
        change = (wide[first + month] - wide[first - 1]).groupby("first_treated")
        error = np.sqrt((change.var() / change.size())[[0, first]].sum())
        assert abs(change.mean()[first] - change.mean()[0] - value) < 4 * error


def test_months_move_everyone_alike_and_noise_lasts():
    _, mean, _ = means(MANY)
    assert mean.loc[0].std() > 0.3
    frame = simulate_pilots(replace(MANY, effect=(0.0,), month_sd=0.0, adoptions=())).frame
    wide = frame.pivot_table(index="unit", columns="period", values="outcome")
    noise = wide.sub(wide.mean(axis=1), axis=0)
    # Removing the person's own mean of 36 months pulls the correlation a little down.
    assert np.corrcoef(noise[10], noise[11])[0, 1] == pytest.approx(0.6, abs=0.08)
    assert np.corrcoef(noise[10], noise[25])[0, 1] < 0.1
    assert wide.diff(axis=1).to_numpy()[:, 1:].std() == pytest.approx(
        MANY.noise_sd * np.sqrt(2 * (1 - 0.6)), rel=0.02
    )


def test_shares_of_zones_and_same_seed_same_draw():
    frame = simulate_pilots(STAGGERED).frame
    zones = frame.drop_duplicates("zone")["first_treated"].value_counts().to_dict()
    assert zones == {13: 100, 19: 100, 25: 80, 0: 120}
    assert frame.groupby("zone")["first_treated"].nunique().eq(1).all()
    assert frame.equals(simulate_pilots(STAGGERED).frame)
    assert not frame["outcome"].equals(simulate_pilots(replace(STAGGERED, seed=6)).frame["outcome"])


def test_last_value_of_the_curve_goes_on():
    truth = pilots_truth(Pilots(effect=(1.0, 2.0), adoptions=((30, 0.5),)))
    assert truth["value"].tolist() == [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]


def test_frame_enters_a_design():
    frame = simulate_pilots(Pilots(n_zones=10, persons_per_zone=5)).frame
    design = Design.from_panel(
        frame,
        unit="unit",
        period="period",
        first_treated="first_treated",
        outcome="outcome",
        market="zone",
    )
    assert len(design.units) == 50


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("adoptions", ((1, 0.5),)),
        ("adoptions", ((19, 0.7), (20, 0.7))),
        ("adoptions", ((19, 0.2), (19, 0.2))),
        ("effect", ()),
        ("persistence", 1.0),
    ],
)
def test_options_out_of_range_are_named(field, value):
    with pytest.raises(OptionError, match=field):
        Pilots(**{field: value})
