"""What is read of persons before it enters a design: levels of a category, survey weights."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import DesignRefused

Floats = NDArray[np.float64]

FEWEST_PERSONS: Final = 11
MOST_LEVELS: Final = 50
OTHER_LEVELS: Final = "other"


def pooled_levels(column: pd.Series, *, name: str) -> pd.Series:
    """Levels of few persons as one, so that no name of a level points at somebody."""
    counts = column.value_counts()
    rare = counts.index[counts < FEWEST_PERSONS]
    return few_levels(column.where(~column.isin(rare), OTHER_LEVELS), name=name)


def few_levels(pooled: pd.Series, *, name: str) -> pd.Series:
    """The same levels, refused when they are too many to be balanced."""
    if pooled.nunique() > MOST_LEVELS:
        raise DesignRefused(
            what=f"covariate {name!r}",
            needed=f"a category of at most {MOST_LEVELS} levels",
            found=f"{pooled.nunique()} levels",
            remedy="group its values in the mapping file, or map it as a number or a month",
        )
    return pooled


def usable_weights(weight: Floats) -> Floats:
    """Survey weights of persons, refused where one is missing or not positive."""
    unusable = int((~(weight > 0)).sum())
    if unusable:
        raise DesignRefused(
            what="survey weights",
            needed="a positive weight for every person",
            found=f"{unusable} persons without one",
            remedy="complete the attribute 'weight' in its source, or leave it out of the mapping",
        )
    return weight
