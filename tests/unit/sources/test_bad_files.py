"""A raw file that cannot be trusted is refused: file, column, count, remedy, and no person."""

from __future__ import annotations

import gzip

import pytest

from unit.sources.folder import CONTRACTS, HEADER, NAME, PERSON, SOUND, Folder

PEOPLE = """\
[sources.people]
layout = "persons"
files = "personnes.csv"
person = {column = "nir"}
attributes = {market = {column = "zone", type = "category"}}
"""


def contracts(folder: Folder, *lines: str, header: str = HEADER) -> None:
    folder.file("contrats.csv", header + "".join(lines))


# --- the file as a whole ---------------------------------------------------------------------


def test_empty_file(folder: Folder) -> None:
    folder.file("contrats.csv", "")
    text = folder.refused(CONTRACTS)
    assert text.startswith("contrats.csv: needed a header and rows; found an empty file (0 rows)")
    assert "ask the producer for the file again" in text


def test_file_with_a_byte_order_mark_only(folder: Folder) -> None:
    folder.file("contrats.csv", b"\xef\xbb\xbf")
    assert "needed a line break after the last row" in folder.refused(CONTRACTS)


def test_header_only(folder: Folder) -> None:
    folder.file("contrats.csv", HEADER)
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed rows after the header; found a header and 0 rows" in text


def test_not_utf8(folder: Folder) -> None:
    folder.file("contrats.csv", HEADER.encode() + SOUND.encode() + SOUND.encode("cp1252"))
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed text encoded in utf-8" in text
    assert "bytes that are not, first on line 3" in text
    assert "encoding = 'cp1252'" in text


def test_not_the_declared_encoding(folder: Folder) -> None:
    folder.file("contrats.csv", (HEADER + SOUND).encode("utf-8"))
    text = folder.refused(CONTRACTS + 'encoding = "ascii"\n')
    assert "needed text encoded in ascii; found bytes that are not, first on line 2" in text


def test_cut_inside_a_character(folder: Folder) -> None:
    whole = (HEADER + SOUND).encode()
    folder.file("contrats.csv", whole[: whole.index("é".encode()) + 1])
    text = folder.refused(CONTRACTS)
    assert "first on line 2" in text
    assert "cut in the middle" in text


def test_nul_bytes(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND.replace("Qué", "Q\0\0"))
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed text; found 2 NUL bytes, first on line 3" in text
    assert "UTF-16" in text


def test_utf16_undeclared(folder: Folder) -> None:
    folder.file(
        "contrats.csv", (HEADER + SOUND).replace("é", "e").replace("ï", "i").encode("utf-16-le")
    )
    assert "NUL bytes, first on line 1" in folder.refused(CONTRACTS)


