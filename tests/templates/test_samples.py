"""Every template has a sample, every sample is what its producer writes, and both travel."""

from __future__ import annotations

import gzip
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from templates.sample import SAMPLES, records, world
from whatworks.errors import OptionError
from whatworks.sources import read, templates
from whatworks.sources.mapping import Mapping
from whatworks.worlds.producers import PRODUCERS, sample, write_samples

NAMES = templates.names()


def test_every_template_has_a_producer() -> None:
    assert set(NAMES) == set(PRODUCERS)
    assert {folder.name for folder in SAMPLES.iterdir() if folder.is_dir()} == set(NAMES)


def test_an_unknown_template_is_told_with_those_that_exist() -> None:
    with pytest.raises(OptionError, match="write 'cnaf_rsa_xml'"):
        templates.text("cnaf_rsa")


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_a_valid_mapping(name: str) -> None:
    mapping = Mapping.model_validate(tomllib.loads(templates.text(name)))
    assert mapping.title
    for source in mapping.sources.values():
        assert source.files


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_sample_is_what_the_producer_writes(name: str) -> None:
    """Byte for byte; archives and Parquet by content, which their compressors do not change."""
    written = {file.name: file.content for file in sample(name, world())}
    assert set(written) == {path.name for path in (SAMPLES / name).iterdir()}
    for file, content in written.items():
        committed = SAMPLES / name / file
        if file.endswith(".gz"):
            assert gzip.decompress(content) == gzip.decompress(committed.read_bytes())
        elif not file.endswith(".parquet"):
            assert content == committed.read_bytes(), file


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_samples(tmp_path / "first", world())
    second = write_samples(tmp_path / "second", world())
    assert len(first) > 40
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_parquet_samples_hold_what_the_committed_ones_hold(tmp_path: Path) -> None:
    for file in sample("generic_parquet", world()):
        if file.name.endswith(".parquet"):
            (tmp_path / file.name).write_bytes(file.content)
            committed = pd.read_parquet(SAMPLES / "generic_parquet" / file.name)
            pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / file.name), committed)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_and_its_files_read_alike_elsewhere(name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "copie élue"
    shutil.copytree(SAMPLES / name, elsewhere)
    (elsewhere / "sources.toml").unlink()
    (elsewhere / "mapping.toml").write_text(templates.text(name), encoding="utf-8")
    moved, here = read(elsewhere / "mapping.toml"), records(name)
    assert moved.ledger == here.ledger
    assert moved.mapping_hash == here.mapping_hash
    assert moved.coverage == here.coverage


def test_samples_are_small() -> None:
    assert sum(f.stat().st_size for f in SAMPLES.rglob("*") if f.is_file()) < 900_000


def test_numbers_of_social_security_are_valid_and_nobodys() -> None:
    for who in world().identities:
        body, key = who.nir[:13], who.nir[13:]
        assert len(who.nir) == 15
        assert body[5:10] == "99999"
        assert (int(body) + int(key)) % 97 == 0
        assert body[0] == ("1" if who.sex == "M" else "2")
        assert body[1:5] == who.born[2:4] + who.born[5:7]
    assert len({who.nir for who in world().identities}) == len(world().identities)
