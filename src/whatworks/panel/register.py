"""Numbers that persons keep from one build to the next, so that newcomers move nobody."""

from __future__ import annotations

from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from whatworks.errors import UsageError
from whatworks.panel.parts import NUMBER
from whatworks.panel.store import REGISTER, write_table
from whatworks.sources.engine import batches_of, hold_table
from whatworks.sources.formats.files import literal_path
from whatworks.vocabulary import PERSON

_SCHEMA = pa.schema([pa.field(PERSON, pa.string()), pa.field(NUMBER, pa.int64())])


def number_persons(connection: Backend, persons: ibis.Table, folder: Path) -> ibis.Table:
    """Persons with their number, those of earlier builds with the one they had.

    Parameters
    ----------
    connection : ibis DuckDB backend
    persons : ibis.Table
        ``person_id`` and attributes, one row each.
    folder : Path
        Holds the register, which is written anew when it changes.

    Returns
    -------
    ibis.Table
        Persons and `NUMBER`, from 0 without a gap.

    Notes
    -----
    Newcomers follow in the order of their identifiers. When somebody of the register is gone, by
    objection for instance, the register is begun again, without that person: every number changes,
    and with them every partition.
    """
    path = folder / REGISTER
    known = held = _known(connection, path)
    if known is not None and int(known.anti_join(persons, PERSON).count().execute()):
        known = None
    if known is None:
        start, newcomers = 0, persons.select(PERSON)
    else:
        start = int(known.count().execute())
        newcomers = persons.anti_join(known, PERSON).select(PERSON)
    order = ibis.window(order_by=PERSON)
    added = newcomers.mutate(**{NUMBER: (ibis.row_number().over(order) + start).cast("int64")})
    everyone = added if known is None else known.union(added)
    numbers = hold_table(connection, "register", everyone)
    if int(numbers.count().execute()) != start or known is None:
        rows = batches_of(numbers.order_by(NUMBER))
        write_table(path, rows, _SCHEMA, private=True)
    joined = persons.join(numbers, PERSON)
    people = hold_table(connection, "people", joined.select(persons, numbers[NUMBER]))
    for table in (numbers, held):
        if table is not None:
            connection.drop_table(str(table.op().name), force=True)
    return people


def _known(connection: Backend, path: Path) -> ibis.Table | None:
    """The register of earlier builds, in the engine so that the file can be replaced."""
    if not path.exists():
        return None
    view = str(ibis.util.gen_name("register_file"))
    try:
        found = connection.read_parquet(
            literal_path(path), table_name=view, hive_partitioning=False
        )
        if found.schema().to_pyarrow() != _SCHEMA:
            raise _damaged(path, found="other columns")
        return hold_table(connection, "known", found)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        told = _damaged(path, found="one that cannot be read")
    finally:
        connection.drop_view(view, force=True)
    raise told  # out of the handler: what the engine says can quote rows


def _damaged(path: Path, *, found: str) -> UsageError:
    return UsageError(
        what=str(path),
        needed="the register of the persons of this panel, as it was written",
        found=found,
        remedy="put it back from a copy; or remove it: every person then has another number, and"
        " every partition is written again",
    )
