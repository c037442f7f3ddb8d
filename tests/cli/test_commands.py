"""The client commands against a running cluster: what they print, and what they exit with."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import dfslab
from dfslab.cli.text import width
from dfslab.client import progress
from dfslab.runtime import dfs_pb2 as pb
from tests.cli.by_hand import DFSLAB, ByHand, Terminal, wait_for


def write(cluster: ByHand, name: str, size: int = 100_000) -> Path:
    path = cluster.folder / name
    path.write_bytes(os.urandom(size))
    return path


def replicated(cluster: ByHand, name: str, copies: int = 3) -> list[pb.LookupRow]:
    """Wait until a file has so many copies; return its rows."""

    def rows() -> list[pb.LookupRow]:
        with cluster.client() as client:
            found = [row for row in client.lookup_rows() if row.file_name == name]
        return found if len(found) == copies else []

    return wait_for(f"{copies} copies of {name}", rows)


# -- put and get --------------------------------------------------------------------------------


def test_what_was_put_is_got_back_byte_for_byte(cluster: ByHand) -> None:
    source = write(cluster, "clip.bin", 3_000_000)

    put = cluster.call("put", "clip.bin", "--ack", "2")
    got = cluster.run("get", "clip.bin", "copy.bin")

    assert (put.code, put.err, got.code, got.err) == (0, "", 0, "")
    assert put.out.startswith("clip.bin: 3 MB in ")
    assert put.out.count("keeper-") >= 2
    assert got.out.startswith(f"{cluster.folder / 'copy.bin'}: 3 MB in ")
    assert (cluster.folder / "copy.bin").read_bytes() == source.read_bytes()


def test_several_files_go_under_a_name_that_ends_with_a_slash(cluster: ByHand) -> None:
    write(cluster, "one.bin")
    write(cluster, "two.bin")

    put = cluster.call("put", "one.bin", "two.bin", "--name", "under/")

    assert (put.code, put.err) == (0, "")
    assert [row["name"] for row in json.loads(cluster.call("ls", "under/", "--json").out)] == [
        "under/one.bin",
        "under/two.bin",
    ]


def test_several_files_can_not_share_one_name(cluster: ByHand) -> None:
    ended = cluster.call("put", "one.bin", "two.bin", "--name", "same.bin")

    assert ended.code == 2
    assert "--name of several files must end with '/'" in ended.err


def test_put_goes_on_past_a_file_that_is_missing_and_its_exit_code_tells(cluster: ByHand) -> None:
    write(cluster, "there.bin")

    ended = cluster.call("put", "missing.bin", "there.bin")

    assert ended.code == 3
    assert ended.err == "dfslab: can't read 'missing.bin': there is no such file; nothing was stored\n"
    assert ended.out.startswith("there.bin: 100 kB in ")


def test_a_download_goes_into_a_folder_under_the_last_part_of_its_name(cluster: ByHand) -> None:
    source = write(cluster, "deep.bin")
    cluster.call("put", "deep.bin", "--name", "a/b/deep.bin")
    (cluster.folder / "into").mkdir()

    assert cluster.call("get", "a/b/deep.bin", "into").code == 0
    assert (cluster.folder / "into" / "deep.bin").read_bytes() == source.read_bytes()


def test_an_empty_file_is_a_file(cluster: ByHand) -> None:
    write(cluster, "empty.bin", 0)

    assert cluster.call("put", "empty.bin").code == 0
    assert cluster.call("get", "empty.bin", "empty.copy").out.endswith("from nobody, it is empty\n")
    assert (cluster.folder / "empty.copy").read_bytes() == b""


def test_a_transfer_shows_a_bar_only_on_a_terminal(cluster: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY_S", 0.0)
    write(cluster, "long.bin")

    for command, title in ((("put", "long.bin"), "upload long.bin"), (("get", "long.bin", "x"), "download long.bin")):
        shown = cluster.call(*command, err=Terminal())
        plain = cluster.call(*command)

        assert f"{title}: 100%" in shown.err
        assert (shown.code, plain.code, plain.err) == (0, 0, "")


# -- names --------------------------------------------------------------------------------------


def test_ls_prints_size_live_copies_and_name_in_columns(cluster: ByHand) -> None:
    write(cluster, "small.bin", 5)
    write(cluster, "大.bin", 123_456)
    cluster.call("put", "small.bin", "大.bin", "--name", "columns/")
    replicated(cluster, "columns/small.bin")
    replicated(cluster, "columns/大.bin")

    ended = cluster.call("ls", "columns/")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "  size  copies  name",
        "   5 B       3  columns/small.bin",
        "123 kB       3  columns/大.bin",
    ]


def test_ls_of_nothing_prints_nothing(cluster: ByHand) -> None:
    assert cluster.call("ls", "no-such-prefix/").out == ""
    assert json.loads(cluster.call("ls", "no-such-prefix/", "--json").out) == []


def test_stat_says_what_is_known_of_a_file(cluster: ByHand) -> None:
    write(cluster, "known.bin", 1500)
    cluster.call("put", "known.bin")
    replicated(cluster, "known.bin")

    lines = cluster.call("stat", "known.bin").out.splitlines()
    found = json.loads(cluster.call("stat", "known.bin", "--json").out)

    assert [line.split()[0] for line in lines] == ["name", "version", "size", "copies", "stored"]
    assert lines[2] == "size     1500 bytes (1.5 kB)"
    assert lines[3].startswith("copies   3 live: keeper-")
    assert (found["name"], found["size"], found["copies"]) == ("known.bin", 1500, 3)
    assert sorted(found["holders"]) == ["keeper-1", "keeper-2", "keeper-3"]


def test_rm_and_mv_say_nothing_when_all_is_well(cluster: ByHand) -> None:
    write(cluster, "old.bin")
    cluster.call("put", "old.bin")

    moved = cluster.call("mv", "old.bin", "new.bin")
    removed = cluster.call("rm", "new.bin")

    assert (moved.code, moved.out, moved.err) == (0, "", "")
    assert (removed.code, removed.out, removed.err) == (0, "", "")
    assert cluster.call("stat", "old.bin").code == 3
    assert cluster.call("stat", "new.bin").code == 3


def test_rm_goes_on_past_a_name_that_is_missing(cluster: ByHand) -> None:
    write(cluster, "goes.bin")
    cluster.call("put", "goes.bin")

    ended = cluster.call("rm", "missing.bin", "goes.bin")

    assert ended.code == 3
    assert ended.err == "dfslab: no file named 'missing.bin'; `dfslab ls` lists what there is\n"
    assert cluster.call("stat", "goes.bin").code == 3


# -- tables -------------------------------------------------------------------------------------


def test_the_lookup_table_shows_where_each_replica_really_is(cluster: ByHand) -> None:
    source = write(cluster, "where.bin")
    cluster.call("put", "where.bin")
    replicated(cluster, "where.bin")

    header, *lines = cluster.call("table").out.splitlines()
    rows = [line.split() for line in lines if line.startswith("where.bin ")]

    assert header.split() == ["file_name", "data_node", "file_path", "is_alive"]
    assert len({width(line[: line.rindex("True")]) for line in lines}) == 1
    assert sorted(row[1] for row in rows) == ["keeper-1", "keeper-2", "keeper-3"]
    for _, keeper, path, alive in rows:
        assert alive == "True"
        assert Path(path).is_relative_to(cluster.folder / keeper.replace("keeper-", "k"))
        assert Path(path).read_bytes() == source.read_bytes()


def test_the_tables_come_as_json_too(cluster: ByHand) -> None:
    write(cluster, "json.bin", 10)
    cluster.call("put", "json.bin")
    replicated(cluster, "json.bin")

    rows = [row for row in json.loads(cluster.call("table", "--json").out) if row["file_name"] == "json.bin"]
    keepers = json.loads(cluster.call("table", "--keepers", "--json").out)

    assert list(rows[0]) == ["file_name", "data_node", "file_path", "is_alive", "state", "version", "size"]
    assert [(row["is_alive"], row["state"], row["size"]) for row in rows] == [(True, "valid", 10)] * 3
    assert sorted(one["keeper"] for one in keepers) == ["keeper-1", "keeper-2", "keeper-3"]
    assert {(one["state"], one["is_alive"], one["incarnation"]) for one in keepers} == {("alive", True, 1)}


def test_the_keeper_table_has_a_line_a_keeper(cluster: ByHand) -> None:
    header, *lines = cluster.call("table", "--keepers").out.splitlines()

    assert header.split() == [
        "keeper",
        "state",
        "replicas",
        "stored",
        "free",
        "last_heard",
        "address",
        "directory",
    ]
    assert sorted(line.split()[0] for line in lines) == ["keeper-1", "keeper-2", "keeper-3"]
    assert all(" alive " in line and " s ago " in line for line in lines)


# -- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("get", "no-such.bin"), 3, "no file named 'no-such.bin'; `dfslab ls` lists what there is"),
        (("stat", "no-such.bin"), 3, "no file named 'no-such.bin'"),
        (("mv", "no-such.bin", "x"), 3, "no file named 'no-such.bin'"),
        (("put", "taken.bin", "--name", "../up"), 2, "the name '../up' is refused"),
        (("put", "taken.bin", "--ack", "9"), 2, "it must be 1 to 3"),
        (("put", "."), 1, "it is a folder"),
        (("mv", "taken.bin", "taken-too.bin"), 1, "'taken-too.bin' is there already and was not touched"),
        (("get", "taken.bin", "no-folder/x"), 3, "No such file or directory; nothing was left there: name another"),
        (("ls", "--token-file", "no-token"), 3, "no-token: No such file or directory"),
        (("ls", "--token-file", "wrong-token"), 4, "refused the token; pass the cluster's own with --token-file"),
        (("ls", "--token-file", "empty-token"), 2, "empty-token is empty"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(
    cluster: ByHand, arguments: tuple[str, ...], code: int, words: str
) -> None:
    for name in ("taken.bin", "taken-too.bin"):
        write(cluster, name)
        assert cluster.call("put", name).code == 0
    (cluster.folder / "wrong-token").write_text("not the token\n")
    (cluster.folder / "empty-token").write_text("\n")

    ended = cluster.call(*arguments)

    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("dfslab: ")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_without_any_token_the_command_says_how_to_give_one(cluster: ByHand) -> None:
    command = ["env", "-u", "DFSLAB_TOKEN", *DFSLAB, "ls"]
    done = subprocess.run(command, env=cluster.env, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr == "dfslab: no token: pass --token-file with the master's, or set DFSLAB_TOKEN\n"


def test_a_master_that_is_not_there_is_unavailable(cluster: ByHand) -> None:
    ended = cluster.call("ls", "--master", "127.0.0.1:1", "--patience-s", "0.1")

    assert ended.code == 5
    assert "the master tracker at 127.0.0.1:1 does not answer" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("address", ["nowhere", "host:port", ":7000", "host:99999"])
def test_an_address_that_is_none_is_wrong_usage(cluster: ByHand, address: str) -> None:
    ended = cluster.call("ls", "--master", address)

    assert ended.code == 2
    assert "is not host:port" in ended.err


def test_a_reader_that_goes_away_is_no_reason_to_complain(cluster: ByHand) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*DFSLAB, "table", "--keepers"], env=cluster.env, stdout=writing, stderr=subprocess.PIPE, timeout=20
        )
    finally:
        os.close(writing)

    assert done.stderr == b""


def test_a_name_that_the_terminal_can_not_show_does_not_end_the_command(cluster: ByHand) -> None:
    write(cluster, "大学.bin")
    assert cluster.call("put", "大学.bin").code == 0

    ended = cluster.run("ls", "大学", PYTHONIOENCODING="iso-8859-1")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("\\u5927\\u5b66.bin\n")


# -- help ---------------------------------------------------------------------------------------


def test_the_version_is_the_packages(cluster: ByHand) -> None:
    assert cluster.call("--version").out == f"dfslab {dfslab.__version__}\n"


@pytest.mark.parametrize("command", ["demo", "master", "keeper", "put", "get", "ls", "stat", "rm", "mv", "table"])
def test_every_command_has_help_with_examples(cluster: ByHand, command: str) -> None:
    ended = cluster.call(command, "--help")

    assert ended.code == 0
    assert f"\n    dfslab {command}" in ended.out


def test_the_help_lists_the_exit_codes(cluster: ByHand) -> None:
    assert "3 not found, 4 no access" in cluster.call("--help").out
