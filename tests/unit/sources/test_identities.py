"""Who persons are: read for linkage, one row each, and nowhere else."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pandas as pd
import pytest

from unit.sources.folder import Folder, rows
from whatworks.errors import UsageError
from whatworks.ledger import Ledger
from whatworks.sources import Records
from whatworks.sources.problems import ProblemsError
from whatworks.sources.records import Linked
from whatworks.sources.scratch import Scratch
from whatworks.sources.strangers import strangers_after, without_strangers

NIR = "285127511605432"
USERS = """\
[sources.users]
layout = "persons"
files = "users*.csv"
person = {column = "id", space = "rdv"}
duplicates = "count"
[sources.users.identity]
nir = "nir"
birth_name = "ne"
first_names = ["p1", "p2"]
birth_date = {column = "naissance", format = "%d/%m/%Y"}
sex = {column = "sexe", values = {"1" = "M", "2" = "F", "?" = ""}}
keys = {caf = "matricule"}
"""
HEADER = "id;nir;ne;p1;p2;naissance;sexe;matricule\n"
CAF = """\
[sources.caf]
layout = "snapshots"
files = "caf.csv"
kind = "benefit"
person = {column = "num", space = "caf"}
month = {column = "mois"}
code = {constant = "rsa"}
"""
SEX = 'attributes.sex = {column = "sexe", type = "category"}\n'


def users(folder: Folder, *lines: str, name: str = "users.csv") -> None:
    folder.file(name, HEADER + "".join(f"{line}\n" for line in lines))


def told(records: Records, *fields: str) -> list[tuple[object, ...]]:
    assert records.identities is not None
    return rows(records.identities.select("person_id", *fields))


def steps(ledger: Ledger) -> dict[tuple[str, str], tuple[int, int, dict[str, int]]]:
    return {(s.name, s.unit): (s.before, s.after, dict(s.dropped)) for s in ledger.steps}


def test_every_field_has_its_type_and_blanks_are_null(folder: Folder) -> None:
    users(folder, f"1;{NIR};  Quéré ;Zoé; Anne ;05/12/1985;2;0042 ", "2; ;;;Léa;;?;")
    records = folder.read(USERS)
    table = records.identities
    assert table is not None
    text = dict.fromkeys(
        ("nir", "birth_name", "usage_name", "birth_commune", "commune", "postcode", "email",
         "phone", "first_names", "sex", "key_caf"), "string",
    )  # fmt: skip
    assert {name: str(kind) for name, kind in table.schema().items()} == {
        "space": "string", "person_id": "string", "birth_date": "date", **text,
    }  # fmt: skip
    fields = ("space", "nir", "birth_name", "first_names", "birth_date", "sex", "key_caf")
    assert told(records, *fields) == [
        ("rdv:1", "rdv", NIR, "Quéré", "Zoé Anne", "1985-12-05", "F", "0042"),
        ("rdv:2", "rdv", None, None, "Léa", None, None, None),
    ]
    assert told(records, "usage_name", "commune", "email") == [
        ("rdv:1", None, None, None),
        ("rdv:2", None, None, None),
    ]
    assert rows(records.persons) == [("rdv:1",), ("rdv:2",)]
    assert steps(records.ledger)["identities", "identities"] == (2, 2, {})


def test_no_source_tells_who_persons_are(folder: Folder) -> None:
    folder.file("caf.csv", "num;mois\n1;2021-01-01\n")
    assert folder.read(CAF).identities is None


def test_the_latest_that_is_known_of_each_field(folder: Folder) -> None:
    users(folder, f"1;{NIR};Quéré;Zoé;;05/12/1985;2;", "2;;A;B;;;;", name="users_1.csv")
    users(folder, "1;;Martin;Zoé;;;;7", "1;;Durand;Zoé;;;;", "2;;A;B;;;;", name="users_2.csv")
    for twice in range(2):
        records = folder.read(USERS)
        fields = ("nir", "birth_name", "birth_date", "key_caf")
        assert told(records, *fields) == [
            ("rdv:1", NIR, "Martin", "1985-12-05", "7"),
            ("rdv:2", None, "A", None, None),
        ]
        assert steps(records.ledger)["identities", "identities"] == (4, 2, {"other_identity": 2})
        if not twice:
            users(
                folder, "2;;A;B;;;;", "1;;Durand;Zoé;;;;", "1;;Martin;Zoé;;;;7", name="users_2.csv"
            )


def test_dates_and_sexes_that_cannot_be_read_are_counted(folder: Folder) -> None:
    users(folder, "1;;A;;;05/12/1985;1;", "2;;B;;;00/00/1985;X;", "3;;C;;;;;", "4;;D;;;1985;2;")
    records = folder.read(USERS)
    ledger = steps(records.ledger)
    assert ledger["users.birth_date", "rows"] == (4, 2, {"unreadable_birth_date": 2})
    assert ledger["users.sex", "rows"] == (4, 3, {"unmapped_sex": 1})
    assert [day for _, day in told(records, "birth_date")] == ["1985-12-05", None, None, None]


def test_a_format_under_which_no_birth_date_can_be_read(folder: Folder) -> None:
    users(folder, "1;;A;;;1985-12-05;1;", "2;;B;;;;1;")
    text = folder.refused(USERS, "1985")
    assert "source 'users', users.csv, column 'naissance'" in text
    assert "needed dates written %d/%m/%Y, or nothing; found 1 row otherwise" in text


def test_identities_leave_no_trace_elsewhere(folder: Folder) -> None:
    users(folder, f"1;{NIR};Zénaïde;Quéré;;05/12/1985;2;73914", f"1;{NIR};Z;Q;;;;73914")
    records = folder.read(USERS)
    fields = {f.name: f.sensitivity for f in records.fields}
    assert fields == {
        f"identity.{name}": "identifying"
        for name in ("nir", "birth_name", "first_names", "birth_date", "sex", "key_caf")
    }
    shown = repr((records.files, records.fields, records.ledger, records.attributes, records.units))
    for secret in (NIR, "Zénaïde", "Quéré", "73914", "1985"):
        assert secret not in shown
        assert secret not in repr(records.persons.execute().to_dict())


def test_refusals_quote_no_identity(folder: Folder) -> None:
    users(folder, f"1;{NIR};Zénaïde;Quéré;;x;2;73914", f";{NIR};Zénaïde;Quéré;;y;2;73914")
    folder.refused(USERS, NIR, "Quéré")


# --- persons of several spaces ---------------------------------------------------------------


def two_spaces(folder: Folder, *numbers: str, attributes: str = SEX) -> Records:
    """Users 1 to 4 and the given numbers of the family fund, where 11 is the matricule of user 1."""
    users(folder, *[f"{n};;A{n};;;;2;1{n}" for n in range(1, 5)])
    folder.file("caf.csv", "num;mois\n" + "".join(f"{n};2021-01-01\n" for n in numbers))
    mapping = USERS.replace("[sources.users.identity]", f"{attributes}[sources.users.identity]")
    return folder.read(mapping + CAF)


def test_persons_of_other_spaces_are_not_strangers_before_linkage(folder: Folder) -> None:
    records = two_spaces(folder, "11", "12", "99")
    people = ["caf:11", "caf:12", "caf:99", "rdv:1", "rdv:2", "rdv:3", "rdv:4"]
    assert [p for p, _ in rows(records.persons)] == people
    assert steps(records.ledger)["persons", "persons"] == (7, 7, {})
    assert steps(records.ledger)["caf", "rows"] == (3, 3, {})


def test_persons_of_one_space_are_judged_as_ever(folder: Folder) -> None:
    users(folder, "1;;A;;;;2;")
    folder.file("caf.csv", "num;mois\n1;2021-01-01\n5;2021-01-01\n")
    text = folder.refused(USERS + CAF.replace('space = "caf"', 'space = "rdv"'))
    assert "source 'caf', caf.csv, column 'num': needed persons that are in source 'users'" in text
    assert "found 1 of 2 rows about 1 of 2 persons that are not there" in text


def test_padding_is_seen_behind_the_space(folder: Folder) -> None:
    users(folder, "1;;A;;;;2;")
    folder.file("caf.csv", "num;mois\n01;2021-01-01\n")
    text = folder.refused(USERS + CAF.replace('space = "caf"', 'space = "rdv"'))
    assert "1 of them would be, leading zeros and spaces aside" in text


def linked(records: Records, **others: str) -> Records:
    """Records after a linkage by hand: ``rdv_1="P", caf_11="P"`` makes one person of two."""
    people = {old.replace("_", ":"): new for old, new in others.items()}
    old = records.persons.person_id
    links = records.persons.select(
        space=old.re_extract("^[a-z]+", 0), person_id=old.cases(*people.items())
    )
    made = {
        name: table.mutate(person_id=table.person_id.cases(*people.items()))
        for name in ("persons", "states", "episodes")
        if (table := getattr(records, name)) is not None
    }
    by_hand = Linked(links=links, rates=pd.DataFrame(), threshold=0.9)
    return dataclasses.replace(records, linked=by_hand, identities=None, **made)


def test_after_linkage_a_few_strangers_are_left_out(folder: Folder) -> None:
    numbers = ["11"] * 20 + ["99"]
    users(folder, "1;;A;;;;2;11")
    lines = [f"{n};2021-{m % 12 + 1:02d}-{m // 12 + 1:02d}\n" for m, n in enumerate(numbers)]
    folder.file("caf.csv", "num;mois\n" + "".join(lines))
    mapping = USERS.replace("[sources.users.identity]", f"{SEX}[sources.users.identity]")
    records = linked(folder.read(mapping + CAF), rdv_1="P", caf_11="P", caf_99="Q")
    assert rows(strangers_after(records)) == [("Q",)]
    with Scratch(folder.connection) as scratch:
        kept = without_strangers(records, room="spells", scratch=scratch)
    assert {row[1] for row in rows(kept.states.select("source", "person_id"))} == {"P"}
    assert {row[0] for row in rows(kept.persons)} == {"P"}
    ledger = {s.name: (s.before, s.after, dict(s.dropped)) for s in kept.ledger.steps[-2:]}
    assert ledger["caf.states"] == (21, 20, {"person_unknown": 1})
    assert ledger["persons"][2] == {"person_unknown": 1}


@pytest.mark.parametrize("counting", [False, True])
def test_after_linkage_many_strangers_are_refused(folder: Folder, counting: bool) -> None:
    users(folder, "1;;A;;;;2;11")
    folder.file("caf.csv", "num;mois\n11;2021-01-01\n99;2021-01-01\n")
    mapping = USERS.replace("[sources.users.identity]", f"{SEX}[sources.users.identity]") + CAF
    key = 'strangers = "count"\n' if counting else ""
    records = linked(folder.read(mapping + key), rdv_1="P", caf_11="P", caf_99="Q")
    with Scratch(folder.connection) as scratch:
        if counting:
            kept = without_strangers(records, room="spells", scratch=scratch)
            assert len(rows(kept.states)) == 1
            return
        with pytest.raises(ProblemsError) as caught:
            without_strangers(records, room="spells", scratch=scratch)
    (problem,) = caught.value.problems
    assert problem.what == "source 'caf' (states)"
    assert problem.found == "1 of 2 rows about persons that are not"


def test_where_no_source_has_attributes_nobody_is_a_stranger(folder: Folder) -> None:
    records = two_spaces(folder, "11", "99", attributes="")
    new = linked(records, rdv_1="P", caf_11="P", caf_99="Q", rdv_2="R", rdv_3="S", rdv_4="T")
    assert rows(strangers_after(new)) == []
    with Scratch(folder.connection) as scratch:
        assert without_strangers(new, room="spells", scratch=scratch) is new


def test_records_that_are_not_linked_have_no_strangers_yet(folder: Folder) -> None:
    with pytest.raises(UsageError, match=r"call whatworks\.link first"):
        strangers_after(two_spaces(folder, "11"))


def test_birth_dates_are_days(folder: Folder) -> None:
    users(folder, "1;;A;;;05/12/1985;1;")
    records = folder.read(USERS)
    assert records.identities is not None
    day = records.identities.birth_date.execute().iloc[0]
    assert (day.year, day.month, day.day) == dt.date(1985, 12, 5).timetuple()[:3]
