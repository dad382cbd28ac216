"""What help to some takes from others, on a million job seekers: ours, and peers where they accept the data.

    python benchmarks/displacement.py [--size 100000x2000 1000000x2000] [--peer StatsPAI=/path/to/python ...]

Markets of unequal sizes in strata of five, a share of 0, 25, 50, 75 or 100 % drawn in each, persons drawn
within, five covariates, an outcome of 0 or 1, a take-up of four in ten; and, for differences in
differences, four periods of each market with those next to a treated one exposed. Each case has a process
of its own, which makes the same table as all others: seconds begin once it stands, and go from that table
to effects with errors. Peak memory is that of the process, table and imported modules included. A peer
runs in the interpreter it is installed in, named by ``--peer``.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from apart import asked_apart, peak, pythons_of, timed

NAMES = [f"x{k}" for k in range(5)]
SHARES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
Act = Callable[[], float]
"""What is timed; it answers one effect."""


def trial(n: int, n_markets: int) -> Any:
    """One row per job seeker of a two-stage draw."""
    rng = np.random.default_rng(n + n_markets)
    size = rng.gamma(6, 1 / 6, n_markets)
    market = np.sort(rng.choice(n_markets, n, p=size / size.sum()))
    share = rng.permuted(np.tile(SHARES, (n_markets // SHARES.size, 1)), axis=1).ravel()
    assigned = rng.random(n) < share[market]
    x = rng.normal(size=(n, len(NAMES)))
    local = rng.normal(scale=0.03, size=n_markets)
    tight = rng.gamma(4, 0.2, n_markets)
    chance = 0.3 + 0.1 * assigned - 0.04 * share[market] + local[market] + 0.02 * x[:, 0]
    return import_module("pandas").DataFrame(
        {
            "market": market,
            "stratum": (np.arange(n_markets) // SHARES.size)[market],
            "share": share[market],
            "tight": tight[market],
            "assigned": assigned.astype(int),
            "took": (assigned & (rng.random(n) < 0.4)).astype(int),
            "y": (rng.random(n) < chance).astype(float),
            **dict(zip(NAMES, x.T, strict=True)),
        }
    )


def unplanned(n: int, n_markets: int) -> Any:
    """The same, where nobody drew: shares rise with tightness, and take any value."""
    table = trial(n, n_markets)
    rng = np.random.default_rng(n + n_markets + 2)
    tight = table.groupby("market")["tight"].first().to_numpy()
    share = 1 / (1 + np.exp(1.2 - 0.8 * tight + rng.normal(scale=0.6, size=tight.size)))
    assigned = rng.random(n) < share[table["market"]]
    table["assigned"] = assigned.astype(int)
    counted = np.bincount(table["market"], assigned) / np.bincount(table["market"])
    return table.assign(share=counted[table["market"]])


def areas(n: int, n_markets: int) -> Any:
    """Units of markets along a line over four periods; every tenth market treated from the third on."""
    rng = np.random.default_rng(n + n_markets + 1)
    n_units = n // 4
    market = np.sort(rng.integers(0, n_markets, n_units))
    treated = market % 10 == 0
    near = np.isin(market % 10, (1, 9))
    level = rng.normal(size=n_units)
    columns: dict[str, Any] = {}
    t = np.arange(1, 5)
    under = t >= 3
    y = level[:, None] + 0.1 * t + rng.normal(size=(n_units, 4))
    y += under * (1.0 * treated - 0.3 * near)[:, None]
    columns["id"] = np.repeat(np.arange(n_units), 4)
    columns["t"] = np.tile(t, n_units)
    columns["g"] = np.repeat(np.where(treated, 3, 0), 4)
    columns["market"] = np.repeat(market, 4)
    columns["east"] = np.repeat(market * 10.0, 4)
    columns["north"] = 0.0
    columns["y"] = y.ravel()
    return import_module("pandas").DataFrame(columns)


# --- ours ------------------------------------------------------------------------------------


def design_of(table: Any, *, covariates: bool = True, randomised: bool = True) -> Any:
    return import_module("whatworks").Design.from_cross_section(
        table,
        treatment="assigned",
        outcome="y",
        covariates=NAMES if covariates else (),
        market="market",
        stratum="stratum" if randomised else None,
        saturation="share",
        took_part="took",
        randomised=randomised,
    )


def fitted(name: str, *, covariates: bool = True) -> Callable[[Any], Act]:
    """An estimator with its defaults, from the table on."""

    def prepare(table: Any) -> Act:
        method = getattr(import_module("whatworks"), name)

        def act() -> float:
            effects = method().fit(design_of(table, covariates=covariates)).effects
            return float(effects["estimate"].iloc[0])

        return act

    return prepare


def scored(table: Any) -> Act:
    """Shares that nobody drew, which tightness and covariates explain."""
    ww = import_module("whatworks")
    known = table.groupby("market")[["share", "tight"]].first().reset_index()

    def act() -> float:
        design = ww.with_markets(
            design_of(table, randomised=False),
            known,
            market="market",
            saturation="share",
            tightness="tight",
            tightness_before=True,
            shares_from="files",
        )
        return float(ww.SaturationScore().fit(design).effects["estimate"].iloc[0])

    return act


def redrawn(draws: int) -> Callable[[Any], Act]:
    """Both stages drawn again."""

    def prepare(table: Any) -> Act:
        ww = import_module("whatworks")

        def act() -> float:
            found = ww.randomisation(
                design_of(table),
                ww.SaturationRegression(),
                assignment=ww.TwoStage(),
                draws=draws,
                rng=np.random.default_rng(0),
            )
            return float(found.table["p_value"].iloc[0])

        return act

    return prepare


def ringed(table: Any) -> Act:
    """Spillovers within one ring, beside the ordinary difference in differences."""
    ww = import_module("whatworks")

    def act() -> float:
        design = ww.Design.from_panel(
            table,
            unit="id",
            period="t",
            first_treated="g",
            outcome="y",
            covariates=["east", "north"],
            market="market",
        )
        method = ww.SpilloverDiD(rings=(15.0,), coordinates=("east", "north"))
        effects = method.fit(design).effects.set_index(["term", "group"])
        return float(effects.loc[("total", "throughout"), "estimate"])

    return act


def competing(table: Any) -> Act:
    """Exposure to the share assigned in markets within reach, along a line."""
    ww = import_module("whatworks")
    places = table[["market"]].drop_duplicates().assign(east=lambda t: t["market"], north=0.0)

    def act() -> float:
        competition = ww.Competition.by_distance(
            places, market="market", coordinates=("east", "north"), scale=1.0, cut=3.0
        )
        design = ww.competing(design_of(table, covariates=False), competition)
        return float(ww.ExposureMapping(draws=500).fit(design).effects["estimate"].iloc[0])

    return act


# --- peers, as their documentation has them ----------------------------------------------------


def statspai(table: Any) -> Act:
    """Without strata nor covariates; it wants both arms in every market, so the extremes are left out."""
    method = import_module("statspai").two_stage_interference
    both = table[(table["share"] > 0) & (table["share"] < 1)]

    def act() -> float:
        found = method(both, y="y", treat="assigned", group="market", saturation="share")
        return float(found.estimate)

    return act


def statspai_spillover(table: Any) -> Act:
    """A contrast of exposure above and below its median; 500 bootstrap draws by default."""
    method = import_module("statspai").spillover

    def act() -> float:
        return float(method(table, y="y", treat="assigned", cluster="market").estimate)

    return act


def diff_diff(table: Any) -> Act:
    """The same ring; errors by unit."""
    estimator = import_module("diff_diff").SpilloverDiD

    def act() -> float:
        found = estimator(
            rings=[0.0, 5.0, 15.0],
            conley_coords=("east", "north"),
            conley_metric="euclidean",
            cluster="id",
        ).fit(table, outcome="y", unit="id", time="t", first_treat="g")
        return float(np.atleast_1d(found.att)[0])

    return act


OWN = "whatworks"
Case = tuple[str, Callable[[int, int], Any], Callable[[Any], Act]]
CASES: dict[str, Case] = {
    "SaturationRegression": (OWN, trial, fitted("SaturationRegression")),
    "SaturationMeans": (OWN, trial, fitted("SaturationMeans", covariates=False)),
    "SaturationIV": (OWN, trial, fitted("SaturationIV")),
    "SaturationScore": (OWN, unplanned, scored),
    "randomisation, 2,000 draws": (OWN, trial, redrawn(2_000)),
    "ExposureMapping": (OWN, trial, competing),
    "SpilloverDiD": (OWN, areas, ringed),
    "StatsPAI two stages": ("StatsPAI", trial, statspai),
    "StatsPAI spillover": ("StatsPAI", trial, statspai_spillover),
    "diff-diff SpilloverDiD": ("diff-diff", areas, diff_diff),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", nargs="*", default=["100000x2000", "1000000x2000"], metavar="NxM")
    parser.add_argument("--only", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--case", nargs=2, metavar=("CASE", "SIZE"))
    asked = parser.parse_args()
    if asked.case:
        run(*asked.case)
        return
    pythons = pythons_of(asked.peer, own=OWN)
    for size in asked.size:
        print(f"\n{size.replace('x', ' persons in ')} markets", flush=True)
        for case in asked.only:
            print(f"  {case:28s} " + line(case, size, pythons, asked.seconds), flush=True)


def line(case: str, size: str, pythons: dict[str, str], seconds: float) -> str:
    """What a case took, or why it did not run."""
    place = CASES[case][0]
    if place not in pythons:
        return "skipped: no interpreter named"
    one = asked_apart([pythons[place], __file__, "--case", case, size], seconds=seconds)
    if isinstance(one, str):
        return one
    return (
        f"cpu {one['cpu']:8.3f} s  wall {one['wall']:8.3f} s  peak {one['peak']:7,.0f} MB"
        f" (modules {one['modules']:4,.0f}, table {one['table']:6,.0f})  answer {one['effect']:.6f}"
    )


def run(case: str, size: str) -> None:
    """One case, timed by itself, once it ran on some thousands and so has all it needs loaded."""
    warnings.simplefilter("ignore")
    n, n_markets = (int(part) for part in size.split("x"))
    _, table_of, prepare = CASES[case]
    prepare(table_of(8_000, 100))()
    modules = peak()
    table = table_of(n, n_markets)
    found = timed(prepare(table))
    held = float(table.memory_usage(index=False).sum()) / 2**20
    print(json.dumps({**found, "modules": modules, "table": held}))


if __name__ == "__main__":
    main()
