"""Whom a row is about: composite identifiers, bridges, households, objections, row by row."""

from __future__ import annotations

import pytest

from unit.sources.folder import Folder, rows, states
from whatworks.ledger import Ledger
from whatworks.sources import Records

STAYS = """\
[sources.stays]
layout = "spells"
files = "stays.csv"
kind = "employment"
coverage = ["2021-01", "2021-12"]
start = {column = "from"}
end = {column = "to"}
code = {constant = "job"}
"""
PEOPLE = """\
[sources.people]
layout = "persons"
files = "people.csv"
attributes.market = {column = "zone", type = "category"}
"""


def steps(ledger: Ledger) -> dict[tuple[str, str], tuple[int, int, dict[str, int]]]:
    """Every step by name and unit: each is there once."""
    found = {(s.name, s.unit): (s.before, s.after, dict(s.dropped)) for s in ledger.steps}
    assert len(found) == len(ledger.steps)
    return found


def persons(records: Records) -> list[object]:
    return [row[0] for row in rows(records.persons)]


def stays(folder: Folder, *keys: str, header: str = "id", name: str = "stays.csv") -> None:
    """One stay for each key, each with its own note, so that no row repeats another."""
    lines = [f"{key};2021-01-05;2021-02-05;{n}\n" for n, key in enumerate(keys)]
    folder.file(name, f"{header};from;to;note\n{''.join(lines)}")


# --- composite identifiers -------------------------------------------------------------------


def test_parts_of_an_identifier_are_never_confused(folder: Folder) -> None:
    stays(folder, "a;bc", "ab;c", "a|b;c", "a;b|c", "a\\;|c", "a\\|;c", "a;bc", header="x;y")
    records = folder.read(STAYS + 'person = {columns = ["x", "y"]}\n')
    assert persons(records) == sorted(
        ["a|bc", "ab|c", "a\\|b|c", "a|b\\|c", "a\\\\|\\|c", "a\\\\\\||c"], key=repr
    )
    assert steps(records.ledger)["stays", "rows"] == (7, 7, {})


def test_half_an_identifier_is_none(folder: Folder) -> None:
    stays(folder, "PX-1;b", "PX-2; ", header="x;y")
    text = folder.refused(STAYS + 'person = {columns = ["x", "y"]}\n', "PX-1", "PX-2")
    assert "source 'stays', stays.csv, columns 'x' and 'y'" in text
    assert "found 1 of 2 rows otherwise" in text


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", [" 7", "007", "7 ", "70"]),
        ('strip = "spaces"', ["007", "7", "70"]),
        ('strip = "spaces_and_zeros"', ["7", "70"]),
        ('strip = "spaces_and_zeros", width = 3', ["007", "070"]),
        ('strip = "spaces", width = 3', ["007", "070"]),
        ('strip = "spaces_and_zeros", space = "caf"', ["caf:7", "caf:70"]),
    ],
)
def test_padding_is_not_part_of_an_identifier(
    folder: Folder, keys: str, expected: list[str]
) -> None:
    stays(folder, " 7", "007", "7 ", "70")
    records = folder.read(STAYS + f'person = {{column = "id", {keys}}}\n'.replace(", }", "}"))
    assert persons(records) == expected
    assert len(states(records.episodes)) == 4


def test_placeholders_are_left_behind_and_counted(folder: Folder) -> None:
    stays(folder, "7", "000", "999", "8", "", "")
    key = 'person = {column = "id", strip = "spaces_and_zeros", placeholders = ["000", "999"%s]}\n'
    text = folder.refused(STAYS + key % "", "999", "000")
    assert "needed an identifier of the person in every row; found 2 of 6 rows otherwise" in text
    assert "person.placeholders" in text
    records = folder.read(STAYS + key % ', ""')
    assert persons(records) == ["7", "8"]
    assert steps(records.ledger)["stays", "rows"] == (6, 2, {"placeholder_person": 4})


# --- bridges ---------------------------------------------------------------------------------

VIA = 'person = {column = "id", via = {files = "bridge.csv", from = ["pph"], to = "hash"%s}%s}\n'


def bridge(folder: Folder, *pairs: str) -> None:
    folder.file("bridge.csv", "pph;hash\n" + "".join(f"{pair}\n" for pair in pairs))


