"""Layout ``wide``: one row per person and file, one column of codes per month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.selectors as s
from ibis.backends.duckdb import Backend

from whatworks.sources import values
from whatworks.sources.codes import code_flags, with_states
from whatworks.sources.coverage import outside
from whatworks.sources.layout import RAW_CODE, Events, required
from whatworks.sources.mapping import Source
from whatworks.vocabulary import MONTH

_PREFIX = "month_"


def columns(source: Source, header: Sequence[str], connection: Backend) -> Mapping[str, str]:
    """Every column whose header is a month, named after the month's integer."""
    pattern = required(source.months).pattern
    # The engine reads the headers, so that headers and fields obey the same format codes.
    parsed = connection.create_table(
        ibis.util.gen_name("read_headers"), ibis.array(list(header)).unnest().name("x").as_table(),
        temp=True,
    )
    raise NotImplementedError(parsed, values, pattern)
