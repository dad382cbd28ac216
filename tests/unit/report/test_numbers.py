"""One rounding point."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.report.numbers import Scale, rounded, rounded_effects, scale_of


@pytest.mark.parametrize(("unit", "decimals"), [("pp", 1), ("months", 2), ("EUR/month", 0)])
def test_known_units_have_fixed_decimals(unit: str, decimals: int) -> None:
    assert scale_of(unit, [123.0]).decimals == decimals


@pytest.mark.parametrize(("error", "decimals"), [(670.99, 0), (6.7, 1), (0.0123, 3), (1e-9, 6)])
def test_a_users_unit_gets_two_digits_of_standard_error(error: float, decimals: int) -> None:
    assert scale_of("", [error, math.nan, error]).decimals == decimals


def test_without_any_standard_error_three_decimals() -> None:
    assert scale_of("", [math.nan, 0.0]).decimals == 3


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_rounding_is_idempotent_and_never_minus_zero(value: float, decimals: int) -> None:
    once = rounded(value, decimals)

    assert rounded(once, decimals) == once
    assert math.copysign(1, once) == 1 or once != 0


def test_effects_keep_undefined_numbers_undefined() -> None:
    raw = pd.DataFrame(
        {
            "estimate": [1.26],
            "std_error": [np.nan],
            "conf_low": [np.nan],
            "conf_high": [np.nan],
            "band_low": [np.nan],
            "band_high": [np.nan],
            "p_value": [np.nan],
        }
    )
    effects = rounded_effects(raw, Scale(unit="pp", decimals=1))

    assert effects["estimate"].tolist() == [1.3]
    undefined = effects.drop(columns="estimate")
    assert undefined.isna().all(axis=None)
    assert raw["estimate"].tolist() == [1.26]
