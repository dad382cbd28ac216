"""Learners written in a file, and folds that depend on what clusters hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from whatworks.errors import DesignRefused, OptionError
from whatworks.stats.learners import check_learner, content_order, cross_outcomes, deal


@pytest.mark.parametrize(
    "written",
    [
        "os.system('true')",
        "sklearn.linear_model.Ridge(alpha=print())",
        "sklearn.linear_model.Rdge()",
        "sklearn.preprocessing.StandardScaler()",
        "logit",
        "__import__('os').getcwd()",
    ],
)
def test_text_that_is_no_regressor_is_refused(written: str) -> None:
    with pytest.raises(OptionError):
        check_learner(written, regression="least_squares", method="predict", what="outcome")


@pytest.mark.parametrize(
    "learner", ["least_squares", "sklearn.linear_model.Ridge(alpha=2.0)", Ridge()]
)
def test_regressors_are_taken(learner: object) -> None:
    check_learner(learner, regression="least_squares", method="predict", what="outcome")


def test_folds_follow_persons_and_not_their_labels() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=90)
    person = np.arange(90) // 2
    treated = person % 3 == 0
    dealt = []
    for labels, rows in (
        (person, np.arange(90)),
        (1_000 - person, np.arange(90)),
        (person, rng.permutation(90)),
    ):
        fold = deal(
            labels[rows],
            treated[rows],
            content_order([treated[rows], x[rows]]),
            folds=3,
            rng=np.random.default_rng(7),
        )
        back = np.empty(90, dtype=int)
        back[rows] = fold
        dealt.append(back)
    assert (dealt[0] == dealt[1]).all()
    assert (dealt[0] == dealt[2]).all()
    assert (dealt[0][::2] == dealt[0][1::2]).all()
    assert (np.bincount(dealt[0][treated]) == 10).all()


def test_too_few_clusters_for_the_folds_are_refused() -> None:
    with pytest.raises(DesignRefused, match="at least 5"):
        deal(
            np.arange(8),
            np.arange(8) < 3,
            np.arange(8),
            folds=5,
            rng=np.random.default_rng(0),
        )


def test_each_fold_is_predicted_by_the_others() -> None:
    rng = np.random.default_rng(2)
    x, fold = rng.normal(size=(40, 2)), np.arange(40) % 4
    y = x[:, [0]] + rng.normal(size=(40, 1))
    ours = cross_outcomes(
        Ridge(alpha=3.0),
        y,
        x,
        group=np.zeros(40, dtype=np.int64),
        weight=np.ones(40),
        fold=fold,
        order=np.arange(40),
        seed=0,
    )
    for k in range(4):
        model = Ridge(alpha=3.0).fit(x[fold != k], y[fold != k, 0])
        np.testing.assert_allclose(ours[fold == k, 0], model.predict(x[fold == k]))
