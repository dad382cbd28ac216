"""Mapping files for the sources that French départements and research centres hold.

Each is a complete, commented mapping: copy it beside the raw files, adjust the keys its comments
name, read it. A sample of every layout lies under ``data/synthetic/sources/``.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

from whatworks.errors import choice

_SUFFIX = ".toml"


def names() -> tuple[str, ...]:
    """Names of the templates, in alphabetical order.

    >>> "cnaf_rsa_xml" in names()
    True
    """
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def title(name: str) -> str:
    """Title of a template.

    >>> title("rdv_insertion")
    'Orientations of RSA holders (rdv-insertion)'
    """
    return str(tomllib.loads(text(name))["title"])


def text(name: str) -> str:
    """Text of a template.

    Parameters
    ----------
    name : str
        One of `names`.

    Raises
    ------
    OptionError
        When there is no template of that name.
    """
    choice(name, names(), what="template")
    return files(__name__).joinpath(f"{name}{_SUFFIX}").read_text(encoding="utf-8")
