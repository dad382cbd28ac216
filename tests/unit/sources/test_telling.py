"""What records say of themselves: schemes, intensities, units, gaps, fields and their care."""

from __future__ import annotations

from unit.sources.folder import Folder
from whatworks.sources.records import FieldRead

SERVICES = """\
[disclosure.small]
min_count = 20
[sources.services]
layout = "spells"
files = "services.csv"
kind = "accompaniment"
coverage = ["2021-01", "2021-12"]
gap_days = 3
person = {column = "id"}
start = {column = "from"}
end = {column = "to"}
code = {column = "type", values = {a = "job_search", b = "access_to_rights"}}
scheme = {column = "name", disclosure = "small"}
intensity = {column = "hours", unit = "hours", sensitivity = "sensitive"}
[sources.services.attributes.health]
column = "health"
type = "category"
sensitivity = "special_category"
legal_basis = "article 9.2.j"
[sources.income]
layout = "snapshots"
files = "income.csv"
person = {column = "id"}
month = {column = "month", format = "%Y-%m"}
gap_months = 1
measures = {earnings = {column = "eur", unit = "EUR"}}
"""


def test_what_records_say_of_themselves(folder: Folder) -> None:
    folder.file("services.csv", "id;from;to;type;name;hours;health\n1;2021-01-05;;a;PLIE;3.5;x\n")
    folder.file("income.csv", "id;month;eur\n1;2021-01;100\n9;2021-01;50\n")
    records = folder.read(SERVICES + 'strangers = "count"\n')
    states = {("accompaniment", "job_search"), ("accompaniment", "access_to_rights")}
    assert records.schemes == states
    assert records.intensities == states
    assert records.units == {
        "accompaniment_job_search": "hours",
        "accompaniment_access_to_rights": "hours",
        "earnings": "EUR",
    }
    assert records.gap_days == {"services": 3}
    assert records.gaps == {"income": 1}

    def field(source: str, name: str, column: str, care: tuple[str, str]) -> FieldRead:
        sensitivity, disclosure = care
        return FieldRead(
            source=source,
            name=name,
            column=column,
            sensitivity=sensitivity,
            disclosure=disclosure,
        )

    assert records.fields == (
        field("services", "health", "health", ("special_category", "persons")),
        field("services", "scheme", "name", ("ordinary", "small")),
        field("services", "intensity", "hours", ("sensitive", "persons")),
        field("income", "measure_earnings", "eur", ("ordinary", "persons")),
    )


def test_numbers_of_persons_unknown_elsewhere_are_counted(folder: Folder) -> None:
    folder.file("services.csv", "id;from;to;type;name;hours;health\n1;2021-01-05;;a;PLIE;3.5;x\n")
    folder.file("income.csv", "id;month;eur\n1;2021-01;100\n1;2021-02;\n9;2021-01;50\n")
    text = folder.refused(SERVICES)
    assert "source 'income', income.csv, column 'id': needed persons that are in" in text
    records = folder.read(SERVICES + 'strangers = "count"\n')
    steps = {(s.name, s.unit): (s.before, s.after, dict(s.dropped)) for s in records.ledger.steps}
    assert steps["income", "rows"] == (3, 2, {"person_unknown": 1})
    assert steps["income.measures", "measures"] == (2, 1, {"person_unknown": 1})
    assert records.measures is not None
    assert records.measures.count().execute() == 1
