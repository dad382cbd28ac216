"""The ledger: what each step let through and what it left behind, and why.

Every room adds its steps; a step that does not balance cannot be written.
Reasons are short codes that the report translates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One passage: ``before = after + sum(dropped.values())``, always.

    Parameters
    ----------
    room, name : str
        Where and what, e.g. ``"sources"``, ``"contracts"``.
    unit : str
        What is counted: ``"rows"``, ``"persons"``, ``"spells"``, ``"units"``.
    before, after : int
        Counts on either side.
    dropped : tuple of (str, int)
        Reason code and count of each group left behind.
    """

    room: str
    name: str
    unit: str
    before: int
    after: int
    dropped: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        lost = sum(count for _, count in self.dropped)
        if self.before != self.after + lost or min((self.before, self.after)) < 0:
            message = (
                f"ledger step {self.room}/{self.name} does not balance: "
                f"{self.before} {self.unit} in, {self.after} out, {lost} dropped"
            )
            raise ArithmeticError(message)


@dataclass(frozen=True, slots=True)
class Ledger:
    """An immutable sequence of steps; ``add`` returns a longer one."""

    steps: tuple[Step, ...] = ()

    def add(
        self,
        room: str,
        name: str,
        *,
        unit: str,
        before: int,
        dropped: Mapping[str, int] | None = None,
    ) -> Ledger:
        """Ledger with one step more. ``after`` follows from what was dropped."""
        kept = tuple((reason, int(n)) for reason, n in (dropped or {}).items() if n)
        after = int(before) - sum(n for _, n in kept)
        step = Step(room=room, name=name, unit=unit, before=int(before), after=after, dropped=kept)
        return Ledger((*self.steps, step))

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger((*self.steps, *other.steps))

    def frame(self) -> pd.DataFrame:
        """One row per step and reason, ``(room, step, unit, before, after, reason, dropped)``."""
        rows = [
            (s.room, s.name, s.unit, s.before, s.after, reason, count)
            for s in self.steps
            for reason, count in (s.dropped or (("", 0),))
        ]
        names = ["room", "step", "unit", "before", "after", "reason", "dropped"]
        return pd.DataFrame(rows, columns=names)
