"""The frozen product of the first room: what the raw files say, in one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import pandas as pd
from ibis.backends import BaseBackend

from whatworks.ledger import Ledger
from whatworks.sources.mapping.people import Linkage


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One raw file as it was read: its place in the mapping, its fingerprint, its rows.

    ``vintage`` is the month in which the extract was made, None where the mapping says nothing.
    """

    source: str
    name: str
    sha256: str
    rows: int
    vintage: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRead:
    """A field that was read, and what the mapping says of its care."""

    source: str
    name: str
    column: str
    sensitivity: str
    disclosure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquaintance:
    """Which sources should speak of the same persons, once persons are linked.

    Parameters
    ----------
    spaces : mapping of source to space
        In which each source identifies persons; ``""`` is one, too.
    givers : frozenset of str
        Spaces in which a source with attributes says who is in the study.
    lenient : frozenset of str
        Sources whose rows about other persons are left out and counted, however many they are.
    """

    spaces: Mapping[str, str]
    givers: frozenset[str]
    lenient: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Months (integers, both included) over which a source would have seen a state.

    Outside its coverage a source is silent, not negative: the panel holds nulls there. From
    ``unsettled`` on, when it is not None, what the source says may still change with a later
    vintage. ``codes`` are those it can tell of that kind; empty where it could tell any.
    """

    source: str
    kind: str
    first: int
    last: int
    unsettled: int | None = None
    codes: tuple[str, ...] = ()

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Coverage:
        """Coverage as files keep it."""
        return cls(**{**plain, "codes": tuple(plain.get("codes", ()))})

    def tells(self, code: str) -> bool:
        """Whether the source would have told of a state with this code."""
        return not self.codes or code in self.codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Geography:
    """Communes and what they belong to.

    Parameters
    ----------
    year : str
        Of the official code to which every place was brought.
    communes : ibis.Table
        ``commune, zone, departement``: each commune once.
    tightness : ibis.Table or None
        ``place, month (int32), value (float64)``.
    level : str
        What ``place`` is: ``zone`` or ``departement``.
    """

    year: str
    communes: ibis.Table
    tightness: ibis.Table | None = None
    level: str = "zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """How the persons of several spaces were recognised as one.

    Parameters
    ----------
    links : ibis.Table
        ``space, person_id (linked), method (string), probability (float64)``: one row per person
        of a space; ``method`` is ``nir``, ``key:...``, ``probabilistic`` or ``alone``. It holds no
        identifier of a raw file.
    rates : DataFrame
        ``by, group, persons, linked, link_rate, false_link_rate``, counts of fewer than 11 hidden.
    threshold : float
    """

    links: ibis.Table
    rates: pd.DataFrame
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Records:
    """Everything the mapped files say, still file by file.

    Parameters
    ----------
    connection : ibis backend
        The engine that holds the tables.
    persons : ibis.Table
        ``person_id`` (string) and one column per attribute; attributes of type ``month`` are
        month integers, ``boolean`` are 0/1 (int8), ``number`` are float64, ``category`` are
        strings. Where sources identify persons in several spaces, ``person_id`` is
        ``space:identifier`` until they are linked (`whatworks.link`).
    episodes : ibis.Table
        ``source, person_id, kind, code, start (date), end (date or null when open), scheme (string
        or null), intensity (float64 or null)``: rows of sources laid out as spells, ``end``
        included in the spell.
    states : ibis.Table
        ``source, person_id, kind, code, month (int32), scheme, intensity``: rows of sources laid
        out by month.
    measures : ibis.Table or None
        ``source, person_id, measure, month (int32), value (float64)``.
    blind : ibis.Table or None
        ``source, person_id, kind, first (int32)``: months from which a source no longer sees the
        person (moved away), until it shows the person again.
    places : ibis.Table or None
        ``source, person_id, commune, first (int32), last (int32 or null)``: communes lived in.
    linkage : Linkage or None
        What the mapping says under ``[link]``; the path of its secret is absolute.
    identities : ibis.Table or None
        ``space, person_id``, the fields of `Identity` as text but ``birth_date`` (date), and a
        column ``key_SPACE`` for each identifier of another system; null when unknown. Each person
        once; None once linked.
    acquaintance : Acquaintance or None
        Which sources should speak of the same persons.
    geography : Geography or None
    linked : Linked or None
    codes : mapping of kind to tuple of codes
        Every code the mapping can produce, in the order it declares them.
    schemes, intensities : frozenset of (kind, code)
        States of which some source tells the scheme, the intensity.
    units : mapping of measure or ``kind_code`` to unit
        Units of measures and intensities, as the mapping writes them.
    attributes : mapping of name to type
        ``category``, ``number``, ``boolean`` or ``month``, as mapped.
    coverage : tuple of Coverage
    files : tuple of FileRead
    fields : tuple of FieldRead
    ledger : Ledger
        The reading ledger.
    mapping_hash : str
        SHA-256 of the mapping file, carried to every output.
    operator_declared : frozenset of str
        Kinds whose only source is the evaluated operator itself.
    gaps : mapping of source to int
        Months without a row that do not end a stay (layouts by month).
    gap_days : mapping of source to int
        Days between two stays in one state that are one (layout ``spells``).
    """

    connection: BaseBackend
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
    measures: ibis.Table | None = None
    blind: ibis.Table | None = None
    places: ibis.Table | None = None
    identities: ibis.Table | None = None
    acquaintance: Acquaintance | None = None
    geography: Geography | None = None
    linkage: Linkage | None = None
    linked: Linked | None = None
    schemes: frozenset[tuple[str, str]] = frozenset()
    intensities: frozenset[tuple[str, str]] = frozenset()
    units: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[FieldRead, ...] = ()
    gaps: Mapping[str, int] = field(default_factory=dict)
    gap_days: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Sources, not tables: in a notebook those show their rows."""
        sources = ", ".join(dict.fromkeys(file.source for file in self.files))
        state = "linked" if self.linked is not None else "as read"
        return f"Records({state}, sources: {sources}, mapping {self.mapping_hash[:12]})"
