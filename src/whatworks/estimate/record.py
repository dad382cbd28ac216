"""The only result class: effects, how sure they are, and what was left out on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks import doors
from whatworks.errors import OptionError
from whatworks.ledger import Ledger
from whatworks.stats.intervals import wald
from whatworks.stats.uncertainty import Uncertainty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EFFECT_COLUMNS: Final = (
    "term",
    "cohort",
    "month",
    "group",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "unit",
    "n_treated",
    "n_comparison",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one method found on one design.

    Parameters
    ----------
    method : str
        Identifier of the estimator.
    options : mapping
        Its options.
    effects : DataFrame
        One row per effect: ``term`` (what is estimated: ``att``, ``direct``, ``spillover``,
        ``total``), ``cohort`` (entry month, or -1 for all), ``month`` (since entry), ``group``
        (``all``, or a saturation), ``estimate, std_error, conf_low, conf_high, p_value`` (95 %,
        two-sided), ``unit``, ``n_treated, n_comparison``.
    uncertainty : Uncertainty
        Terms in the order of the rows of ``effects``.
    extras : mapping
        What the method alone knows, by name.
    ledger : Ledger
    """

    method: str
    options: Mapping[str, Any]
    effects: pd.DataFrame
    uncertainty: Uncertainty
    ledger: Ledger
    extras: Mapping[str, Any] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """A copy of the effects, one row each."""
        return self.effects.copy()

    @property
    def term(self) -> str:
        """Term read first: the total effect where there is one.

        A direct effect alone counts what the assigned take from the others as a gain.
        """
        terms = list(self.effects["term"])
        return "total" if "total" in terms else str(terms[0])

    def at(self, month: int, *, term: str | None = None) -> pd.Series:
        """Row of the effect at one horizon over all cohorts and groups, by default of `term`."""
        rows = self.effects
        chosen = rows[(rows["month"] == month) & (rows["cohort"] == -1) & (rows["group"] == "all")]
        chosen = chosen[chosen["term"] == (self.term if term is None else term)]
        if chosen.empty:
            raise OptionError(
                what="Estimate.at",
                needed="a month and a term among those estimated",
                found=f"month {month}, term {self.term if term is None else term!r}",
                remedy="see .effects for what there is",
            )
        return chosen.iloc[0]

    def reads(self, month: int) -> bool:
        """Whether the effect at one horizon was estimated over all cohorts and groups."""
        rows = self.effects
        here = (rows["month"] == month) & (rows["cohort"] == -1) & (rows["group"] == "all")
        return bool((here & (rows["term"] == self.term) & rows["estimate"].notna()).any())

    def summary(self) -> str:
        """Effects as a plain-text table, numbers rounded for reading."""
        columns = [
            "term",
            "cohort",
            "month",
            "group",
            "estimate",
            "std_error",
            "conf_low",
            "conf_high",
        ]
        title = f"{self.method}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"
        return f"{title}\n{self.effects[columns].round(4).to_string(index=False)}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Effects by month since entry with their intervals, on matplotlib axes."""
        axes: Axes = doors.report().plot_effects(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        return str(self.effects.round(4).to_html(index=False))


def effects_table(
    terms: Sequence[Mapping[str, Any]],
    estimate: NDArray[np.float64],
    covariance: NDArray[np.float64],
    *,
    unit: str,
    df: float = np.inf,
) -> pd.DataFrame:
    """Tidy effects from points and their covariance: the one place where a row is made.

    Parameters
    ----------
    terms : sequence of mappings
        ``term, cohort, month, group, n_treated, n_comparison`` of each row.
    estimate : ndarray of shape (n_terms,)
    covariance : ndarray of shape (n_terms, n_terms)
    unit : str
    df : float
        Degrees of freedom of the interval.
    """
    variance = np.diag(covariance)
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    interval = wald(estimate, error, df=df)
    frame = pd.DataFrame(list(terms)).assign(
        estimate=estimate,
        std_error=error,
        conf_low=interval.low,
        conf_high=interval.high,
        p_value=interval.p_value,
        unit=unit,
    )
    return frame[list(EFFECT_COLUMNS)]
