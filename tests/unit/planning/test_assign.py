"""Who is drawn: the same whatever the order, as designed, replayable, never written over, nobody named."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks import Design, WhatworksError
from whatworks.errors import DesignRefused, OptionError
from whatworks.planning import Rules, Trial, assign, late_arrivals, verify_assignment
from whatworks.planning.drawing import draw_persons, draw_shares
from whatworks.planning.keyed import numbers, uniform
from whatworks.planning.similar import strata_of_likes
from whatworks.stats.planning.balance import drawn_balance

TRIAL = Trial(shares=(0, 0.25, 0.5, 0.75, 1))
RULES = Rules(similar_on=("size", "tightness"), within=("region",))


def places(n: int = 53, *, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "market": [f"zone {k:02d}" for k in range(n)],
            "size": rng.integers(20, 400, n),
            "tightness": rng.lognormal(size=n).round(3),
            "region": rng.integers(0, 3, n).astype(str),
        }
    )


def people(markets: pd.DataFrame, *, each: int = 37, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    market = markets["market"].to_numpy()[rng.integers(0, len(markets), each * len(markets))]
    return pd.DataFrame(
        {
            "person_id": [f"{k:06d}" for k in rng.permutation(market.size)],
            "market": market,
            "age": rng.normal(40, 10, market.size),
        }
    )


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    markets = places()
    return markets, people(markets)


def test_a_number_is_that_of_the_standard() -> None:
    digest = hmac.new(b"seed", b"person\x1f000123", hashlib.sha256).digest()
    assert numbers("seed", "person", ["000123"])[0] == int.from_bytes(digest[:8], "big")
    drawn = uniform("seed", "x", [str(k) for k in range(20_000)])
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)
    assert 0 <= drawn.min() < drawn.max() < 1


def test_order_of_rows_changes_nothing(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    markets, persons = tables
    one = assign(markets, persons, trial=TRIAL, rules=RULES, seed=5, date="2025-01-06")
    two = assign(
        markets.sample(frac=1, random_state=1),
        persons.sample(frac=1, random_state=2),
        trial=TRIAL,
        rules=RULES,
        seed="5",
        date="2025-01-06",
    )
    pd.testing.assert_frame_equal(one.markets, two.markets)
    pd.testing.assert_frame_equal(one.persons, two.persons)
    assert one.audit == two.audit
    other = assign(markets, persons, trial=TRIAL, rules=RULES, seed=6)
    assert (other.markets["saturation"] != one.markets["saturation"]).any()


def test_each_stratum_has_each_share_and_each_market_its_number(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    drawn = assign(*tables, trial=TRIAL, rules=RULES, seed=3)
    strata = drawn.markets.groupby("stratum")["saturation"].apply(sorted)
    assert sorted(strata.map(len).tolist()) == [3, *[5] * 10]
    assert all(s == list(TRIAL.shares) for s in strata if len(s) == 5)
    short = next(s for s in strata if len(s) == 3)
    assert len(set(short)) == 3  # a share is not drawn twice while another is not drawn
    wanted = drawn.markets["eligible"] * drawn.markets["saturation"]
    assert ((drawn.markets["treated"] - wanted).abs() < 1).all()
    counted = drawn.persons.groupby("market")["treated"].sum()
    assert counted.to_dict() == drawn.markets.set_index("market")["treated"].to_dict()


def test_shares_of_unequal_numbers_of_markets() -> None:
    trial = Trial(shares=(0, 0.5), per_stratum=(2, 1))
    drawn = assign(places(30), trial=trial, rules=Rules(similar_on=("size",)), seed=1)
    assert drawn.persons is None
    assert (drawn.markets.groupby("stratum")["saturation"].sum() == 0.5).all()
    assert list(drawn.markets) == ["market", "stratum", "saturation"]


def test_everybody_has_the_chance_of_their_share() -> None:
    names = tuple(f"m{k}" for k in range(7))
    who = tuple(f"p{k}" for k in range(7 * 9))
    market = np.repeat(np.arange(7), 9)
    share = np.array([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
    drawn = np.array(
        [
            draw_persons(who, market, names=names, share=share, rules=Rules(), seed=str(s))
            for s in range(4_000)
        ]
    )
    found = drawn.mean(axis=0).reshape(7, 9)
    assert (np.abs(found - share[:, None]) < 4 * np.sqrt(0.25 / 4_000)).all()
    assert not drawn[:, market == 0].any()
    assert drawn[:, market == 6].all()
    # Of 9 at one quarter: 2 or 3, and 2.25 on average.
    counts = drawn[:, market == 2].sum(axis=1)
    assert set(counts) == {2, 3}
    assert counts.mean() == pytest.approx(2.25, abs=0.04)
    nearest = draw_persons(
        who, market, names=names, share=share, rules=Rules(rounding="nearest"), seed="1"
    )
    assert np.bincount(market[nearest], minlength=7).tolist() == [0, 1, 2, 5, 7, 8, 9]


def test_every_share_falls_on_every_market_as_often() -> None:
    names = tuple(f"m{k}" for k in range(8))
    trial = Trial(shares=(0, 0.5, 1))
    stratum = np.repeat([0, 1], [5, 3])  # one round of three and two more; one round
    drawn = np.array([draw_shares(names, stratum, trial=trial, seed=str(s)) for s in range(3_000)])
    for share in trial.shares:
        chance = (drawn == share).mean(axis=0)
        assert (np.abs(chance - 1 / 3) < 4 * np.sqrt(2 / 9 / 3_000)).all()


def test_strata_hold_likes_within_their_group() -> None:
    markets = places(60, seed=4)
    traits = markets[["size", "tightness"]].to_numpy(dtype=float)
    exact = markets["region"].astype(int).to_numpy()
    found = strata_of_likes(traits, exact, size=5)
    assert np.bincount(found).tolist() == [5] * 12
    ranks = pd.DataFrame(traits).rank().to_numpy()
    spread = np.mean([ranks[found == s].var(axis=0) for s in range(12)], axis=0)
    assert (spread < 0.6 * ranks.var(axis=0)).all()
    mixed = [s for s in range(12) if np.unique(exact[found == s]).size > 1]
    assert len(mixed) <= 3  # those left of three regions
    bare = strata_of_likes(np.empty((60, 0)), exact, size=5)
    assert np.array_equal(bare, exact)


def test_balance_has_the_errors_of_the_design() -> None:
    rng = np.random.default_rng(8)
    block = np.repeat(np.arange(12), 5)
    trait = rng.normal(size=12)[block] * 5 + rng.normal(size=60)
    arm = np.tile([0.0, 0.25, 0.5, 0.75, 1.0], 12)
    slopes = []
    for _ in range(4_000):
        order = np.lexsort((rng.random(60), block))
        slopes.append(drawn_balance(trait[order], arm, block).slope)
    found = drawn_balance(trait, arm, block)
    assert np.std(slopes) == pytest.approx(found.std_error, rel=0.05)
    assert np.mean(slopes) == pytest.approx(0, abs=4 * found.std_error / np.sqrt(4_000))
    # What marks whole blocks apart is no imbalance.
    assert found.std_error < 0.5 * trait.std() / np.sqrt(60 * arm.var())
    assert np.isnan(drawn_balance(trait, np.ones(60), block).slope)


def test_what_is_written_is_whole_signed_and_replayed(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    markets, persons = tables
    drawn = assign(markets, persons, trial=TRIAL, rules=RULES, seed="urn 7", check=("age",))
    for table in ("csv", "parquet"):
        folder = drawn.save(tmp_path / table, table=table)
        assert {p.name for p in folder.iterdir()} == {
            "markets.csv",
            f"persons.{table}",
            "seed.txt",
            "audit.json",
        }
        told = verify_assignment(folder, markets.iloc[::-1], persons.iloc[::-1])
        assert told.holds
        told.raise_if_changed()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    audit = (tmp_path / "csv" / "audit.json").read_text(encoding="utf-8")
    assert "urn 7" not in audit  # bound by its SHA-256, not told
    assert json.loads(audit)["seed_sha256"] == hashlib.sha256(b"urn 7").hexdigest()
    assert not [p for p in persons["person_id"] if p in audit]
    assert set(drawn.balance()["level"]) == {"market", "person"}


def test_counts_that_were_changed_and_a_file_taken_away_are_seen(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    markets, persons = tables
    folder = assign(markets, persons, trial=TRIAL, rules=RULES, seed="urn 7").save(tmp_path / "a")
    counts = pd.read_csv(folder / "markets.csv", dtype=str)
    for column in ("eligible", "treated"):
        other = counts.assign(**{column: ["9999", *counts[column][1:]]})
        other.to_csv(folder / "markets.csv", index=False)
        told = verify_assignment(folder, markets, persons).checks.set_index("check")
        assert not told.loc["shares", "holds"]
        assert told.loc["shares", "differing"] == 1
    counts.to_csv(folder / "markets.csv", index=False)
    (folder / "persons.csv").unlink()
    told = verify_assignment(folder, markets, persons).checks.set_index("check")
    assert told.index[~told["holds"].astype(bool)].tolist() == ["persons"]
    with pytest.raises(DesignRefused):
        verify_assignment(folder, markets, persons).raise_if_changed()


def test_an_assignment_is_never_written_over(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    drawn = assign(tables[0], trial=TRIAL, seed=1)
    drawn.save(tmp_path / "a")
    before = (tmp_path / "a" / "markets.csv").read_bytes()
    with pytest.raises(OptionError, match="never written over"):
        assign(tables[0], trial=TRIAL, seed=2).save(tmp_path / "a")
    assert (tmp_path / "a" / "markets.csv").read_bytes() == before
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="can be written"):
        drawn.save(tmp_path / "file" / "a")


@pytest.mark.parametrize(
    ("file", "change", "check"),
    [
        ("persons.csv", lambda t: t.replace(",1\n", ",0\n", 1), "persons"),
        ("markets.csv", lambda t: t.replace("0.25", "0.5", 1), "shares"),
        ("seed.txt", lambda _: "another\n", "seed"),
        ("audit.json", lambda t: t.replace('"random"', '"nearest"'), "audit"),
    ],
)
def test_what_was_changed_is_found(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path, file: str, change: object, check: str
) -> None:
    folder = assign(*tables, trial=TRIAL, rules=RULES, seed=9).save(tmp_path / "a")
    text = (folder / file).read_text(encoding="utf-8")
    (folder / file).write_text(change(text), encoding="utf-8")  # type: ignore[operator] - a function of the table above
    told = verify_assignment(folder, *tables)
    assert not told.holds
    assert not told.checks.set_index("check").loc[check, "holds"]
    with pytest.raises(DesignRefused):
        told.raise_if_changed()


def test_other_inputs_are_found(tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    markets, persons = tables
    folder = assign(markets, persons, trial=TRIAL, rules=RULES, seed=9).save(tmp_path / "a")
    moved = markets.assign(size=markets["size"].mask(markets.index == 0, 10_000))
    told = verify_assignment(folder, moved, persons).checks.set_index("check")["holds"]
    assert not told["markets_given"]
    told = verify_assignment(folder, markets, persons.iloc[1:]).checks.set_index("check")
    assert not told.loc["persons_given", "holds"]
    assert told.loc["persons", "differing"] > 0
    with pytest.raises(OptionError, match="markets and persons"):
        verify_assignment(folder, markets)


def test_those_who_arrive_late_have_their_number_already(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    markets, persons = tables
    folder = assign(markets, persons, trial=TRIAL, rules=RULES, seed=4).save(tmp_path / "a")
    late = people(markets, each=200, seed=11)
    late["person_id"] = "late " + late["person_id"]
    both = late_arrivals(folder, late)
    parts = [late_arrivals(folder, part) for part in (late.iloc[:500], late.iloc[500:])]
    one_by_one = pd.concat([p.persons for p in parts]).sort_values("person_id")
    pd.testing.assert_frame_equal(both.persons, one_by_one.reset_index(drop=True))
    chance = both.persons.groupby("saturation")["treated"].agg(["mean", "size"])
    for share, (mean, size) in chance.iterrows():
        assert abs(mean - share) <= 4 * np.sqrt(share * (1 - share) / size)
    written = both.save(tmp_path / "late")
    assert verify_assignment(written, persons=late).holds
    assert not verify_assignment(written, persons=late.iloc[1:]).holds
    with pytest.raises(DesignRefused, match=f"{len(persons)} who were"):
        late_arrivals(folder, persons)


def test_what_is_drawn_is_what_a_design_reads(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    drawn = assign(*tables, trial=TRIAL, rules=RULES, seed=4).persons
    assert drawn is not None
    design = Design.from_cross_section(
        drawn.assign(y=1.0),
        treatment="treated",
        outcome="y",
        person="person_id",
        market="market",
        stratum="stratum",
        saturation="saturation",
        randomised=True,
    )
    assert len(design.units) == len(drawn)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"persons": lambda p: pd.concat([p, p.iloc[:3]])}, "3 of"),
        ({"persons": lambda p: p.assign(market="nowhere")}, "in others"),
        ({"persons": lambda p: p.assign(person_id=np.nan)}, "rows without"),
        ({"persons": lambda p: p.drop(columns="market")}, "'market'"),
        ({"markets": lambda m: m.assign(size=np.nan)}, "rows without"),
        ({"markets": lambda m: m.assign(size="large")}, "something else"),
        ({"markets": lambda m: m.iloc[:4]}, "one for each share"),
        ({"persons": lambda p: p.assign(person_id=np.arange(len(p)) + 0.5)}, "not whole"),
    ],
)
def test_tables_that_cannot_be_drawn_from_are_refused_without_naming_anybody(
    tables: tuple[pd.DataFrame, pd.DataFrame], change: dict[str, object], said: str
) -> None:
    given = {"markets": tables[0], "persons": tables[1]}
    given |= {name: act(given[name]) for name, act in change.items()}  # type: ignore[operator] - functions of the table above
    with pytest.raises(WhatworksError, match=said) as caught:
        assign(given["markets"], given["persons"], trial=TRIAL, rules=RULES, seed=1)
    told = str(caught.value)
    assert not [p for p in tables[1]["person_id"].head(50) if p in told]
    assert caught.value.remedy


def test_a_seed_is_drawn_where_none_is_given(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    one, two = (assign(tables[0], trial=TRIAL) for _ in range(2))
    assert one.seed != two.seed
    assert len(one.seed) == 32
    again = assign(tables[0], trial=TRIAL, seed=one.seed, date=str(one.audit["date"]))
    assert again.audit == one.audit


def test_rules_say_what_they_take() -> None:
    with pytest.raises(OptionError, match="random"):
        replace(RULES, rounding="down")  # type: ignore[arg-type] - what a user may write
