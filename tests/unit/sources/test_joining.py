"""A source that says nothing, or speaks of other persons, is refused instead of lost in silence."""

from __future__ import annotations

import pytest

from unit.sources.folder import CONTRACTS, HEADER, Folder, rows

PEOPLE = """\
[sources.people]
layout = "persons"
files = "personnes.csv"
person = {column = "id"}
attributes.market = {column = "zone", type = "category"}
"""
WIDE = """\
[sources.paths]
layout = "wide"
files = "paths.csv"
person = {column = "id"}
months = {pattern = "%Y-%m"}
code = {values = {a = "employment:job"}, none = ["-"]}
"""
COUNTING = 'strangers = "count"\n'


def people(folder: Folder, *identifiers: str) -> None:
    folder.file("personnes.csv", "id;zone\n" + "".join(f"{i};Z\n" for i in identifiers))


def contracts(folder: Folder, *identifiers: str, code: str = "01") -> None:
    lines = [f"{i};n;01/02/2021;;{code}\n" for i in identifiers]
    folder.file("contrats.csv", HEADER + "".join(lines))


@pytest.mark.parametrize(
    ("written", "close"),
    [("4{n}", True), (" 004{n} ", True), ("x4{n}", False)],
    ids=["zeros lost", "padded", "another identifier"],
)
def test_identifiers_that_do_not_join_are_refused(
    folder: Folder, written: str, close: bool
) -> None:
    people(folder, *[f"04{n}" for n in range(10, 30)])
    contracts(folder, *[written.format(n=n) for n in range(10, 30)])
    text = folder.refused(PEOPLE + CONTRACTS, "410", "429")
    assert "source 'contracts', contrats.csv, column 'nir': needed persons that are in" in text
    assert "source 'people', personnes.csv, column 'id'" in text
    assert "found 20 of 20 rows about 20 of 20 persons that are not there" in text
    assert ("20 of them would be, leading zeros and spaces aside" in text) == close
    assert "(leading zeros, spaces, length)" in text
    assert "strangers" not in text
    assert folder.refused(PEOPLE + CONTRACTS + COUNTING) == text


@pytest.mark.parametrize(("strangers", "refused"), [(0, False), (1, False), (2, True)])
def test_more_than_a_few_strangers_are_refused_unless_counted(
    folder: Folder, strangers: int, refused: bool
) -> None:
    known = [f"k{n}" for n in range(20 - strangers)]
    others = [f"other-{n}" for n in range(strangers)]
    people(folder, *known)
    contracts(folder, *known, *others)
    if refused:
        text = folder.refused(PEOPLE + CONTRACTS, "other-1")
        assert "found 2 of 20 rows about 2 of 20 persons that are not there. To do" in text
        assert "but for at most 5% of rows" in text
        assert "write strangers = 'count'" in text
    mapping = PEOPLE + CONTRACTS + (COUNTING if refused else "")
    records = folder.read(mapping)
    (step,) = [s for s in records.ledger.steps if s.name == "contracts"]
    assert dict(step.dropped).get("person_unknown", 0) == strangers
    assert len(rows(records.episodes)) == 20 - strangers


def test_strangers_are_counted_among_rows_that_say_something(folder: Folder) -> None:
    people(folder, *[f"k{n}" for n in range(9)])
    lines = [f"k{n};n;01/02/2021;;01\n" for n in range(9)] + ["other;n;01/02/2021;;01\n"]
    folder.file(
        "contrats.csv", HEADER + "".join(lines) + "".join(f"k{n};n;;;99\n" for n in range(9))
    )
    mapping = CONTRACTS.replace("code = {", 'code = {none = ["99"], ')
    assert "found 1 of 10 rows about 1 of 10 persons" in folder.refused(PEOPLE + mapping)


@pytest.mark.parametrize("code", ["none", "count"])
def test_a_mapping_that_maps_nothing_is_refused(folder: Folder, code: str) -> None:
    contracts(folder, "1", "2", "3", code="77")
    key = 'none = ["77"]' if code == "none" else 'unmapped = "count"'
    text = folder.refused(CONTRACTS.replace("code = {", f"code = {{{key}, "))
    reason = "code_none" if code == "none" else "unmapped_code"
    assert "source 'contracts', contrats.csv, column 'nature': needed at least one row" in text
    assert f"found 3 rows, all left out ({reason} 3)" in text
    assert "code.values and code.none" in text


def test_cells_that_all_say_nothing_are_refused(folder: Folder) -> None:
    folder.file("paths.csv", "id;2021-01;2021-02\n1;-;-\n2;-;-\n")
    assert "source 'paths', paths.csv: needed at least one" in folder.refused(WIDE)
    folder.file("paths.csv", "id;2021-01;2021-02\n1;-;-\n2;-;a\n")
    assert len(rows(folder.read(WIDE).states)) == 1


def test_every_source_that_does_not_join_is_told_at_once(folder: Folder) -> None:
    people(folder, "1", "2")
    contracts(folder, "3")
    folder.file("paths.csv", "id;2021-01\n4;a\n5;a\n")
    text = folder.refused(PEOPLE + CONTRACTS + WIDE)
    assert "found 2 problems:" in text
    assert "found 2 of 2 cells about 2 of 2 persons" in text


# --- values of attributes --------------------------------------------------------------------

SEX = """\
[sources.people]
layout = "persons"
files = "personnes.csv"
person = {column = "id"}
attributes.sex = {column = "sexe", type = "category", values = {F = "woman", H = "man", "9" = ""}}
"""


def sexes(folder: Folder, **numbers: int) -> None:
    lines = [f"{raw}{n};{raw}\n" for raw, many in numbers.items() for n in range(many)]
    folder.file("personnes.csv", "id;sexe\nnobody;\nunknown;9\n" + "".join(lines))


def test_a_value_that_is_not_listed_is_refused(folder: Folder) -> None:
    sexes(folder, F=3, H=2, Femme=11, Zoe=4)
    text = folder.refused(SEX, "Zoe")
    assert "source 'people', personnes.csv, column 'sexe'" in text
    assert "needed values listed under attributes.sex.values, or nothing" in text
    assert "found 15 of 22 rows with 2 unknown values, among them 'Femme' (11)" in text
    assert "attributes.sex.unmapped = 'count'" in text


def test_a_value_few_persons_share_is_not_shown(folder: Folder) -> None:
    sexes(folder, F=3, Zoe=10)
    text = folder.refused(SEX, "Zoe")
    assert "found 10 of 15 rows with 1 unknown value, none shared by 11 persons" in text


def test_values_that_are_not_listed_may_be_counted(folder: Folder) -> None:
    sexes(folder, F=2, H=1, Femme=3)
    records = folder.read(SEX.replace('type = "category"', 'type = "category", unmapped = "count"'))
    held = [value for _, value in rows(records.persons)]
    assert sorted(map(str, held)) == ["None"] * 5 + ["man", "woman", "woman"]
    (step,) = [s for s in records.ledger.steps if s.name == "people.sex"]
    assert (step.before, step.after, step.dropped) == (8, 5, (("unmapped_code", 3),))


def test_values_that_only_stand_for_unknown_leave_the_others_as_they_are(folder: Folder) -> None:
    sexes(folder, F=1, Femme=1)
    records = folder.read(SEX.replace('F = "woman", H = "man", ', ""))
    assert sorted(str(value) for _, value in rows(records.persons)) == [
        "F",
        "Femme",
        "None",
        "None",
    ]
