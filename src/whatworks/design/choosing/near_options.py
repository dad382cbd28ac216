"""Options of comparisons by nearness, as a caller or a study file wrote them, made whole."""

from __future__ import annotations

from typing import Any, Protocol

from whatworks.design.choosing.nearness import Caliper, Nearness, as_calipers
from whatworks.design.choosing.propensity import as_propensity
from whatworks.design.comparison import as_names
from whatworks.errors import OptionError


class Near(Protocol):
    """A comparison whose options say what is near, by the names they have in all of them."""

    @property
    def metric(self) -> str:
        """Which distance neighbours are sought by."""

    @property
    def on(self) -> tuple[str, ...]:
        """Covariates it is measured on."""

    @property
    def caliper_sd(self) -> float | None:
        """Greatest distance, in standard deviations."""

    @property
    def calipers(self) -> tuple[Any, ...]:
        """Further greatest differences."""

    @property
    def exact(self) -> tuple[str, ...]:
        """Covariates on which units must agree."""

    @property
    def propensity(self) -> Any:
        """How the probability of treatment is modelled."""


def nearness_of(options: Near) -> Nearness:
    """What is near, for a comparison with these options."""
    return near_options(
        metric=options.metric,
        on=options.on,
        caliper_sd=options.caliper_sd,
        calipers=options.calipers,
        exact=options.exact,
        propensity=options.propensity,
    )


def hold(options: Near) -> None:
    """Keep in a frozen comparison its options made whole, so that two spellings are one comparison."""
    near = nearness_of(options)
    own = 0 if options.caliper_sd is None else 1
    held = {
        "on": near.on,
        "exact": near.exact,
        "calipers": near.calipers[own:],
        "propensity": near.propensity,
    }
    for name, value in held.items():
        object.__setattr__(options, name, value)


def check_reach(options: Near, *, ratio: int, example: int) -> None:
    """Raise unless each unit may take a comparison, within some distance.

    Raises
    ------
    OptionError
    """
    if ratio < 1 or (options.caliper_sd is not None and not options.caliper_sd > 0):
        raise OptionError(
            what=type(options).__name__,
            needed="ratio of 1 or more and caliper_sd above 0",
            found=f"ratio={ratio}, caliper_sd={options.caliper_sd}",
            remedy=f"write for instance ratio={example}, caliper_sd=0.2",
        )


def near_options(
    *,
    metric: str,
    on: tuple[str, ...],
    caliper_sd: float | None,
    calipers: tuple[Any, ...],
    exact: tuple[str, ...],
    propensity: Any,
) -> Nearness:
    """Options as a caller or a study file wrote them, made whole.

    ``caliper_sd`` is short for a caliper of the distance itself, in standard deviations.
    """
    own = () if caliper_sd is None else (Caliper(sd=caliper_sd),)
    return Nearness(
        metric=metric,
        on=as_names(on, what="on"),
        calipers=(*own, *as_calipers(calipers)),
        exact=as_names(exact, what="exact"),
        propensity=None if propensity is None else as_propensity(propensity),
    )
