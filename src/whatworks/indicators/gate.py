"""The reliability gate: may this outcome be published from this panel?

Each criterion compares a measured share with two thresholds; the worst criterion decides.
Thresholds are those of `THRESHOLDS`, printed with the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from whatworks.errors import IndicatorRefused
from whatworks.indicators.record import Indicator, Refusal
from whatworks.indicators.registry import indicators, lookup
from whatworks.ledger import Ledger
from whatworks.months import to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import MARKET, GateVerdict, Nature, state_column

THRESHOLDS: Final = {
    "dropped_rows": (0.005, 0.02),
    "missing_key": (0.05, 0.15),
    "months_unseen": (0.01, 0.10),
}
"""Share above which a criterion calls for a reserve, and for a refusal."""

_UNUSABLE: Final = ("unmapped_code", "end_before_start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Answer of the gate on one indicator.

    Parameters
    ----------
    indicator : str
    verdict : GateVerdict
    criteria : DataFrame
        ``criterion, measured, reserve_above, refuse_above, verdict``.
    refusals : tuple of Refusal
        One per criterion that refuses.
    """

    indicator: str
    verdict: GateVerdict
    criteria: pd.DataFrame
    refusals: tuple[Refusal, ...]

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
        found, needed, remedy = _EXPLAIN[first.code]
        raise IndicatorRefused(
            what=f"{first.what} refused ({first.where})",
            needed=needed.format(**first.facts),
            found=found.format(**first.facts),
            remedy=remedy.format(**first.facts),
        )


_NOT_OUTCOME: Final = (
    "a measure of {nature}, which tells what the administration does and not what becomes of people",
    "an outcome of the persons accompanied",
    "ask for one of {alternatives}; this measure may serve as dose or cost",
)
_EXPLAIN: Final = {
    "activity_not_outcome": _NOT_OUTCOME,
    "input_not_outcome": _NOT_OUTCOME,
    "process_not_outcome": _NOT_OUTCOME,
    "unknown_states": (
        "a panel without {missing}",
        "a source that shows {missing}",
        "add that source to the mapping file",
    ),
    "no_spells": (
        "sources of {kind} without a single stay in the window",
        "at least one stay in {kind}",
        "check the mapping's codes and dates, and that identifiers are written alike in all files",
    ),
    "months_unseen": (
        "{measured:.1%} of the window's months unseen",
        "at most {threshold:.0%}",
        "shorten the window or obtain the missing months",
    ),
    "dropped_rows": (
        "{measured:.1%} of the source's rows unusable",
        "at most {threshold:.1%}",
        "have the producer correct them, or map the codes left out",
    ),
    "missing_key": (
        "{measured:.1%} of persons without a market",
        "at most {threshold:.0%}",
        "complete the attribute 'market' in its source",
    ),
}


def assess(panel: Panel, indicator: str) -> Assessment:
    """Judge whether an indicator can be published from this panel.

    Parameters
    ----------
    panel : Panel
    indicator : str
        Registered identifier.

    Returns
    -------
    Assessment
        ``published``, ``with_reserve`` (a single declarant, or a share above the first threshold)
        or ``refused``.

    Raises
    ------
    OptionError
        When no indicator has that identifier.
    """
    definition = lookup(indicator)
    where = f"{to_label(panel.first)} → {to_label(panel.last)}"
    refusal = _impossible(panel, definition, where)
    if refusal is not None:
        empty = _criteria([])
        return Assessment(
            indicator=indicator, verdict=GateVerdict.REFUSED, criteria=empty, refusals=(refusal,)
        )
    sources = sorted({c.source for c in panel.coverage if c.kind in definition.kinds})
    where = f"{', '.join(sources)}, {where}"
    criteria = _criteria(
        [
            ("months_unseen", _months_unseen(panel, definition)),
            ("dropped_rows", _dropped_rows(panel.ledger, sources)),
            ("missing_key", _missing_market(panel)),
        ]
    )
    refusals = tuple(
        Refusal(
            code=str(row.criterion),
            what=indicator,
            where=where,
            facts={"measured": _share(row.measured), "threshold": _share(row.refuse_above)},
        )
        for row in criteria.itertuples(index=False)
        if row.verdict == GateVerdict.REFUSED
    )
    return Assessment(
        indicator=indicator,
        verdict=_overall(panel, definition, criteria),
        criteria=criteria,
        refusals=refusals,
    )


def _share(cell: object) -> float:
    """A cell of the criteria as a number."""
    return float(str(cell))


def _overall(panel: Panel, definition: Indicator, criteria: pd.DataFrame) -> GateVerdict:
    found = set(criteria["verdict"])
    if GateVerdict.REFUSED in found:
        return GateVerdict.REFUSED
    single = any(kind in panel.operator_declared for kind in definition.kinds)
    if single or GateVerdict.WITH_RESERVE in found:
        return GateVerdict.WITH_RESERVE
    return GateVerdict.PUBLISHED


def _impossible(panel: Panel, definition: Indicator, where: str) -> Refusal | None:
    """Refusal that no amount of better data of the same kind would lift."""
    if definition.nature is not Nature.OUTCOME:
        return Refusal(
            code=f"{definition.nature}_not_outcome",
            what=definition.id,
            where=where,
            facts={
                "nature": str(definition.nature),
                "alternatives": ", ".join(indicators(Nature.OUTCOME)),
            },
        )
    known = {
        name
        for kind, codes in panel.states.items()
        for name in (kind, *(state_column(kind, code) for code in codes))
    }
    missing = [name for name in (*definition.kinds, *definition.codes) if name not in known]
    if not missing and definition.lacking is not None:
        missing = list(definition.lacking(panel))
    if missing:
        return Refusal(
            code="unknown_states",
            what=definition.id,
            where=where,
            facts={"missing": ", ".join(missing)},
        )
    for kind in definition.kinds:
        if not (panel.table[kind] > 0).any().execute():
            return Refusal(code="no_spells", what=definition.id, where=where, facts={"kind": kind})
    return None


def _criteria(measured: list[tuple[str, float]]) -> pd.DataFrame:
    rows = []
    for criterion, share in measured:
        reserve, refuse = THRESHOLDS[criterion]
        verdict = (
            GateVerdict.REFUSED
            if share > refuse
            else GateVerdict.WITH_RESERVE
            if share > reserve
            else GateVerdict.PUBLISHED
        )
        rows.append((criterion, share, reserve, refuse, verdict))
    names = ["criterion", "measured", "reserve_above", "refuse_above", "verdict"]
    return pd.DataFrame(rows, columns=names)


def _months_unseen(panel: Panel, definition: Indicator) -> float:
    """Share of the window's months that no source of a needed kind covers, worst kind."""
    window = set(range(panel.first, panel.last + 1))
    worst = 0.0
    for kind in definition.kinds:
        seen: set[int] = set()
        for c in panel.coverage:
            if c.kind == kind:
                seen |= set(range(c.first, c.last + 1))
        worst = max(worst, len(window - seen) / len(window))
    return worst


def _dropped_rows(ledger: Ledger, sources: list[str]) -> float:
    """Share of rows that could not be used, worst source."""
    worst = 0.0
    for step in ledger.steps:
        if step.room == "sources" and step.name in sources and step.before:
            lost = sum(n for reason, n in step.dropped if reason in _UNUSABLE)
            worst = max(worst, lost / step.before)
    return worst


def _missing_market(panel: Panel) -> float:
    """Share of persons without a market, zero when the panel has no such attribute."""
    if MARKET not in panel.attributes:
        return 0.0
    return float(panel.persons[MARKET].isnull().mean().execute())
