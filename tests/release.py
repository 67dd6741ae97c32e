"""Whether a release can be made of what stands in a folder: python -m tests.release dist

Run by `make release-check` after the sdist and the wheel were built. Installs the wheel with each
extra alone into an empty environment and runs a turn there. Uploads nothing.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import turngraph
from tests.paths import ROOT

TURN = """
from turngraph import ScriptedModel, ProviderConfig, chat_turn
with ScriptedModel() as model:
    turn = chat_turn(ProviderConfig(base_url=model.base_url, model="m"), functions=["calculator"])
    result = turn.invoke({"messages": [("user", "What is 6 * 7?")]})["result"]
assert [run.content for run in result.tool_runs] == ["42"], result
"""
POSTGRES = 'Ledger("postgresql://nobody@127.0.0.1:1/none", retry_delays_s=()).total()'
PROBES = {
    "": f"""
from turngraph import Ledger
from turngraph.billing import LedgerError
try:
    {POSTGRES}
except LedgerError as error:
    assert "turngraph[postgres]" in str(error), error
""",
    "keyring": "import keyring",
    "langchain": "from turngraph import LedgerMiddleware",
    "mcp": "import langchain_mcp_adapters.sessions; from turngraph import McpServers",
    "mysql": "import pymysql",
    "notebook": """
from turngraph import ScriptedModel, ProviderConfig, TurnStepper, chat_turn
turn = chat_turn(ProviderConfig(base_url="http://localhost:1/v1", model="m"))
with TurnStepper(turn, {"messages": [("user", "Hello!")]}) as stepper:
    assert "anywidget" in [cls.__module__.split(".")[0] for cls in type(stepper.show()).__mro__]
""",
    "parquet": """
from turngraph import Ledger
with Ledger("sqlite://") as ledger:
    ledger.export("books.parquet")
""",
    "postgres": f"""
import langgraph.checkpoint.postgres
from turngraph import Ledger
from turngraph.billing import LedgerUnavailableError
try:
    {POSTGRES}
except LedgerUnavailableError:
    pass
""",
    "server": "import turngraph.interfaces.server.app",
    "studio": """
import os
from pathlib import Path
from turngraph.interfaces.studio.catalog import GraphFiles
from turngraph.interfaces.studio.server import StudioServer
with StudioServer(GraphFiles((), Path(), os.environ, lambda loaded: loaded.graph), None) as server:
    assert server.url.startswith("http://127.0.0.1:")
""",
    "terminal": "import turngraph.interfaces.terminal.full_screen",
    "all": """
import keyring, langchain, mcp, pymysql, anywidget, pyarrow, psycopg, textual, watchfiles
""",
}
"""What must work where only this extra is installed; `""` is no extra at all."""


def check_version(metadata: Message) -> list[str]:
    """The version stands in `turngraph/__init__.py`; the changelog must know it."""
    version = metadata["Version"]
    wrong = []
    if version != turngraph.__version__:
        wrong.append(f"The wheel says {version}, turngraph.__version__ {turngraph.__version__}.")
    first = re.search(r"^## (.*)$", _read("CHANGELOG.md"), re.MULTILINE)
    heading = "" if first is None else first.group(1)
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading):
        wrong.append(
            f"The first section of CHANGELOG.md is `{heading}`; a release needs `{version}` and "
            "its date in parentheses, as in `(2026-12-31)`."
        )
    return wrong


def check_links(metadata: Message) -> list[str]:
    """The index shows the README alone, so a link inside the repository leads nowhere there."""
    relative = [
        link
        for link in re.findall(r"\]\(([^)\s]+)\)", _read("README.md"))
        if "://" not in link and not link.startswith("#")
    ]
    if relative and not metadata.get_all("Project-URL"):
        return [
            f"README.md has {len(relative)} links into the repository: dead on the index. "
            "Set [project.urls] in pyproject.toml, so that readers find the repository."
        ]
    return []


def check_contents(sdist: Path, wheel: Path) -> list[str]:
    """The wheel that was built from the sdist holds every module and data file of the rooms."""
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" not in name}
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = {name.removeprefix("turngraph/") for name in shipped} - packed
    missing -= {name.removeprefix("turngraph/") for name in packed if name.startswith("turngraph/")}
    return [f"Not in the sdist: {sorted(missing)}."] if missing else []


def check_extras(wheel: Path, metadata: Message) -> list[str]:
    """Installs each extra alone, runs its probe and a turn, and prints what it took."""
    declared = {"", *metadata.get_all("Provides-Extra", [])}
    wrong = [f"No probe for the extra `{name}`." for name in sorted(declared - set(PROBES))]
    print(f"\n{'extra':<12}{'packages':>9}{'MB':>6}")
    for extra in sorted(declared & set(PROBES)):
        with tempfile.TemporaryDirectory() as folder:
            problem, packages, size = _try_extra(wheel, extra, Path(folder))
        print(f"{extra or '(none)':<12}{packages:>9}{size:>6}  {'failed' if problem else 'ok'}")
        wrong += [f"With the extra `{extra}`: {problem}"] if problem else []
    return wrong


def _try_extra(wheel: Path, extra: str, folder: Path) -> tuple[str, int, int]:
    """What went wrong ("" for nothing), how many packages were installed, and their megabytes."""
    python = folder / "venv" / "bin" / "python"
    wanted = f"turngraph[{extra}] @ {wheel.resolve().as_uri()}" if extra else str(wheel)
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    _run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    locked = ("--constraint", ROOT / "requirements.lock")
    _run(uv, "pip", "install", "--quiet", "--python", python, *locked, wanted)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    packages = len(list(site.glob("*.dist-info")))
    size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) // 1_000_000
    for code in (TURN, PROBES[extra]):
        command = [str(python), "-I", "-c", code]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if run.returncode:
            return run.stderr.strip().splitlines()[-1], packages, size
    return "", packages, size


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _metadata(wheel: Path) -> Message:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(archive.read(name).decode("utf-8"))


def main(folder: Path) -> int:
    """Checks everything, prints what would be uploaded, and returns the exit code."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    metadata = _metadata(wheel)
    optional = tomllib.loads(_read("pyproject.toml"))["project"]["optional-dependencies"]
    assert set(optional) == set(metadata.get_all("Provides-Extra", []))
    warnings = [*check_version(metadata), *check_links(metadata)]
    problems = [*check_contents(sdist, wheel), *check_extras(wheel, metadata)]
    print(f"\nTo be uploaded as {metadata['Name']} {metadata['Version']}:")
    for file in (sdist, wheel):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        print(f"  {file.name}  {file.stat().st_size // 1000} kB  sha256 {digest}")
    for title, sentences in (("Before the upload", warnings), ("Wrong", problems)):
        print("".join(f"\n{title}: {sentence}" for sentence in sentences), end="")
    print(f"\n{len(problems)} problems. To upload: twine upload {folder}/*; nothing was uploaded.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
