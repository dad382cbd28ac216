"""The frozen product of the third room: persons × months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis
from ibis.backends import BaseBackend

from whatworks import doors
from whatworks.ledger import Ledger
from whatworks.months import to_label
from whatworks.sources.records import Coverage, FieldRead, FileRead, Geography, Linked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Panel:
    """A row for every person and every month of the window, whether anything was seen or not.

    Parameters
    ----------
    connection : ibis backend
    table : ibis.Table
        ``person_id`` (int64, the panel's own number, from 0), ``month`` (int32), then:

        - one int32 column per state. ``employment`` is 1 or 0; ``employment_cdi`` is the declared
          length in days of the longest such contract active that month, 0 when there is none.
          Where nobody declares a length (any other kind, and states told month by month) it is
          the days since the stay began, as of the last day of the month or of the stay. Null where
          no source sees the person.
        - ``<kind>_<code>_scheme`` (string) for `schemes`: the local schemes of the month, sorted
          and joined by ``+``; null when there is none or nobody tells.
        - ``<kind>_<code>_intensity`` (float64) for `intensities`: the month's dose, 0 when there is
          none, null where no source sees the person.
        - ``measure_<name>`` (float64) for `measures`: null where no row tells it, for silence is
          not zero.
        - where places are known, ``commune`` (string): the last told not later than the month; with
          a `geography` also ``zone``, ``departement``, and ``tightness`` (float64) of that
          territory and month.
    persons : ibis.Table
        ``person_id`` (int64) and the attributes. Where places are known and no source gives a
        ``market``, it is the zone of the first month in which one is known.
    states : mapping of kind to tuple of codes
    attributes : mapping of name to type
    first, last : int
        Window, months as integers, both included.
    n_persons : int
    coverage : tuple of Coverage
    operator_declared : frozenset of str
    mapping_hash : str
    ledger : Ledger
    schemes, intensities : frozenset of (kind, code)
    measures : tuple of str
    units : mapping of measure or ``kind_code`` to unit
    geography : Geography or None
    linked : Linked or None
    files : tuple of FileRead
    fields : tuple of FieldRead

    Notes
    -----
    *As of a month* means by the dates of what happened, within one reading of the files: nothing
    dated later changes a month's row, except a ``gap`` that the mapping bridges. The declared term
    of a contract and the total dose of a stay count as known from its first day; the dose of a stay
    without an end is spread to the last day its source covers. What a later
    reading of the files revises (an end filled in afterwards) changes earlier rows, and a refreshed
    panel shows it.
    """

    connection: BaseBackend
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
    schemes: frozenset[tuple[str, str]] = frozenset()
    intensities: frozenset[tuple[str, str]] = frozenset()
    measures: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    geography: Geography | None = None
    linked: Linked | None = None
    files: tuple[FileRead, ...] = ()
    fields: tuple[FieldRead, ...] = ()

    def __repr__(self) -> str:
        """What it covers, not its tables: in a notebook those show their rows."""
        window = f"{to_label(self.first)}:{to_label(self.last)}"
        return f"Panel({self.n_persons:,} persons, {window}, mapping {self.mapping_hash[:12]})"

    def assess(self, indicator: str) -> Any:
        """Pass an indicator through the reliability gate; see `whatworks.assess`."""
        return doors.indicators().assess(self, indicator)

    def to_pandas(self) -> pd.DataFrame:
        """The whole panel in memory; for samples."""
        frame: pd.DataFrame = self.table.order_by(["person_id", "month"]).execute()
        return frame
