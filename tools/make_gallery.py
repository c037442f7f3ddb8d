"""Draw every picture from the recorded trace, and write the page that shows them (run as `make gallery`).

Usage: python tools/make_gallery.py [FOLDER]

The page goes to FOLDER/gallery.md and the pictures to FOLDER/gallery; FOLDER is docs by default.
`tools/record_gallery.py` records the trace anew.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl

import dfslab

REPO = Path(__file__).resolve().parent.parent
TRACE = REPO / "docs" / "gallery" / "trace.jsonl"
DOTS_PER_INCH = 90

HEAD = """\
# Gallery

Every picture that `cluster.plot` draws, made by `make gallery` from one recorded trace,
[trace.jsonl](gallery/trace.jsonl): six data keepers on links of 20 MB/s, four uploads, downloads from one, two and
three holders, a keeper killed in the middle of a download, another frozen, a replica corrupted, a third keeper cut off
from the master, and a client whose link was narrowed for a moment. `tools/record_gallery.py` is that lesson.

```python
import dfslab

lesson = dfslab.replay("docs/gallery/trace.jsonl")  # a running cluster has the same pictures
lesson.plot.lookup_table()
```

What was done to the nodes is shaded the same way everywhere, with a name on top. Each kind has a hatch and an edge of
its own, so that it is told without colour, too; what has no duration, such as a corruption, is a dotted line.
"""


@dataclass(frozen=True)
class Picture:
    """A picture of the gallery: a method of `Plots`, how it is called, and how it is read."""

    method: str
    title: str
    words: str
    arguments: dict[str, Any] = field(default_factory=dict)
    file: str = ""

    @property
    def path(self) -> str:
        """Where it is, from the page."""
        return f"gallery/{self.file or self.method}.png"

    @property
    def call(self) -> str:
        """The Python that draws it."""
        arguments = ", ".join(f"{name}={value!r}".replace("'", '"') for name, value in self.arguments.items())
        return f"lesson.plot.{self.method}({arguments})"


PICTURES = (
    Picture(
        "topology",
        "Topology",
        "The master and the client are in the middle, the keepers around them; a mark is the larger the more "
        "its keeper stores. Shape, colour and word tell what the master believes of a keeper. Arrows are file"
        " bytes under way: here, the copy that makes up for a keeper that has just been declared dead, and "
        "how far it is.",
        {"at": 16.8},
    ),
    Picture(
        "lookup_table",
        "Lookup table",
        "Files down, keepers across, one cell a replica. A ring is a good replica that nobody can reach, an "
        "arrow one that is on its way. The last column counts what the file can live on at this moment, "
        "against the goal.",
        {"at": 16.8},
    ),
    Picture(
        "replication_timeline",
        "Replication timeline",
        "How many live copies the master counts for each file. A death takes a copy away some seconds after "
        "the kill, when heartbeats have been missing for long enough; repair brings it back. Below the line "
        "is what the formulas predict: when each death was to be noticed, and when the files were to be whole"
        " again.",
        {"predict": True},
    ),
    Picture(
        "copies",
        "Copies made",
        "A bar is one copy from keeper to keeper, from the master's order to its arrival. The first of each "
        "file belong to its upload; later ones are repairs, and begin where the timeline above steps down. "
        "Two copies out of one keeper share its link and take twice as long.",
    ),
    Picture(
        "heartbeats",
        "Heartbeat raster",
        "A line a keeper, a tick a heartbeat. A cross is a heartbeat that was due and did not come; after one"
        " and a half intervals of silence the keeper is suspected, after the timeout it is held for dead, "
        "until it registers again. The grey range is when the death was predicted. A short pause raises "
        "suspicion and nothing more.",
        {"predict": True},
    ),
    Picture(
        "download_chunks",
        "Download, chunk by chunk",
        "A lane a keeper, a bar a request for a chunk. A keeper was killed in the middle of this download: "
        "what it was serving failed (✗) and was asked again of another holder (↻). Above, the rate so far "
        "against the ceiling, which is what the links of all holders carry together.",
        {"download": 12},
    ),
    Picture(
        "download_throughput",
        "Parallel download",
        "The rate of each download over the number of keepers that served it: each holder's link adds its 20 "
        "MB/s. The dashed curve is predicted from the links in force, the grey range is what whole chunks and"
        " round trips may cost. One download from three holders lost a keeper on its way; the one from four "
        "had a client of 30 MB/s, which no number of holders can get past.",
        {"name": "lectures/clip.mp4", "predict": True},
    ),
    Picture(
        "throughput",
        "Throughput over time",
        "All bytes a second, by what they were moved for. Uploads are as fast as one link, since the client "
        "sends to one keeper; copies follow each upload and each death; downloads rise with the number of "
        "their holders.",
    ),
    Picture(
        "storage_balance",
        "Storage balance",
        "What each keeper stores, by the state of the replicas, against the mean of the live keepers. The "
        "legend has how far the fullest is above that mean: 1 would be even. A state other than valid would "
        "be hatched.",
    ),
    Picture(
        "sequence",
        "The protocol: an upload",
        "Messages from the top down, one row each, with their true times on the left; the numbers are the "
        "protocol's seven steps. The client hears of success (6) as soon as one keeper holds the file; steps "
        "7, 4 and 5 make the other copies.",
        {"name": "notes.pdf"},
        "sequence_upload",
    ),
    Picture(
        "sequence",
        "The protocol: a download",
        "The client asks once, gets every live holder, and fetches from all of them at the same time; all "
        "chunks that one keeper served are one arrow, at the time of the last. This one was told to use one "
        "holder, whose replica was corrupt: a checksum gave it away, and the client went on with another.",
        {"name": "talk.mp4", "what": "download"},
        "sequence_download",
    ),
    Picture(
        "sequence",
        "The protocol: a repair",
        "From what happened to a keeper to the copy that makes up for it: the master tells source and target,"
        " the bytes go straight from one to the other, and the target reports as after an upload.",
        {"name": "lectures/clip.mp4", "what": "repair"},
        "sequence_repair",
    ),
)


def make(folder: Path) -> None:
    """Write the page and its pictures."""
    mpl.use("Agg")
    from matplotlib import pyplot

    lesson = dfslab.replay(TRACE)
    (folder / "gallery").mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        ax = getattr(lesson.plot, picture.method)(**picture.arguments)
        ax.figure.savefig(folder / picture.path, dpi=DOTS_PER_INCH, metadata={"Software": None})
        pyplot.close("all")
    (folder / "gallery.md").write_text("\n".join([HEAD, *map(section, PICTURES)]), "utf-8")


def section(picture: Picture) -> str:
    """Return the part of the page that shows a picture."""
    words = textwrap.fill(picture.words, 120)
    return f"## {picture.title}\n\n{words}\n\n`{picture.call}`\n\n![{picture.title}]({picture.path})\n"


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else REPO / "docs")
