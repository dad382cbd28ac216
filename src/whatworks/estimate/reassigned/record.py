"""What re-assignment says of an estimate: the one record of every test that draws again."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from whatworks.errors import OptionError
from whatworks.estimate.reassigned.assignment import Assignment
from whatworks.estimate.reassigned.two_stage import TwoStage
from whatworks.stats.clusters.inversion import ConfidenceSet


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomisationTest:
    """What re-assignment says of an estimate.

    Parameters
    ----------
    table : DataFrame
        One row per effect tested: ``term, group, month, estimate, std_error, statistic, p_value``
        (two-sided), ``p_greater, p_less, conf_low, conf_high``. Ends are those of the whole set, see
        ``sets``. After a draw in two stages, a row ``joint`` per month and group too, whose statistic is
        the distance of direct and spillover effect from zero.
    sets : tuple of ConfidenceSet
        One per row; without intervals where the estimate is not linear in outcomes, and where the
        hypothesis is of several effects at once.
    p_joint : float
        Of no effect in any of the months: of the largest statistic.
    n_assignments : int
        Assignments that were possible; of shares among markets, where they were drawn first.
    n_tried : int
    exact : bool
        Whether all were tried; else drawn, and the one that happened counted beside them.
    n_undefined : int
        Of those tried, how many gave no statistic in some month; they count as being as far out.
    assignment : Assignment or TwoStage
    statistic : str
    """

    table: pd.DataFrame
    sets: tuple[ConfidenceSet, ...]
    p_joint: float
    n_assignments: int
    n_tried: int
    exact: bool
    n_undefined: int
    assignment: Assignment | TwoStage
    statistic: str

    def at(self, month: int, *, term: str | None = None, group: str = "all") -> pd.Series:
        """Row of one month, by default of the term read first."""
        rows = self.table[(self.table["month"] == month) & (self.table["group"] == group)]
        if term is not None:
            rows = rows[rows["term"] == term]
        elif "total" in set(rows["term"]):
            rows = rows[rows["term"] == "total"]
        if rows.empty:
            raise OptionError(
                what="RandomisationTest.at",
                needed="a month among those tested, with a term and a group told in it",
                found=f"month {month}, term {term!r}, group {group!r}",
                remedy="see .table for what there is",
            )
        return rows.iloc[0]
