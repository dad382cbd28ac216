"""What sound files become, layout by layout, on rows small enough to check by eye."""

from __future__ import annotations

import hashlib

import pytest
from ibis.backends.duckdb import Backend

from unit.sources.folder import CONTRACTS, HEADER, Folder, rows, states
from whatworks.ledger import Ledger
from whatworks.months import to_index
from whatworks.sources import Coverage, FileRead, connect, read

PEOPLE = """\
[sources.people]
layout = "persons"
files = "personnes.csv"
person = {column = "nir"}
[sources.people.attributes]
market = {column = "zone", type = "category", values = {"9999" = ""}}
age = {column = "age", type = "number", decimal = ","}
born = {column = "naissance", type = "month", format = "%m/%Y"}
woman = {column = "sexe", type = "boolean", values = {F = "1", H = "0", "?" = ""}}
"""
BENEFIT = """\
[sources.benefit]
layout = "snapshots"
files = "rsa_*.csv"
kind = "benefit"
person = {column = "id"}
month = {column = "mois", format = "%Y%m"}
code = {column = "etat", values = {"2" = "rsa", "5" = "rsa"}, none = ["4"]}
"""
PATHS = """\
[sources.paths]
layout = "wide"
files = "paths*.csv"
separator = ","
person = {column = "id"}
months = {pattern = "%b.%y"}
code = {values = {work = "employment:job", train = "accompaniment:training"}, none = ["", "NA"]}
"""


def dropped(ledger: Ledger, name: str, unit: str = "rows") -> tuple[int, int, dict[str, int]]:
    (step,) = [s for s in ledger.steps if (s.name, s.unit) == (name, unit)]
    return step.before, step.after, dict(step.dropped)


# --- spells ----------------------------------------------------------------------------------


def test_spells(folder: Folder) -> None:
    folder.file(
        "contrats.csv",
        HEADER
        + "007;A;01/02/2021;28/02/2021;01\n7;B;29/02/2020;;02\n7;B;05/03/2021;05/03/2021;01\n",
    )
    records = folder.read(CONTRACTS)
    assert states(records.episodes) == [
        ("contracts", "007", "employment", "cdi", "2021-02-01", "2021-02-28"),
        ("contracts", "7", "employment", "cdd", "2020-02-29", None),
        ("contracts", "7", "employment", "cdi", "2021-03-05", "2021-03-05"),
    ]
    assert rows(records.persons) == [("007",), ("7",)]
    assert records.states.count().execute() == 0
    assert records.codes == {"employment": ("cdi", "cdd")}
    assert records.attributes == {}
    assert records.coverage == (
        Coverage(
            source="contracts",
            kind="employment",
            first=to_index("2021-01"),
            last=to_index("2022-12"),
            codes=("cdi", "cdd"),
        ),
    )
    content = (folder.path / "contrats.csv").read_bytes()
    assert records.files == (
        FileRead(
            source="contracts",
            name="contrats.csv",
            sha256=hashlib.sha256(content).hexdigest(),
            rows=3,
        ),
    )
    mapping = (folder.path / "sources.toml").read_bytes()
    assert records.mapping_hash == hashlib.sha256(mapping).hexdigest()
    assert dropped(records.ledger, "contracts") == (3, 3, {})
    assert dropped(records.ledger, "persons", "persons") == (2, 2, {})


@pytest.mark.parametrize(
    ("keys", "raw", "end"),
    [
        ("", "28/02/2021", "2021-02-28"),
        (', bound = "exclusive"', "01/03/2021", "2021-02-28"),
        (', bound = "exclusive"', "02/02/2021", "2021-02-01"),
        ("", "", None),
        (', open = ["EN COURS"]', "EN COURS", None),
        (', sentinel = ["31/12/2099", "31/12/9999"]', "31/12/9999", None),
        (', bound = "exclusive", sentinel = ["31/12/2099"]', "31/12/2099", None),
    ],
)
def test_conventions_of_ends(folder: Folder, keys: str, raw: str, end: str | None) -> None:
    folder.file("contrats.csv", f"{HEADER}7;B;01/02/2021;{raw};01\n")
    mapping = CONTRACTS.replace('"fin", format = "%d/%m/%Y"', f'"fin", format = "%d/%m/%Y"{keys}')
    assert states(folder.read(mapping).episodes)[0][-1] == end


