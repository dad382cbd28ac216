"""Was anyone compared picked out by what happened to them afterwards?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import CONDITIONS_ON_THE_FUTURE, DesignClass, Verdict

REFERENCE: Final = (
    "Fredriksson & Johansson (2008), Journal of Business & Economic Statistics 26(4), 435–445"
)
_FROM_PANEL: Final = (DesignClass.MATCHED_LONG_HISTORY, DesignClass.MATCHED_SHORT_HISTORY)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """A caution where comparisons are those who never enter over the whole window.

    Whoever leaves unemployment fast has no month left in which to enter: those who never do are
    chosen on their outcome. Comparisons of the month they enter are chosen on their past alone.
    """
    if design.design_class not in _FROM_PANEL:
        return None
    ahead = CONDITIONS_ON_THE_FUTURE in design.cautions
    return Finding(
        check="future",
        verdict=Verdict.STRAINED if ahead else Verdict.HOLDS,
        statistic=float("nan"),
        threshold=float("nan"),
        reference=REFERENCE,
    )
