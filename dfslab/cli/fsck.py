"""The command that checks a cluster's directories."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dfslab.cli.failures import CommandFailed, Exit
from dfslab.cli.options import json_option
from dfslab.cli.text import plural
from dfslab.core.errors import DirectoryInUse, NothingToCheck
from dfslab.core.fsck import Finding, Report
from dfslab.core.options import Options
from dfslab.core.pretty import size_text
from dfslab.runtime.fsck import Progress, check


@click.command()
@click.argument("directories", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option(
    "--replicas",
    type=click.IntRange(1),
    metavar="N",
    default=Options().replicas,
    show_default=True,
    help="Good copies that every file should have.",
)
@json_option
def fsck(directories: tuple[Path, ...], replicas: int, as_json: bool) -> None:
    """Check a cluster's directories while none of its nodes runs, and change nothing.

    Each DIR is the root of a cluster, or the --root of a master or a keeper. Every replica is read
    and compared, block by block, with its own checksums and with the catalog's. What a healthy cluster
    may have, too (orphans, leftovers of a crash, stray files), is listed and is no problem.

    \b
    Exit codes: 0 no problem, 1 problems, 6 not checked (a node runs there, or nothing to check).

    \b
    Examples:
      dfslab fsck /srv/dfs
      dfslab fsck m k1 k2 k3 --json
    """
    try:
        with _progress() as tell:
            report = check(directories, replicas, tell)
    except (DirectoryInUse, NothingToCheck) as error:
        raise CommandFailed(str(error), Exit.NOT_CHECKED) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CommandFailed(f"{where}{error.strerror or error}", Exit.NOT_CHECKED) from None
    if as_json:
        click.echo(json.dumps(_as_dict(report), indent=2))
    else:
        for finding in report.findings:
            click.echo(_line(finding))
        click.echo(summary(report))
    if report.problems:
        sys.exit(Exit.FAILED)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Yield what to tell of bytes read: on a terminal, a bar; elsewhere, nothing."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    with tqdm(desc="checked", unit="B", unit_scale=True, delay=0.5, leave=False) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def _line(finding: Finding) -> str:
    where = f" on {finding.where}" if finding.where and finding.where != finding.what else ""
    return f"{finding.trouble}: {finding.what}{where}: {finding.reason}"


def summary(report: Report) -> str:
    """Return what was checked, and how many problems there are, in a line."""
    checked = f"{plural(report.files, 'file')}, {plural(report.replicas, 'replica')}"
    others = len(report.findings) - len(report.problems)
    problems = plural(len(report.problems), "problem") if report.problems else "no problem"
    return f"checked {checked}, {size_text(report.checked_bytes)}: {problems}" + (
        f", and {others} to know of" if others else ""
    )


def _as_dict(report: Report) -> dict[str, object]:
    findings = [{**dataclasses.asdict(one), "is_problem": one.is_problem} for one in report.findings]
    return {
        "files": report.files,
        "replicas": report.replicas,
        "checked_bytes": report.checked_bytes,
        "problems": len(report.problems),
        "findings": findings,
    }
