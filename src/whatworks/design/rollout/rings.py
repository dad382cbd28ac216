"""Who is how near to a treated place, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.design.markets.competition import Competition
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused, OptionError, suggestion
from whatworks.stats.did.near import Places
from whatworks.stats.globe import Metric
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    SATURATION,
    Supply,
    Unidentified,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rings = NDArray[np.int8]

CLEAN = -1
"""Ring of a place that nothing reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How near each place is to treated ones, after each start.

    Parameters
    ----------
    place : ndarray of int, shape (n,)
        Number of each unit's place.
    starts : ndarray of int, shape (n_starts,)
        Periods in which some place starts, increasing.
    untreated, treated : ndarray of shape (n_places, n_starts)
        For units of a place that are not treated then, and for those that are: distance to the nearest
        treated place, or share of the competition met that is under treatment. A place's own treated
        reach its untreated units (at distance 0), not one another.
    by_share : bool
        True for shares: more is nearer.
    places : Places or None
        None for shares without distances.
    competition : csr_array of shape (n_places, n_places) or None
        Weights behind shares.
    """

    place: Ints
    starts: Ints
    untreated: Floats
    treated: Floats
    by_share: bool
    places: Places | None
    competition: csr_array | None = None

    def rings(self, bounds: Sequence[float]) -> tuple[Rings, Rings]:
        """Ring of each place after each start, 0 the nearest, `CLEAN` beyond: untreated, then treated.

        Parameters
        ----------
        bounds : sequence of float
            Increasing. Of distances, the outer bound of each ring; of shares, the least of each level,
            below the first of which a place counts as not reached.
        """
        edges = np.asarray(bounds, dtype=float)

        def ring(measure: Floats) -> Rings:
            if self.by_share:
                level = np.searchsorted(edges, measure, side="right")
                found = np.where(level > 0, edges.size - level, CLEAN)
            else:
                level = np.searchsorted(edges, measure, side="left")
                found = np.where(level < edges.size, level, CLEAN)
            return found.astype(np.int8)

        return ring(self.untreated), ring(self.treated)

    def links(self, rows: Ints, *, bound: float, most: float) -> csr_array | None:
        """Who is a neighbour of whom among some places: within a distance, or by competing.

        Returns
        -------
        csr_array or None
            Symmetric weights; None where there would be more than ``most`` of them.
        """
        if self.competition is not None:
            among = self.competition[rows][:, rows]
            return csr_array((among + among.T) / 2)
        if self.places is None:
            return None
        some = self.places.at(rows)
        if not rows.size or some.pairs_within(bound) > most:
            return None
        return some.within(max(bound, np.finfo(float).tiny), kernel="uniform")


def by_distance(
    design: Design, *, coordinates: tuple[str, ...] = (), metric: Metric = "plane"
) -> Nearness:
    """Distance of each place to the nearest treated one, after each start.

    Parameters
    ----------
    design : Design
        A rollout.
    coordinates : tuple of str
        Two covariates: x and y, or latitude and longitude. Units at one point are one place. Without
        them, places are markets and distances those of the design's competition.
    metric : str
        ``"plane"``, or ``"globe"`` (degrees; kilometres).

    Raises
    ------
    OptionError
        When coordinates are no covariates of the design, or degrees out of range.
    DesignRefused
        When the design has neither.
    """
    start = design.units[ENTRY_MONTH].to_numpy()
    if coordinates:
        points = _points(design, coordinates, metric)
        there, place = np.unique(points, axis=0, return_inverse=True)
        places = Places(points=there, metric=metric)
        place = place.ravel().astype(np.int64)
    else:
        held = design.markets.competition if design.markets is not None else None
        if held is None or held.distance is None:
            raise DesignRefused(
                what="rings of distance",
                needed="distances between markets, or coordinates of units",
                found="neither",
                remedy="say coordinates=, or attach a competition that holds the distance of every pair, "
                "with whatworks.competing",
            )
        place, rank = _markets(design, held)
        places = Places(distance=held.distance[np.ix_(rank, rank)])
    first = _first(start, place, int(place.max()) + 1)
    starts = np.unique(start[start <= design.outcomes.months[-1]])
    others = np.full((first.size, starts.size), np.inf)
    nearest = np.full(first.size, np.inf)
    for c, g in enumerate(starts):
        members = np.flatnonzero(first == g)
        if members.size:
            nearest = np.minimum(nearest, places.nearest(members))
        others[:, c] = nearest
    own = first[:, None] <= starts
    return Nearness(
        place=place,
        starts=starts,
        untreated=np.where(own, 0.0, others),
        treated=others,
        by_share=False,
        places=places,
    )


def by_share(design: Design) -> Nearness:
    """Share of the competition each place meets that is under treatment, after each start.

    A place weighs by the design's competition, and counts from its first start on: whole where all its
    units start then, else for the share of it that the design says was assigned.

    Raises
    ------
    DesignRefused
        When the design has no competition, or, within a place, only some start and the design does not
        say which share was assigned.
    """
    held = design.markets.competition if design.markets is not None else None
    if held is None:
        raise DesignRefused(
            what="exposure by share",
            needed=f"a design that supplies {Supply.COMPETITION}",
            found="none",
            remedy="attach one with whatworks.competing, or choose rings of distance",
        )
    place, rank = _markets(design, held)
    start = design.units[ENTRY_MONTH].to_numpy()
    n_places = rank.size
    first = _first(start, place, n_places)
    treated = _shares(design, place, first)
    starts = np.unique(start[start <= design.outcomes.months[-1]])
    under = treated[:, None] * (first[:, None] <= starts)
    weights = held.weights[rank][:, rank]
    every = np.asarray(weights @ under)
    distance = held.distance
    return Nearness(
        place=place,
        starts=starts,
        untreated=every,
        treated=every - weights.diagonal()[:, None] * under,
        by_share=True,
        places=None if distance is None else Places(distance=distance[np.ix_(rank, rank)]),
        competition=csr_array(weights),
    )


def _points(design: Design, coordinates: tuple[str, ...], metric: Metric) -> Floats:
    """Columns of coordinates of the units."""
    for name in coordinates:
        if name not in design.covariates:
            raise OptionError(
                what="coordinates",
                needed="covariates of the design, such as "
                + (", ".join(design.covariates) or "x, y"),
                found=repr(name),
                remedy=suggestion(name, design.covariates) or "name it among covariates=",
            )
    points = design.units[list(coordinates)].to_numpy(dtype=float)
    if metric == "globe" and (np.abs(points) > (90.0, 360.0)).any():
        raise OptionError(
            what="coordinates",
            needed="latitude then longitude, in degrees",
            found="values out of range",
            remedy="give latitude first, or metric='plane' for kilometres",
        )
    return points


def _markets(design: Design, held: Competition) -> tuple[Ints, Ints]:
    """Number of each unit's market, and where each stands in the design's competition."""
    known = {name: k for k, name in enumerate(held.names)}
    # By hashing: sorting a million names costs seconds, sorting their few kinds nothing.
    place, names = pd.factorize(design.units[MARKET].to_numpy(dtype=object), sort=True)
    absent = sum(name not in known for name in names)
    if absent:
        raise DesignRefused(
            what="competition between markets",
            needed="every market of the units",
            found=f"{absent} of {names.size} that it does not know",
            remedy="write the names of markets alike in both, or complete the matrix",
        )
    rank = np.array([known[name] for name in names], dtype=np.int64)
    return place.astype(np.int64), rank


def _first(start: Ints, place: Ints, n_places: int) -> Ints:
    """First start in each place."""
    first = np.full(n_places, np.iinfo(np.int64).max)
    np.minimum.at(first, place, start)
    return first


def _shares(design: Design, place: Ints, first: Ints) -> Floats:
    """Share of each place that comes under treatment: all of it, or what the design assigned."""
    start = design.units[ENTRY_MONTH].to_numpy()
    mixed = np.zeros(first.size, dtype=bool)
    mixed[place[start != first[place]]] = True
    share = np.ones(first.size)
    if mixed.any():
        told = design.units[SATURATION].to_numpy(dtype=float)
        lacking = int(np.unique(place[mixed[place] & np.isnan(told)]).size)
        if lacking:
            raise DisplacementRefused(
                code=Unidentified.SATURATION_FROM_SAMPLE,
                what="exposure by share",
                needed="the share assigned in each market of which only some are treated",
                found=f"{lacking} markets of which nothing but the sample tells it",
                remedy="bring the share by design or from the whole files, or choose rings of distance",
            )
        inside = mixed[place]
        share[place[inside]] = told[inside]
    return share
