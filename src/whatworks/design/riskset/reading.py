"""What of a panel a question must read: covariates, rules of eligibility, types to look for, months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from whatworks.design.covariates import LONG_HISTORY, Term, default_terms, parse, states_of
from whatworks.design.question import Question
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.indicators import Indicator
from whatworks.months import to_index, to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import COMMUNE, DEPARTEMENT, ZONE, Kind, Versus, state_column

MOST_CODES: Final = 12
"""Accompaniments that one pass tells apart; of more, those a question does not name count as one."""
FEW: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What must be the same for two questions to share one pass over the panel.

    Parameters
    ----------
    terms : tuple of Term
    eligible : tuple of str
    territories : tuple of (str, tuple of str)
        Level and codes.
    born : str or None
        Attribute of the month of birth, when ages are bounded.
    ages : tuple of (int, int) or None
    elapsed_in : str or None
    elapsed_band : int
    washout : int or None
    after : str or None
        First step of a sequence.
    within : int or None
    stay : str or None
        Accompaniment whose length of stay is looked at.
    shift : int
        Months from the beginning of a stay to the landmark at which its length is known; 0 when
        the beginning itself is the entry.
    """

    terms: tuple[Term, ...]
    eligible: tuple[str, ...]
    territories: tuple[tuple[str, tuple[str, ...]], ...]
    born: str | None
    ages: tuple[int, int] | None
    elapsed_in: str | None
    elapsed_band: int
    washout: int | None
    after: str | None
    within: int | None
    stay: str | None
    shift: int

    def clean_months(self, code: str) -> int | None:
        """Months without a type after which it counts as gone; None when it never does."""
        return self.within if code == self.after else self.washout


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A question's rules and its months of entry.

    Parameters
    ----------
    rules : Rules
    first, last : int
        Months of entry.
    latest : int
        Last month of entry that leaves the follow-up asked, whatever the question's own bounds.
    """

    rules: Rules
    first: int
    last: int
    latest: int


def reading_of(panel: Panel, question: Question, indicator: Indicator) -> Reading:
    """Read what a question needs of a panel.

    Raises
    ------
    OptionError
        When the panel lacks what the question names.
    DesignRefused
        When no month of entry leaves history and follow-up enough.
    """
    _names(panel, question)
    stay, shift = question.landmark
    seen = entries_seen_from(panel) + max(FEW, question.washout or FEW, question.within or FEW)
    latest = _latest(panel, question, indicator)
    terms, first, last = _window(panel, question, latest, earliest=seen + shift, shift=shift)
    rules = Rules(
        terms=terms,
        eligible=question.eligible,
        territories=_territories(panel, question),
        born=None if question.ages is None else question.born,
        ages=question.ages,
        elapsed_in=question.elapsed_in,
        elapsed_band=question.elapsed_band,
        washout=question.washout,
        after=question.after,
        within=question.within,
        stay=stay,
        shift=shift,
    )
    return Reading(rules=rules, first=first, last=last, latest=latest)


def _names(panel: Panel, question: Question) -> None:
    """Refuse names that the panel does not hold."""
    codes = panel.states.get(Kind.ACCOMPANIMENT, ())
    if not codes:
        raise DesignRefused(
            what="treatment",
            needed="a source of accompaniments",
            found="a panel without any",
            remedy="map the operator's extract with kind = 'accompaniment'",
        )
    named = [("treatment", question.treatment), ("after", question.after)]
    if question.other_type is not None:
        named.append(("versus", question.other_type))
    for what, code in named:
        if code is not None and code not in codes:
            also = tuple(Versus) if what == "versus" else ()
            _unknown(what, code, (*also, *codes))
    states = states_of(panel)
    for what, names in (("eligible", question.eligible), ("elapsed_in", (question.elapsed_in,))):
        for state in names:
            if state is not None and state not in states:
                _unknown(what, state, states)
    months = tuple(name for name, kind in panel.attributes.items() if kind == "month")
    if question.ages is not None and question.born not in months:
        raise OptionError(
            what="born",
            needed="an attribute of persons that is a month" + "".join(f", {m}" for m in months),
            found=repr(question.born),
            remedy="name the month of birth, or declare it in the mapping file with type = 'month'",
        )


def _unknown(what: str, name: str, known: Sequence[str]) -> None:
    raise OptionError(
        what=what,
        needed="one of " + ", ".join(known),
        found=repr(name),
        remedy=suggestion(name, known) or "map it in the sources file",
    )


def _territories(panel: Panel, question: Question) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Codes asked for, by level."""
    asked: dict[str, list[str]] = {}
    for text in question.territories:
        level, _, code = text.partition("=")
        asked.setdefault(level, []).append(code)
    known = [c for c in (COMMUNE, ZONE, DEPARTEMENT) if c in panel.table.columns]
    for level in asked:
        if level not in known:
            raise OptionError(
                what="territories",
                needed="a level the panel knows: " + (", ".join(known) or "none, it has no places"),
                found=repr(level),
                remedy="map where persons live, or leave territories out",
            )
    return tuple((level, tuple(sorted(codes))) for level, codes in sorted(asked.items()))


