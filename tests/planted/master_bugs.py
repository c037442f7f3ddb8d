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
        name="replica not recorded",
        wrong="A replica counts, and is in no record of the catalog.",
        changes=(Edit(f"{_MASTER}.replicas:put", "out.record(PutReplica(version.id, keeper_id, path))", "pass"),),
        breaks=frozenset({Guarantee.SURVIVES}),
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
        begin=4,
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
        begin=10,
    ),
    InHistories(
        name="old disk believed",
        wrong="A replica in a report counts without a look at its size and the digest of its checksums.",
        changes=(
            Edit(
                f"{_MASTER}.registration:_believe_replica",
                "stored.size != version.size or stored.digest != digest(version.checksums)",
                "False",
            ),
        ),
        breaks=frozenset({Guarantee.FENCED, Guarantee.SURVIVES}),
        begin=33,
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
        begin=2,
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
            Edit(f"{_MASTER}.planning:_Plan.target", "keeper.id not in taken and not busy", "not busy"),
            # ... and the keeper, which would refuse it, writes over what it has
            Edit("dfslab.core.keeper.keeper:Keeper._on_copy_ordered", "self._check_absent(event.version.id)", "pass"),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
    ),
    InHistories(
        name="repair given up",
        wrong="A copy that came to nothing is never tried again.",
        changes=(
            Edit(
                f"{_MASTER}.planning:_by_urgency",
                "if short.not_before <= now and",
                "if not short.failed_sources and not short.failed_targets and",
            ),
        ),
        breaks=frozenset({Guarantee.SURVIVES}),
        begin=1,
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
    ),
)
