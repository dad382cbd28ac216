"""Seeded damage to raw files: what transfers, exports and hands do to them."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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


def windows_line_ends(data: bytes, rng: np.random.Generator) -> bytes:
    """Make every line break CR LF, after a mark or not: what spreadsheets save."""
    mark = b"\xef\xbb\xbf" if rng.random() < 0.5 else b""
    return mark + data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def old_line_ends(data: bytes, rng: np.random.Generator) -> bytes:
    """Make every line break a CR alone."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r")


def other_dates(data: bytes, rng: np.random.Generator) -> bytes:
    """Write dates in another order, in every row or in some."""
    share = float(rng.choice([0.05, 1.0]))

    def turned(found: re.Match[bytes]) -> bytes:
        if rng.random() >= share:
            return found[0]
        if found["iso"]:
            year, month, day = found["iso"].split(b"-")
            return day + b"/" + month + b"/" + year
        day, month, year = found["day"].split(b"/")
        return month + b"/" + day + b"/" + year if rng.random() < 0.5 else year + month + day

    return re.sub(rb"(?P<iso>\d{4}-\d\d-\d\d)|(?P<day>\d\d/\d\d/\d{4})", turned, data)


def mistyped_codes(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the case of the cells of a column, or put blanks around them, in some rows."""
    rows, mark = _cells(data)
    column = int(rng.integers(0, len(rows[0])))
    change = (bytes.lower, bytes.upper, lambda cell: b" " + cell + b"  ")[int(rng.integers(0, 3))]
    for row in rows[1:]:
        if len(row) == len(rows[0]) and rng.random() < 0.2:
            row[column] = change(row[column])
    return _join(rows, mark)


def column_twice(data: bytes, rng: np.random.Generator) -> bytes:
    """Deliver a column twice, under one name."""
    rows, mark = _cells(data)
    column = int(rng.integers(0, len(rows[0])))
    return _join([[*row, row[column]] if len(row) > column else row for row in rows], mark)


def column_more(data: bytes, rng: np.random.Generator) -> bytes:
    """Deliver a column that nobody asked for, of values that must not be seen."""
    rows, mark = _cells(data)
    rows = [
        [MARK.encode() + b"%d" % n, *row] if row != [b""] else row for n, row in enumerate(rows)
    ]
    return _join(rows, mark)


def shuffled_rows(data: bytes, rng: np.random.Generator) -> bytes:
    """Deliver the rows in another order, the header somewhere among them or first."""
    lines = data.splitlines(keepends=True)
    head = [] if rng.random() < 0.5 else lines[:1]
    rest = lines[len(head) :]
    return b"".join([*head, *(rest[i] for i in rng.permutation(len(rest)))])


def hostile_values(data: bytes, rng: np.random.Generator) -> bytes:
    """Write what means something to an engine, a shell or a spreadsheet in the cells of a column."""
    value = rng.choice(
        ["' OR 1=1 --", "''; DROP TABLE x", "=1+1", "../../x", "{0}", "%s%n", "NULL"]
    )
    return _some_cells(data, rng, str(value).encode(), 0.3)


def packed(data: bytes, rng: np.random.Generator) -> bytes:
    """Compress the file and leave its name, once or twice."""
    once = gzip.compress(data, mtime=0)
    return once if rng.random() < 0.7 else gzip.compress(once, mtime=0)


def renamed_tag(data: bytes, rng: np.random.Generator) -> bytes:
    """Give one element, or all of its name, another name."""
    names = sorted(set(re.findall(rb"<([A-Za-z_][\w.-]*)", data)))
    name = names[int(rng.integers(0, len(names)))] if names else b"none"
    pattern = rb"(</?)" + re.escape(name) + rb"(?=[\s/>])"
    return re.sub(pattern, rb"\1" + MARK.encode(), data, count=int(rng.choice([0, 1, 2])))


def lost_element(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave out an element without parts, once or everywhere."""
    names = sorted(set(re.findall(rb"<([A-Za-z_][\w.-]*)>[^<]*</", data)))
    name = names[int(rng.integers(0, len(names)))] if names else b"none"
    pattern = rb"<" + re.escape(name) + rb">[^<]*</" + re.escape(name) + rb">"
    return re.sub(pattern, b"", data, count=int(rng.choice([0, 1])))


def strange_texts(data: bytes, rng: np.random.Generator) -> bytes:
    """Write something unheard of in the elements of one name."""
    names = sorted(set(re.findall(rb"<([A-Za-z_][\w.-]*)>[^<]*</", data)))
    name = names[int(rng.integers(0, len(names)))] if names else b"none"
    value = rng.choice([MARK, "", "31/02/2021", "a &amp; b", "<b>x</b>", "<!-- x -->", "9" * 40])
    pattern = rb"(<" + re.escape(name) + rb">)[^<]*(</)"
    share = float(rng.choice([0.05, 1.0]))

    def changed(found: re.Match[bytes]) -> bytes:
        text = _numbered(str(value), found.start()).encode()
        return found[1] + text + found[2] if rng.random() < share else found[0]

    return re.sub(pattern, changed, data)


def document_type(data: bytes, rng: np.random.Generator) -> bytes:
    """Declare entities that expand, or read another file, before the root."""
    told = rng.choice(
        ['<!ENTITY a "aa"><!ENTITY b "&a;&a;">', '<!ENTITY a SYSTEM "file:///etc/hostname">']
    )
    place = data.find(b"?>") + 2 if data.startswith(b"<?") else 0
    return data[:place] + b"<!DOCTYPE x [" + str(told).encode() + b"]>" + data[place:]


def _numbered(value: str, number: int) -> str:
    """One text for each row: a code that many persons share may be shown."""
    return f"{value}{number}" if value == MARK else value


def _table(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def retyped_column(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a column of a table as another type, as tools that guess types do."""
    table = _table(data)
    place = int(rng.integers(0, table.num_columns))
    column = table.column(place)
    for kind in rng.permutation(["float64", "int64", "bool", "timestamp", "binary", "list"]):
        try:
            if kind == "list":
                changed = pa.array([[value] for value in column.to_pylist()])
            elif kind == "timestamp":
                changed = column.cast(pa.date32()).cast(pa.timestamp("us", tz="UTC"))
            else:
                changed = column.cast(getattr(pa, str(kind).replace("bool", "bool_"))())
        except pa.ArrowException:
            continue
        return _parquet(table.set_column(place, table.column_names[place], changed))
    return data


def strange_cells(data: bytes, rng: np.random.Generator) -> bytes:
    """Write something unheard of, or nothing, in a column of a table."""
    table = _table(data)
    place = int(rng.integers(0, table.num_columns))
    share, value = float(rng.choice([0.02, 1.0])), rng.choice([MARK, "", "31/02/2021"])
    texts = [
        _numbered(str(value), number) if rng.random() < share else text
        for number, text in enumerate(map(str, table.column(place).to_pylist()))
    ]
    return _parquet(table.set_column(place, table.column_names[place], pa.array(texts)))


def other_columns(data: bytes, rng: np.random.Generator) -> bytes:
    """Drop a column of a table, give it another name, repeat it, or leave no row."""
    table = _table(data)
    place = int(rng.integers(0, table.num_columns))
    name = table.column_names[place]
    match int(rng.integers(0, 4)):
        case 0:
            return _parquet(table.remove_column(place))
        case 1:
            names = [MARK if i == place else n for i, n in enumerate(table.column_names)]
            return _parquet(table.rename_columns(names))
        case 2:
            return _parquet(table.append_column(name, table.column(place)))
        case _:
            return _parquet(table.slice(0, 0))


def _lines_with(data: bytes, mark: bytes, rng: np.random.Generator) -> tuple[list[bytes], int]:
    lines = data.splitlines(keepends=True)
    found = [i for i, line in enumerate(lines) if mark in line and not line.startswith(b"#")]
    return lines, found[int(rng.integers(0, len(found)))] if found else 0


def lost_key(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave a key out of a mapping."""
    lines, place = _lines_with(data, b" = ", rng)
    return b"".join(lines[:place] + lines[place + 1 :])


def repeated_key(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a key of a mapping elsewhere too."""
    lines, place = _lines_with(data, b" = ", rng)
    other = int(rng.integers(0, len(lines)))
    return b"".join([*lines[:other], lines[place], *lines[other:]])


def mistyped_key(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a letter of a key, of a table's name, or swap two."""
    lines, place = _lines_with(data, b"[" if rng.random() < 0.3 else b" = ", rng)
    line = lines[place]
    at = int(rng.integers(0, max(line.find(b" = "), 2)))
    lines[place] = line[:at] + line[at + 1 : at + 2] + line[at : at + 1] + line[at + 2 :]
    return b"".join(lines)


def other_value(data: bytes, rng: np.random.Generator) -> bytes:
    """Write another value after a key of a mapping: of another type, hostile, out of range."""
    lines, place = _lines_with(data, b" = ", rng)
    key, _, _ = lines[place].partition(b" = ")
    values = [
        '""',
        '"x"',
        "0",
        "-1",
        "1e400",
        "true",
        "[]",
        "{}",
        '["a", "a"]',
        "1979-05-27",
        "nan",
    ]
    hostile = ['"*.csv"', '"../../*"', '"\'; DROP TABLE x; --"', '"("', '"%Q%"', '"\\u0000"']
    paths = ['"/etc/hostname"', '"package:..//x"', '"package:whatworks/*"', '"~/*"', '"[!"']
    value = rng.choice([*values, *hostile, *paths, '"' + "a" * 9000 + '"'])
    lines[place] = key + b" = " + str(value).encode() + b"\n"
    return b"".join(lines)


def other_word(data: bytes, rng: np.random.Generator) -> bytes:
    """Put one word between quotes of a mapping in the place of another."""
    words = list(re.finditer(rb'"[^"\n]*"', data))
    if not words:
        return data
    there, taken = (words[int(i)] for i in rng.integers(0, len(words), 2))
    return data[: there.start()] + taken[0] + data[there.end() :]


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
    windows_line_ends,
    old_line_ends,
    other_dates,
    mistyped_codes,
    column_twice,
    column_more,
    shuffled_rows,
    hostile_values,
    packed,
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
    other_dates,
    packed,
    renamed_tag,
    lost_element,
    strange_texts,
    document_type,
)
OF_PARQUET: Final[tuple[Bytes, ...]] = (*OF_BYTES, retyped_column, strange_cells, other_columns)
OF_MAPPINGS: Final[tuple[Bytes, ...]] = (
    *OF_BYTES,
    truncate_at_line,
    other_encoding,
    lost_line_break,
    stray_quote,
    repeated_lines,
    lost_key,
    repeated_key,
    mistyped_key,
    other_value,
    other_word,
)
_BY_SUFFIX: Final[Mapping[str, tuple[Bytes, ...]]] = {
    ".csv": OF_TEXT,
    ".gz": OF_ARCHIVES,
    ".xml": OF_XML,
    ".toml": OF_MAPPINGS,
    ".parquet": OF_PARQUET,
}


def mutations(path: Path) -> tuple[Bytes, ...]:
    """Every damage that can be done to a file."""
    return _BY_SUFFIX[path.suffix]


# --- Deliveries: files that are whole, and not the ones expected --------------------------------

Delivery = Callable[[Path, "list[Path]", np.random.Generator], None]


def file_missing(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Leave a file out."""
    victim.unlink()


def file_of_another(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Put the content of another file under its name."""
    if others:
        victim.write_bytes(others[int(rng.integers(0, len(others)))].read_bytes())


def file_twice(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Deliver a file again under a name that resembles its own."""
    again = victim.with_name(victim.name.replace(".", f"_{rng.integers(1, 9)}.", 1))
    again.write_bytes(victim.read_bytes())


def folder_instead(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Put a folder in its place."""
    victim.unlink()
    victim.mkdir()


def broken_link(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Leave a link to nothing, or to itself."""
    victim.unlink()
    victim.symlink_to(victim if rng.random() < 0.5 else victim.with_name("gone"))


def pipe_instead(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Put something that never ends in its place."""
    victim.unlink()
    os.mkfifo(victim)


def hostile_name(victim: Path, others: list[Path], rng: np.random.Generator) -> None:
    """Give it a name with marks that mean something elsewhere."""
    marks = rng.choice(["'", '"', "[x]", "{x}", "*", "?", "%20", ";", "$(x)", "é", "\n"])
    victim.rename(victim.with_name(victim.name.replace(".", f"{marks}.", 1)))


DELIVERIES: Final[tuple[Delivery, ...]] = (
    file_missing,
    file_of_another,
    file_twice,
    folder_instead,
    broken_link,
    pipe_instead,
    hostile_name,
)
