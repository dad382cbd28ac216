"""PartialInterference: what it refuses, what its terms are, and who is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from whatworks import Design, PartialInterference
from whatworks.errors import DesignRefused, DisplacementRefused, OptionError
from whatworks.estimate.shares.responses import ASSIGNED, UNASSIGNED, responses_of
from whatworks.vocabulary import Unidentified


def table(n_groups: int = 120, *, size: int = 5, noise: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(n_groups), size)
    x = rng.normal(size=group.size)
    z = (rng.random(group.size) < expit(-0.7 + 0.5 * x)).astype(int)
    others = (np.bincount(group, z)[group] - z) / (size - 1)
    y = 2 + 0.5 * x + z - 0.8 * others + noise * rng.normal(size=group.size)
    return pd.DataFrame({"z": z, "x": x, "group": group, "y": y})


def design(rows: pd.DataFrame, **more: str) -> Design:
    return Design.from_cross_section(
        rows, treatment="z", outcome="y", covariates=["x"], market="group", **more
    )


def refusal(rows: pd.DataFrame, method: PartialInterference) -> DisplacementRefused:
    with pytest.raises(DisplacementRefused) as caught:
        method.fit(design(rows))
    assert caught.value.remedy
    return caught.value


def test_terms_are_those_of_the_house() -> None:
    estimate = PartialInterference(policies=(0.0, 0.3, 0.6)).fit(design(table(noise=0.0)))
    found = estimate.effects.set_index(["term", "group"])["estimate"]
    for alpha, label in ((0.3, "0.3"), (0.6, "0.6")):
        assert found["direct", label] == pytest.approx(1.0, abs=1e-8)
        assert found["spillover", label] == pytest.approx(-0.8 * alpha, abs=1e-8)
        assert found["total", label] == pytest.approx(1 - 0.8 * alpha, abs=1e-8)
        assert found["overall", label] == pytest.approx(alpha - 0.8 * alpha, abs=1e-8)
    responses = responses_of(estimate, what="a test")
    zero = (responses.arm == UNASSIGNED) & np.isin(responses.saturation, (0.3, 0.6))
    one, other = responses.mean[zero]
    assert other - one == pytest.approx(-0.24, abs=1e-8)  # the indirect effect of 0.6 against 0.3
    assert not ((responses.arm == ASSIGNED) & (responses.saturation == 0)).any()


@pytest.mark.parametrize("means", ["doubly_robust", "hajek", "horvitz_thompson"])
@pytest.mark.parametrize("shared_intercept", [False, True])
def test_every_way_answers_the_same_question(means: str, *, shared_intercept: bool) -> None:
    method = PartialInterference(policies=(0.3,), means=means, shared_intercept=shared_intercept)
    row = method.fit(design(table(300))).effects.set_index(["term", "group"]).loc[("direct", "0.3")]
    assert abs(row["estimate"] - 1) < 4 * row["std_error"]


def test_large_groups_are_refused() -> None:
    found = refusal(table(30, size=16), PartialInterference())
    assert found.code is Unidentified.MARKET_SIZE
    assert "up to 16" in str(found)
    assert PartialInterference().fit(design(table(60, size=15))).effects["std_error"].notna().all()


def test_few_groups_alike_groups_and_policies_beyond_are_refused() -> None:
    assert refusal(table(19), PartialInterference()).code is Unidentified.TOO_FEW_MARKETS
    alike = table(40, size=2)
    alike["z"] = np.tile([0, 1], 40)
    assert refusal(alike, PartialInterference()).code is Unidentified.NO_SATURATION_VARIATION
    rows = table()
    top = rows.groupby("group")["z"].transform("mean")
    found = refusal(rows[top < 0.7], PartialInterference(policies=(0.3, 0.9)))
    assert found.code is Unidentified.EXTRAPOLATED_P
    some = rows[top > 0]
    some = pd.concat([some, rows[top == 0].head(10)])
    found = refusal(some, PartialInterference(policies=(0.0, 0.4)))
    assert found.code is Unidentified.NO_PURE_CONTROL


def test_groups_must_be_seen_whole() -> None:
    rows = table().assign(weight=1.5)
    with pytest.raises(DesignRefused, match="whole numbers"):
        PartialInterference().fit(design(rows, weight="weight"))


def test_treatment_that_a_covariate_decides_is_refused() -> None:
    rows = table()
    rows["z"] = (rows["x"] > 0.5).astype(int)
    with pytest.raises(DesignRefused, match="without a maximum"):
        PartialInterference().fit(design(rows))


def test_persons_and_groups_are_two_estimands() -> None:
    rows = pd.concat([table(60, size=3), table(60, size=9).assign(group=lambda t: t["group"] + 60)])
    rows["y"] = rows["y"] + (rows["group"] >= 60)
    found = [
        responses_of(
            PartialInterference(policies=(0.3,), weigh=weigh).fit(design(rows)), what="t"
        ).mean
        for weigh in ("persons", "markets")
    ]
    assert (found[0] > found[1] + 0.1).all()


def test_it_says_how_few_groups_weigh() -> None:
    weights = PartialInterference().fit(design(table())).extras["weights"]
    assert (weights["effective_groups"] <= weights["n_groups"] + 1e-9).all()
    none = weights[weights["policy"] == 0]
    assert none["arm"].tolist() == [UNASSIGNED]
    assert none["effective_groups"].iloc[0] < 40


@pytest.mark.parametrize("wrong", [{"policies": (1.0,)}, {"policies": (0.0,)}, {"means": "mean"}])
def test_options_are_held_against_what_they_may_be(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        PartialInterference(**wrong)