def _window(
    panel: Panel, question: Question, latest: int, *, earliest: int, shift: int
) -> tuple[tuple[Term, ...], int, int]:
    """Covariate terms, and the first and last month of entry they and the follow-up allow."""
    last = min(latest, to_index(question.last_entry)) if question.last_entry else latest
    asked = to_index(question.first_entry) if question.first_entry else None
    if question.covariates:
        terms = tuple(parse(name, panel) for name in question.covariates)
        reach = panel.first + shift + max(FEW, *(t.k for t in terms))
        first = max(reach, asked) if asked else reach
    else:
        half = panel.first + min(LONG_HISTORY, max((latest - panel.first) // 2, FEW))
        first = asked or half
        terms = default_terms(panel, history=first - shift - panel.first)
    first = max(first, earliest)
    if first > last or first <= panel.first:
        raise DesignRefused(
            what="months of entry",
            needed=f"{question.months[-1]} months of follow-up and the history of the covariates",
            found=f"a first possible entry in {to_label(first)}, a last in {to_label(last)}",
            remedy="shorten the horizon, look back less far, or lengthen the panel",
        )
    window = question.placebo_months
    if window is not None and first + window[0] < panel.first:
        raise DesignRefused(
            what=f"placebo_months {window}",
            needed=f"months the panel reaches: at the earliest {panel.first - first} from entry",
            found=f"{window[0]}",
            remedy="look back less far, or begin entries later with first_entry",
        )
    return terms, first, last


def _latest(panel: Panel, question: Question, indicator: Indicator) -> int:
    """Last month of entry that is itself seen, and leaves the follow-up of the question.

    Past what the sources of accompaniments cover, whoever enters would pass for not started.
    """
    last = dict.fromkeys((Kind.ACCOMPANIMENT, *indicator.kinds), panel.first - 1)
    for c in panel.coverage:
        if c.kind in last:
            last[c.kind] = max(last[c.kind], c.last)
    entries = last.pop(Kind.ACCOMPANIMENT)
    return min(entries, min([panel.last, *last.values()]) - question.months[-1])


def entries_seen_from(panel: Panel) -> int:
    """First month in which some source sees accompaniments: a stay seen then began nobody knows when."""
    return max(panel.first, min(c.first for c in panel.coverage if c.kind == Kind.ACCOMPANIMENT))


def stock_months(panel: Panel, codes: Sequence[str]) -> tuple[int, ...]:
    """Months, after the first, in which a source of these types begins: what it shows then is no entry."""
    seen = entries_seen_from(panel)
    return tuple(
        sorted(
            {
                c.first
                for c in panel.coverage
                if c.kind == Kind.ACCOMPANIMENT
                and c.first > seen
                and any(c.tells(code) for code in codes)
            }
        )
    )


def columns_of_types(codes: Sequence[str]) -> tuple[str, ...]:
    """Panel columns of accompaniments."""
    return tuple(state_column(Kind.ACCOMPANIMENT, code) for code in codes)
