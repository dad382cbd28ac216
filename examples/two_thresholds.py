"""One question, two thresholds of linkage: does the effect depend on who was recognised?

Run ``python examples/two_thresholds.py``; it needs the extra ``link`` (Splink).

In this simulated département the family fund knows who is paid RSA and who is accompanied, under its own
numbers; employers know who works, under others. Neither file holds a NIR, and names, dates and places are
written with more faults than usual. Pairs are scored once; a strict threshold then misses links, and the
jobs of whom it misses are lost, while a lenient one may join two persons. The effect is read at both,
beside what perfect linkage, which only a simulated world has, would have given.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

import whatworks as ww
from whatworks import worlds
from whatworks.worlds.identities import Faults, simulate_register
from whatworks.worlds.registers import raw_files

WORLD: Final = worlds.Departement(n_persons=3_000, seed=11)
FAULTS: Final = Faults(
    nir_missing=1.0, typo=0.10, default_date=0.03, wrong_date=0.04, part_of_name=0.2, moved=0.3
)
STRICT, LENIENT = 0.99, 0.60
MONTH: Final = 12
QUESTION: Final = ww.Question(
    treatment="intensive_integrated",
    outcome="employment_presence",
    months=(MONTH,),
    eligible=("benefit_rsa",),
    first_entry="2021-01",
    covariates=("sex", "birth_month.age", "children", "market", "employment.months12"),
)
GATE: Final = """
schema = 1

# Arms hold a few dozen persons here: shares of linked persons differ by chance alone.
[thresholds.unlinked_gap]
refuse = 0.15
"""
SECRET: Final = "WHATWORKS_EXAMPLE_SECRET"  # noqa: S105 - the name of a variable
IDENTITY: Final = """
birth_name = "birth_name"
usage_name = "usage_name"
first_names = ["first_names"]
birth_date = { column = "birth_date", format = "%Y-%m-%d" }
sex = { column = "sex", values = { M = "M", F = "F" } }
commune = "commune"
email = "email"
phone = "phone"
"""
MAPPING: Final = f"""
schema = 1

[link]
secret_env = "{SECRET}"

[sources.persons]
layout = "persons"
files = "personnes.csv"
person = {{ column = "ID", space = "caf" }}

[sources.persons.attributes]
sex = {{ column = "SEXE", type = "category" }}
birth_month = {{ column = "DTNAI", type = "month", format = "%Y-%m" }}
children = {{ column = "NBENF", type = "number" }}
market = {{ column = "ZE", type = "category" }}

[sources.rsa]
layout = "snapshots"
files = "caf_rsa_*.csv"
kind = "benefit"
person = {{ column = "MATRICULE", space = "caf" }}
coverage = ["2019-01", "2023-12"]
month = {{ column = "DTREF", format = "%d/%m/%Y" }}
code = {{ column = "ETATDOSRSA", values = {{ "2" = "rsa" }}, none = ["4", "5"] }}

[sources.accompaniments]
layout = "spells"
files = "accompagnements.csv"
encoding = "iso-8859-1"
kind = "accompaniment"
person = {{ column = "NO_DOSSIER", space = "caf" }}
coverage = ["2019-01", "2023-12"]
start = {{ column = "DATE_DEBUT", format = "%d/%m/%Y" }}
duplicates = "count"
declared_by_operator = true

[sources.accompaniments.end]
column = "DATE_FIN"
format = "%d/%m/%Y"
bound = "exclusive"
open = []
sentinel = ["31/12/2099"]

[sources.accompaniments.code]
column = "DISPOSITIF"

[sources.accompaniments.code.values]
REM = "job_search"
CAI = "aided_contract"
IAE = "work_integration"
PSO = "social_participation"
DRO = "access_to_rights"
INT = "intensive_integrated"

[sources.contracts]
layout = "spells"
files = "contrats.csv"
separator = ","
kind = "employment"
person = {{ column = "IdIndividu", space = "SPACE" }}
coverage = ["2019-01", "2023-12"]
start = {{ column = "DebutCTT" }}
end = {{ column = "FinCTT" }}
duplicates = "count"
end_before_start = "count"
strangers = "count"

[sources.contracts.code]
column = "Nature"
values = {{ "01" = "cdi", "02" = "cdd", "03" = "interim", "41" = "aided", "71" = "iae" }}
"""
WHO_IS_WHO: Final = """
[sources.{name}]
layout = "persons"
files = "{name}.csv"
person = {{ column = "person_id", space = "{space}" }}

