"""How many bins a variable is cut into, and where: the rules of histograms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def sturges(values: Floats) -> int:
    r""":math:`\lceil\log_2n+1\rceil` bins (Sturges 1926, doi:10.1080/01621459.1926.10502161)."""
    return int(np.ceil(np.log2(values.size) + 1))


def freedman_diaconis(values: Floats) -> int:
    r"""Bins :math:`2\,\mathrm{IQR}\,n^{-1/3}` wide (1981, doi:10.1007/BF01025868)."""
    low, high = np.quantile(values, [0.25, 0.75])
    return _of_width(values, 2 * float(high - low) * values.size ** (-1 / 3))


def scott(values: Floats) -> int:
    r"""Bins :math:`3.5\,s\,n^{-1/3}` wide (Scott 1979, doi:10.1093/biomet/66.3.605)."""
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return _of_width(values, 3.5 * spread * values.size ** (-1 / 3))


def _of_width(values: Floats, width: float) -> int:
    return max(1, int(np.ceil(np.ptp(values) / width))) if width > 0 else 1


RULES: Final[Mapping[str, Callable[[Floats], int]]] = MappingProxyType(
    {"sturges": sturges, "fd": freedman_diaconis, "scott": scott}
)


def equal_bins(values: Floats, count: int) -> Floats:
    """Points that cut the range into ``count`` bins of one width, shape (count − 1,)."""
    return np.linspace(values.min(), values.max(), count + 1)[1:-1]


def binned(values: Floats, cuts: Floats) -> Ints:
    """Bin of each value, from 0; a value on a cut belongs to the bin above."""
    return np.asarray(np.searchsorted(np.unique(cuts), values, side="right"), dtype=np.int64)
