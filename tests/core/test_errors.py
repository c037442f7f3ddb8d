"""Errors teach, and travel: every one can be made again from its fields on the other side of a wire."""

from __future__ import annotations

import builtins
import copy
import importlib
import inspect
import json
import pickle
import pkgutil
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import dfslab.core
from dfslab.core.errors import (
    REGISTRY,
    DfsError,
    FileUnavailable,
    MasterUnavailable,
    NoLiveKeepers,
    Status,
    UnknownKeeper,
    UploadUnconfirmed,
    _remake,
)

BUILTIN_ERRORS = {
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception
}
SAMPLES: dict[Any, Any] = {str: "some/thing", int: 7, float: 1.25, bool: False, Sequence[str]: ["one", "two"]}
ERRORS = list(REGISTRY.values())


def sample_fields(kind: type[DfsError]) -> dict[str, Any]:
    """Return a value for each argument of an error."""
    hints = typing.get_type_hints(kind.__init__)
    names = [name for name in inspect.signature(kind).parameters if name in hints]
    return {name: SAMPLES[hints[name]] for name in names}


def subclasses(kind: type[DfsError]) -> Iterator[type[DfsError]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_error_class_of_the_core_is_in_the_registry_under_its_name() -> None:
    """DESIGN §5: one registry maps them to gRPC status codes and to the docs."""
    for module in pkgutil.walk_packages(dfslab.core.__path__, "dfslab.core."):
        importlib.import_module(module.name)

    ours = [kind for kind in subclasses(DfsError) if kind.__module__.startswith("dfslab.")]  # a test may have its own
    assert dict(REGISTRY) == {kind.__name__: kind for kind in ours}
    assert len(REGISTRY) >= 30


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_can_be_made_again_from_its_fields_as_json(kind: type[DfsError]) -> None:
    """proto/dfs.proto, Error: a name, and fields as a JSON object."""
    error = kind(**sample_fields(kind))

    again = REGISTRY[kind.__name__](**json.loads(json.dumps(error.fields)))

    assert type(again) is kind
    assert str(again) == str(error)
    assert (again.fields, again.definite) == (error.fields, error.definite)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_survives_pickling_and_copying(kind: type[DfsError]) -> None:
    """isolation="process": errors cross processes."""
    error = kind(**sample_fields(kind))

    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (str(again), again.fields, again.definite) == (str(error), error.fields, error.definite)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_is_also_the_builtin_that_a_python_user_would_catch(kind: type[DfsError]) -> None:
    """DESIGN §5."""
    assert set(kind.__mro__) & BUILTIN_ERRORS


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_says_what_happened_with_its_values_in_the_text(kind: type[DfsError]) -> None:
    error = kind(**sample_fields(kind))
    text = str(error)

    assert len(text) > 20
    assert "\n" not in text
    shown = {value for name, value in error.fields.items() if isinstance(value, str)}
    assert all(value in text for value in shown), (shown, text)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_sentence_for_the_docs_a_grpc_status_and_says_whether_it_is_definite(
    kind: type[DfsError],
) -> None:
    assert kind.__doc__
    assert kind.status in Status
    assert isinstance(kind(**sample_fields(kind)).definite, bool)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_can_be_raised_and_caught_as_any_of_its_bases(kind: type[DfsError]) -> None:
    for base in (kind, DfsError, *(set(kind.__mro__) & BUILTIN_ERRORS)):
        with pytest.raises(base):
            raise kind(**sample_fields(kind))


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_one_of_grpcs(status: Status) -> None:
    grpc = pytest.importorskip("grpc")

    assert grpc.StatusCode[status].name == status


@pytest.mark.parametrize("definite", [True, False])
def test_a_silent_master_says_whether_the_request_may_have_taken_effect(definite: bool) -> None:
    error = MasterUnavailable(address="h:1", reason="no answer in time", definite=definite)

    assert error.definite is definite
    assert ("nothing was changed" in str(error)) is definite
    assert pickle.loads(pickle.dumps(error)).definite is definite


def test_an_unconfirmed_upload_is_not_definite() -> None:
    error = UploadUnconfirmed(name="a", wanted=2, copies=1, waited_s=30.0)

    assert not error.definite
    assert isinstance(error, TimeoutError)


def test_errors_over_nobody_read_well() -> None:
    assert "tried without success" not in str(NoLiveKeepers())
    assert "no keeper known to the master" in str(FileUnavailable(name="a", holders=[]))
    assert "there are none" in str(UnknownKeeper(keeper="9", known=[]))


def test_an_error_is_remade_by_its_class_and_fields() -> None:
    assert str(_remake(UnknownKeeper, {"keeper": "9", "known": ["a"]})) == "no keeper 9; there are a"
