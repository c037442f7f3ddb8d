"""Bugs in what makes the cores real, for the tests that run real disks, sockets and servers to find."""

from __future__ import annotations

from tests.planted.mutant import Edit, InTests

_RUNTIME = "dfslab.runtime"
_STORAGE = ("tests/runtime/test_storage.py",)

RUNTIME_BUGS = (
    InTests(
        name="client checks no block",
        wrong="A client hands on what a keeper sends without a look at the blocks' checksums.",
        changes=(Edit(f"{_RUNTIME}.data_client:_check_blocks", "if bad is not None:", "if False:"),),
        tests=("tests/faults/test_disks.py",),
    ),
    InTests(
        name="scan checks no sum",
        wrong="A keeper reports a replica whose checksums file is damaged as if it were sound.",
        changes=(Edit(f"{_RUNTIME}.checksums_file:read", "if content[:SIZE] != crc(content[SIZE:]):", "if False:"),),
        tests=_STORAGE,
    ),
    InTests(
        name="directory not locked",
        wrong="Two keepers may work in one directory.",
        changes=(
            Edit(
                f"{_RUNTIME}.storage:DirectoryLock.__init__",
                "fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
                "pass",
            ),
        ),
        tests=_STORAGE,
    ),
    InTests(
        name="killed keeper publishes",
        wrong="A keeper that was killed goes on with the steps that publish a replica.",
        changes=(
            Edit(
                f"{_RUNTIME}.shelf_directory:ShelfDirectory.take",
                "self._gate.check()\n    action()",
                "action()",
            ),
        ),
        tests=_STORAGE,
    ),
    InTests(
        name="temporary file stays",
        wrong="What was written aside stays when a write is given up.",
        changes=(Edit(f"{_RUNTIME}.replica_writer:ReplicaWriter.abort", "self._shelf.unlink(name)", "pass"),),
        tests=_STORAGE,
    ),
    InTests(
        name="any version id is a path",
        wrong="A path is made from whatever a stranger calls a version.",
        changes=(Edit(f"{_RUNTIME}.storage:check_version", "if not VERSION_ID.fullmatch(version):", "if False:"),),
        tests=_STORAGE,
    ),
    InTests(
        name="any length is read",
        wrong="A frame may announce any length, and so much is waited for.",
        changes=(Edit(f"{_RUNTIME}.frames:body_length", "if length > MAX_MESSAGE_BYTES:", "if False:"),),
        tests=("tests/runtime/test_frames.py", "tests/fuzz/test_frames.py"),
    ),
    InTests(
        name="data port asks for no proof",
        wrong="Whoever reaches a keeper's data port is served, with the cluster's token or without.",
        changes=(
            Edit(
                f"{_RUNTIME}.data_server:DataServer._proven",
                "if not hmac.compare_digest(proof, request.proof):",
                "if False:",
            ),
        ),
        tests=("tests/cluster/test_security.py", "tests/faults/test_security.py"),
    ),
    InTests(
        name="control port asks for no token",
        wrong="Every call is answered, with the cluster's token or without.",
        changes=(
            Edit(
                f"{_RUNTIME}.rpc:_TokenCheck.intercept_service",
                "if hmac.compare_digest(str(given).encode(), self._token) or handler is None:",
                "if True:",
            ),
        ),
        tests=("tests/runtime/test_rpc.py", "tests/cluster/test_security.py", "tests/faults/test_security.py"),
    ),
    InTests(
        name="catalog keeps half a commit",
        wrong="The records of one event become durable one by one: a death between them keeps some.",
        changes=(
            Edit(
                f"{_RUNTIME}.catalog:Catalog._transaction",
                'self._db.execute("BEGIN IMMEDIATE")\n    try:\n        yield\n        self._db.execute("COMMIT")',
                "try:\n        yield",
            ),
        ),
        tests=("tests/runtime/test_catalog.py",),
    ),
)
