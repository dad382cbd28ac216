"""Seeded damage to raw files: what transfers, exports and hands do to them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

MARK: Final = "Zqxwvutsr"
"""Written wherever a mutation writes a value: it must never be seen in a message."""

Bytes = Callable[[bytes, np.random.Generator], bytes]


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(0, max(len(data), 1)))


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 8))):
        changed[_place(data, rng)] ^= 1 << int(rng.integers(0, 8))
    return bytes(changed)


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut the file anywhere."""
    return data[: _place(data, rng)]


def truncate_at_line(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut after a whole line, the header included."""
    lines = data.splitlines(keepends=True)
    return b"".join(lines[: int(rng.integers(1, max(len(lines), 2)))])


def insert_nul(data: bytes, rng: np.random.Generator) -> bytes:
    """Put a NUL byte somewhere."""
    place = _place(data, rng)
    return data[:place] + b"\0" + data[place:]


def other_encoding(data: bytes, rng: np.random.Generator) -> bytes:
    """Write the same text in another encoding, with or without its mark."""
    for encoding in ("utf-8", "iso-8859-1"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    text = text[:200] + "é" + text[200:]
    target = rng.choice(["utf-16", "utf-8-sig", "cp1252", "utf-16-le", "utf-8"])
    return text.encode(str(target), errors="replace")


def mixed_line_ends(data: bytes, rng: np.random.Generator) -> bytes:
    """Make some line breaks CR LF."""
    lines = data.split(b"\n")
    kept = [line + (b"\r" if rng.random() < 0.3 else b"") for line in lines]
    return b"\n".join(kept)


def lost_line_break(data: bytes, rng: np.random.Generator) -> bytes:
    """Glue two lines together."""
    breaks = [i for i, byte in enumerate(data) if byte == 10]
    if not breaks:
        return data
    place = breaks[int(rng.integers(0, len(breaks)))]
    return data[:place] + data[place + 1 :]


def stray_quote(data: bytes, rng: np.random.Generator) -> bytes:
    """Open a quote that nothing closes."""
    place = _place(data, rng)
    return data[:place] + b'"' + data[place:]


def repeated_lines(data: bytes, rng: np.random.Generator) -> bytes:
    """Deliver some rows twice."""
    lines = data.splitlines(keepends=True)
    again = [lines[i] for i in rng.integers(0, len(lines), 3)]
    return data + b"".join(again)


def doubled(data: bytes, rng: np.random.Generator) -> bytes:
    """Append the file to itself, header included."""
    return data + data


def emptied(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave nothing."""
    return b""


def _cells(data: bytes) -> tuple[list[list[bytes]], bytes]:
    header = data.split(b"\n", 1)[0]
    mark = max((b";", b",", b"|", b"\t"), key=header.count)
    return [line.split(mark) for line in data.split(b"\n")], mark


def _join(rows: list[list[bytes]], mark: bytes) -> bytes:
    return b"\n".join(mark.join(row) for row in rows)


def _some_cells(data: bytes, rng: np.random.Generator, value: bytes, share: float) -> bytes:
    """Overwrite cells of one column; ``%d`` in the value numbers them."""
    rows, mark = _cells(data)
    column = int(rng.integers(0, len(rows[0])))
    for number, row in enumerate(rows[1:]):
        if len(row) == len(rows[0]) and rng.random() < share:
            row[column] = value.replace(b"%d", str(number).encode())
    return _join(rows, mark)


def strange_values(data: bytes, rng: np.random.Generator) -> bytes:
    """Write something unheard of in a few cells of a column."""
    return _some_cells(data, rng, MARK.encode() + b"%d", float(rng.choice([0.002, 0.05, 1.0])))


def blank_values(data: bytes, rng: np.random.Generator) -> bytes:
    """Empty cells of a column."""
    return _some_cells(data, rng, b"", float(rng.choice([0.01, 0.2, 1.0])))


def impossible_dates(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a day that does not exist, in one of several ways."""
    value = rng.choice(["31/02/2021", "2021-13-40", "00/00/0000", "9999-12-31", "1/1/21", "44197"])
    return _some_cells(data, rng, str(value).encode(), float(rng.choice([0.01, 0.5])))


def swapped_columns(data: bytes, rng: np.random.Generator) -> bytes:
    """Exchange two cells in every row but not in the header."""
    rows, mark = _cells(data)
    if len(rows[0]) < 2:
        return data
    a, b = rng.choice(len(rows[0]), 2, replace=False)
    for row in rows[1:]:
        if len(row) == len(rows[0]):
            row[a], row[b] = row[b], row[a]
    return _join(rows, mark)


def renamed_column(data: bytes, rng: np.random.Generator) -> bytes:
    """Give a column another header."""
    rows, mark = _cells(data)
    rows[0][int(rng.integers(0, len(rows[0])))] = MARK.encode()
    return _join(rows, mark)


def dropped_column(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave a column out of every row."""
    rows, mark = _cells(data)
    column = int(rng.integers(0, len(rows[0])))
    return _join([[c for i, c in enumerate(row) if i != column] for row in rows], mark)


def missing_header(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave the first line out."""
    return data.partition(b"\n")[2]


def other_separator(data: bytes, rng: np.random.Generator) -> bytes:
    """Write with another separator."""
    rows, mark = _cells(data)
    other = rng.choice([m for m in (b";", b",", b"|", b"\t") if m != mark])
    return _join(rows, bytes(other))


def lost_zeros(data: bytes, rng: np.random.Generator) -> bytes:
    """Strip the zeros that open the cells of a column, as spreadsheets do."""
    rows, mark = _cells(data)
    column = int(rng.integers(0, len(rows[0])))
    for row in rows[1:]:
        if len(row) == len(rows[0]):
            row[column] = row[column].lstrip(b"0")
    return _join(rows, mark)


def grouped_digits(data: bytes, rng: np.random.Generator) -> bytes:
    """Write numbers as spreadsheets show them."""
    return _some_cells(data, rng, b"1,23E+12", 0.3)


OF_BYTES: Final[tuple[Bytes, ...]] = (flip_bits, truncate, insert_nul, emptied, doubled)
"""Damage that makes sense for any file, compressed ones included."""
OF_TEXT: Final[tuple[Bytes, ...]] = (
    *OF_BYTES,
    truncate_at_line,
    other_encoding,
    mixed_line_ends,
    lost_line_break,
    stray_quote,
    repeated_lines,
    strange_values,
    blank_values,
    impossible_dates,
    swapped_columns,
    renamed_column,
    dropped_column,
    missing_header,
    other_separator,
    lost_zeros,
    grouped_digits,
)


def _recompressed(mutation: Bytes) -> Bytes:
    def mutate(data: bytes, rng: np.random.Generator) -> bytes:
        return gzip.compress(mutation(gzip.decompress(data), rng), mtime=0)

    mutate.__name__ = f"{mutation.__name__} before compression"
    return mutate


OF_ARCHIVES: Final[tuple[Bytes, ...]] = (*OF_BYTES, *map(_recompressed, OF_TEXT))
OF_XML: Final[tuple[Bytes, ...]] = (
    *OF_BYTES,
    truncate_at_line,
    other_encoding,
    lost_line_break,
    stray_quote,
    repeated_lines,
)
_BY_SUFFIX: Final[Mapping[str, tuple[Bytes, ...]]] = {
    ".csv": OF_TEXT,
    ".gz": OF_ARCHIVES,
    ".xml": OF_XML,
    ".toml": OF_XML,
    ".parquet": OF_BYTES,
}


def mutations(path: Path) -> tuple[Bytes, ...]:
    """Every damage that can be done to a file."""
    return _BY_SUFFIX[path.suffix]
