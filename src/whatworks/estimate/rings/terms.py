"""Terms of a spillover-aware difference in differences, as rows with one joint uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.design.rollout.rings import CLEAN
from whatworks.errors import DesignRefused
from whatworks.estimate.rings.exposed import ALONE, Cells, Exposed, ordinary
from whatworks.stats.did.near import Kernel, conley
from whatworks.stats.did.rings import CleanLeads, Touched, clean_leads, impute_cells
from whatworks.stats.did.summed import summed_by_cluster
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty, factor_of_clusters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TOTAL = "total"
SPILLOVER = "spillover"
ORDINARY = "ordinary"
CONTAMINATION = "contamination"
EVERYONE = "all"
POOLED = "throughout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How errors are summed: by the clusters of the rollout, or across space.

    Parameters
    ----------
    cutoff : float or None
        Distance up to which places are correlated; None for clusters.
    kernel : str
    df : float
        Degrees of freedom of intervals.
    """

    cutoff: float | None
    kernel: Kernel
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Effects of every term, in the order of their rows.

    Parameters
    ----------
    exposed : Exposed
    touched : Touched
        Terms ``total`` and ``spillover``.
    beside : Touched
        Terms ``ordinary``; its members are some of the former's.
    shared : ndarray of int
        Position among the former of each of the latter.
    leads : CleanLeads
    rows : tuple of mappings
        Leads, ``total`` and ``spillover``, ``ordinary``, ``contamination``.
    """

    exposed: Exposed
    touched: Touched
    beside: Touched
    shared: Ints
    leads: CleanLeads
    rows: tuple[Mapping[str, Any], ...]

    @property
    def told(self) -> bool:
        """Whether some effect on the treated was told."""
        return bool(np.isfinite(self.touched.effect[self.shared]).any())

    @property
    def effect(self) -> Floats:
        """Points, shape (n_rows,)."""
        apart = self.beside.effect - self.touched.effect[self.shared]
        return np.concatenate(
            [self.leads.fit.coefficient, self.touched.effect, self.beside.effect, apart]
        )

    def influence(self, rows: Ints) -> Floats:
        """Influence of some units on every row, shape (b, n_rows)."""
        mine, theirs = self.touched.influence(rows), self.beside.influence(rows)
        parts = [self.leads.influence(rows), mine, theirs, theirs - mine[:, self.shared]]
        return np.hstack(parts)

    def uncertainty(self, how: Errors) -> Uncertainty:
        """Summed by cluster, or, with a cut-off, by place and across places."""
        return uncertainty_of(self, self.exposed, how, n_terms=len(self.rows))


def uncertainty_of(
    terms: Fitted | Touched, exposed: Exposed, how: Errors, *, n_terms: int
) -> Uncertainty:
    """Uncertainty of terms from the influence of units."""
    rollout = exposed.rollout
    if how.cutoff is None:
        return summed_by_cluster(
            terms.influence,
            n_terms=n_terms,
            cluster=rollout.cluster,
            n_clusters=rollout.n_clusters,
            factor=factor_of_clusters(rollout.n_clusters),
            level=rollout.level,
        )
    there, number = np.unique(exposed.place, return_inverse=True)
    summed = summed_by_cluster(
        terms.influence,
        n_terms=n_terms,
        cluster=number.ravel().astype(np.int64),
        n_clusters=there.size,
    )
    places = exposed.nearness.places
    if places is None or not isinstance(summed, Influence):
        raise DesignRefused(
            what="cluster='space'",
            needed="distances between places, and not too many places",
            found="no distances" if places is None else f"{there.size} places",
            remedy="bring distances, or cluster by market or region",
        )
    return Covariance(
        matrix=conley(summed.values, places.at(there).within(how.cutoff, kernel=how.kernel))
    )


@dataclass(frozen=True, slots=True)
class _Term:
    term: str
    group: str
    month: int
    members: Bools


def terms_of(exposed: Exposed, cells: Cells, *, months: bool = True) -> list[_Term]:
    """Terms by month and ring, then pooled; those that no observation tells are not among them."""
    sets = [(TOTAL, EVERYONE, cells.treated), (SPILLOVER, EVERYONE, ~cells.treated)]
    rings = [(name, cells.ring == k) for k, name in enumerate(exposed.names)]
    sets += [(SPILLOVER, name, ~cells.treated & here) for name, here in rings]
    found: list[_Term] = []
    if months:
        found = [
            _Term(term, group, int(month), here & (cells.month == month))
            for term, group, here in sets
            for month in np.unique(cells.month[here])
        ]
    alone = cells.treated & (cells.ring == CLEAN)
    sets.insert(1, (TOTAL, ALONE, alone))
    sets[2:2] = [(TOTAL, name, cells.treated & here) for name, here in rings]
    for term, group, here in sets:
        if here.any():
            found.append(_Term(term, _pooled(group), 0, here))
    return found


def _pooled(group: str) -> str:
    return POOLED if group == EVERYONE else f"{POOLED}@{group}"


def fit_terms(exposed: Exposed, cells: Cells, *, n_leads: int) -> Fitted:
    """Fit clean observations, then the same treated without rings, then leads."""
    terms = terms_of(exposed, cells)
    members = np.column_stack([t.members for t in terms])
    touched = impute_cells(exposed.units(), cells.label, members)
    shared = np.flatnonzero(
        [t.term == TOTAL and t.group in (EVERYONE, POOLED) for t in terms]
    ).astype(np.int64)
    beside = ordinary(exposed, cells, members[:, shared])
    leads, before = _leads(exposed, touched, n_leads=n_leads)
    rows = _rows(terms, touched, cells)
    after = [{**rows[k], "term": name} for name in (ORDINARY, CONTAMINATION) for k in shared]
    return Fitted(
        exposed=exposed,
        touched=touched,
        beside=beside,
        shared=shared,
        leads=leads,
        rows=(*before, *rows, *after),
    )


def _rows(terms: list[_Term], touched: Touched, cells: Cells) -> list[dict[str, Any]]:
    """Labels of each term with the units that tell it."""
    pooled = [k for k, t in enumerate(terms) if t.group.startswith(POOLED)]
    count = touched.count.copy()
    count[pooled] = cells.units_of(touched.members[:, pooled])
    return [
        {
            "term": t.term,
            "cohort": -1,
            "month": t.month,
            "group": t.group,
            "n_treated": int(n),
            "n_comparison": int(cells.n_clean[t.members].max()),
        }
        for t, n in zip(terms, count, strict=True)
    ]


def _leads(
    exposed: Exposed, touched: Touched, *, n_leads: int
) -> tuple[CleanLeads, list[dict[str, Any]]]:
    """Months before a first touch, of those first treated and of those first exposed."""
    firsts, own = exposed.firsts()
    used, seen = touched.units.used, touched.swept.count > 0
    since = exposed.rollout.periods[None, :] - firsts[:, None]
    wanted, members = [], []
    for term, mine in ((TOTAL, own), (SPILLOVER, ~own)):
        for month in range(-n_leads, 0):
            here = used & seen & (since == month) & mine[:, None]
            if here.any():
                wanted.append((term, month))
                members.append(here)
    shape = (0, *used.shape)
    leads = clean_leads(
        touched, np.array(members, dtype=bool) if members else np.zeros(shape, bool)
    )
    rows = [
        {
            "term": term,
            "cohort": -1,
            "month": month,
            "group": EVERYONE,
            "n_treated": int(leads.count[k]),
            "n_comparison": int(leads.others[k]),
        }
        for k, (term, month) in enumerate(wanted)
    ]
    return leads, rows