[sources.{name}.identity]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a threshold gives."""

    linked: float
    estimate: float
    low: float
    high: float


def write_files(folder: Path) -> None:
    """Write the département's files; employers number persons their own way."""
    world = worlds.simulate(WORLD)
    register = simulate_register(
        WORLD.n_persons,
        rng=np.random.default_rng(WORLD.seed),
        faults=FAULTS,
        present={"caf": 1.0, "work": 1.0},
    )
    rows = register.identities.merge(register.truth, on="person_id")
    rows["number"] = rows["person_id"].str.partition(":")[2]
    fund = rows[rows["space"] == "caf"].assign(person_id=lambda r: _fund_number(r["person"]))
    work = rows[rows["space"] == "work"].assign(person_id=lambda r: "E" + r["number"])
    for name, told in (("allocataires", fund), ("salaries", work)):
        told.drop(columns=["space", "person", "number"]).to_csv(
            folder / f"{name}.csv", sep=";", index=False
        )
    known_to_employers = dict(zip(_fund_number(work["person"]), work["person_id"], strict=True))
    for file in raw_files(world):
        text = file.text()
        (folder / file.name).write_text(text, encoding=file.encoding)
        if file.name == "contrats.csv":
            head, *lines = text.splitlines()
            renamed = [known_to_employers[line[:7]] + line[7:] for line in lines]
            (folder / "contrats_employeurs.csv").write_text("\n".join([head, *renamed, ""]))


def _fund_number(person: pd.Series) -> pd.Series:
    """Number that the fund gives to a person of the world."""
    return (person + 1).map("{:07d}".format)


def mapping(folder: Path, *, linked: bool) -> Path:
    """Mapping of the files as they are, or of those that perfect linkage would give."""
    text = MAPPING.replace("SPACE", "work" if linked else "caf")
    if linked:
        text = text.replace('"contrats.csv"', '"contrats_employeurs.csv"')
        for name, space in (("allocataires", "caf"), ("salaries", "work")):
            text += WHO_IS_WHO.format(name=name, space=space) + IDENTITY
    else:
        text = text.replace(f'[link]\nsecret_env = "{SECRET}"\n', "")
    path = folder / f"sources_{'linked' if linked else 'perfect'}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def effect(records: ww.Records, gate: ww.Gate) -> ww.Estimate:
    """The effect after a year, from records whose persons are recognised."""
    panel = ww.expand(ww.reconcile(records), first="2019-01", last="2023-12")
    using = ww.NearestNeighbours(ratio=3, caliper_sd=0.2)
    design = ww.compare(panel, QUESTION, using=using, gate=gate)
    return ww.MatchedDifference(bias_adjust=True).fit(design)


def row_of(records: ww.Records, gate: ww.Gate) -> Row:
    """Share of the fund's persons found among employers' own, and the effect."""
    found = 1.0
    if records.linked is not None:
        rates = records.linked.rates
        caf = rates[(rates["by"] == "space") & (rates["group"] == "caf")]
        found = float(caf["link_rate"].iloc[0])
    effects = effect(records, gate).effects.iloc[0]
    return Row(
        linked=100 * found,
        estimate=float(effects["estimate"]),
        low=float(effects["conf_low"]),
        high=float(effects["conf_high"]),
    )


def told(rows: Sequence[tuple[str, Row]]) -> str:
    """One line per way of linking."""
    head = f"{'':28}{'linked, %':>10}{'effect':>9}{'95 % interval':>18}"
    lines = [
        f"{name:28}{row.linked:>10.1f}{row.estimate:>9.1f}{f'{row.low:.1f} to {row.high:.1f}':>18}"
        for name, row in rows
    ]
    return "\n".join([head, *lines])


def main() -> None:
    os.environ.setdefault(SECRET, "not a secret: an example that simulates its persons")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_files(folder)
        (folder / "gate.toml").write_text(GATE, encoding="utf-8")
        gate = ww.Gate.load(folder / "gate.toml")
        scored = ww.score(ww.read(mapping(folder, linked=True)))
        rows = [
            (f"threshold {STRICT:.2f}", row_of(scored.at(STRICT), gate)),
            (f"threshold {LENIENT:.2f}", row_of(scored.at(LENIENT), gate)),
            ("who is who, as simulated", row_of(ww.read(mapping(folder, linked=False)), gate)),
        ]
    print(f"Points of employment, {MONTH} months after entry\n")
    print(told(rows))
    strict, lenient = rows[0][1], rows[1][1]
    change, width = lenient.estimate - strict.estimate, strict.high - strict.low
    print(f"\nbetween the two thresholds: {change:+.1f} points, in an interval {width:.1f} wide")


if __name__ == "__main__":
    main()
