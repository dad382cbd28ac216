"""A path with accents is read under any locale, though the engine writes paths in UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unit.sources.folder import CONTRACTS, HEADER
from whatworks.sources.formats.files import engine_path

READ = """\
import sys
from whatworks.errors import SourceRefused
from whatworks.sources import read
try:
    records = read(sys.argv[1])
except SourceRefused as refusal:
    print("refused", ascii(str(refusal)))
else:
    print(records.episodes.count().execute(), *(ascii(file.name) for file in records.files))
"""


def shown(mapping: Path, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(mapping)],
        env={**clean, "LC_ALL": "C", "PYTHONUTF8": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    place = tmp_path / "Département [été]"
    place.mkdir()
    (place / "contrats_é.csv").write_text(f"{HEADER}7;n;01/02/2021;;01\n", encoding="utf-8")
    (place / "sources.toml").write_text(f"schema = 1\n{CONTRACTS}", encoding="utf-8")
    return place / "sources.toml"


@pytest.mark.skipif(os.name == "nt", reason="paths there are text, whatever the locale")
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_accents_under_a_locale_without_any(mapping: Path, encoding: str) -> None:
    with mapping.open("a", encoding="utf-8") as text:
        text.write(f'encoding = "{encoding}"\n')
    assert shown(mapping) == "1 'contrats_\\xe9.csv'"


@pytest.mark.skipif(os.name == "nt", reason="as above")
def test_a_path_that_nothing_helps_is_refused_plainly(tmp_path: Path) -> None:
    plain = tmp_path / "spool.csv"
    accented = Path(os.fsdecode(bytes(tmp_path) + b"/\xff.csv"))  # no text in UTF-8
    assert engine_path(plain, None) == plain
    assert engine_path(accented, None) is None
    assert engine_path(accented, accented) is None
    link = tmp_path / "link.csv"
    assert engine_path(accented, link) == link
    assert link.readlink() == accented
