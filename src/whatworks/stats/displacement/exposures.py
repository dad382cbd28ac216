r"""Columns of exposure of a saturation regression, and the effects that are forms of them.

At each positive share :math:`t` two columns, :math:`Z_i1\{p_c=t\}` and :math:`1\{p_c=t\}`, with
coefficients :math:`\beta_t` and :math:`\delta_t`; one only where a single arm is there. Then
:math:`DE(t)=\beta_t`, :math:`SNT(t)=\delta_t`, :math:`TT(t)=\beta_t+\delta_t` and
:math:`TCE(t)=t\beta_t+\delta_t`; averages over shares weigh each by its number of markets, over
the shares that tell direct, spillover and total alike. Pooled, all positive shares are one
(Crépon et al. 2013, doi:10.1093/qje/qjt001; Baird et al. 2018, doi:10.1162/REST_a_00716).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CORE: Final = ("direct", "spillover", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """What a regression has of exposure, and what is read off it.

    Parameters
    ----------
    level : ndarray of int, shape (n_columns,)
        Level of exposure a column is of, from 1; 0 is the pure control.
    of_treated : ndarray of bool, shape (n_columns,)
        Whether it is of the treated of that level only.
    forms : ndarray of shape (n_forms, n_columns)
    terms, groups : tuple of str
        Of each form: ``direct``, ``spillover``, ``total`` or ``overall``; ``all``, a share, or ``pooled``.
    """

    level: Ints
    of_treated: Bools
    forms: Floats
    terms: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.level.size)

    @property
    def n_levels(self) -> int:
        """Levels of exposure, the pure control aside."""
        return int(self.level.max())

    def columns(self, treated: Bools, level: Ints) -> Floats:
        """The columns themselves, shape (n, n_columns), of units with these arms and levels."""
        here = level[:, None] == self.level
        return np.asarray(here & (treated[:, None] | ~self.of_treated), dtype=np.float64)

    def reading(self, rows: list[int]) -> Exposures:
        """The same columns, of which fewer effects are read."""
        return Exposures(
            level=self.level,
            of_treated=self.of_treated,
            forms=self.forms[rows],
            terms=tuple(self.terms[k] for k in rows),
            groups=tuple(self.groups[k] for k in rows),
        )


def levels_of(share: Floats, shares: Floats) -> Ints:
    """Level of each market's share among the positive ones, 0 for the pure control.

    >>> levels_of(np.array([0.0, 0.5, 0.25]), np.array([0.25, 0.5])).tolist()
    [0, 2, 1]
    """
    return np.where(share > 0, 1 + np.searchsorted(shares, share), 0).astype(np.int64)


def by_share(shares: Floats, *, arms: Bools, markets: Ints) -> Exposures:
    """Columns of their own for every positive share.

    Parameters
    ----------
    shares : ndarray of shape (m,)
        Positive shares, increasing.
    arms : ndarray of bool, shape (m, 2)
        Whether some are assigned at each, and some are not.
    markets : ndarray of int, shape (m,)
        Number of markets at each: what it counts for on average.
    """
    level, of_treated = _columns(arms)
    reads: list[tuple[str, str, Floats]] = []
    for j, share in enumerate(shares):
        mine = _terms(level, of_treated, j + 1, float(share), arms[j])
        reads += [(term, format(float(share), ".6g"), form) for term, form in mine.items()]
    told = {
        j: {term for term, group, _ in reads if group == format(float(shares[j]), ".6g")}
        for j in range(shares.size)
    }
    averages = _averages(shares, told, reads, markets)
    return _made(level, of_treated, [*averages, *reads])


def pooled(*, arms: Bools) -> Exposures:
    """One direct and one spillover coefficient over all positive shares, as papers print them.

    Parameters
    ----------
    arms : ndarray of bool, shape (2,)
        Whether some are assigned in markets of positive shares, and some are not.
    """
    level, of_treated = _columns(arms[None, :])
    mine = _terms(level, of_treated, 1, float("nan"), arms)
    return _made(level, of_treated, [(term, "pooled", form) for term, form in mine.items()])


def _columns(arms: Bools) -> tuple[Ints, Bools]:
    level: list[int] = []
    of_treated: list[bool] = []
    for j, (some, others) in enumerate(arms):
        if some and others:
            level, of_treated = [*level, j + 1], [*of_treated, True]
        level, of_treated = [*level, j + 1], [*of_treated, False]
    return np.array(level, dtype=np.int64), np.array(of_treated, dtype=np.bool_)


def _terms(level: Ints, of_treated: Bools, at: int, share: float, arms: Bools) -> dict[str, Floats]:
    """Effects one level tells, as forms; the overall one where its share is one number."""
    here = level == at
    alone, beta = here & ~of_treated, here & of_treated
    if arms.all():
        found = {
            "direct": beta * 1.0,
            "spillover": alone * 1.0,
            "total": here * 1.0,
            "overall": share * beta + alone,
        }
        return found if np.isfinite(share) else {term: found[term] for term in CORE}
    term = "total" if arms[0] else "spillover"
    found = {term: alone * 1.0}
    return found | {"overall": alone * 1.0} if share == 1 and arms[0] else found


def _averages(
    shares: Floats,
    told: dict[int, set[str]],
    reads: list[tuple[str, str, Floats]],
    markets: Ints,
) -> list[tuple[str, str, Floats]]:
    """Terms averaged over the shares that tell the same ones, so that direct + spillover = total."""
    for wanted in (set(CORE), {"total"}, {"spillover"}):
        among = [j for j, terms in told.items() if wanted <= terms]
        if among:
            break
    else:
        return []
    weight = markets[among] / markets[among].sum()
    found = []
    for term in (*CORE, "overall"):
        if not all(term in told[j] for j in among):
            continue
        form = sum(
            w * next(f for t, g, f in reads if t == term and g == format(float(shares[j]), ".6g"))
            for j, w in zip(among, weight, strict=True)
        )
        found.append((term, "all", np.asarray(form)))
    return found


def _made(level: Ints, of_treated: Bools, reads: list[tuple[str, str, Floats]]) -> Exposures:
    return Exposures(
        level=level,
        of_treated=of_treated,
        forms=np.array([form for _, _, form in reads]),
        terms=tuple(term for term, _, _ in reads),
        groups=tuple(group for _, group, _ in reads),
    )
