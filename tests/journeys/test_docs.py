"""What the documentation shows is what happens: every Python block runs, every output is checked.

A ``python`` block followed by a ``text`` block prints exactly that text; a block that prints must
be followed by one. Blocks of a page share their names, as a reader's session would, and run in an
empty folder that holds a link to ``data/``. After a change that moves numbers, read the new ones,
then write them down: ``python tests/journeys/test_docs.py``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

import whatworks
from whatworks.estimate.registry import ESTIMATORS
from whatworks.study import QuestionText, StudyFile
from whatworks.study.file import StakesText
from whatworks.study.markets import MarketsText

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CARD = ("Estimand", "Equation", "Identification", "Inference", "Edge cases", "References")


@dataclass(frozen=True)
class Block:
    """Python code of a page and the output it announces, with the place of that output."""

    code: str
    line: int
    announced: str | None
    output_span: tuple[int, int] | None


def blocks(text: str) -> list[Block]:
    fences = list(FENCE.finditer(text))
    found = []
    for fence, after in zip_longest(fences, fences[1:]):
        if fence[1] != "python":
            continue
        follows = (
            after is not None
            and after[1] == "text"
            and not text[fence.end() : after.start()].strip()
        )
        found.append(
            Block(
                code=fence[2],
                line=text.count("\n", 0, fence.start()) + 2,
                announced=after[2] if after is not None and follows else None,
                output_span=after.span(2) if after is not None and follows else None,
            )
        )
    return found


def printed(page: Path) -> Iterator[tuple[Block, str]]:
    """Run a page block by block, in one namespace, and yield what each printed."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        code = "\n" * (block.line - 1) + block.code  # a failure names the line of the page
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(page), "exec", dont_inherit=True), names)  # noqa: S102 - our own pages
        yield block, tidy(out.getvalue())


def tidy(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@contextlib.contextmanager
def session_in(folder: Path) -> Iterator[None]:
    """Stand in an empty folder that links to the project's data."""
    (folder / "data").symlink_to(ROOT / "data")
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
WITH_CODE = [
    page
    for page in PAGES
    if "_build" not in page.parts and blocks(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_python_blocks_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    with session_in(tmp_path):
        for block, output in printed(page):
            assert output == (block.announced or ""), f"{page.name}, line {block.line}"


def test_readme_and_tutorial_have_blocks_that_run() -> None:
    shown = {page.relative_to(ROOT).as_posix() for page in WITH_CODE}
    assert {"README.md", "docs/tutorials/first-evaluation.md"} <= shown


def test_api_page_documents_every_public_name() -> None:
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    shown = re.findall(  # a name with a dot is that of a record the public ones hold
        r"^\.\. auto(?:class|function|data|exception):: (\w+)$", page, re.MULTILINE
    )
    assert sorted(shown) == sorted(whatworks.__all__)


def test_study_page_explains_every_key() -> None:
    page = (DOCS / "reference" / "study.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    explained = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    tables = (StudyFile, QuestionText, MarketsText, StakesText)
    fields = [field for table in tables for field in table.model_fields.items()]
    assert sorted(explained) == sorted(field.alias or name for name, field in fields)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_method_card_has_its_sections(name: str) -> None:
    module = __import__(ESTIMATORS[name].__module__, fromlist=["_"])
    headings = re.findall(r"^(.+)\n-+$", module.__doc__ or "", re.MULTILINE)
    assert tuple(headings) == CARD


def test_every_method_file_is_registered() -> None:
    folder = ROOT / "src" / "whatworks" / "estimate" / "methods"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {kind.__module__.rpartition(".")[2] for kind in ESTIMATORS.values()}


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{name}: {target}"
        for name in ("README.md", "CONTRIBUTING.md")
        for target in re.findall(
            r"\]\(([^)#\s]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8")
        )
        if "://" not in target and not (ROOT / target).exists()
    ]
    assert broken == []


def refresh() -> None:
    """Write into every page what its blocks print now."""
    for page in WITH_CODE:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder, session_in(Path(folder)):
            outputs = list(printed(page))
        for block, output in reversed(outputs):
            if block.output_span is not None:
                start, end = block.output_span
                text = text[:start] + output + text[end:]
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    refresh()
