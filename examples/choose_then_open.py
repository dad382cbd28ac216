"""Look at the groups, fix and date them, and only then open the outcomes.

Run ``python examples/choose_then_open.py``; it takes the sample département that comes with the project.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import whatworks as ww

SOURCES: Final = Path(__file__).parents[1] / "data" / "synthetic" / "sources.toml"
QUESTION: Final = ww.Question(
    treatment="intensive_integrated",
    outcome="employment_presence",
    eligible=("benefit_rsa",),
    covariates=("sex", "birth_month.age", "market", "employment.months6", "employment.months12"),
    placebo_months=(-24, -13),
    first_entry="2021-01",
)
CHOICES: Final = {
    "nearest neighbours": ww.NearestNeighbours(ratio=3, caliper_sd=0.2),
    "entropy balancing": ww.EntropyBalancing(),
}


def worst_gap(design: ww.Design) -> float:
    """Greatest standardised difference left between the groups."""
    balance = design.balance()
    return float(balance.loc[balance["sample"] == "after", "smd"].abs().max())


def main() -> None:
    panel = ww.expand(ww.reconcile(ww.read(SOURCES)), first="2019-01", last="2023-12")
    tried = {name: ww.choose(panel, QUESTION, using=using) for name, using in CHOICES.items()}
    for name, design in tried.items():
        print(f"{name:20} worst gap {worst_gap(design):.3f}")
    kept = min(tried, key=lambda name: worst_gap(tried[name]))
    print(f"kept: {kept}")

    with tempfile.TemporaryDirectory() as place:
        tried[kept].save(Path(place) / "fixed")
        opened = ww.Design.load(Path(place) / "fixed").open(panel)
    fixed_first = opened.seal is not None and opened.seal.before_outcomes
    print(f"fixed before any outcome: {fixed_first}")

    effects = ww.WeightedDifference().fit(opened).tidy().set_index("month")
    for month in QUESTION.months:
        row = effects.loc[month]
        print(
            f"month {month:2}: {row['estimate']:+.1f} points "
            f"({row['conf_low']:+.1f} to {row['conf_high']:+.1f})"
        )


if __name__ == "__main__":
    main()
