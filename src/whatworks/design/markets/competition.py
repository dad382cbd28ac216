"""Who competes with whom across markets: sparse weights from distance, commuting or skills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from whatworks.design.markets.reading import named, numbers
from whatworks.errors import OptionError, choice
from whatworks.stats.displacement import competing as formulas
from whatworks.stats.displacement.competing import Kernel
from whatworks.stats.globe import Metric

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BETWEEN: Final = " × "
"""What joins a place and an occupation in the name of a market."""
EVERY_PAIR: Final = 4_000
"""Markets up to which distances of every pair are held too: 128 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """How much the seekers of one market compete with those of another.

    Made by one of its class methods, or from weights of one's own with `by_links`.

    Parameters
    ----------
    names : tuple of str
        Markets, in alphabetical order.
    weights : csr_array of shape (n_markets, n_markets)
        Row *i* says which share of the competition that seekers of market *i* meet comes from each
        market, its own included; rows sum to one.
    distance : ndarray of shape (n_markets, n_markets) or None
        Kilometres, or the unit of the plane, between markets; NaN where not known. None beyond
        `EVERY_PAIR` markets, where ``near`` tells the pairs that count.
    source : str
        What the weights come from: ``"distance"``, ``"commuting"``, ``"skills"``, or several.
    near : csr_array of shape (n_markets, n_markets) or None
        Distances of the pairs not further than the cut, zeros stored.
    """

    names: tuple[str, ...]
    weights: csr_array
    distance: Floats | None = None
    source: str = ""
    near: csr_array | None = None

    @classmethod
    def by_distance(
        cls,
        places: pd.DataFrame,
        *,
        market: str,
        coordinates: Sequence[str] = ("latitude", "longitude"),
        scale: float,
        cut: float,
        kernel: Kernel = "exponential",
        seekers: str | None = None,
    ) -> Competition:
        """Weights that fall with distance.

        Parameters
        ----------
        places : DataFrame
            One row per market.
        market : str
            Column of its name.
        coordinates : two of str
            Columns. ``latitude`` and ``longitude``, in degrees, give kilometres along great circles;
            columns of other names are a plane, in their own unit.
        scale, cut : float
            Distance over which competition falls (by a factor e for ``"exponential"``), and beyond which
            there is none.
        kernel : str
            ``"exponential"``, ``"gaussian"``, ``"inverse"`` (1/(1+d/scale)) or ``"uniform"``.
        seekers : str, optional
            Column of the seekers of each market: a large one weighs more.

        Raises
        ------
        OptionError
        """
        choice(kernel, formulas.KERNELS, what="kernel")
        for name, value in (("scale", scale), ("cut", cut)):
            if not (np.isfinite(value) and value > 0):
                raise _bad(name, "a positive distance", str(value))
        if isinstance(coordinates, str) or len(coordinates) != 2:
            raise _bad("coordinates", "two columns", repr(coordinates))
        names, rows = _one_row_each(places, market)
        points = np.column_stack([numbers(places, c)[rows] for c in coordinates])
        metric: Metric = "globe" if tuple(coordinates) == ("latitude", "longitude") else "plane"
        if metric == "globe" and (np.abs(points) > (90, 180)).any():
            raise _bad("coordinates", "degrees, latitude first", "some out of range")
        near = formulas.near(points, cut=cut, metric=metric)
        size = None if seekers is None else _sizes(places, seekers)[rows]
        every = None
        if len(names) <= EVERY_PAIR:
            every = formulas.every_distance(points, metric=metric)
        return cls(
            names=names,
            weights=formulas.row_normalised(
                formulas.decayed(near, kernel=kernel, scale=scale), size=size
            ),
            distance=every,
            source="distance",
            near=near,
        )

    @classmethod
    def by_commuting(
        cls, flows: pd.DataFrame, *, home: str, work: str, workers: str
    ) -> Competition:
        """Weights by commuting: where seekers of a market would work, times who works there.

        Parameters
        ----------
        flows : DataFrame
            One row per pair of a market of residence and a place of work.
        home, work, workers : str
            Columns: the two, and the number of workers. Places of work need not be markets.

        Raises
        ------
        OptionError
            Also for a market of residence without workers.
        """
        homes, row = named(flows, home)
        works, column = named(flows, work)
        count = _sizes(flows, workers, zero=True)
        matrix = csr_array(coo_array((count, (row, column)), shape=(len(homes), len(works))))
        found = formulas.commuting(matrix)
        return cls(names=homes, weights=_full(found, homes, "workers"), source="commuting")

    @classmethod
    def by_skills(
        cls,
        uses: pd.DataFrame,
        *,
        market: str,
        skill: str,
        weight: str | None = None,
        least: float = 0.1,
    ) -> Competition:
        """Weights by the skills that occupations share (cosine).

        Parameters
        ----------
        uses : DataFrame
            One row per market, or occupation, and skill it uses.
        market, skill : str
            Columns.
        weight : str, optional
            How much it uses it; by default alike.
        least : float
            Overlap below which there is no competition.
        """
        if not 0 <= least < 1:
            raise _bad("least", "an overlap from 0 to less than 1", str(least))
        names, row = named(uses, market)
        skills, column = named(uses, skill)
        used = np.ones(len(uses)) if weight is None else _sizes(uses, weight, zero=True)
        matrix = csr_array(coo_array((used, (row, column)), shape=(len(names), len(skills))))
        found = formulas.row_normalised(formulas.overlap(matrix, least=least))
        return cls(names=names, weights=_full(found, names, "skills"), source="skills")

    @classmethod
    def by_links(
        cls, links: pd.DataFrame, *, market: str, other: str, weight: str, source: str = "links"
    ) -> Competition:
        """Weights of one's own: one row per market and market it meets, itself included.

        Rows are brought to sum to one.
        """
        both = pd.DataFrame(
            {"name": pd.concat([links[market], links[other]], ignore_index=True)}
            if {market, other} <= set(links)
            else {}
        )
        if both.empty:
            named(links, market)
            named(links, other)
        names, place = named(both, "name")
        row, column = place[: len(links)], place[len(links) :]
        value = _sizes(links, weight, zero=True)
        shape = (len(names), len(names))
        found = formulas.row_normalised(csr_array(coo_array((value, (row, column)), shape=shape)))
        return cls(names=names, weights=_full(found, names, "links"), source=source)

    def across(self, other: Competition, *, only: Sequence[str] | None = None) -> Competition:
        """Weights between pairs of a place and an occupation: the product of both (Kronecker).

        Parameters
        ----------
        other : Competition
            Of occupations, where this one is of places.
        only : sequence of str, optional
            Markets that exist, named ``place × occupation``; rows are brought to sum to one among them.

        Returns
        -------
        Competition
            Of markets named ``place × occupation``.
        """
        names = np.array(
            [f"{a}{BETWEEN}{b}" for a in self.names for b in other.names], dtype=object
        )
        weights = formulas.crossed(self.weights, other.weights)
        order = np.argsort(names.astype(str), kind="stable")
        if only is not None:
            wanted = set(only)
            strange = len(wanted - set(names))
            if strange:
                raise _bad(
                    "only", "markets named 'place × occupation'", f"{strange} of other names"
                )
            order = order[[name in wanted for name in names[order]]]
        kept = csr_array(weights[order][:, order])
        source = f"{self.source} and {other.source}"
        return Competition(
            names=tuple(str(n) for n in names[order]),
            weights=formulas.row_normalised(kept),
            source=source,
        )

    def times(self, other: Competition) -> Competition:
        """Weights between the same markets that need both (Hadamard)."""
        if self.names != other.names:
            raise _bad(
                "times",
                "the same markets on both sides",
                f"{len(self.names)} and {len(other.names)}, "
                f"{len(set(self.names) & set(other.names))} in common",
            )
        found = formulas.both(self.weights, other.weights)
        return Competition(
            names=self.names,
            weights=_full(found, self.names, "competition of both kinds"),
            distance=self.distance if self.distance is not None else other.distance,
            near=self.near if self.near is not None else other.near,
            source=f"{self.source} and {other.source}",
        )


