"""What is assumed of markets and of the outcome before an experiment is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, expect
from whatworks.options import typed
from whatworks.stats.planning.variance import components, together
from whatworks.vocabulary import ELIGIBLE, MARKET, SATURATION, STRATUM, TOOK_PART, TREATED

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Sizes of markets, and how much the outcome varies between persons and between markets.

    Parameters
    ----------
    sizes : tuple of int
        Eligible persons of each market whose outcome will be read.
    sd : float
        Standard deviation of the outcome between persons, in its unit.
    icc : float
        Part of its variance that persons of one market share, for reasons nobody knows beforehand.
    sd_assigned, icc_assigned : float, optional
        The same of the assigned, where help is thought to change them.
    together : float
        Correlation between assigned and unassigned of what their market makes of them: 1 where effects
        are the same everywhere; less where they differ, or where what some get others do not.
    means : tuple of float, optional
        What is usual in each market, e.g. last year's outcome: a difference that is known, on top of
        ``icc``. Where larger markets fare otherwise than small ones, leaving it out promises too much.
    stratum : tuple of str, optional
        Stratum of each market; ``means`` then count by their distance to their stratum's, as in an
        estimate that holds strata.
    ineligible : tuple of int, optional
        Persons of each market who compete without being eligible, and whose outcome will be read too.
    take_up : float
        Part of the assigned who will take part.
    unit : str
        Unit of the outcome; in ``"pp"`` a person is 0 or 100, otherwise a job is 1.

    Examples
    --------
    >>> Assumed.of_share(0.2, sizes=(90,) * 235, icc=0.02).sd
    40.0
    """

    sizes: tuple[int, ...]
    sd: float
    icc: float
    means: tuple[float, ...] = ()
    stratum: tuple[str, ...] = ()
    ineligible: tuple[int, ...] = ()
    take_up: float = 1.0
    unit: str = ""
    sd_assigned: float | None = None
    icc_assigned: float | None = None
    together: float = 1.0

    def __post_init__(self) -> None:
        typed(self)
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise _wrong("sizes", "two markets or more, of one person or more", len(self.sizes))
        for name, sd in (("sd", self.sd), ("sd_assigned", self.of_assigned[0])):
            if not (np.isfinite(sd) and sd > 0):
                raise _wrong(name, "a positive standard deviation", sd)
        for name, icc in (("icc", self.icc), ("icc_assigned", self.of_assigned[1])):
            if not 0 <= icc < 1:
                raise _wrong(name, "a part from 0 to less than 1", icc)
        if not -1 <= self.together <= 1:
            raise _wrong("together", "a correlation", self.together)
        if not 0 < self.take_up <= 1:
            raise _wrong("take_up", "a part of more than 0, to 1", self.take_up)
        for name in ("means", "stratum", "ineligible"):
            given = getattr(self, name)
            if given and len(given) != len(self.sizes):
                raise _wrong(name, f"{len(self.sizes)} values, one for each market", len(given))

    @classmethod
    def of_share(
        cls, share: float, *, sizes: Sequence[int], icc: float, take_up: float = 1.0
    ) -> Assumed:
        """Assumptions on an outcome that is 0 or 100 for a person, of which this share is 100."""
        if not 0 < share < 1:
            raise _wrong("share", "a share strictly between 0 and 1", share)
        return cls(
            sizes=tuple(int(n) for n in sizes),
            sd=100.0 * float(np.sqrt(share * (1 - share))),
            icc=icc,
            take_up=take_up,
            unit="pp",
        )

    @classmethod
    def from_design(cls, pilot: Design, *, month: int | None = None) -> Assumed:
        """What a pilot, or a trial already run, says of sizes, variances and take-up.

        Parameters
        ----------
        pilot : Design
            With markets and outcomes. Variances are those around the mean of each arm at each share;
            persons count alike whatever their weights.
        month : int, optional
            Of the outcome; by default the last.

        Raises
        ------
        DesignRefused
            Without markets, or without outcomes.
        """
        expect(pilot, Design, what="the pilot", remedy="make one with Design.from_cross_section")
        units = pilot.units
        if not pilot.outcomes.opened or units[MARKET].isna().any():
            raise DesignRefused(
                what="Assumed.from_design",
                needed="a pilot with outcomes and the market of each unit",
                found="one without",
                remedy="name the column of the market, and open outcomes",
            )
        values = pilot.outcomes.at(pilot.outcomes.months[-1] if month is None else month)
        mine = units[ELIGIBLE].to_numpy() if ELIGIBLE in units else np.ones(len(units), dtype=bool)
        seen = ~np.isnan(values)
        names, market = np.unique(units[MARKET].to_numpy().astype(str), return_inverse=True)
        sizes = np.bincount(market[seen & mine], minlength=names.size)
        others = np.bincount(market[seen & ~mine], minlength=names.size)
        treated = units[TREATED].to_numpy()
        share = np.nan_to_num(units[SATURATION].to_numpy(), nan=-1.0)
        cell = np.ravel(
            np.unique(np.column_stack([treated, share]), axis=0, return_inverse=True)[1]
        )
        held = sizes > 0
        strata = units[STRATUM].to_numpy()
        first = np.unique(market, return_index=True)[1]
        one, zero = (
            components(values[a], market=_numbered(market[a]), cell=_numbered(cell[a]))
            for a in (seen & mine & treated, seen & mine & ~treated)
        )
        kept = seen & mine
        return cls(
            sizes=tuple(sizes[held].tolist()),
            sd=zero.sd,
            icc=zero.icc,
            sd_assigned=one.sd,
            icc_assigned=one.icc,
            together=together(
                values[kept], market=market[kept], cell=_numbered(cell[kept]), arm=treated[kept]
            ),
            stratum=tuple(str(s) for s in strata[first][held]) if _told(strata) else (),
            ineligible=tuple(others[held].tolist()) if others.any() else (),
            take_up=float(units[TOOK_PART].to_numpy()[treated].mean())
            if TOOK_PART in units
            else 1.0,
            unit=pilot.outcomes.unit,
        )

    @property
    def of_assigned(self) -> tuple[float, float]:
        """Standard deviation of the assigned, and the part of their variance that markets share."""
        sd = self.sd if self.sd_assigned is None else self.sd_assigned
        return sd, self.icc if self.icc_assigned is None else self.icc_assigned

    @property
    def away(self) -> Floats:
        """How far each market's usual outcome is from that of the markets it is compared with."""
        if not self.means:
            return np.zeros(len(self.sizes))
        means, size = np.asarray(self.means), np.asarray(self.sizes, dtype=float)
        group = np.unique(self.stratum or ("",) * size.size, return_inverse=True)[1]
        centre = np.bincount(group, size * means) / np.bincount(group, size)
        return np.asarray(means - centre[group])

    @property
    def jobs(self) -> float:
        """Jobs in one unit of outcome."""
        return 0.01 if self.unit == "pp" else 1.0


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _told(strata: NDArray[np.object_]) -> bool:
    return all(stratum is not None for stratum in strata)


def _wrong(what: str, needed: str, found: object) -> OptionError:
    return OptionError(what=what, needed=needed, found=repr(found), remedy="correct the option")
