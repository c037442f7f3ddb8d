"""Generate dfslab/runtime/dfs_pb2* from proto/dfs.proto (run as `make proto`).

Usage: python tools/generate_proto.py [OUTPUT_ROOT]
"""

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def generate(output: Path) -> None:
    """Write the generated modules under `output`/dfslab/runtime."""
    (output / "dfslab" / "runtime").mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-Idfslab/runtime={REPO / 'proto'}",
        f"--python_out={output}",
        f"--pyi_out={output}",
        f"--grpc_python_out={output}",
        f"--mypy_grpc_out=quiet:{output}",
        "dfslab/runtime/dfs.proto",
    ]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    subprocess.run(command, check=True, env={**os.environ, "PATH": path}, cwd=REPO)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else REPO)
