"""Sant'Anna and Zhao (2020) on NSW controls beside the CPS, where the true effect is zero.

The data are in the package ``moderndid``, which is not among our dependencies: where it is absent the
test is skipped. Its file is read without importing it, once its bytes are known to be those expected.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, DoublyRobustDiD

SPEC = find_spec("moderndid")
FILE = "core/datasets/nsw_long.pkl.gz"
SHA256 = "0d9c8c0e434711e0322ced6c64e878dd9479fdb847d39151c1968d84bf4cf4d3"
COVARIATES = ["age", "educ", "black", "married", "nodegree", "hisp", "re74"]

PUBLISHED = {
    "improved": (-901.2703, 393.61),
    "traditional": (-871.3271, 396.02),
    "regression": (-1300.6446, 349.83),
    "inverse_probability": (-1107.8720, 408.61),
    "standardised_inverse_probability": (-1021.6095, 397.52),
}
"""Effects and errors as the authors' packages print them, some versions of which divide by n − 1."""

pytestmark = pytest.mark.skipif(SPEC is None, reason="moderndid is not installed")


@cache
def nsw() -> pd.DataFrame:
    assert SPEC is not None
    assert SPEC.origin is not None
    file = Path(SPEC.origin).parent / FILE
    assert hashlib.sha256(file.read_bytes()).hexdigest() == SHA256
    return pd.DataFrame(pd.read_pickle(file))  # noqa: S301 - its bytes are those expected


def sample(subset: str | None) -> Design:
    """Controls of the experiment, as if trained in 1978, beside the CPS."""
    table = nsw()
    table = table[(table["treated"] == 0) | (table["experimental"] == 0)]
    if subset is not None:
        table = table[(table["experimental"] == 0) | (table[subset] == 1)]
    return Design.from_panel(
        table.assign(start=np.where(table["experimental"] == 1, 1978.0, np.nan)),
        unit="id",
        period="year",
        first_treated="start",
        outcome="re",
        covariates=COVARIATES,
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_published(name: str) -> None:
    found = DoublyRobustDiD(adjustment=name, small_sample=False).fit(sample(None)).at(0)  # type: ignore[arg-type]
    value, error = PUBLISHED[name]
    assert found["estimate"] == pytest.approx(value, abs=5e-4)
    assert found["std_error"] == pytest.approx(error, abs=0.02)


@pytest.mark.parametrize(("subset", "value"), [("dwincl", 253), ("early_ra", -434)])
def test_subsets(subset: str, value: float) -> None:
    found = DoublyRobustDiD(adjustment="traditional").fit(sample(subset)).at(0)
    assert found["estimate"] == pytest.approx(value, abs=0.5)
