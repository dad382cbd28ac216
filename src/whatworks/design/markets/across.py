"""What reaches each market from the others: the treated share of the competition its seekers meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.competition import Competition
from whatworks.design.markets.record import SEEKERS
from whatworks.design.markets.shares import by_cell, read_shares
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError
from whatworks.stats.displacement.competing import in_rings, met
from whatworks.vocabulary import MARKET, MONTH, SATURATION

Floats = NDArray[np.float64]

MET: Final = "met"
MET_ELSEWHERE: Final = "met_elsewhere"


def exposures(design: Design, *, rings: Sequence[float] = ()) -> pd.DataFrame:
    """Share under treatment of the competition that seekers of each market meet, by month of entry.

    Parameters
    ----------
    design : Design
        With shares, and a competition attached by `competing`.
    rings : sequence of float, optional
        Increasing bounds of rings of distance, from 0: ``(0, 20, 40)`` for up to 20 km, and 20 to 40.
        Not beyond the cut of the competition.

    Returns
    -------
    DataFrame
        ``market, month, saturation, met, met_elsewhere``, then ``within_20, within_40``: the market's own
        share; that of everyone its seekers compete with, own market included; of other markets only;
        and the share of the markets of each ring (own left out), by their seekers where known, else
        alike. NaN where a share it depends on is not known, or there is no such market. One row per
        market of the competition.

    Raises
    ------
    DesignRefused
        Without a competition, or without shares; for rings, when it holds no distances.
    OptionError
        For bounds that do not increase from 0.
    """
    rivals = design.markets.competition if design.markets is not None else None
    if rivals is None:
        raise DesignRefused(
            what="exposures",
            needed="who competes with whom across markets",
            found="nothing of it",
            remedy="attach it with whatworks.competing(design, whatworks.Competition.by_distance(...))",
        )
    edges = _edges(rings, rivals)
    told = _known(design, rivals)
    frames = []
    for month, rows in told.groupby(MONTH, sort=True):
        share = rows[SATURATION].reindex(list(rivals.names)).to_numpy(dtype=float)
        every, others = met(rivals.weights, share)
        columns = {
            MARKET: np.array(rivals.names, dtype=object),
            MONTH: np.full(share.size, month, dtype=np.int64),
            SATURATION: share,
            MET: every,
            MET_ELSEWHERE: others,
        }
        if edges.size and rivals.near is not None:
            size = rows[SEEKERS].reindex(list(rivals.names)).to_numpy(dtype=float)
            if np.isnan(size).any():
                size = np.ones(share.size)
            around = in_rings(rivals.near, share, size, edges=edges)
            columns |= {f"within_{b:g}": around[:, k] for k, b in enumerate(edges[1:])}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _edges(rings: Sequence[float], rivals: Competition) -> Floats:
    """Bounds of rings, checked."""
    edges = np.asarray(tuple(rings), dtype=float)
    if not edges.size:
        return edges
    if rivals.near is None:
        raise DesignRefused(
            what="rings",
            needed="a competition that holds distances",
            found=f"one by {rivals.source}",
            remedy="make it with Competition.by_distance, or multiply it with one",
        )
    if edges.size < 2 or edges[0] != 0 or not (np.diff(edges) > 0).all():
        raise OptionError(
            what="rings",
            needed="bounds that increase from 0",
            found=str(tuple(edges.tolist())),
            remedy="write for instance (0, 20, 40)",
        )
    return edges


def _known(design: Design, rivals: Competition) -> pd.DataFrame:
    """Share and seekers of markets by name, a row per month: from their table, else from the units."""
    table = None if design.markets is None else design.markets.table
    if table is None or table[SATURATION].isna().all():
        shares, _ = read_shares(design)
        table = pd.DataFrame(
            {
                MARKET: shares.names[shares.of_cell],
                MONTH: shares.month,
                SATURATION: shares.saturation,
                SEEKERS: by_cell(design, shares, SEEKERS),
            }
        )
    known = table[table[MARKET].isin(rivals.names)]
    if known[SATURATION].isna().all():
        raise DesignRefused(
            what="exposures",
            needed="the share of markets under treatment",
            found="none",
            remedy="give it with whatworks.with_markets(..., saturation=...), or count it with "
            "whatworks.expose",
        )
    return known.set_index(MARKET)[[MONTH, SATURATION, SEEKERS]]
