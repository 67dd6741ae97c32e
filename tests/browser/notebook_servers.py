"""Real notebook servers and a real Chromium, used as a person would use them."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

CHROMIUM_OPTIONS = (
    *(
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)

KERNEL_IS_READY = (
    "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
)


def find_chromium(bundled: str) -> str | None:
    """Returns the path of the machine's Chromium, else of playwright's, else None."""
    paths = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in paths if path), bundled if Path(bundled).exists() else None)


def free_port() -> int:
    """Returns a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def jupyter(folder: Path) -> Iterator[str]:
    """Runs a Jupyter server on `folder`; yields the address of its pages, `{}` standing for a path.

    One server has both front ends: `lab/tree/NAME` is JupyterLab, `notebooks/NAME` is Notebook 7.
    """
    port, token = free_port(), "stepper"
    settings = {
        "ServerApp.token": token,
        "ServerApp.root_dir": str(folder),
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.expose_app_in_browser": "True",
        "JupyterNotebookApp.expose_app_in_browser": "True",
    }
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    options += [f"--{name}={value}" for name, value in settings.items()]
    directories = {
        name: str(folder / "jupyter")
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    ready = f"http://127.0.0.1:{port}/api?token={token}"
    with _serving(["jupyterlab", *options], ready, folder / "jupyter.log", directories):
        yield f"http://127.0.0.1:{port}/{{}}?token={token}&reset"


@contextmanager
def marimo(notebook: Path, mode: str) -> Iterator[str]:
    """Opens `notebook` in marimo, to `run` it as an app or to `edit` it; yields its address."""
    port = free_port()
    options = ["--headless", "--no-token", f"--port={port}"]
    address, home = f"http://127.0.0.1:{port}", {"XDG_CONFIG_HOME": str(notebook.parent / "config")}
    command = ["marimo", mode, *options, str(notebook)]
    with _serving(command, f"{address}/health", notebook.with_suffix(".log"), home):
        yield address


@contextmanager
def _serving(
    module: Sequence[str], ready: str, log: Path, environment: Mapping[str, str]
) -> Iterator[None]:
    """Runs `python -m module` until the block ends; its body begins when `ready` answers."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *module],
            stdout=output,
            stderr=output,
            env={**os.environ, "PATH": path, **environment},
        )
        try:
            _wait_until_ready(ready, server, log)
            yield
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:  # it waits for its kernels, which end without it too
                server.kill()
                server.wait(60)


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, f"The server ended. It said: {log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"The server did not come up in two minutes. It said: {log.read_text()}")


def write_notebook(folder: Path, name: str, *cells: str) -> None:
    """Writes a notebook of code cells."""
    notebook: Any = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    nbformat.write(notebook, folder / name)


def run_first_cell(page: Any, url: str) -> None:
    """Opens a notebook and runs its first cell, once: a second run would ask the model anew.

    JupyterLab takes no cell before its kernel has started, and is asked itself whether it has.
    """
    # JupyterLab may ask something first, such as which kernel; its suggestion is taken.
    page.add_locator_handler(
        page.locator("dialog.jp-Dialog"),
        lambda dialog: dialog.locator("button.jp-mod-accept").click(),
    )
    page.goto(url)
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    cell.wait_for(timeout=120_000)
    page.wait_for_function(KERNEL_IS_READY, timeout=120_000)
    cell.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    page.locator(".turnstepper").first.wait_for(timeout=120_000)
