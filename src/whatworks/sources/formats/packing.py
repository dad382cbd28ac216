"""Bytes of a raw file in pieces of bounded size, unpacked on the way when gzip packed them."""

from __future__ import annotations

import errno
import hashlib
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whatworks.sources.problems import Problem

PIECE: Final = 1 << 18
"""Most bytes held at once, packed or not."""
_GZIP: Final = b"\x1f\x8b"
_AS_GZIP: Final = 16 + zlib.MAX_WBITS
_MARK_SIZE: Final = 8


class PackingError(Exception):
    """A compressed file that does not come out whole; says what is wrong with it."""


def first_bytes(path: Path) -> bytes:
    """First bytes of a file, by which its format is known.

    Raises
    ------
    OSError
        When it cannot be read; when it is a pipe or a device, which may never end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device")
    with path.open("rb") as stream:
        return stream.read(_MARK_SIZE)


def is_packed(path: Path) -> bool:
    """Whether a file is a gzip archive, whatever its name."""
    return first_bytes(path).startswith(_GZIP)


def digest(path: Path) -> str:
    """SHA-256 of the bytes of a file, as they lie on the disk."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pieces(path: Path, hashed: hashlib._Hash) -> Iterator[bytes]:
    """Read a file piece by piece, unpacked.

    Parameters
    ----------
    path : Path
    hashed : hash object
        Fed with the bytes as they lie on the disk.

    Yields
    ------
    bytes
        At most `PIECE` of them, however much a few packed bytes stand for.

    Raises
    ------
    PackingError
        When an archive is cut, or does not hold what its own checksum says.
    OSError
        When the file cannot be read.
    """
    raw = _raw(path, hashed)
    return _unpacked(raw) if is_packed(path) else raw


def _raw(path: Path, hashed: hashlib._Hash) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            hashed.update(piece)
            yield piece


def _unpacked(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Members of an archive one after the other; zeros may fill up its end."""
    member = zlib.decompressobj(_AS_GZIP)
    try:
        for packed in raw:
            rest = packed
            while rest:
                if member.eof:
                    rest = rest.lstrip(b"\0")
                    member = zlib.decompressobj(_AS_GZIP) if rest else member
                    continue
                yield member.decompress(rest, PIECE)
                rest = member.unconsumed_tail or member.unused_data
        while not member.eof and (piece := member.decompress(b"", PIECE)):
            yield piece
    except zlib.error:
        raise PackingError("one whose content does not agree with its checksum") from None
    if not member.eof:
        raise PackingError("one that stops before its end: it was cut")


def damaged_archive(name: str, error: PackingError) -> Problem:
    """Tell that a compressed file does not come out whole."""
    return Problem(
        what=name,
        needed="a whole compressed file (gzip)",
        found=str(error),
        remedy="ask for the file again, and compare its size with the producer's",
    )
