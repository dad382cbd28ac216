"""Points on a plane or on the globe, so placed that straight distances rank as those on the map."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Metric = Literal["globe", "plane"]
EARTH_KM: Final = 6371.0088
"""Mean radius of the Earth."""


def embedded(points: Floats, metric: Metric) -> Floats:
    """Points whose straight distances rank as those on the map.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        ``plane``: in the unit of distances; ``globe``: latitude and longitude in degrees.
    """
    if metric == "plane":
        return points
    latitude, longitude = np.radians(points).T
    level = np.cos(latitude)
    return np.column_stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)])


def on_map(straight: Floats, metric: Metric) -> Floats:
    """From straight lengths between embedded points to distances, kilometres on the globe."""
    if metric == "plane":
        return straight
    far = np.isinf(straight)
    arc = 2 * EARTH_KM * np.arcsin(np.minimum(np.where(far, 0.0, straight) / 2, 1.0))
    return np.where(far, np.inf, arc)


def chord(distance: float, metric: Metric) -> float:
    """The straight length of a distance.

    >>> chord(20_037.5, "globe"), chord(3.0, "plane")
    (2.0, 3.0)
    """
    if metric == "plane":
        return distance
    return float(2 * np.sin(min(distance / (2 * EARTH_KM), np.pi / 2)))
