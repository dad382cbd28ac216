"""XML is streamed into rows: paths, blanks, namespaces, encodings, and everything refused."""

from __future__ import annotations

import gzip
import textwrap
import tracemalloc
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from unit.sources.folder import Folder, rows
from unit.sources.raw import refusal, taken
from whatworks.sources.formats import elements
from whatworks.sources.formats.elements import complete
from whatworks.sources.formats.packing import PIECE
from whatworks.sources.formats.paths import Branch
from whatworks.sources.mapping.markup import way

HOMES = """\
<?xml version="1.0" encoding="UTF-8"?>
<Racine>
  <IdentificationFlux><TYPEFLUX>M</TYPEFLUX><DTREF>2024-01-31</DTREF></IdentificationFlux>
  <InfosFoyerRSA>
    <IdentificationRSA><MATRICULE>0012345        </MATRICULE></IdentificationRSA>
    <Personne><NOM>QUÉRÉ     </NOM><DTNAI>1990-05-01</DTNAI><ACT><CODE>CHO</CODE></ACT></Personne>
    <Personne><NOM>LE  GALL</NOM><DTNAI/></Personne>
    <PrestationRSA><ETATDOSRSA>2</ETATDOSRSA></PrestationRSA>
  </InfosFoyerRSA>
  <InfosFoyerRSA>
    <IdentificationRSA><MATRICULE>0067890</MATRICULE></IdentificationRSA>
    <PrestationRSA><ETATDOSRSA>4</ETATDOSRSA></PrestationRSA>
    <Personne><NOM><![CDATA[D'<ARC>]]> &amp; <!-- no -->C&#233;</NOM></Personne>
  </InfosFoyerRSA>
  <Fin><NOMBRE>2</NOMBRE></Fin>
</Racine>
"""
KEYS = """\
format = "xml"
[xml]
unit = "InfosFoyerRSA"
row = "Personne"
[xml.columns]
id = "../IdentificationRSA/MATRICULE"
name = "NOM"
born = "DTNAI"
act = "ACT/CODE"
state = "../PrestationRSA/ETATDOSRSA"
month = "/Racine/IdentificationFlux/DTREF"
"""
ALL = ("id", "name", "born", "act", "state", "month")
SECRETS = ("QUÉRÉ", "GALL", "0012345", "0067890", "1990", "ARC")
EXPECTED = [
    ("0012345", "QUÉRÉ", "1990-05-01", "CHO", "2", "2024-01-31"),
    ("0012345", "LE  GALL", "", "", "2", "2024-01-31"),
    ("0067890", "D'<ARC> & Cé", "", "", "4", "2024-01-31"),
]


def refused(folder: Folder, content: str | bytes, keys: str = KEYS) -> str:
    folder.file("a.xml", content)
    return refusal(folder, "a.xml", ("id",), keys=keys, secrets=SECRETS)


def changed(old: str, new: str, text: str = HOMES) -> str:
    assert old in text
    return text.replace(old, new)


# --- rows ------------------------------------------------------------------------------------


