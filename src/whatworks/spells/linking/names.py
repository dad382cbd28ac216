"""What a name comes down to once accents, capitals, marks and particles are set aside."""

from __future__ import annotations

from typing import Final

import ibis

_LIGATURES: Final = (("œ", "oe"), ("æ", "ae"), ("ß", "ss"), ("ø", "o"), ("ł", "l"))
_PARTICLES: Final = (
    *("d", "da", "de", "del", "della", "der", "des", "di", "do", "dos", "du", "el", "al"),
    *("l", "la", "las", "le", "les", "los", "van", "von", "den", "ben", "ould", "ait"),
)
_SHORTEST_PART: Final = 3
"""Letters a part of a compound name needs to count alone."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]  # the library is untyped
def strip_accents(text: str) -> str:  # type: ignore[empty-body]  # the engine's own function
    """Letters without their accents."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]  # the library is untyped
def list_has_any(left: list[str], right: list[str]) -> bool:  # type: ignore[empty-body]  # idem
    """True when two lists share an element."""


def folded(raw: ibis.Value) -> ibis.Value:
    """Lower-case letters, words apart by one space; null when nothing is left.

    Parameters
    ----------
    raw : ibis string column
    """
    text = raw.lower()
    for ligature, letters in _LIGATURES:
        text = text.replace(ligature, letters)
    return strip_accents(text).re_replace(r"[^a-z]+", " ").strip().nullif("")


def joined(name: ibis.Value) -> ibis.Value:
    """A folded name in one word: ``le goff`` and ``legoff`` are one."""
    return name.replace(" ", "")


def core(name: ibis.Value) -> ibis.Value:
    """A folded name in one word without its particles; the whole name when it is made of them."""
    return ibis.coalesce(joined(_bare(name)).nullif(""), joined(name))


def parts(name: ibis.Value) -> ibis.Value:
    """Words of a folded name that may stand alone, as a list (null without a name)."""
    return _bare(name).split(" ").filter(lambda word: word.length() >= _SHORTEST_PART)


def main_first_name(raw: ibis.Value) -> ibis.Value:
    """The first of several first names, compound ones in one word: ``Jean-Pierre Luc`` is ``jeanpierre``."""
    return folded(_one_word(raw)).split(" ")[0]


def first_name_forms(raw: ibis.Value) -> ibis.Value:
    """Words a person may be called by, as a list: each first name, compounds whole and by their first half.

    Parameters
    ----------
    raw : ibis string column
        First names as the file writes them, apart by spaces or commas.
    """
    whole = folded(_one_word(raw)).split(" ")
    words = folded(raw).split(" ")
    both = joined(whole[0] + ibis.coalesce(whole[1], ""))
    return whole.concat(ibis.array([words[0], both])).unique()


def _one_word(raw: ibis.Value) -> ibis.Value:
    return raw.strip().re_replace(r"\s*[-‐‑–]\s*", "").re_replace(r"['’`´]", "")


def _bare(name: ibis.Value) -> ibis.Value:
    return (
        name.re_replace(
            rf"\b({'|'.join(_PARTICLES)})\b",
            " ",
        )
        .re_replace(" +", " ")
        .strip()
    )
