"""What a panel's folder says of the panel, and `open_panel`, which believes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import ibis
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend

from whatworks.ledger import Ledger, Step
from whatworks.panel.fingerprints import plain
from whatworks.panel.parts import Columns
from whatworks.panel.record import Panel
from whatworks.panel.store import plainly, read_manifest, unreadable, write_beside
from whatworks.sources.engine import batches_of, connect
from whatworks.sources.formats.files import literal_path
from whatworks.sources.records import Coverage, FieldRead, FileRead, Geography, Linked, Records
from whatworks.spells.record import Spells
from whatworks.vocabulary import PERSON

_PATTERN: Final = re.compile(r"([\\*?\[\]{}])")
"""What Spark would take for a pattern in a path."""


def told(
    spells: Spells,
    columns: Columns,
    *,
    attributes: dict[str, str],
    window: tuple[int, int],
    n_persons: int,
    ledger: Ledger,
) -> dict[str, Any]:
    """What a panel is, in plain values: nothing of the moment or the machine it was built on."""
    records = spells.records
    return {
        "first": window[0],
        "last": window[1],
        "n_persons": n_persons,
        "states": [[kind, list(codes)] for kind, codes in columns.states.items()],
        "schemes": sorted(map(list, columns.schemes)),
        "intensities": sorted(map(list, columns.intensities)),
        "measures": list(columns.measures),
        "attributes": [[name, kind] for name, kind in attributes.items()],
        "units": dict(records.units),
        "coverage": [plain(c) for c in records.coverage],
        "operator_declared": sorted(records.operator_declared),
        "mapping_hash": records.mapping_hash,
        "overlaps": {kind: plain(overlap) for kind, overlap in spells.overlaps.items()},
        "ledger": [plain(step) for step in ledger.steps],
        "files": [plain(f) for f in records.files],
        "fields": [plain(f) for f in records.fields],
        "geography": None
        if records.geography is None
        else {"year": records.geography.year, "level": records.geography.level},
        "threshold": None if records.linked is None else records.linked.threshold,
    }


def write_sides(folder: Path, records: Records, persons: ibis.Table) -> dict[str, str]:
    """Write the tables beside the panel; returns the path of each."""
    sides = {"persons": persons}
    if records.geography is not None:
        sides["communes"] = records.geography.communes
        if records.geography.tightness is not None:
            sides["tightness"] = records.geography.tightness
    if records.linked is not None:
        sides["links"] = records.linked.links
    beside = {}
    for name, table in sides.items():
        order = [PERSON] if name == "persons" else list(table.columns)
        rows = batches_of(table.order_by(order))
        beside[name] = write_beside(folder, name, rows, table.schema().to_pyarrow())
    if records.linked is not None:
        rates = pa.Table.from_pandas(records.linked.rates, preserve_index=False)
        beside["rates"] = write_beside(folder, "rates", rates.to_batches(), rates.schema)
    return beside


def open_panel(folder: str | Path, connection: BaseBackend | None = None) -> Panel:
    """Open a panel that `build` wrote; nothing is read before it is used.

    Parameters
    ----------
    folder : path
    connection : ibis backend, optional
        DuckDB or Spark; a new embedded engine (`whatworks.connect`) by default.

    Returns
    -------
    Panel
        Its tables are views of the files named by the manifest as it is now. A later build that
        changes the panel removes files it no longer needs: open it again then.

    Raises
    ------
    UsageError
        When the folder holds no whole panel.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    con = connect() if connection is None else connection
    try:
        with plainly(folder):
            return _panel(manifest, con, folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(
            folder, found=f"a manifest with other contents ({type(error).__name__})"
        ) from None


def _panel(manifest: dict[str, Any], con: BaseBackend, folder: Path) -> Panel:
    beside = {name: _view(con, [folder / path]) for name, path in manifest["beside"].items()}
    months = [folder / p["path"] for p in manifest["partitions"]]
    types = manifest["columns"]
    table = _view(con, months) if months else ibis.memtable([], schema=types)
    return Panel(
        connection=con,
        table=table,
        persons=beside["persons"],
        states={kind: tuple(codes) for kind, codes in manifest["states"]},
        attributes=dict(manifest["attributes"]),
        first=int(manifest["first"]),
        last=int(manifest["last"]),
        n_persons=int(manifest["n_persons"]),
        coverage=tuple(Coverage.of(c) for c in manifest["coverage"]),
        operator_declared=frozenset(manifest["operator_declared"]),
        mapping_hash=str(manifest["mapping_hash"]),
        ledger=Ledger(tuple(_step(step) for step in manifest["ledger"])),
        schemes=_pairs(manifest["schemes"]),
        intensities=_pairs(manifest["intensities"]),
        measures=tuple(manifest["measures"]),
        units=manifest["units"],
        geography=_geography(manifest, beside),
        linked=_linked(manifest, beside),
        files=tuple(FileRead(**f) for f in manifest["files"]),
        fields=tuple(FieldRead(**f) for f in manifest["fields"]),
    )


def _view(con: BaseBackend, paths: Iterable[Path]) -> ibis.Table:
    """Parquet files of one layout, as one table that is read when it is used."""
    files = [path.resolve() for path in paths]
    if con.name == "pyspark":
        names = [_PATTERN.sub(r"\\\1", str(file)) for file in files]
        view = str(ibis.util.gen_name("panel_files"))
        # The backend's own reader takes one path only.
        con._session.read.parquet(*names).createOrReplaceTempView(view)  # noqa: SLF001 - see above
        return con.table(view)
    return con.read_parquet([literal_path(file) for file in files], hive_partitioning=False)


def _step(plain_step: dict[str, Any]) -> Step:
    dropped = tuple((str(reason), int(n)) for reason, n in plain_step["dropped"])
    return Step(**{**plain_step, "dropped": dropped})


def _pairs(listed: list[list[str]]) -> frozenset[tuple[str, str]]:
    return frozenset((kind, code) for kind, code in listed)


def _geography(manifest: dict[str, Any], beside: dict[str, ibis.Table]) -> Geography | None:
    if manifest["geography"] is None:
        return None
    return Geography(
        communes=beside["communes"], tightness=beside.get("tightness"), **manifest["geography"]
    )


def _linked(manifest: dict[str, Any], beside: dict[str, ibis.Table]) -> Linked | None:
    if manifest["threshold"] is None:
        return None
    rates: pd.DataFrame = beside["rates"].execute()
    return Linked(links=beside["links"], rates=rates, threshold=float(manifest["threshold"]))
