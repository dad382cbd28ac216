"""Help to graduates who look for work, drawn in two stages in 235 areas of France.

A private firm placed young graduates who had been registered for six months or more. Areas were sorted
by likeness into 47 groups of five; in each group one area had 0, one 25, one 50, one 75 and one 100 % of
its eligible job seekers assigned, and who was assigned within an area was drawn too. What became of
those who were not assigned, in areas where others were, tells what help to some takes from others.

The file is the public one of the trial. It is not shipped: give the path of your own copy.

References
----------
Crépon, Duflo, Gurgand, Rathelot & Zamora (2013), Quarterly Journal of Economics 128(2),
doi:10.1093/qje/qjt001.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pandas as pd

from whatworks.design import Design
from whatworks.errors import SourceRefused, UsageError, choice

SHA256: Final = "1a4ab7e20ab50c3cd5fcc80e02e4464a7bc07916729be449cd7dde94a941e03e"
"""Of the public file, 23,320 rows."""
LAST_COHORT: Final = 11
"""Cohorts of later months were not followed for eight months in the published sample."""
OUTCOMES: Final[Mapping[str, str]] = MappingProxyType(
    {"long_fixed_term": "cdd6m", "permanent": "cdi", "long_term": "emploidur", "employed": "emploi"}
)
"""Eight months after assignment: a fixed-term contract of six months or more, a permanent contract,
either of them, any job."""
WAVES: Final[Mapping[int, str]] = MappingProxyType({8: "", 12: "2", 16: "3", 20: "4"})
"""Months after assignment at which persons were asked, with what ends the column of each."""
SAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "all": "",
        "not_employed": "emploiav != 1",
        "men": "emploiav != 1 and homme == 1",
        "women": "emploiav != 1 and homme == 0",
        "concentrated": "emploiav != 1 and crowded == 1",
        "other": "emploiav != 1 and crowded == 0",
    }
)
"""Who is read: everyone; those without a job at entry; of them men, women, those of areas where educated
seekers are many (above the third quartile), and the others."""
COVARIATES: Final = (
    "duration",
    "duration_squared",
    "cohort",
    "homme",
    "bac",
    "bac3",
    "bac4",
    "bac5",
)
_READ: Final = (
    *("assigned", "signopp", "anonale", "noq", "pct0", "session", "emploiav", "homme"),
    *("diplome", "ancchom18", "kap", "tchom07", "anonreg"),
    *(f"{column}{ending}" for ending in WAVES.values() for column in OUTCOMES.values()),
)


def read(path: str | Path) -> pd.DataFrame:
    """The published sample: cohorts 3 to 11, 21,431 job seekers, with the covariates of the paper.

    Parameters
    ----------
    path : path
        The public Stata file.

    Raises
    ------
    UsageError
        When there is no such file.
    SourceRefused
        When it is another one, by its checksum.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(
            what="the data of Crépon et al. (2013)",
            needed="the path of the public Stata file",
            found="no file there",
            remedy="ask the authors or their journal for it, and give its path",
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SourceRefused(
            what=path.name,
            needed=f"the public file, of SHA-256 {SHA256[:12]}…",
            found=f"another one, {found[:12]}…",
            remedy="give the file as it was published, neither converted nor saved again",
        )
    raw = pd.read_stata(path, convert_categoricals=False, columns=list(_READ))
    # Stata's bytes overflow in silence when squared.
    raw = raw.astype(dict.fromkeys(raw.select_dtypes("integer").columns, "int64"))
    degree = raw["diplome"]
    table = raw.assign(
        crowded=(raw["kap"] > raw["kap"].quantile(0.75)).astype("int64"),
        bac=degree.eq(10).astype("int64"),
        bac3=degree.eq(6).astype("int64"),
        bac4=degree.isin([4, 5]).astype("int64"),
        bac5=degree.isin([1, 2, 3]).astype("int64"),
        duration=raw["ancchom18"],
        duration_squared=raw["ancchom18"] ** 2,
        cohort=raw["session"].astype(str),
    )
    return table[table["session"] <= LAST_COHORT].reset_index(drop=True)


def design(
    path: str | Path,
    *,
    outcome: str = "long_fixed_term",
    sample: str = "not_employed",
    waves: bool = False,
) -> Design:
    """The trial as a design: assignment, area, group of areas, share of the area assigned by draw.

    Parameters
    ----------
    path : path
        The public Stata file.
    outcome : str
        One of `OUTCOMES`: a share of persons, eight months after assignment.
    sample : str
        One of `SAMPLES`.
    waves : bool
        That outcome 8, 12, 16 and 20 months after, as a curve. Fewer persons answered later: who missed a
        wave stays in the others.

    Returns
    -------
    Design
        In points (0 or 100 for a person); ``took_part`` is having signed up with the firm.
    """
    choice(outcome, OUTCOMES, what="outcome")
    choice(sample, SAMPLES, what="sample")
    table = read(path)
    kept = table.query(SAMPLES[sample]) if SAMPLES[sample] else table
    # Of some samples all persons are of one sex: a covariate that does not vary is none.
    held = [name for name in COVARIATES if kept[name].nunique() > 1]
    column = OUTCOMES[outcome]
    asked = {month: f"{column}{ending}" for month, ending in WAVES.items()}
    return Design.from_cross_section(
        kept.assign(**{name: 100 * kept[name] for name in asked.values()}),
        treatment="assigned",
        outcome=asked if waves else column,
        covariates=held,
        market="anonale",
        stratum="noq",
        saturation="pct0",
        took_part="signopp",
        unit="pp",
        randomised=True,
    )
