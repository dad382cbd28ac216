"""Text compressed by gzip is read as the text inside, and only when it comes out whole."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from unit.sources.folder import CONTRACTS, HEADER, NAME, PERSON, SOUND, Folder, rows
from unit.sources.raw import SOURCE, refusal, taken
from whatworks.sources.formats.files import inspect
from whatworks.sources.formats.packing import PIECE, PackingError, pieces
from whatworks.sources.mapping import Source

TEXT = "id;sex\nA1;F\nB2;M\n"


@pytest.mark.parametrize("name", ["people.csv.gz", "people.csv"])
def test_known_by_its_bytes_and_not_its_name(folder: Folder, name: str) -> None:
    folder.file(name, gzip.compress(TEXT.encode()))
    got, prints, _ = taken(folder, name, ("id", "sex"))
    assert sorted(got) == [("A1", "F"), ("B2", "M")]
    assert len(set(prints)) == 2


def test_fingerprints_are_those_of_the_plain_file(folder: Folder) -> None:
    folder.file("a.csv", TEXT)
    folder.file("a.csv.gz", gzip.compress(TEXT.encode()))
    plain, packed = taken(folder, "a.csv", ("id",)), taken(folder, "a.csv.gz", ("id",))
    assert sorted(plain[1]) == sorted(packed[1])


def test_members_put_end_to_end_and_padding(folder: Folder) -> None:
    start, end = TEXT[:9].encode(), TEXT[9:].encode()
    folder.file("a.csv.gz", gzip.compress(start) + gzip.compress(end) + bytes(512))
    assert sorted(taken(folder, "a.csv.gz", ("id",))[0]) == [("A1",), ("B2",)]


def test_other_encoding_inside(folder: Folder) -> None:
    folder.file("a.csv.gz", gzip.compress("id;sex\nÉ;F\n".encode("cp1252")))
    assert taken(folder, "a.csv.gz", ("id",), keys='encoding = "cp1252"\n')[0] == [("É",)]


def test_whole_walk_counts_and_hashes_the_file_as_it_lies(folder: Folder) -> None:
    packed = gzip.compress((HEADER + SOUND).encode())
    folder.file("contrats.csv.gz", packed)
    records = folder.read(CONTRACTS.replace("contrats*.csv", "contrats*.csv.gz"))
    (file,) = records.files
    assert (file.name, file.rows) == ("contrats.csv.gz", 1)
    assert file.sha256 == hashlib.sha256(packed).hexdigest()
    assert [row[0] for row in rows(records.persons)] == [PERSON]


def test_cut_archive(folder: Folder) -> None:
    packed = gzip.compress((HEADER + SOUND * 50).encode())
    for kept in (len(packed) - 1, len(packed) - 8, len(packed) // 2, 12):
        folder.file("contrats.csv.gz", packed[:kept])
        text = refusal(folder, "contrats.csv.gz", ("nir",), secrets=(PERSON, NAME))
        assert "contrats.csv.gz: needed a whole compressed file (gzip); found one that" in text
        assert "ask for the file again" in text


def test_wrong_checksum(folder: Folder) -> None:
    packed = bytearray(gzip.compress((HEADER + SOUND).encode()))
    packed[-8] ^= 1
    folder.file("a.csv.gz", bytes(packed))
    assert "does not agree with its checksum" in refusal(folder, "a.csv.gz", ("nir",))


def test_something_after_the_archive(folder: Folder) -> None:
    folder.file("a.csv.gz", gzip.compress(TEXT.encode()) + b"A1;F\n")
    assert "does not agree" in refusal(folder, "a.csv.gz", ("id",), secrets=("A1",))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is needed")
def test_full_disk_is_told_apart_from_an_unreadable_file(folder: Folder) -> None:
    folder.file("a.csv.gz", gzip.compress(TEXT.encode() * 100_000))
    source = Source.model_validate(tomllib.loads(SOURCE))
    file, (problem,) = inspect(
        folder.path / "a.csv.gz", source, name="a.csv.gz", spool=Path("/dev/full")
    )
    assert file is None
    assert (problem.what, problem.found) == ("a.csv.gz", "a full disk")
    file, (problem,) = inspect(
        folder.path / "b.csv", source, name="b.csv", spool=folder.path / "spool"
    )
    assert file is None
    assert (problem.what, problem.found) == ("b.csv", "no such file or directory")


def test_archive_of_nothing(folder: Folder) -> None:
    folder.file("a.csv.gz", gzip.compress(b""))
    assert "found an empty file (0 rows)" in refusal(folder, "a.csv.gz", ("id",))


def test_a_bomb_is_unpacked_piece_by_piece(folder: Folder) -> None:
    folder.file("bomb.gz", gzip.compress(bytes(200 << 20)))  # 200 MB of zeros in 200 KB
    tracemalloc.start()
    sizes = [len(p) for p in pieces(folder.path / "bomb.gz", hashlib.sha256())]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == 200 << 20
    assert max(sizes) <= PIECE
    assert peak < 4 << 20


def test_flipped_bits_give_the_text_or_an_error(folder: Folder) -> None:
    rng = np.random.default_rng(20240131)
    packed = gzip.compress((HEADER + SOUND * 20).encode(), mtime=0)
    whole = b"".join(pieces(_written(folder, packed), hashlib.sha256()))
    told = 0
    for _ in range(300):
        damaged = bytearray(packed)
        damaged[rng.integers(len(packed))] ^= 1 << int(rng.integers(8))
        file = _written(folder, bytes(damaged))
        try:
            content = b"".join(pieces(file, hashlib.sha256()))
        except PackingError:
            told += 1
        else:  # a bit of the header that means nothing, or the mark: it is no archive any more
            assert content in (whole, bytes(damaged))
    assert told > 250


def _written(folder: Folder, content: bytes) -> Path:
    folder.file("x.gz", content)
    return folder.path / "x.gz"
