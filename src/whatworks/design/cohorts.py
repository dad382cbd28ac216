"""Risk sets on the calendar: who enters this month, and who could have but has not.

A unit is a person in a possible month of entry; its history is read from the panel's earlier months
only. The engine reads the panel once for every question that agrees on its rules (`lay_out`), and each
question takes its units from what was laid out (`risk_sets`). Comparisons of a month are, by default,
the eligible persons who have started no accompaniment by its end (Sianesi 2004,
doi:10.1162/003465304323023723).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whatworks.design.question import Question
from whatworks.design.riskset.arms import arms_of
from whatworks.design.riskset.layout import Layout, Pass
from whatworks.design.riskset.layout import lay_out as lay_out_pass
from whatworks.design.riskset.marks import codes_told_apart
from whatworks.design.riskset.reading import Reading, Rules, reading_of
from whatworks.design.riskset.selection import RiskSets, select
from whatworks.errors import RefusedError, UsageError
from whatworks.indicators import Indicator, lookup
from whatworks.panel.record import Panel
from whatworks.vocabulary import Versus

__all__ = ["Layout", "RiskSets", "lay_out", "risk_sets"]


def risk_sets(
    panel: Panel, question: Question, indicator: Indicator, *, layouts: Sequence[Layout] = ()
) -> RiskSets:
    """Units of a question, laid out by month of entry.

    Parameters
    ----------
    panel : Panel
    question : Question
    indicator : Indicator
        Of the outcome: it bounds the months of entry that can be followed.
    layouts : sequence of Layout
        What was laid out before, of this panel; used where it serves the question.

    Raises
    ------
    OptionError
        When the panel lacks the treatment, a state of eligibility, or a covariate.
    DesignRefused
        When no month of entry leaves history and follow-up enough, or nobody enters.
    """
    reading = reading_of(panel, question, indicator)
    for layout in layouts:
        if layout.serves(question, reading):
            return select(layout, question, reading)
    return select(_laid(panel, [(question, reading)]), question, reading)


def lay_out(panel: Panel, questions: Sequence[Question]) -> tuple[Layout, ...]:
    """Read a panel once for all questions that differ only in treatment, comparison and outcome.

    Parameters
    ----------
    panel : Panel
    questions : sequence of Question
        One that the panel cannot answer is left out here, and refused when it is asked.

    Returns
    -------
    tuple of Layout
        One for each set of rules; give them to `whatworks.compare`.
    """
    groups: dict[Rules, list[tuple[Question, Reading]]] = {}
    for question in questions:
        try:
            reading = reading_of(panel, question, lookup(question.outcome))
        except (UsageError, RefusedError):
            continue
        groups.setdefault(reading.rules, []).append((question, reading))
    return tuple(_laid(panel, group) for group in groups.values())


def _laid(panel: Panel, group: Sequence[tuple[Question, Reading]]) -> Layout:
    """One pass for questions of the same rules."""
    questions = tuple(question for question, _ in group)
    named = {q.treatment for q in questions} | {q.after for q in questions}
    named |= {q.other_type for q in questions}
    codes = codes_told_apart(panel, frozenset(c for c in named if c is not None))

    def wanted(standings: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros(standings.size, dtype=bool)
        for question in questions:
            found |= arms_of(standings, codes, question).compared
        return found

    return lay_out_pass(
        panel,
        Pass(
            rules=group[0][1].rules,
            codes=codes,
            first=min(r.first for _, r in group),
            last=max(r.last for _, r in group),
            wanted=wanted,
            served=frozenset(q.arms for q in questions),
            whole_life=any(q.versus == Versus.NEVER_IN_WINDOW for q in questions),
        ),
    )
