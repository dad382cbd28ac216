"""The same, through `read`: what rows say beside states reaches the records, and nothing is lost."""

from __future__ import annotations

import pytest

from unit.sources.folder import Folder, rows
from whatworks.errors import MappingError
from whatworks.months import to_index
from whatworks.sources import Records

RSA = """\
[sources.rsa]
layout = "snapshots"
files = "rsa_*.csv"
kind = "benefit"
person.column = "id"
month = {column = "mois", format = "%Y%m"}
code = {column = "etat", values = {"2" = "rsa"}, none = ["5"]}
censored_by = {column = "motif", one_of = ["MUT", "RGD"]}
place.column = "commune"
measures.paid = {column = "verse", decimal = ",", unit = "EUR"}
"""
CONTRACTS = """\
[sources.contracts]
layout = "spells"
files = "contrats.csv"
kind = "employment"
coverage = ["2021-01", "2022-12"]
person.column = "id"
start.column = "debut"
end.column = "fin"
scheme.column = "dispositif"
intensity = {column = "heures", unit = "hours"}
code.column = "politique"
code.values = {"" = "ordinary", "71" = "iae"}
[[sources.contracts.code.overrides]]
column = "siret"
listed_in = {files = "siae.csv", column = "siret", separator = ","}
code = "iae"
"""
TERRITORIES = """\
[territories]
geography = "2024"
communes = {files = "communes.csv", commune = "com", zone = "ze", departement = "dep"}
changes = {files = "changes.csv", old = "avant", new = "apres"}
"""
JANUARY = to_index("2021-01")


@pytest.fixture
def written(folder: Folder) -> Folder:
    folder.file(
        "rsa_1.csv",
        "id;mois;etat;motif;verse;commune\n"
        "1;202101;2;;500,5;8105\n"
        "2;202101;5;PCG;0;8200\n"
        "3;202101;2;;;99999\n"
        "1;202102;5;MUT;0;8105\n"
        "2;202102;2;;12;08105\n",
    )
    folder.file(
        "contrats.csv",
        "id;debut;fin;politique;siret;dispositif;heures\n"
        "1;2021-01-01;2021-03-31;;A;ETTI du Nord;35\n"
        "2;2021-01-01;;;B;;\n",
    )
    folder.file("siae.csv", "nom,siret\nx,A\n")
    folder.file("communes.csv", "com;ze;dep\n08105;4401;08\n")
    folder.file("changes.csv", "avant;apres\n08200;08105\n")
    return folder


def steps(records: Records) -> dict[tuple[str, str], tuple[int, int, dict[str, int]]]:
    return {(s.name, s.unit): (s.before, s.after, dict(s.dropped)) for s in records.ledger.steps}


def test_everything_reaches_the_records(written: Folder) -> None:
    records = written.read(RSA + CONTRACTS + TERRITORIES)
    assert records.measures is not None
    assert records.blind is not None
    assert records.places is not None
    assert records.geography is not None
    assert rows(records.episodes) == [
        ("contracts", "1", "employment", "iae", "2021-01-01", "2021-03-31", "ETTI du Nord", 35.0),
        ("contracts", "2", "employment", "ordinary", "2021-01-01", None, None, None),
    ]
    assert [row[1:5] for row in rows(records.states)] == [
        ("1", "benefit", "rsa", JANUARY),
        ("2", "benefit", "rsa", JANUARY + 1),
        ("3", "benefit", "rsa", JANUARY),
    ]
    assert rows(records.measures) == [
        ("rsa", "1", "paid", JANUARY, 500.5),
        ("rsa", "2", "paid", JANUARY, 0.0),
        ("rsa", "2", "paid", JANUARY + 1, 12.0),
    ]
    assert rows(records.blind) == [("rsa", "1", "benefit", JANUARY + 1)]
    assert rows(records.places) == [
        ("rsa", "1", "08105", JANUARY, JANUARY),
        ("rsa", "2", "08105", JANUARY, JANUARY),
        ("rsa", "2", "08105", JANUARY + 1, JANUARY + 1),
    ]
    assert rows(records.geography.communes) == [("08105", "4401", "08")]
    told = steps(records)
    assert told["rsa", "rows"] == (5, 3, {"censored": 1, "code_none": 1})
    assert told["places", "places"] == (4, 3, {"unknown_commune": 1})
    assert told["contracts", "rows"] == (2, 2, {})
    names = {(f.source, f.name) for f in records.files}
    assert ("territories.changes", "changes.csv") in names
    assert ("sources.contracts.code.overrides.0.listed_in", "siae.csv") in names


def test_a_refusal_leaves_nothing_behind(written: Folder) -> None:
    written.file("siae.csv", "nom,siret\nx, \n")
    message = written.refused(RSA + CONTRACTS + TERRITORIES)
    assert "siae.csv, column 'siret': needed at least one value; found blanks only" in message
    written.file("siae.csv", "nom,siret\nx,A\n")
    written.file("changes.csv", "avant;apres\n08200;08201\n08201;08200\n")
    assert "run in a circle" in written.refused(RSA + CONTRACTS + TERRITORIES)
    written.file("changes.csv", "avant;apres\n08200;08105\n")
    written.file("communes.csv", "com;ze;dep\n01001;8201;01\n")
    assert "none" in written.refused(RSA + CONTRACTS + TERRITORIES)


def test_a_list_that_is_missing(written: Folder) -> None:
    (written.path / "siae.csv").unlink()
    with pytest.raises(MappingError, match=r"overrides\.0\.listed_in\.files"):
        written.read(RSA + CONTRACTS + TERRITORIES)
    assert written.tables() == []


def test_two_values_of_a_measure_in_two_files(written: Folder) -> None:
    written.file("rsa_2.csv", "id;mois;etat;motif;verse;commune\n1;202101;5;;501;8105\n")
    message = written.refused(RSA, "500", "501")
    assert "2 files, column 'verse': needed one value for a person and month" in message


def test_a_file_of_numbers_alone(written: Folder) -> None:
    """Rows without any code are settled, counted and gathered; they cover no kind of state."""
    written.file("revenus.csv", "id;mois;salaire\n1;2021-01;1500\n2;2021-01;\n9;2021-01;1\n")
    incomes = (
        '[sources.incomes]\nlayout = "snapshots"\nfiles = "revenus.csv"\nperson.column = "id"\n'
        'month = {column = "mois", format = "%Y-%m"}\n'
        'measures.salary = {column = "salaire", unit = "EUR"}\n'
    )
    records = written.read(CONTRACTS + incomes)
    assert records.measures is not None
    assert rows(records.measures) == [
        ("incomes", "1", "salary", JANUARY, 1500.0),
        ("incomes", "9", "salary", JANUARY, 1.0),
    ]
    assert {c.source for c in records.coverage} == {"contracts"}
    assert rows(records.persons) == [("1",), ("2",), ("9",)]
    assert records.units["salary"] == "EUR"


def test_second_columns_have_no_place_in_a_wide_file(written: Folder) -> None:
    written.file("wide.csv", "id;2021-01\n1;a\n")
    wide = (
        '[sources.wide]\nlayout = "wide"\nfiles = "wide.csv"\nkind = "employment"\n'
        'person.column = "id"\nmonths.pattern = "%Y-%m"\ncode.values = {a = "job"}\n'
        '[[sources.wide.code.overrides]]\ncolumn = "id"\nvalues = {"1" = "job"}\n'
    )
    with pytest.raises(MappingError, match="'overrides'"):
        written.read(wide)
