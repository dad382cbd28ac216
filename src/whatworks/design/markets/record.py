"""Markets of a design, as numbers known from files or from the draw, never from the sample itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.vocabulary import MARKET, MONTH, SATURATION, TIGHTNESS, TREATED

Floats = NDArray[np.float64]

SEEKERS = "seekers"
ELIGIBLE_SEEKERS = "eligible"
MARKET_COLUMNS = (MARKET, MONTH, SEEKERS, ELIGIBLE_SEEKERS, TREATED, SATURATION, TIGHTNESS)
EVERY_MONTH = -1
"""Month of a row that says what a market is in all months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """How much the seekers of one market compete with those of another.

    Parameters
    ----------
    names : tuple of str
        Markets, in alphabetical order.
    weights : csr_array of shape (n_markets, n_markets)
        Row *i* says which share of the competition that seekers of market *i* meet comes from each
        market, its own included; rows sum to one.
    distance : ndarray of shape (n_markets, n_markets) or None
        Kilometres, or minutes, between markets; NaN where not known.
    source : str
        What the weights come from: ``"distance"``, ``"commuting"``, ``"skills"``, or several.
    """

    names: tuple[str, ...]
    weights: csr_array
    distance: Floats | None = None
    source: str = ""


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
    """

    table: pd.DataFrame
    moderators: tuple[str, ...] = ()
    tightness_before: bool | None = None
    competition: Competition | None = None
    hired_across: float = float("nan")
