"""The frozen product of the third room: persons × months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
from ibis.backends.duckdb import Backend

from whatworks import doors
from whatworks.ledger import Ledger
from whatworks.sources.records import Coverage, Linked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A row for every person and every month of the window, whether anything was seen or not.

    Parameters
    ----------
    connection : ibis DuckDB backend
    table : ibis.Table
        ``person_id`` (int64, the panel's own number), ``month`` (int32), and one int32
        column per state: ``employment`` is 1 or 0, ``employment_cdi`` is the declared
        length in days of the longest such spell active that month, 0 when there is none.
        Null where no source covers the month.
    persons : ibis.Table
        ``person_id`` (int64) and the attributes.
    states : mapping of kind to tuple of codes
    attributes : mapping of name to type
    first, last : int
        Window, months as integers, both included.
    n_persons : int
    coverage : tuple of Coverage
    operator_declared : frozenset of str
    mapping_hash : str
    ledger : Ledger
    linked : Linked or None
        How persons were linked, where they were.
    """

    connection: Backend
    table: ibis.Table
    persons: ibis.Table
    states: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, str]
    first: int
    last: int
    n_persons: int
    coverage: tuple[Coverage, ...]
    operator_declared: frozenset[str]
    mapping_hash: str
    ledger: Ledger
    linked: Linked | None = None

    def assess(self, indicator: str) -> Any:
        """Pass an indicator through the reliability gate; see `whatworks.assess`."""
        return doors.indicators().assess(self, indicator)

    def to_pandas(self) -> pd.DataFrame:
        """The whole panel in memory; for samples."""
        frame: pd.DataFrame = self.table.order_by(["person_id", "month"]).execute()
        return frame
