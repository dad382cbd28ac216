"""Damaged raw files: a plain refusal or a balanced ledger; never a traceback, a part, a person's value.

Forty damages in every run; five hundred with ``make corruption``.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from corruption.mutations import MARK, mutations
from whatworks import WhatworksError, build, connect, link, read, reconcile
from whatworks.months import to_label
from whatworks.sources import Records
from whatworks.sources.mapping import Source, files_of, load

ROOT = Path(__file__).parents[2] / "data" / "synthetic"
SAMPLES = sorted(path for path in ROOT.rglob("*.toml") if path.name != "study.toml")
RUNS = int(os.environ.get("CORRUPTION_RUNS", "40"))
SECRET = "a secret of the tests, long enough"  # noqa: S105 - of invented persons
_COMMON = 11


@pytest.fixture(scope="session")
def personal() -> dict[Path, frozenset[str]]:
    """Texts of each sample that would single out a person: cells that few rows share."""
    return {sample: _personal(sample) for sample in SAMPLES}


def _personal(sample: Path) -> frozenset[str]:
    cells: Counter[str] = Counter()
    for path in sample.parent.iterdir():
        if path.suffix == ".xml":
            cells.update(re.findall(r">\s*([^<>\s][^<>]*?)\s*<", path.read_text("utf-8")))
        if path.suffix not in (".csv", ".gz"):
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = data.decode("utf-8", errors="replace").splitlines()[1:]
        for line in lines:
            cells.update(set(line.replace(",", ";").replace("|", ";").split(";")))
    known = sample.read_text("utf-8") + "".join(path.name for path in sample.parent.iterdir())
    return frozenset(
        cell
        for cell, count in cells.items()
        if len(cell) >= 6 and count < _COMMON and cell not in known
    )


@pytest.mark.parametrize("seed", range(RUNS))
def test_damage(
    seed: int, tmp_path: Path, personal: dict[Path, frozenset[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHATWORKS_LINK_SECRET", SECRET)
    rng = np.random.default_rng([20261123, seed])
    sample = SAMPLES[seed % len(SAMPLES)]
    folder = tmp_path / "sample"
    shutil.copytree(sample.parent, folder, ignore=shutil.ignore_patterns("sources"))
    mapping_file = folder / sample.name
    victim = _victim(mapping_file, rng)
    possible = mutations(victim)
    mutation = possible[int(rng.integers(0, len(possible)))]
    victim.write_bytes(mutation(victim.read_bytes(), rng))
    told = f"{sample.parent.name}/{victim.name}: {mutation.__name__}"
    out = tmp_path / "panel"
    try:
        records = read(mapping_file, connection=connect(memory_limit="1GB", threads=1))
        _accounted(records, mapping_file, told)
        if records.identities is not None:
            records = link(records)
        months = [m for c in records.coverage for m in (c.first, c.last)]
        window = {"first": to_label(min(months)), "last": to_label(max(months))} if months else {}
        if window:
            build(reconcile(records), out, **window)
    except WhatworksError as error:
        message = str(error)
        assert MARK not in message or victim.suffix == ".toml", told
        leaked = [text for text in personal[sample] if text in message]
        assert not leaked, f"{told}: {len(leaked)} values of persons in the message"
        assert not (out / "manifest.json").exists(), told
    else:
        assert not window or (out / "manifest.json").exists(), told


def _victim(mapping_file: Path, rng: np.random.Generator) -> Path:
    files = sorted(
        path
        for path in mapping_file.parent.iterdir()
        if path.suffix in (".csv", ".gz", ".xml", ".parquet")
    )
    if rng.random() < 0.1:
        return mapping_file
    return files[int(rng.integers(0, len(files)))]


def _accounted(records: Records, mapping_file: Path, told: str) -> None:
    """Rows counted by another reader are those of the ledger, source by source."""
    mapping, _ = load(mapping_file)
    for name, source in mapping.sources.items():
        rows = sum(file.rows for file in records.files if file.source == name)
        if source.format == "csv":
            counted = sum(map(lambda p: _rows(p, source), files_of(source, mapping_file)))  # noqa: C417
            assert rows == counted, f"{told}: {name} has {counted} rows, {rows} were read"
        first = next(s for s in records.ledger.steps if s.room == "sources" and s.name == name)
        assert first.before == rows, f"{told}: {name}"


def _rows(path: Path, source: Source) -> int:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    text = data.decode(source.encoding if source.encoding != "utf-8" else "utf-8-sig")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=source.separator, quotechar=source.quote
    )
    return sum(1 for row in reader if row) - 1


def test_damages_differ() -> None:
    """The same seed is the same damage; two damages are rarely the same file."""
    data = (ROOT / "contrats.csv").read_bytes()
    prints = Counter()
    for mutation in mutations(ROOT / "contrats.csv"):
        one, two = (mutation(data, np.random.default_rng(7)) for _ in range(2))
        assert one == two
        prints[crc32(one)] += 1
    assert max(prints.values()) == 1
