"""The frozen product of the fifth room: who is compared with whom. Outcomes lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pandas as pd

from whatworks import doors
from whatworks.design.causes.identify import identify
from whatworks.design.causes.pathway import Pathway
from whatworks.design.comparison import Comparison, as_names
from whatworks.design.looking.balance import arms, balance_by_market, overlap
from whatworks.design.looking.opening import fixed, opened
from whatworks.design.looking.saved import content_of, fields_of
from whatworks.design.looking.seal import Seal, read, write
from whatworks.design.markets.record import Markets
from whatworks.design.parts import Candidates, Outcomes, Population
from whatworks.design.question import Question
from whatworks.design.rollout.reading import RolloutColumns
from whatworks.design.tables.from_table import chosen_among, fields_of_periods, fields_of_rows
from whatworks.design.tables.schemas import check_units
from whatworks.design.tables.table import Columns
from whatworks.errors import choice
from whatworks.indicators import Gate, Measured
from whatworks.ledger import Ledger
from whatworks.panel.record import Panel
from whatworks.stats.fitted import FittedScore
from whatworks.vocabulary import ENTRY_MONTH, MARKET, TREATED, WEIGHT, DesignClass, Supply

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Who against whom, and nothing yet of what became of them.

    Parameters
    ----------
    question : Question
    units : DataFrame
        ``unit_id, person_id, treated, entry_month, weight, sampling_weight, matched_set,
        propensity, stratum, market, saturation``, ``dose``, ``took_part``, ``may_take_part`` where told,
        and the covariate columns (float64). No outcome column. ``unit_id`` is the row number,
        ``person_id`` an integer that ties the units of one person, ``weight`` what a unit stands for
        in the mean of its arm, ``matched_set`` the number of its set or cell (−1 for none).
    covariates : tuple of str
    matches : DataFrame or None
        ``unit_id, match_id, weight``; weights of a unit's matches sum to one.
    outcomes : Outcomes
    supplies : frozenset of Supply
    design_class : DesignClass
    population : Population
    ledger : Ledger
    history_months : int
        Months of history before entry on which treated and comparison were aligned.
    fitted : tuple of FittedScore
        Estimating equations behind weights or propensity, rows as the units.
    history : DataFrame or None
        ``state, month, treated, comparison, smd``: share of each arm in each kind of state, by
        month before entry; None where no panel was read.
    seal : Seal or None
        When the design was fixed and what it was; None where nothing attests it.
    graph : Pathway or None
        Causal graph under which the covariates identify the effect, once declared.
    cautions : tuple of str
        What a reader must be told of the comparison itself, e.g. ``"conditions_on_the_future"``.
    markets : Markets or None
        What is known of the places where units compete for jobs, besides the units themselves.
    """

    question: Question
    units: pd.DataFrame
    covariates: tuple[str, ...]
    matches: pd.DataFrame | None
    outcomes: Outcomes
    supplies: frozenset[Supply]
    design_class: DesignClass
    population: Population
    ledger: Ledger
    history_months: int = 0
    fitted: tuple[FittedScore, ...] = ()
    history: pd.DataFrame | None = None
    seal: Seal | None = None
    graph: Pathway | None = None
    cautions: tuple[str, ...] = ()
    markets: Markets | None = None

    def __post_init__(self) -> None:
        check_units(self.units, covariates=self.covariates, n_outcomes=len(self.outcomes.values))

    @classmethod
    def from_cross_section(  # noqa: PLR0913 - each argument names the part one column plays
        cls,
        table: pd.DataFrame,
        *,
        treatment: str,
        outcome: str | Mapping[int, str],
        covariates: Sequence[str] = (),
        person: str | None = None,
        weight: str | None = None,
        market: str | None = None,
        stratum: str | None = None,
        saturation: str | None = None,
        took_part: str | None = None,
        eligible: str | None = None,
        unit: str = "",
        randomised: bool = False,
    ) -> Design:
        """Design from a table with one row per person, and one outcome or one per wave.

        Parameters
        ----------
        table : DataFrame
        treatment : str
            Column of 0 and 1.
        outcome : str or mapping of int to str
            Column, or the column of each wave by months since entry: ``{8: "job_8", 12: "job_12"}``.
            A row stays while one is known; what it lacks of the others is NaN, and counted.
        covariates : sequence of str
            Columns known before treatment; text columns become indicators.
        person, weight : str, optional
            Column that ties rows of one person, and sampling weights.
        market, stratum, saturation : str, optional
            Labour market, randomisation stratum, and the share of the market assigned by design.
        took_part, eligible : str, optional
            Who took part, whatever the assignment, and who could have been assigned, 0 or 1.
        unit : str
            Unit of the outcome, e.g. ``"USD"``.
        randomised : bool
            True when treatment was drawn at random.

        Returns
        -------
        Design

        Examples
        --------
        >>> table = pd.DataFrame({"treat": [1, 0, 1, 0], "y": [3.0, 1.0, 4.0, 2.0]})
        >>> Design.from_cross_section(table, treatment="treat", outcome="y").outcomes.months
        (0,)
        """
        columns = Columns(
            treatment=treatment,
            outcome=outcome,
            covariates=as_names(covariates, what="covariates"),
            person=person,
            weight=weight,
            market=market,
            stratum=stratum,
            saturation=saturation,
            took_part=took_part,
            eligible=eligible,
        )
        return cls(**fields_of_rows(table, columns, unit=unit, randomised=randomised))

    @classmethod
    def from_panel(  # noqa: PLR0913 - each argument names the part one column plays
        cls,
        table: pd.DataFrame,
        *,
        period: str,
        first_treated: str,
        outcome: str,
        unit: str | None = None,
        covariates: Sequence[str] = (),
        weight: str | None = None,
        market: str | None = None,
        dose: str | None = None,
        outcome_unit: str = "",
    ) -> Design:
        """Design from a table of units × periods in which treatment rolls out.

        Parameters
        ----------
        table : DataFrame
            One row per unit and period; a unit may lack some.
        period, first_treated, outcome : str
            Columns. Periods are whole numbers, not all of the same length; ``first_treated`` is 0 or
            missing for units never treated.
        unit : str, optional
            Column that ties the rows of one unit; without it each row is a unit seen once, as in
            repeated cross-sections.
        covariates : sequence of str
            Columns that do not change within a unit, known before anyone is treated.
        weight, market : str, optional
            Sampling weights, read in a unit's first period, and its territory.
        dose : str, optional
            How much of the treatment a unit received in all, e.g. hours; positive where treated.
        outcome_unit : str

        Returns
        -------
        Design
            A rollout: one row per unit, ``entry_month`` its first treated period
            (`whatworks.vocabulary.NEVER` for none). Units treated from the first period on are left
            out and counted.
        """
        columns = RolloutColumns(
            unit=unit,
            period=period,
            first_treated=first_treated,
            outcome=outcome,
            covariates=as_names(covariates, what="covariates"),
            weight=weight,
            market=market,
            dose=dose,
        )
        return cls(**fields_of_periods(table, columns, outcome_unit=outcome_unit))

    def candidates(self) -> Candidates:
        """Units as a comparison sees them: no outcome among them."""
        return Candidates(
            estimand=self.question.estimand,
            treated=self.units[TREATED].to_numpy(),
            cell=self.units[ENTRY_MONTH].to_numpy(),
            covariates=self.units[list(self.covariates)].to_numpy(dtype=float),
            names=self.covariates,
            weight=self.units[WEIGHT].to_numpy(),
        )

    def identified_by(self, graph: Pathway) -> Design:
        """The same design under a causal graph its covariates satisfy.

        Parameters
        ----------
        graph : Pathway

        Raises
        ------
        DesignRefused
            When a confounder of the graph is not held, or a collider or something that comes after
            entry is; names it.
        """
        identify(self.covariates, graph).raise_if_unidentified()
        return replace(self, graph=graph)

    def matched(self, *, using: Comparison, estimand: str | None = None) -> Design:
        """Design in which each unit sought for has its comparisons, or each unit its weight.

        Parameters
        ----------
        using : Comparison
            Any of `whatworks.COMPARISONS`.
        estimand : str, optional
            ``"ATT"``, ``"ATC"``, ``"ATE"`` or ``"ATO"``; by default that of the question.

        Raises
        ------
        DesignRefused
            When the design is matched already, or nobody can be matched.
        """
        if estimand is not None and estimand != self.question.estimand:
            asked = replace(self.question, estimand=estimand)
            return replace(self, question=asked).matched(using=using)
        return chosen_among(self, using)

    def balance(self, *, by: str | None = None) -> pd.DataFrame:
        """Balance of every covariate between the arms.

        Parameters
        ----------
        by : str, optional
            ``"market"``: after choosing, within each market.

        Returns
        -------
        DataFrame
            As `Population.balance`: one row per covariate before and after choosing. By market,
            ``market, n_treated, n_comparison`` stand first, and measures are NaN where an arm holds
            fewer than eleven persons.
        """
        if by is None:
            return self.population.balance.copy()
        choice(by, (MARKET,), what="by")
        return balance_by_market(
            self.units, self.population, self.covariates, estimand=self.question.estimand
        )

    def arms(self) -> pd.DataFrame:
        """Size of each arm: ``arm, n_before, n_units, n_persons, effective_size, common_support``."""
        return arms(self.units, self.population)

    def overlap(self) -> pd.DataFrame:
        """Histogram of the probability of entering in each arm, before and after choosing.

        Returns
        -------
        DataFrame
            ``score_from, score_to, treated, comparison, treated_after, comparison_after``: weighted
            shares; no row where the comparison fits no score.
        """
        return overlap(self.population)

    def left_out(self) -> pd.DataFrame:
        """Those for whom no comparison was found, beside those for whom one was.

        Returns
        -------
        DataFrame
            ``arm, covariate, n_kept, n_left_out, mean_kept, mean_left_out, smd``, furthest first.
        """
        size = self.population.left_out["smd"].abs()
        order = size.sort_values(ascending=False, kind="stable", na_position="last").index
        return self.population.left_out.loc[order].reset_index(drop=True)

    def flow(self) -> pd.DataFrame:
        """Every step from the files to the units, with what it left behind and why."""
        return self.ledger.frame()

    def plot(self, kind: str = "balance", *, ax: Axes | None = None) -> Axes:
        """One figure of the design, on matplotlib axes.

        Parameters
        ----------
        kind : str
            ``"balance"`` (love plot), ``"overlap"``, ``"history"`` or ``"flow"``.
        ax : matplotlib Axes, optional
            By default those of a new figure, at ``ax.figure``.
        """
        axes: Axes = doors.report().plot_design(self, kind, ax=ax)
        return axes

    def sealed(self, *, date: str | None = None) -> Design:
        """The design with the seal of its content; one sealed already keeps its seal.

        Parameters
        ----------
        date : str, optional
            ``YYYY-MM-DD``; by default today's, UTC.

        Raises
        ------
        DesignRefused
            When its content is no longer what was sealed.
        """
        return fixed(self, date=date)

    def save(self, folder: str | Path) -> Path:
        """Write the design, without any outcome, into a new folder, whole or not at all.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty. Receives ``units.parquet``, ``matches.parquet`` where there
            are pairs, ``fitted.npz`` where a score was fitted, and ``design.json`` with the seal.

        Returns
        -------
        Path

        Raises
        ------
        OptionError
            When the place cannot be written or holds files.
        """
        sealed = self.sealed()
        return write(content_of(sealed), cast("Seal", sealed.seal), folder)

    @classmethod
    def load(cls, folder: str | Path) -> Design:
        """Design written by `save`, its outcomes not opened.

        Raises
        ------
        OptionError
            When a file is missing or cannot be read.
        DesignRefused
            When a file is not as it was sealed; names it.
        """
        content, seal = read(folder)
        return cls(**fields_of(content), seal=seal)

    def open(
        self, panel: Panel, *, gate: Gate | None = None, measured: Measured | None = None
    ) -> Design:
        """The design, sealed, with the outcomes of its units.

        Parameters
        ----------
        panel : Panel
        gate, measured
            As `whatworks.assess` takes them.

        Raises
        ------
        IndicatorRefused
            When the outcome may not be published from this panel.
        DesignRefused
            When outcomes are there already, the panel does not hold these persons or their
            entries, or the design is not what was sealed.
        """
        return opened(self, panel, gate=gate, measured=measured)
