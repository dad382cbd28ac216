"""The trial of Crépon et al. (2013): the file is recognised, and gives the published samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from whatworks.errors import OptionError, SourceRefused, UsageError
from whatworks.studies import crepon2013

FILE = Path("crepon2013") / "JD_publicdata_12.dta"


@pytest.mark.parametrize(
    ("sample", "n"),
    [
        ("all", 21_431),
        ("not_employed", 11_806),
        ("men", 4_387),
        ("women", 7_419),
        ("concentrated", 3_066),
        ("other", 8_740),
    ],
)
def test_published_samples(shared_data: Path, sample: str, n: int) -> None:
    design = crepon2013.design(shared_data / FILE, sample=sample)
    assert len(design.units) == n
    assert sorted(design.units["saturation"].unique()) == [0, 0.25, 0.5, 0.75, 1]


def test_areas_and_their_groups(shared_data: Path) -> None:
    table = crepon2013.read(shared_data / FILE)
    assert table["anonale"].nunique() == 235
    assert (table.groupby("noq")["anonale"].nunique() == 5).all()
    assert (table.groupby("noq")["pct0"].nunique() == 5).all()
    # A byte would have held neither 15 squared months, nor 18.
    assert table["duration_squared"].max() == 18**2


def test_help_was_taken_up_by_a_third_of_the_assigned(shared_data: Path) -> None:
    table = crepon2013.read(shared_data / FILE)
    assert table.loc[table["assigned"] == 1, "signopp"].mean() == pytest.approx(0.351, abs=5e-4)
    jobless = table.query(crepon2013.SAMPLES["not_employed"])
    assert jobless.loc[jobless["assigned"] == 1, "signopp"].mean() == pytest.approx(0.435, abs=5e-4)


def test_waves_are_a_curve_of_those_who_answered(shared_data: Path) -> None:
    design = crepon2013.design(shared_data / FILE, outcome="long_term", waves=True)
    assert design.outcomes.months == (8, 12, 16, 20)
    assert np.isfinite(design.outcomes.values).sum(axis=0).tolist() == [
        11_806,
        10_263,
        9_567,
        9_809,
    ]


def test_another_file_is_refused_and_none_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="path of the public Stata file"):
        crepon2013.read(tmp_path / "absent.dta")
    other = tmp_path / "JD.dta"
    other.write_bytes(b"not the trial")
    with pytest.raises(SourceRefused, match="SHA-256"):
        crepon2013.design(other)


def test_unknown_names_are_told(shared_data: Path) -> None:
    with pytest.raises(OptionError, match="long_fixed_term"):
        crepon2013.design(shared_data / FILE, outcome="jobs")
    with pytest.raises(OptionError, match="not_employed"):
        crepon2013.design(shared_data / FILE, sample="jobless")
