"""The verb of the room, `read`: a mapping file and the raw files it names become Records."""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

from whatworks.ledger import Ledger
from whatworks.sources.engine import connect
from whatworks.sources.gathering import (
    Everyone,
    count_others,
    gather_beside,
    gather_events,
    gather_persons,
    reading_ledger,
)
from whatworks.sources.joining import acquaintance, circles_of, unheard
from whatworks.sources.mapping import Linkage, Mapping, load
from whatworks.sources.passages import Passage
from whatworks.sources.private import PrivateFolder
from whatworks.sources.problems import Problem, ProblemsError, refuse_if, refusing, reworded
from whatworks.sources.reading import Reading, read_source
from whatworks.sources.records import FileRead, Records
from whatworks.sources.references.territories import Atlas, in_geography, read_territories
from whatworks.sources.rows.objections import Opposed, read_objections
from whatworks.sources.schemas import (
    BLIND,
    EPISODES,
    MEASURES,
    PLACES,
    STATES,
    check,
    persons_product,
)
from whatworks.sources.scratch import Scratch
from whatworks.sources.telling import (
    attribute_types,
    codes_of,
    fields_of,
    gap_days_of,
    gaps_of,
    intensities_of,
    operator_declared,
    schemes_of,
    units_of,
)


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
    with (
        refusing(),
        PrivateFolder() as folder,
        Scratch(engine) as scratch,
        reworded("the raw files"),
    ):
        spool = folder / "utf8.csv"
        beside = _read_beside(mapping, path, spool=spool, scratch=scratch)
        readings = _read_all(mapping, path, beside, spool=spool, scratch=scratch)
        records = _records(mapping, digest, readings, beside, scratch=scratch)
        return replace(records, linkage=_linkage(mapping, path))


def _linkage(mapping: Mapping, path: Path) -> Linkage | None:
    """What the mapping says of linkage, its paths no longer relative to the mapping."""
    told = mapping.link
    if told is None or told.secret_file is None:
        return told
    secret = path.absolute().parent / told.secret_file
    return told.model_copy(update={"secret_file": str(secret)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """What is read once for all sources."""

    opposed: Opposed | None
    atlas: Atlas | None

    @property
    def files(self) -> tuple[FileRead, ...]:
        opposed = () if self.opposed is None else self.opposed.files
        return (*opposed, *(() if self.atlas is None else self.atlas.files))


def _read_beside(mapping: Mapping, path: Path, *, spool: Path, scratch: Scratch) -> _Beside:
    """Objections and territories."""
    return _Beside(
        opposed=read_objections(mapping, mapping_file=path, spool=spool, scratch=scratch),
        atlas=read_territories(mapping, path, spool=spool, scratch=scratch),
    )


def _read_all(
    mapping: Mapping, path: Path, beside: _Beside, *, spool: Path, scratch: Scratch
) -> list[Reading]:
    """Every source, or the problems of all of them."""
    readings: list[Reading] = []
    problems: list[Problem] = []
    for name, source in mapping.sources.items():
        try:
            readings.append(
                read_source(
                    name,
                    source,
                    opposed=beside.opposed,
                    mapping_file=path,
                    spool=spool,
                    scratch=scratch,
                )
            )
        except ProblemsError as error:
            problems += error.problems
    if problems:
        raise ProblemsError(problems)
    return readings


def _records(
    mapping: Mapping, digest: str, readings: list[Reading], beside: _Beside, *, scratch: Scratch
) -> Records:
    """Everything the readings say, in tables that outlive the reading."""
    circles = circles_of(readings)
    everyone = gather_persons(readings, circles, scratch=scratch)
    persons = everyone.persons
    by_day = [r for r in readings if r.source.layout == "spells"]
    by_month = [r for r in readings if r.source.layout in ("snapshots", "wide")]
    episodes, n_episodes = gather_events(by_day, persons, EPISODES, scratch=scratch)
    states, n_states = gather_events(by_month, persons, STATES, scratch=scratch)
    counts = n_episodes | n_states | count_others(readings, persons)
    refuse_if(unheard(circles, persons, counts))
    extras, extras_ledger = _extras(readings, persons, beside.atlas, scratch=scratch)
    attributes = attribute_types(mapping)
    records = Records(
        connection=scratch.connection,
        persons=check(persons, persons_product(attributes)),
        episodes=check(episodes, EPISODES),
        states=check(states, STATES),
        **extras,
        identities=everyone.identities,
        acquaintance=acquaintance(circles),
        geography=None if beside.atlas is None else beside.atlas.geography,
        coverage=tuple(c for reading in readings for c in reading.coverage),
        files=_files(readings, beside),
        ledger=_ledger(readings, counts, everyone, extras_ledger, beside),
        mapping_hash=digest,
        codes=codes_of(mapping),
        attributes=attributes,
        schemes=schemes_of(mapping),
        intensities=intensities_of(mapping),
        units=units_of(mapping),
        fields=fields_of(mapping),
        operator_declared=operator_declared(mapping),
        gaps=gaps_of(mapping),
        gap_days=gap_days_of(mapping),
    )
    atlas = () if beside.atlas is None else beside.atlas.tables
    own = [persons, episodes, states, everyone.identities, *extras.values(), *atlas]
    scratch.hand_over(*(table for table in own if table is not None))
    return records


def _extras(
    readings: list[Reading], persons: ibis.Table, atlas: Atlas | None, *, scratch: Scratch
) -> tuple[dict[str, ibis.Table | None], Ledger]:
    """Measures, months in which sources are blind, and places, each None where no source tells."""
    extras: dict[str, ibis.Table | None] = {}
    ledger = Ledger()
    for product in (MEASURES, BLIND, PLACES):
        said = [(reading.name, getattr(reading, product.name)) for reading in readings]
        table, passages = gather_beside(said, persons, product, scratch=scratch)
        for passage in passages:
            ledger = passage.written(ledger)
        if table is not None and product is PLACES and atlas is not None:
            table, brought = in_geography(table, atlas, scratch=scratch)
            ledger += brought
        extras[product.name] = None if table is None else check(table, product)
    return extras, ledger


def _ledger(
    readings: list[Reading],
    counts: Mapped[str, int],
    everyone: Everyone,
    extras: Ledger,
    beside: _Beside,
) -> Ledger:
    """The reading ledger, in the order of the reading."""
    ledger = reading_ledger(readings, counts) + extras
    for passage in everyone.passages:
        ledger = passage.written(ledger)
    if beside.atlas is not None:
        ledger += beside.atlas.ledger
    if beside.opposed is not None:
        ledger = _heeded(beside.opposed, everyone).written(ledger)
    return ledger


def _heeded(opposed: Opposed, everyone: Everyone) -> Passage:
    """Persons who object, and those of them whom no source knows: a list written otherwise shows."""
    listed = int(opposed.persons.count().execute())
    dropped = {"not_in_sources": listed - everyone.objected}
    return Passage(name="objections", unit="persons", before=listed, dropped=dropped)


def _files(readings: list[Reading], beside: _Beside) -> tuple[FileRead, ...]:
    """Raw files source by source, then the files of reference."""
    raw = [file for reading in readings for file in reading.files]
    references = [file for reading in readings for file in reading.references]
    return (*raw, *references, *beside.files)
