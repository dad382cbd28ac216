"""The National Supported Work demonstration: a training programme whose effect an experiment measured.

LaLonde (1986) asked whether a comparison group drawn from a survey would have given the experimental
answer. Here the treated of the Dehejia–Wahba sample are compared with respondents of CPS-1 by the
same commands as any other question, beside the experiment's own answer.

References
----------
LaLonde (1986), American Economic Review 76(4); Dehejia & Wahba (1999), doi:10.1080/01621459.1999.10473858.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from whatworks.design import Design, NearestNeighbours
from whatworks.estimate import MatchedDifference
from whatworks.evidence import Benchmark, Evidence, weigh
from whatworks.studies.shipped import read_stata

COVARIATES: Final = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")
EXPERIMENT: Final = 1794.34
"""Experimental difference of 1978 earnings, Dehejia–Wahba sample (their Table 1)."""
NAIVE: Final = -8497.52
"""Treated less CPS-1, unadjusted (their Table 2 prints −8,498)."""


def experiment() -> pd.DataFrame:
    """Dehejia–Wahba sample: 185 treated and 260 controls drawn at random; ``training`` is 1 or 0."""
    table = read_stata(
        "causaldata", "nsw_mixtape/nsw_mixtape.dta", column="re78", total=2_358_840, rows=445
    )
    return table.rename(columns={"treat": "training"})


def survey() -> pd.DataFrame:
    """CPS-1: 15,992 respondents of the Current Population Survey, none of them trained."""
    table = read_stata(
        "causaldata", "cps_mixtape/cps_mixtape.dta", column="re78", total=237_427_780, rows=15_992
    )
    return table.rename(columns={"treat": "training"})


def observational() -> pd.DataFrame:
    """Treated of the experiment with the survey as comparison group."""
    drawn = experiment()
    return pd.concat([drawn[drawn["training"] == 1], survey()], ignore_index=True)


def evidence() -> Evidence:
    """Evidence on the matched comparison, with the naive and the experimental numbers beside it."""
    drawn = experiment()
    arms = [drawn.loc[drawn["training"] == arm, "re78"] for arm in (1, 0)]
    robust = float(np.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in arms)))
    design = Design.from_cross_section(
        observational(), treatment="training", outcome="re78", covariates=COVARIATES, unit="USD"
    ).matched(using=NearestNeighbours(ratio=3, caliper_sd=0.2))
    return weigh(
        design,
        [MatchedDifference(bias_adjust=True).fit(design)],
        benchmarks=(
            Benchmark(code="naive", month=0, value=NAIVE),
            Benchmark(code="experiment", month=0, value=EXPERIMENT, std_error=robust),
        ),
        provenance={"data": "causaldata: nsw_mixtape, cps_mixtape (MIT)"},
    )
