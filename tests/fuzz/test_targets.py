"""Any bytes, into everything that reads bytes; and every input that is kept, into every target."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=60)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused_by_name(target: str, data: bytes) -> None:
    """FAULTS rows 8, 18, 30, 32."""
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_that_is_kept_passes_through_every_target(target: str) -> None:
    """A crash that the fuzzer once found stays found."""
    for path in INPUTS:
        try:
            TARGETS[target](path.read_bytes())
        except BaseException as error:
            error.add_note(f"found by {path}: python tools/fuzz.py {target} {path}")
            raise


def test_every_target_has_inputs_and_all_of_them_are_small() -> None:
    """A corpus of many small files: what the fuzzer starts from."""
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
    assert max(path.stat().st_size for path in INPUTS) <= 4096
    assert sum(path.stat().st_size for path in INPUTS) <= 128 * 1024
