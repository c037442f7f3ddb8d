"""Every error of the file system has words for the command line and an exit code."""

import inspect
from typing import Any

import pytest

from dfslab.cli.failures import Exit, exit_of, words_of
from dfslab.core import errors

VALUES: dict[str, Any] = {"str": "x", "int": 3, "float": 1.5, "bool": False, "Sequence[str]": ["a", "b"]}
PYTHON_CALLS = ("stat()", "files()", "restart(", "add_keeper()", "cluster.", "to=...")


def made(kind: type[errors.DfsError]) -> errors.DfsError:
    """Return an error of this kind, made from values of the right types."""
    parameters = inspect.signature(kind).parameters.values()
    return kind(**{one.name: VALUES[str(one.annotation)] for one in parameters if one.kind is one.KEYWORD_ONLY})


@pytest.mark.parametrize("kind", errors.REGISTRY.values(), ids=lambda kind: kind.__name__)
def test_every_error_has_an_exit_code_and_words(kind: type[errors.DfsError]) -> None:
    error = made(kind)

    assert exit_of(error) in Exit
    assert "{" not in words_of(error)


@pytest.mark.parametrize(
    "kind",
    [
        errors.NoSuchFile,
        errors.FileAlreadyExists,
        errors.NoLiveKeepers,
        errors.NotEnoughKeepers,
        errors.FileUnavailable,
        errors.UploadFailed,
        errors.UploadUnconfirmed,
        errors.DownloadFailed,
        errors.TargetUnwritable,
        errors.TargetMissing,
        errors.TargetForbidden,
        errors.SourceMissing,
        errors.SourceForbidden,
        errors.MasterUnavailable,
        errors.BadToken,
        errors.PortTaken,
        errors.DirectoryInUse,
        errors.WrongDirectory,
    ],
)
def test_what_people_meet_on_the_command_line_does_not_speak_of_python_calls(kind: type[errors.DfsError]) -> None:
    assert [call for call in PYTHON_CALLS if call in words_of(made(kind))] == []


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidName, 2),
        (errors.InvalidOption, 2),
        (errors.NoSuchFile, 3),
        (errors.SourceMissing, 3),
        (errors.TargetMissing, 3),
        (errors.BadToken, 4),
        (errors.KeeperFenced, 4),
        (errors.WrongCluster, 4),
        (errors.SourceForbidden, 4),
        (errors.MasterUnavailable, 5),
        (errors.FileUnavailable, 5),
        (errors.NotEnoughKeepers, 5),
        (errors.UploadUnconfirmed, 5),
        (errors.DownloadFailed, 5),
        (errors.PortTaken, 1),
        (errors.DirectoryInUse, 1),
        (errors.CatalogDamaged, 1),
        (errors.InternalError, 1),
    ],
)
def test_the_exit_code_is_the_one_that_the_help_promises(kind: type[errors.DfsError], code: int) -> None:
    assert exit_of(made(kind)) == code


def test_a_call_that_may_have_taken_effect_says_so() -> None:
    unsure = errors.MasterUnavailable(address="h:1", reason="no answer in time", definite=False)

    assert "the request may have taken effect" in words_of(unsure)


def test_errors_of_the_operating_system_name_the_file() -> None:
    assert words_of(OSError(28, "No space left on device", "/full/x")) == "/full/x: No space left on device"