def test_paths_down_up_and_before_the_units(folder: Folder) -> None:
    folder.file("a.xml", HOMES)
    got, prints, _ = taken(folder, "a.xml", ALL, keys=KEYS)
    assert got == EXPECTED
    assert len(set(prints)) == 3


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pieces_of_any_size_give_the_same_rows(
    folder: Folder, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whatworks.sources.formats.packing.PIECE", size)
    folder.file("a.xml", HOMES)
    assert taken(folder, "a.xml", ALL, keys=KEYS)[0] == EXPECTED


def test_unit_as_row_at_another_depth(folder: Folder) -> None:
    folder.file(
        "a.xml",
        "<R><Lot><P><A>1</A></P><P><A>2</A></P></Lot><Lot><X><P><A>3</A></P></X></Lot></R>",
    )
    keys = 'format = "xml"\nxml = {unit = "P", columns = {id = "A", twice = "A"}}\n'
    got, _, _ = taken(folder, "a.xml", ("id", "twice"), keys=keys)
    assert got == [("1", "1"), ("2", "2"), ("3", "3")]


def test_row_two_levels_down_and_its_own_text(folder: Folder) -> None:
    folder.file(
        "a.xml",
        "<R><U><K>a</K><L><N>1</N><M> x </M><M/></L><L><N>2</N><M>y</M></L></U></R>",
    )
    keys = """\
format = "xml"
[xml]
unit = "U"
row = "L/M"
columns = {id = "../../K", number = "../N", text = "."}
"""
    got, _, _ = taken(folder, "a.xml", ("id", "number", "text"), keys=keys)
    assert got == [("a", "1", "x"), ("a", "1", ""), ("a", "2", "y")]


def test_namespaces_are_ignored(folder: Folder) -> None:
    text = changed("<Racine>", '<c:Racine xmlns:c="urn:caf" xmlns="urn:other">')
    text = changed("</Racine>", "</c:Racine>", text).replace("NOM>", "c:NOM>")
    folder.file(
        "a.xml",
        text.replace("<c:NOM><![", '<d:NOM xmlns:d="urn:d"><![').replace(
            "&#233;</c:NOM>", "&#233;</d:NOM>"
        ),
    )
    assert taken(folder, "a.xml", ALL, keys=KEYS)[0] == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-15", "windows-1252"])
def test_the_encoding_that_the_file_declares(folder: Folder, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    folder.file("a.xml", changed("UTF-8", declared).encode(encoding))
    assert taken(folder, "a.xml", ALL, keys=KEYS)[0] == EXPECTED


def test_compressed(folder: Folder) -> None:
    folder.file("a.xml.gz", gzip.compress(HOMES.encode()))
    assert taken(folder, "a.xml.gz", ALL, keys=KEYS)[0] == EXPECTED


def test_duplicates_are_told_by_every_declared_column(folder: Folder) -> None:
    folder.file("a.xml", changed("LE  GALL", "QUÉRÉ"))
    _, prints, _ = taken(folder, "a.xml", ("id",), keys=KEYS)
    assert len(set(prints)) == 3  # born tells them apart, though nothing reads it


def test_rows_in_the_order_of_the_file_over_several_batches(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whatworks.sources.formats.xml._BATCH", 10)
    folder.file("a.xml", "<R>" + "".join(f"<U><A>{i}</A></U>" for i in range(105)) + "</R>")
    keys = 'format = "xml"\nxml = {unit = "U", columns = {id = "A"}}\n'
    assert [int(row[0]) for row in taken(folder, "a.xml", ("id",), keys=keys)[0]] == [*range(105)]


def test_whole_walk(folder: Folder) -> None:
    folder.file("flux.xml", HOMES)
    mapping = f"""\
[sources.rsa]
layout = "snapshots"
files = "flux*.xml"
kind = "benefit"
coverage = ["2024-01", "2024-01"]
person = {{columns = ["id", "name"]}}
month = {{column = "month", format = "%Y-%m-%d"}}
code = {{column = "state", values = {{"2" = "rsa", "4" = "suspended"}}}}
{textwrap.dedent(KEYS).replace("[xml", "[sources.rsa.xml")}"""
    records = folder.read(mapping)
    assert len(rows(records.persons)) == 3
    (file,) = records.files
    assert (file.rows, file.sha256) == (3, sha256(HOMES.encode()).hexdigest())
    assert sorted(records.states.execute()["code"]) == ["rsa", "rsa", "suspended"]


# --- what is refused -------------------------------------------------------------------------


def test_several_elements_where_one_is_needed(folder: Folder) -> None:
    text = refused(folder, changed("<DTNAI/>", "<DTNAI>1990-01-01</DTNAI><DTNAI/>"))
    assert "a.xml, path 'DTNAI': needed at most one element with one text for each row" in text
    assert "found several elements for 1 of 3 rows. To do: make each of them a row" in text


def test_several_elements_by_way_of_several(folder: Folder) -> None:
    act = "<ACT><CODE>CHO</CODE></ACT>"
    text = refused(folder, changed(act, act * 2))
    assert "path 'ACT/CODE'" in text
    assert "several elements for 1 of 3 rows" in text


def test_several_elements_above_the_row_count_each_row(folder: Folder) -> None:
    twice = "<PrestationRSA><ETATDOSRSA>2</ETATDOSRSA></PrestationRSA>"
    text = refused(folder, changed(twice, twice * 2))
    assert "path '../PrestationRSA/ETATDOSRSA'" in text
    assert "several elements for 2 of 3 rows" in text


def test_an_element_with_parts_is_not_a_text(folder: Folder) -> None:
    text = refused(folder, HOMES, changed('act = "ACT/CODE"', 'act = "ACT"', KEYS))
    assert "path 'ACT'" in text
    assert "found an element with others inside for 1 of 3 rows" in text


def test_header_missing_repeated_or_late(folder: Folder) -> None:
    part = "<DTREF>2024-01-31</DTREF>"
    text = refused(folder, changed(part, ""))
    assert "path '/Racine/IdentificationFlux/DTREF': needed one element with one text" in text
    assert "before the first 'InfosFoyerRSA'; found none." in text
    assert "found several elements." in refused(folder, changed(part, part * 2))
    late = changed(part, "").replace(
        "<Fin>", f"<IdentificationFlux>{part}</IdentificationFlux><Fin>"
    )
    assert "found one after the first 'InfosFoyerRSA'" in refused(folder, late)


def test_no_unit_and_no_row(folder: Folder) -> None:
    text = refused(folder, HOMES, changed('"InfosFoyerRSA"', '"Foyer"', KEYS))
    assert text.startswith("a.xml: needed elements 'Foyer'; found none (0 rows)")
    text = refused(folder, HOMES, changed('row = "Personne"', 'row = "Person"', KEYS))
    assert "needed elements 'Person' in elements 'InfosFoyerRSA'" in text
    assert "found 2 elements 'InfosFoyerRSA' without one (0 rows)" in text


def test_units_inside_units(folder: Folder) -> None:
    text = refused(
        folder,
        "<R><U><A>1</A><U><A>2</A></U></U></R>",
        'format = "xml"\nxml = {unit = "U", columns = {id = "A"}}\n',
    )
    assert "found 1 element of that name with another inside" in text


def test_column_that_the_mapping_does_not_declare(folder: Folder) -> None:
    folder.file("a.xml", HOMES)
    text = refusal(folder, "a.xml", ("names", "id"), keys=KEYS)
    assert "a.xml, column 'names': needed that column" in text
    assert "the nearest is 'name'" in text


LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE Racine [<!ENTITY a "0012345"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Racine>&b;</Racine>
"""
OUTSIDE = """<?xml version="1.0"?>

<!DOCTYPE Racine SYSTEM "file:///etc/passwd"><Racine/>
"""


@pytest.mark.parametrize(("content", "line"), [(LAUGHS, 2), (OUTSIDE, 3)])
def test_document_types_are_refused_before_anything_expands(
    folder: Folder, content: str, line: int
) -> None:
    text = refused(folder, content)
    assert "a.xml: needed XML without a document type" in text
    assert f"found a DOCTYPE on line {line}," in text
    assert "passwd" not in text


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (changed("<DTNAI/>", "<DTNAI>"), "an error on line 7 (mismatched tag)"),
        (changed("LE  GALL", "&GALL;"), "an error on line 7 (undefined entity)"),
        (changed("LE  GALL", "LE & GALL"), "an error on line 7 (not well-formed (invalid token))"),
        (changed("LE  GALL", "GALL\0"), "an error on line 7 (not well-formed (invalid token))"),
        (changed("Fin>", "x:Fin>"), "an error on line 15 (unbound prefix)"),
        (HOMES + "<Racine/>", "an error on line 17 (junk after document element)"),
        (HOMES.encode("cp1252"), "an error on line 6 (not well-formed (invalid token))"),
        (changed("UTF-8", "UTF-16"), "an error on line 1 (encoding specified in XML"),
        (changed("UTF-8", "shift_jis"), "a declaration of another encoding on line 1"),
        (changed("UTF-8", "caf-8"), "a declaration of another encoding on line 1"),
        ("", "its end on line 1, before all its elements are closed"),
        ("id;sex\nPX;F\n", "an error on line 1 (not well-formed (invalid token))"),
    ],
)
def test_not_well_formed(folder: Folder, content: str | bytes, found: str) -> None:
    text = refused(folder, content)
    assert text.startswith("a.xml: needed ")
    assert f"found {found}" in text


def test_cut_anywhere(folder: Folder) -> None:
    whole = HOMES.rstrip().encode()
    for kept in range(0, len(whole) - 1, 13):
        text = refused(folder, whole[:kept])
        assert "a.xml: needed a whole XML file; found its end on line" in text


def test_damage_gives_all_rows_or_a_refusal(folder: Folder) -> None:
    rng = np.random.default_rng(20240131)
    whole = HOMES.encode()
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        folder.file("a.xml", bytes(damaged))
        got, _, problems = taken(folder, "a.xml", ALL, keys=KEYS, secrets=SECRETS)
        outcomes.add((len(got), bool(problems)))
    # A name of an element that is hit twice alike can still lose a row, never half a file.
    assert outcomes <= {(3, False), (0, True), (2, False)}
    assert {(3, False), (0, True)} <= outcomes
    assert folder.tables() == []


# --- memory ----------------------------------------------------------------------------------


def test_an_element_too_large_to_hold(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "_MOST_HELD", 1 << 20)
    for content in (
        "<R><InfosFoyerRSA>" + "<A/>" * 400_000,
        "<R><A>" + "x" * (2 << 20),
        "<a>" * 500_000,
        "<R b='" + "x" * (2 << 20),
    ):
        text = refused(folder, content)
        assert (
            "of at most 1 MB, so that one fits in memory; found an element that is larger" in text
        )


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    unit = b"<U><A>" + b"x" * 50 + b"</A>" + b"<B/>" * 20 + b"</U>\n"

    def peak(units: int) -> int:
        raw = [b"<R>", *([unit * 100] * (units // 100)), b"</R>"]
        tracemalloc.start()
        n = sum(1 for _ in complete(iter(raw), unit="U", header=Branch()))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n == units
        return highest

    assert peak(20_000) < 1.2 * peak(2_000) < 8 * PIECE


def test_parts_that_are_not_read_are_let_go(tmp_path: Path) -> None:
    raw = [b"<R>", *([b"<Z><A>x</A></Z>" * 1000] * 200), b"<U><A/></U></R>"]
    tracemalloc.start()
    assert len(list(complete(iter(raw), unit="U", header=Branch()))) == 1
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


# --- paths of the mapping --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"InfosFoyerRSA"', '"a/b"', "'a/b'"),
        ('row = "Personne"', 'row = "/Personne"', "'/Personne'"),
        ('"NOM"', '"caf:NOM"', "'caf:NOM'"),
        ('"NOM"', '"NOM/"', "'NOM/'"),
        ('"NOM"', '""', "''"),
        ('"NOM"', '"A/../NOM"', "'A/../NOM'"),
        ('"NOM"', '"../../NOM"', "'../../NOM'"),
        ('"NOM"', '"ACT"', "'ACT' and 'ACT/CODE'"),
    ],
)
def test_paths_that_lead_nowhere(folder: Folder, old: str, new: str, found: str) -> None:
    with pytest.raises(ValidationError) as caught:
        taken(folder, "a.xml", ("id",), keys=changed(old, new, KEYS))
    (error,) = caught.value.errors()
    assert error["loc"][0] == "xml"
    assert error["ctx"]["found"] == found


def test_ways() -> None:
    assert way("../../A/B") == (2, ("A", "B"))
    assert way("A") == (0, ("A",))
    assert way("/R/A") == (None, ("R", "A"))


@pytest.mark.parametrize(
    "key", ['encoding = "utf-8"', 'separator = ","', 'final_newline = "optional"']
)
def test_keys_of_text_belong_to_text(folder: Folder, key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        taken(folder, "a.xml", ("id",), keys=f"{key}\n{KEYS}")
    (error,) = caught.value.errors()
    assert error["ctx"]["key"] == key.split(maxsplit=1)[0]
    assert error["ctx"]["found"] == f"{key.split(maxsplit=1)[0]!r} with format 'xml'"
