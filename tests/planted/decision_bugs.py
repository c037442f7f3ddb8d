"""Bugs in the decisions that the tests of the core find.

The simulator does not find these, and with a reason: the next registration, a refusal or a later scan
makes good what they do before a guarantee breaks. They still cost copies, or a second line of defence.
"""

from __future__ import annotations

from tests.planted.mutant import Edit, InTests

_MASTER = "dfslab.core.master"
_KEEPER = "dfslab.core.keeper.keeper:Keeper"
_REGISTRATION = ("tests/core/test_registration.py",)
_REPAIR = ("tests/core/test_repair.py",)
_UPLOADS = ("tests/core/test_uploads.py",)

DECISION_BUGS = (
    InTests(
        name="replica not recorded",
        wrong="A replica counts, and is in no record of the catalog.",
        changes=(Edit(f"{_MASTER}.replicas:put", "out.record(PutReplica(version.id, keeper_id, path))", "pass"),),
        tests=(
            "tests/core/test_uploads.py",
            "tests/core/test_repair.py",
        ),
    ),
    InTests(
        name="old disk believed",
        wrong="A replica in a report counts without a look at its size and the digest of its checksums.",
        changes=(
            Edit(
                f"{_MASTER}.registration:_believe_replica",
                "stored.size != version.size or stored.digest != digest(version.checksums)",
                "False",
            ),
        ),
        tests=_REGISTRATION,
    ),
    InTests(
        name="step 4 under a lapsed registration",
        wrong="The master records a replica that is told of under an incarnation which is not the keeper's any more.",
        changes=(
            Edit(
                f"{_MASTER}.uploads:on_replica_stored",
                "not keeper.serves or keeper.incarnation != event.incarnation",
                "not keeper.serves",
            ),
        ),
        tests=_REGISTRATION,
    ),
    InTests(
        name="lapsed drop confirmed",
        wrong="A replica is taken off the table because of a drop that was confirmed in an earlier registration.",
        changes=(
            Edit(
                f"{_MASTER}.repair:on_replica_dropped",
                "if keeper is not None and keeper.incarnation == event.incarnation:",
                "if keeper is not None:",
            ),
        ),
        tests=_REPAIR,
    ),
    InTests(
        name="late registration",
        wrong="A registration that was overtaken by a newer one is believed all the same.",
        changes=(
            Edit(
                f"{_MASTER}.registration:on_register",
                "if event.boot == keeper.boot and 0 < event.sequence <= keeper.sequence:",
                "if False:",
            ),
        ),
        tests=_REGISTRATION,
    ),
    InTests(
        name="earlier life registers",
        wrong="A registration that an earlier process of a keeper has sent is believed.",
        changes=(Edit(f"{_MASTER}.registration:on_register", "if event.boot in keeper.superseded:", "if False:"),),
        tests=_REGISTRATION,
    ),
    InTests(
        name="last copy dropped",
        wrong="An order to drop a replica is repeated although too few good copies are left meanwhile.",
        changes=(
            Edit(
                f"{_MASTER}.repair:_drop_again",
                "if version.deleted or state.live_copies(version_id) >= wanted:",
                "if True:",
            ),
        ),
        tests=_REPAIR,
    ),
    InTests(
        name="orphans collected at once",
        wrong="A replica of which the master has not heard yet is deleted, although its upload is under way.",
        changes=(
            Edit(
                f"{_MASTER}.repair:_collect_orphans",
                "if now - since >= state.options.orphan_grace_s and version_id not in state.upload_of:",
                "if True:",
            ),
        ),
        tests=_REGISTRATION,
    ),
    InTests(
        name="late copies wait for ever",
        wrong="A copy of which nothing is heard any more is never given up.",
        changes=(Edit(f"{_MASTER}.master:_on_tick", "copies.abandon_late(state, now, out)", "pass"),),
        tests=_REPAIR,
    ),
    InTests(
        name="lapsed order obeyed",
        wrong="A keeper obeys an order that was given to an earlier registration of it.",
        changes=(Edit(f"{_KEEPER}._check_incarnation", "if incarnation != self.incarnation or", "if False and"),),
        tests=("tests/core/test_keeper.py",),
    ),
    InTests(
        name="heartbeat under a lapsed registration",
        wrong="A heartbeat counts under whatever incarnation.",
        changes=(
            Edit(
                f"{_MASTER}.registration:on_heartbeat",
                "not keeper.serves or keeper.incarnation != event.incarnation",
                "not keeper.serves",
            ),
        ),
        tests=_REGISTRATION,
    ),
    InTests(
        name="no safe mode",
        wrong="A restarted master copies and deletes before the keepers have reported.",
        changes=(
            Edit(
                f"{_MASTER}.master:Master._load_keepers",
                "state.safe_until = now + state.options.heartbeat_timeout_s + state.options.heartbeat_interval_s",
                "pass",
            ),
        ),
        tests=_REGISTRATION,
    ),
    InTests(
        name="surplus trimmed at once",
        wrong="A keeper that is back has its copies trimmed without a calm period in which others are verified.",
        changes=(
            Edit(f"{_MASTER}.planning:propose_drops", "now - since >= state.options.heartbeat_timeout_s", "True"),
        ),
        tests=_REPAIR,
    ),
    InTests(
        name="last bad copy dropped",
        wrong="A corrupt replica is deleted although no good one is known.",
        changes=(Edit(f"{_MASTER}.planning:corrupt_to_drop", "(live >= 1 and not has_spare)", "True"),),
        tests=_REPAIR,
    ),
    InTests(
        name="not recorded, and kept",
        wrong="A keeper keeps a replica that the master told it to delete.",
        changes=(Edit(f"{_KEEPER}._on_stored_answered", "if event.keep or event", "if True or event"),),
        tests=("tests/core/test_keeper.py",),
    ),
)
