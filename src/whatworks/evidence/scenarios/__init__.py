"""Published magnitudes of displacement, as data with their sources, and scenarios made of them."""

from whatworks.evidence.scenarios.reading import (
    PROGRAMMES,
    Magnitude,
    magnitudes,
    programme_of,
    scenarios,
)

__all__ = ["PROGRAMMES", "Magnitude", "magnitudes", "programme_of", "scenarios"]
