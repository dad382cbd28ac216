"""A study file asks what others lost: from raw files to what is left in net, and to its page.

Run ``python examples/displacement_study.py``; nothing is needed but the package. Give it a folder to keep
the files, the study and the report.

In this simulated territory people compete for jobs inside zones × occupation families. A programme opens in
some of these markets, for one in five to four in five of the young graduates there; nobody drew these
shares. The study file says where people compete, what a participant costs and what a job is worth; all the
rest is read off the raw files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from whatworks import render_collection, study
from whatworks.evidence import Evidence
from whatworks.worlds import JobsRollout, simulate_rollout, write_rollout

OPENED: Final = 11
MONTHS: Final = 6
WORLD: Final = JobsRollout(
    seed=2013,
    n_markets=120,
    mean_pool=150.0,
    n_months=20,
    openings=((OPENED, 0.7),),
    saturations=(0.2, 0.4, 0.6, 0.8),
    effect=(2.0,),
    displacement=0.9,
)
STUDY: Final = """\
schema = 1
title = "Un programme dans des marchés où les emplois sont comptés"
section = "synthetic"
sources = "raw/sources.toml"
panel = { first = "2021-01", last = "2022-08" }
comparison = { method = "everyone" }

[markets]
by = ["zone", "occupation_family"]
tightness_as_of = "2021-06"

[stakes]
cost = 400
value = 9000

[[estimators]]
method = "SaturationScore"
at = [0.2, 0.4, 0.6, 0.8]

[[questions]]
slug = "job-search"
treatment = "job_search"
outcome = "employment_presence"
months = [6]
eligible = ["benefit_graduate_scheme", "joblessness"]
covariates = ["employability", "employment.lag1", "employment.months6"]
"""


def walked(folder: Path) -> Evidence:
    """Raw files and study written, the study run, its page printed."""
    write_rollout(simulate_rollout(WORLD), folder / "raw")
    path = folder / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    entries = study.run(path)
    render_collection(entries, folder / "report", title=study.load(path)[0].title)
    return entries[0].evidence


def truth() -> dict[str, float]:
    """The same lives with the programme and without, per 100 seekers, ``MONTHS`` months later."""
    lived, left_alone = simulate_rollout(WORLD), simulate_rollout(WORLD, programme=False)
    people, month = lived.persons, OPENED + MONTHS - 1
    gained = lived.employed[month].astype(int) - left_alone.employed[month].astype(int)
    seeking = ~lived.employed[OPENED - 2]
    helped = seeking & (people["first_treated"] > 0).to_numpy()
    beside = seeking & (people["opened"] > 0).to_numpy() & (people["eligible"] == 1).to_numpy()
    return {
        "total": 100 * gained[helped].mean(),
        "spillover": 100 * gained[beside & ~helped].mean(),
        "net": 100 * gained.sum() / (people["first_treated"] > 0).sum(),
    }


def main(folder: Path) -> None:
    evidence = walked(folder)
    effects = evidence.displacement.effects
    net = evidence.displacement.net
    if effects is None or net is None:
        raise AssertionError("a method for shares tells what others lost")
    at = effects[(effects["month"] == MONTHS) & (effects["group"] == "all")].set_index("term")
    known = truth()
    known["direct"] = known["total"] - known["spillover"]
    print(f"Points more at work {MONTHS} months after entry: estimate [95 % interval], truth\n")
    for term, label in (
        ("direct", "the helped against their neighbours"),
        ("spillover", "the neighbours against markets left alone"),
        ("total", "the helped against markets left alone"),
    ):
        row = at.loc[term]
        print(
            f"  {label:43s} {row['estimate']:+5.1f} [{row['conf_low']:+5.1f}, {row['conf_high']:+5.1f}]"
            f"  {known[term]:+5.1f}"
        )
    rows = net.table[(net.table["quantity"] == "net_pool") & (net.table["fit"] == "saturated")]
    mean = rows[np.isclose(rows["share"], net.mean_share)].set_index("pool")
    print("\nJobs per 100 helped, losses of others counted\n")
    for pool, label in (
        ("eligible_only", "if those who could not be helped lose nothing"),
        ("everyone_exposed", "if they lose as much as their neighbours"),
    ):
        row = mean.loc[pool]
        print(f"  {label:46s} {row['estimate']:+5.1f} [{row['low']:+5.1f}, {row['high']:+5.1f}]")
    print(
        f"  {'in truth':46s} {known['net']:+5.1f}"
        f"\n\nMeasured: {evidence.displacement.measured}; nobody drew the shares, and the page says so."
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as place:
            main(Path(place))
