"""The commands for a catalog's safety: backup and restore."""

from __future__ import annotations

from pathlib import Path

import click

from dfslab.cli.text import plural
from dfslab.runtime import catalog_backup
from dfslab.runtime.catalog_reading import Contents


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def backup(directory: Path, target: Path) -> None:
    """Copy the master's catalog in DIR to the new file TARGET, also while the master runs.

    DIR is a master's --root, or the root of a cluster. The backup has every file that was acknowledged
    before it began: its name, its checksums, where it is; not its bytes, which are on the keepers. It
    appears whole, checked and on stable storage, or not at all.

    \b
    Examples:
      dfslab backup m monday.catalog
      dfslab backup /srv/dfs "/backups/$(date +%F).catalog"
    """
    contents = catalog_backup.back_up(directory, target)
    click.echo(f"{target}: {_what(contents)}")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="BACKUP DIR", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Set a good catalog aside, too.")
@click.option(
    "--accept", is_flag=True, help="With DIR alone: delete replicas that its catalog does not know, from now on."
)
def restore(paths: tuple[Path, ...], force: bool, accept: bool) -> None:
    """Put BACKUP in the place of the catalog in DIR, while no master runs there.

    The earlier catalog is kept beside it, in before-restore-1. A good one is not replaced without
    --force. BACKUP may also be a damaged catalog's own file: then what is left of it is restored.

    What was acknowledged after the backup is not in it. Keepers that hold such files report replicas
    that the catalog does not know; a restored master keeps them all, deletes none, and makes none of
    them current. Each is a whole file, replicas/<version>.data in a keeper's directory, but its name is
    lost. A file that was deleted after the backup is listed again; it has no copy left, unless a
    keeper was away since. When nothing is missed any more, `dfslab restore --accept DIR` ends this, and
    unknown replicas are deleted after a grace, as usual.

    \b
    Examples:
      dfslab restore monday.catalog m
      dfslab restore m/catalog.sqlite m
      dfslab restore --accept m
    """
    if len(paths) != (1 if accept else 2):
        raise click.UsageError("give BACKUP and DIR, or --accept and DIR")
    if accept:
        done = catalog_backup.accept(paths[0])
        click.echo("replicas that the catalog does not know are deleted again" if done else "it was not restored")
        return
    contents, kept = catalog_backup.restore(paths[0], paths[1], force=force)
    click.echo(f"{catalog_backup.master_directory(paths[1])}: {_what(contents)}")
    if kept is not None:
        click.echo(f"the earlier catalog is in {kept}")
    click.echo(f"replicas that it does not know are kept until `dfslab restore --accept {paths[1]}`")


def _what(contents: Contents) -> str:
    files = sum(1 for version in contents.image.versions if not version.deleted)
    return f"{plural(files, 'file')}, {plural(len(contents.image.keepers), 'keeper')}, commit {contents.state.commits}"
