"""Real Spark in local mode, for the tests that hold it beside DuckDB."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from ibis.backends import BaseBackend

from whatworks.sources.engine import connect_spark

NEEDS_SPARK = [
    pytest.mark.skipif(find_spec("pyspark") is None, reason="PySpark is not installed"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@contextmanager
def spark_engine() -> Iterator[BaseBackend]:
    """A connection for small data, closed afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connection = connect_spark(cores=2, memory="1g", partitions=2)
        # Small data: compiling queries would take longer than running them.
        connection._session.conf.set("spark.sql.codegen.wholeStage", "false")
        connection._session.conf.set("spark.sql.adaptive.enabled", "false")
        connection._session.sparkContext.setLogLevel("ERROR")
        yield connection
        connection._session.stop()
