"""Markets read off a panel, against counts made row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from hand import panel, records, table
from whatworks import Design, Panel, Question, compare
from whatworks.design import CoarsenedExact, choose
from whatworks.design.markets.expose import expose, leave_one_out
from whatworks.errors import DesignRefused, OptionError
from whatworks.sources.records import Geography
from whatworks.vocabulary import Supply

N = 120
CODES = {
    "employment": ("cdi",),
    "joblessness": ("registered",),
    "benefit": ("rsa",),
    "accompaniment": ("job_search", "aided_contract"),
}
ZONES = {"08001": "ZE1", "08002": "ZE1", "74001": "ZE2", "75001": "ZE3"}
QUESTION = Question(
    treatment="job_search",
    outcome="employment_presence",
    months=(3,),
    eligible=("joblessness",),
    covariates=("sex",),
)


def people(seed: int = 0, *, some_nowhere: bool = False) -> Panel:
    """Two years of random lives in four communes, of which people move."""
    rng = np.random.default_rng(seed)
    names = [f"p{n:03d}" for n in range(N)]
    episodes, states, places = [], [], []
    jan = 24240
    for name in names:
        for _ in range(int(rng.integers(1, 3))):
            start = pd.Timestamp("2020-01-03") + pd.Timedelta(days=int(rng.integers(0, 500)))
            code = str(rng.choice(["job_search", "job_search", "aided_contract"]))
            stop = start + pd.Timedelta(days=int(rng.integers(40, 300)))
            episodes.append(("s", name, "accompaniment", code, start.date(), stop.date()))
        if rng.random() < 0.5:
            start = pd.Timestamp("2020-01-03") + pd.Timedelta(days=int(rng.integers(0, 700)))
            episodes.append(("s", name, "employment", "cdi", start.date(), None))
        states += [
            ("s", name, "joblessness", "registered", jan + k)
            for k in range(24)
            if rng.random() < 0.8
        ]
        states += [("s", name, "benefit", "rsa", jan + k) for k in range(24) if rng.random() < 0.5]
        if some_nowhere and rng.random() < 0.1:
            continue
        places.append(("s", name, str(rng.choice(list(ZONES))), jan, None))
        if rng.random() < 0.3:
            places.append(
                ("s", name, str(rng.choice(list(ZONES))), jan + int(rng.integers(3, 20)), None)
            )
    made = records(
        names,
        episodes=episodes,
        states=states,
        window=("2020-01", "2021-12"),
        codes=CODES,
        attributes={
            "sex": ("category", [str(s) for s in rng.choice(["m", "w"], N)]),
            "occupation": ("category", [str(s) for s in rng.choice(["cook", "clerk"], N)]),
        },
        places=places,
    )
    con = made.connection
    communes = [(c, z, c[:2]) for c, z in ZONES.items()]
    kinds = {"commune": "string", "zone": "string", "departement": "string"}
    tight = [(z, jan + k, 0.1 * k + int(z[-1])) for z in ("ZE1", "ZE2", "ZE3") for k in range(24)]
    told = {"place": "string", "month": "int32", "value": "float64"}
    made = replace(
        made,
        geography=Geography(
            year="2023", communes=table(con, communes, kinds), tightness=table(con, tight, told)
        ),
    )
    return panel(made, "2020-01", "2021-12")


@pytest.fixture(scope="module")
def lives() -> Panel:
    return people()


@pytest.fixture(scope="module")
def design(lives: Panel) -> Design:
    return compare(lives, QUESTION, using=CoarsenedExact())


def row_by_row(
    lives: Panel, parts: tuple[str, ...], eligible: tuple[str, ...]
) -> Iterator[tuple[str, int, bool, bool, float, int]]:
    """Every seeker of every month: market, month, eligible, treated, tightness, person."""
    people = lives.persons.execute().set_index("person_id")
    rows = lives.to_pandas().set_index(["person_id", "month"]).to_dict("index")
    for (person, month), now in rows.items():
        before = rows.get((person, month - 1))
        if before is None or not before["joblessness"] > 0:
            continue
        told = [before[p] if p in before else people.loc[person, p] for p in parts]
        if any(pd.isna(t) for t in told):
            continue
        could = all(before[s] > 0 for s in eligible)
        under = now["accompaniment_job_search"] > 0
        yield " × ".join(told), month, could, could and under, before["tightness"], person


@pytest.mark.parametrize(
    ("parts", "eligible"),
    [(("zone",), None), (("zone", "occupation"), None), (("commune",), ("joblessness", "benefit"))],
)
def test_pools_are_those_counted_row_by_row(
    lives: Panel, design: Design, parts: tuple[str, ...], eligible: tuple[str, ...] | None
) -> None:
    rows = pd.DataFrame(
        row_by_row(lives, parts, eligible or QUESTION.eligible),
        columns=["market", "month", "eligible", "treated", "tightness", "person"],
    )
    months = set(design.units["entry_month"])
    by_hand = (
        rows[rows["month"].isin(months)]
        .groupby(["market", "month"])
        .agg(
            seekers=("person", "size"),
            eligible=("eligible", "sum"),
            treated=("treated", "sum"),
            tightness=("tightness", "mean"),
        )
        .astype(float)
    )
    exposed = expose(design, lives, markets=parts, eligible=eligible)
    assert exposed.markets is not None
    found = exposed.markets.table.set_index(["market", "month"])
    pd.testing.assert_frame_equal(
        found[list(by_hand)], by_hand, check_index_type=False, check_dtype=False
    )
    share = by_hand["treated"] / by_hand["eligible"]
    np.testing.assert_allclose(found["saturation"], share)
    assert exposed.markets.shares_from == "files"
    assert {Supply.MARKETS, Supply.SATURATION} <= exposed.supplies
    assert Supply.DRAWN_SATURATION not in exposed.supplies
    place = {(p, m): market for market, m, *_, p in rows.itertuples(index=False)}
    units = exposed.units
    for person, month, market, saturation in zip(
        units["person_id"], units["entry_month"], units["market"], units["saturation"], strict=True
    ):
        assert market == place[person, month]
        assert saturation == share[market, month]
    step = next(s for s in exposed.ledger.steps if s.name == "pools")
    assert step.before == N * len(months)
    assert step.after == by_hand["seekers"].sum()
    pd.testing.assert_frame_equal(
        exposed.units.drop(columns=["market", "saturation"]),
        design.units.drop(columns=["market", "saturation"]),
    )


def test_share_of_the_others_leaves_each_unit_out(lives: Panel, design: Design) -> None:
    exposed = expose(design, lives, markets=["zone"])
    rows = pd.DataFrame(
        row_by_row(lives, ("zone",), QUESTION.eligible),
        columns=["market", "month", "eligible", "treated", "tightness", "person"],
    ).query("eligible")
    by_hand = []
    units = exposed.units
    for person, month, market in zip(
        units["person_id"], units["entry_month"], units["market"], strict=True
    ):
        others = rows[
            (rows["market"] == market) & (rows["month"] == month) & (rows["person"] != person)
        ]
        by_hand.append(others["treated"].mean())
    np.testing.assert_allclose(leave_one_out(exposed), by_hand)


def test_tightness_is_before_treatment_only_where_nobody_was_treated_yet(
    lives: Panel, design: Design
) -> None:
    later = expose(design, lives, markets=["zone"]).markets
    assert later is not None
    assert later.tightness_before is False
    held = expose(design, lives, markets=["zone"], tightness_as_of="2020-01").markets
    assert held is not None
    assert held.table["tightness"].round(9).isin([1.0, 2.0, 3.0]).all()
    began = lives.table.filter(lives.table["accompaniment_job_search"] > 0).month.min().execute()
    assert held.tightness_before is bool(began > 24240)


def test_a_design_not_opened_is_exposed_then_sealed_and_opened(
    lives: Panel, tmp_path: object
) -> None:
    closed = choose(lives, QUESTION, using=CoarsenedExact())
    exposed = expose(closed, lives, markets=["zone"])
    opened = exposed.open(lives)
    assert opened.seal is not None
    assert opened.seal.before_outcomes
    assert opened.markets is not None


def test_people_whose_place_is_not_known(lives: Panel) -> None:
    somewhere = people(some_nowhere=True)
    design = compare(somewhere, QUESTION, using=CoarsenedExact())
    with pytest.raises(DesignRefused, match="units without"):
        expose(design, somewhere, markets=["zone"])
    asked = replace(QUESTION, covariates=("sex", "zone"))
    known = compare(somewhere, asked, using=CoarsenedExact())
    found = expose(known, somewhere, markets=["zone"])
    lost = dict(next(s for s in found.ledger.steps if s.name == "pools").dropped)
    assert lost["missing_market"] > 0


def test_what_the_panel_lacks_is_named(lives: Panel, design: Design) -> None:
    with pytest.raises(OptionError, match="zone"):
        expose(design, lives, markets=["zones"])
    with pytest.raises(OptionError, match="joblessness"):
        expose(design, lives, markets=["zone"], seekers=["jobless"])
    with pytest.raises(OptionError, match="at least one column"):
        expose(design, lives, markets=[])
    with pytest.raises(OptionError, match="2021-12"):
        expose(design, lives, markets=["zone"], tightness_as_of="2021-12")
    tabled = Design.from_cross_section(
        pd.DataFrame({"z": [0, 1], "y": [1.0, 2.0]}), treatment="z", outcome="y"
    )
    with pytest.raises(DesignRefused, match="one of a table"):
        expose(tabled, lives, markets=["zone"])
    with pytest.raises(DesignRefused, match="markets counted"):
        leave_one_out(tabled)


def test_no_name_of_a_person_and_no_order_decides(lives: Panel, design: Design) -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(len(design.units))
    units = design.units.iloc[order].reset_index(drop=True)
    units["unit_id"] = np.arange(len(units))
    shuffled = replace(design, units=units, matches=None, outcomes=design.outcomes.of(order))
    one, other = (expose(d, lives, markets=["zone"]) for d in (design, shuffled))
    assert one.markets is not None
    assert other.markets is not None
    pd.testing.assert_frame_equal(one.markets.table, other.markets.table)
    assert one.units["market"].iloc[order].tolist() == other.units["market"].tolist()
    assert isinstance(lives.table, ibis.Table)
