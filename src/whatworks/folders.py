"""A new folder, written whole or not at all, never over another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from whatworks.errors import OptionError


@contextmanager
def new_folder(place: Path, *, never: str) -> Iterator[Path]:
    """A folder to write in, beside its place; put there in one move once all is written.

    Parameters
    ----------
    place : Path
        Resolved. Must not exist, or be empty.
    never : str
        What is never written over, for the message.

    Raises
    ------
    OptionError
        When something stands there, or the place cannot be written.
    """
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise OptionError(
                what=f"folder {place.name!r}",
                needed="a folder that does not exist or is empty",
                found="files in it",
                remedy=f"choose another folder: {never} is never written over",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as beside:
            fresh = Path(beside, "fresh")
            fresh.mkdir()
            yield fresh
            fresh.replace(place)
    except OSError as failure:
        raise OptionError(
            what=f"folder {place.name!r}",
            needed="a place that can be written",
            found=failure.strerror or type(failure).__name__,
            remedy="choose another folder, or make that place writable",
        ) from failure
