r"""A draw in two stages, drawn again: shares among markets, then who within each.

Shares change places among the markets of a stratum, every order being as likely. Within a market of
:math:`n` eligible at share :math:`p`, :math:`\lfloor np+U\rfloor` of them are drawn, :math:`U` uniform:
the whole number below or above by chance, :math:`np` on average (Hudgens & Halloran 2008,
doi:10.1198/016214508000000292, call both stages mixed group and individual assignment).

What a statistic needs of a second stage are sums over those drawn. They have the law of sums over a
simple random sample without replacement, and are drawn from it exactly: where rows of a market take
few values, as numbers of each (multivariate hypergeometric); else by independent coins, mended.
Given how many coins fell heads, which ones is a simple random sample; taking out of it, or putting in,
one at a time at random, as many as were too many or too few, leaves a simple random sample. Of
:math:`n` members about :math:`\sqrt n` are mended, so that a draw costs a byte per person.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Numbers = Literal["rounded", "coin"]
NUMBERS: Final = ("rounded", "coin")
"""How many are drawn: the whole number below or above the share by chance, or each by a coin."""
PIECE: Final = 2**20
"""Coins tossed at once: bytes held, few enough to stay close to the processor."""
PER_VALUE: Final = 20
"""Persons a market must have per value its rows take, for numbers of each to be the shorter way."""


def shares_redrawn(share: Floats, stratum: Ints, *, draws: int, rng: np.random.Generator) -> Floats:
    """Shares in another order within each stratum, shape (draws, n_markets).

    >>> shares_redrawn(np.array([0.0, 0.5, 1.0]), np.array([0, 0, 1]), draws=1,
    ...     rng=np.random.default_rng(0))[0, 2]
    np.float64(1.0)
    """
    drawn = np.tile(share, (draws, 1))
    order = np.argsort(stratum, kind="stable")
    starts = np.flatnonzero(np.diff(stratum[order], prepend=stratum[order[:1]] - 1))
    for rows in np.split(order, starts[1:]):
        if np.ptp(share[rows]) > 0:
            drawn[:, rows] = rng.permuted(drawn[:, rows], axis=1)
    return drawn


def numbers_redrawn(share: Floats, size: Ints, *, rule: Numbers, rng: np.random.Generator) -> Ints:
    """How many are drawn in each market, shape of ``share``.

    Parameters
    ----------
    share : ndarray of shape (draws, n_markets)
    size : ndarray of int, shape (n_markets,)
        The eligible.
    rule : str
        ``"rounded"`` or ``"coin"``.
    rng : Generator
    """
    if rule == "coin":
        return np.asarray(rng.binomial(size, share), dtype=np.int64)
    drawn = np.floor(share * size + rng.random(share.shape)).astype(np.int64)
    return np.minimum(drawn, size)


def sums_over_drawn(
    values: Floats, first: Ints, number: Ints, *, rng: np.random.Generator
) -> Floats:
    """Sums of rows over simple random samples of each market, drawn anew each time.

    Parameters
    ----------
    values : ndarray of shape (n, q)
        Rows of one market together.
    first : ndarray of int, shape (n_markets,)
        First row of each, increasing from 0.
    number : ndarray of int, shape (draws, n_markets)
        How many are drawn.
    rng : Generator

    Returns
    -------
    ndarray of shape (draws, n_markets, q)
    """
    draws, n_markets = number.shape
    sums = np.empty((draws, n_markets, values.shape[1]))
    ends = np.append(first[1:], values.shape[0])
    by_coin: list[int] = []
    for c in range(n_markets):
        rows = values[first[c] : ends[c]]
        counted = _counted(rows)
        if counted is None:
            by_coin.append(c)
        else:
            sums[:, c] = _by_value(*counted, number[:, c], rng)
    for piece in _pieces(ends - first, by_coin, draws):
        columns = np.array(piece)
        step = max(1, PIECE // int((ends - first)[piece].sum()))
        parts = [values[first[c] : ends[c]] for c in piece]
        size = (ends - first)[piece]
        # Where nobody is drawn, or everyone, there is nothing to toss for.
        some = ((number[:, piece] > 0) & (number[:, piece] < size)).any(axis=1)
        tossed = np.flatnonzero(some)
        for begin in range(0, tossed.size, step):
            here = np.ix_(tossed[begin : begin + step], columns)
            sums[here] = _by_coins(parts, number[here], rng)
        rest = np.ix_(np.flatnonzero(~some), columns)
        whole = np.array([rows.sum(axis=0) for rows in parts])
        sums[rest] = np.where((number[rest] > 0)[..., None], whole, 0.0)
    return sums


def _counted(rows: Floats) -> tuple[Floats, Ints] | None:
    """Different rows and how many there are of each; None where they are too many to be worth it."""
    most = 1 + rows.shape[0] // PER_VALUE
    if np.unique(rows[:, 0]).size > most:
        return None
    each, count = np.unique(rows, axis=0, return_counts=True)
    return (each, count.astype(np.int64)) if count.size <= most else None


def _by_value(each: Floats, count: Ints, number: Ints, rng: np.random.Generator) -> Floats:
    """Numbers drawn of each value, one value after the other, given those before."""
    left, among = number.copy(), int(count.sum())
    sums = np.zeros((number.size, each.shape[1]))
    for value, there in zip(each[:-1], count[:-1], strict=True):
        among -= int(there)
        drawn = rng.hypergeometric(int(there), among, left)
        sums += drawn[:, None] * value
        left -= drawn
    return np.asarray(sums + left[:, None] * each[-1])


def _pieces(size: Ints, markets: list[int], draws: int) -> list[list[int]]:
    """Markets whose coins are tossed together."""
    pieces: list[list[int]] = []
    held = PIECE
    for c in markets:
        coins = int(size[c]) * draws
        if held + coins > PIECE:
            pieces.append([])
            held = 0
        pieces[-1].append(c)
        held += coins
    return pieces


def _by_coins(parts: list[Floats], number: Ints, rng: np.random.Generator) -> Floats:
    """Sums of rows of several markets, shape (draws, n_markets, q), by coins that are mended."""
    size = np.array([len(rows) for rows in parts])
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    # The smaller side is drawn: what is left over is a simple random sample too.
    fewer = np.minimum(number, size - number)
    spread = np.sqrt(fewer * (1 - fewer / size))
    # Rather too few heads than too many: to put in is quicker than to take out.
    odds = np.floor(256 * np.maximum(fewer - spread / 2, 0.0) / size).astype(np.uint8)
    coins = np.frombuffer(rng.bytes(number.shape[0] * int(size.sum())), dtype=np.uint8)
    coins = coins.reshape(number.shape[0], -1)
    heads = np.empty(coins.shape, dtype=np.bool_)
    for k, begin in enumerate(first):
        here = slice(begin, begin + size[k])
        np.less(coins[:, here], odds[:, k : k + 1], out=heads[:, here])
    _mend(heads, first, size, fewer, rng)
    sums = np.empty((*number.shape, parts[0].shape[1]))
    for k, rows in enumerate(parts):
        drawn = heads[:, first[k] : first[k] + size[k]].astype(np.float64) @ rows
        other = number[:, k] > fewer[:, k]
        sums[:, k] = np.where(other[:, None], rows.sum(axis=0) - drawn, drawn)
    return sums


def _mend(heads: Bools, first: Ints, size: Ints, number: Ints, rng: np.random.Generator) -> None:
    """Put in or take out members at random, in place, until each market has its number.

    One is tried at a time in each market and draw, and tried again where it was already as wanted: the
    one changed is then any of the others, each as likely.
    """
    lack = number - np.add.reduceat(heads, first, axis=1, dtype=np.int64)
    row, market = np.nonzero(lack)
    missing = lack[row, market]
    put, left = missing > 0, np.abs(missing)
    begin, among = row * heads.shape[1] + first[market], size[market]
    flat = heads.reshape(-1)
    while left.size:
        tried = begin + (rng.random(left.size) * among).astype(np.int64)
        changes = flat[tried] != put
        flat[tried[changes]] = put[changes]
        left = left - changes
        go_on = left > 0
        begin, among, put, left = begin[go_on], among[go_on], put[go_on], left[go_on]
