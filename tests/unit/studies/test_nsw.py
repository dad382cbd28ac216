"""The experiment's own numbers, and what the same commands say without it."""

from __future__ import annotations

import pytest

from whatworks import Design, MatchedDifference, NearestNeighbours
from whatworks.studies import nsw


def test_published_differences() -> None:
    drawn, survey = nsw.experiment(), nsw.observational()
    assert len(drawn) == 445
    experimental = drawn.groupby("training")["re78"].mean()
    assert experimental[1] - experimental[0] == pytest.approx(nsw.EXPERIMENT, abs=0.005)
    naive = survey.groupby("training")["re78"].mean()
    assert naive[1] - naive[0] == pytest.approx(nsw.NAIVE, abs=0.5)  # printed as -8,498


def test_imbens_matching_of_the_experiment() -> None:
    # Published Stata logs are of the average over the sample; ours over the treated. What both share is
    # the Becker-Ichino count: every treated person finds a comparison without a caliper.
    design = Design.from_cross_section(
        nsw.experiment(), treatment="training", outcome="re78", covariates=nsw.COVARIATES
    ).matched(using=NearestNeighbours(ratio=1, metric="mahalanobis"))
    row = MatchedDifference(bias_adjust=True).fit(design).effects.iloc[0]
    assert row["n_treated"] == 185
    assert row["conf_low"] < nsw.EXPERIMENT < row["conf_high"]


def test_matching_on_the_survey_comes_back_near_the_experiment() -> None:
    evidence = nsw.evidence()
    row = evidence.estimates[0].at(0)
    assert abs(row["estimate"] - nsw.EXPERIMENT) < abs(nsw.NAIVE - nsw.EXPERIMENT) / 5
    assert row["conf_low"] < nsw.EXPERIMENT < row["conf_high"]
    assert evidence.rating.cap == 2
    assert {b.code for b in evidence.benchmarks} == {"naive", "experiment"}
