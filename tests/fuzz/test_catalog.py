"""Any catalog comes back as it was committed; a damaged one is refused, named and left as it is."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dfslab.core.master.instructions import CatalogRecord, PutKeeper, PutReplica, PutUpload, PutVersion
from dfslab.core.model import Version
from dfslab.runtime.catalog import Catalog
from tests.fuzz.oracles import is_a_name
from tests.fuzz.targets import RECORDS, check_damaged_catalog, sound_catalog

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(max_size=20).filter(is_a_name)
counts = st.integers(0, 2**62)
moments = st.floats(0, 1e12)


@st.composite
def versions(draw: st.DrawFn, number: int) -> Version:
    """Return a version with as many checksums as its size wants; its name is its own, so that it may be current."""
    size, block_size = draw(st.integers(0, 40)), draw(st.integers(1, 2**32))
    checksums = draw(st.binary(min_size=4 * -(-size // block_size), max_size=4 * -(-size // block_size)))
    name = f"{number}/{draw(names)}"
    return Version(f"v{number}-0123456789", name, size, block_size, checksums, draw(moments), draw(st.booleans()))


@st.composite
def catalogs(draw: st.DrawFn) -> list[CatalogRecord]:
    """Return the records of a catalog, one of each key."""
    keepers = draw(st.lists(names, max_size=4, unique=True))
    records: list[CatalogRecord] = [PutKeeper(keeper, draw(counts), draw(st.booleans())) for keeper in keepers]
    for number in range(draw(st.integers(0, 4))):
        version = draw(versions(number))
        records.append(PutVersion(version))
        holders = draw(st.lists(st.sampled_from(keepers), unique=True)) if keepers else []
        records.extend(PutReplica(version.id, keeper, draw(texts), draw(st.booleans())) for keeper in holders)
        records.append(PutUpload(f"{number}{draw(texts)}", version.id, draw(st.integers(1, 2**31)), draw(moments)))
    return records


@settings(max_examples=30)
@given(catalogs(), st.integers(1, 5))
def test_any_records_come_back_after_reopening(records: list[CatalogRecord], batch: int) -> None:
    """Guarantee 5, however the records were cut into commits."""
    with tempfile.TemporaryDirectory(prefix="dfslab-fuzz-") as folder:
        path = Path(folder) / "catalog.sqlite"
        catalog = Catalog(path)
        for at in range(0, len(records), batch):
            catalog.append(records[at : at + batch])
        assert as_set(catalog.load().records()) == as_set(records)
        catalog.close()

        again = Catalog(path)
        assert as_set(again.load().records()) == as_set(records)
        again.close()


def as_set(records: Iterable[CatalogRecord]) -> set[CatalogRecord]:
    """Return records for comparison: their order is not part of a catalog."""
    return set(records)


@functools.cache
def killed_catalog() -> dict[str, bytes]:
    """Return the files of the same catalog as a kill leaves them: the newest commits are in the log only."""
    with tempfile.TemporaryDirectory(prefix="dfslab-fuzz-") as folder, tempfile.TemporaryDirectory() as copied:
        catalog = Catalog(Path(folder) / "catalog.sqlite")
        for record in RECORDS:
            catalog.append([record])
        for path in Path(folder).iterdir():
            if not path.name.endswith("-shm"):
                shutil.copyfile(path, Path(copied) / path.name)
        catalog.close()
        return {path.name: path.read_bytes() for path in Path(copied).iterdir()}


@settings(max_examples=120)
@given(st.data(), st.sampled_from([sound_catalog, killed_catalog]))
def test_damage_anywhere_in_any_of_its_files_is_found_or_harmless(data: st.DataObject, state: object) -> None:
    """FAULTS row 8: bytes overwritten, cut off, added, or swapped for those of another place."""
    files: Mapping[str, bytes] = state()  # type: ignore[operator]
    name = data.draw(st.sampled_from(sorted(name for name, content in files.items() if content)))
    content = files[name]
    at = data.draw(st.integers(0, len(content) - 1))
    match data.draw(st.sampled_from(["flip", "flip", "overwrite", "cut", "add", "blank", "swap"])):
        case "flip":
            damaged = content[:at] + bytes([content[at] ^ (1 << data.draw(st.integers(0, 7)))]) + content[at + 1 :]
        case "overwrite":
            put = data.draw(st.binary(min_size=1, max_size=64))
            damaged = (content[:at] + put + content[at + len(put) :])[: len(content)]
        case "cut":
            damaged = content[:at]
        case "add":
            damaged = content + data.draw(st.binary(min_size=1, max_size=64))
        case "blank":
            page = at // 512 * 512
            damaged = content[:page] + bytes(len(content[page : page + 512])) + content[page + 512 :]
        case _:
            other = data.draw(st.integers(0, len(content) - 1))
            part = content[other : other + 512]
            damaged = (content[:at] + part + content[at + len(part) :])[: len(content)]

    check_damaged_catalog({**files, name: damaged})


@given(st.sampled_from([sound_catalog, killed_catalog]), st.data())
def test_a_file_of_it_that_is_gone_is_missed(state: object, data: st.DataObject) -> None:
    files: Mapping[str, bytes] = state()  # type: ignore[operator]
    gone = data.draw(st.sampled_from(sorted(name for name, content in files.items() if content)))

    check_damaged_catalog({name: content for name, content in files.items() if name != gone})
