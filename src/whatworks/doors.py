"""The only place where a module is imported late.

Two reasons allow it: an engine that takes seconds to load and that most runs do
not need, and a record that offers a convenience kept by a room further down the
walk (``estimate.plot()``, ``panel.assess()``). Everything else is imported at the
top of its file, where the import walls see it.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType

from whatworks.errors import OptionError


def _quietly(name: str) -> ModuleType:
    """Load a part of dowhy, which in a notebook complains of progress bars nobody asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        return import_module(name)


def dowhy() -> ModuleType:
    """Load the refutation engine: seconds to import, used by one check, on copies of the data."""
    return _quietly("dowhy")


def dowhy_graph() -> ModuleType:
    """Load the part of the engine that reads causal graphs."""
    return _quietly("dowhy.graph")


def dowhy_identifier() -> ModuleType:
    """Load the part of the engine that derives what must be held."""
    return _quietly("dowhy.causal_identifier.auto_identifier")


def indicators() -> ModuleType:
    """Load the room that assesses indicators."""
    return import_module("whatworks.indicators")


def report() -> ModuleType:
    """Load the room that draws and renders."""
    return import_module("whatworks.report")


def pyspark_sql() -> ModuleType:
    """Load the cluster engine: an extra (``whatworks[scale]``) that needs Java."""
    return import_module("pyspark.sql")


def splink() -> ModuleType:
    """Load the engine of probabilistic linkage: an optional extra, seconds to import.

    Raises
    ------
    OptionError
        When it is not installed.
    """
    try:
        return import_module("splink")
    except ModuleNotFoundError as error:
        if error.name != "splink":
            raise
        raise OptionError(
            what="[link] probabilistic = true",
            needed="the optional package splink",
            found="it is not installed",
            remedy="pip install 'whatworks[link]', or write probabilistic = false to link by NIR "
            "and keys alone",
        ) from None
