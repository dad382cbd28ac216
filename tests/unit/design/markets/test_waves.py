"""Tables with several waves, and tables whose whole numbers are bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, with_markets
from whatworks.design.markets.identified import require_shares
from whatworks.errors import OptionError
from whatworks.vocabulary import Supply

TABLE = pd.DataFrame(
    {
        "treated": [1, 1, 1, 0, 0, 0, 0],
        "job_8": [1.0, np.nan, 0.0, 1.0, np.nan, 0.0, 1.0],
        "job_12": [1.0, 1.0, np.nan, 0.0, np.nan, np.nan, 1.0],
        "before": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.nan],
        "age": [30, 31, 32, 33, 34, 35, 36],
    }
)


def test_a_wave_that_is_missing_leaves_the_others() -> None:
    design = Design.from_cross_section(
        TABLE, treatment="treated", outcome={8: "job_8", 12: "job_12"}, covariates=["age"]
    )
    assert design.outcomes.months == (8, 12)
    assert design.outcomes.name == "job_12"
    assert design.question.months == (8, 12)
    assert design.question.primary == 12
    np.testing.assert_array_equal(
        design.outcomes.values,
        [[1, 1], [np.nan, 1], [0, np.nan], [1, 0], [0, np.nan], [1, 1]],
    )
    assert design.units["age"].tolist() == [30, 31, 32, 33, 35, 36]
    steps = {s.name: s for s in design.ledger.steps}
    assert dict(steps["table_comparison"].dropped) == {"missing_outcome": 1}
    assert (steps["waves_treated"].before, steps["waves_treated"].after) == (6, 4)
    assert (steps["waves_comparison"].before, steps["waves_comparison"].after) == (6, 5)
    assert Supply.PRE_MONTHS not in design.supplies


def test_one_wave_is_a_month_and_one_column_is_as_ever() -> None:
    one = Design.from_cross_section(TABLE, treatment="treated", outcome={8: "job_8"})
    plain = Design.from_cross_section(TABLE, treatment="treated", outcome="job_8")
    assert one.outcomes.months == (8,)
    assert plain.outcomes.months == (0,)
    np.testing.assert_array_equal(one.outcomes.values, plain.outcomes.values)
    assert [s.name for s in one.ledger.steps] == ["table_treated", "table_comparison"]


def test_a_wave_before_entry_is_a_month_before() -> None:
    design = Design.from_cross_section(
        TABLE, treatment="treated", outcome={-1: "before", 8: "job_8"}
    )
    assert design.outcomes.months == (-1, 8)
    assert design.question.months == (8,)
    assert Supply.PRE_MONTHS in design.supplies


@pytest.mark.parametrize(
    "outcome",
    [
        {},
        {12: "job_12", 8: "job_8"},
        {"8": "job_8"},
        {True: "job_8"},
        {-2: "before"},
        {8.0: "job_8"},
    ],
)
def test_months_that_are_none(outcome: dict[object, str]) -> None:
    with pytest.raises(OptionError, match="months increasing"):
        Design.from_cross_section(TABLE, treatment="treated", outcome=outcome)  # type: ignore[arg-type]


def test_one_column_cannot_be_two_waves() -> None:
    with pytest.raises(OptionError, match="in several"):
        Design.from_cross_section(TABLE, treatment="treated", outcome={8: "job_8", 12: "job_8"})
    with pytest.raises(OptionError, match="'job_8'"):
        Design.from_cross_section(TABLE, treatment="treated", outcome={8: "job_9"})


def bytes_of_stata() -> pd.DataFrame:
    """A trial of six markets whose every column is a byte, as Stata stores small whole numbers."""
    rng = np.random.default_rng(0)
    market = np.repeat(np.arange(10, 16), 40)
    share = np.repeat([0, 0, 0, 1, 1, 1], 40)
    return pd.DataFrame(
        {
            "market": market,
            "share": share,
            "treated": share * rng.integers(0, 2, 240),
            "duration": rng.integers(12, 19, 240),
            "earnings": rng.integers(-127, 101, 240),
            "weight": rng.integers(60, 101, 240),
            "seekers": np.repeat(np.full(6, 90), 40),
        }
    ).astype("int8")


def test_bytes_are_widened_at_every_door(tmp_path: Path) -> None:
    narrow = bytes_of_stata()
    file = tmp_path / "trial.dta"
    narrow.to_stata(file, write_index=False)
    narrow = pd.read_stata(file)
    assert set(narrow.dtypes.astype(str)) == {"int8"}
    assert (narrow["duration"] ** 2).min() < 0  # what happens to those who square it themselves
    roles = {
        "treatment": "treated",
        "outcome": {8: "earnings"},
        "covariates": ["duration"],
        "weight": "weight",
        "market": "market",
        "saturation": "share",
    }
    one, other = (
        Design.from_cross_section(t, **roles)  # type: ignore[arg-type]  # options of one function
        for t in (narrow, narrow.astype("int64"))
    )
    pd.testing.assert_frame_equal(one.units, other.units)
    np.testing.assert_array_equal(one.outcomes.values, other.outcomes.values)
    for name in ("duration", "weight", "saturation"):
        assert one.units[name].dtype == np.float64
    assert (one.units["duration"] ** 2).max() == narrow["duration"].astype(int).max() ** 2
    assert one.outcomes.values.dtype == np.float64
    assert require_shares(one, method="a method").sides == (3, 3)
    known = narrow.drop_duplicates("market")
    attached = with_markets(one, known, market="market", seekers="seekers", saturation="share")
    assert attached.markets is not None
    assert (2 * attached.markets.table["seekers"] == 180).all()


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16"])
def test_periods_of_a_rollout_are_widened_too(kind: str) -> None:
    table = pd.DataFrame(
        {
            "who": np.repeat(np.arange(6), 4),
            "t": np.tile([3, 4, 126, 127], 6),
            "start": np.repeat([126, 126, 4, 0, 0, 0], 4),
            "y": np.arange(24) % 7,
        }
    )
    roles = {"unit": "who", "period": "t", "first_treated": "start", "outcome": "y"}
    one, other = (
        Design.from_panel(t, **roles)  # type: ignore[arg-type]  # options of one function
        for t in (table.astype(kind), table)
    )
    pd.testing.assert_frame_equal(one.units, other.units)
    np.testing.assert_array_equal(one.outcomes.values, other.outcomes.values)
    assert one.outcomes.months == other.outcomes.months
    assert one.question == other.question


def test_crepon_2013_duration_squared_by_us_is_right(shared_data: Path) -> None:
    file = shared_data / "crepon2013" / "JD_publicdata_12.dta"
    raw = pd.read_stata(file, convert_categoricals=False)
    assert raw["ancchom18"].dtype == np.int8
    design = Design.from_cross_section(
        raw, treatment="assigned", outcome="cdd6m", covariates=["ancchom18"]
    )
    squared = design.units["ancchom18"] ** 2
    assert squared.min() >= 36
    assert squared.max() == 324
