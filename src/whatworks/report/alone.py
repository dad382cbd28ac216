"""Nothing written shows a direct effect alone where jobs are scarce: what was rendered is read again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Final

from whatworks.errors import DisplacementRefused
from whatworks.evidence.record import OF_OTHERS
from whatworks.report.language import FIXED, NARROW, Words
from whatworks.vocabulary import Unidentified

READ: Final = (".html", ".csv", ".json", ".svg")
"""Files of text; those in other formats hold the table of one of them."""


def direct_alone(rendered: Mapping[str, bytes], words: Words, *, banner: str) -> tuple[str, ...]:
    """Files that name a direct effect, and neither an effect on others nor the banner.

    Parameters
    ----------
    rendered : mapping of name to bytes
        What a report is made of.
    words : Words
        Of its language.
    banner : str
        Statement that displacement is not measured, as it is printed.
    """
    direct = _spoken(words, "direct")
    others = [pattern for term in OF_OTHERS for pattern in _spoken(words, term)]
    others.append(re.compile(re.escape(_plain(banner))))
    found = []
    for name, content in rendered.items():
        if name.endswith(READ):
            text = _plain(content.decode("utf-8-sig"))
            if _any(direct, text) and not _any(others, text):
                found.append(name)
    return tuple(found)


def refuse_direct_alone(rendered: Mapping[str, bytes], words: Words, *, banner: str) -> None:
    """Refuse what `direct_alone` finds.

    Raises
    ------
    DisplacementRefused
        ``NET_CLAIM_WITHOUT_DESIGN``, naming the files.
    """
    found = direct_alone(rendered, words, banner=banner)
    if found:
        raise DisplacementRefused(
            code=Unidentified.NET_CLAIM_WITHOUT_DESIGN,
            what="a report on scarce jobs",
            needed="a direct effect beside what others lost, or the statement that it is not measured",
            found="it alone in " + ", ".join(found),
            remedy="give the effects on others with it; or say Stakes(scarce_jobs=False) of an outcome "
            "that nobody can take from another",
        )


def _spoken(words: Words, term: str) -> list[re.Pattern[str]]:
    """A term as a value of a file, and as a reader sees it."""
    said = [f"term.{term}.{part}" for part in ("label", "short")]
    patterns = [re.compile(re.escape(_plain(words.text(key)))) for key in said if words.knows(key)]
    return [re.compile(rf'(?<![\w-])["\']?{term}["\']?(?=\s*(?:[;,\r\n]|$))'), *patterns]


def _plain(text: str) -> str:
    """Text without markup of characters nor spaces of typography."""
    return unescape(text).replace(NARROW, " ").replace(FIXED, " ")


def _any(patterns: list[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)
