"""A table of vacancies → Design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.comparison import as_names
from whatworks.design.markets.attach import with_markets
from whatworks.design.record import Design
from whatworks.design.tables.table import numeric, require
from whatworks.design.vacancies.endings import Endings
from whatworks.design.vacancies.reading import WITHDRAWN, Dates, Day, Seen, read_waits
from whatworks.errors import OptionError, choice
from whatworks.ledger import Ledger
from whatworks.vocabulary import Clock, HireOrigin, Supply

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OUTCOMES: Final[Mapping[str, HireOrigin | None]] = {
    "filled": None,
    "hires": None,
    "hires_unemployed": HireOrigin.UNEMPLOYED,
    "hires_poached": HireOrigin.POACHED,
    "hires_anyway": HireOrigin.ANYWAY,
}
"""Outcomes of vacancies, and the origin of the hires they count."""
OTHERWISE: Final = "filled_otherwise"
"""Ending of a vacancy filled by somebody who does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Columns that say how many jobs, how many hires, and whence."""

    outcome: str
    posts: str | None
    hires: str | None
    origin: str | None


def vacancies(  # noqa: PLR0913 - each argument names the part one column plays
    table: pd.DataFrame,
    *,
    posted: str,
    filled: str,
    treatment: str,
    seen_until: Day,
    withdrawn: str | None = None,
    seen_from: Day | None = None,
    days: Sequence[int] = (15, 30, 60, 90),
    outcome: str = "filled",
    posts: str | None = None,
    hires: str | None = None,
    origin: str | None = None,
    employer: str | None = None,
    market: str | None = None,
    stratum: str | None = None,
    saturation: str | None = None,
    tightness: str | None = None,
    covariates: Sequence[str] = (),
    took_part: str | None = None,
    weight: str | None = None,
    randomised: bool = False,
) -> Design:
    """Design whose units are vacancies, on the clock of days since each was posted.

    A vacancy posted less than *d* days before the files end has no outcome at *d* days, filled or not: to
    keep those that happened to be filled would count the quick ones only. One that was posted before the
    files begin is in them because it was still open, and has no outcome by days either; both count in
    `whatworks.FillingTimes`, as long as they were watched.

    Parameters
    ----------
    table : DataFrame
        One row per vacancy.
    posted, filled : str
        Columns of dates (or of whole days on any count); ``filled`` is empty where nobody was hired.
    treatment : str
        Column of 0 and 1: whether the employer was helped with it.
    seen_until : date or int
        Last day of the files.
    withdrawn : str, optional
        Column of when the employer gave up.
    seen_from : date or int, optional
        First day of the files.
    days : sequence of int
        Days since posting at which outcomes are read, increasing.
    outcome : str
        ``"filled"``, ``"hires"``, or hires by origin: ``"hires_unemployed"``, ``"hires_poached"``,
        ``"hires_anyway"``. All are per 100 jobs posted. Only hires from unemployment that would not have
        happened anyway make one job more: the others are moved.
    posts, hires : str, optional
        Columns: jobs the vacancy is for (one by default), and persons hired on it (all of them once it is
        filled). A vacancy counts as its jobs.
    origin : str, optional
        Column of where those hired came from, a word of `whatworks.vocabulary.HireOrigin`; empty where
        nobody was hired.
    employer : str, optional
        Column that ties the vacancies of one employer; it stands where other designs have the person.
    market, stratum, saturation : str, optional
        Labour market, randomisation stratum, and the share of the market's vacancies or employers that
        was drawn to be helped.
    tightness : str, optional
        Column, the same throughout a market: vacancies per seeker **before** anybody was helped. Effects
        may then be told by thirds of markets, with ``SaturationRegression(by=("tightness",))``.
    covariates, took_part, weight, randomised
        As `Design.from_cross_section`.

    Returns
    -------
    Design
        Outcomes in points; ``design.outcomes.endings`` holds the waits.

    Raises
    ------
    OptionError
        For an unknown column, dates that are none, endings before postings, or an origin that is missing
        or unknown where somebody was hired.
    DesignRefused
        When an arm is empty.

    Examples
    --------
    >>> table = pd.DataFrame({"posted": [0, 0, 5, 9], "filled": [3, None, 8, None],
    ...     "helped": [1, 0, 1, 0]})
    >>> design = vacancies(table, posted="posted", filled="filled", treatment="helped",
    ...     seen_until=20, days=(5, 10))
    >>> design.outcomes.values.tolist()
    [[100.0, 100.0], [0.0, 0.0], [100.0, 100.0], [0.0, 0.0]]
    """
    choice(outcome, tuple(OUTCOMES), what="outcome")
    if tightness is not None and market is None:
        raise OptionError(
            what="tightness",
            needed="the column of the market it is of",
            found="no market=",
            remedy="name the column of the market",
        )
    horizons = _horizons(days)
    dates = Dates(
        posted=posted,
        filled=filled,
        withdrawn=withdrawn,
        seen_from=seen_from,
        seen_until=seen_until,
    )
    known = as_names(covariates, what="covariates")
    roles = [c for c in (employer, market, stratum, saturation, took_part, weight) if c is not None]
    counts = [c for c in (posts, hires, origin) if c is not None]
    require(table, (treatment, *known, *roles, *counts, tightness))
    seen = read_waits(table, dates)
    per_post, jobs = _hired(
        table, seen, _Counted(outcome=outcome, posts=posts, hires=hires, origin=origin)
    )
    keep, ledger = _kept(table, seen, known=known, roles=roles)
    rows = np.flatnonzero(keep)
    own = {f"{outcome} at {d} days": np.zeros(rows.size) for d in horizons}
    columns = list(dict.fromkeys((treatment, *known, *roles)))
    made = table.iloc[rows][columns].reset_index(drop=True).assign(**own)
    mass = _mass(made, weight, jobs[rows])
    made = made.assign(**{"jobs posted": mass})
    design = Design.from_cross_section(
        made,
        treatment=treatment,
        outcome=dict(zip(horizons, own, strict=True)),
        covariates=known,
        person=employer,
        weight="jobs posted",
        market=market,
        stratum=stratum,
        saturation=saturation,
        took_part=took_part,
        unit="pp",
        randomised=randomised,
    )
    design = _with_outcomes(design, seen, rows, per_post[rows], outcome=outcome, ledger=ledger)
    if tightness is None or market is None:
        return design
    return with_markets(
        design,
        _of_markets(table.iloc[rows], market=market, columns=(tightness, saturation)),
        market=market,
        tightness=tightness,
        tightness_before=True,
        saturation=saturation,
        shares_from="design" if randomised and saturation is not None else None,
    )


def _horizons(days: Sequence[int]) -> tuple[int, ...]:
    found = tuple(days)
    whole = all(isinstance(d, int | np.integer) and not isinstance(d, bool) for d in found)
    if not found or not whole or sorted(set(found)) != list(found) or found[0] < 0:
        raise OptionError(
            what="days",
            needed="whole days since posting, increasing, from 0",
            found=repr(days),
            remedy="write for instance (15, 30, 60, 90)",
        )
    return tuple(int(d) for d in found)


def _hired(table: pd.DataFrame, seen: Seen, counted: _Counted) -> tuple[Floats, Floats]:
    """Hires that count, per 100 jobs posted, once a vacancy is filled; and jobs posted."""
    n = len(table)
    jobs = np.ones(n) if counted.posts is None else numeric(table, counted.posts)
    if not (jobs > 0).all():
        raise OptionError(
            what=f"column {counted.posts!r}",
            needed="one job or more on every row",
            found=f"{int((~(jobs > 0)).sum())} rows without",
            remedy="complete the column",
        )
    if counted.outcome == "filled":
        return np.full(n, 100.0), jobs
    filled = seen.endings.kind == 1
    hired = jobs if counted.hires is None else numeric(table, counted.hires)
    unknown = int((np.isnan(hired) & filled).sum())
    if unknown:
        raise OptionError(
            what=f"column {counted.hires!r}",
            needed="how many were hired on every vacancy filled",
            found=f"{unknown} rows without",
            remedy="complete the column",
        )
    amount = 100.0 * np.nan_to_num(hired) / jobs
    wanted = OUTCOMES[counted.outcome]
    if wanted is None:
        return amount, jobs
    return np.where(_origin(table, counted, filled) == wanted, amount, 0.0), jobs


def _origin(table: pd.DataFrame, counted: _Counted, filled: Bools) -> NDArray[np.object_]:
    """Where those hired came from, known on every vacancy filled."""
    words = tuple(HireOrigin)
    if counted.origin is None:
        raise OptionError(
            what=f"outcome {counted.outcome!r}",
            needed="the column of where those hired came from",
            found="no origin=",
            remedy="name it, or take outcome='hires'",
        )
    told = table[counted.origin].to_numpy(dtype=object)
    wrong = int((filled & ~np.isin(told.astype(str), [str(w) for w in words])).sum())
    if wrong:
        raise OptionError(
            what=f"column {counted.origin!r}",
            needed="one of " + ", ".join(words) + " on every vacancy filled",
            found=f"{wrong} rows with nothing, or something else",
            remedy="complete it: to leave such vacancies out would count fewer hires than there were",
        )
    return told


def _kept(
    table: pd.DataFrame, seen: Seen, *, known: Sequence[str], roles: Sequence[str]
) -> tuple[Bools, Ledger]:
    """Rows that are units, and the ledger of those that are not."""
    lost = dict(seen.lost)
    out = np.logical_or.reduce(list(lost.values()))
    for reason, names in (("missing_covariate", known), ("missing_market", roles)):
        lacking = table[list(names)].isna().any(axis=1).to_numpy() & ~out
        lost[reason] = lacking
        out |= lacking
    ledger = Ledger().add(
        "design",
        "vacancies",
        unit="vacancies",
        before=len(table),
        dropped={reason: int(rows.sum()) for reason, rows in lost.items()},
    )
    return ~out, ledger


def _mass(made: pd.DataFrame, weight: str | None, jobs: Floats) -> Floats:
    return jobs if weight is None else jobs * numeric(made, weight)


def _with_outcomes(
    design: Design,
    seen: Seen,
    rows: NDArray[np.int64],
    per_post: Floats,
    *,
    outcome: str,
    ledger: Ledger,
) -> Design:
    """The design with what became of its vacancies by each day, where that was watched from the start."""
    endings = _of_origin(seen.endings.of(rows), per_post, outcome)
    horizons = np.array(design.outcomes.months)
    watched = (seen.followed[rows, None] >= horizons) & (endings.entry[:, None] < 0)
    done = np.isin(endings.kind, (1, 3))[:, None] & (endings.time[:, None] <= horizons)
    values = np.where(watched, done * per_post[:, None], np.nan)
    # Waves were read as known throughout: what is not is counted by day below.
    arms = Ledger(tuple(s for s in design.ledger.steps if not s.name.startswith("waves")))
    counted = (ledger + arms).add(
        "design",
        "days_watched",
        unit="vacancy_days",
        before=watched.size,
        dropped={"not_watched_so_long": int((~watched).sum())},
    )
    return replace(
        design,
        question=replace(design.question, outcome=outcome),
        outcomes=replace(
            design.outcomes, name=outcome, values=values, clock=Clock.POSTING, endings=endings
        ),
        supplies=design.supplies | {Supply.ENDINGS},
        ledger=counted,
    )


def _of_origin(endings: Endings, per_post: Floats, outcome: str) -> Endings:
    """Endings whose first kind is the hire that is counted; other hires compete with it."""
    if OUTCOMES[outcome] is None:
        return endings
    others = (endings.kind == 1) & (per_post == 0)
    return replace(
        endings,
        kind=np.where(others, 3, endings.kind).astype(np.int64),
        names=(outcome, WITHDRAWN, OTHERWISE),
    )


def _of_markets(
    rows: pd.DataFrame, *, market: str, columns: tuple[str | None, ...]
) -> pd.DataFrame:
    """One row per market, of columns that are the same throughout it."""
    names = [c for c in columns if c is not None]
    held = rows[[market, *names]].drop_duplicates()
    several = held.loc[held[market].duplicated(), market].nunique()
    if several:
        raise OptionError(
            what="columns of markets",
            needed="one tightness and one share in each market",
            found=f"{several} markets with several",
            remedy="bring what was known of each market before anybody was helped",
        )
    return held.reset_index(drop=True)
