"""What is known of persons in one month: attributes, ages, places and histories up to it."""

from __future__ import annotations

from typing import Final

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from whatworks.design.covariates import Term, parse
from whatworks.design.levels import pooled_levels, usable_weights
from whatworks.design.parts import encode
from whatworks.design.question import Question
from whatworks.errors import OptionError
from whatworks.months import to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import MARKET, MONTH, PERSON, WEIGHT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

READ_AT_BASE: Final = ("attribute", "age", "place", "lag", "value", "months")
"""Covariate terms of a rollout: known once and for all, the month before anyone starts."""


def attributes_of(panel: Panel, person: Ints) -> pd.DataFrame:
    """Attributes of persons, in the order given."""
    frame: pd.DataFrame = panel.persons.execute().set_index(PERSON)
    return frame.loc[person]


def weights_of(panel: Panel, person: Ints) -> Floats:
    """Survey weights of persons, in the order given; one each where the panel has none."""
    if WEIGHT not in panel.attributes:
        return np.ones(person.size)
    weight = attributes_of(panel, person)[WEIGHT].to_numpy(dtype=float, na_value=np.nan)
    return usable_weights(weight)


def covariates_as_of(
    panel: Panel, question: Question, people: pd.DataFrame, *, base: int
) -> tuple[Floats, tuple[str, ...], Bools]:
    """Terms as of the base month."""
    names = question.covariates or tuple(
        f"{name}.age" if kind == "month" else name
        for name, kind in panel.attributes.items()
        if name not in (WEIGHT, MARKET)
    )
    terms = [parse(name, panel) for name in names]
    for term in terms:
        if term.act not in READ_AT_BASE or base + 1 - term.k < panel.first:
            raise OptionError(
                what=f"covariate {term.name!r}",
                needed="an attribute, an age, a place, a lag or months in a state, within the panel",
                found=f"{term.act} over {term.k} months before {to_label(base + 1)}",
                remedy="name another term, or begin the panel earlier",
            )
    person = people[PERSON].to_numpy()
    known = attributes_of(panel, person)
    counted = _counted(panel, [t for t in terms if t.k], base=base).reindex(person)
    columns = {}
    for term in terms:
        column = known[term.base] if term.act in ("attribute", "age") else counted[term.name]
        if term.act == "age":
            column = (base + 1 - column) / 12
        elif not pd.api.types.is_numeric_dtype(column):
            column = pooled_levels(column, name=term.name)
        columns[term.name] = column.to_numpy()
    return encode(pd.DataFrame(columns, index=pd.RangeIndex(person.size)), list(columns))


def _counted(panel: Panel, terms: list[Term], *, base: int) -> pd.DataFrame:
    """Terms of the months up to the base, by person; null where a month was not seen."""
    if not terms:
        return pd.DataFrame(index=pd.Index([], name=PERSON))
    table = panel.table.filter(_[MONTH] <= base)
    found = {}
    for term in terms:
        state = table[term.base]
        month = base + 1 - term.k
        if term.act == "months":
            among = table[MONTH] >= month
            told = (state > 0).cast("int32").sum(where=among)
            seen = state.count(where=among) == term.k
            found[term.name] = seen.ifelse(told, ibis.null("int32"))
        elif term.act == "lag":
            found[term.name] = (state > 0).cast("int32").max(where=table[MONTH] == month)
        else:
            found[term.name] = state.max(where=table[MONTH] == month)
    frame: pd.DataFrame = table.group_by(PERSON).agg(**found).execute().set_index(PERSON)
    return frame
