"""Random numbers that anybody can find again from the seed and a name, whatever the order of rows.

The number of a name is the first 64 bits of HMAC-SHA256 of that name under the seed (RFC 2104; FIPS
180-4). It does not depend on other names, on the version of any library, or on when it is asked: a draw
can be replayed years later with the tools of any language, and late arrivals have their number already.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

ALGORITHM = "HMAC-SHA256, first 64 bits"
_SEPARATOR = "\x1f"


def numbers(seed: str, purpose: str, names: Iterable[str]) -> NDArray[np.uint64]:
    """One number per name, uniform over 64 bits.

    Parameters
    ----------
    seed : str
    purpose : str
        What is drawn: the same name has unrelated numbers for unrelated purposes.
    names : iterable of str

    Examples
    --------
    >>> one, two = numbers("seed", "market", ["Lille", "Roubaix"]), numbers("seed", "market", ["Roubaix"])
    >>> bool(one[1] == two[0])
    True
    """
    key, head = seed.encode(), f"{purpose}{_SEPARATOR}".encode()
    drawn = b"".join(hmac.digest(key, head + name.encode(), "sha256")[:8] for name in names)
    return np.frombuffer(drawn, dtype=">u8").astype(np.uint64)


def uniform(seed: str, purpose: str, names: Iterable[str]) -> NDArray[np.float64]:
    """The same numbers from 0 to just below 1: their first 53 bits."""
    return np.asarray((numbers(seed, purpose, names) >> np.uint64(11)) * 2.0**-53)


def fresh_seed() -> str:
    """A seed nobody could guess, 32 hexadecimal digits from the system."""
    return secrets.token_hex(16)


def commitment(seed: str) -> str:
    """SHA-256 of a seed: published at once, it binds whoever holds the seed without telling it."""
    return hashlib.sha256(seed.encode()).hexdigest()