def test_a_bridge_leads_rows_to_persons(folder: Folder) -> None:
    stays(folder, "1", "2", "3")
    bridge(folder, "1;A", "2;A", "3;B", "3;B", "4;C", "5;")
    records = folder.read(STAYS + VIA % ("", ', space = "asp"'))
    assert [(row[1], row[2]) for row in rows(records.episodes)] == [
        ("asp:A", "employment"),
        ("asp:A", "employment"),
        ("asp:B", "employment"),
    ]
    assert [(f.source, f.name, f.rows) for f in records.files] == [
        ("stays", "stays.csv", 3),
        ("sources.stays.person.via", "bridge.csv", 6),
    ]


def test_rows_the_bridge_does_not_know(folder: Folder) -> None:
    stays(folder, "1", "PX-73914", "2")
    bridge(folder, "1;A", "2;")
    text = folder.refused(STAYS + VIA % ("", ""))
    assert "source 'stays', stays.csv, column 'id': needed identifiers that the file of" in text
    assert "found 2 of 3 rows otherwise" in text
    records = folder.read(STAYS + VIA % (', unmatched = "count"', ""))
    assert steps(records.ledger)["stays", "rows"] == (3, 1, {"bridge_unmatched": 2})
    assert persons(records) == ["A"]


def test_both_sides_of_a_bridge_are_stripped(folder: Folder) -> None:
    stays(folder, " 007", "8")
    bridge(folder, "7;0A ", "0008;0B")
    records = folder.read(STAYS + VIA % ("", ', strip = "spaces_and_zeros"'))
    assert persons(records) == ["0A", "0B"]


def test_one_identifier_of_two_persons_is_refused(folder: Folder) -> None:
    stays(folder, "1")
    bridge(folder, "1;PX-73914", "1;B")
    text = folder.refused(STAYS + VIA % ("", ""))
    assert "bridge.csv, columns 'pph' and 'hash': needed one person for each identifier" in text
    assert "found 1 identifier that lead to several" in text
    assert "person.via.members = true" in text


def test_a_placeholder_at_the_end_of_a_bridge(folder: Folder) -> None:
    stays(folder, "1", "2", "3")
    bridge(folder, "1;A", "1;NTT", "2;NTT", "3;C")
    records = folder.read(STAYS + VIA % ("", ', placeholders = ["NTT"]'))
    assert persons(records) == ["A", "C"]
    assert steps(records.ledger)["stays", "rows"] == (3, 2, {"placeholder_person": 1})


def test_members_of_a_household_each_have_its_rows(folder: Folder) -> None:
    stays(folder, "h1", "h2", "h9")
    bridge(folder, "h1;A", "h1;B", "h2;C", "h3;D")
    folder.file("people.csv", "id;zone\nA;z\nB;z\nE;z\n")
    mapping = (
        STAYS
        + VIA % (', members = true, unmatched = "count"', "")
        + 'strangers = "count"\n'
        + PEOPLE
        + 'person = {column = "id"}\n'
    )
    records = folder.read(mapping)
    assert [row[1] for row in rows(records.episodes)] == ["A", "B"]
    ledger = steps(records.ledger)
    assert ledger["stays", "rows"] == (3, 2, {"bridge_unmatched": 1})
    assert ledger["stays", "person_rows"] == (3, 2, {"person_unknown": 1})
    assert ledger["persons", "persons"] == (4, 3, {"person_unknown": 1})


def test_a_member_who_objects_leaves_the_others(folder: Folder) -> None:
    stays(folder, "h1", "h2")
    bridge(folder, "h1;A", "h1;B", "h2;A")
    folder.file("non.csv", "id\nA\n")
    mapping = STAYS + VIA % (", members = true", "") + OBJECTIONS
    records = folder.read(mapping)
    assert persons(records) == ["B"]
    ledger = steps(records.ledger)
    assert ledger["stays", "rows"] == (2, 2, {})
    assert ledger["stays", "person_rows"] == (3, 1, {"objected": 2})
    assert ledger["persons", "persons"] == (2, 1, {"objected": 1})


def test_months_of_members(folder: Folder) -> None:
    folder.file("wide.csv", "id;2021-01;2021-02\nh1;a;-\nh2;-;-\n")
    bridge(folder, "h1;A", "h1;B", "h2;C")
    mapping = """\
[sources.wide]
layout = "wide"
files = "wide.csv"
months = {pattern = "%Y-%m"}
code = {values = {a = "employment:job"}, none = ["-"]}
"""
    records = folder.read(mapping + VIA % (", members = true", ""))
    ledger = steps(records.ledger)
    assert ledger["wide", "rows"] == (2, 2, {})
    assert ledger["wide", "person_rows"] == (3, 3, {})
    assert ledger["wide", "person_months"] == (6, 2, {"code_none": 4})


# --- objections ------------------------------------------------------------------------------

