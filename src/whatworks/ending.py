"""How a command ends: a user's mistake, and a stop from outside, are a sentence and an exit code."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from rich.console import Console

from whatworks.errors import WhatworksError

INTERRUPTED: Final = 128 + signal.SIGINT
"""Exit code of a command stopped at the keyboard, as shells have it; 143 for one that was ended."""


class _Ended(KeyboardInterrupt):
    """A scheduler, or a shutdown, asked the command to end: what it holds is put away first."""


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signals are handled so
    raise _Ended


@contextmanager
def ending(err: Console) -> Iterator[None]:
    """Run a command and leave with its exit code; no traceback for what its user can act on.

    Parameters
    ----------
    err : Console
        Where sentences go.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without accents shows marks in their place rather than nothing at all.
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except WhatworksError as error:
        _tell(error, err)
        sys.exit(error.exit_code)
    except BaseException as error:
        # The engine wraps an interruption of its queries in an error of its own, and the parser of
        # commands wraps one in the exit it asks for.
        stops = [e for e in _behind(error) if isinstance(e, KeyboardInterrupt)]
        if not stops and type(error).__module__.partition(".")[0] in ("duckdb", "_duckdb"):
            # Its message may quote rows of persons.
            _tell(_engine_failed(error), err)
            sys.exit(WhatworksError.exit_code)
        if not stops:
            raise
        _line(
            err, "Stopped. No file is left half-written; the same command goes on or starts anew."
        )
        sys.exit(128 + signal.SIGTERM if isinstance(stops[0], _Ended) else INTERRUPTED)


def _engine_failed(error: BaseException) -> WhatworksError:
    return WhatworksError(
        what="the engine",
        needed="memory and disk enough for tables of this size, and a place it may write to",
        found=type(error).__name__,
        remedy="free some of them, or give the command more (--memory); if that changes nothing, "
        "report what was asked and this name",
    )


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, then what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tell(error: WhatworksError, err: Console) -> None:
    err.print(f"[bold]{type(error).__name__}[/bold] · ", end="")
    _line(err, error.what)
    for name, text in (("needed", error.needed), ("found", error.found), ("to do", error.remedy)):
        _line(err, f"  {name}: {text.rstrip()}")


def _line(err: Console, text: str) -> None:
    err.print(text, soft_wrap=True, markup=False, highlight=False)
