"""Markets of a design as JSON holds them, and back: the same bytes on another day and machine."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.design.markets.competition import Competition
from whatworks.design.markets.record import Markets

_KINDS: Final = {"f": "<f8", "i": "<i8"}


def written(markets: Markets) -> dict[str, Any]:
    """What is known of markets, as JSON holds it."""
    rivals = markets.competition
    return {
        "table": {str(name): _column(markets.table[name]) for name in markets.table},
        "moderators": list(markets.moderators),
        "tightness_before": markets.tightness_before,
        "hired_across": markets.hired_across,
        "shares_from": markets.shares_from,
        "competition": None
        if rivals is None
        else {
            "names": list(rivals.names),
            "weights": _sparse(rivals.weights),
            "near": None if rivals.near is None else _sparse(rivals.near),
            "distance": None if rivals.distance is None else _array(rivals.distance.ravel()),
            "source": rivals.source,
        },
    }


def rewritten(record: Mapping[str, Any]) -> Markets:
    """Markets that `written` wrote."""
    rivals, across = record["competition"], record["hired_across"]
    return Markets(
        table=pd.DataFrame({name: _read_column(told) for name, told in record["table"].items()}),
        moderators=tuple(record["moderators"]),
        tightness_before=record["tightness_before"],
        hired_across=np.nan if across is None else float(across),
        shares_from=record["shares_from"],
        competition=None if rivals is None else _competition(rivals),
    )


def _competition(record: Mapping[str, Any]) -> Competition:
    names = tuple(record["names"])
    distance, near = record["distance"], record["near"]
    return Competition(
        names=names,
        weights=_read_sparse(record["weights"], len(names)),
        near=None if near is None else _read_sparse(near, len(names)),
        distance=None if distance is None else _read_array(distance).reshape(len(names), -1),
        source=record["source"],
    )


def _column(column: pd.Series) -> Any:
    """Numbers as bytes, names as they are."""
    if pd.api.types.is_numeric_dtype(column):
        return _array(column.to_numpy())
    return [None if pd.isna(value) else str(value) for value in column]


def _read_column(told: Any) -> Any:
    return _read_array(told) if isinstance(told, Mapping) else pd.Series(told, dtype=object)


def _sparse(matrix: csr_array) -> dict[str, Any]:
    """Entries row by row, columns increasing, so that equal matrices are equal bytes."""
    ordered = matrix.copy()
    ordered.sort_indices()
    return {
        "data": _array(ordered.data),
        "indices": _array(ordered.indices),
        "indptr": _array(ordered.indptr),
    }


def _read_sparse(record: Mapping[str, Any], n: int) -> csr_array:
    parts = tuple(_read_array(record[name]) for name in ("data", "indices", "indptr"))
    return csr_array(parts, shape=(n, n))


def _array(values: NDArray[Any]) -> dict[str, str]:
    """Little-endian bytes of eight, every undefined number the same."""
    kind = "f" if values.dtype.kind == "f" else "i"
    plain = np.where(np.isnan(values), np.nan, values + 0.0) if kind == "f" else values
    raw = np.ascontiguousarray(plain, dtype=_KINDS[kind]).tobytes()
    return {kind: base64.b64encode(raw).decode("ascii")}


def _read_array(record: Mapping[str, str]) -> NDArray[Any]:
    ((kind, text),) = record.items()
    native = {"f": np.float64, "i": np.int64}[kind]
    return np.frombuffer(base64.b64decode(text), dtype=_KINDS[kind]).astype(native)
