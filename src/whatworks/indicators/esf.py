"""Counts that the European Social Fund Plus asks of an operation: an export, never an effect.

Results are counted over those who left, some weeks or months after they did: neither the months of
the accompaniment nor what would have become of these persons without it are in them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

import ibis
import pandas as pd
from ibis import _
from pydantic import Field, ValidationError, model_validator

from whatworks.errors import OptionError, choice
from whatworks.panel.record import Panel
from whatworks.sources.mapping.strict import Strict
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.vocabulary import MONTH, PERSON, Kind, state_column

WARNING: Final = (
    "Counts over participants and leavers, for the reporting of an operation. They are not effects: "
    "nobody comparable without the accompaniment is counted, and leavers are not those who entered."
)
SMALLEST: Final = 11
SMALLEST_PART: Final = 5
ROUND_TO: Final = 5
"""Counts of groups that add up are rounded, so that a hidden one cannot be found back."""
_MONTHS_A_YEAR: Final = 12
_ENTRY: Final = "entry_month"
_EXIT: Final = "exit_month"


class Rule(Strict):
    """What makes somebody count."""

    everyone: bool = False
    state: str | None = None
    unless: tuple[str, ...] = ()
    """States held in the month before entry that keep a person out: the change is what counts."""
    attribute: str | None = None
    one_of: tuple[str, ...] = ()
    age: str | None = None
    """Attribute of type ``month`` that holds the birth."""
    from_: Annotated[int | None, Field(alias="from")] = None
    to: int | None = None
    none: str | None = None
    """Why no panel can count this one."""

    @model_validator(mode="after")
    def _one_way(self) -> Rule:
        ways = (self.everyone, self.state, self.attribute, self.age, self.none)
        if sum(bool(way) for way in ways) != 1:
            raise misuse(
                "",
                needed="one of 'everyone', 'state', 'attribute', 'age' and 'none'",
                found="several, or none of them",
                remedy="keep exactly one",
            )
        return self


class Entry(Strict):
    """One code of the Regulation."""

    label: str
    rule: Rule
    months_after: tuple[int, int] | None = None
    """For a result: months after the last of the accompaniment, both included, in one of which the
    state must hold. None: counted at entry."""
    verified: bool = True


class Export(Strict):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    indicators: dict[Annotated[str, Field(pattern=r"^EEC[OR]\d{2}$")], Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class EsfCounts:
    """Counts of an operation.

    Parameters
    ----------
    table : DataFrame
        ``code, label, over, persons, verified, not_counted``: ``over`` is ``participants`` or
        ``leavers``; ``persons`` is rounded to 5, and null where hidden (fewer than 11, or a
        complement under 5) or where ``not_counted`` says why.
    participants, leavers : int or None
        Rounded to 5; None where hidden. Leavers are those whose end of accompaniment the window shows.
    warning : str
        Printed with the table.
    """

    table: pd.DataFrame
    participants: int | None
    leavers: int | None
    warning: str = WARNING


def esf_counts(panel: Panel, treatment: str, *, export: str | Path | None = None) -> EsfCounts:
    """Count participants and leavers of an accompaniment by the codes of the fund.

    Parameters
    ----------
    panel : Panel
    treatment : str
        Accompaniment of the operation.
    export : path, optional
        A file like the packaged ``esf.toml``, adapted to the mapping's attributes.

    Returns
    -------
    EsfCounts

    Raises
    ------
    OptionError
        When the panel has no such accompaniment, or the file cannot be read as an export.
    """
    choice(treatment, panel.states.get(Kind.ACCOMPANIMENT, ()), what="treatment")
    wanted = _load(export).indicators
    stays = _stays(panel, state_column(Kind.ACCOMPANIMENT, treatment))
    flags: dict[str, ibis.Value] = {}
    why: dict[str, str] = {}
    rows = _with_states(panel, stays, _states_needed(panel, wanted))
    for code, entry in wanted.items():
        reason = _not_counted(panel, entry)
        if reason:
            why[code] = reason
        else:
            flags[code] = _counts(rows, entry).sum()
    left = rows[_EXIT].notnull()
    found = rows.aggregate(_all=rows.count(), _left=left.sum(), **flags).execute().iloc[0]
    participants, leavers = int(found["_all"]), int(found["_left"] or 0)
    table = pd.DataFrame(
        [
            _line(code, entry, found.get(code), why.get(code, ""), (participants, leavers))
            for code, entry in wanted.items()
        ],
        columns=["code", "label", "over", "persons", "verified", "not_counted"],
    ).astype({"persons": "Int64"})
    return EsfCounts(
        table=table,
        participants=_rounded(participants) if participants >= SMALLEST else None,
        leavers=_rounded(leavers) if leavers >= SMALLEST else None,
    )


def _load(path: str | Path | None) -> Export:
    place = files("whatworks.indicators").joinpath("esf.toml") if path is None else Path(path)
    try:
        text = place.read_text(encoding="utf-8")
        return Export.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(
            what=str(place),
            needed="an export file: TOML in UTF-8",
            found=type(error).__name__,
            remedy="check the path, or correct the file",
        ) from None
    except ValidationError as error:
        needed, found, remedy = plain_problem(error, text, Export)
        raise OptionError(what=str(place), needed=needed, found=found, remedy=remedy) from None


def _stays(panel: Panel, column: str) -> ibis.Table:
    """First month of entry of each participant, and last month before an end that was seen."""
    months = panel.table.filter(panel.table[column] > 0).group_by(PERSON)
    bounds = months.aggregate(entry_month=_[MONTH].min(), last=_[MONTH].max())
    seen_to = max(c.last for c in panel.coverage if c.kind == Kind.ACCOMPANIMENT)
    ended = bounds["last"] < min(seen_to, panel.last)
    return bounds.select(
        PERSON, _ENTRY, exit_month=ended.ifelse(bounds["last"], ibis.null("int32"))
    ).join(panel.persons, PERSON)


def _states_needed(
    panel: Panel, wanted: Mapping[str, Entry]
) -> tuple[tuple[str, int | None, int], ...]:
    """States and the months, from the exit or from entry, in which the rules read them."""
    needed = []
    for entry in wanted.values():
        if _not_counted(panel, entry):
            continue
        if entry.rule.state:
            first, last = entry.months_after or (-1, -1)
            needed.append((entry.rule.state, first if entry.months_after else None, last))
        needed += [(state, None, -1) for state in entry.rule.unless]
    return tuple(dict.fromkeys(needed))


def _with_states(
    panel: Panel, stays: ibis.Table, needed: tuple[tuple[str, int | None, int], ...]
) -> ibis.Table:
    """Each participant with what the rules read of the panel, in one pass."""
    rows = panel.table.join(stays.select(PERSON, _ENTRY, _EXIT), PERSON)
    columns = {}
    for state, first, last in needed:
        since = rows[MONTH] - (rows[_ENTRY] if first is None else rows[_EXIT])
        within = since == last if first is None else since.between(first, last)
        held = (within & (rows[state] > 0)).cast("int32").max()
        columns[_held(state, first, last)] = ibis.coalesce(held, 0)
    if not columns:
        return stays
    return stays.left_join(rows.group_by(PERSON).aggregate(**columns), PERSON)


def _held(state: str, first: int | None, last: int) -> str:
    return f"held {state} {'entry' if first is None else first} {last}"


def _counts(rows: ibis.Table, entry: Entry) -> ibis.Value:
    """1 for whoever the rule counts."""
    rule = entry.rule
    if rule.everyone:
        return rows[PERSON].notnull().cast("int32")
    if rule.state:
        if entry.months_after is None:
            return rows[_held(rule.state, None, -1)]
        counted = rows[_held(rule.state, *entry.months_after)]
        for state in rule.unless:
            counted = counted * (1 - rows[_held(state, None, -1)])
        return (counted * rows[_EXIT].notnull().cast("int32")).cast("int32")
    if rule.age:
        years = (rows[_ENTRY] - rows[rule.age]) // _MONTHS_A_YEAR
        low = 0 if rule.from_ is None else rule.from_
        inside = years >= low if rule.to is None else years.between(low, rule.to)
        return ibis.coalesce(inside, False).cast("int32")
    value = rows[str(rule.attribute)].cast("string")
    return ibis.coalesce(value.isin(list(rule.one_of)), False).cast("int32")


def _not_counted(panel: Panel, entry: Entry) -> str:
    """Why a code cannot be counted from this panel; empty when it can."""
    rule = entry.rule
    if rule.none:
        return rule.none
    states = {
        state_column(kind, code) for kind, codes in panel.states.items() for code in codes
    } | set(panel.states)
    for state in (rule.state, *rule.unless):
        if state and state not in states:
            return f"no state {state} in the panel"
    for attribute in (rule.attribute, rule.age):
        if attribute and attribute not in panel.attributes:
            return f"no attribute {attribute} in the panel"
    return ""


def _line(
    code: str, entry: Entry, count: object, why: str, totals: tuple[int, int]
) -> tuple[str, str, str, int | None, bool, str]:
    """Line of the table, hidden where it would point at few persons."""
    leaving = entry.months_after is not None
    total = totals[1] if leaving else totals[0]
    persons = None if why else int(float(str(count)))
    shown = None if persons is None else _rounded(persons)
    hidden = (
        persons is not None
        and persons != total
        and (persons < SMALLEST or total - persons < SMALLEST_PART)
    )
    if hidden or total < SMALLEST:
        shown = None
    why = why or ("hidden: few persons" if shown is None else "")
    return code, entry.label, "leavers" if leaving else "participants", shown, entry.verified, why


def _rounded(count: int) -> int:
    return ROUND_TO * round(count / ROUND_TO)
