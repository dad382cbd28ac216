r"""Difference in differences when treatment reaches those near the treated.

Estimand
--------
``total``: average effect on the treated, set against what nobody treated or near the treated lived; it
holds what the treated receive from one another. ``spillover``: average effect on those not treated yet,
or ever, while they are near treated places, of either sign: over all of them, and by ring of distance or
by level of exposure. Each by periods since the own start, or since first reached; group ``throughout`` is
over all of them, and ``throughout@alone`` the effect on the treated that no other treated place is near.
``ordinary`` is what the difference in differences without rings says of the same treated observations,
and ``contamination`` how far it is from ``total``.

Equation
--------
On observations neither treated nor exposed, by weighted least squares,

.. math:: y_{it} = \alpha_i + \lambda_t + x_i'\delta_t + \varepsilon_{it},\qquad
          \hat\tau_{it} = y_{it}-\hat\alpha_i-\hat\lambda_t-x_i'\hat\delta_t,

effects being means of :math:`\hat\tau_{it}`: the coefficients of :math:`\tau
D_{it}+\sum_k\delta_k(1-D_{it})\,\mathrm{ring}^k_{it}` in the second of two regressions. Ring *k* holds at
*t* the places whose nearest treated place then lies between two bounds; or, by ``levels``, those of which
such a share of the competition is under treatment. Exposure lasts once it is there, as treatment does.

Identification
--------------
Outcomes of units neither treated nor exposed tell those of the others, but for a level of each unit and
what covariates move, in all periods; nobody reacts before the start, or before being near; nothing
reaches beyond the outermost ring, or below the lowest level. Rings cut what may be smooth: an effect is
the average over its ring.

Inference
---------
The two regressions as one system of moments (Gardner 2022), summed by person, market or region, times
G/(G−1); by market or region, Student's t with G−1 degrees of freedom. ``cluster="space"``: correlated
between places nearer than ``cutoff`` (Conley 1999), and within a place over all its periods; the normal
law. Neither kernel is positive on every map: a variance that comes out negative is NaN. ``contamination``
has the joint error of the two fits.

Nothing chooses the rings. ``extras["widths"]`` tells effects for each number of rings kept, from none,
with the criteria of Clarke (2017) printed beside: choosing by them, or keeping rings until one is not
significant, makes intervals too short. ``extras["beyond"]`` adds one ring outside, twice as far (a level
half as low), and Moran's I of what clean places have left after the first start: places within the
outermost bound of each other, or competing.

Edge cases
----------
With persons in markets, those not treated in a market where others are have distance 0: a first bound of
0 sets them apart. Units never seen clean are left out and counted. Periods in which nobody clean is seen
cannot be imputed: named in ``extras["not_imputed"]``, their observations are in no average. A ring in
which nobody is has no row. Units treated from the first period on are not in the design, and their
neighbours would count as clean: such a design is refused. Leads, ``pretrends`` of them, are of units before
their first touch, in a regression of clean observations.

References
----------
Butts (2021), arXiv:2105.03737. Clarke (2017), doi:10.2139/ssrn.3052197. Gardner (2022), arXiv:2207.05943.
Conley (1999), doi:10.1016/S0304-4076(98)00084-0.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.design.rollout.rings import Nearness, by_distance, by_share
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.rings.exposed import Cells, Exposed
from whatworks.estimate.rings.terms import Errors, fit_terms
from whatworks.estimate.rings.widths import beyond, exposure_table, widths_table
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did.near import Kernel
from whatworks.stats.globe import Metric
from whatworks.stats.uncertainty import Influence
from whatworks.vocabulary import ENTRY_MONTH, Supply

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAME: Final = "SpilloverDiD"
CLUSTERS: Final = ("person", "market", "space")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpilloverDiD:
    """Effects on the treated and on those near them, by ring or level of exposure.

    Parameters
    ----------
    rings : tuple of float
        Outer bounds of rings of distance, increasing: kilometres, or the unit of coordinates or of the
        design's competition. A first bound of 0 is the treated's own place.
    levels : tuple of float
        Instead of rings: least share, of the competition a place meets, that is under treatment, level by
        level, increasing. Below the first, a place counts as not reached.
    coordinates : tuple of str
        Two covariates that say where units are; else distances are those of the design's competition. They
        are not adjusted for.
    metric : str
        Of coordinates: ``"plane"``, or ``"globe"`` (latitude, longitude in degrees; kilometres).
    cluster : str
        ``"person"``, ``"market"``, ``"space"``, or a covariate that numbers regions (then not adjusted for).
    cutoff : float, optional
        With ``"space"``: distance up to which places are correlated.
    kernel : str
        With ``"space"``: ``"bartlett"`` or ``"uniform"``.
    pretrends : int
        Periods before the first touch whose leads are read; 0 for none.

    Examples
    --------
    >>> SpilloverDiD(rings=(10, 30), coordinates=("x", "y")).cluster
    'person'
    """

    rings: tuple[float, ...] = (10.0, 25.0, 50.0)
    levels: tuple[float, ...] = ()
    coordinates: tuple[str, ...] = ()
    metric: Metric = "plane"
    cluster: str = "person"
    cutoff: float | None = None
    kernel: Kernel = "bartlett"
    pretrends: int = 3

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.metric, ("plane", "globe"), what="metric")
        choice(self.kernel, ("bartlett", "uniform"), what="kernel")
        for name, bounds, lowest in (("rings", self.rings, 0.0), ("levels", self.levels, 1e-12)):
            if bounds and (bounds[0] < lowest or not (np.diff(bounds) > 0).all()):
                raise _bad(
                    name, "positive bounds, increasing (rings may begin with 0)", repr(bounds)
                )
        if not self.rings and not self.levels:
            raise _bad("rings", "at least one bound, or levels", "neither")
        if self.coordinates and (len(self.coordinates) != 2 or self.levels):
            raise _bad("coordinates", "two covariates, with rings", repr(self.coordinates))
        if (self.cluster == "space") != (self.cutoff is not None) or (self.cutoff or 1.0) <= 0:
            raise _bad(
                "cutoff",
                "a positive distance with cluster='space', none otherwise",
                repr(self.cutoff),
            )
        if self.pretrends < 0:
            raise _bad("pretrends", "a number of periods, 0 or more", str(self.pretrends))

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects on the treated and on the exposed.

        Parameters
        ----------
        design : Design
            A rollout; observations may be missing.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Terms ``total``, ``spillover``, ``ordinary``, ``contamination``; ``group`` is ``all``, a ring, or
            ``throughout``. Extras ``widths``, ``beyond``, ``exposure``, ``not_imputed``.

        Raises
        ------
        DesignRefused
            When the design is no rollout, says nothing of who is near whom, left out units treated from
            the first period on, or leaves nobody clean.
        """
        among = set() if self.coordinates else {Supply.MARKETS, Supply.COMPETITION}
        level = "market" if self.cluster == "market" else "person"
        require(design, self.needs, method=NAME, everyone=True)
        require(design, self.needs | among, method=NAME, cluster=level, everyone=True)
        _all_starts_seen(design)
        nearness = (
            by_share(design)
            if self.levels
            else by_distance(design, coordinates=self.coordinates, metric=self.metric)
        )
        exposed = self._exposed(design, nearness)
        cells = Cells.of(exposed)
        fitted = fit_terms(exposed, cells, n_leads=self.pretrends) if cells.month.size else None
        if fitted is None or not fitted.told:
            raise DesignRefused(
                what=NAME,
                needed="a period in which some are treated and others, neither treated nor near, are seen",
                found=f"none; in {cells.not_imputed.size} periods nobody clean is",
                remedy="draw rings closer, or bring units far from any treated place",
            )
        how = Errors(cutoff=self.cutoff, kernel=self.kernel, df=self._df(exposed.rollout))
        uncertainty = fitted.uncertainty(how)
        effects = effects_table(
            fitted.rows,
            fitted.effect,
            uncertainty.covariance(),
            unit=design.outcomes.unit,
            df=how.df,
            influence=uncertainty if isinstance(uncertainty, Influence) else None,
        )
        return Estimate(
            method=NAME,
            options=asdict(self),
            effects=effects,
            uncertainty=uncertainty,
            ledger=exposed.rollout.ledger,
            extras={
                "widths": widths_table(exposed, how, effects),
                "beyond": beyond(exposed, how, fitted.touched),
                "exposure": exposure_table(exposed, cells),
                "not_imputed": ", ".join(str(p) for p in cells.not_imputed),
            },
        )

    def _df(self, rollout: Rollout) -> float:
        counted = self.cluster not in ("person", "space")
        return float(rollout.n_clusters - 1) if counted else np.inf

    def _exposed(self, design: Design, nearness: Nearness) -> Exposed:
        """Units that are once seen clean, with what reaches them."""
        by_market = self.cluster == "market"
        rollout = Rollout.of(design, cluster="market" if by_market else "person", gaps="keep")
        rows = design.units[ENTRY_MONTH].to_numpy() > design.outcomes.months[0]
        names = design.covariates
        if self.cluster not in CLUSTERS:
            choice(self.cluster, (*CLUSTERS, *names), what="cluster")
            region = rollout.covariates[:, names.index(self.cluster)]
            found, number = np.unique(region, return_inverse=True)
            rollout = replace(
                rollout, cluster=number.astype(np.int64), n_clusters=found.size, level="market"
            )
        apart = [k for k, name in enumerate(names) if name in (*self.coordinates, self.cluster)]
        rollout = replace(rollout, covariates=np.delete(rollout.covariates, apart, axis=1))
        exposed = Exposed.of(rollout, nearness.place[rows], nearness, self.levels or self.rings)
        clean = exposed.clean
        ledger = _ledger(rollout, clean)
        if not clean.any():
            raise DesignRefused(
                what=NAME,
                needed="units observed while neither treated nor exposed",
                found=f"none of {clean.size}",
                remedy="draw rings closer, or raise the lowest level",
            )
        kept = exposed if clean.all() else exposed.kept(clean)
        return replace(kept, rollout=replace(kept.rollout, ledger=ledger))


def _bad(what: str, needed: str, found: str) -> OptionError:
    return OptionError(what=what, needed=needed, found=found, remedy="correct the option")


def _ledger(rollout: Rollout, clean: Bools) -> Ledger:
    """Ledger with units never seen clean, as of no level of their own."""
    treated = rollout.start <= rollout.periods[-1]
    ledger = rollout.ledger
    for name, arm in (("imputed_treated", treated), ("imputed_comparison", ~treated)):
        ledger = ledger.add(
            "estimate",
            name,
            unit="units",
            before=int(arm.sum()),
            dropped={"no_untreated_period": int((arm & ~clean).sum())},
        )
    return ledger


def _all_starts_seen(design: Design) -> None:
    """Refuse a rollout that left out units treated all along: where they were, nobody near is clean."""
    lost = sum(
        count
        for step in design.ledger.steps
        for reason, count in step.dropped
        if reason == "treated_from_start"
    )
    if lost:
        raise DesignRefused(
            what=NAME,
            needed="the start of every treated unit within the periods",
            found=f"{lost} treated from the first period on, left out of the design with the place they had",
            remedy="bring earlier periods; or leave out, with them, the units within reach of them",
        )
