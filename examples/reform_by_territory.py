"""A reform that starts zone by zone: its effect month by month, and how far to believe it.

Run ``python examples/reform_by_territory.py``; nothing is needed but the package.

In this simulated world zones start in two waves and others never. The reform first keeps people from
other steps, then helps: its effect is −1 in the month of the start, nil two months later, +2 after six
months. Zones that start were better off already, so that comparing levels is wrong; all zones share the
shocks of a month, so that comparing before and after is wrong too.
"""

from __future__ import annotations

from typing import Final

import whatworks as ww
from whatworks.worlds import Pilots, pilots_truth, simulate_pilots

WORLD: Final = Pilots(seed=18, n_zones=50, n_months=24, adoptions=((9, 0.3), (14, 0.3)))
MONTHS: Final = (0, 2, 4, 6)


def rolled_out() -> ww.Design:
    """Persons by month, and the month in which the zone of each starts."""
    return ww.Design.from_panel(
        simulate_pilots(WORLD).frame,
        unit="unit",
        period="period",
        first_treated="first_treated",
        outcome="outcome",
        market="zone",
    )


def naive(design: ww.Design) -> float:
    """Last month, zones that started against those that never did."""
    last = design.outcomes.values[:, -1]
    treated = design.units["treated"].to_numpy()
    return float(last[treated].mean() - last[~treated].mean())


def main() -> None:
    design = rolled_out()
    estimate = ww.CallawaySantAnna(cluster="market").fit(design)
    truth = pilots_truth(WORLD).drop_duplicates("month").set_index("month")["value"]

    print("Months since the start: effect [95 % interval], truth\n")
    for month in MONTHS:
        row = estimate.at(month)
        print(
            f"  {month:2d}  {row['estimate']:+.2f} [{row['conf_low']:+.2f}, {row['conf_high']:+.2f}]"
            f"  {truth[month]:+.2f}"
        )

    mean = ww.aggregate(estimate).at(0, term="average")
    two_way = ww.TwoWayFixedEffects(cluster="market").fit(design).tidy().iloc[0]
    print(
        f"\n  mean over months and zones             {mean['estimate']:+.2f}"
        f"\n  two-way fixed effects                  {two_way['estimate']:+.2f}"
        f"\n  the last month, started against never  {naive(design):+.2f}"
    )

    evidence = ww.weigh(design, estimate)
    print("\nChecks that do not hold")
    for finding in evidence.findings:
        if finding.verdict in ("strained", "fails"):
            print(f"  {finding.check} {finding.verdict}")
    print(f"\nStrength {evidence.rating.strength} of 5, {evidence.rating.cap} at most")


if __name__ == "__main__":
    main()
