"""Which names are keys of the file system."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import InvalidName
from dfslab.core.names import MAX_NAME_BYTES, MAX_PART_BYTES, check_name

parts = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=60)
    .filter(lambda part: part not in (".", ".."))
    .filter(lambda part: len(part.encode()) <= MAX_PART_BYTES)
)
names = st.lists(parts, min_size=1, max_size=10).map("/".join)


@given(names)
def test_parts_joined_by_slashes_are_a_name_and_come_back_as_they_are(name: str) -> None:
    assert check_name(name) == name


@given(st.text(max_size=400))
def test_what_is_accepted_stays_inside_the_folder_it_is_put_in(name: str) -> None:
    """Guarantee 7, FAULTS 30: no name leads out."""
    try:
        check_name(name)
    except InvalidName:
        return
    pieces = name.split("/")
    assert all(piece not in ("", ".", "..") and "\0" not in piece for piece in pieces)
    assert all(len(piece.encode()) <= MAX_PART_BYTES for piece in pieces)


@given(names, st.sampled_from(["", ".", "..", "a\0", "x\n", "\x7f", "y" * 256]), st.integers(0, 10))
def test_one_bad_part_anywhere_spoils_a_name(name: str, bad: str, place: int) -> None:
    pieces = name.split("/")
    pieces.insert(place % (len(pieces) + 1), bad)

    with pytest.raises(InvalidName):
        check_name("/".join(pieces))


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "clip.mp4",
        "course/week 1/clip.mp4",
        "...",
        ".hidden",
        "видео/клип.mp4",
        "a\\b",
        "CON",
        "x" * 255,
        "é" * 127,
    ],
)
def test_everyday_and_odd_names_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("/etc/passwd", "it starts with '/'"),
        ("../x", "the part '..' is not allowed"),
        ("a/../b", "the part '..' is not allowed"),
        ("./a", "the part '.' is not allowed"),
        ("a//b", "the part '' is not allowed"),
        ("a/", "the part '' is not allowed"),
        ("a\0b", "it contains a control character"),
        ("a\x1bb", "it contains a control character"),
        ("a\x85b", "it contains a control character"),
        ("x" * 256, "a part has more than 255 bytes"),
        ("é" * 128, "a part has more than 255 bytes"),
        ("a/" * 2048 + "a", "it has 4097 bytes, 4096 are allowed"),
        ("\udcff", "it is not UTF-8"),
    ],
    ids=range(14),
)
def test_names_that_are_refused_are_told_why(name: str, reason: str) -> None:
    """FAULTS 30."""
    with pytest.raises(InvalidName) as caught:
        check_name(name)

    assert caught.value.fields["reason"] == reason
    assert reason in str(caught.value)
    str(caught.value).encode()


def test_the_longest_name_is_taken() -> None:
    name = "/".join(["x" * 255] * 16)

    assert len(name) == MAX_NAME_BYTES - 1
    assert check_name(name) == name


def test_a_hostile_name_makes_a_short_message() -> None:
    with pytest.raises(InvalidName) as caught:
        check_name("x" * 10**6)

    assert len(str(caught.value)) < 600
