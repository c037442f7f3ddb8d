"""A student's policy: used, and harmless when it is wrong."""

import pytest

from dfslab.core.errors import PolicyFailed
from tests.cluster.conftest import Starter


class Raises:
    def choose(self, candidates, size, rng):  # type: ignore[no-untyped-def]
        raise ZeroDivisionError("oops")


class ChoosesNobody:
    def choose(self, candidates, size, rng):  # type: ignore[no-untyped-def]
        return "keeper-99"


@pytest.mark.parametrize("wrong", [Raises, ChoosesNobody])
def test_a_placement_that_fails_fails_the_upload_by_name_and_nothing_else(start: Starter, wrong: type) -> None:
    cluster = start(placement=wrong)

    with pytest.raises(PolicyFailed, match="placement"):
        cluster.upload(b"x", name="x")

    assert cluster.files().empty
    assert cluster.keepers().is_alive.all()
    assert set(cluster.keepers().incarnation) == {1}, "the master had to start again"
    cluster.close()


def test_a_detector_that_fails_buries_nobody_and_is_reported_once(start: Starter) -> None:
    class Confused:
        def heard(self, keeper, now):  # type: ignore[no-untyped-def]
            pass

        def forget(self, keeper):  # type: ignore[no-untyped-def]
            pass

        def is_overdue(self, keeper, now):  # type: ignore[no-untyped-def]
            raise KeyError(keeper)

    cluster = start(failure_detector=Confused)
    cluster.upload(b"x", name="x")
    cluster.wait_for_replicas()
    while cluster.events().kind.tolist().count("heartbeat") < 12:
        cluster._recorder.wait_for_change(1.0)

    assert cluster.keepers().is_alive.all()
    errors = cluster.events().query("kind == 'node_error'")
    assert len(errors) == 1
    assert "failure_detector" in errors.detail.iloc[0]
    cluster.close()
