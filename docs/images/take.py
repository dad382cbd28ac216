"""Take the pictures of the landing page from a real demo: ``python docs/images/take.py``.

Needs the package installed with its studies, and Chromium. Run it after a change that readers of the
report would see; nothing else in the build does.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from whatworks import demo

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
COLOURS = 128
MARGIN = 24
SHOTS = (
    # picture, language, page, width, height kept (0: to the last ink), pixels per point
    ("demo-summary.png", "en", "index.html", 1100, 0, 1.5),
    ("demo-pathways.png", "en", "mvad-training-employment/index.html", 1100, 1090, 1.5),
    ("demo-effects.png", "en", "intensive-integrated/figures/effects.svg", 900, 0, 1.5),
    ("demo-phone.png", "fr", "mvad-training-employment/index.html", 390, 1300, 1.5),
)
TALL = 4000


def shoot(page: Path, *, width: int, scale: float) -> Image.Image:
    """Picture of the top of a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("no Chromium found: install one of " + ", ".join(BROWSERS))
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        options = (
            f"--user-data-dir={folder}/profile",
            f"--force-device-scale-factor={scale}",
            f"--window-size={width},{TALL}",
            f"--screenshot={shot}",
        )
        subprocess.run(  # noqa: S603 - the browser found above, on a page just written
            [browser, *QUIET, *options, page.as_uri()], check=True, capture_output=True, timeout=120
        )
        return Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")


def trimmed(picture: Image.Image, *, height: int) -> Image.Image:
    """Picture from its first ink down to a height, or to its last ink; a margin around."""
    white = Image.new("RGB", picture.size, "white")
    ink = ImageChops.difference(picture, white).getbbox() or (0, 0, *picture.size)
    top = max(ink[1] - MARGIN, 0)
    bottom = top + height if height else ink[3] + MARGIN
    return picture.crop((0, top, picture.width, min(bottom, picture.height)))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pages = {}
        for lang in ("en", "fr"):
            pages[lang] = demo.run(Path(folder) / lang, lang=lang).parent
        for name, lang, page, width, height, scale in SHOTS:
            picture = trimmed(
                shoot(pages[lang] / page, width=width, scale=scale), height=round(height * scale)
            )
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / name, optimize=True)
            print(name, picture.size, f"{(HERE / name).stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