def _bad(what: str, needed: str, found: str) -> OptionError:
    return OptionError(
        what=what, needed=needed, found=found, remedy="correct it; see whatworks.Competition"
    )


def _one_row_each(table: pd.DataFrame, market: str) -> tuple[tuple[str, ...], Ints]:
    """Names in alphabetical order and the row of each."""
    names, place = named(table, market)
    if len(names) < len(table):
        raise _bad(
            f"column {market!r}", "one row per market", f"{len(table) - len(names)} repeated"
        )
    rows = np.empty(len(names), dtype=np.int64)
    rows[place] = np.arange(len(names))
    return names, rows


def _sizes(table: pd.DataFrame, name: str, *, zero: bool = False) -> Floats:
    """A column of sizes, known on every row."""
    values = numbers(table, name)
    wrong = ~(values >= 0) if zero else ~(values > 0)
    if wrong.any():
        raise _bad(
            f"column {name!r}",
            "numbers that are not negative" if zero else "positive numbers",
            f"{int(wrong.sum())} rows with something else",
        )
    return values


def _full(weights: csr_array, names: tuple[str, ...], what: str) -> csr_array:
    """Weights in which every market competes with some."""
    empty = int((np.asarray(weights.sum(axis=1)).ravel() == 0).sum())
    if empty:
        raise _bad("competition", f"{what} for every market", f"{empty} of {len(names)} without")
    return weights
