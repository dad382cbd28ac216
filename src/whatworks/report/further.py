"""Effects besides those over everyone by month: by group, by start, by dose, along the outcome.

Each is a table of its own, there only where some estimate has such effects. Groups of fewer than
eleven persons are named and their numbers are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from whatworks.evidence.record import Evidence
from whatworks.report import frames, names
from whatworks.report.language import Words
from whatworks.report.numbers import STATISTIC_DECIMALS, Scale, rounded_columns
from whatworks.report.tables import COUNTED, Table, counted, table_of

MOST_DOSES: Final = 7
"""Doses printed of each curve; the file has all."""
_GAINS: Final = "gates_"
_DOSES: Final = ("att_dose", "acrt_dose")
_STARTS: Final = ("cohort", "period")
_ALONG: Final = ("quantile", "share_above")
_IN_GROUPS: Final = ("att", "atc", "ate", "ato", "difference")


def further(words: Words, evidence: Evidence) -> tuple[Table, ...]:
    """Tables of effects besides those over everyone by month, in the order of the page."""
    frame = frames.effects(evidence)
    found = []
    for key, chosen in _CHOSEN.items():
        rows = frame[chosen(frame)]
        if key in ("groups", "distribution"):
            rows = _at_horizons(rows, evidence)
        if not rows.empty:
            found.append(_table(words, evidence, key, rows))
    return tuple(found)


def _apart(frame: pd.DataFrame) -> pd.Series:
    """Effects of groups over all cohorts."""
    return (frame["group"] != frames.EVERYONE) & (frame["cohort"] == frames.ALL_COHORTS)


def _groups(frame: pd.DataFrame) -> pd.Series:
    predicted = frame["group"].str.startswith(_GAINS)
    return _apart(frame) & frame["term"].isin(_IN_GROUPS) & ~predicted


def _gains(frame: pd.DataFrame) -> pd.Series:
    return _apart(frame) & frame["group"].str.startswith(_GAINS)


def _starts(frame: pd.DataFrame) -> pd.Series:
    return frame["term"].isin(_STARTS)


def _doses(frame: pd.DataFrame) -> pd.Series:
    """Rows of a few doses, spread over those estimated."""
    chosen = pd.Series(data=False, index=frame.index)
    for _, rows in frame[frame["term"].isin(_DOSES)].groupby(["result", "term"], sort=False):
        spread = np.linspace(0, len(rows) - 1, min(MOST_DOSES, len(rows))).round().astype(int)
        chosen.loc[rows.index[np.unique(spread)]] = True
    return chosen


def _along(frame: pd.DataFrame) -> pd.Series:
    return frame["term"].isin(_ALONG)


_CHOSEN: Final[Mapping[str, Callable[[pd.DataFrame], pd.Series]]] = {
    "starts": _starts,
    "groups": _groups,
    "gains": _gains,
    "doses": _doses,
    "distribution": _along,
}


def _at_horizons(rows: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    return rows[rows["month"].isin(frames.reading_months(evidence))]


def _table(words: Words, evidence: Evidence, key: str, rows: pd.DataFrame) -> Table:
    """One effect a row: what it is of, and as much of the rest as varies."""
    clock, timed = frames.clock(evidence.design), frames.timed(evidence)
    several = {
        "term": rows["term"].nunique() > 1 and key != "starts",
        "month": rows["month"].nunique() > 1,
        "method": rows["method"].nunique() > 1,
    }
    body = []
    for row in frames.rows_of(rows):
        cells = {
            "term": words.text(f"term.{row.term}.short"),
            "month": names.at(words, int(row.month), clock=clock, timed=timed),
            "method": names.method(words, str(row.method)),
        }
        body.append(
            (
                label(words, row, clock=clock),
                *(cells[name] for name, shown in several.items() if shown),
                *_numbers(words, evidence, row),
            )
        )
    columns = [
        "of",
        *(name for name, shown in several.items() if shown),
        *("effect", "interval"),
        *COUNTED[clock],
    ]
    return table_of(words, key, columns, body, text=("term", "month", "method"))


def label(words: Words, row: Any, *, clock: str) -> str:
    """What an effect is of, in words: everyone, a start, a group, a dose."""
    if row.cohort != frames.ALL_COHORTS:
        return words.text("of.cohort", {"start": names.period(words, int(row.cohort), clock=clock)})
    named = names.group_of(words, str(row.term), str(row.group), clock=clock)
    return words.text("of.period", {"period": named}) if row.term == "period" else named


def _numbers(words: Words, evidence: Evidence, row: Any) -> tuple[str, str, str, str]:
    """Effect, interval and counts, or that there are too few to show them."""
    if pd.isna(row.n_treated) or pd.isna(row.n_comparison):
        few = words.text("count.few")
        return few, few, few, few
    scale = frames.scale_in(evidence, str(row.unit))
    return (
        words.amount(row.estimate, scale, signed=True),
        words.span(row.conf_low, row.conf_high, scale),
        *counted(words, row, averaged=row.term == "cohort"),
    )


def characteristics(words: Words, evidence: Evidence) -> Table | None:
    """Who the groups of largest and smallest predicted gain are, None where no method ranked."""
    frame = evidence.estimates[0].extras.get("clan")
    if not isinstance(frame, pd.DataFrame):
        return None
    columns = ["mean_most", "mean_least", "difference"]
    told = rounded_columns(frame, STATISTIC_DECIMALS, *columns, "conf_low", "conf_high")
    scale = Scale(unit="", decimals=STATISTIC_DECIMALS)
    rows = [
        (
            names.covariate(words, str(row.covariate)),
            words.measure(row.mean_most),
            words.measure(row.mean_least),
            words.measure(row.difference),
            words.bounds(row.conf_low, row.conf_high, scale),
        )
        for row in frames.rows_of(told)
    ]
    return table_of(words, "characteristics", ["covariate", *columns, "interval"], rows)


def followed(words: Words, evidence: Evidence) -> Table | None:
    """Who is still compared month by month, None where later starters stay."""
    frame = evidence.design.outcomes.followed
    if frame is None:
        return None
    clock = frames.clock(evidence.design)
    asked = frame[frame["month"].isin(frames.reading_months(evidence))]
    rows = []
    for row in frames.rows_of(asked):
        few = row.n_followed < frames.FEWEST
        told = (
            (words.text("count.few"),) * 5
            if few
            else (
                words.count(row.n_followed),
                words.share(row.share_started),
                words.share(row.share_unseen),
                words.measure(row.max_weight),
                words.count(round(row.effective_n)),
            )
        )
        rows.append((names.at(words, int(row.month), clock=clock, timed=True), *told))
    columns = ["n_followed", "share_started", "share_unseen", "max_weight", "effective_n"]
    return table_of(words, "followed", ["month", *columns], rows) if rows else None
