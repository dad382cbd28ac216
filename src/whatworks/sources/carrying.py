"""Records as files, to be carried from one engine to another or read again without the raw files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends import BaseBackend

from whatworks.errors import UsageError
from whatworks.ledger import Ledger, Step
from whatworks.sources.engine import batches_of, connect
from whatworks.sources.formats.files import literal_path
from whatworks.sources.records import Coverage, FieldRead, FileRead, Geography, Linked, Records

FORMAT: Final = 1
_ABOUT: Final = "records.json"
_TABLES: Final = ("persons", "episodes", "states", "measures", "blind", "places", "identities")


def write_records(records: Records, folder: str | Path) -> Path:
    """Write records as Parquet files and a file that tells the rest.

    Parameters
    ----------
    records : Records
    folder : path
        Made when it is missing; must hold no records yet. It holds what the sources hold of
        persons: keep it as they are kept.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        When the folder holds records already.
    """
    folder = Path(folder)
    if (folder / _ABOUT).exists():
        raise UsageError(
            what=str(folder),
            needed="a folder without records",
            found="one that holds some",
            remedy="remove it or give another",
        )
    # Rows of persons: others enter a new folder once its owner lets them.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tables = {name: getattr(records, name) for name in _TABLES}
    if records.geography is not None:
        tables |= {"communes": records.geography.communes, "tightness": records.geography.tightness}
    if records.linked is not None:
        tables["links"] = records.linked.links
        rates = pa.Table.from_pandas(records.linked.rates, preserve_index=False)
        pq.write_table(rates, folder / "rates.parquet")
    for name, table in tables.items():
        if table is not None:
            _write(table, folder / f"{name}.parquet")
    text = json.dumps(_about(records, [n for n, t in tables.items() if t is not None]), indent=1)
    part = folder / f"{_ABOUT}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / _ABOUT)  # last: a folder with this file is whole
    return folder


def read_records(folder: str | Path, connection: BaseBackend | None = None) -> Records:
    """Read records written by `write_records`.

    Parameters
    ----------
    folder : path
    connection : ibis backend, optional
        DuckDB or Spark (`whatworks.connect_spark`); a new embedded engine by default.

    Returns
    -------
    Records
        Its tables are views of the files: keep them where they are while it is used.

    Raises
    ------
    UsageError
        When the folder holds no records of this format.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(folder, found=type(error).__name__) from None
    if about.get("format") != FORMAT:
        raise _unreadable(folder, found=f"format {about.get('format')!r}")
    con = connect() if connection is None else connection
    try:
        return _records(about, con, folder)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(folder, found=f"other contents ({type(error).__name__})") from None


def _records(about: Mapping[str, Any], con: BaseBackend, folder: Path) -> Records:
    tables = {
        name: con.read_parquet(_path(con, folder / f"{name}.parquet")) for name in about["tables"]
    }
    return Records(
        connection=con,
        codes={kind: tuple(codes) for kind, codes in about["codes"]},
        attributes=dict(about["attributes"]),
        coverage=tuple(Coverage.of(c) for c in about["coverage"]),
        files=tuple(FileRead(**f) for f in about["files"]),
        fields=tuple(FieldRead(**f) for f in about["fields"]),
        ledger=Ledger(tuple(_step(step) for step in about["ledger"])),
        mapping_hash=about["mapping_hash"],
        operator_declared=frozenset(about["operator_declared"]),
        geography=_geography(about, tables),
        linked=_linked(about, tables, folder),
        schemes=frozenset((kind, code) for kind, code in about["schemes"]),
        intensities=frozenset((kind, code) for kind, code in about["intensities"]),
        units=about["units"],
        gaps=about["gaps"],
        gap_days=about["gap_days"],
        **{name: tables[name] for name in _TABLES if name in tables},
    )


def _path(con: BaseBackend, path: Path) -> str:
    """A path in which the engine sees no pattern."""
    return str(path.resolve()) if con.name == "pyspark" else literal_path(path.resolve())


def _about(records: Records, tables: list[str]) -> dict[str, Any]:
    """Everything that is not a table, in plain values."""
    place, linked = records.geography, records.linked
    return {
        "format": FORMAT,
        "tables": tables,
        "codes": [[kind, list(codes)] for kind, codes in records.codes.items()],
        "attributes": [[name, kind] for name, kind in records.attributes.items()],
        "coverage": [asdict(c) for c in records.coverage],
        "files": [asdict(f) for f in records.files],
        "fields": [asdict(f) for f in records.fields],
        "ledger": [asdict(step) for step in records.ledger.steps],
        "mapping_hash": records.mapping_hash,
        "operator_declared": sorted(records.operator_declared),
        "schemes": sorted(records.schemes),
        "intensities": sorted(records.intensities),
        "units": dict(records.units),
        "gaps": dict(records.gaps),
        "gap_days": dict(records.gap_days),
        "geography": None if place is None else {"year": place.year, "level": place.level},
        "threshold": None if linked is None else linked.threshold,
    }


def _write(table: ibis.Table, path: Path) -> None:
    """Write a table batch by batch."""
    schema = table.schema().to_pyarrow()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches_of(table):
            writer.write_batch(batch.cast(schema))


def _step(plain: Mapping[str, Any]) -> Step:
    dropped = tuple((str(reason), int(n)) for reason, n in plain["dropped"])
    return Step(**{**plain, "dropped": dropped})


def _geography(about: Mapping[str, Any], tables: Mapping[str, ibis.Table]) -> Geography | None:
    if about["geography"] is None:
        return None
    communes, tightness = tables["communes"], tables.get("tightness")
    return Geography(communes=communes, tightness=tightness, **about["geography"])


def _linked(
    about: Mapping[str, Any], tables: Mapping[str, ibis.Table], folder: Path
) -> Linked | None:
    if about["threshold"] is None:
        return None
    rates: pd.DataFrame = pq.read_table(folder / "rates.parquet").to_pandas()
    return Linked(links=tables["links"], rates=rates, threshold=float(about["threshold"]))


def _unreadable(folder: Path, *, found: str) -> UsageError:
    return UsageError(
        what=str(folder),
        needed=f"a folder written by write_records(), format {FORMAT}",
        found=found,
        remedy="write the records again",
    )
