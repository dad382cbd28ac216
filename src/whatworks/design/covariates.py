"""Terms known of a person before entry: how they are written, and which ones a panel offers.

``sex`` an attribute · ``birth_month.age`` years at entry · ``employment.lag1`` the state one month
before entry · ``employment.months12`` months in the state over the twelve before entry ·
``employment.months`` months in the state since the panel began · ``tightness.lag1``,
``measure_earnings.lag3`` a number of the panel that many months before entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from whatworks.errors import OptionError, suggestion
from whatworks.panel.record import Panel
from whatworks.vocabulary import WEIGHT, Kind, state_column

LAGS: Final = (1, 2, 3, 6)
SUMS: Final = (6, 12, 24)
LONG_HISTORY: Final = 24
"""Months of history after which a matched design counts as one with a long history."""

_HISTORY = re.compile(r"(?P<base>[a-z][a-z0-9_]*)\.(?P<act>lag|months)(?P<k>[1-9]\d*)?")


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
        ``attribute``, ``age``, ``lag`` (in the state or not), ``value`` (a number, lagged),
        ``months`` (over k months) or ``since_start``.
    k : int
        Months looked back; 0 for an attribute or its age.
    """

    name: str
    base: str
    act: Literal["attribute", "age", "lag", "value", "months", "since_start"]
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
    base, _, rest = name.partition(".")
    if rest == "age" and panel.attributes.get(base) == "month":
        return Term(name=name, base=base, act="age")
    match = _HISTORY.fullmatch(name)
    if match and match["base"] in states and (match["k"] or match["act"] == "months"):
        if match["k"] is None:
            return Term(name=name, base=base, act="since_start", k=1)
        act: Literal["lag", "months"] = "lag" if match["act"] == "lag" else "months"
        return Term(name=name, base=base, act=act, k=int(match["k"]))
    if match and match["base"] in numbers and match["act"] == "lag" and match["k"]:
        return Term(name=name, base=base, act="value", k=int(match["k"]))
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
    """Every attribute, and the history of every kind of state but accompaniment, as far as it goes.

    Parameters
    ----------
    panel : Panel
    history : int
        Months available before the first entry.
    """
    names = [
        f"{name}.age" if kind == "month" else name
        for name, kind in panel.attributes.items()
        if name != WEIGHT
    ]
    for kind in panel.states:
        if kind != Kind.ACCOMPANIMENT:
            names += [f"{kind}.lag{k}" for k in LAGS if k <= history]
            names += [f"{kind}.months{k}" for k in SUMS if k <= history]
    return tuple(parse(name, panel) for name in names)
