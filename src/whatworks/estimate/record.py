"""The only result class: effects, how sure they are, and what was left out on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks import doors
from whatworks.errors import OptionError
from whatworks.ledger import Ledger
from whatworks.stats.bands import FEW_CLUSTERS, critical_value, multiplier_critical_value
from whatworks.stats.intervals import wald
from whatworks.stats.multipliers import Draws
from whatworks.stats.synthetic.placebos import Placebos
from whatworks.stats.uncertainty import Influence, Uncertainty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDING: Final = 1e-12
"""Share of an effect below which its standard error is rounding, not uncertainty."""
EFFECT_COLUMNS: Final = (
    "term",
    "cohort",
    "month",
    "group",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "band_low",
    "band_high",
    "p_value",
    "unit",
    "n_treated",
    "n_comparison",
)
_OF_TERM: Final = ("term", "cohort", "month", "group", "n_treated", "n_comparison")


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
        (``all``, a group, or a saturation), ``estimate, std_error, conf_low, conf_high`` (95 %, of
        this effect alone), ``band_low, band_high`` (95 %, of the whole curve it is on), ``p_value``
        (two-sided), ``unit``, ``n_treated, n_comparison``.
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


_BANDED: Final = ContextVar("banded", default=True)


@contextmanager
def without_bands() -> Iterator[None]:
    """Within, effects have no joint bands (NaN): for who fits a thousand times and reads none of them."""
    token = _BANDED.set(False)
    try:
        yield
    finally:
        _BANDED.reset(token)


def effects_table(
    terms: Sequence[Mapping[str, Any]],
    estimate: NDArray[np.float64],
    covariance: NDArray[np.float64],
    *,
    unit: str,
    df: float | NDArray[np.float64] = np.inf,
    influence: Influence | Draws | None = None,
    along: str = "month",
    placebos: Placebos | None = None,
) -> pd.DataFrame:
    """Tidy effects from points and their covariance: the one place where a row is made.

    Bands are joint over the months of one term, cohort and group: over those from entry on, and apart
    over those before it, which answer another question. They are never narrower than intervals.

    Parameters
    ----------
    terms : sequence of mappings
        ``term, cohort, month, group, n_treated, n_comparison`` of each row.
    estimate : ndarray of shape (n_terms,)
    covariance : ndarray of shape (n_terms, n_terms)
    unit : str
    df : float or ndarray of shape (n_terms,)
        Degrees of freedom of the interval; a band has the fewest of its terms.
    influence : Influence or Draws, optional
        Where the covariance comes from; with fewer than 40 clusters the band is also read off their
        signs, and of draws off them, and the wider one kept.
    along : str
        What a band is joint over: ``"month"``, or ``"group"`` for a curve of quantiles.
    placebos : Placebos, optional
        Terms as the rows: intervals, bands and p-values are then read off ranks, where no standard error
        can be told.
    """
    variance = np.diag(covariance)
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    error = np.where(error > ROUNDING * np.abs(estimate), error, np.nan)
    interval = wald(estimate, error, df=df) if placebos is None else placebos.interval(estimate)
    reach = np.full(error.size, np.nan)
    for rows in _curves(terms, along):
        if placebos is not None:
            reach[rows] = placebos.joint_reach(rows)
            continue
        curve = rows[np.isfinite(error[rows]) & np.isfinite(estimate[rows])]
        if curve.size and _BANDED.get():
            fewest = float(np.broadcast_to(df, error.shape)[curve].min())
            critical = _critical(covariance, curve, df=fewest, influence=influence)
            reach[curve] = critical * error[curve]
    columns: dict[str, Any] = {name: [term[name] for term in terms] for name in _OF_TERM}
    columns |= {
        "estimate": estimate,
        "std_error": error,
        "conf_low": interval.low,
        "conf_high": interval.high,
        "band_low": estimate - reach,
        "band_high": estimate + reach,
        "p_value": interval.p_value,
        "unit": unit,
    }
    return pd.DataFrame({name: columns[name] for name in EFFECT_COLUMNS})


def _curves(terms: Sequence[Mapping[str, Any]], along: str) -> list[NDArray[np.int64]]:
    """Rows of each curve, in the order in which curves appear."""
    apart = [name for name in ("term", "cohort", "month", "group") if name != along]
    found: dict[tuple[Any, ...], list[int]] = {}
    for row, term in enumerate(terms):
        key = (*(term[name] for name in apart), term["month"] >= 0)
        found.setdefault(key, []).append(row)
    return [np.array(rows, dtype=np.int64) for rows in found.values()]


def _critical(
    covariance: NDArray[np.float64],
    curve: NDArray[np.int64],
    *,
    df: float,
    influence: Influence | Draws | None,
) -> float:
    """Standard errors on each side of the band of one curve."""
    among = covariance[np.ix_(curve, curve)]
    if not np.isfinite(among).all():  # months of which some covariance is not known
        return float("nan")
    normal = critical_value(among, df=df)
    if isinstance(influence, Draws):
        # Draws know the shape of the tails; the law, how little few clusters say of their own spread.
        return max(normal, Draws(values=influence.values[:, curve]).critical_value())
    if influence is None or not 1 < influence.cluster.size < FEW_CLUSTERS:
        return normal
    return max(normal, multiplier_critical_value(influence.values[:, curve]))
