"""Files and mappings made, or gone wrong, to do harm: plain refusals in bounded time, nothing executed."""

from __future__ import annotations

import gzip
import os
import random
import sys
import threading
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unit.sources.folder import CONTRACTS, HEADER, SOUND, Folder, rows
from whatworks.errors import MappingError
from whatworks.sources import connect, read
from whatworks.sources.formats.table import MOST_COLUMNS

HOSTILE = [
    "'; DROP TABLE x; --",
    'a"b',
    "a]b[c",
    "{x}",
    "%s",
    "$1",
    "select",
    "a\\b",
    "é ü",
    "a.b",
    "person_id",
    "file",
    "c0",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_columns_and_files_are_only_names(folder: Folder, name: str) -> None:
    """Quotes and keywords in headers, in names of files, in codes, in the mapping: text like any other."""
    header = name.replace('"', '""')
    written = name.replace("\\", "\\\\").replace('"', '\\"')
    code = name.replace('"', '""')
    folder.file(
        f"contrats_{name}.csv",
        f'"{header}";nom;debut;fin;nature\nP1;x;01/02/2021;28/02/2021;"{code}"\n',
    )
    mapping = CONTRACTS.replace('column = "nir"', f'column = "{written}"')
    mapping = mapping.replace('"01" = "cdi"', f'"{written}" = "cdi"')
    records = folder.read(mapping)
    assert [row[:4] for row in rows(records.episodes)] == [("contracts", "P1", "employment", "cdi")]
    assert [file.name for file in records.files] == [f"contrats_{name}.csv"]


@pytest.mark.parametrize("name", HOSTILE)
def test_values_and_reasons_of_a_mapping_are_only_values(folder: Folder, name: str) -> None:
    written = name.replace("\\", "\\\\").replace('"', '\\"')
    folder.file("contrats.csv", HEADER + SOUND + SOUND.replace("Zénaïde Quéré", "autre"))
    where = f'where = [{{column = "nom", none_of = ["{written}", "autre"], reason = "left_out"}}]\n'
    records = folder.read(CONTRACTS + where)
    assert dict(records.ledger.steps[0].dropped) == {"left_out": 1}
    assert len(rows(records.episodes)) == 1
    if not name.isidentifier():
        with pytest.raises(MappingError, match="reason"):
            folder.read(CONTRACTS + where.replace("left_out", written))


@pytest.mark.parametrize("name", ["it's [1]*?.csv", "{a,b}.csv", "a%20b.csv", 'x"y.csv'])
@pytest.mark.parametrize("kind", ["csv", "gz", "parquet"])
def test_names_that_are_patterns_elsewhere(folder: Folder, name: str, kind: str) -> None:
    name = f"contrats {name}"
    # A file that the name, taken for a pattern, would match.
    folder.file("contrats it's 1xx.csv.other", "nothing")
    mapping = CONTRACTS.replace("contrats*.csv", "contrats *.csv")
    content = (HEADER + SOUND).encode()
    if kind == "parquet":
        table = dict(zip(HEADER.strip().split(";"), SOUND.strip().split(";"), strict=True))
        pq.write_table(pa.table({k: [v] for k, v in table.items()}), folder.path / name)
        mapping += 'format = "parquet"\n'
    else:
        folder.file(name, gzip.compress(content) if kind == "gz" else content)
    assert len(rows(folder.read(mapping).episodes)) == 1


def test_a_first_line_without_end(folder: Folder) -> None:
    folder.file("contrats.csv", b"a;" * 20_000_000)
    mapping = CONTRACTS + 'final_newline = "optional"\n'
    assert "found 1 line otherwise, first on line 1" in folder.refused(mapping)


def test_a_row_without_end(folder: Folder) -> None:
    """Beyond its buffer the engine drops such a row, and says nothing."""
    endless = SOUND.encode().replace(b"01/02", b"x" * 40_000_000)
    folder.file("contrats.csv", HEADER.encode() + SOUND.encode() + endless + SOUND.encode())
    text = folder.refused(CONTRACTS)
    assert "rows shorter than 2,000,000 bytes; found 1 line otherwise, first on line 3" in text


def test_a_quote_that_swallows_the_header(folder: Folder) -> None:
    folder.file("contrats.csv", '"' + HEADER + SOUND * 60_000)
    assert "a first line with the names of the columns" in folder.refused(CONTRACTS)


def test_more_columns_than_anyone_needs(folder: Folder) -> None:
    more = "".join(f";x{n}" for n in range(MOST_COLUMNS))
    folder.file("contrats.csv", HEADER.strip() + more + "\n" + SOUND)
    assert "needed at most 10,000 columns; found 10,005" in folder.refused(CONTRACTS)


def test_a_person_s_name_near_that_of_a_column_is_not_shown(folder: Folder) -> None:
    """Without a header the first row is a person's: none of it helps to find the nearest column."""
    folder.file("contrats.csv", "PX-73914;Nature;01/02/2021;28/02/2021;01\n" + SOUND)
    assert "nearest" not in folder.refused(CONTRACTS, "Nature")


@pytest.mark.parametrize("depth", [200, 50_000])
def test_elements_nested_without_end(folder: Folder, depth: int) -> None:
    mapping = CONTRACTS + (
        'format = "xml"\nxml = {unit = "u", columns = {nir = "a", debut = "b", fin = "c",'
        ' nature = "d"}}\n'
    )
    folder.file("contrats.csv", "<r>" + "<u>" * depth + "</u>" * depth + "</r>")
    text = folder.refused(mapping)
    assert "do not contain one another" in text or "an element that is larger" in text


def test_an_attribute_without_end(folder: Folder) -> None:
    mapping = CONTRACTS + 'format = "xml"\nxml = {unit = "u", columns = {nir = "a"}}\n'
    mapping = mapping.replace('columns = {nir = "a"}', 'columns = {nir = "a", debut = "b",'
                              ' fin = "c", nature = "d"}')  # fmt: skip
    folder.file("contrats.csv", b'<r><u x="' + b"y" * 40_000_000 + b'"/></r>')
    assert "an element that is larger" in folder.refused(mapping)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes among files")
@pytest.mark.parametrize("kind", ["csv", "parquet", "xml"])
def test_a_pipe_is_not_waited_for(folder: Folder, kind: str) -> None:
    os.mkfifo(folder.path / "contrats.csv")
    more = {"csv": "", "parquet": 'format = "parquet"\n'}.get(
        kind,
        'format = "xml"\nxml = {unit = "u", columns = {nir = "a", debut = "b", fin = "c",'
        ' nature = "d"}}\n',
    )
    assert "found a pipe or a device" in folder.refused(CONTRACTS + more)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_go_round(folder: Folder) -> None:
    (folder.path / "contrats.csv").symlink_to(folder.path / "contrats.csv")
    assert "a file that can be read" in folder.refused(CONTRACTS)


def test_a_folder_is_not_a_file(folder: Folder) -> None:
    (folder.path / "contrats.csv").mkdir()
    with pytest.raises(MappingError, match="a glob that matches at least one file"):
        folder.read(CONTRACTS)


@pytest.mark.parametrize(
    "files", ["package:../x", "package:/x", "package:a.b.c/x", "package:", "\\u0000"]
)
def test_files_that_are_nowhere(folder: Folder, files: str) -> None:
    with pytest.raises(MappingError):
        folder.read(CONTRACTS.replace("contrats*.csv", files))


def test_repr_shows_no_row(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the library shows tables by themselves, as in a notebook."""
    folder.file("contrats.csv", HEADER + SOUND)
    records = folder.read(CONTRACTS)
    monkeypatch.setattr(ibis.options, "interactive", True)
    assert "PX-73914" in repr(records.episodes)
    assert "PX-73914" not in repr(records)
    assert "sources" in repr(records)


def test_bytes_of_any_kind(folder: Folder) -> None:
    """Noise is refused, whatever it begins with, and in no time."""
    random_ = random.Random(3)  # noqa: S311 - noise
    for start in (
        b"",
        b"PAR1",
        b"\x1f\x8b\x08",
        HEADER.encode(),
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"<?xml",
    ):
        folder.file("contrats.csv", start + random_.randbytes(100_000))
        folder.refused(CONTRACTS)


def test_readers_on_threads_do_not_meet(tmp_path: Path, folder: Folder) -> None:
    """Two readings at once, each with an engine of its own."""
    folder.file("contrats.csv", HEADER + SOUND)
    folder.file("sources.toml", f"schema = 1\n{CONTRACTS}")
    found: list[int] = []

    def one() -> None:
        engine = connect(memory_limit="200MB", threads=1)
        made = read(folder.path / "sources.toml", connection=engine)
        found.append(int(made.episodes.count().execute()))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1]
