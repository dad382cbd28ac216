"""Each case in a process of its own: what it took, as one line of JSON on its last line of output."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence


def peak() -> float:
    """Megabytes this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def used() -> float:
    """Seconds of processor of this process and its children."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def timed(act: Callable[[], float]) -> dict[str, float]:
    """What an act took and answered: ``wall, cpu`` in seconds, ``peak`` in megabytes, ``effect``."""
    before, started = used(), time.perf_counter()
    effect = act()
    return {
        "wall": time.perf_counter() - started,
        "cpu": used() - before,
        "peak": peak(),
        "effect": effect,
    }


def pythons_of(peers: Sequence[str], *, own: str) -> dict[str, str]:
    """Interpreter of each library, from arguments ``NAME=PYTHON``."""
    return {own: sys.executable, **dict(one.split("=", 1) for one in peers)}


def asked_apart(command: Sequence[str], *, seconds: float) -> dict[str, float] | str:
    """What a process told, or in words why it told nothing."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"stopped at {seconds:.0f} s"
    if told.returncode != 0:
        return "skipped: " + (told.stderr.strip().splitlines() or ["no message"])[-1][:90]
    found: dict[str, float] = json.loads(told.stdout.strip().splitlines()[-1])
    return found
