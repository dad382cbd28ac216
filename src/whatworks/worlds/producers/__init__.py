"""One small simulated département in the layouts of the sources that départements really hold.

Each producer writes what its source would hold of the same persons, with its habits and faults, so
that what a mapping template reads can be compared with what truly happened. `write_samples` writes
``data/synthetic/sources/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from whatworks.errors import choice
from whatworks.sources import templates
from whatworks.worlds.producers import (
    allstat_fr6,
    asp_fluxiae,
    cnaf_rsa_xml,
    fhs_pathways,
    fhs_registrations,
    generic,
    imilo,
    mmo_dsn,
    pass_iae,
    rdv_insertion,
)
from whatworks.worlds.producers.extract import SAMPLE, Extract, extract
from whatworks.worlds.producers.files import File

__all__ = [
    "MAPPING",
    "PRODUCERS",
    "SAMPLE",
    "Extract",
    "File",
    "extract",
    "sample",
    "write_samples",
]

MAPPING: Final = "sources.toml"
Producer = Callable[[Extract], Iterator[File]]
PRODUCERS: Final[Mapping[str, Producer]] = {
    "allstat_fr6": allstat_fr6.files,
    "asp_fluxiae": asp_fluxiae.files,
    "cnaf_rsa_xml": cnaf_rsa_xml.files,
    "fhs_pathways": fhs_pathways.files,
    "fhs_registrations": fhs_registrations.files,
    "generic_csv": generic.text_files,
    "generic_parquet": generic.parquet_files,
    "imilo": imilo.files,
    "mmo_dsn": mmo_dsn.files,
    "pass_iae": pass_iae.files,
    "rdv_insertion": rdv_insertion.files,
}
"""Writer of the raw files of each template."""


def sample(name: str, seen: Extract) -> Iterator[File]:
    """Yield the raw files of a template, and the template itself as their mapping.

    Parameters
    ----------
    name : str
        A template (`whatworks.sources.templates.names`).
    seen : Extract

    Raises
    ------
    OptionError
        When no producer writes for a template of that name.
    """
    producer = PRODUCERS[choice(name, PRODUCERS, what="template")]
    yield from producer(seen)
    yield File(MAPPING, templates.text(name).encode())


def write_samples(folder: Path | str, seen: Extract | None = None) -> tuple[Path, ...]:
    """Write a sample of every template, each in a folder of its name.

    Parameters
    ----------
    folder : path
        Made if it does not exist; files of the same names are replaced.
    seen : Extract, optional
        By default, that of the committed samples.

    Returns
    -------
    tuple of Path
        The files written.
    """
    shown = extract() if seen is None else seen
    written = []
    for name in PRODUCERS:
        place = Path(folder) / name
        place.mkdir(parents=True, exist_ok=True)
        for file in sample(name, shown):
            path = place / file.name
            path.write_bytes(file.content)
            written.append(path)
    return tuple(written)
