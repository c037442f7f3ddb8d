"""FAULTS row 8: whatever happens to the catalog's files, the master refuses them, or they say what they said.

The catalogs are real ones, as a crash leaves them (with a log) and as a clean end does (without).
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfslab.core.errors import CatalogDamaged
from dfslab.core.master.instructions import CatalogRecord, ForgetReplica, PutKeeper, PutReplica, PutUpload, PutVersion
from dfslab.core.model import Version
from dfslab.runtime.catalog import Catalog

PAGE = 4096


@dataclass
class Sample:
    """A catalog's files, and what is in it."""

    folder: Path
    records: set[CatalogRecord]


def fill(catalog: Catalog, first: int, last: int) -> None:
    for number in range(first, last):
        version = Version(f"v{number}-0000000000", f"course/clip-{number}.mp4", 1000, 100, b"0123" * 10, 1.5)
        catalog.append(
            [
                PutVersion(version),
                PutUpload(f"upload-{number}", version.id, 1, 2.5),
                *(PutReplica(version.id, f"keeper-{k}", f"/disk/{k}/replicas/{version.id}.data") for k in (1, 2, 3)),
            ]
        )
        catalog.append([PutKeeper("keeper-1", number), ForgetReplica(version.id, "keeper-3")])


def copy_files(source: Path, target: Path) -> None:
    """Copy a catalog as the disk has it, without what SQLite keeps in memory."""
    target.mkdir()
    for path in source.iterdir():
        if not path.name.endswith("-shm"):
            shutil.copyfile(path, target / path.name)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    """Catalogs as a clean end, a crash early on, and a crash with half of it still in the log leave them."""
    made: dict[str, Sample] = {}

    def keep(name: str, catalog: Catalog) -> None:
        folder = tmp_path_factory.mktemp("samples") / "files"
        copy_files(catalog.path.parent, folder)
        made[name] = Sample(folder, set(catalog.load().records()))

    catalog = Catalog(tmp_path_factory.mktemp("live") / "catalog.sqlite")
    fill(catalog, 1, 12)
    keep("all in the log", catalog)
    catalog._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    fill(catalog, 12, 20)
    keep("half in the log", catalog)
    catalog.close()
    again = Catalog(catalog.path)
    records = set(again.load().records())
    again.close()
    folder = tmp_path_factory.mktemp("samples") / "files"
    copy_files(catalog.path.parent, folder)
    made["closed"] = Sample(folder, records)
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


def refused_or_equal(folder: Path, sample: Sample) -> bool:
    """Open a catalog; True when it was refused with nothing changed, False when it says what it always said."""
    before = files_of(folder)
    try:
        catalog = Catalog(folder / "catalog.sqlite")
    except CatalogDamaged as error:
        said = str(error)
    else:
        found = set(catalog.load().records())
        catalog.close()
        assert found == sample.records
        return False
    assert files_of(folder) == before
    assert str(folder / "catalog.sqlite") in said
    assert "nothing was overwritten" in said
    assert "restore" in said
    return True


MOSTLY_READ = {
    ("closed", "catalog.sqlite"),
    ("all in the log", "catalog.sqlite-wal"),
    ("half in the log", "catalog.sqlite-wal"),
}
"""Files of which nearly every page counts; of the others, the log has newer pages."""
SAMPLES = ("all in the log", "half in the log", "closed")


@pytest.mark.parametrize("name", SAMPLES)
def test_undamaged_they_say_what_was_committed(samples: dict[str, Sample], name: str, tmp_path: Path) -> None:
    sample = samples[name]
    copy_files(sample.folder, tmp_path / "files")

    assert len(sample.records) > 30
    assert ("catalog.sqlite-wal" in files_of(sample.folder)) == (name != "closed")
    assert not refused_or_equal(tmp_path / "files", sample)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("file", ["catalog.sqlite", "catalog.sqlite-wal"])
