"""Callaway and Sant'Anna (2021) on minimum wages and teen employment in counties (``mpdta``).

The data are in the package ``moderndid``, which is not among our dependencies: where it is absent the
test is skipped. Its file is read without importing it, once its bytes are known to be those expected.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from whatworks import CallawaySantAnna, Design, Estimate, aggregate

SPEC = find_spec("moderndid")
FILE = "core/datasets/mpdta_long.pkl.gz"
SHA256 = "3d39793685a00cef5a7ee6e5f11ddaee02099f7107a99fa8e1c335416cf49023"

CELLS = {
    (2004, 2004): (-0.0105, 0.0233),
    (2004, 2005): (-0.0704, 0.0310),
    (2004, 2006): (-0.1373, 0.0364),
    (2004, 2007): (-0.1008, 0.0344),
    (2006, 2004): (0.0065, 0.0233),
    (2006, 2005): (-0.0028, 0.0196),
    (2006, 2006): (-0.0046, 0.0178),
    (2006, 2007): (-0.0412, 0.0202),
    (2007, 2004): (0.0305, 0.0150),
    (2007, 2005): (-0.0027, 0.0164),
    (2007, 2006): (-0.0311, 0.0179),
    (2007, 2007): (-0.0261, 0.0167),
}
"""Effects by cohort and year as the authors' package prints them, with its analytic errors."""
DYNAMIC = (0.0305, -0.0006, -0.0245, -0.0199, -0.0510, -0.1373, -0.1008)
"""From three years before to three after."""
AVERAGES = {
    ("never_treated", (), "simple"): (-0.03995, 0.01203),
    ("never_treated", (), "dynamic"): (-0.07724, 0.0200),
    ("never_treated", (), "cohort"): (-0.03102, 0.0125),
    ("never_treated", (), "period"): (-0.0417, 0.0160),
    ("never_treated", ("lpop",), "simple"): (-0.04175, 0.0115),
    ("never_treated", ("lpop",), "dynamic"): (-0.0804, 0.0190),
    ("never_treated", ("lpop",), "cohort"): (-0.0328, 0.0119),
    ("never_treated", ("lpop",), "period"): (-0.0442, 0.0150),
    ("not_yet_treated", (), "simple"): (-0.03976, 0.01205),
    ("not_yet_treated", ("lpop",), "simple"): (-0.04135, 0.01143),
}

pytestmark = pytest.mark.skipif(SPEC is None, reason="moderndid is not installed")


@cache
def design() -> Design:
    assert SPEC is not None
    assert SPEC.origin is not None
    file = Path(SPEC.origin).parent / FILE
    assert hashlib.sha256(file.read_bytes()).hexdigest() == SHA256
    table = pd.DataFrame(pd.read_pickle(file))  # noqa: S301 - its bytes are those expected
    return Design.from_panel(
        table,
        unit="countyreal",
        period="year",
        first_treated="first.treat",
        outcome="lemp",
        covariates=["lpop"],
    )


@cache
def fitted(control: str, covariates: tuple[str, ...]) -> Estimate:
    method = CallawaySantAnna(control=control, covariates=covariates, small_sample=False)  # type: ignore[arg-type]
    return method.fit(design())


@pytest.mark.parametrize(("cell", "known"), CELLS.items())
def test_every_cell_as_printed(cell: tuple[int, int], known: tuple[float, float]) -> None:
    cohort, year = cell
    rows = fitted("never_treated", ()).effects.set_index(["cohort", "month"])
    row = rows.loc[(cohort, year - cohort)]
    assert row["estimate"] == pytest.approx(known[0], abs=6e-5)
    assert row["std_error"] == pytest.approx(known[1], abs=6e-5)


def test_effects_by_year_since_the_start_as_printed() -> None:
    estimate = fitted("never_treated", ())
    found = [estimate.at(e)["estimate"] for e in range(-3, 4)]
    assert found == pytest.approx(DYNAMIC, abs=6e-5)


@pytest.mark.parametrize(("asked", "known"), AVERAGES.items())
def test_averages_as_printed(
    asked: tuple[str, tuple[str, ...], str], known: tuple[float, float]
) -> None:
    control, covariates, by = asked
    row = aggregate(fitted(control, covariates), by=by).at(0, term="average")
    assert row["estimate"] == pytest.approx(known[0], abs=6e-5)
    assert row["std_error"] == pytest.approx(known[1], abs=6e-5)
