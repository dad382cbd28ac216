"""How many threads small products of matrices take: one, for two of them spend more time waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import scipy.linalg  # noqa: F401 - its own linear algebra is loaded before threads are looked for
from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """Libraries of linear algebra this process has loaded; looked for once."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, linear algebra takes one thread, in the whole process.

    Products of tall, narrow matrices are bound by memory: a second thread spins until the next one
    comes, and costs processor time without saving any.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
