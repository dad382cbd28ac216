"""The main job, twice through the same rooms: real pathways, and a simulated département.

Between the two stands a question whose answer an experiment gave, asked with the same commands.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from whatworks import study
from whatworks.errors import UsageError
from whatworks.report import Entry, render_collection
from whatworks.studies import mvad, nsw

Progress = Callable[[str], None]


def sample() -> Path:
    """Folder of the synthetic département, in a checkout or in an installed package.

    Raises
    ------
    UsageError
        When neither holds it.
    """
    package = Path(str(files("whatworks")))
    for folder in (package / "sample", package.parents[1] / "data" / "synthetic"):
        if (folder / "study.toml").is_file():
            return folder
    raise UsageError(
        what="the synthetic département",
        needed="the folder data/synthetic of the project",
        found="neither it nor a packaged copy",
        remedy="install the package again, or write a world with `whatworks simulate FOLDER`",
    )


def run(folder: Path, *, lang: str = "fr", progress: Progress = lambda _: None) -> Path:
    """Run the demonstration and return the path of its first page.

    Parameters
    ----------
    folder : Path
        Written whole, or not at all.
    lang : str
        ``"fr"`` or ``"en"``.
    progress : callable
        Told each step in words.
    """
    progress("real pathways: training after school (mvad)")
    entries = study.run(mvad.STUDY)
    progress("known answer: the NSW experiment against a survey")
    entries.append(
        Entry(slug="nsw-earnings", title="", section="companion", evidence=nsw.evidence())
    )
    progress("synthetic département: six types of accompaniment, truth known")
    entries += study.run(sample() / "study.toml", progress=lambda step: progress(f"  {step}"))
    progress("pages, tables, figures")
    return render_collection(entries, folder, title="", lang=lang)
