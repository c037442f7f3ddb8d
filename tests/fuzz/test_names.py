"""The rules of names, against rules written a second time, alone and through a real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.core.names import check_name
from tests.fuzz.oracles import is_a_name

pieces = st.sampled_from(
    ["", ".", "..", "...", "a", "~", "\\", "\0", "\x85", "é" * 127, "é" * 128, "x" * 255, "\ud800"]
)
some = st.lists(st.just("a"), max_size=2)
with_one_odd_part = st.builds(lambda before, odd, behind: "/".join([*before, odd, *behind]), some, pieces, some)
odd_names = st.lists(pieces | st.text(max_size=8), max_size=6).map("/".join) | with_one_odd_part


@given(odd_names | st.text(max_size=300))
@example("/".join(["x" * 255] * 16))
@example("/".join(["x" * 255] * 16 + ["y"]))
@example("\u2028")
@example("\x7f")
def test_the_rules_agree_with_the_same_rules_on_bytes(name: str) -> None:
    """DESIGN §5, FAULTS row 30."""
    if is_a_name(name):
        assert check_name(name) == name
        return
    with pytest.raises(errors.InvalidName) as caught:
        check_name(name)
    str(caught.value).encode()
    assert len(str(caught.value)) < 1000


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One cluster for all names."""
    with dfslab.cluster.start(1, replicas=1, name="fuzz-names") as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd_names)
@example("~")
@example("~root")
@example("a\\b")
@example(".dfslab-0.part")
def test_a_name_is_refused_without_a_trace_or_stored_listed_and_fetched_into_its_folder(
    shared: Cluster, tmp_path: Path, name: str
) -> None:
    """Guarantee 7: nothing outside the folder is written, whatever the name says."""
    folder = tmp_path / "downloads"
    folder.mkdir(exist_ok=True)
    with dfslab.Client(shared.address, token=shared.token) as client:
        if not is_a_name(name):
            with pytest.raises(errors.InvalidName):
                client.upload(b"refused", name=name)
            assert client.list() == []
            return
        client.upload(b"taken", name=name)
        assert [info.name for info in client.list()] == [name]
        got = client.download(name, folder)
        client.delete(name)
    assert (got.path.parent, got.path.name) == (folder, name.rsplit("/", 1)[-1])
    assert [path.name for path in tmp_path.iterdir()] == ["downloads"]
    assert [path.read_bytes() for path in folder.iterdir()] == [b"taken"]
    got.path.unlink()
