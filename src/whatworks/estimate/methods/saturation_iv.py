r"""Effects of taking part, where those assigned need not: a two-stage saturation with take-up.

Estimand
--------
``direct_participants``: what taking part changes for those whom assignment makes take part, others' share
being what it is (complier average direct effect): by share, on average over shares (each weighing as its
markets), pooled, and in group ``participation`` together with ``spillover_participation``: what changes
for a person when the share of their market that takes part goes from none to all, their own participation
held. Beside them the effects of being *assigned* (``direct``, ``spillover``, ``total``, ``overall``), of
which no instrument is needed; net effects are read off these, and off take-up.

Equation
--------
.. math:: Y_i=\sum_k\beta_kD_i1\{p_c=k\}+\sum_k\delta_k1\{p_c=k\}+X_i'\gamma+\mu_{s(c)}+u_i,\qquad
          Y_i=\tau D_i+\lambda\bar D_c+X_i'\gamma+\mu_{s(c)}+u_i

by two-stage least squares (through ``linearmodels``): :math:`Z_i1\{p_c=k\}` instrument the first, the
cells of arm and share the second. :math:`\bar D_c=p_c\bar D_{1c}+(1-p_c)\bar D_{0c}` is the share of the
market that takes part, by the share drawn. Pooled: one :math:`\beta`, shares held. What a share moves of
participation itself, within an arm, is in ``extras["compliers"]`` with the ratio of effects, complier
average spillover effect.

Identification
--------------
As `SaturationRegression`; and assignment changes outcomes through participation only (one's own, and the
share of others), and makes nobody abstain. The second equation holds that others matter through the
share that takes part, on a line.

Inference
---------
Clustered by market. ``CR2``, the default: scores of the regression on instruments adjusted for its leverage,
and the fewest of Satterthwaite's degrees of any mean. ``CR1``: factor :math:`\frac{G}{G-1}\frac{n-1}{n-k}`,
Student's t with G−1 degrees of freedom; too small where strata hold few markets (see `SaturationRegression`).
Strength of instruments, clustered by market, in ``extras["first_stage"]``: the F of each participation,
and that of Sanderson & Windmeijer where there are two; below about 10 the interval is not to be relied
upon.

Edge cases
----------
A share of one arm has no effect of taking part. Where assignment moves no participation: refused. Where
the share of participants does not vary beside participation, group ``participation`` is absent.
``extras["take_up"]`` holds participation as `Responses`, over the same markets, for effects per
participant.

References
----------
Imai, Jiang & Malani (2021), doi:10.1080/01621459.2020.1775612. Crépon et al. (2013),
doi:10.1093/qje/qjt001. Sanderson & Windmeijer (2016), doi:10.1016/j.jeconom.2015.06.004.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.cell_regressions import (
    Fitting,
    fit_all,
    repeated,
)
from whatworks.estimate.shares.cell_responses import responses_of_fits
from whatworks.estimate.shares.joint_tests import TESTS, joint_tests
from whatworks.estimate.shares.participation import instrumented, take_up
from whatworks.estimate.shares.responses import estimate_of_responses
from whatworks.estimate.shares.saturations import (
    MARKETS,
    ONE_ARMED,
    families_of,
    market_table,
    saturated_units,
)
from whatworks.estimate.shares.taking_part import compliers, strength, with_participation
from whatworks.options import typed
from whatworks.stats.threads import one_thread
from whatworks.vocabulary import TIGHTNESS, Supply

WEIGHTS = ("survey", "design")
TAKE_UP: Final = "take_up"
"""Key of an estimate's extras: participation by arm and share, as responses."""
FIRST_STAGE: Final = "first_stage"
COMPLIERS: Final = "compliers"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationIV:
    """Effects of taking part, assignment being the instrument, beside those of being assigned.

    Parameters
    ----------
    weights : str
        ``"survey"``: those of the design; ``"design"``: brought to the share drawn in each market.
    errors : str
        ``"CR2"`` or ``"CR1"``, by market.
    by : tuple of str
        Groups declared beforehand: covariates, or what is known of markets.

    Examples
    --------
    >>> SaturationIV().weights
    'survey'
    """

    weights: Literal["survey", "design"] = "survey"
    errors: Literal["CR1", "CR2"] = "CR2"
    by: tuple[str, ...] = ()

    needs: ClassVar[frozenset[Supply]] = frozenset(
        {Supply.MARKETS, Supply.DRAWN_SATURATION, Supply.TAKE_UP}
    )

    def __post_init__(self) -> None:
        typed(self)
        choice(self.weights, WEIGHTS, what="weights")
        choice(self.errors, ("CR1", "CR2"), what="errors")

    @one_thread()
    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate by two-stage least squares, clustered by market.

        Parameters
        ----------
        design : Design
            With markets, the share drawn for each, and who took part.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Terms ``direct``, ``spillover``, ``total``, ``overall`` of being assigned;
            ``direct_participants`` (``all``, by share, ``pooled``, ``participation``) and
            ``spillover_participation``.

        Raises
        ------
        DesignRefused
            Without markets, shares drawn, take-up, or enough markets; when assignment moves no
            participation.
        """
        require(design, self.needs, method="SaturationIV")
        units = saturated_units(design, method="SaturationIV", by_tightness=TIGHTNESS in self.by)
        how = Fitting(
            method="SaturationIV",
            errors=self.errors,
            interacted=False,
            by_design=self.weights == "design",
            restricted=(),
        )
        fits = fit_all(design, units, self.by, how)
        assigned = responses_of_fits(fits, units, how)
        found = list(instrumented(fits, units, how))
        responses = with_participation(assigned, found)
        taken = responses_of_fits(list(take_up(fits, units, how)), units, how)
        return estimate_of_responses(
            responses,
            method="SaturationIV",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=design.ledger,
            extras={
                TAKE_UP: taken,
                FIRST_STAGE: strength(found),
                COMPLIERS: compliers(assigned, taken),
                TESTS: joint_tests(
                    responses,
                    families=families_of([f.sample for f in fits]),
                    fits=fits if self.errors == "CR2" else (),
                    df=float(units.n_markets - 1),
                ),
                MARKETS: market_table(units),
                ONE_ARMED: units.shares.one_armed,
                "repeated": repeated(fits, design.covariates),
            },
        )
