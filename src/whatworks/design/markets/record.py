"""Markets of a design, as numbers known from files or from the draw, never from the sample itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from whatworks.design.markets.competition import Competition
from whatworks.vocabulary import MARKET, MONTH, SATURATION, TIGHTNESS, TREATED

SEEKERS = "seekers"
ELIGIBLE_SEEKERS = "eligible"
MARKET_COLUMNS = (MARKET, MONTH, SEEKERS, ELIGIBLE_SEEKERS, TREATED, SATURATION, TIGHTNESS)
EVERY_MONTH = -1
"""Month of a row that says what a market is in all months."""
BY_DESIGN: Final = "design"
COUNTED: Final = "files"
OF_SAMPLE: Final = "sample"
SHARES_FROM: Final = (BY_DESIGN, COUNTED, OF_SAMPLE)
"""Where shares come from: the draw, a count of everyone in whole files, or the sample itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Markets:
    """What is known of the markets of a design, besides the units it holds.

    Parameters
    ----------
    table : DataFrame
        One row per market and month: ``market`` (text), ``month`` (of entry; `EVERY_MONTH` when one row
        says all), ``seekers`` (people who compete there, eligible or not), ``eligible`` (of them, those
        who could be treated), ``treated`` (of them, those under treatment), ``saturation`` (share of the
        eligible assigned by design, or observed in the whole files), ``tightness`` (vacancies per
        seeker), then `moderators`. NaN where not known.
    moderators : tuple of str
        Further columns of the table: what effects may differ by, declared before outcomes were opened.
    tightness_before : bool or None
        Whether tightness was measured before anyone was assigned; None where nobody said.
    competition : Competition or None
        Across markets; None where each is taken to be on its own.
    hired_across : float
        Share of the hires of markets that cross their borders; NaN where not known.
    shares_from : str or None
        One of `SHARES_FROM`; None where nobody said, and then shares that are those of the sample are
        refused. ``"sample"`` accepts them, knowing that a survey may draw its arms at different rates.
    """

    table: pd.DataFrame
    moderators: tuple[str, ...] = ()
    tightness_before: bool | None = None
    competition: Competition | None = None
    hired_across: float = float("nan")
    shares_from: str | None = None