def test_a_flipped_bit_in_any_page_is_refused_or_harmless(
    samples: dict[str, Sample], name: str, file: str, tmp_path: Path
) -> None:
    sample = samples[name]
    if not (sample.folder / file).exists():
        return  # a catalog that was closed has no log
    size, refused = (sample.folder / file).stat().st_size, 0
    chance = random.Random(size)
    for page, offset in enumerate(range(0, size, PAGE)):
        folder = tmp_path / str(page)
        copy_files(sample.folder, folder)
        content = bytearray((folder / file).read_bytes())
        content[min(size - 1, offset + chance.randrange(PAGE))] ^= 1 << chance.randrange(8)
        (folder / file).write_bytes(content)
        refused += refused_or_equal(folder, sample)
        shutil.rmtree(folder)
    if (name, file) in MOSTLY_READ:
        assert refused >= size // PAGE // 4  # much of a page is room to spare


def zeroed(content: bytes) -> bytes:
    return bytes(len(content))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut to nothing": lambda content: b"",
    "cut to a half": lambda content: content[: len(content) // 2],
    "its last byte lost": lambda content: content[:-1],
    "zeroed": zeroed,
    "its second half zeroed": lambda content: content[: len(content) // 2] + zeroed(content[len(content) // 2 :]),
    "garbage": lambda content: random.Random(1).randbytes(len(content)),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("file", ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-mark"])
@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
def test_a_file_that_is_cut_zeroed_garbage_or_missing_is_refused(
    samples: dict[str, Sample], name: str, file: str, damage: str, tmp_path: Path
) -> None:
    sample, folder = samples[name], tmp_path / "files"
    copy_files(sample.folder, folder)
    path = folder / file
    if not path.exists():
        return
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))

    refused = refused_or_equal(folder, sample)

    newer_in_log = name != "closed" and file == "catalog.sqlite"
    end_is_old = (name, file, damage) == ("half in the log", "catalog.sqlite-wal", "its last byte lost")
    assert refused or newer_in_log or end_is_old


def test_an_older_copy_of_the_file_beside_a_newer_mark_is_refused(samples: dict[str, Sample], tmp_path: Path) -> None:
    """An operator copied yesterday's file into place: that is what `dfslab restore` is for."""
    folder = tmp_path / "files"
    copy_files(samples["closed"].folder, folder)
    with_log = samples["all in the log"].folder
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        shutil.copyfile(with_log / name, folder / name)

    assert refused_or_equal(folder, samples["closed"])


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, str, str, float, float, int]:
    return (
        draw(st.sampled_from(SAMPLES)),
        draw(st.sampled_from(["catalog.sqlite", "catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-mark"])),
        draw(st.sampled_from(["flip", "zero", "garbage", "cut", "swap", "stale"])),
        draw(st.floats(0, 1, exclude_max=True)),
        draw(st.floats(0, 1, exclude_max=True)),
        draw(st.integers(0, 7)),
    )


def apply_damage(content: bytearray, kind: str, where: float, width: float, bit: int, older: bytes) -> bytes:
    start = int(where * len(content))
    stop = min(len(content), start + 1 + int(width * 3 * PAGE))
    page, other = start // PAGE * PAGE, int(width * len(content)) // PAGE * PAGE
    if kind == "flip":
        content[start] ^= 1 << bit
    elif kind == "zero":
        content[start:stop] = bytes(stop - start)
    elif kind == "garbage":
        content[start:stop] = random.Random(start).randbytes(stop - start)
    elif kind == "cut":
        del content[start:]
    elif kind == "swap":  # two pages change places, as a mistaken disk might have it
        content[page : page + PAGE], content[other : other + PAGE] = (
            content[other : other + PAGE],
            content[page : page + PAGE],
        )
    else:  # a write that the disk never made: the page is an older one
        content[page : page + PAGE] = older[page : page + PAGE] or bytes(PAGE)
    return bytes(content)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=damages())
def test_random_damage_is_refused_or_changes_nothing_that_is_read(
    samples: dict[str, Sample], tmp_path: Path, damage: tuple[str, str, str, float, float, int]
) -> None:
    name, file, kind, where, width, bit = damage
    sample, folder = samples[name], tmp_path / "files"
    copy_files(sample.folder, folder)
    try:
        path = folder / file
        if path.exists() and path.stat().st_size:
            older = (samples["half in the log"].folder / file).read_bytes()
            path.write_bytes(apply_damage(bytearray(path.read_bytes()), kind, where, width, bit, older))
            refused_or_equal(folder, sample)
    finally:
        shutil.rmtree(folder)
