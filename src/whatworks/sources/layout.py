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
    """What rows say about states, before flagged ones are refused or left behind.

    Parameters
    ----------
    table : ibis.Table
        ``file, person_id, kind, code, raw_code`` and either ``start, end`` or ``month``.
    flags : tuple of Flag
        In order of precedence.
    unit : str
        What a row of ``table`` is: ``"rows"`` of the file or ``"person_months"`` of its cells.
    """

    table: ibis.Table
    flags: tuple[Flag, ...]
    unit: str = "rows"


class Layout(Protocol):
    """One file of ``layouts/``."""

    def columns(
        self, source: Source, header: Sequence[str], connection: Backend
    ) -> Mapping[str, str]:
        """Give our name and the file's header of each column read, beside person and attributes."""
        ...

    def events(self, rows: ibis.Table, source: Source) -> Events | None:
        """Say what rows mean, None when they speak of persons only."""
        ...


def required(key: _Key | None) -> _Key:
    """Return what its layout cannot do without, as `load` or the caller has checked."""
    if key is None:
        raise TypeError("a layout read a key that the mapping does not require of it")
    return key
