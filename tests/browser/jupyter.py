"""A Jupyter server of one's own, and pages of it in a real Chromium that reaches nothing but this server."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from benchmarks.ports import free_port

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STARTS_WITHIN_S = 60.0
ACTS_WITHIN_MS = 30_000.0
JUPYTERS_OWN = "reading 'schema'"
"""In the one line that Jupyter itself writes to the console as an error."""
VOILAS_OWN = "https://cdn.jsdelivr.net/npm/@fortawesome/"
"""Voila asks for its fonts by itself."""

MODULES = {"notebook": ("notebook", "JupyterNotebookApp", "notebooks"), "lab": ("jupyterlab", "LabApp", "lab/tree")}

expect.set_options(timeout=ACTS_WITHIN_MS)

# Run All before the kernel has connected would open a dialog; `page.evaluate` has no timeout of its own.
RUN_ALL = """() => Promise.race([new Promise(r => setTimeout(() => r('timeout'), 60000)), (async () => {
  const app = window.jupyterapp; await app.started; const p = app.shell.currentWidget;
  await p.context.ready; await p.sessionContext.ready; await p.revealed; await p.sessionContext.session.kernel.info;
  app.commands.execute('notebook:run-all-cells'); return true })()])"""


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook with these code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})  # type: ignore[no-untyped-call]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


@dataclass
class Server:
    """A running Notebook 7, JupyterLab or Voila."""

    ui: str
    root: Path
    port: int

    def url(self, notebook: str) -> str:
        """Return the address of a notebook; `reset` keeps Lab from opening old tabs."""
        if self.ui == "voila":
            return f"http://127.0.0.1:{self.port}/voila/render/{notebook}"
        return f"http://127.0.0.1:{self.port}/{MODULES[self.ui][2]}/{notebook}?reset&token=t"


@contextlib.contextmanager
def server(ui: str, root: Path, theme: str = "JupyterLab Light") -> Iterator[Server]:
    """Run a server with settings of its own; it ends with the block, and also when the test process dies."""
    port = free_port()
    log = root / "server.log"
    with tempfile.TemporaryDirectory(prefix="jupyter-") as runtime:  # a socket's path is 107 bytes at most
        with log.open("wb") as out:
            process = subprocess.Popen(
                _command(ui, root, port),
                cwd=root,
                env=_environment(root, Path(runtime), theme),
                stdout=out,
                stderr=out,
                preexec_fn=_die_along,
            )
        try:
            _wait_for_port(process, port, log)
            yield Server(ui, root, port)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _die_along() -> None:
    """Have this process end when the one that started it does (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _command(ui: str, root: Path, port: int) -> list[str]:
    # a kernel's TCP ports are chosen before it binds them, and another test's cluster may be sooner
    no_ports = "--KernelManager.transport=ipc"
    if ui == "voila":
        options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1", no_ports]
        return [sys.executable, "-m", "voila", *options, str(root)]
    module, app, _ = MODULES[ui]
    options = [
        "--allow-root",
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=t",
        f"--ServerApp.root_dir={root}",
        f"--{app}.expose_app_in_browser=True",
        no_ports,
    ]
    return [sys.executable, "-m", module, *options]


def _environment(root: Path, runtime: Path, theme: str) -> dict[str, str]:
    """Return an environment with folders of its own: no restored tabs, no news pop-up, no settings of the user."""
    folders = {"CONFIG": root / "config", "DATA": root / "data", "RUNTIME": runtime}
    pages = folders["CONFIG"] / "labconfig"
    pages.mkdir(parents=True)
    (pages / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    settings = folders["CONFIG"] / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    jupyter = {f"JUPYTER_{name}_DIR": str(folder) for name, folder in folders.items()}
    lab = {"JUPYTERLAB_SETTINGS_DIR": str(folders["CONFIG"] / "lab" / "user-settings")}
    return {**os.environ, **jupyter, **lab, "IPYTHONDIR": str(root / "ipython")}


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)  # between two attempts to connect


@dataclass
class Visit:
    """A page, and what it did that it should not have done."""

    page: Page
    external: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run_all(self) -> None:
        """Run every cell; return at once."""
        self.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context")
        assert self.page.evaluate(RUN_ALL) is True

    def check(self) -> None:
        """Hold that nothing was fetched from elsewhere and that the console shows no error but Jupyter's own."""
        assert self.external == []
        assert [error for error in self.errors if JUPYTERS_OWN not in error] == []


def visit(browser: Browser, url: str, width: int = 1200, height: int = 1800) -> Visit:
    """Open a page that can reach this machine's own servers only."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(ACTS_WITHIN_MS)
    visited = Visit(page)

    def local_only(route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            visited.external.append(route.request.url)
            route.abort()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            visited.errors.append(message.text)

    page.route("**/*", local_only)
    page.on("console", note)
    page.on("pageerror", lambda error: visited.errors.append(str(error)))
    page.goto(url)
    return visited
