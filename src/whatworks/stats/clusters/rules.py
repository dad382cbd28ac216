"""Which inference a number of clusters allows: rules of thumb of the literature, each with its source.

They ask how many clusters there are and how many are in the smaller arm, never what the p-values are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MANY: Final = 40
"""Clusters from which the normal law of cluster sums is relied upon (Cameron & Miller 2015)."""
MANY_IN_ARM: Final = 20
FEW_IN_ARM: Final = 6
"""Clusters of the smaller arm below which no method that trusts cluster sums is right."""
FEWEST_WITHIN: Final = 5
"""Clusters from which the restricted wild bootstrap is right where each has both arms."""
LEAST_DF: Final = 4.0
LEAST_ASSIGNMENTS: Final = 20
"""Assignments below which no p-value of 5 % can be reached."""

REFERENCES: Final = {
    "cluster_robust": "Cameron, Gelbach & Miller (2008), doi:10.1162/rest.90.3.414",
    "cr2_satterthwaite": "Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004",
    "jackknife": "MacKinnon, Nielsen & Webb (2023), doi:10.1002/jae.2969",
    "wild_restricted": "MacKinnon & Webb (2018), doi:10.1111/ectj.12107; "
    "Canay, Santos & Shaikh (2021), doi:10.1162/rest_a_00887",
    "wild_unrestricted": "MacKinnon & Webb (2018), doi:10.1111/ectj.12107",
    "score": "Kline & Santos (2012), doi:10.1515/2156-6674.1006",
    "randomisation": "MacKinnon & Webb (2020), doi:10.1016/j.jeconom.2020.04.024",
}
"""Methods, in the order of tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Clusters an effect is read on.

    Parameters
    ----------
    n, treated, comparison : int
        All, those with treated units, those with comparison units.
    """

    n: int
    treated: int
    comparison: int

    @property
    def smaller(self) -> int:
        """Clusters of the smaller arm."""
        return min(self.treated, self.comparison)

    @property
    def within(self) -> bool:
        """Whether every cluster has both arms."""
        return self.treated == self.comparison == self.n


def verdict(
    method: str,
    clusters: Clusters,
    *,
    defined: bool = True,
    df: float = float("nan"),
    n_assignments: int = 0,
) -> str:
    """``"legal"``, or why a method may not be relied upon.

    Parameters
    ----------
    method : str
        A key of ``REFERENCES``.
    clusters : Clusters
    defined : bool
        Whether it gave a p-value.
    df : float
        Satterthwaite's degrees of freedom of the effect: how many clusters it rests on, whatever their
        number. Below 4, as where one territory holds most of an arm, the approximations of the tests
        that use cluster sums fail (Tipton 2015, doi:10.1037/met0000011; MacKinnon & Webb 2017,
        doi:10.1002/jae.2508).
    n_assignments : int
        Assignments that were possible, for ``randomisation``; 0 when nobody said which.

    Returns
    -------
    str
        ``"legal"``, ``"one_arm"``, ``"one_treated"``, ``"few_in_arm"``, ``"few_clusters"``,
        ``"low_df"``, ``"no_assignment"``, ``"few_assignments"`` or ``"undefined"``.

    Examples
    --------
    >>> verdict("wild_restricted", Clusters(n=11, treated=2, comparison=9), df=4.2)
    'few_in_arm'
    >>> verdict("randomisation", Clusters(n=11, treated=2, comparison=9), n_assignments=55)
    'legal'
    """
    if clusters.smaller < 1:
        return "one_arm"
    if method == "randomisation":
        return _of_randomisation(clusters, n_assignments, defined=defined)
    if not defined:
        return "one_treated" if clusters.smaller == 1 and not clusters.within else "undefined"
    if method in ("cluster_robust", "wild_unrestricted", "score"):
        enough = clusters.n >= MANY and clusters.smaller >= MANY_IN_ARM
        return "legal" if enough else "few_clusters"
    if clusters.smaller < (FEWEST_WITHIN if clusters.within else FEW_IN_ARM):
        return "few_in_arm"
    return "legal" if df >= LEAST_DF else "low_df"


def _of_randomisation(clusters: Clusters, n_assignments: int, *, defined: bool) -> str:
    if not n_assignments:
        return "no_assignment"
    if clusters.treated == 1:
        return "one_treated"
    if n_assignments < LEAST_ASSIGNMENTS:
        return "few_assignments"
    return "legal" if defined else "undefined"
