"""Refusals that no better data of the same kind, and no waiver, would lift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from whatworks.indicators.measured import Measured
from whatworks.indicators.record import Indicator, Refusal, Shown
from whatworks.indicators.registry import indicators, lookup, possible
from whatworks.vocabulary import Nature, state_column

Texts = tuple[str, str, str]

_DOING: Final[Texts] = (
    "a measure of {nature}, which tells what the administration does and not what becomes of people",
    "an outcome of the persons accompanied",
    "ask for one of {alternatives}; this measure may serve as dose or cost",
)
IMPOSSIBLE: Final[Mapping[str, Texts]] = {
    "activity_not_outcome": _DOING,
    "input_not_outcome": _DOING,
    "process_not_outcome": _DOING,
    "description_not_outcome": (
        "a rate over those who left or stayed only, whom the programme itself chose",
        "an outcome of everyone who entered",
        "ask for one of {alternatives}; this rate may describe leavers and carries no effect",
    ),
    "unobserved_not_outcome": (
        "an outcome that files of the persons served cannot show",
        "a survey, a validated scale, or a simulation over everyone concerned",
        "bring that source as a measure of the month, or ask for one of {alternatives}",
    ),
    "unknown_states": (
        "a panel without {missing}",
        "a source that shows {missing}",
        "add that source to the mapping file",
    ),
    "not_in_source": (
        "a source that shows {shown}, and none of {missing}",
        "a source that shows {missing}",
        "map such a source; possible from this one: {listed}",
    ),
    "no_spells": (
        "sources of {kind} without a single stay in the window",
        "at least one stay in {kind}",
        "check the mapping's codes and dates, and that identifiers are written alike in all files",
    ),
    "no_values": (
        "sources without a single value of {measure} in the window",
        "at least one value of {measure}",
        "check the mapping's column and months, and that identifiers are written alike in all files",
    ),
    "claim_above_table": (
        "{share:.0%} announced where the table has {measured:.0%}",
        "the table's own figure, over everyone it covers",
        "announce that figure",
    ),
    "survivors_only": (
        "a rate over whoever was still followed, or had left, at least {months} months in",
        "everyone who entered as the denominator",
        "count again over the entrants, those who stopped coming included",
    ),
    "access_not_presence": (
        "a count of whoever started a contract once, even for a day: it can only rise with time",
        "presence in employment at a horizon, or durable employment",
        "publish employment_presence or a definition of durable employment beside it",
    ),
    "no_comparison": (
        "no measure of what comparable persons became without the accompaniment",
        "a comparison, for anything called an effect",
        "compare entrants with persons who could have entered: see whatworks.compare",
    ),
}
"""``found, needed, remedy`` by code of refusal."""


def not_a_result(definition: Indicator, where: str, shown: Shown | None = None) -> Refusal:
    """Refusal of a measure that is no outcome, with the outcomes that can be asked instead.

    Those that what is shown allows to compute; every one there is when it allows none, or when
    nothing is shown.
    """
    outcomes = indicators(Nature.OUTCOME)
    computable = () if shown is None else [n for n in outcomes if lookup(n).computable(shown)]
    return Refusal(
        code=f"{definition.nature}_not_outcome",
        what=definition.id,
        where=where,
        facts={
            "nature": str(definition.nature),
            "alternatives": ", ".join(computable or outcomes),
        },
    )


def not_shown(definition: Indicator, shown: Shown, where: str) -> Refusal | None:
    """Refusal for want of a state or a measure in a panel."""
    missing = definition.missing(shown)
    if not missing:
        return None
    facts = {"missing": ", ".join(missing)}
    return Refusal(code="unknown_states", what=definition.id, where=where, facts=facts)


def from_source(definition: Indicator, shown: Shown, where: str) -> Refusal | None:
    """Refusal of what a mapping does not promise, with what can be asked of it instead.

    Parameters
    ----------
    definition : Indicator
    shown : Shown
        States and measures of the mapping.
    where : str
        Its name.
    """
    if definition.nature is not Nature.OUTCOME:
        return not_a_result(definition, where, shown)
    missing = definition.missing(shown)
    if not missing:
        return None
    instead = possible(shown)
    facts = {
        "missing": ", ".join(missing),
        "shown": ", ".join(sorted(shown.names())) or "no state",
        "possible": ", ".join(instead),
        "listed": ", ".join(f"{name} ({lookup(name).nature})" for name in instead) or "none",
    }
    return Refusal(code="not_in_source", what=definition.id, where=where, facts=facts)


def never_seen(definition: Indicator, measured: Measured, where: str) -> Refusal | None:
    """Refusal of an outcome whose states or measures nobody ever shows in the window."""
    for kind in definition.kinds:
        if not measured.by_month(state_column(kind))["in"].any():
            return Refusal(code="no_spells", what=definition.id, where=where, facts={"kind": kind})
    for name in definition.measures:
        if not measured.by_month(f"measure_{name}")["known"].any():
            facts = {"measure": name}
            return Refusal(code="no_values", what=definition.id, where=where, facts=facts)
    return None
