"""Does the same machinery find an effect of a treatment drawn at random?

`dowhy` permutes the treatment and estimates again, every time from nothing; a copy of the data is
given to it because it writes into the frame it receives, and a regression is used because its
matching keeps a fitted score from one run to the next.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
import pandas as pd

from whatworks import doors
from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.stats.intervals import wald
from whatworks.vocabulary import TREATED, Supply, Verdict

DRAWS: Final = 30
MOST_ROWS: Final = 5_000
STRAINED_BELOW: Final = 0.01
REFERENCE: Final = "Sharma & Kiciman (2020), arXiv:2011.04216"


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Mean effect of permuted treatments against zero.

    It tries the software and the handling of the data, not the design: no confounder can fail it.
    On a rollout, false starts do as much with the method itself (``placebo_dates``).
    """
    if Supply.ROLLOUT in design.supplies:
        return None
    if not design.covariates or "att" not in set(estimates[0].effects["term"]):
        return None
    frame = _copy(design, rng)
    with _quiet():
        effects = _placebo_effects(frame, rng)
    mean = float(effects.mean())
    error = float(effects.std(ddof=1) / np.sqrt(effects.size))
    p_value = float(wald(mean, error, df=DRAWS - 1).p_value)
    if np.isnan(p_value):
        verdict = Verdict.NOT_TESTABLE
    else:
        verdict = Verdict.STRAINED if p_value < STRAINED_BELOW else Verdict.HOLDS
    return Finding(
        check="refutation",
        verdict=verdict,
        statistic=p_value,
        threshold=STRAINED_BELOW,
        reference=REFERENCE,
        facts={
            "placebo_effect": mean,
            "draws": DRAWS,
            "unit": design.outcomes.unit,
            "reference": REFERENCE,
        },
    )


def _copy(design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Treatment, primary outcome and covariates, under names a formula accepts."""
    months = design.outcomes.months
    month = design.question.primary if design.question.primary in months else months[-1]
    frame = pd.DataFrame(design.units[list(design.covariates)].to_numpy(dtype=float))
    frame.columns = pd.Index([f"x{k}" for k in range(frame.shape[1])])
    frame = frame.loc[:, _independent(frame.to_numpy())]
    frame["treatment"] = design.units[TREATED].to_numpy().astype(int)
    frame["outcome"] = design.outcomes.at(month)
    frame = frame.dropna().reset_index(drop=True)
    if len(frame) > MOST_ROWS:
        frame = frame.iloc[np.sort(rng.choice(len(frame), MOST_ROWS, replace=False))]
    return frame.reset_index(drop=True)


def _independent(values: np.ndarray) -> np.ndarray:
    """Columns that none of the earlier ones, nor a constant, determines; mask of shape (k,)."""
    centred = values - values.mean(axis=0)
    kept = np.zeros(values.shape[1], dtype=bool)
    basis = np.empty((len(values), 0))
    for k in range(values.shape[1]):
        rest = centred[:, k] - basis @ (basis.T @ centred[:, k])
        size = float(np.linalg.norm(rest))
        if size > 1e-8 * max(float(np.linalg.norm(centred[:, k])), 1e-300):
            kept[k] = True
            basis = np.column_stack([basis, rest / size])
    return kept


def _placebo_effects(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Effects of permuted treatments, each model built and fitted anew."""
    causal_model = doors.dowhy().CausalModel
    names = [c for c in frame.columns if c not in ("treatment", "outcome")]
    effects = []
    for _ in range(DRAWS):
        drawn = frame.assign(treatment=rng.permutation(frame["treatment"].to_numpy()))
        model = causal_model(
            data=drawn, treatment="treatment", outcome="outcome", common_causes=names
        )
        estimand = model.identify_effect(
            proceed_when_unidentifiable=True, method_name="maximal-adjustment"
        )
        found = model.estimate_effect(estimand, method_name="backdoor.linear_regression")
        effects.append(float(found.value))
    return np.array(effects)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the engine's chatter off the user's screen; errors still pass."""
    logger = logging.getLogger("dowhy")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
