"""What makes the core real: threads, gRPC servers, the TCP data plane, the disk, the catalog.

gRPC reads these settings when it is first imported, so they are made here: its C core writes to
stderr when a peer dies (in a graded notebook that fails the student) and when a process forks (as
`!ls` in a cell does). What went wrong reaches people as an exception or a line in the trace.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
