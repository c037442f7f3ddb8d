"""Bugs in the master's decisions, for the simulator to find."""

from __future__ import annotations

from dfslab.core.guarantees import Guarantee
from tests.planted.mutant import Edit, InHistories

_MASTER = "dfslab.core.master"

MASTER_BUGS = (
    InHistories(
        name="upload not recorded",
        wrong="An upload is acknowledged, and its version is in no record of the catalog.",
        changes=(
            Edit(f"{_MASTER}.uploads:_commit", "out.record(PutVersion(version), PutUpload(", "out.record(PutUpload("),
        ),
        breaks=frozenset({Guarantee.DURABLE}),
    ),
    InHistories(
        name="acknowledged before the record",
        wrong="The master answers while the records of the answer are still being written.",
        changes=(
            Edit(
                "dfslab.sim.master:SimMaster._handle_queue",
                "self._busy = True",
                "self._busy = True\n        [self._carry_out(one) for one in todo]",
            ),
        ),
        breaks=frozenset({Guarantee.DURABLE}),
    ),
    InHistories(
        name="acknowledged with too few copies",
        wrong="An upload is acknowledged once it is committed, whatever number of copies it waits for.",
        changes=(
            Edit(
                f"{_MASTER}.uploads:_is_settled",
                "return state.live_copies(version.id) >= upload.ack_replicas",
                "return True",
            ),
        ),
        breaks=frozenset({Guarantee.DURABLE}),
    ),
    InHistories(
        name="report not believed",
        wrong="A replica goes on counting although its keeper's report does not have it.",
        changes=(Edit(f"{_MASTER}.registration:_believe_report", "if version_id not in reported:", "if False:"),),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=21,
    ),
    InHistories(
        name="drop not repeated",
        wrong="An order to drop a replica that got lost is not given again.",
        changes=(
            Edit(
                f"{_MASTER}.repair:run_scan",
                "drops, again = propose_drops(state, now), list(state.unconfirmed_drops)",
                "drops, again = propose_drops(state, now), []",
            ),
        ),
        breaks=frozenset({Guarantee.TIDY}),
        begin=1,
    ),
    InHistories(
        name="orphans stay",
        wrong="A replica that belongs to no file is never deleted.",
        changes=(Edit(f"{_MASTER}.repair:_collect_orphans", "if now - since >=", "if False and now - since >="),),
        breaks=frozenset({Guarantee.TIDY}),
        begin=20,
    ),
    InHistories(
        name="ids given twice",
        wrong="A restarted master counts its versions from one again, so that two uploads share a version.",
        changes=(
            Edit(
                f"{_MASTER}.state:MasterState.new_version_id",
                "{self.rng.getrandbits(40):010x}",
                "0000000000",
            ),
        ),
        breaks=frozenset({Guarantee.EXACT, Guarantee.DURABLE, Guarantee.FENCED}),
        begin=1,
    ),
    InHistories(
        name="repair to its own source",
        wrong="A copy may be ordered to a keeper that has the file already, its source among them.",
        changes=(
            Edit(f"{_MASTER}.planning:_Plan.target", "keeper not in taken and load", "load"),
            # ... and the keeper, which would refuse it, writes over what it has
            Edit("dfslab.core.keeper.keeper:Keeper._on_copy_ordered", "self._check_absent(event.version.id)", "pass"),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=2,
    ),
    InHistories(
        name="repair given up",
        wrong="A copy that came to nothing is never tried again.",
        changes=(
            Edit(f"{_MASTER}.copies:_give_up", "now + short.retry_s)", "float('inf'))"),
            Edit(f"{_MASTER}.repair:run_scan", "state.end_all_pauses(now)", "pass"),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=10,
    ),
    InHistories(
        name="found bad, and forgotten",
        wrong="The report of a reader that found bad bytes changes nothing.",
        changes=(
            Edit(
                f"{_MASTER}.repair:on_bad_replica",
                "if row is not None and row.state is not ReplicaState.CORRUPT:",
                "if False:",
            ),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=3,
    ),
    InHistories(
        name="overwritten version stays",
        wrong="The replicas of a version that was overwritten are never dropped.",
        changes=(
            Edit(
                f"{_MASTER}.uploads:retire",
                "replicas.order_drop(state, version, keeper_id, out, cause, reason=reason)",
                "pass",
            ),
        ),
        breaks=frozenset({Guarantee.TIDY}),
        begin=2,
    ),
    InHistories(
        name="delete not recorded",
        wrong="A deletion is answered, and in no record of the catalog.",
        changes=(Edit(f"{_MASTER}.namespace:on_delete", "out.record(PutVersion(version))", "pass"),),
        breaks=frozenset({Guarantee.WHOLE_VERSIONS, Guarantee.SURVIVES}),
        begin=17,
    ),
    InHistories(
        name="rename not recorded",
        wrong="A rename is answered, and in no record of the catalog.",
        changes=(Edit(f"{_MASTER}.namespace:on_rename", "out.record(PutVersion(version))", "pass"),),
        breaks=frozenset({Guarantee.WHOLE_VERSIONS, Guarantee.REMEMBERED}),
        begin=1,
    ),
    InHistories(
        name="dead keeper counted",
        wrong="A replica on a keeper that is dead counts as a copy.",
        changes=(
            Edit(
                f"{_MASTER}.state:MasterState.live_copies",
                "row.state is ReplicaState.VALID and self.is_alive(row.keeper)",
                "row.state is ReplicaState.VALID",
            ),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=2,
    ),
    InHistories(
        name="nobody is declared dead",
        wrong="A keeper that has fallen silent is never given up.",
        changes=(Edit(f"{_MASTER}.master:_on_tick", "registration.declare_the_dead(state, now, out)", "pass"),),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=1,
    ),
    InHistories(
        name="trimmed below the goal",
        wrong="A file with too many copies is left with one too few.",
        changes=(
            Edit(
                f"{_MASTER}.planning:_surplus_of",
                "live[: len(live) - state.options.replicas]",
                "live[: len(live) - state.options.replicas + 1]",
            ),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=1,
    ),
    InHistories(
        name="upload forgotten",
        wrong="The master does not remember an upload's id: a retry makes a second file.",
        changes=(
            Edit(
                f"{_MASTER}.uploads:on_begin_upload",
                "upload = state.uploads.get(event.upload_id)",
                "upload = None",
            ),
        ),
        breaks=frozenset({Guarantee.WHOLE_VERSIONS}),
        begin=8,
    ),
)
