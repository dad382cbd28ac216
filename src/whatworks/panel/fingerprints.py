"""What each partition of a panel would be made from, summed up without laying it out.

A partition is a block of persons and a calendar year. Every row of the parts that bears on it is hashed
as far as that year can show it: a stay that goes on has its end cut at the end of the year, so that its
later months leave earlier years alone. Hashes are added, in two halves that cannot overflow, so that the
order of rows does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import duckdb
import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from whatworks.panel.layout import column_types
from whatworks.panel.parts import Columns
from whatworks.panel.store import FORMAT
from whatworks.sources.records import Geography

_YEAR_END: Final = "(make_date(year::INT + 1, 1, 1) - DATE '1970-01-01' - 1)"
_SEEN: Final[Mapping[str, str]] = {
    "stays": f"person_id, state, scheme, days, start_day, least(end_day, {_YEAR_END})",
    "doses": "person_id, state, start_day, end_day, millionths, row_start, row_end",
    "measures": "person_id, measure, first, value",
    "blind": "person_id, source, kind, greatest(first, 12 * year), least(last, 12 * year + 11)",
    "places": "person_id, commune, greatest(first, 12 * year), least(last, 12 * year + 11)",
}
"""What a year shows of a row of each part."""
Sums = dict[tuple[int, int], list[tuple[str, int, int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Rows of a block of persons and a year: where they are, and what they are made from."""

    block: int
    year: int
    first: int
    last: int
    mark: str

    @property
    def path(self) -> str:
        """Path in the panel's folder."""
        return f"months/{self.year}/{self.block:05d}-{self.mark}.parquet"


def partitions(
    connection: Backend,
    staged: Mapping[str, str],
    columns: Columns,
    *,
    n_persons: int,
    block_persons: int,
    window: tuple[int, int],
) -> tuple[Partition, ...]:
    """Partitions of a panel, by block then year.

    Parameters
    ----------
    connection : ibis DuckDB backend
    staged : mapping of part to the name of its table
    columns : Columns
    n_persons, block_persons : int
    window : (int, int)
        Months, both included.
    """
    sums: Sums = defaultdict(list)
    for name, table in staged.items():
        if name in _SEEN:
            _add(sums, connection, name, table, block_persons=block_persons, window=window)
    begin, stop = window
    about = {
        year: _about_year(columns, year=year, window=window, places="places" in staged)
        for year in range(begin // 12, stop // 12 + 1)
    }
    found = []
    for block in range(-(-n_persons // block_persons)):
        persons = [block * block_persons, min((block + 1) * block_persons, n_persons)]
        for year, told in about.items():
            content = json.dumps([told, persons, sorted(sums.get((block, year), []))])
            found.append(
                Partition(
                    block=block,
                    year=year,
                    first=max(begin, 12 * year),
                    last=min(stop, 12 * year + 11),
                    mark=hashlib.sha256(content.encode()).hexdigest()[:16],
                )
            )
    return tuple(found)


def _add(
    sums: Sums,
    connection: Backend,
    name: str,
    table: str,
    *,
    block_persons: int,
    window: tuple[int, int],
) -> None:
    """Add what one part shows of every block and year."""
    begin, stop = window
    months = "month AS first, month AS last, * EXCLUDE month" if name == "measures" else "*"
    query = f"""
        SELECT person_id // {block_persons}, year, sum(h & 4294967295)::BIGINT, sum(h >> 32)::BIGINT, count(*)
        FROM (SELECT person_id, year, hash({_SEEN[name]}) AS h FROM (
            SELECT *, unnest(range(greatest(first, {begin}) // 12, least(last, {stop}) // 12 + 1)) AS year
            FROM (SELECT {months} FROM {table}) WHERE first <= {stop} AND last >= {begin}))
        GROUP BY ALL"""  # noqa: S608 - names and numbers of ours
    for block, year, low, high, rows in connection.raw_sql(query).fetchall():
        sums[int(block), int(year)].append((name, int(low), int(high), int(rows)))


def _about_year(columns: Columns, *, year: int, window: tuple[int, int], places: bool) -> list[Any]:
    """What bears on all rows of a year: columns, coverage, territories, versions."""
    first, last = max(window[0], 12 * year), min(window[1], 12 * year + 11)
    coverage = [
        [c.kind, c.source, max(c.first, first), min(c.last, last)]
        for c in columns.coverage
        if c.first <= last and c.last >= first
    ]
    geography = None if columns.geography is None else _territories(columns.geography, first, last)
    versions = [FORMAT, duckdb.__version__, pa.__version__]
    types = list(column_types(columns, places=places).items())
    return [versions, [first, last], types, list(columns.numbered), sorted(coverage), geography]


def _territories(geography: Geography, first: int, last: int) -> list[Any]:
    """Sum of the crosswalk, and of the tightness of the months."""
    told: list[Any] = [geography.year, geography.level, _sum(geography.communes)]
    if geography.tightness is not None:
        tight = geography.tightness
        told.append(_sum(tight.filter(tight["month"].between(first, last))))
    return told


def _sum(table: ibis.Table) -> str:
    """Hash of a small table, whatever the order of its rows."""
    rows = table.to_pyarrow().to_pylist()
    lines = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def plain(record: Any) -> dict[str, Any]:
    """A frozen record of plain values, ready for JSON."""
    return asdict(record)
