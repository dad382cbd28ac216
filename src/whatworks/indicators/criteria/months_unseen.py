"""Months of the window in which a needed state could not have been seen.

A kind told by two sources is not seen where the shorter one has ended, if only that one could tell
some of its codes. Contracts that are a programme are told apart and needed only where an outcome names
them.
"""

from __future__ import annotations

from typing import Final

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.indicators.definitions.employment import ordinary_codes
from whatworks.vocabulary import Kind, state_column


def read(case: Case) -> tuple[Reading, ...]:
    """Share of the window, for each kind: that of its code least seen."""
    first, last = case.measured.window
    window = set(range(first, last + 1))
    readings = []
    for kind in case.indicator.kinds:
        covering = case.measured.covering((kind,))
        unseen = [
            window - {m for c in covering if c.tells(code) for m in range(c.first, c.last + 1)}
            for code in _needed(case, kind)
        ]
        readings.append(
            Reading(
                value=max(map(len, unseen)) / len(window),
                sources=tuple(sorted({c.source for c in covering})),
            )
        )
    return tuple(readings)


def _needed(case: Case, kind: str) -> tuple[str, ...]:
    """Codes of a kind without which the outcome is not what it says."""
    codes = case.measured.panel.states[kind]
    named = tuple(code for code in codes if state_column(kind, code) in case.indicator.codes)
    ordinary = ordinary_codes(case.measured.panel) if kind == Kind.EMPLOYMENT else ()
    return named or ordinary or codes


CRITERION: Final = Criterion(
    name="months_unseen",
    read=read,
    found="{measured:.1%} of the window's months unseen",
    needed="at most {threshold:.0%}",
    remedy="shorten the window or obtain the missing months",
)
