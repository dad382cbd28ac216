"""From a number and two bounds to a verdict: the one ladder all checks stand on."""

from __future__ import annotations

import math

from whatworks.vocabulary import Verdict


def at_most(value: float, *, holds: float, strained: float) -> Verdict:
    """Verdict of a number that should be small; NaN is not testable.

    >>> [str(at_most(v, holds=1.0, strained=2.0)) for v in (1.0, 1.5, 3.0, math.nan)]
    ['holds', 'strained', 'fails', 'not_testable']
    """
    return at_least(-value, holds=-holds, strained=-strained)


def at_least(value: float, *, holds: float, strained: float) -> Verdict:
    """Verdict of a number that should be large; NaN is not testable.

    >>> [str(at_least(v, holds=2.0, strained=1.0)) for v in (2.0, 1.0, 0.5, math.nan)]
    ['holds', 'strained', 'fails', 'not_testable']
    """
    if math.isnan(value):
        return Verdict.NOT_TESTABLE
    if value >= holds:
        return Verdict.HOLDS
    return Verdict.STRAINED if value >= strained else Verdict.FAILS
