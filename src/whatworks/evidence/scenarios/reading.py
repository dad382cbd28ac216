"""Scenarios: what would be left of an effect if others lost what they lost elsewhere. Never an estimate.

A scenario borrows one published magnitude of a programme of the same kind. Each stands alone: they are
not averaged, for the studies are few and their ratios are not of the same thing; and none has an
interval, for it would look like one of these data. An entry that nobody checked in its source is neither
shown nor used.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import pandas as pd

from whatworks.errors import OptionError, choice
from whatworks.stats.displacement.net import displacement_at
from whatworks.vocabulary import Accompaniment

PROGRAMMES: Final = {
    "assistance": (Accompaniment.JOB_SEARCH, Accompaniment.INTENSIVE_INTEGRATED),
    "advice": (),
    "training": (),
    "subsidised_job": (Accompaniment.AIDED_CONTRACT, Accompaniment.WORK_INTEGRATION),
    "employers": (),
    "transport": (),
}
"""Kinds of programme, and the accompaniments whose published magnitudes are those of the kind."""
TIGHTNESSES: Final = ("any", "weak", "strong")
CHECKED: Final = ("computed", "read")
MODEL: Final = "model"
COLUMNS: Final = (
    *("study", "source", "country", "programme", "design", "tightness", "of"),
    *("share_lost", "left", "direction", "fr", "en"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude:
    """What one study found of the losses of others.

    Parameters
    ----------
    study, source : str
    country : str
        Two letters.
    programme : str
        One of `PROGRAMMES`.
    design : str
        How the study told losses: ``drawn_saturation``, ``areas_over_time`` …
    tightness : str
        ``"any"``, ``"weak"`` or ``"strong"`` labour markets.
    read : str
        ``"computed"`` from its microdata, ``"read"`` in the source, or ``"unverified"``.
    share_lost : float
        Share of what is gained that others lose; NaN where the study gives a direction only.
    of : str
        Of what: the ``contrast`` between neighbours, or ``subsidised_jobs``; empty without a share.
    direction : str
        ``losses``, ``small``, ``none_seen`` or ``mixed`` where there is no share.
    fr, en : str
    """

    study: str
    source: str
    country: str
    programme: str
    design: str
    tightness: str
    read: str
    share_lost: float
    of: str
    direction: str
    fr: str
    en: str

    @property
    def checked(self) -> bool:
        """Whether somebody read it in its source."""
        return self.read in CHECKED


@cache
def magnitudes() -> tuple[Magnitude, ...]:
    """Every entry of the data, unverified ones included."""
    text = files(__package__).joinpath("magnitudes.toml").read_text("utf-8")
    found = []
    for entry in tomllib.loads(text)["magnitude"]:
        given = {k: entry.pop(k) for k in ("direct", "spillover", "share") if k in entry}
        if given:
            entry["share_lost"] = -given["spillover"] / (given["share"] * given["direct"])
        found.append(Magnitude(**{"share_lost": float("nan"), "of": "", "direction": ""} | entry))
    return tuple(found)


def programme_of(treatment: str) -> str:
    """Kind of programme of an accompaniment; empty where no published magnitude is of its kind.

    >>> programme_of("job_search"), programme_of("access_to_rights")
    ('assistance', '')
    """
    return next((kind for kind, codes in PROGRAMMES.items() if treatment in codes), "")


def scenarios(
    gain: float,
    *,
    programme: str,
    tightness: str = "any",
    vacancies_per_seeker: float | None = None,
) -> pd.DataFrame:
    r"""What would be left of a gain under each published magnitude of a kind of programme.

    Parameters
    ----------
    gain : float
        Between those helped and their neighbours, per 100 helped.
    programme : str
        One of `PROGRAMMES`.
    tightness : str
        ``"any"``: all that is published; ``"weak"`` or ``"strong"``: what is said of such markets too,
        and not what is said of the others.
    vacancies_per_seeker : float, optional
        Adds what a matching model gives at that tightness, :math:`d(\theta)=1/(1+\theta^{1.27})`.

    Returns
    -------
    DataFrame
        One row per magnitude, checked in its source; ``left`` is the gain less the share lost, NaN where
        the study gives no share. No mean over rows, and no interval.

    Examples
    --------
    >>> scenarios(4.0, programme="subsidised_job")[["share_lost", "left"]].round(2).values.tolist()
    [[0.65, 1.4], [0.23, 3.08]]
    """
    choice(programme, tuple(PROGRAMMES), what="programme")
    choice(tightness, TIGHTNESSES, what="tightness")
    kept = [
        m
        for m in magnitudes()
        if m.checked
        and m.programme == programme
        and (tightness == "any" or m.tightness in ("any", tightness))
    ]
    rows = [{name: getattr(m, name) for name in COLUMNS if name != "left"} for m in kept]
    if vacancies_per_seeker is not None:
        rows.append(_of_model(vacancies_per_seeker, programme))
    found = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "left"])
    return found.assign(left=gain * (1 - found["share_lost"].astype(float)))[list(COLUMNS)]


def _of_model(vacancies_per_seeker: float, programme: str) -> dict[str, str | float]:
    if not vacancies_per_seeker >= 0:
        raise OptionError(
            what="vacancies_per_seeker",
            needed="a number of vacancies per seeker, at least 0",
            found=f"{vacancies_per_seeker:g}",
            remedy="divide the vacancies of the market by those who look for work in it",
        )
    return {
        "study": "den Haan, Ramey & Watson (2000)",
        "source": "doi:10.1257/aer.90.3.482",
        "country": "",
        "programme": programme,
        "design": MODEL,
        "tightness": "given",
        "of": "contrast",
        "share_lost": displacement_at(vacancies_per_seeker),
        "direction": "",
        "fr": "modèle d'appariement, à la tension donnée",
        "en": "matching model, at the tightness given",
    }
