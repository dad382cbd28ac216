"""The mapping file that goes with the simulated département's raw files."""

from __future__ import annotations

from typing import Final

from whatworks.worlds.programmes import Departement

_TEMPLATE: Final = """\
# How the raw files of the simulated departement become the product's words.
# Reference of this language: docs/reference/mapping.md
schema = 1
title = "Simulated departement: persons, RSA, contracts, accompaniments"

[sources.persons]
layout = "persons"
files = "personnes.csv"
person = {{ column = "ID" }}

[sources.persons.attributes]
sex = {{ column = "SEXE", type = "category", values = {{ F = "woman", M = "man" }} }}
birth_month = {{ column = "DTNAI", type = "month", format = "%Y-%m" }}
children = {{ column = "NBENF", type = "number" }}
market = {{ column = "ZE", type = "category" }}

[sources.persons.attributes.education_level]
column = "NIVFOR"
type = "category"

[sources.persons.attributes.education_level.values]
AFS = "no_certificate"
CP4 = "lower_secondary"
NV5 = "vocational"
NV4 = "baccalaureate"
NV3 = "higher"

# A row per month of an open file; only state 2 is a payment.
[sources.rsa]
layout = "snapshots"
files = "caf_rsa_*.csv"
person = {{ column = "MATRICULE" }}
kind = "benefit"
coverage = ["{first}", "{last}"]
month = {{ column = "DTREF", format = "%d/%m/%Y" }}
code = {{ column = "ETATDOSRSA", values = {{ "2" = "rsa" }}, none = ["4", "5"] }}

# The end of a contract is its last day; an empty one is a contract still running.
[sources.contracts]
layout = "spells"
files = "contrats.csv"
separator = ","
person = {{ column = "IdIndividu" }}
kind = "employment"
coverage = ["{first}", "{last}"]
start = {{ column = "DebutCTT", format = "%Y-%m-%d" }}
end = {{ column = "FinCTT", format = "%Y-%m-%d", bound = "inclusive", open = [""] }}
duplicates = "count"
end_before_start = "count"

[sources.contracts.code]
column = "Nature"
values = {{ "01" = "cdi", "02" = "cdd", "03" = "interim", "41" = "aided", "71" = "iae" }}

# The operator's own list: the end is the first day out; 2099 is a stay never closed.
# NB_ENTRETIENS counts meetings, which is activity and not a result: it is not read.
[sources.accompaniments]
layout = "spells"
files = "accompagnements.csv"
encoding = "iso-8859-1"
person = {{ column = "NO_DOSSIER" }}
kind = "accompaniment"
coverage = ["{first}", "{last}"]
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
"""


def mapping_text(options: Departement) -> str:
    """``sources.toml`` for the window of a simulated département."""
    return _TEMPLATE.format(first=options.first, last=options.last)