@pytest.mark.parametrize(
    ("content", "found", "remedy"),
    [
        ((HEADER + SOUND).encode("utf-16"), "mark that opens UTF-16", "encoding = 'utf-16'"),
        (b"\xfe\xff" + (HEADER + SOUND).encode("utf-16-be"), "UTF-16", "encoding = 'utf-16'"),
        (
            gzip.compress(b"PK\x03\x04" + bytes(40)),
            "a spreadsheet (.xlsx, .ods)",
            "save the sheet as CSV",
        ),
        (b"PAR1" + bytes(40), "a Parquet file", "format = 'parquet'"),
        (b'<?xml version="1.0"?><a/>', "an XML file", "format = 'xml'"),
        (b"PK\x03\x04" + bytes(40), "a spreadsheet (.xlsx, .ods)", "save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old format (.xls)", "save the sheet as CSV"),
    ],
    ids=["utf-16-le", "utf-16-be", "zip in gzip", "parquet", "xml", "zip", "xls"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_files_that_are_not_text(
    folder: Folder, content: bytes, found: str, remedy: str, encoding: str
) -> None:
    folder.file("contrats.csv", content)
    text = folder.refused(CONTRACTS + f'encoding = "{encoding}"\n')
    assert text.startswith(f"contrats.csv: needed text encoded in {encoding}; found ")
    assert found in text.partition("To do")[0]
    assert remedy in text.partition("To do")[2]


@pytest.mark.parametrize("end", ["", "\n"], ids=["cut", "cut, then a line break added"])
def test_cut_in_the_middle_of_a_row(folder: Folder, end: str) -> None:
    contracts(folder, SOUND, SOUND[:30] + end)
    text = folder.refused(CONTRACTS)
    assert ("needed a line break after the last row" in text) == (end == "")
    assert "needed 5 fields in every row; found 1 row otherwise, first at row 3 of the file" in text
    assert "damaged or cut: ask for it again" in text


def test_cut_inside_the_last_field(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND[:-2])
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed a line break after the last row; found none after line 3" in text
    assert "final_newline = 'optional'" in text


def test_cut_in_a_quoted_field(folder: Folder) -> None:
    contracts(folder, SOUND, f'{PERSON};"{NAME};01/03/2021\n')
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed quotes that are closed; found 1 row otherwise" in text
    assert "first at row 3" in text


def test_text_after_a_closing_quote(folder: Folder) -> None:
    contracts(folder, f'{PERSON};"{NAME}" dite Zoé;01/02/2021;;01\n', SOUND)
    text = folder.refused(CONTRACTS, "Zoé")
    assert "needed quotes that are closed; found 1 row otherwise, first at row 2" in text


def test_too_many_fields_are_counted_and_placed(folder: Folder) -> None:
    bad = SOUND.replace("Quéré", "Qué;ré")
    contracts(folder, *[SOUND.replace("73914", f"{n}") for n in range(3)], *[bad] * 8)
    text = folder.refused(CONTRACTS)
    assert "needed 5 fields in every row; found 8 rows otherwise" in text
    assert "first at row 5, 6, 7, 8, 9 of the file (its header is row 1)" in text


def test_row_longer_than_the_engine_reads(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND.replace("Quéré", "Q" * 2_100_000))
    text = folder.refused(CONTRACTS)
    assert (
        "needed rows shorter than 2,000,000 bytes; found 1 line otherwise, first on line 3" in text
    )


def test_mixed_line_breaks(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND.replace("\n", "\r\n"), SOUND)
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed the same line break after every row" in text
    assert "CR LF" in text


def test_wrong_separator(folder: Folder) -> None:
    folder.file("contrats.csv", (HEADER + SOUND).replace(";", ","))
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed columns separated by ';'" in text
    assert "write separator = ',' in the mapping" in text


def test_header_with_an_open_quote(folder: Folder) -> None:
    folder.file("contrats.csv", '"' + HEADER + SOUND)
    text = folder.refused(CONTRACTS)
    assert "needed a first line with the names of the columns; found none" in text


def test_file_without_header_does_not_list_its_first_row(folder: Folder) -> None:
    folder.file("contrats.csv", SOUND * 2)
    text = folder.refused(CONTRACTS, "28/02")
    assert "contrats.csv, column 'nir': needed that column; found 5 columns, none of that" in text
    assert "ask for the file with its header" in text


def test_utf8_file_read_as_latin(folder: Folder) -> None:
    folder.file("contrats.csv", b"\xef\xbb\xbf" + (HEADER + SOUND).encode())
    text = folder.refused(CONTRACTS + 'encoding = "cp1252"\n')
    assert "found the mark that opens UTF-8 files. To do: write encoding = 'utf-8'" in text


def test_unreadable_file(folder: Folder) -> None:
    (folder.path / "contrats.csv").symlink_to(folder.path / "gone.csv")
    text = folder.refused(CONTRACTS)
    assert "contrats.csv: needed a file that can be read; found no such file" in text
    assert "permissions" in text


# --- columns ---------------------------------------------------------------------------------


def test_missing_column_names_the_nearest(folder: Folder) -> None:
    contracts(folder, SOUND, header=HEADER.replace("debut", "date_debut"))
    text = folder.refused(CONTRACTS.replace("debut", "date_debu"))
    assert "contrats.csv, column 'date_debu': needed that column; found 5 columns" in text
    assert "the nearest is 'date_debut'" in text


def test_column_named_twice(folder: Folder) -> None:
    contracts(folder, SOUND, header=HEADER.replace("nom", "fin"))
    text = folder.refused(CONTRACTS)
    assert "contrats.csv, column 'fin': needed one column of that name; found 2" in text


def test_unmapped_column_named_twice_is_nobody_s_problem(folder: Folder) -> None:
    contracts(folder, SOUND.replace("\n", ";x\n"), header="nir;nom;debut;fin;nature;nom\n")
    assert folder.read(CONTRACTS).episodes.count().execute() == 1


# --- rows ------------------------------------------------------------------------------------


def test_wrong_date_format(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND.replace("01/02/2021", "2021-02-01"))
    text = folder.refused(CONTRACTS, "2021-02-01")
    assert "source 'contracts', contrats.csv, column 'debut'" in text
    assert "needed dates written %d/%m/%Y between 1900 and 2199" in text
    assert "found 1 of 2 rows otherwise. To do: correct start.format" in text


@pytest.mark.parametrize(
    "end", ["31/12/9999", "31/12/21", "30/02/2021", "infinity", "epoch", "28-02-2021"]
)
def test_end_that_is_no_plausible_date(folder: Folder, end: str) -> None:
    contracts(folder, SOUND, SOUND.replace("28/02/2021", end))
    text = folder.refused(CONTRACTS, end)
    assert "contrats.csv, column 'fin'" in text
    assert "1 of 2 rows" in text
    assert "end.sentinel" in text


def test_end_before_start(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND.replace("28/02/2021", "31/01/2021"))
    text = folder.refused(CONTRACTS, "31/01")
    assert "source 'contracts', contrats.csv, columns 'debut' and 'fin'" in text
    assert "needed ends on or after the start; found 1 of 2 rows otherwise" in text
    assert "end_before_start = 'count'" in text


def test_unknown_codes_are_shown_only_when_common(folder: Folder) -> None:
    many = [SOUND.replace("73914", f"{n}").replace(";01\n", ";05\n") for n in range(11)]
    rare = [SOUND.replace("73914", f"9{n}").replace(";01\n", f";{NAME}\n") for n in range(10)]
    contracts(folder, SOUND, *many, *rare)
    text = folder.refused(CONTRACTS)
    assert "source 'contracts', contrats.csv, column 'nature'" in text
    assert "found 21 of 22 rows with 2 unknown codes, among them '05' (11)" in text
    assert "code.unmapped = 'count'" in text


def test_unknown_codes_of_one_person_are_not_shown_however_often(folder: Folder) -> None:
    repeated = [SOUND.replace("28/02/2021", f"{d:02d}/03/2021") for d in range(1, 25)]
    contracts(folder, *[line.replace(";01\n", f";{NAME}\n") for line in repeated])
    assert "found 24 of 24 rows with 1 unknown code, none shared by 11 persons" in folder.refused(
        CONTRACTS
    )


def test_exact_duplicates(folder: Folder) -> None:
    contracts(folder, SOUND, SOUND, SOUND.replace("Quéré", "Que-re"), SOUND)
    text = folder.refused(CONTRACTS, "Que-re")
    assert "source 'contracts', contrats.csv: needed rows that differ in at least one col" in text
    assert "found 2 of 4 rows otherwise" in text
    assert "duplicates = 'count'" in text


def test_same_file_delivered_twice(folder: Folder) -> None:
    for name in ("contrats1.csv", "contrats2.csv"):
        folder.file(name, HEADER + SOUND)
    assert "contrats2.csv: needed rows that differ" in folder.refused(CONTRACTS)


@pytest.mark.parametrize("blank", ["", "  "])
def test_rows_of_nobody(folder: Folder, blank: str) -> None:
    nobody = SOUND.replace(PERSON, blank)
    contracts(folder, SOUND, nobody, nobody.replace("02/2021", "03/2021"))
    text = folder.refused(CONTRACTS)
    assert "source 'contracts', contrats.csv, column 'nir'" in text
    assert "needed an identifier of the person in every row; found 2 of 3 rows" in text


def test_duplicate_person(folder: Folder) -> None:
    folder.file("personnes.csv", f"nir;zone\n{PERSON};Zone-A\n{PERSON};Zone-B\nQ;Zone-A\n")
    text = folder.refused(PEOPLE, "Zone-A", "Zone-B")
    assert "source 'people', personnes.csv, column 'zone'" in text
    assert "needed the same attributes in every row of a person" in text
    assert "found 1 duplicate person in 2 rows" in text


def test_unreadable_attributes(folder: Folder) -> None:
    mapping = PEOPLE.replace(
        "attributes = {",
        'attributes = {age = {column = "age", type = "number"}, '
        'man = {column = "h", type = "boolean"}, born = {column = "n", type = "month"}, ',
    )
    folder.file("personnes.csv", f"nir;zone;age;h;n\n{PERSON};A;42,7;oui;03/1971\nQ;;;;\n")
    text = folder.refused(mapping, "42,7", "oui", "03/1971")
    assert "3 problems" in text
    assert (
        "column 'age': needed numbers with the decimal mark '.', or nothing; found 1 of 2" in text
    )
    assert "column 'h': needed '1', '0' or a value listed under values" in text
    assert "column 'n': needed months written %Y-%m" in text


def test_wide_person_twice_in_one_file(folder: Folder) -> None:
    folder.file("w.csv", f"id;2021-01\n{PERSON};a\n{PERSON};b\nQ;a\n")
    text = folder.refused(WIDE)
    assert "source 'paths', w.csv, column 'id'" in text
    assert "needed one row per person in each file; found 1 duplicate person in 2 rows" in text


WIDE = """\
[sources.paths]
layout = "wide"
files = "w.csv"
person = {column = "id"}
months = {pattern = "%Y-%m"}
code = {values = {a = "employment:job", b = "education:school"}}
"""


def test_wide_without_months(folder: Folder) -> None:
    folder.file("w.csv", f"id;Jan.21\n{PERSON};a\n")
    text = folder.refused(WIDE)
    assert "w.csv: needed columns whose header is a month written %Y-%m; found none" in text
    assert "correct months.pattern" in text


def test_wide_with_the_wrong_separator(folder: Folder) -> None:
    folder.file("w.csv", f"id,2021-01\n{PERSON},a\n")
    assert "write separator = ','" in folder.refused(WIDE)


def test_wide_month_twice(folder: Folder) -> None:
    folder.file("w.csv", f"id;2021-01;2021-1\n{PERSON};a;a\n")
    assert "found two headers that both read as 2021-01" in folder.refused(WIDE)


def test_wide_unknown_cell(folder: Folder) -> None:
    folder.file("w.csv", f"id;2021-01;2021-02\n{PERSON};a;{NAME}\nQ;a;\n")
    text = folder.refused(WIDE)
    assert "source 'paths', w.csv, column 'months written %Y-%m'" in text
    assert "found 2 of 4 cells with 2 unknown codes, none shared by 11 persons" in text


SNAPSHOTS = """\
[sources.benefit]
layout = "snapshots"
files = "rsa_*.csv"
kind = "benefit"
person = {column = "id"}
month = {column = "mois", format = "%Y-%m"}
code = {column = "etat", values = {"2" = "rsa"}, none = ["4"]}
"""


def test_snapshot_month_unreadable(folder: Folder) -> None:
    folder.file("rsa_1.csv", f"id;mois;etat\n{PERSON};2021-01;2\n{PERSON};01/2021;2\n")
    text = folder.refused(SNAPSHOTS, "01/2021")
    assert "source 'benefit', rsa_1.csv, column 'mois': needed months written %Y-%m" in text
    assert "1 of 2 rows" in text


def test_missing_extract_is_not_a_month_without_anybody(folder: Folder) -> None:
    for month in (1, 2, 5):
        folder.file(f"rsa_{month}.csv", f"id;mois;etat\n{PERSON};2021-0{month};2\n")
    text = folder.refused(SNAPSHOTS)
    assert "source 'benefit': needed every month from 2021-01 to 2021-05" in text
    assert "found 2 months without any row: 2021-03, 2021-04" in text
    assert "coverage = ['2021-01', '2021-05']" in text
    declared = folder.read(SNAPSHOTS + 'coverage = ["2021-01", "2021-05"]\n')
    assert declared.states.count().execute() == 3


# --- several problems ------------------------------------------------------------------------


def test_every_problem_of_every_source_is_told_at_once(folder: Folder) -> None:
    folder.file("contrats1.csv", HEADER.replace("debut", "deb").replace("fin", "fini") + SOUND)
    folder.file("contrats2.csv", "")
    folder.file("personnes.csv", f"nir;zone\n{PERSON};A\n;B\n;C\n")
    text = folder.refused(CONTRACTS + PEOPLE)
    assert "found 4 problems:" in text
    for part in (
        "(1) contrats1.csv, column 'debut'",
        "(2) contrats1.csv, column 'fin'",
        "(3) contrats2.csv: needed a header and rows",
        "(4) source 'people', personnes.csv, column 'nir'",
        "found 2 of 3 rows",
    ):
        assert part in text


def test_count_per_file(folder: Folder) -> None:
    for n in range(1, 8):
        bad = [SOUND.replace("01/02/2021", f"x{n}.{i}") for i in range(n)]
        folder.file(f"contrats{n}.csv", HEADER + SOUND.replace("73914", f"{n}") + "".join(bad))
    text = folder.refused(CONTRACTS, "x7")
    assert "source 'contracts', 7 files, column 'debut'" in text
    assert "28 of 35 rows (contrats1.csv 1, contrats2.csv 2, contrats3.csv 3," in text
    assert "contrats5.csv 5, 2 other files) otherwise" in text
