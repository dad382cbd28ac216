"""What a layout is: which columns of a file it reads, and what a row of them says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import ibis
from ibis.backends.duckdb import Backend

from whatworks.sources.mapping import Source

REASON: Final = "reason"
"""Why a row is left behind; null when it is kept."""
RAW_CODE: Final = "raw_code"
LISTED: Final = "listed"
"""Column of the values that a file lists."""

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A test that a row should not meet, and what follows when it does.

    Parameters
    ----------
    reason : str
        Code written in the ledger.
    up : ibis boolean column
        True for the rows concerned.
    columns : tuple of str
        Headers in the file, to name in an error; empty when the whole row is meant.
    refuse : bool
        Whether one such row refuses the file; else rows are left behind and counted.
    needed, remedy : str
        For the error.
    raw : str
        Column of raw codes or values: the error says how many are concerned, and shows those that
        enough persons share. Empty when it is not to be looked at.
    """

    reason: str
    up: ibis.Value
    columns: tuple[str, ...] = ()
    refuse: bool = True
    needed: str = ""
    remedy: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What rows say, before flagged ones are refused or left behind.

    The tables beside ``table`` come from the same rows and hold only what their flags would let
    through: they are to be computed once settling has refused nothing, while the rows are held.
    Their columns are those of `whatworks.sources.schemas` without ``source``.

    Parameters
    ----------
    table : ibis.Table
        ``file, person_id`` of every row (or cell), to be settled and counted. Where ``states``,
        also ``kind, code``, either ``start, end`` or ``month``, and, as the mapping has them,
        ``raw_code, scheme, intensity``.
    flags : tuple of Flag
        In order of precedence.
    unit : str
        What a row of ``table`` is: ``"rows"`` of the file or ``"person_months"`` of its cells.
    states : bool
        Whether rows tell of states. False where they give measures or places only: they are then
        settled for their flags alone, and no event is gathered.
    measures : ibis.Table or None
        ``person_id, measure, month, value``.
    blind : ibis.Table or None
        ``person_id, kind, first``.
    places : ibis.Table or None
        ``person_id, commune, first, last``; communes as the files write them, padded.
    """

    table: ibis.Table
    flags: tuple[Flag, ...]
    unit: str = "rows"
    states: bool = True
    measures: ibis.Table | None = None
    blind: ibis.Table | None = None
    places: ibis.Table | None = None


Listed = Sequence[ibis.Table | None]
"""For each override of a source, the values its file lists (`whatworks.sources.references.listings`)."""


class Layout(Protocol):
    """One file of ``layouts/``."""

    def columns(
        self, source: Source, header: Sequence[str], connection: Backend
    ) -> Mapping[str, str]:
        """Give our name and the file's header of each column read, beside person and attributes."""
        ...

    def events(self, rows: ibis.Table, source: Source, *, listed: Listed = ()) -> Events | None:
        """Say what rows mean, None when they speak of persons only.

        ``rows`` are text, never null, under the names that ``columns`` gave, with ``file`` and
        ``person_id``; rows that no one may use are no longer there.
        """
        ...


def required(key: _Key | None) -> _Key:
    """Return what its layout cannot do without, as `load` or the caller has checked."""
    if key is None:
        raise TypeError("a layout read a key that the mapping does not require of it")
    return key
