"""The mapping file that goes with the raw files of a rollout where jobs are finite."""

from __future__ import annotations

from typing import Final

_TEMPLATE: Final = """\
# How the raw files of a simulated rollout become the product's words.
# Reference of this language: docs/reference/mapping.md
schema = 1
title = "Simulated rollout: seekers, hires, accompaniment, zones and tightness"

[territories]
geography = "{year}"
communes = {{ files = "communes.csv", separator = ";", commune = "COM", zone = "ZE", departement = "DEP" }}

[territories.tightness]
files = "tension.csv"
separator = ";"
place = "ZE"
month = {{ column = "MOIS", format = "%Y-%m" }}
value = {{ column = "TENSION", decimal = "," }}

[sources.persons]
layout = "persons"
files = "personnes.csv"
person = {{ column = "ID" }}
place = {{ column = "COM" }}

# A labour market is a zone and an occupation family: people compete for jobs inside it.
[sources.persons.attributes]
birth_month = {{ column = "DTNAI", type = "month", format = "%Y-%m" }}
market = {{ column = "BASSIN", type = "category" }}
employability = {{ column = "INDICE", type = "number", decimal = "," }}

[sources.persons.attributes.occupation_family]
column = "METIER"
type = "category"
values = {{ COM = "trade", BAT = "building", SAN = "health" }}

[sources.persons.attributes.public]
column = "PUBLIC"
type = "category"
values = {{ JD = "young_graduate", AU = "other" }}

# Who holds these rights may be enrolled; the others compete with them for jobs.
[sources.rights]
layout = "spells"
files = "droits.csv"
person = {{ column = "IDENT" }}
kind = "benefit"
coverage = ["{first}", "{last}"]
start = {{ column = "DEBUT", format = "%Y-%m-%d" }}
end = {{ column = "FIN", format = "%Y-%m-%d", bound = "inclusive", open = [""] }}
code = {{ column = "DROIT", values = {{ JD = "graduate_scheme" }} }}

# DATANN is the first day off the list; empty while registered.
[sources.registrations]
layout = "spells"
files = "inscriptions.csv"
person = {{ column = "IDENT" }}
kind = "joblessness"
coverage = ["{first}", "{last}"]
start = {{ column = "DATINS", format = "%Y-%m-%d" }}
end = {{ column = "DATANN", format = "%Y-%m-%d", bound = "exclusive", open = [""] }}
code = {{ constant = "registered" }}

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
code = {{ column = "Nature", values = {{ "01" = "cdi", "02" = "cdd" }} }}

[sources.accompaniments]
layout = "spells"
files = "accompagnements.csv"
encoding = "iso-8859-1"
person = {{ column = "NO_DOSSIER" }}
kind = "accompaniment"
coverage = ["{first}", "{last}"]
start = {{ column = "DATE_DEBUT", format = "%d/%m/%Y" }}
end = {{ column = "DATE_FIN", format = "%d/%m/%Y", bound = "exclusive", open = [] }}
code = {{ column = "DISPOSITIF", values = {{ REM = "job_search" }} }}
declared_by_operator = true
"""


def mapping_text(first: str, last: str) -> str:
    """``sources.toml`` for files that run from a month to another, ``YYYY-MM``."""
    return _TEMPLATE.format(first=first, last=last, year=first[:4])
