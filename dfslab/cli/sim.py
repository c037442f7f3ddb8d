"""The command that simulates: one history in full, or many seeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from dfslab.cli.failures import CommandFailed, Exit
from dfslab.cli.text import columns
from dfslab.core.pretty import count_text
from dfslab.core.saved import line_of
from dfslab.sim import Outcome, Settings, Tally, shrink, simulate, story_of

F = TypeVar("F", bound=Callable[..., Any])
SHOWN = 10
"""Failures of a sweep that are shown one by one."""


def _numbers(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split(",") if part)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 3,7,12") from None


def _count(name: str, default: int | None, text: str, least: int = 1) -> Callable[[F], F]:
    kind = click.IntRange(least)
    return click.option(name, type=kind, metavar="N", default=default, show_default=default is not None, help=text)


@click.command(short_help="Live through histories of a cluster in virtual time.")
@click.option("--seed", type=int, metavar="N", help="The history to live through, and to tell if it fails.")
@_count("--seeds", None, "Instead: how many seeds to sweep.")
@_count("--first", 0, "With --seeds: the first of them.", least=0)
@_count("--steps", 5000, "Things that happen before all is healed and checked.")
@click.option("--faults", callback=_numbers, metavar="N,N,...", help="Only the faults with these numbers.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --seed: write what happened there, as lines of JSON.",
)
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="Cut a failure down to the faults that it takes.")
@_count("--jobs", os.cpu_count() or 1, "With --seeds: processes that work at a time.")
@click.option("--json", "as_json", is_flag=True, help="With --seeds: print JSON.")
def sim(
    seed: int | None,
    seeds: int | None,
    first: int,
    steps: int,
    faults: tuple[int, ...] | None,
    trace: Path | None,
    shrinks: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Run the real master, keepers and clients against a simulated clock, network and disks, and break them.

    Everything comes from the seed, so a history can be lived through again. Every guarantee of
    ARCHITECTURE.md is checked at every step. The exit code is 1 when one did not hold.

    \b
    Examples:
      dfslab sim --seed 42
      dfslab sim --seed 42 --steps 20000 --trace history.jsonl
      dfslab sim --seeds 1000
    """
    if (seed is None) == (seeds is None):
        raise click.UsageError("pass --seed for one history, or --seeds for many")
    if seed is not None:
        _one(Settings(seed=seed, steps=steps, only=faults), trace, shrinks)
    elif seeds is not None:
        _many(range(first, first + seeds), steps, min(jobs, seeds), as_json)


def _one(settings: Settings, trace: Path | None, shrinks: bool) -> None:
    began = time.monotonic()
    outcome = simulate(settings)
    if trace is not None:
        trace.write_text("".join(line_of(event) + "\n" for event in outcome.trace), encoding="utf-8")
    click.echo(_summary(outcome, time.monotonic() - began))
    if outcome.broken is not None:
        _tell(shrink(outcome) if shrinks else outcome)
        raise CommandFailed(f"seed {settings.seed} broke a guarantee", Exit.FAILED)


def _summary(outcome: Outcome, seconds: float) -> str:
    done = f"seed {outcome.settings.seed}: {outcome.virtual_s:.1f} s of virtual time in {seconds:.2f} s"
    work = f"{outcome.core_events} core events, {count_text(outcome.acknowledged, 'upload')} acknowledged"
    state = "every guarantee held" if outcome.broken is None else "A GUARANTEE BROKE"
    return f"{done}; {work}, {count_text(len(outcome.faults), 'fault')}: {state}"


def replay_command(settings: Settings) -> str:
    """Return the command that lives through a history again."""
    only = "" if settings.only is None else f" --faults {','.join(map(str, settings.only)) or ','}"
    return f"dfslab sim --seed {settings.seed} --steps {settings.steps}{only}"


def _tell(outcome: Outcome) -> None:
    assert outcome.broken is not None
    click.echo(f"\n{outcome.broken}\n")
    click.echo(f"It takes {count_text(len(outcome.faults), 'fault')}:")
    for fault in outcome.faults:
        click.echo(f"  {fault}")
    click.echo("\nThe story:")
    for line in story_of(outcome.broken, outcome.trace):
        click.echo(f"  {line}")
    settings = replace(outcome.settings, only=tuple(fault.number for fault in outcome.faults))
    click.echo(f"\nAgain: {replay_command(settings)} --no-shrink")


def _many(seeds: range, steps: int, jobs: int, as_json: bool) -> None:
    began = time.monotonic()
    if jobs == 1:
        tally = Tally()
        for seed in seeds:
            tally.add(simulate(Settings(seed=seed, steps=steps)))
    else:
        tally = _in_processes(seeds, steps, jobs)
    seconds = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(tally.as_dict()))
    else:
        for line in report(tally, steps, seconds):
            click.echo(line)
    if tally.broken:
        raise CommandFailed(f"{count_text(len(tally.broken), 'seed')} broke a guarantee", Exit.FAILED)


def _in_processes(seeds: range, steps: int, jobs: int) -> Tally:
    """Share the seeds out among processes, each of which is this command."""
    workers = [_worker(part, steps) for part in _parts(seeds, jobs)]
    tally = Tally()
    try:
        for worker in workers:
            out, complaint = worker.communicate()
            if not out:
                raise CommandFailed(f"a simulating process failed: {complaint.strip() or 'it said nothing'}")
            tally.merge(Tally.from_dict(json.loads(out)))
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
    return tally


def _worker(seeds: range, steps: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dfslab.cli", "sim", "--json", "--jobs", "1"]
    what = ["--first", str(seeds.start), "--seeds", str(len(seeds)), "--steps", str(steps)]
    return subprocess.Popen([*command, *what], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _parts(seeds: range, jobs: int) -> Iterator[range]:
    size, more = divmod(len(seeds), jobs)
    start = seeds.start
    for number in range(jobs):
        stop = start + size + (number < more)
        yield range(start, stop)
        start = stop


def report(tally: Tally, steps: int, seconds: float) -> Iterator[str]:
    """Yield the lines that tell what a sweep came to."""
    speed = tally.core_events / seconds if seconds else 0.0
    yield f"{tally.seeds} seeds of {steps} steps: {tally.virtual_s / 3600:.2f} h of virtual time in {seconds:.0f} s"
    yield f"{tally.core_events} core events, {speed:.0f} a second"
    yield f"uploads acknowledged {tally.acknowledged}, lost {tally.lost}, wrong {tally.wrong}"
    rows = [(kind, str(times)) for kind, times in sorted(tally.struck.items(), key=lambda item: -item[1])]
    yield from columns(("fault", "struck"), rows, right=("struck",))
    for settings, what in tally.broken[:SHOWN]:
        yield f"BROKEN: {what}"
        yield f"  {replay_command(settings)}"
    if len(tally.broken) > SHOWN:
        yield f"... and {len(tally.broken) - SHOWN} more"
