"""Which inference the number of markets allows, where shares of markets are what differs.

Shares that were drawn are judged by the draw while an arm has no more than twenty markets; CR2 with
Satterthwaite's degrees of freedom below fifty markets in all, sums of markets beyond, wild bootstraps
beside. Where strata of m markets have each a mean of their own, sums of markets leave out a share 1/m of
their variance (de Chaisemartin & Ramirez-Cuellar 2024, doi:10.1257/app.20210252): in quintuplets they
reject a true hypothesis 8 times in 100, however many markets there are. Below twenty to a stratum CR2 is
read. With fewer than six markets in an arm only the draw gives a p-value; with fewer than three, nothing
does. The rule asks how many markets there are, never what the p-values are.
"""

from __future__ import annotations

from typing import Final

from whatworks.stats.clusters.rules import LEAST_ASSIGNMENTS, LEAST_DF, REFERENCES, Clusters

BY_DRAW_TO: Final = 20
"""Markets of the smaller arm up to which a draw is judged by drawing again."""
MANY: Final = 50
"""Markets from which their sums are relied upon."""
MANY_IN_STRATUM: Final = 20
"""Markets of a stratum from which its mean costs no more than one point of size."""
FEW_IN_ARM: Final = 6
FEWEST_IN_ARM: Final = 3
SIX_POINTS_BELOW: Final = 12
"""Markets of an arm below which signs give too few different values (Webb 2023)."""
BY_DRAW: Final = ("conditional", "randomisation")

WAYS: Final = {
    **REFERENCES,
    "conditional": "Athey, Eckles & Imbens (2018), doi:10.1080/01621459.2016.1241178; "
    "Basse, Feller & Toulis (2019), doi:10.1093/biomet/asy072",
}
"""Methods, in the order of tables."""


def verdict_on_shares(
    method: str,
    clusters: Clusters,
    *,
    defined: bool,
    df: float = float("nan"),
    n_assignments: int = 0,
    per_stratum: float = float("inf"),
) -> str:
    """``"legal"``, or why a method may not be relied upon.

    Parameters
    ----------
    method : str
        A key of ``WAYS``.
    clusters : Clusters
        Markets; ``treated`` with a positive share, ``comparison`` the pure control.
    defined : bool
        Whether it gave a p-value.
    df : float
        Satterthwaite's degrees of freedom of the effect.
    n_assignments : int
        Orders of shares that were possible; 0 where they were not drawn.
    per_stratum : float
        Markets to a stratum, on average.

    Returns
    -------
    str
        ``"legal"``, ``"few_in_arm"``, ``"few_clusters"``, ``"low_df"``, ``"no_assignment"``,
        ``"few_assignments"``, ``"no_regression"`` or ``"undefined"``.

    Examples
    --------
    >>> arms = Clusters(n=8, treated=4, comparison=4)
    >>> [verdict_on_shares(m, arms, defined=True, df=6, n_assignments=70)
    ...     for m in ("conditional", "cr2_satterthwaite")]
    ['legal', 'few_in_arm']
    """
    by_draw = method in BY_DRAW
    if clusters.smaller < (FEWEST_IN_ARM if by_draw else FEW_IN_ARM):
        return "few_in_arm"
    if by_draw and n_assignments < LEAST_ASSIGNMENTS:
        return "few_assignments" if n_assignments else "no_assignment"
    if by_draw or not defined:
        return "legal" if defined else "undefined"
    if method in ("cluster_robust", "wild_unrestricted", "score"):
        enough = clusters.n >= MANY and per_stratum >= MANY_IN_STRATUM
        return "legal" if enough else "few_clusters"
    return "legal" if df >= LEAST_DF else "low_df"


def way_to_read(legal: set[str], clusters: Clusters, *, term: str) -> str:
    """Of the methods that may be relied upon, the one to read; empty when there is none.

    Spillovers are read off the untreated alone, where shares were drawn and markets are few: that
    nobody is touched by others' treatment is then tested whatever treatment does to the treated.

    Examples
    --------
    >>> way_to_read({"cr2_satterthwaite", "cluster_robust", "randomisation"},
    ...     Clusters(n=235, treated=188, comparison=47), term="spillover")
    'cluster_robust'
    """
    first = BY_DRAW if term == "spillover" else BY_DRAW[1:]
    by_number = ("cluster_robust",) if clusters.n >= MANY else ("cr2_satterthwaite",)
    order = (*by_number, "cr2_satterthwaite", "wild_restricted", *first)
    if clusters.smaller <= BY_DRAW_TO:
        order = (*first, *order)
    return next((method for method in order if method in legal), "")
