"""Durable employment: at least six different things, each under its own identifier.

Five switches tell them apart: from how long a fixed term counts, temporary work, apprenticeship,
aided contracts and self-employment. A definition is refused by a panel that does not tell apart what
it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import ibis

from whatworks.indicators.definitions.employment import begins, presence
from whatworks.indicators.record import Indicator
from whatworks.panel.record import Panel
from whatworks.vocabulary import Kind, Nature, state_column

SIX_MONTHS: Final = 183
"""Days of a fixed term that counts as six months."""
MORE_THAN_SIX_MONTHS: Final = 185
"""Days of the shortest fixed term longer than any six months of the calendar."""
RETURN_DAYS: Final = 180
"""Days from which the programs of the MiDAS documentation call a term of six months."""
RETURN_MONTHS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """Which contracts a definition counts: at any length, and from so many days on."""

    any_length: tuple[str, ...] = ("cdi",)
    long: tuple[str, ...] = ("cdd",)
    days: int = SIX_MONTHS
    where_told_apart: tuple[str, ...] = ()
    """Codes counted from ``days`` on where the panel has them, and not needed."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(state_column(Kind.EMPLOYMENT, c) for c in (*self.any_length, *self.long))

    def holds(self, panel: Panel) -> ibis.Value:
        """1 when a contract of the definition covers a day of the month."""
        known = panel.states.get(Kind.EMPLOYMENT, ())
        long = (*self.long, *(c for c in self.where_told_apart if c in known))
        held = [panel.table[state_column(Kind.EMPLOYMENT, c)] > 0 for c in self.any_length]
        held += [panel.table[state_column(Kind.EMPLOYMENT, c)] >= self.days for c in long]
        found = held[0]
        for one in held[1:]:
            found = found | one
        return found.cast("int32")


_OURS: Final = _Terms()
_FRANCE_TRAVAIL: Final = _Terms(any_length=("cdi", "self_employment"), long=("cdd", "interim"))
_MIDAS: Final = _Terms(days=MORE_THAN_SIX_MONTHS, where_told_apart=("aided", "iae"))
_MIDAS_RETURN: Final = _Terms(days=RETURN_DAYS, where_told_apart=("aided", "iae"))
_GARANTIE_JEUNES: Final = _Terms(long=("cdd", "apprenticeship"), days=MORE_THAN_SIX_MONTHS)
_SIAE: Final = _Terms(
    any_length=("cdi", "self_employment", "civil_service"),
    long=("cdd", "interim"),
    days=MORE_THAN_SIX_MONTHS,
)
Switches = MappingProxyType[str, str]
_WORKING: Final = state_column(Kind.JOBLESSNESS, "category_e")


def durable(panel: Panel) -> ibis.Value:
    """1 when the month has a day of a permanent contract, or of a fixed term of six months or more."""
    return _OURS.holds(panel)


def returned(panel: Panel) -> ibis.Value:
    """1 when a return to employment six months before is followed by a durable contract this month.

    A person registered as already in employment (category E) counts; one who is off the list does not.
    """
    began = begins(presence(panel), ago=RETURN_MONTHS)
    # Added, so that it is unknown where either is: a 1 known without the other would be a selection.
    now = _MIDAS_RETURN.holds(panel) + (panel.table[_WORKING] > 0).cast("int32")
    return began * (now > 0).cast("int32")


def _switches(fixed_term: str, temporary: str, apprentices: str, aided: str, own: str) -> Switches:
    names = ("fixed_term", "temporary_work", "apprenticeship", "aided_contracts", "self_employment")
    values = (fixed_term, temporary, apprentices, aided, own)
    return MappingProxyType(dict(zip(names, values, strict=True)))


def _definition(
    identifier: str,
    terms: _Terms,
    switches: Switches,
    *,
    source: str,
    monthly: Callable[[Panel], ibis.Value] | None = None,
) -> Indicator:
    return Indicator(
        id=identifier,
        nature=Nature.OUTCOME,
        unit="pp",
        kinds=(Kind.EMPLOYMENT,),
        codes=terms.columns,
        monthly=terms.holds if monthly is None else monthly,
        switches=switches,
        source=source,
    )


_RETURN: Final = Indicator(
    id="ed_midas_retour",
    nature=Nature.OUTCOME,
    unit="pp",
    kinds=(Kind.EMPLOYMENT, Kind.JOBLESSNESS),
    codes=(*_MIDAS_RETURN.columns, _WORKING),
    monthly=returned,
    looks_back=RETURN_MONTHS + 1,
    switches=MappingProxyType(
        {
            **_switches(
                "180_days_or_more", "excluded", "not_counted_apart", "by_length", "not_observed"
            ),
            "return": "six_months_before_the_horizon",
            "category_e": "included",
            "off_the_list": "excluded",
        }
    ),
    source="MiDAS documentation, which also counts absence from the list: refused here",
)

INDICATORS: Final = (
    _definition(
        "durable_employment",
        _OURS,
        _switches("six_months_or_more", "excluded", "excluded", "excluded", "not_observed"),
        source="whatworks",
    ),
    _definition(
        "ed_france_travail",
        _FRANCE_TRAVAIL,
        _switches(
            "six_months_or_more", "six_months_or_more", "not_counted_apart", "excluded", "included"
        ),
        source="Budget annex, programme 102",
    ),
    _definition(
        "ed_midas_presence",
        _MIDAS,
        _switches(
            "more_than_six_months", "excluded", "not_counted_apart", "by_length", "not_observed"
        ),
        source="MiDAS documentation",
    ),
    _RETURN,
    _definition(
        "ed_garantie_jeunes",
        _GARANTIE_JEUNES,
        _switches("more_than_six_months", "excluded", "included", "excluded", "not_observed"),
        source="Evaluation report of the Garantie jeunes",
    ),
    _definition(
        "ed_siae",
        _SIAE,
        MappingProxyType(
            {
                **_switches(
                    "more_than_six_months",
                    "more_than_six_months",
                    "not_counted_apart",
                    "excluded",
                    "included",
                ),
                "civil_service": "included",
                "denominator": "everyone_who_entered",
            }
        ),
        source="Communauté de l'inclusion; there at exit, here at the horizon",
    ),
)
