"""The project's own files agree with each other."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
GENERATED = ("dfs_pb2.py", "dfs_pb2.pyi", "dfs_pb2_grpc.py", "dfs_pb2_grpc.pyi")


def test_environment_yml_names_the_same_packages_as_pyproject() -> None:
    environment = yaml.safe_load((REPO / "environment.yml").read_text())
    packages = [entry for entry in environment["dependencies"] if isinstance(entry, str)]

    assert sorted(packages) == sorted([*PROJECT["dependencies"], f"python{PROJECT['requires-python']}", "pip"])


def test_the_generated_protocol_code_is_not_stale(tmp_path: Path) -> None:
    subprocess.run([sys.executable, REPO / "tools" / "generate_proto.py", tmp_path], check=True)

    for name in GENERATED:
        committed = (REPO / "dfslab" / "runtime" / name).read_text()
        assert (tmp_path / "dfslab" / "runtime" / name).read_text() == committed, f"{name} is stale: run `make proto`"


def test_what_is_imported_comes_with_what_needs_it() -> None:
    code = (
        "import sys, dfslab\n"
        "def heavy(): return [m for m in ('grpc', 'pandas', 'matplotlib', 'ipywidgets', 'numpy') if m in sys.modules]\n"
        "print(heavy())\n"
        "dfslab.cluster.start(n=3).close()\n"
        "print(heavy())\n"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert (done.stdout.split("\n"), done.stderr) == (["[]", "['grpc']", ""], "")


def test_every_public_name_is_found_and_listed() -> None:
    import dfslab

    assert all(getattr(dfslab, name) is not None for name in dfslab.__all__)
    assert set(dfslab.__all__) <= set(dir(dfslab))
    with pytest.raises(AttributeError, match="no attribute 'clusters'"):
        _ = dfslab.clusters


def test_grpc_is_told_to_write_nothing_to_stderr_before_it_is_imported() -> None:
    """Its C core writes a line, now and then, when a peer dies, and another when the process forks."""
    code = (
        "import os, sys\n"
        "class Spy:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'grpc':\n"
        "            print(os.environ.get('GRPC_VERBOSITY'), os.environ.get('GRPC_ENABLE_FORK_SUPPORT'))\n"
        "sys.meta_path.insert(0, Spy())\n"
        "import dfslab\n"
        "dfslab.cluster\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)

    assert done.stdout.split() == ["NONE", "0"]


def test_the_wheel_carries_the_samples_and_the_package_works_from_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(tmp_path), str(REPO)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("dfslab-*.whl")
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)

    code = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import dfslab\n"
        "videos = dfslab.samples.videos()\n"
        "with dfslab.cluster.start(n=3) as cluster:\n"
        "    sizes = [cluster.upload(video).size for video in videos]\n"
        "print(dfslab.__file__, len(videos), sizes == [video.stat().st_size for video in videos])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)

    where, count, same = done.stdout.split()
    assert Path(where).is_relative_to(target)
    assert int(count) >= 3
    assert same == "True"
    for asset in ("topology.js", "slider.js", "look.css"):
        assert (target / "dfslab" / "views" / "dashboard" / asset).is_file()


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", (REPO / "README.md").read_text()))
    listed = subprocess.run(["make", "-C", REPO], check=True, capture_output=True, text=True).stdout

    assert named <= targets
    for target in ("lab", "demo", "test", "lint", "proto"):
        assert f"make {target} " in listed


def test_the_version_is_the_same_everywhere() -> None:
    import dfslab

    assert dfslab.__version__ == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in (REPO / "CHANGELOG.md").read_text()


def test_no_file_of_the_repository_is_larger_than_two_megabytes() -> None:
    listed = subprocess.run(["git", "-C", REPO, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    sizes = {name: (REPO / name).stat().st_size for name in listed.split("\0") if name and (REPO / name).exists()}

    assert {name: size for name, size in sizes.items() if size > 2_000_000} == {}
