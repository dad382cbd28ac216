"""Person-months unknown in months that a source covers: persons it lost sight of, empty numbers."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from whatworks.indicators.case import CELL, Case, Criterion, Reading
from whatworks.indicators.gate import above
from whatworks.indicators.measured import ARM, PERSONS, TERRITORY
from whatworks.vocabulary import MONTH, SOURCE, measure_column


def read(case: Case) -> tuple[Reading, ...]:
    """Share of person-months, for each kind and measure; then the worst arm and territory."""
    readings = []
    for kind in case.indicator.kinds:
        covering = case.measured.covering((kind,))
        months = sorted({m for c in covering for m in range(c.first, c.last + 1)})
        sources = tuple(sorted({c.source for c in covering}))
        readings += _of(case, kind, months, sources)
    for measure in () if case.indicator.reassessed else case.indicator.measures:
        name = measure_column(measure)
        seen = case.measured.by_month(name)["known"]
        shown = seen.index[seen > 0]
        months = list(range(int(shown.min()), int(shown.max()) + 1)) if len(shown) else []
        readings += _of(case, name, months, ())
    return tuple(readings)


def _of(case: Case, name: str, months: list[int], sources: tuple[str, ...]) -> list[Reading]:
    rows = case.measured.cells(name)
    rows = rows[rows[MONTH].isin(months)]
    total = int(rows[PERSONS].sum())
    if total == 0:
        return []
    bounds = (months[0], months[-1])
    whole = Reading(
        value=1.0 - float(rows["known"].sum()) / total,
        sources=sources,
        months=bounds,
        cells=_cells(rows, ", ".join(sources)),
    )
    return [whole, *_margins(case, rows, sources, bounds)]


def _cells(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    cells = rows.copy()
    cells[SOURCE] = source
    cells["measured"] = 1.0 - rows["known"] / rows[PERSONS]
    return cells[list(CELL)]


def _margins(
    case: Case, rows: pd.DataFrame, sources: tuple[str, ...], months: tuple[int, int]
) -> list[Reading]:
    """Worst arm and worst territory, where one is beyond what would be refused of the whole.

    They call for a reserve and name the place: the whole is what is published.
    """
    found = []
    for by in (ARM, TERRITORY):
        sums = rows.groupby([by, MONTH])[[PERSONS, "known"]].sum().groupby(level=0)
        tall = sums.agg({PERSONS: ["sum", "max"], "known": "sum"})
        tall.columns = pd.Index(["rows", PERSONS, "known"])
        tall = tall[tall[PERSONS] >= case.gate.smallest_cell]
        if len(tall) < 2:
            continue
        share = 1.0 - tall["known"] / tall["rows"]
        worst = share.index[int(np.argmax(share.to_numpy()))]
        if above(float(share[worst]), case.gate.bounds(CRITERION.name).refuse):
            found.append(
                Reading(
                    value=float(share[worst]),
                    sources=sources,
                    months=months,
                    arm=str(worst) if by == ARM else "",
                    territory=str(worst) if by == TERRITORY else "",
                    refusable=False,
                )
            )
    return found


CRITERION: Final = Criterion(
    name="missing_outcome",
    read=read,
    found="{measured:.1%} of person-months unknown although the months are covered",
    needed="at most {threshold:.0%}",
    remedy="ask the producer for the persons it lost sight of, or add a source that sees them",
)
