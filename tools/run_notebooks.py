"""Run notebooks from top to bottom and keep their outputs (run as `make notebooks`).

Usage: python tools/run_notebooks.py NOTEBOOK...

A notebook is written only when every cell ran and nothing was said on stderr. Pictures are stored with
a palette of their own colours, which looks the same and takes a third of the bytes.
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

TIMEOUT_S = 90
COLOURS = 128


def run(path: Path) -> None:
    """Run one notebook in an empty folder and write it back."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran is news at every run
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise SystemExit(f"{path}: on stderr: {output.text}")
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = with_palette(output.data["image/png"])
    nbformat.write(notebook, path)


def with_palette(encoded: str) -> str:
    """Return a PNG, in base64, with at most 128 colours and no dithering."""
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode() + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        run(Path(name))
