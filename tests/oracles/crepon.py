"""Crépon, Duflo, Gurgand, Rathelot & Zamora (2013): the public file, as the tests read it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from whatworks import Design

OUTCOMES = ("emploi", "cdi", "emploidur", "cdd6m")
COLUMNS = [
    *("session", "signopp", "noq", "pct0", "ancchom18", "homme", "assigned", "diplome", "emploiav"),
    *(f"{name}{wave}" for wave in ("", 2, 3, 4) for name in OUTCOMES),
    *("kap", "tchom07", "anonale"),
]
COVARIATES = ["duration", "duration2", "cohort", "homme", "bac", "bac3", "bac4", "bac5"]


@cache
def public(folder: Path) -> pd.DataFrame:
    """The whole public file: cohorts 3 to 12, four waves of survey."""
    file = folder / "crepon2013" / "JD_publicdata_12.dta"
    raw = pd.read_stata(file, convert_categoricals=False)
    # Stata's bytes overflow in silence when squared.
    raw = raw.astype(dict.fromkeys(raw.select_dtypes("integer").columns, "int64"))
    raw = raw[[name for name in COLUMNS if name in raw]].copy()
    raw["concentrated"] = raw["kap"] > raw["kap"].quantile(0.75)
    degree = raw["diplome"]
    return raw.assign(
        bac=degree.eq(10).astype(int),
        bac3=degree.eq(6).astype(int),
        bac4=degree.isin([4, 5]).astype(int),
        bac5=degree.isin([1, 2, 3]).astype(int),
        duration=raw["ancchom18"],
        duration2=raw["ancchom18"] ** 2,
        cohort="c" + raw["session"].astype(str).str.zfill(2),
        share=raw["pct0"],
    )


@cache
def trial(folder: Path) -> pd.DataFrame:
    """Cohorts 3 to 11, those of the paper, employed or not at entry."""
    table = public(folder)
    return table[table["session"] != 12].reset_index(drop=True)


@cache
def not_employed(folder: Path) -> pd.DataFrame:
    """Those without a job at entry, the sample of the published tables."""
    table = trial(folder)
    return table[table["emploiav"] != 1].reset_index(drop=True)


def design(table: pd.DataFrame, outcome: str, *, adjusted: bool = True, **roles: str) -> Design:
    """The trial as a design: shares drawn within quintuplets of areas."""
    return Design.from_cross_section(
        table,
        treatment="assigned",
        outcome=outcome,
        market="anonale",
        stratum="noq" if adjusted else None,
        saturation="share",
        covariates=COVARIATES if adjusted else [],
        randomised=True,
        **roles,  # type: ignore[arg-type]  # took_part only
    )
