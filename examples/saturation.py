"""Jobs are finite: what a comparison inside a labour market says, and what others lost.

Run ``python examples/saturation.py``; nothing is needed but the package.

In this simulated world help makes people search harder, in markets whose jobs are limited: 70 % of
what the helped gain is taken from others. A lottery drew in which markets nobody, some or all of
the eligible were helped, so that the loss can be measured; comparing the helped with their
neighbours cannot see it.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from whatworks import Design, SaturationRegression, weigh
from whatworks.vocabulary import MARKET, SATURATION, STRATUM, TREATED
from whatworks.worlds import FiniteJobs, jobs_truth, simulate_jobs

WORLD: Final = FiniteJobs(seed=2013, mean_pool=600.0, displacement=0.7)
TERMS: Final = ("direct", "spillover", "total")


def estimated(options: FiniteJobs) -> pd.DataFrame:
    """Direct, spillover and total effects, on average and by share helped, with their intervals."""
    people = simulate_jobs(options).frame
    design = Design.from_cross_section(
        people.assign(employed=100 * people["y"]),
        treatment=TREATED,
        outcome="employed",
        covariates=["x"],
        market=MARKET,
        stratum=STRATUM,
        saturation=SATURATION,
        unit="pp",
        randomised=True,
    )
    evidence = weigh(design, [SaturationRegression().fit(design)])
    effects = evidence.displacement.effects
    if effects is None:
        raise AssertionError("a design of saturations measures displacement")
    return effects


def beside_truth(effects: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """One row per share and term: estimate, interval, truth, in points."""
    known = truth.melt(SATURATION, list(TERMS), "term", "truth")
    shares = effects[effects["term"].isin(TERMS)]
    shares = shares.assign(**{SATURATION: pd.to_numeric(shares["group"], errors="coerce")})
    table = shares.merge(known, on=["term", SATURATION])
    return table.assign(helped=100 * table[SATURATION], truth=100 * table["truth"])


def main() -> None:
    truth = jobs_truth(WORLD)
    effects = estimated(WORLD)
    average = effects[effects["group"] == "all"].set_index("term")["estimate"]

    print("Points more with a job, by share of the eligible who were helped (%)\n")
    table = beside_truth(effects, truth)
    print(
        table[["helped", "term", "estimate", "conf_low", "conf_high", "truth"]].to_string(
            index=False, float_format="{:.1f}".format
        )
    )
    print(
        "\nAll shares together:"
        f"\n  the helped against their neighbours        {average['direct']:+.1f} points"
        f"\n  the neighbours against markets left alone  {average['spillover']:+.1f}"
        f"\n  the helped against markets left alone      {average['total']:+.1f}"
        "\n\nIn truth 100 people helped make"
        f" {truth['net_pool'].iloc[-1]:.1f} jobs: the rest was others'."
    )


if __name__ == "__main__":
    main()