def test_exclusive_end_on_the_day_of_the_start_is_before_it(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;B;01/02/2021;01/02/2021;01\n")
    exclusive = CONTRACTS.replace('column = "fin"', 'column = "fin", bound = "exclusive"')
    assert "needed ends after the start, as end.bound = 'exclusive'" in folder.refused(exclusive)
    folder.file("contrats.csv", f"{HEADER}7;B;01/02/2021;01/02/2021;01\n8;C;01/02/2021;;01\n")
    records = folder.read(exclusive + 'end_before_start = "count"\n')
    assert dropped(records.ledger, "contracts") == (2, 1, {"end_before_start": 1})
    assert rows(records.persons) == [("7",), ("8",)]


def test_empty_string_is_not_open_unless_listed(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;B;01/02/2021;;01\n")
    mapping = CONTRACTS.replace('column = "fin"', 'column = "fin", open = ["EN COURS"]')
    assert "column 'fin'" in folder.refused(mapping)


def test_each_row_counts_under_its_first_reason(folder: Folder) -> None:
    folder.file(
        "contrats.csv",
        HEADER
        + "1;A;01/02/2021;28/02/2021;01\n" * 3  # twice too many
        + "2;B;05/02/2021;01/02/2021;01\n"  # ends before it starts
        + "3;C;05/02/2021;01/02/2021;77\n"  # unknown code, and so not looked at further
        + "4;D;nonsense;;99\n",  # nothing to record, and so not looked at further
    )
    mapping = CONTRACTS.replace("code = {", 'code = {none = ["99"], unmapped = "count", ')
    records = folder.read(mapping + 'end_before_start = "count"\nduplicates = "count"\n')
    assert dropped(records.ledger, "contracts") == (
        6, 1, {"duplicate_row": 2, "code_none": 1, "end_before_start": 1, "unmapped_code": 1},
    )  # fmt: skip
    assert rows(records.persons) == [("1",), ("2",), ("3",), ("4",)]


def test_constant_code_and_kinds_written_in_codes(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;B;01/02/2021;;01\n")
    code = 'code = {column = "nature", values = {"01" = "cdi", "02" = "cdd"}}'
    constant = CONTRACTS.replace(code, 'code.constant = "education:school"')
    assert states(folder.read(constant).episodes)[0][2:4] == ("education", "school")
    plain = CONTRACTS.replace(code, 'code.constant = "job"')
    assert states(folder.read(plain).episodes)[0][2:4] == ("employment", "job")


# --- snapshots -------------------------------------------------------------------------------


def test_snapshots(folder: Folder) -> None:
    folder.file("rsa_1.csv", "id;mois;etat\n1;202101;2\n2;202101;4\n")
    folder.file("rsa_2.csv", "mois;autre;etat;id\n202102;x;5;1\n202102;y;2;2\n")
    records = folder.read(BENEFIT)
    january, february = to_index("2021-01"), to_index("2021-02")
    assert states(records.states) == [
        ("benefit", "1", "benefit", "rsa", january),
        ("benefit", "1", "benefit", "rsa", february),
        ("benefit", "2", "benefit", "rsa", february),
    ]
    assert records.codes == {"benefit": ("rsa",)}
    assert records.coverage == (
        Coverage(source="benefit", kind="benefit", first=january, last=february, codes=("rsa",)),
    )
    assert [(f.name, f.rows) for f in records.files] == [("rsa_1.csv", 2), ("rsa_2.csv", 2)]
    assert dropped(records.ledger, "benefit") == (4, 3, {"code_none": 1})


def test_months_outside_a_declared_coverage_are_counted(folder: Folder) -> None:
    folder.file("rsa_1.csv", "id;mois;etat\n1;202101;2\n1;202102;2\n1;202103;2\n")
    records = folder.read(BENEFIT + 'coverage = ["2021-02", "2021-12"]\n')
    assert dropped(records.ledger, "benefit") == (3, 2, {"outside_coverage": 1})
    assert records.coverage[0].last == to_index("2021-12")


# --- wide ------------------------------------------------------------------------------------


def test_wide(folder: Folder) -> None:
    folder.file("paths1.csv", '"id","sex","Dec.20","Jan.21"\n1,F,work,train\n2,H,NA,\n')
    folder.file("paths2.csv", "Feb.21,id\nwork,1\n")
    attributes = 'attributes.woman = {column = "sex", type = "category"}\n'
    assert "column 'sex'" in folder.refused(PATHS + attributes)
    records = folder.read(PATHS)
    december = to_index("2020-12")
    assert states(records.states) == [
        ("paths", "1", "accompaniment", "training", december + 1),
        ("paths", "1", "employment", "job", december),
        ("paths", "1", "employment", "job", december + 2),
    ]
    assert rows(records.persons) == [("1",), ("2",)]
    assert [(c.kind, c.first, c.last) for c in records.coverage] == [
        ("employment", december, december + 2),
        ("accompaniment", december, december + 2),
    ]
    assert dropped(records.ledger, "paths") == (3, 3, {})
    assert dropped(records.ledger, "paths", "person_months") == (5, 3, {"code_none": 2})


def test_wide_carries_attributes(folder: Folder) -> None:
    folder.file("paths.csv", "id,sex,Dec.20\n1,F,work\n2,,work\n")
    records = folder.read(PATHS + 'attributes.sex = {column = "sex", type = "category"}\n')
    assert rows(records.persons) == [("1", "F"), ("2", None)]


# --- persons and attributes ------------------------------------------------------------------


def test_persons(folder: Folder) -> None:
    folder.file(
        "personnes.csv",
        "nir;nom;zone;age;naissance;sexe\n"
        "1;A;Z1;42,5;03/1971;F\n"
        "2;B;;;;\n"
        "3;C;9999;1;12/2001;?\n"
        "1;A bis;Z1;42,5;03/1971;F\n",
    )
    records = folder.read(PEOPLE)
    march, december = to_index("1971-03"), to_index("2001-12")
    assert rows(records.persons) == [
        ("1", "Z1", 42.5, march, 1),
        ("2", None, None, None, None),
        ("3", None, 1.0, december, None),
    ]
    assert records.attributes == {
        "market": "category", "age": "number", "born": "month", "woman": "boolean",
    }  # fmt: skip
    assert dropped(records.ledger, "people") == (4, 3, {"same_person": 1})
    types = {name: str(kind) for name, kind in records.persons.schema().items()}
    assert types == {
        "person_id": "string", "market": "string", "age": "float64", "born": "int32",
        "woman": "int8",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "decimal", "value"),
    [
        ("1.5", ".", 1.5),
        ("-2", ".", -2.0),
        ("1e3", ".", 1000.0),
        ("1,5", ",", 1.5),
        (" 7 ", ".", 7.0),
    ],
)
def test_numbers(folder: Folder, raw: str, decimal: str, value: float) -> None:
    folder.file("personnes.csv", f"nir;x\n1;{raw}\n")
    assert rows(folder.read(_number(decimal)).persons) == [("1", value)]


@pytest.mark.parametrize(
    ("raw", "decimal"),
    [("1,5", "."), ("1.000,5", ","), ("1 000", "."), ("1_000", "."), ("nan", "."), ("inf", "."),
     ("1e999", "."), ("0x1F", ".")],
)  # fmt: skip
def test_not_numbers(folder: Folder, raw: str, decimal: str) -> None:
    folder.file("personnes.csv", f"nir;x\n1;{raw}\n")
    assert "column 'x': needed numbers" in folder.refused(_number(decimal), raw)


def _number(decimal: str) -> str:
    keys = f'{{column = "x", type = "number", decimal = "{decimal}"}}'
    head = PEOPLE.split("[sources.people.attributes]", maxsplit=1)[0]
    return f"{head}attributes.x = {keys}\n"


def test_strangers_to_the_persons_file_are_counted(folder: Folder) -> None:
    folder.file("personnes.csv", "nir;zone;age;naissance;sexe\n1;Z;;;\n5;Z;;;\n")
    folder.file(
        "contrats.csv", f"{HEADER}1;A;01/02/2021;;01\n2;B;01/02/2021;;01\n2;B;02/02/2021;;01\n"
    )
    folder.file("rsa_1.csv", "id;mois;etat\n1;202101;2\n3;202101;2\n")
    counting = 'strangers = "count"\n'
    records = folder.read(PEOPLE + CONTRACTS + counting + BENEFIT + counting)
    assert [row[0] for row in rows(records.persons)] == ["1", "5"]
    assert [row[1] for row in states(records.episodes)] == ["1"]
    assert [row[1] for row in states(records.states)] == ["1"]
    assert dropped(records.ledger, "contracts") == (3, 1, {"person_unknown": 2})
    assert dropped(records.ledger, "benefit") == (2, 1, {"person_unknown": 1})
    assert dropped(records.ledger, "persons", "persons") == (4, 2, {"person_unknown": 2})


def test_attributes_of_two_sources_side_by_side(folder: Folder) -> None:
    folder.file("personnes.csv", "nir;zone;age;naissance;sexe\n1;Z;;;F\n2;Z;;;H\n")
    folder.file("contrats.csv", f"{HEADER}2;Léa;01/02/2021;;01\n3;Zoé;01/02/2021;;01\n")
    names = 'attributes.name = {column = "nom", type = "category"}\n'
    records = folder.read(PEOPLE + CONTRACTS + names)
    assert rows(records.persons.select("person_id", "market", "name")) == [
        ("1", "Z", None),
        ("2", "Z", "Léa"),
        ("3", None, "Zoé"),
    ]


def test_attributes_named_like_columns_of_the_room(folder: Folder) -> None:
    folder.file("personnes.csv", "nir;a;b;c\n1;x;y;z\n")
    head = PEOPLE.split("[sources.people.attributes]", maxsplit=1)[0]
    names = ("file", "reason", "source")
    keys = [
        f'attributes.{n} = {{column = "{c}", type = "category"}}'
        for n, c in zip(names, "abc", strict=True)
    ]
    assert rows(folder.read(head + "\n".join(keys)).persons) == [("1", "x", "y", "z")]


# --- how files are written -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("iso-8859-15", "latin9"),
        ("utf-16", "utf-16"),
    ],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_encodings(folder: Folder, encoding: str, declared: str, line_break: str) -> None:
    text = "identité;zoné\né1;Épernay\nœ2;Œting\n"
    folder.file("personnes.csv", text.replace("\n", line_break).encode(encoding))
    records = folder.read(f"""\
[sources.people]
layout = "persons"
files = "*.csv"
encoding = "{declared}"
person = {{column = "identité"}}
attributes.market = {{column = "zoné", type = "category"}}
""")
    assert rows(records.persons) == [("é1", "Épernay"), ("œ2", "Œting")]


def test_quoted_separators_line_breaks_and_quotes(folder: Folder) -> None:
    folder.file("contrats.csv", f'{HEADER}"7;8";"dit ""Z""\nou ""Y""";01/02/2021;"";"01"\n')
    assert states(folder.read(CONTRACTS).episodes) == [
        ("contracts", "7;8", "employment", "cdi", "2021-02-01", None)
    ]


def test_other_separator_and_quote(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;'a;b';01/02/2021;;01\n".replace(";", "\t"))
    mapping = CONTRACTS + 'separator = "\\t"\nquote = "\'"\n'
    assert folder.read(mapping).episodes.count().execute() == 1


def test_last_line_without_its_break_when_the_mapping_allows_it(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;a;01/02/2021;;01")
    records = folder.read(CONTRACTS + 'final_newline = "optional"\n')
    assert records.episodes.count().execute() == 1


def test_words_that_engines_take_for_null_are_text(folder: Folder) -> None:
    folder.file("personnes.csv", "nir;zone;age;naissance;sexe\nNULL;NA;;;\nnull;nan;;;\n")
    records = folder.read(PEOPLE)
    assert rows(records.persons.select("person_id", "market")) == [("NULL", "NA"), ("null", "nan")]


def test_codes_and_headers_with_awkward_characters(folder: Folder) -> None:
    header = "ID;id;l'état [x];début;fin\n"
    folder.file("contrats.csv", f"{header}9;7;d'été %;01/02/2021;\n")
    records = folder.read("""\
[sources.contracts]
layout = "spells"
files = "contrats.csv"
kind = "employment"
coverage = ["2021-01", "2022-12"]
person = {column = "id"}
start = {column = "début", format = "%d/%m/%Y"}
end = {column = "fin"}
code = {column = "l'état [x]", values = {"d'été %" = "summer"}}
""")
    assert states(records.episodes)[0][:4] == ("contracts", "7", "employment", "summer")


def test_folders_that_look_like_patterns_or_partitions(folder: Folder) -> None:
    place = folder.path / "année=2021" / "[copie]*"
    place.mkdir(parents=True)
    (place / "contrats.csv").write_text(f"{HEADER}7;a;01/02/2021;;01\n", encoding="utf-8")
    records = folder.read(CONTRACTS.replace("contrats*.csv", "**/contrats.csv"))
    assert records.episodes.count().execute() == 1
    assert [f.name for f in records.files] == ["année=2021/[copie]*/contrats.csv"]


# --- the records as a whole ------------------------------------------------------------------


def test_kinds_told_by_the_operator_alone(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;a;01/02/2021;;01\n")
    own = CONTRACTS + "declared_by_operator = true\n"
    other = CONTRACTS.replace("sources.contracts", "sources.other")
    assert folder.read(own).operator_declared == {"employment"}
    assert folder.read(own + other).operator_declared == frozenset()
    school = other.replace('kind = "employment"', 'kind = "education"')
    assert folder.read(own + school).operator_declared == {"employment"}


def test_readings_share_an_engine_without_meeting(folder: Folder) -> None:
    folder.file("contrats.csv", f"{HEADER}7;a;01/02/2021;;01\n")
    first = folder.read(CONTRACTS)
    folder.file("contrats.csv", f"{HEADER}8;a;01/02/2021;;01\n9;a;01/02/2021;;01\n")
    second = folder.read(CONTRACTS)
    assert rows(first.persons) == [("7",)]
    assert rows(second.persons) == [("8",), ("9",)]
    assert len(folder.tables()) == 6


def test_a_mapping_elsewhere_and_an_engine_of_its_own(folder: Folder, engine: Backend) -> None:
    folder.file("contrats.csv", f"{HEADER}7;a;01/02/2021;;01\n")
    absolute = (folder.path / "contrats*.csv").as_posix()
    (folder.path / "inner").mkdir()
    mapping = folder.path / "inner" / "sources.toml"
    text = CONTRACTS.replace("contrats*.csv", absolute)
    mapping.write_text(f"schema = 1\n{text}", encoding="utf-8")
    records = read(str(mapping))
    assert records.connection is not engine
    assert [f.name for f in records.files] == ["contrats.csv"]
    (folder.path / "contrats.csv").unlink()
    assert records.episodes.count().execute() == 1


def test_memory_smaller_than_the_table(folder: Folder) -> None:
    lines = [f"{i:07d};n{i};01/02/2021;;01\n" for i in range(200_000)]
    folder.file("contrats.csv", HEADER + "".join(lines))
    (folder.path / "sources.toml").write_text(f"schema = 1\n{CONTRACTS}", encoding="utf-8")
    spill = folder.path / "spill"
    spill.mkdir()
    small = connect(memory_limit="60MB", threads=1, directory=spill)
    assert (
        read(folder.path / "sources.toml", connection=small).episodes.count().execute() == 200_000
    )
