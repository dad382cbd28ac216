"""Terms known of a person before entry: how they are written, and which ones a panel offers.

================================ =================================================================
``sex``                          an attribute
``birth_month.age``              years at entry
``household.size``               persons of the panel in the person's household
``employment.lag1``              the state one month before entry
``employment.months12``          months in the state over the twelve before entry
``employment.months``            months in the state since the panel began
``employment.spells24``          stays in the state, begun or in progress, over the months before entry
``employment.transitions12``     times the state changed over the months before entry
``employment.since24``           months since last in the state, 25 when longer ago
``employment.since``             the same since the panel began
``joblessness.elapsed``          months the state has lasted the month before entry, 0 outside it
``tightness.lag1``               a number of the panel that many months before entry
``departement``, ``zone``        territory of the month before entry, as a category
================================ =================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from whatworks.errors import OptionError, suggestion
from whatworks.panel.record import Panel
from whatworks.vocabulary import (
    COMMUNE,
    DEPARTEMENT,
    HOUSEHOLD,
    TIGHTNESS,
    WEIGHT,
    ZONE,
    Kind,
    state_column,
)

LAGS: Final = (1, 2, 3, 6)
SUMS: Final = (6, 12, 24)
LONG_HISTORY: Final = 24
"""Months of history after which a matched design counts as one with a long history."""

Act = Literal[
    "attribute",
    "age",
    "size",
    "place",
    "lag",
    "value",
    "months",
    "since_start",
    "spells",
    "transitions",
    "since",
    "elapsed",
]
OF_PERSONS: Final = ("attribute", "age", "size", "place")
"""Terms read of persons and places, not of their months."""

_HISTORY = re.compile(
    r"(?P<base>[a-z][a-z0-9_]*)\."
    r"(?P<act>lag|months|spells|transitions|since|elapsed)(?P<k>[1-9]\d*)?"
)
_FEWEST: Final = {"lag": 1, "months": 0, "spells": 1, "transitions": 2, "since": 0}
"""Least number of months of each term; 0 when it may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One covariate term.

    Parameters
    ----------
    name : str
        As written.
    base : str
        Attribute or panel state.
    act : str
        ``attribute``, ``age``, ``size`` (persons sharing the attribute), ``place`` (a territory),
        ``lag`` (in the state or not), ``value`` (a number, lagged), ``months``, ``spells``,
        ``transitions`` (over k months), ``since_start``, ``since`` or ``elapsed``.
    k : int
        Months looked back; 0 for what is not a history.
    """

    name: str
    base: str
    act: Act
    k: int = 0


def parse(name: str, panel: Panel) -> Term:
    """Read one term.

    Raises
    ------
    OptionError
        When the panel has no such attribute or state; names the nearest.
    """
    states, numbers = states_of(panel), numbers_of(panel)
    if name in panel.attributes and panel.attributes[name] != "month":
        return Term(name=name, base=name, act="attribute")
    if name in (COMMUNE, ZONE, DEPARTEMENT) and name in panel.table.columns:
        return Term(name=name, base=name, act="place", k=1)
    base, _, rest = name.partition(".")
    if rest == "age" and panel.attributes.get(base) == "month":
        return Term(name=name, base=base, act="age")
    if rest == "size" and base == HOUSEHOLD and base in panel.attributes:
        return Term(name=name, base=base, act="size")
    found = _HISTORY.fullmatch(name)
    if found and found["base"] in states:
        term = _of_a_state(found)
        if term is not None:
            return term
    if found and base in numbers and found["act"] == "lag" and found["k"]:
        return Term(name=name, base=base, act="value", k=int(found["k"]))
    if panel.attributes.get(name) == "month":
        raise OptionError(
            what="covariate",
            needed="a number or a category",
            found=f"the month {name!r}",
            remedy=f"write '{name}.age', years at entry",
        )
    near = suggestion(base, (*panel.attributes, *states, *numbers))
    raise OptionError(
        what="covariate",
        needed="an attribute, attribute.age, state.lagK, state.monthsK or number.lagK",
        found=repr(name),
        remedy=f"{near} as its first part" if near else "see whatworks.Question for the terms",
    )


def _of_a_state(found: re.Match[str]) -> Term | None:
    """Term of a state's history, or None when its months are missing or too few."""
    base, act, months = found["base"], found["act"], int(found["k"] or 0)
    if act == "elapsed":
        return None if months else Term(name=found[0], base=base, act="elapsed", k=1)
    if months < _FEWEST[act]:
        return None
    if not months:
        ever: Act = "since_start" if act == "months" else "since"
        return Term(name=found[0], base=base, act=ever, k=1)
    over: Act = act  # type: ignore[assignment]  # the pattern lets no other word through
    return Term(name=found[0], base=base, act=over, k=months)


def states_of(panel: Panel) -> tuple[str, ...]:
    """Names of the state columns of a panel."""
    return tuple(
        name
        for kind, codes in panel.states.items()
        for name in (kind, *(state_column(kind, code) for code in codes))
    )


def numbers_of(panel: Panel) -> tuple[str, ...]:
    """Names of the columns of a panel that hold numbers of the month: measures, doses, tightness."""
    types = panel.table.schema()
    return tuple(name for name, kind in types.items() if kind.is_floating())


def default_terms(panel: Panel, *, history: int) -> tuple[Term, ...]:
    """Every attribute, the history of every state but accompaniment, and the labour market.

    Parameters
    ----------
    panel : Panel
    history : int
        Months available before the first entry.
    """
    names = [
        f"{name}.age" if kind == "month" else f"{name}.size" if name == HOUSEHOLD else name
        for name, kind in panel.attributes.items()
        if name != WEIGHT
    ]
    for kind in panel.states:
        if kind != Kind.ACCOMPANIMENT:
            names += [f"{kind}.lag{k}" for k in LAGS if k <= history]
            sums = [k for k in SUMS if k <= history]
            names += [f"{kind}.months{k}" for k in sums]
            names += [f"{kind}.spells{k}" for k in sums[-1:]]
    if TIGHTNESS in panel.table.columns:
        names.append(f"{TIGHTNESS}.lag1")
    return tuple(parse(name, panel) for name in names)
