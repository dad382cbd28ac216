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
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET
from zlib import crc32

import numpy as np
import pyarrow.parquet as pq
import pytest
from ibis.backends.duckdb import Backend

from corruption.mutations import DELIVERIES, MARK, mutations
from whatworks import WhatworksError, build, connect, link, open_panel, read, reconcile
from whatworks.errors import RefusedError
from whatworks.months import to_label
from whatworks.sources import Records
from whatworks.sources.mapping import Source, files_of, load

ROOT = Path(__file__).parents[2] / "data" / "synthetic"
SAMPLES = sorted(path for path in ROOT.rglob("*.toml") if path.name != "study.toml")
RUNS = int(os.environ.get("CORRUPTION_RUNS", "40"))
SECRET = "a secret of the tests, long enough"  # noqa: S105 - of invented persons
_COMMON = 11
_MAPPINGS = 0.15
"""Share of damages done to the mapping."""
_DELIVERIES = 0.15
"""Share of damages, among the others, that change which files are there."""
_UNITS = ("rows", "person_rows", "person_months")


@pytest.fixture(scope="session")
def personal() -> dict[Path, frozenset[str]]:
    """Texts of each sample that would single out a person: cells that few rows share."""
    return {sample: _personal(sample) for sample in SAMPLES}


def _personal(sample: Path) -> frozenset[str]:
    cells: Counter[str] = Counter()
    for path in sample.parent.iterdir():
        if path.suffix == ".xml":
            cells.update(re.findall(r">\s*([^<>\s][^<>]*?)\s*<", path.read_text("utf-8")))
        if path.suffix == ".parquet":
            for row in pq.read_table(path).to_pylist():
                cells.update(set(map(str, row.values())))
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
        if _tells(cell) and count < _COMMON and cell not in known
    )


def _tells(cell: str) -> bool:
    """Whether a text is long enough not to be met by chance: numbers of rows are told."""
    return len(cell) >= (4 if re.search(r"[^\W\d]", cell) else 6)


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
    told = _damage(mapping_file, rng)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    delivered = _prints(folder)
    engine = connect(memory_limit="1GB", threads=1)
    spill = set(temporary.iterdir())
    out = tmp_path / "panel"
    records = None
    try:
        records = read(mapping_file, connection=engine)
        _accounted(records, mapping_file, told)
        if records.identities is not None:
            records = link(records)
        months = [m for c in records.coverage for m in (c.first, c.last)]
        window = {"first": to_label(min(months)), "last": to_label(max(months))} if months else {}
        if window:
            build(reconcile(records), out, **window)
    except WhatworksError as error:
        _silent(error, personal[sample], told, mapping_told=".toml" in told)
        if records is None:
            assert _held(engine) == [], told
        assert not (out / "manifest.json").exists(), told
    else:
        assert not window or open_panel(out).n_persons, told
    assert not [path for path in out.rglob("*") if ".part" in path.name], told
    assert set(temporary.iterdir()) == spill, told  # copies, links and rows unpacked are gone
    assert _prints(folder) == delivered, told


def _damage(mapping_file: Path, rng: np.random.Generator) -> str:
    """Do one thing to a folder; says to which file, and what."""
    victim = _victim(mapping_file, rng)
    told = f"{mapping_file.parent.name}/{victim.name}"
    if victim != mapping_file and rng.random() < _DELIVERIES:
        others = [path for path in _files(mapping_file) if path != victim]
        delivery = DELIVERIES[int(rng.integers(0, len(DELIVERIES)))]
        delivery(victim, others, rng)
        return f"{told}: {delivery.__name__}"
    possible = mutations(victim)
    mutation = possible[int(rng.integers(0, len(possible)))]
    victim.write_bytes(mutation(victim.read_bytes(), rng))
    return f"{told}: {mutation.__name__}"


