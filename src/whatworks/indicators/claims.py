"""A published figure put to the gate: what it counts, over whom, and what it may be called.

Rates are announced without a panel behind them. `examine` says what stands between such a figure and
the claim made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from whatworks.indicators.assessment import Assessment
from whatworks.indicators.impossible import not_a_result
from whatworks.indicators.record import Refusal
from whatworks.indicators.registry import lookup
from whatworks.vocabulary import GateVerdict, Nature

Denominator = Literal["entrants", "leavers", "still_followed"]

_COLUMNS: Final = ["criterion", "measured", "reserve_above", "refuse_above", "verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure as it was announced, and as its table has it.

    Parameters
    ----------
    statement : str
        The words, printed.
    indicator : str
        What the table counts.
    claimed, measured : float
        Share announced, and share in the table over everyone it covers.
    denominator : str
        ``entrants``, ``leavers``, or ``still_followed``.
    followed_months : int
        Months of follow-up that whoever is counted has at least.
    compared : bool
        Whether comparable persons without the accompaniment were measured too.
    """

    statement: str
    indicator: str
    claimed: float
    measured: float
    denominator: Denominator
    followed_months: int = 0
    compared: bool = False


def examine(claim: Claim, *, presented_as: Literal["effect", "description"]) -> Assessment:
    """Say whether a figure may be published as what it is presented as.

    Parameters
    ----------
    claim : Claim
    presented_as : str
        ``effect``: of the accompaniment. ``description``: of those counted.

    Returns
    -------
    Assessment
        As a description: with one reserve for each thing that is wrong. As an effect: refused when
        there is no comparison, or when only those who left or stayed are counted.

    Examples
    --------
    >>> rate = Claim(statement="one in two", indicator="employment_access", claimed=0.5,
    ...              measured=0.4, denominator="still_followed", followed_months=5)
    >>> str(examine(rate, presented_as="effect").verdict)
    'refused'
    >>> [r.code for r in examine(rate, presented_as="description").reserves]
    ['claim_above_table', 'survivors_only', 'access_not_presence', 'no_comparison']
    """
    wrong = _wrong(claim)
    fatal = [r for r in wrong if r.code in ("survivors_only", "no_comparison")]
    counted = lookup(claim.indicator)
    if counted.nature is not Nature.OUTCOME:
        fatal = [not_a_result(counted, claim.statement), *fatal]
    refused = tuple(fatal) if presented_as == "effect" else ()
    verdict = (
        GateVerdict.REFUSED
        if refused
        else GateVerdict.WITH_RESERVE
        if wrong
        else GateVerdict.PUBLISHED
    )
    return Assessment(
        indicator=claim.indicator,
        verdict=verdict,
        criteria=pd.DataFrame(columns=_COLUMNS),
        refusals=refused,
        reserves=tuple(r for r in wrong if r not in refused),
    )


def _wrong(claim: Claim) -> list[Refusal]:
    """Everything between the figure and the words."""
    found: list[Refusal] = []
    if claim.claimed > claim.measured:
        facts: dict[str, str | int | float] = {"share": claim.claimed, "measured": claim.measured}
        found.append(_at_fault(claim, "claim_above_table", facts))
    if claim.denominator != "entrants" or claim.followed_months > 0:
        found.append(_at_fault(claim, "survivors_only", {"months": claim.followed_months}))
    if lookup(claim.indicator).ever:
        found.append(_at_fault(claim, "access_not_presence", {}))
    if not claim.compared:
        found.append(_at_fault(claim, "no_comparison", {}))
    return found


def _at_fault(claim: Claim, code: str, facts: dict[str, str | int | float]) -> Refusal:
    return Refusal(code=code, what=claim.indicator, where=claim.statement, facts=facts)
