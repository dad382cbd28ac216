"""Panel + Question → Design: who is compared with whom, before any outcome is seen.

What comes in: a `Panel` and a `Question` (``compare.py``), or an ordinary table
(`Design.from_cross_section`, `Design.from_panel`). What goes out: a `Design`. ``cohorts.py`` lays out
monthly risk sets in the engine; ``rollout/`` holds treatment that rolls out by period;
``comparisons/`` holds the ways of choosing, one file each.
"""

from whatworks.design.choosing.coarsening import Coarsened
from whatworks.design.choosing.nearness import Caliper
from whatworks.design.choosing.propensity import Propensity
from whatworks.design.cohorts import Layout, lay_out
from whatworks.design.compare import choose, compare
from whatworks.design.comparisons.coarsened import CoarsenedExact
from whatworks.design.comparisons.covariate_balancing import CovariateBalancing
from whatworks.design.comparisons.entropy_balancing import EntropyBalancing
from whatworks.design.comparisons.everyone import Everyone
from whatworks.design.comparisons.exact import Exact
from whatworks.design.comparisons.full import FullMatching
from whatworks.design.comparisons.inverse_probability import InverseProbability
from whatworks.design.comparisons.kernel import KernelMatching
from whatworks.design.comparisons.nearest import NearestNeighbours
from whatworks.design.comparisons.optimal_pairs import OptimalPairs
from whatworks.design.comparisons.overlap import OverlapWeights
from whatworks.design.comparisons.pairs import PairMatching
from whatworks.design.comparisons.radius import RadiusMatching
from whatworks.design.comparisons.stable import StableWeights
from whatworks.design.comparisons.subclasses import Subclassification
from whatworks.design.markets.across import exposures
from whatworks.design.markets.attach import competing, with_markets
from whatworks.design.markets.competition import Competition
from whatworks.design.markets.expose import expose, leave_one_out
from whatworks.design.markets.record import Markets
from whatworks.design.markets.table import SaturationTable, saturation_table
from whatworks.design.pairwise import Pair, pairwise
from whatworks.design.parts import Outcomes, Population
from whatworks.design.question import Question
from whatworks.design.record import Design
from whatworks.design.rollout.pathways import roll_out
from whatworks.design.rollout.stacked import stack
from whatworks.design.rollout.territories import territories
from whatworks.design.vacancies.build import vacancies

__all__ = [
    "Caliper",
    "Coarsened",
    "CoarsenedExact",
    "Competition",
    "CovariateBalancing",
    "Design",
    "EntropyBalancing",
    "Everyone",
    "Exact",
    "FullMatching",
    "InverseProbability",
    "KernelMatching",
    "Layout",
    "Markets",
    "NearestNeighbours",
    "OptimalPairs",
    "Outcomes",
    "OverlapWeights",
    "Pair",
    "PairMatching",
    "Population",
    "Propensity",
    "Question",
    "RadiusMatching",
    "SaturationTable",
    "StableWeights",
    "Subclassification",
    "choose",
    "compare",
    "competing",
    "expose",
    "exposures",
    "lay_out",
    "leave_one_out",
    "pairwise",
    "roll_out",
    "saturation_table",
    "stack",
    "territories",
    "vacancies",
    "with_markets",
]