OBJECTIONS = '[objections]\nfiles = "non.csv"\ncolumn = "id"\n'


def test_persons_who_object_are_gone_from_every_source(folder: Folder) -> None:
    stays(folder, "1", "2", "2", "3")
    folder.file("people.csv", "id;zone\n1;z\n2;z\n3;z\n4;z\n")
    folder.file("non.csv", "id\n02\n4\n99\n")
    key = 'person = {column = "id", strip = "spaces_and_zeros"}\n'
    strip = 'strip = "spaces_and_zeros"\n'
    records = folder.read(STAYS + key + PEOPLE + key + OBJECTIONS + strip)
    assert persons(records) == ["1", "3"]
    assert [row[1] for row in rows(records.episodes)] == ["1", "3"]
    ledger = steps(records.ledger)
    assert ledger["stays", "rows"] == (4, 2, {"objected": 2})
    assert ledger["people", "rows"] == (4, 2, {"objected": 2})
    assert ledger["persons", "persons"] == (4, 2, {"objected": 2})
    assert ledger["objections", "persons"] == (3, 2, {"not_in_sources": 1})
    assert [(f.source, f.name) for f in records.files][-1] == ("objections", "non.csv")


def test_what_objectors_wrote_is_not_looked_at(folder: Folder) -> None:
    folder.file("stays.csv", "id;from;to\n1;2021-01-05;\n2;no date;\n1;2021-01-05;\n2;no date;\n")
    folder.file("non.csv", "id\n2\n")
    mapping = STAYS + 'person = {column = "id"}\nduplicates = "count"\n' + OBJECTIONS
    assert steps(folder.read(mapping).ledger)["stays", "rows"] == (
        4,
        1,
        {"objected": 2, "duplicate_row": 1},
    )


def test_an_objection_is_heard_in_its_space_only(folder: Folder) -> None:
    stays(folder, "1", "2")
    stays(folder, "1", "2", name="others.csv")
    folder.file("non.csv", "id\n1\n")
    other = STAYS.replace("sources.stays", "sources.others").replace("stays.csv", "others.csv")
    mapping = (
        STAYS
        + 'person = {column = "id", space = "caf"}\n'
        + other
        + 'person = {column = "id", space = "ft"}\n'
        + OBJECTIONS
        + 'space = "caf"\n'
    )
    assert persons(folder.read(mapping)) == ["caf:2", "ft:1", "ft:2"]


def test_an_objection_without_a_name_is_refused(folder: Folder) -> None:
    stays(folder, "1")
    folder.file("non.csv", "id;why\n1;a\n;b\n")
    text = folder.refused(STAYS + 'person = {column = "id"}\n' + OBJECTIONS)
    assert "non.csv, column 'id': needed an identifier in every row" in text


def test_everybody_objects(folder: Folder) -> None:
    stays(folder, "1")
    folder.file("non.csv", "id\n1\n")
    text = folder.refused(STAYS + 'person = {column = "id"}\n' + OBJECTIONS)
    assert "found 1 row, all left out (objected 1)" in text


# --- households ------------------------------------------------------------------------------


def test_a_person_has_one_household(folder: Folder) -> None:
    lines = ["1;H1;a", "1;H2;a", "2; ;a", "3;H1;a", "4;H1; "]
    folder.file(
        "stays.csv",
        "id;num;ord;from;to\n" + "".join(f"{line};2021-01-05;\n" for line in lines),
    )
    key = 'person = {column = "id"}\nhousehold = {columns = ["num", "ord"]}\n'
    records = folder.read(STAYS + key)
    assert rows(records.persons) == [("1", "H2|a"), ("2", None), ("3", "H1|a"), ("4", None)]
    assert records.attributes == {"household": "category"}
    assert steps(records.ledger)["household", "households"] == (3, 2, {"other_household": 1})
    (field,) = records.fields
    assert (field.name, field.column, field.sensitivity) == ("household", "num, ord", "identifying")


def test_a_household_does_not_make_a_source_decide_who_is_in(folder: Folder) -> None:
    folder.file("stays.csv", "id;num;from;to\n1;H1;2021-01-05;\n2;H1;2021-01-05;\n")
    folder.file("people.csv", "id;zone\n1;z\n3;z\n")
    mapping = (
        STAYS
        + 'person = {column = "id"}\nhousehold = {columns = ["num"]}\nstrangers = "count"\n'
        + PEOPLE
        + 'person = {column = "id"}\n'
    )
    records = folder.read(mapping)
    assert records.persons.columns == ("person_id", "market", "household")
    assert rows(records.persons) == [("1", "z", "H1"), ("3", "z", None)]