def _silent(
    error: WhatworksError, personal: frozenset[str], told: str, *, mapping_told: bool
) -> None:
    """Neither the error nor anything that it carries quotes a person."""
    assert error.__cause__ is None, told
    assert error.__context__ is None or not isinstance(error, RefusedError), told
    behind = error.__context__
    texts = [str(error), repr(error), *getattr(error, "__notes__", ())]
    texts += [] if behind is None else [str(behind), repr(behind)]
    message = "\n".join(texts)
    assert MARK not in message or mapping_told, told
    # Accents and all, whole words: `repr` writes some letters otherwise than files do.
    leaked = [text for text in personal if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", message)]
    assert not leaked, f"{told}: {len(leaked)} values of persons in the message"
    assert error.needed, told
    assert error.found, told
    assert error.remedy, told


def _held(engine: Backend) -> list[str]:
    tables = "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
    return [name for query in (tables, views) for (name,) in engine.con.execute(query).fetchall()]


def _prints(folder: Path) -> dict[str, int]:
    """What a folder holds: reading leaves it as it is."""
    return {
        path.name: crc32(path.read_bytes()) if path.is_file() else 0 for path in folder.iterdir()
    }


def _files(mapping_file: Path) -> list[Path]:
    return sorted(
        path
        for path in mapping_file.parent.iterdir()
        if path.suffix in (".csv", ".gz", ".xml", ".parquet")
    )


def _victim(mapping_file: Path, rng: np.random.Generator) -> Path:
    files = _files(mapping_file)
    if rng.random() < _MAPPINGS:
        return mapping_file
    return files[int(rng.integers(0, len(files)))]


def _accounted(records: Records, mapping_file: Path, told: str) -> None:
    """Rows counted by another reader are those that enter; what leaves is what the tables hold."""
    mapping, _ = load(mapping_file)
    kept = {
        name: dict(
            table.group_by("source").aggregate(n=table.count()).execute().itertuples(index=False)
        )
        for name in ("episodes", "states", "measures", "blind", "places")
        if (table := getattr(records, name)) is not None
    }
    steps = [step for step in records.ledger.steps if step.room == "sources"]
    for name, source in mapping.sources.items():
        rows = sum(file.rows for file in records.files if file.source == name)
        counted = sum(_rows(path, source) for path in files_of(source, mapping_file))
        assert rows == counted, f"{told}: {name} has {counted} rows, {rows} were read"
        own = [step for step in steps if step.name == name and step.unit in _UNITS]
        assert own[0].before == rows, f"{told}: {name}"
        for one, next_ in pairwise(own):
            assert next_.unit != one.unit, f"{told}: {name}: a step that repeats"
        if source.layout != "persons":
            table = "episodes" if source.layout == "spells" else "states"
            assert own[-1].after == kept[table].get(name, 0), f"{told}: {name}"
        for beside in ("measures", "blind", "places"):
            said = [step for step in steps if step.name == f"{name}.{beside}"]
            assert sum(step.after for step in said) == kept.get(beside, {}).get(name, 0), told
    everyone = [step for step in steps if step.name == "persons" and step.unit == "persons"]
    assert everyone[-1].after == records.persons.count().execute(), told


def _rows(path: Path, source: Source) -> int:
    """Rows of a raw file as another reader counts them."""
    if source.format == "parquet":
        return int(pq.read_metadata(path).num_rows)
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if source.xml is not None:
        units = [e for e in ET.fromstring(data).iter() if _local(e) == source.xml.unit]  # noqa: S314 - ours
        for step in source.xml.row_steps:
            units = [child for unit in units for child in unit if _local(child) == step]
        return len(units)
    text = data.decode(source.encoding if source.encoding != "utf-8" else "utf-8-sig")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=source.separator, quotechar=source.quote
    )
    return sum(1 for row in reader if row) - 1


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def test_damages_differ() -> None:
    """The same seed is the same damage; two damages are rarely the same file."""
    data = (ROOT / "contrats.csv").read_bytes()
    prints = Counter()
    for mutation in mutations(ROOT / "contrats.csv"):
        one, two = (mutation(data, np.random.default_rng(7)) for _ in range(2))
        assert one == two
        prints[crc32(one)] += 1
    assert max(prints.values()) <= 2  # a column without zeros has none to lose
    assert len(prints) >= len(mutations(ROOT / "contrats.csv")) - 1
