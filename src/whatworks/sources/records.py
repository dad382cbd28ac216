"""The frozen product of the first room: what the raw files say, in one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
from ibis.backends.duckdb import Backend

from whatworks.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One raw file as it was read: its place in the mapping, its fingerprint, its rows."""

    source: str
    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Months (integers, both included) over which a source would have seen a state.

    Outside its coverage a source is silent, not negative: the panel holds nulls there.
    """

    source: str
    kind: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Everything the mapped files say, still file by file.

    Parameters
    ----------
    connection : ibis DuckDB backend
        The engine that holds the tables.
    persons : ibis.Table
        ``person_id`` (string) and one column per mapped attribute; one row per person.
        Attributes of type ``month`` are month integers, ``boolean`` are 0/1 (int8),
        ``number`` are float64, ``category`` are strings.
    episodes : ibis.Table
        ``source, person_id, kind, code, start (date), end (date or null when open)``:
        rows of sources laid out as spells, ``end`` included in the spell.
    states : ibis.Table
        ``source, person_id, kind, code, month (int32)``: rows of sources laid out by month.
    codes : mapping of kind to tuple of codes
        Every code the mapping can produce, in the order it declares them.
    attributes : mapping of name to type
        ``category``, ``number``, ``boolean`` or ``month``, as mapped.
    coverage : tuple of Coverage
    files : tuple of FileRead
    ledger : Ledger
        The reading ledger.
    mapping_hash : str
        SHA-256 of the mapping file, carried to every output.
    operator_declared : frozenset of str
        Kinds whose only source is the evaluated operator itself.
    """

    connection: Backend
    persons: ibis.Table
    episodes: ibis.Table
    states: ibis.Table
    codes: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, str]
    coverage: tuple[Coverage, ...]
    files: tuple[FileRead, ...]
    ledger: Ledger
    mapping_hash: str
    operator_declared: frozenset[str] = frozenset()
