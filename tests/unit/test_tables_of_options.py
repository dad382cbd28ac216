"""Options written as tables in a study file: a mistyped key is named, never a traceback."""

from __future__ import annotations

import pytest

import whatworks as ww
from whatworks.design.registry import COMPARISONS
from whatworks.errors import OptionError, StudyError
from whatworks.study import Options, build


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"method": "nearest_neighbours", "calipers": [{"of": "age", "widht": 5}]},
            "Caliper.*'widht'.*write 'width'",
        ),
        (
            {"method": "nearest_neighbours", "propensity": {"modle": "probit"}},
            "Propensity.*'modle'.*write 'model'",
        ),
        (
            {"method": "coarsened_exact", "coarsened": [{"of": "age", "cut": [25]}]},
            "Coarsened.*'cut'.*write 'cuts'",
        ),
        (
            {"method": "coarsened_exact", "coarsened": [{"cuts": [25]}]},
            "Coarsened: needed 'of'; found a table without it",
        ),
    ],
)
def test_a_mistyped_key_of_a_table_is_named(options: Options, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        build(COMPARISONS, options, what="comparison")


def test_a_comparison_without_options_says_so() -> None:
    with pytest.raises(StudyError, match="needed no option; found 'ratio'"):
        build(COMPARISONS, {"method": "everyone", "ratio": 1}, what="comparison")


def test_tables_of_a_study_file_become_records() -> None:
    built = build(
        COMPARISONS,
        {
            "method": "nearest_neighbours",
            "propensity": {"model": "probit", "discard": "treated"},
            "calipers": [{"of": "propensity", "sd": 0.2}],
        },
        what="comparison",
    )

    assert built.propensity == ww.Propensity(model="probit", discard="treated")
    assert built.calipers == (ww.Caliper(of="propensity", sd=0.2),)
