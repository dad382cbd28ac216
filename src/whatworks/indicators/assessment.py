"""One verb, `assess`: may this outcome be published from this panel?

Each criterion (``criteria/``) measures a share or a count and compares it with two thresholds of the
gate; the worst answer decides. A refusal can be waived by a named person, in the gate file, into a
reserve that is printed; that a measure of activity is no result cannot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from whatworks.errors import IndicatorRefused, OptionError
from whatworks.indicators.case import CELL, Case, Criterion, Reading
from whatworks.indicators.criteria import (
    completeness,
    declared_breaks,
    dropped_rows,
    false_links,
    hidden_cells,
    horizon_unobserved,
    missing_key,
    missing_outcome,
    mixed_vintages,
    months_unseen,
    not_reassessed,
    single_declarant,
    unlinked,
    unlinked_gap,
    volatility,
)
from whatworks.indicators.gate import Gate, Waiver, above
from whatworks.indicators.impossible import IMPOSSIBLE, never_seen, not_a_result, not_shown
from whatworks.indicators.measured import PERSONS, Measured, measure
from whatworks.indicators.record import Refusal, shown_by
from whatworks.indicators.registry import lookup
from whatworks.months import to_index, to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import MONTH, GateVerdict, Nature

CRITERIA: Final = tuple(
    module.CRITERION
    for module in (
        months_unseen,
        horizon_unobserved,
        missing_outcome,
        missing_key,
        dropped_rows,
        unlinked,
        unlinked_gap,
        false_links,
        completeness,
        mixed_vintages,
        declared_breaks,
        volatility,
        single_declarant,
        not_reassessed,
        hidden_cells,
    )
)
_BY_NAME: Final = {criterion.name: criterion for criterion in CRITERIA}
_COLUMNS: Final = ["criterion", "measured", "reserve_above", "refuse_above", "verdict"]
_ORDER: Final = (GateVerdict.PUBLISHED, GateVerdict.WITH_RESERVE, GateVerdict.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Answer of the gate on one indicator.

    Parameters
    ----------
    indicator : str
    verdict : GateVerdict
    criteria : DataFrame
        ``criterion, measured, reserve_above, refuse_above, verdict``: the worst reading of each
        criterion that could be measured.
    refusals : tuple of Refusal
        One per reading that refuses.
    reserves : tuple of Refusal
        One per reading that calls for a reserve, those waived included.
    cells : DataFrame
        ``source, month, territory, arm, persons, criterion, measured, verdict``; cells of fewer
        persons than the gate's smallest are left out.
    waivers : tuple of Waiver
        Those that turned a refusal into a reserve.
    unmeasured : tuple of str
        Criteria that nothing here allows to measure.
    publishable_from : str or None
        Earliest vintage, ``YYYY-MM``, in which the horizon asked would be definitive for the whole
        cohort; None when it is already, or when no horizon was asked.
    """

    indicator: str
    verdict: GateVerdict
    criteria: pd.DataFrame
    refusals: tuple[Refusal, ...]
    reserves: tuple[Refusal, ...] = ()
    cells: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CELL)))
    waivers: tuple[Waiver, ...] = ()
    unmeasured: tuple[str, ...] = ()
    publishable_from: str | None = None

    def raise_if_refused(self) -> Assessment:
        """Return self when publishable.

        Raises
        ------
        IndicatorRefused
            Naming what, where, the measured value against the threshold, and what would lift it.
        """
        if self.verdict is not GateVerdict.REFUSED:
            return self
        first = self.refusals[0]
        found, needed, remedy = explained(first)
        raise IndicatorRefused(
            what=f"{first.what} refused ({first.where})", needed=needed, found=found, remedy=remedy
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the cells, as JSON can say it."""
        criteria = json.loads(self.criteria.to_json(orient="records"))
        return {
            "indicator": self.indicator,
            "verdict": str(self.verdict),
            "publishable_from": self.publishable_from,
            "criteria": criteria,
            "unmeasured": list(self.unmeasured),
            "refusals": [_told(r) for r in self.refusals],
            "reserves": [_told(r) for r in self.reserves],
            "waivers": [w.model_dump(mode="json") for w in self.waivers],
        }


def assess(
    panel: Panel,
    indicator: str,
    *,
    gate: Gate | None = None,
    horizon: int | None = None,
    cohort: tuple[str, str] | None = None,
    arms: tuple[str, ...] = (),
    measured: Measured | None = None,
) -> Assessment:
    """Judge whether an indicator can be published from this panel.

    Parameters
    ----------
    panel : Panel
    indicator : str
        Registered identifier.
    gate : Gate, optional
        Thresholds and waivers; the packaged ones by default.
    horizon : int, optional
        Months since entry at which the outcome would be read.
    cohort : tuple of str, optional
        First and last month of entry, ``YYYY-MM``; by default those of the panel.
    arms : tuple of str
        Accompaniments that the figure tells apart.
    measured : Measured, optional
        What `measure` counted of this panel: counted here otherwise, in one pass.

    Returns
    -------
    Assessment
        ``published``, ``with_reserve`` or ``refused``.

    Raises
    ------
    OptionError
        When no indicator has that identifier, or the cohort ends before it begins.

    Notes
    -----
    Costs one aggregation over the panel, of which ``measured`` spares the repetition.
    """
    definition = lookup(indicator)
    window = f"{to_label(panel.first)} → {to_label(panel.last)}"
    entries = _cohort(panel, cohort)
    shown = shown_by(panel)
    if definition.nature is not Nature.OUTCOME:
        return _refused(not_a_result(definition, window, shown))
    absent = not_shown(definition, shown, window)
    if absent is not None:
        return _refused(absent)
    counted = measure(panel) if measured is None else measured
    never = never_seen(definition, counted, window)
    if never is not None:
        return _refused(never)
    case = Case(
        indicator=definition,
        measured=counted,
        gate=Gate.default() if gate is None else gate,
        horizon=horizon,
        cohort=entries,
        arms=arms,
    )
    return _judged(case)


def explained(refusal: Refusal) -> tuple[str, str, str]:
    """``found, needed, remedy`` of a refusal or a reserve, in English."""
    known = _BY_NAME.get(refusal.code)
    texts = IMPOSSIBLE[refusal.code] if known is None else (known.found, known.needed, known.remedy)
    found, needed, remedy = (text.format(**refusal.facts) for text in texts)
    return found, needed, remedy


def _told(refusal: Refusal) -> dict[str, Any]:
    found, needed, remedy = explained(refusal)
    return {
        "code": refusal.code,
        "what": refusal.what,
        "where": refusal.where,
        "found": found,
        "needed": needed,
        "to_do": remedy,
        "waivable": refusal.waivable,
        "facts": {k: None if v == float("inf") else v for k, v in refusal.facts.items()},
    }


def _cohort(panel: Panel, cohort: tuple[str, str] | None) -> tuple[int, int]:
    if cohort is None:
        return panel.first, panel.last
    first, last = (to_index(month, what="cohort") for month in cohort)
    if last < first:
        raise OptionError(
            what="cohort",
            needed="a last month of entry not before the first",
            found=f"{cohort[0]} to {cohort[1]}",
            remedy="exchange the two or correct one of them",
        )
    return first, last


def _refused(refusal: Refusal) -> Assessment:
    return Assessment(
        indicator=refusal.what,
        verdict=GateVerdict.REFUSED,
        criteria=pd.DataFrame(columns=_COLUMNS),
        refusals=(refusal,),
    )


def _judged(case: Case) -> Assessment:
    """Every criterion read, compared, waived where somebody did."""
    rows, refusals, reserves, used, cells = [], [], [], [], []
    unmeasured, available = [], []
    for criterion in CRITERIA:
        readings = criterion.read(case)
        if not readings:
            unmeasured.append(criterion.name)
            continue
        worst: list[tuple[int, float, float]] = []
        for reading in readings:
            verdict, waiver = _decided(case, criterion, reading)
            if verdict is GateVerdict.REFUSED:
                refusals.append(_refusal(case, criterion, reading))
            elif verdict is GateVerdict.WITH_RESERVE:
                reserves.append(_refusal(case, criterion, reading))
            used += [] if waiver is None else [waiver]
            worst.append((_ORDER.index(verdict), reading.value, _ceiling(case, criterion, reading)))
            cells.append(_cells(case, criterion, reading))
            if criterion.name == horizon_unobserved.CRITERION.name and reading.value > 0:
                available.append(str(reading.facts["publishable_from"]))
        rank, value, refuse = max(worst)
        reserve = case.gate.bounds(criterion.name).reserve
        rows.append((criterion.name, value, reserve, refuse, _ORDER[rank]))
    found = [row[-1] for row in rows]
    return Assessment(
        indicator=case.indicator.id,
        verdict=max(found, key=_ORDER.index),
        criteria=pd.DataFrame(rows, columns=_COLUMNS),
        refusals=tuple(refusals),
        reserves=tuple(reserves),
        cells=_joined(cells),
        waivers=tuple(dict.fromkeys(used)),
        unmeasured=tuple(unmeasured),
        publishable_from=max(available, default=None),
    )


def _ceiling(case: Case, criterion: Criterion, reading: Reading) -> float:
    """Value above which this reading refuses."""
    return case.gate.bounds(criterion.name).refuse if reading.refusable else float("inf")


def _decided(
    case: Case, criterion: Criterion, reading: Reading
) -> tuple[GateVerdict, Waiver | None]:
    """Answer on one reading, and the waiver that changed it."""
    bounds = case.gate.bounds(criterion.name)
    verdict = bounds.verdict(reading.value, refusable=reading.refusable)
    if verdict is GateVerdict.REFUSED:
        for waiver in case.gate.waivers:
            if waiver.covers(criterion.name, case.indicator.id, reading.sources or case.sources):
                return GateVerdict.WITH_RESERVE, waiver
    return verdict, None


def _refusal(case: Case, criterion: Criterion, reading: Reading) -> Refusal:
    """What was found where, against what was needed."""
    bounds = case.gate.bounds(criterion.name)
    refused = above(reading.value, _ceiling(case, criterion, reading))
    first, last = case.measured.window if reading.months is None else reading.months
    period = f"{to_label(first)} → {to_label(last)}"
    places = (", ".join(reading.sources or case.sources), period, reading.territory, reading.arm)
    return Refusal(
        code=criterion.name,
        what=case.indicator.id,
        where=", ".join(place for place in places if place),
        facts={
            "measured": reading.value,
            "threshold": bounds.refuse if refused else bounds.reserve,
            **reading.facts,
        },
        waivable=True,
    )


def _cells(case: Case, criterion: Criterion, reading: Reading) -> pd.DataFrame:
    """Cells of a reading with their verdicts, small ones left out."""
    shown = reading.cells[reading.cells[PERSONS] >= case.gate.smallest_cell]
    bounds = case.gate.bounds(criterion.name)
    verdict = [str(bounds.verdict(float(measured))) for measured in shown["measured"]]
    columns = [c for c in CELL if c != "measured"]
    return shown.assign(criterion=criterion.name, verdict=verdict)[
        [*columns, "criterion", "measured", "verdict"]
    ]


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    kept = [frame for frame in frames if not frame.empty]
    columns = [*(c for c in CELL if c != "measured"), "criterion", "measured", "verdict"]
    if not kept:
        return pd.DataFrame(columns=columns)
    whole = pd.concat([f.astype({MONTH: "Int64"}) for f in kept], ignore_index=True)
    return whole[columns]
