r"""Direct, spillover and total effects of a two-stage randomised saturation.

Estimand
--------
At each share :math:`t` of a market assigned: DE(t), assigned against unassigned of the same markets;
SNT(t), unassigned of those markets against pure-control markets; TT(t) = DE(t) + SNT(t), assigned
against pure control; TCE(t) = t TT(t) + (1−t) SNT(t), the gain per eligible person. First their averages
over the shares that tell both arms (so that direct and spillover make the total), each share weighing as its
number of markets; then by share; then what regressions that
restrict the cells say. Where those who could not be assigned are seen: what they lose or gain
(``spillover_ineligible``), from a regression of their own.

Equation
--------
.. math:: Y_i = \mu_{s(c)} + \sum_{z,t}\theta_{zt} 1\{Z_i=z,\,p_c=t\} + X_i'\gamma + u_i

by least squares, one mean per cell of arm and share; strata are absorbed, not written as columns.
Group ``pooled`` has one :math:`\beta Z_i+\delta 1\{p_c>0\}` instead, as published trials print it;
because treated units come mostly from high shares and untreated ones from low shares, it is no average
of DE(t) and SNT(t) when spillovers differ by share. Group ``linear`` has
:math:`a Z_i+b Z_ip_c+c(1-Z_i)p_c`: ``slope_assigned`` is b, ``slope_unassigned`` c, ``direct`` the effect
where next to nobody is assigned. ``covariates="interacted"``: covariates about their means, times every
cell (Lin 2013). ``weights="design"``: in every market the assigned weigh :math:`p_c` over their share of
the sample, the unassigned :math:`1-p_c` over theirs; group ``together`` then has both arms of a share as
one, the effect per eligible person.

Identification
--------------
Shares drawn at random between markets (within strata), some of them zero; assignment drawn at random
within; no market's outcome depends on another's assignment. The share is the design's, never the
sample's.

Inference
---------
Clustered by market, where the share is drawn: by default ``CR2`` with Satterthwaite's degrees, effect by
effect, and Hotelling's joint tests; ``CR3``, the jackknife's, with the same degrees; ``CR1``, as papers
have it: factor :math:`\frac{G}{G-1}\frac{n-1}{n-k}`, Student's t with G−1 degrees of freedom. Where
strata hold few markets CR1 is too small: of five, strata take out a fifth of the variance between markets,
and errors are about a tenth too short; CR2 puts it back.
``HC1`` takes units for independent, which they are not where the share of their market was drawn: it is
there to find published numbers again. Cluster-robust variances are too large where effects differ
between markets (Cruces, Tortarolo & Vazquez-Bare). Joint tests are in ``extras["tests"]``.

Edge cases
----------
A share of one market has no standard error; nor has any term under CR2 and CR3, which ask how markets of
every share vary (merge it with its neighbour, or choose CR1). A market of one arm counts for that arm's
mean; such markets are listed in ``extras["one_armed"]``. Without pure-control markets only direct effects
and slopes are told.
Fewer than three markets on either side: refused; fewer than six: no p-values but those of randomisation. A
covariate that repeats others or strata is left out and named in ``extras["repeated"]``; one that determines
exposure is refused. Months in which the same units are seen are fitted at once. Outcomes that do not vary
have NaN standard errors.

References
----------
Crépon, Duflo, Gurgand, Rathelot & Zamora (2013), doi:10.1093/qje/qjt001. Baird, Bohren, McIntosh &
Özler (2018), doi:10.1162/REST_a_00716. Vazquez-Bare (2023), doi:10.1016/j.jeconom.2021.10.014. Lin
(2013), doi:10.1214/12-AOAS583. Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.shares.cell_regressions import (
    ERRORS,
    RESTRICTED,
    Errors,
    Fitting,
    fit_all,
    repeated,
)
from whatworks.estimate.shares.cell_responses import responses_of_fits
from whatworks.estimate.shares.joint_tests import TESTS, joint_tests
from whatworks.estimate.shares.responses import estimate_of_responses
from whatworks.estimate.shares.saturations import (
    EVERYONE,
    MARKETS,
    ONE_ARMED,
    families_of,
    market_table,
    saturated_units,
)
from whatworks.options import typed
from whatworks.stats.threads import one_thread
from whatworks.vocabulary import TIGHTNESS, Supply

COVARIATES = ("as_they_are", "interacted")
WEIGHTS = ("survey", "design")
REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationRegression:
    """Direct, spillover and total effects, on average, by saturation, pooled and on a line.

    Parameters
    ----------
    restricted : tuple of str
        Regressions beside that on all cells: ``"pooled"``, ``"linear"``.
    covariates : str
        ``"as_they_are"`` or ``"interacted"`` with exposure, about their means.
    weights : str
        ``"survey"``: those of the design; ``"design"``: those, brought to the share drawn in each
        market, where a survey drew the arms at different rates.
    errors : str
        ``"CR2"``, ``"CR3"``, ``"CR1"``, by market; ``"HC1"``, as if units were independent.
    by : tuple of str
        Groups declared beforehand: covariates, or what is known of markets (``"tightness"``, moderators).

    Examples
    --------
    >>> SaturationRegression(errors="CR1").restricted
    ('pooled', 'linear')
    """

    restricted: tuple[str, ...] = ("pooled", "linear")
    covariates: Literal["as_they_are", "interacted"] = "as_they_are"
    weights: Literal["survey", "design"] = "survey"
    errors: Errors = "CR2"
    by: tuple[str, ...] = ()

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.MARKETS, Supply.DRAWN_SATURATION})

    def __post_init__(self) -> None:
        typed(self)
        for name in self.restricted:
            choice(name, [n for n in RESTRICTED if n != "together"], what="restricted")
        choice(self.covariates, COVARIATES, what="covariates")
        choice(self.weights, WEIGHTS, what="weights")
        choice(self.errors, ERRORS, what="errors")

    @one_thread()
    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate by least squares, clustered by market.

        Parameters
        ----------
        design : Design
            With markets and the share drawn for each.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Terms ``direct``, ``spillover``, ``total``, ``overall``; ``group`` is ``all``, the share,
            ``pooled``, ``linear``, a group declared beforehand (``sex=1``, ``sex=1@0.25``).

        Raises
        ------
        DesignRefused
            Without markets, shares drawn, or enough markets; when covariates determine exposure.
        """
        require(design, self.needs, method="SaturationRegression")
        units = saturated_units(
            design, method="SaturationRegression", by_tightness=TIGHTNESS in self.by
        )
        by_design = self.weights == "design"
        how = Fitting(
            method="SaturationRegression",
            errors=self.errors,
            interacted=self.covariates == "interacted",
            by_design=by_design,
            restricted=(*self.restricted, *(("together",) if by_design else ())),
        )
        fits = fit_all(design, units, self.by, how)
        responses = responses_of_fits(fits, units, how)
        whole = [f for f in fits if f.sample.label == EVERYONE and f.sample.eligible]
        spare = min(f.fit.sums.n - f.fit.n_coefficients for f in whole)
        return estimate_of_responses(
            responses,
            method="SaturationRegression",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=design.ledger,
            extras={
                TESTS: joint_tests(
                    responses,
                    families=families_of([f.sample for f in fits]),
                    fits=fits if self.errors == "CR2" else (),
                    df=float(spare if self.errors == "HC1" else units.n_markets - 1),
                ),
                MARKETS: market_table(units),
                ONE_ARMED: units.shares.one_armed,
                REPEATED: repeated(fits, design.covariates),
            },
        )
