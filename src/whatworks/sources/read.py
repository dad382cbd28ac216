"""The verb of the room, `read`: a mapping file and the raw files it names become Records."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ibis.backends.duckdb import Backend

from whatworks.sources.engine import connect
from whatworks.sources.gathering import gather_events, gather_persons, reading_ledger
from whatworks.sources.joining import unheard
from whatworks.sources.mapping import Mapping, load
from whatworks.sources.problems import Problem, ProblemsError, refusal, refuse_if, reworded
from whatworks.sources.reading import Reading, read_source
from whatworks.sources.records import Records
from whatworks.sources.schemas import EPISODES, STATES, check, persons_product
from whatworks.sources.scratch import Scratch


def read(mapping_file: str | Path, *, connection: Backend | None = None) -> Records:
    """Read raw files as a mapping file describes them.

    Parameters
    ----------
    mapping_file : path
        A TOML file; its globs are relative to it.
    connection : ibis DuckDB backend, optional
        The engine to hold the tables; a new one (`whatworks.sources.connect`) by default.
        Several readings may share one.

    Returns
    -------
    Records

    Raises
    ------
    MappingError
        When the mapping file itself is at fault.
    SourceRefused
        When a raw file cannot be trusted as it is: names source, file, column, count and remedy,
        for everything found wrong, and quotes no row. Nothing is left in the engine.

    Notes
    -----
    Files are read one at a time: once byte by byte (fingerprint, encoding, whole or cut), once by
    the engine, which holds every column as text until the mapping says what it means. A file in
    another encoding than UTF-8 is copied as UTF-8 to a private temporary directory while it is
    read.
    """
    path = Path(mapping_file)
    mapping, digest = load(path)
    engine = connect() if connection is None else connection
    with tempfile.TemporaryDirectory(prefix="whatworks-") as folder, Scratch(engine) as scratch:
        spool = Path(folder) / "utf8.csv"
        try:
            with reworded("the raw files"):
                readings = _read_all(mapping, path, spool=spool, scratch=scratch)
                return _records(mapping, digest, readings, scratch=scratch)
        except ProblemsError as error:
            raise refusal(error.problems) from None


def _read_all(mapping: Mapping, path: Path, *, spool: Path, scratch: Scratch) -> list[Reading]:
    """Every source, or the problems of all of them."""
    readings: list[Reading] = []
    problems: list[Problem] = []
    for name, source in mapping.sources.items():
        try:
            reading = read_source(name, source, mapping_file=path, spool=spool, scratch=scratch)
            readings.append(reading)
        except ProblemsError as error:
            problems += error.problems
    if problems:
        raise ProblemsError(problems)
    return readings


def _records(
    mapping: Mapping, digest: str, readings: list[Reading], *, scratch: Scratch
) -> Records:
    """Everything the readings say, in tables that outlive the reading."""
    persons, strangers = gather_persons(readings, scratch=scratch)
    by_day = [r for r in readings if r.source.layout == "spells"]
    by_month = [r for r in readings if r.source.layout in ("snapshots", "wide")]
    episodes, n_episodes = gather_events(by_day, persons, EPISODES.types, scratch=scratch)
    states, n_states = gather_events(by_month, persons, STATES.types, scratch=scratch)
    counts = n_episodes | n_states
    refuse_if(unheard(readings, persons, counts))
    attributes = {
        name: mapped.type
        for source in mapping.sources.values()
        for name, mapped in source.attributes.items()
    }
    records = Records(
        connection=scratch.connection,
        persons=check(persons, persons_product(attributes)),
        episodes=check(episodes, EPISODES),
        states=check(states, STATES),
        codes=_codes(mapping),
        attributes=attributes,
        coverage=tuple(c for reading in readings for c in reading.coverage),
        files=tuple(f for reading in readings for f in reading.files),
        ledger=reading_ledger(
            readings,
            counts,
            n_persons=int(persons.count().execute()),
            strangers=strangers,
        ),
        mapping_hash=digest,
        operator_declared=_operator_declared(mapping),
    )
    scratch.hand_over(persons, episodes, states)
    return records


def _codes(mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """Every code the mapping can produce, per kind, in the order it declares them."""
    codes: dict[str, dict[str, None]] = {}
    for source in mapping.sources.values():
        for kind, code in source.states:
            codes.setdefault(kind, {})[code] = None
    return {kind: tuple(known) for kind, known in codes.items()}


def _operator_declared(mapping: Mapping) -> frozenset[str]:
    """Kinds that no one but the evaluated operator tells of."""
    told = {kind for source in mapping.sources.values() for kind in source.kinds}
    vouched = {
        kind
        for source in mapping.sources.values()
        if not source.declared_by_operator
        for kind in source.kinds
    }
    return frozenset(told - vouched)
