"""Jobs are finite: the same help, the same comparison, and what is left of it by tightness.

Run ``python examples/finite_jobs.py``; nothing is needed but the package.

A lottery draws in which labour markets some of the eligible are helped. Whatever the vacancies per
seeker, the helped find jobs more often than their neighbours by the same ten points or so. Where
vacancies are rare most of these jobs are taken from others: what is left in net runs from one or two
jobs per 100 helped to nine.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from whatworks import Design, SaturationRegression
from whatworks.vocabulary import MARKET, SATURATION, STRATUM, TREATED
from whatworks.worlds import FiniteJobs, Tightness, jobs_truth, simulate_jobs

VACANCIES_PER_SEEKER: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
HALF: Final = 0.5


def world(tightness: float) -> FiniteJobs:
    """Markets of one tightness, half of which have half of their eligible helped."""
    return FiniteJobs(
        seed=2013,
        n_markets=400,
        mean_pool=800.0,
        saturations=(0.0, HALF),
        tightness=Tightness(values=(tightness,)),
    )


def row(tightness: float) -> dict[str, float]:
    """What neighbours say, what markets left alone say, and what is true, per 100 helped."""
    options = world(tightness)
    design = Design.from_cross_section(
        simulate_jobs(options).frame,
        treatment=TREATED,
        outcome="y",
        covariates=["x"],
        market=MARKET,
        stratum=STRATUM,
        saturation=SATURATION,
        randomised=True,
    )
    effects = SaturationRegression().fit(design).effects
    found = effects[effects["group"] == f"{HALF:g}"].set_index("term")["estimate"]
    truth = jobs_truth(options).set_index(SATURATION).loc[HALF]
    # Those who could not be helped lose as their unhelped neighbours do: they look for the same jobs.
    others = (1 - options.eligible_share * HALF) / (options.eligible_share * HALF)
    return {
        "vacancies per seeker": tightness,
        "against neighbours": 100 * found["direct"],
        "lost by neighbours": 100 * found["spillover"],
        "net": 100 * (found["total"] + others * found["spillover"]),
        "true net": truth["net_pool"],
    }


def main() -> None:
    table = pd.DataFrame([row(tightness) for tightness in VACANCIES_PER_SEEKER])
    print("Jobs per 100 helped (lost: points of those not helped)\n")
    print(table.to_string(index=False, float_format="{:.2f}".format))
    print("\nA comparison with neighbours reads about the same on every line; the net does not.")


if __name__ == "__main__":
    main()
