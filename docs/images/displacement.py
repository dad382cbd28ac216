"""Draw the pictures of the tutorial on displacement: ``python docs/images/displacement.py``.

Runs the code of the page and keeps the figures it saves, so that pictures and numbers are of one draw.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
PAGE = HERE.parent / "tutorials" / "displacement.md"
PICTURES = {
    "responses.png": "displacement-responses.png",
    "net.png": "displacement-net.png",
}
COLOURS = 128


def main() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    last = max(k for k, code in enumerate(blocks) if "savefig" in code)
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        before = Path.cwd()
        os.chdir(folder)
        try:
            for code in blocks[: last + 1]:
                exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
        finally:
            os.chdir(before)
        for saved, kept in PICTURES.items():
            picture = Image.open(Path(folder) / saved).convert("RGB")
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / kept, optimize=True)


if __name__ == "__main__":
    main()
