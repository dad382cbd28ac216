r"""Optimal pairs and sets on a line, where who goes to whom is decided by what crosses each gap.

Distances along a line add up over the gaps between neighbouring scores. With :math:`F_k` the units still
looking for a match (positive) or the comparisons still free that were drawn on (negative) when gap k is
crossed, the total distance is :math:`\sum_k g_k|F_k|`, and each score moves F by the comparisons it asks for
or gives: the least total is a minimum over paths of one number. It is found in one sweep by keeping the
convex function of F as its breakpoints (Ahuja, Magnanti & Orlin 1993, Network Flows, ch. 14), and one
sweep back. A caliper limits single distances, which the gaps do not see: where the free optimum breaks it,
a second algorithm matches in order, since crossing two pairs never shortens either the longest or the sum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.search import TooManyPairsError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_STEPS: Final = 4_000_000_000
"""Allowed pairs beyond which matching in order takes too long."""
