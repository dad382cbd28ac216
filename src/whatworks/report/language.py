"""Words and typography of one language: the only reader of the catalogues.

A key that a catalogue lacks raises: a page is complete or it is not written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from whatworks.errors import choice
from whatworks.months import to_index
from whatworks.report.numbers import SHARE_DECIMALS, STATISTIC_DECIMALS, Scale, rounded

LANGUAGES: Final = ("fr", "en")

NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
FIXED: Final = "\N{NO-BREAK SPACE}"
MINUS: Final = "\N{MINUS SIGN}"

_NO_FACTS: Final[Mapping[str, str]] = MappingProxyType({})
_UNIT_KEYS: Final = {
    "pp": "unit.pp",
    "months": "unit.months",
    "days": "unit.days",
    "EUR/month": "unit.eur_month",
    "USD": "unit.usd",
    "": "unit.none",
}
SMALLEST_P: Final = 0.001
"""Probabilities below it are said to be so."""


class MissingTextError(KeyError):
    """A text, or a fact a text calls for, does not exist."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything one language needs to speak.

    Parameters
    ----------
    lang : str
        ``"fr"`` or ``"en"``.
    texts : mapping of key to text
        Facts stand in braces; spaces are already those of the language's typography.
    """

    lang: str
    texts: Mapping[str, str]

    def text(self, key: str, facts: Mapping[str, str] = _NO_FACTS) -> str:
        """Text of a key, its facts filled in.

        Raises
        ------
        MissingTextError
            When the catalogue has no such key, or the text needs a fact that was not given.
        """
        if key not in self.texts:
            raise MissingTextError(f"catalogue {self.lang!r} has no text {key!r}")
        try:
            return self.texts[key].format_map(facts)
        except KeyError as missing:
            raise MissingTextError(
                f"text {key!r} needs the fact {missing.args[0]!r}; given {sorted(facts)}"
            ) from missing

    def knows(self, key: str) -> bool:
        """Whether the catalogue has the key: only to tell our words from a user's."""
        return key in self.texts

    def number(self, value: float, decimals: int = 0, *, signed: bool = False) -> str:
        """Localised number with fixed decimals and a true minus sign; NaN is a dash."""
        if math.isnan(value):
            return self.text("number.undefined")
        if math.isinf(value):
            return (MINUS if value < 0 else "") + self.text("number.infinite")
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        text = str(format_decimal(abs(value), format=pattern, locale=self.lang))
        if rounded(value, decimals) == 0:
            return text
        return (MINUS if value < 0 else "+" if signed else "") + text

    def duration(self, value: float, clock: str) -> str:
        """Whole number of months or periods, with its noun; ``clock`` is ``month`` or ``period``."""
        form = "one" if Locale(self.lang).plural_form(abs(int(value))) == "one" else "other"
        return self.text(f"{clock}.count.{form}", {"n": self.count(value)})

    def measure(self, value: float) -> str:
        """Localised number with the decimals it needs, three at most."""
        shown = f"{rounded(value, STATISTIC_DECIMALS):.{STATISTIC_DECIMALS}f}"
        return self.number(value, len(shown.rstrip("0").partition(".")[2]))

    def count(self, value: float) -> str:
        """Localised whole number."""
        return self.number(value)

    def amount(self, value: float, scale: Scale, *, signed: bool = False) -> str:
        """Number with its unit: ``3,2 points``, ``−1,1 point``; never a percentage."""
        shown = self.number(value, scale.decimals, signed=signed)
        if math.isnan(value):
            return shown
        if scale.unit not in _UNIT_KEYS:
            return f"{shown}{FIXED}{scale.unit}"
        form = Locale(self.lang).plural_form(_visible(value, scale.decimals))
        number = "one" if form == "one" else "other"
        return self.text(f"{_UNIT_KEYS[scale.unit]}.{number}", {"n": shown})

    def span(self, low: float, high: float, scale: Scale) -> str:
        """Interval in words: ``de −1,1 à 7,5 points``."""
        if math.isnan(low) or math.isnan(high):
            return self.text("interval.undefined")
        return self.text(
            "interval.span",
            {"low": self.number(low, scale.decimals), "high": self.amount(high, scale)},
        )

    def bounds(self, low: float, high: float, scale: Scale) -> str:
        """Interval in a table whose head names the unit."""
        if math.isnan(low) or math.isnan(high):
            return self.text("interval.undefined")
        shown = [self.number(bound, scale.decimals) for bound in (low, high)]
        return self.text("interval.bare", {"low": shown[0], "high": shown[1]})

    def axis(self, unit: str) -> str:
        """Name of a unit on an axis or at the head of a column; a user's own is printed as it is."""
        return self.text(f"{_UNIT_KEYS[unit]}.axis") if unit in _UNIT_KEYS else unit

    def share(self, value: float) -> str:
        """Share as a percentage with one decimal; for shares only, never for differences."""
        if math.isnan(value):
            return self.text("number.undefined")
        pattern = "#,##0.0" + (NARROW if self.lang == "fr" else "") + "%"
        return str(format_percent(rounded(value, SHARE_DECIMALS), format=pattern, locale=self.lang))

    def percent(self, value: float) -> str:
        """Round share, as on an axis or fixed by a design: no more decimals than it needs."""
        pattern = "#,##0.#" + (NARROW if self.lang == "fr" else "") + "%"
        return str(format_percent(value, format=pattern, locale=self.lang))

    def p_value(self, value: float) -> str:
        """Probability with three decimals, or that it is smaller."""
        if value < SMALLEST_P:
            return self.text("number.below", {"bound": self.number(SMALLEST_P, 3)})
        return self.number(value, 3)

    def month(self, label: str) -> str:
        """Calendar month in words, from ``YYYY-MM``."""
        index = to_index(label)
        day = date(index // 12, index % 12 + 1, 1)
        return str(format_date(day, "MMMM y", locale=self.lang))

    def day(self, day: date) -> str:
        """Date in figures, as the language writes them."""
        return day.strftime("%d/%m/%Y") if self.lang == "fr" else day.isoformat()

    def listing(self, items: Sequence[str]) -> str:
        """Items joined as in a sentence."""
        return str(format_list(list(items), locale=self.lang))

    def series(self, items: Sequence[str]) -> str:
        """Items that hold commas of their own, one after another."""
        return ((NARROW if self.lang == "fr" else "") + "; ").join(items)


@cache
def words(lang: str) -> Words:
    """Words of a language, read once.

    Raises
    ------
    OptionError
        When there is no catalogue for it.
    """
    choice(lang, LANGUAGES, what="lang")
    raw = files("whatworks.report").joinpath("catalogue", f"{lang}.po")
    with raw.open("rb") as lines:
        catalogue = read_po(lines, locale=lang, abort_invalid=True)
    texts = {str(m.id): typeset(str(m.string), lang) for m in catalogue if m.id and m.string}
    return Words(lang=lang, texts=MappingProxyType(texts))


def typeset(text: str, lang: str) -> str:
    r"""Put the spaces French typography asks for where the catalogue has plain ones.

    >>> print(ascii(typeset("vu : 12 % ; fini", "fr")))
    'vu\xa0: 12\u202f%\u202f; fini'
    """
    if lang != "fr":
        return text
    text = re.sub(r" ([;!?%])", NARROW + r"\1", text)
    text = re.sub(r" ([:»])", FIXED + r"\1", text)
    return text.replace("« ", "«" + FIXED)


def _visible(value: float, decimals: int) -> Decimal:
    """Magnitude with the decimals a reader sees, which decide the plural."""
    return Decimal(f"{abs(value):.{decimals}f}")
