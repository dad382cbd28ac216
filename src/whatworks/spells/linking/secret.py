"""The secret of the keyed hash: read once, used by the engine, shown nowhere.

A hash without a key hides nothing here: there are so few possible NIRs that one machine hashes them all
in a few hours. HMAC-SHA256 (RFC 2104) mixes in a key that whoever holds the product does not have.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final, NoReturn

import ibis

from whatworks.errors import RefusedError
from whatworks.sources.mapping.people import Linkage
from whatworks.sources.problems import reworded
from whatworks.sources.scratch import Scratch

SHORTEST: Final = 16
"""Bytes below which a secret could be guessed."""
_BLOCK: Final = 64
_GENERATE: Final = "python -c 'import secrets; print(secrets.token_hex(32))'"


class Secret:
    """A key that can be used and not seen: no representation, no copy, no file.

    Parameters
    ----------
    key : bytes
        Of any length; `read_secret` refuses fewer than `SHORTEST`.
    """

    __slots__ = ("_inner", "_length", "_outer")

    def __init__(self, key: bytes) -> None:
        whole = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
        self._length = len(key)
        self._inner = bytes(byte ^ 0x36 for byte in whole.ljust(_BLOCK, b"\0"))
        self._outer = bytes(byte ^ 0x5C for byte in whole.ljust(_BLOCK, b"\0"))

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __len__(self) -> int:
        return self._length

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither copied nor written")

    def pads(self) -> list[bytes]:
        """Outer and inner pads of RFC 2104, to be bound to a query; never kept in a name."""
        return [self._outer, self._inner]


def read_secret(linkage: Linkage) -> Secret:
    """Secret of a linkage, from where its mapping says.

    Parameters
    ----------
    linkage : Linkage
        Its ``secret_file`` is relative to the current directory unless absolute.

    Raises
    ------
    RefusedError
        When the mapping names no secret, or the one it names is absent, too short, or in a file that
        others can read.
    """
    if linkage.secret_env is not None:
        what = f"environment variable {linkage.secret_env}"
        if not os.environ.get(linkage.secret_env):
            raise _refused(what, found="it unset or empty", remedy="set it before running")
        secret = Secret(os.fsencode(os.environ[linkage.secret_env]).strip())
    elif linkage.secret_file is not None:
        what = f"secret file {linkage.secret_file}"
        secret = _from_file(Path(linkage.secret_file), what)
    else:
        raise _refused(
            "[link]",
            found="neither 'secret_env' nor 'secret_file'",
            remedy="write secret_env = 'WHATWORKS_SECRET' under [link] and set that variable, "
            f"for instance to what this prints: {_GENERATE}",
        )
    if len(secret) < SHORTEST:
        raise _refused(
            what,
            found=f"{len(secret)} bytes",
            remedy=f"make one, for instance with: {_GENERATE}",
        )
    return secret


def _from_file(path: Path, what: str) -> Secret:
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise _refused(
                what, found="a file that others than its owner can open", remedy=f"chmod 600 {path}"
            )
        return Secret(path.read_bytes().strip())
    except OSError as error:
        found = (error.strerror or "no such file").lower()
        raise _refused(what, found=found, remedy="check the path") from None


def _refused(what: str, *, found: str, remedy: str) -> RefusedError:
    return RefusedError(
        what=what,
        needed=f"a secret of at least {SHORTEST} bytes, readable by its owner only",
        found=found,
        remedy=remedy,
    )


def keyed(
    table: ibis.Table, secret: Secret, *, text: str, purpose: str, into: str, scratch: Scratch
) -> ibis.Table:
    """Add the keyed hash of a column, computed by the engine.

    Parameters
    ----------
    table : ibis.Table
    secret : Secret
    text : str
        Column of strings; its nulls stay null.
    purpose : str
        Mixed in, so that hashes made for two purposes are not comparable.
    into : str
        Column of the hashes, 64 hexadecimal digits; it may replace ``text``.
    scratch : Scratch

    Notes
    -----
    ``H((K ^ opad) || H((K ^ ipad) || purpose || text))``. The pads are bound to the query, so that
    no text of a query ever holds them.
    """
    connection = scratch.connection
    others = [column for column in table.columns if column != into]
    made = table.select(*others, hashed_text=ibis.literal(f"{purpose}:") + table[text])
    name = scratch.name("keyed")
    query = (
        f'CREATE TEMP TABLE "{name}" AS SELECT * EXCLUDE (hashed_text), sha256(?::BLOB || unhex('  # noqa: S608 - our own names
        f'sha256(?::BLOB || encode(hashed_text)))) AS "{into}" FROM ({connection.compile(made)})'
    )
    with reworded("the persons to link"):
        connection.con.execute(query, secret.pads())
    return connection.table(name)
