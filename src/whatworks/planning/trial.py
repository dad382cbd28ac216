"""What is drawn in the next experiment: shares of markets, and how many markets at each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from whatworks.errors import OptionError
from whatworks.options import typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Shares to be drawn, and how many markets of each stratum get each.

    Parameters
    ----------
    shares : tuple of float
        Parts of a market's eligible persons to assign, increasing, from 0 (pure control) to 1.
    per_stratum : tuple of int, optional
        Markets of a stratum at each share; one at each by default. Their sum is the size of a stratum.

    Raises
    ------
    OptionError
        On fewer than two shares, shares that do not increase from 0 to 1, or counts that do not go with
        them.

    Examples
    --------
    >>> trial = Trial(shares=(0, 0.25, 0.5, 0.75), per_stratum=(2, 1, 1, 1))
    >>> trial.stratum_size, trial.allocation
    (5, (0.4, 0.2, 0.2, 0.2))
    """

    shares: tuple[float, ...]
    per_stratum: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        typed(self)
        shares = self.shares
        increasing = all(a < b for a, b in pairwise(shares))
        if len(shares) < 2 or not increasing or shares[0] < 0 or shares[-1] > 1:
            raise OptionError(
                what="shares",
                needed="two shares or more, increasing, from 0 to 1",
                found=repr(shares),
                remedy="write for instance (0, 0.25, 0.5, 0.75, 1)",
            )
        object.__setattr__(self, "shares", tuple(float(share) for share in shares))
        if not self.per_stratum:
            object.__setattr__(self, "per_stratum", (1,) * len(shares))
        if len(self.per_stratum) != len(shares) or min(self.per_stratum) < 1:
            raise OptionError(
                what="per_stratum",
                needed=f"{len(shares)} counts of 1 or more, one for each share",
                found=repr(self.per_stratum),
                remedy="write how many markets of each stratum are at each share",
            )

    @property
    def stratum_size(self) -> int:
        """Markets of a full stratum."""
        return sum(self.per_stratum)

    @property
    def allocation(self) -> tuple[float, ...]:
        """Part of markets at each share."""
        return tuple(count / self.stratum_size for count in self.per_stratum)
