"""The wheel, the sdist and the editable install, each put into a fresh environment and used from there.

Needs a package index. Every install goes by constraints.txt, but the one that takes the oldest versions promised.
"""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.support.need import need

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
NAME = "seatlock-redis"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SCRIPTS = {path.relative_to(ROOT / "lua").as_posix(): path.read_bytes() for path in (ROOT / "lua").rglob("*.lua")}
PLANS = {path.name: path.read_bytes() for path in (ROOT / "seatlock" / "plans").glob("*.json")}
MODULES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "seatlock").rglob("*.py")}

INSTALL_TIMEOUT = 240.0  # seconds: a slow index, but not a dead one
RUN_TIMEOUT = 60.0

# redis itself asks for this one, on the Pythons whose asyncio has no timeout of its own that works.
PULLED_BY_REDIS = {"async-timeout"} if sys.version_info < (3, 11, 3) else set[str]()

LOOK_INSIDE = """
import json
import seatlock
from seatlock import _script

assert all(hasattr(seatlock, name) for name in seatlock.__all__)
scripts = _script.folder()
for path in scripts.glob("*.lua"):
    assert b"@include" not in _script.load(path.stem).source
print(json.dumps([seatlock.__file__, str(scripts)]))
"""

SELL_A_SEAT = """
import seatlock

with seatlock.SeatLocker.from_url("embedded://") as locker:
    locker.warm("show", ["A-1", "A-2"])
    locker.open_sale("show")
    booking = locker.confirm(locker.acquire("show", ["A-1"], holder="ann"), payment="p1")
    try:
        locker.acquire("show", ["A-1"], holder="bob")
    except seatlock.SeatsUnavailable:
        print(booking.status)
"""

WRONGLY_TYPED = """
import seatlock

locker = seatlock.SeatLocker.from_url(5)
reveal_type(locker)
"""


def run(*argv: str | Path, cwd: Path, timeout: float = RUN_TIMEOUT) -> subprocess.CompletedProcess[str]:
    """Run a command outside the checkout, with nothing of this process's Python in its environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "VIRTUAL_ENV"))}
    return subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False
    )


def succeed(*argv: str | Path, cwd: Path, timeout: float = RUN_TIMEOUT) -> str:
    done = run(*argv, cwd=cwd, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Environment:
    """A fresh virtual environment, filled by the pip that runs these tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.elsewhere = folder.parent / f"{folder.name}-elsewhere"
        self.elsewhere.mkdir()
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"

    def install(self, *what: str | Path, constraints: Path = CONSTRAINTS) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check")
        succeed(
            *pip, "install", "--quiet", "--constraint", constraints, *what, cwd=self.elsewhere, timeout=INSTALL_TIMEOUT
        )

    def execute(self, code: str) -> str:
        return succeed(self.python, "-I", "-c", code, cwd=self.elsewhere)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.folder / "bin" / "seatlock", *arguments, cwd=self.elsewhere)

    def installed(self) -> set[str]:
        found = self.execute(
            "from importlib.metadata import distributions\n"
            "for found in distributions(): print(found.metadata['Name'].lower().replace('_', '-'))"
        )
        return set(found.split())

    def look_inside(self) -> tuple[Path, Path]:
        """Import the package and load every script; give the folders of the package and of the scripts."""
        package, scripts = json.loads(self.execute(LOOK_INSIDE))
        return Path(package).parent, Path(scripts)

    @property
    def site_packages(self) -> Path:
        return Path(self.execute("import sysconfig; print(sysconfig.get_path('purelib'))").strip())


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make sure that there is a package index, so that a failing install later is the project's fault."""
    folder = tmp_path_factory.mktemp("index")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    done = run(
        *pip, "download", "--no-deps", "--constraint", CONSTRAINTS, "hatchling", cwd=folder, timeout=INSTALL_TIMEOUT
    )
    if done.returncode != 0:
        need("a package index", done.stderr.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist of the checkout, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation")
    succeed(*build, "--outdir", folder, ROOT, cwd=folder, timeout=INSTALL_TIMEOUT)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def sdist(built: tuple[Path, Path]) -> dict[str, bytes]:
    """Every file of the sdist, by its path below the top folder."""
    files: dict[str, bytes] = {}
    with tarfile.open(built[0]) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            if stream is not None:
                files[member.name.partition("/")[2]] = stream.read()
    return files


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(built: tuple[Path, Path]) -> dict[str, bytes]:
    """Every file of the wheel."""
    return contents(built[1])


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> Message:
    return email.message_from_bytes(wheel[next(name for name in wheel if name.endswith(".dist-info/METADATA"))])


@pytest.fixture(scope="module")
def plain(index: None, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install .` gives in the checkout."""
    environment = Environment(tmp_path_factory.mktemp("plain") / "env")
    environment.install(ROOT)
    return environment


@pytest.fixture(scope="module")
def full(index: None, built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with the extras that a first look at seatlock needs."""
    environment = Environment(tmp_path_factory.mktemp("full") / "env")
    environment.install(f"{NAME}[cli,embedded] @ {built[1].as_uri()}")
    return environment


def below(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix(folder): data for name, data in files.items() if name.startswith(folder)}


def test_the_wheel_has_every_script(wheel: dict[str, bytes]) -> None:
    assert any(name.startswith("include/") for name in SCRIPTS)
    assert below("seatlock/lua/", wheel) == SCRIPTS


def test_the_wheel_has_every_module_and_nothing_foreign(wheel: dict[str, bytes]) -> None:
    assert {name for name in wheel if name.endswith(".py")} == MODULES
    assert {name.split("/")[0] for name in wheel} == {"seatlock", f"seatlock_redis-{PROJECT['version']}.dist-info"}


def test_the_wheel_has_the_plans_and_says_that_it_is_typed(wheel: dict[str, bytes]) -> None:
    assert {"arena.json", "theatre.json"} <= PLANS.keys()
    assert below("seatlock/plans/", wheel) == PLANS
    assert "seatlock/py.typed" in wheel


def test_the_sdist_has_all_that_the_tests_need_and_no_leftovers(sdist: dict[str, bytes]) -> None:
    assert below("lua/", sdist) == SCRIPTS
    assert sdist.keys() >= MODULES
    assert below("seatlock/plans/", sdist) == PLANS
    assert sdist.keys() >= {
        ".ci/run",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "constraints.txt",
        "pyproject.toml",
        "seatlock/py.typed",
        "tests/packaging/test_packaging.py",
        "tests/servers.sh",
    }
    folders = {name.split("/")[0] for name in sdist if "/" in name}
    assert folders <= {".ci", "docs", "loadtests", "lua", "seatlock", "tests"}
    assert not [name for name in sdist if "__pycache__" in name or name.endswith((".pyc", ".rdb", ".aof"))]


def test_a_wheel_of_the_sdist_is_the_wheel_of_the_checkout(built: tuple[Path, Path], tmp_path: Path) -> None:
    build = (sys.executable, "-m", "build", "--no-isolation", "--wheel")
    succeed(*build, "--outdir", tmp_path, ROOT, cwd=tmp_path, timeout=INSTALL_TIMEOUT)
    assert contents(tmp_path / built[1].name) == contents(built[1])


def test_the_metadata(metadata: Message) -> None:
    assert metadata["Name"] == NAME
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert {"cli", "embedded", "ledger"} <= set(metadata.get_all("Provides-Extra", []))
    core = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert {re.split(r"[^\w-]", each)[0] for each in core} == {"redis", "hiredis", "msgspec"}


def test_the_constraints_give_versions_and_nothing_else() -> None:
    lines = [line for line in CONSTRAINTS.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_pip_install_pulls_redis_hiredis_msgspec_and_nothing_more(plain: Environment) -> None:
    assert plain.installed() == {NAME, "redis", "hiredis", "msgspec"} | PULLED_BY_REDIS


def test_a_plain_install_imports_and_finds_its_scripts(plain: Environment) -> None:
    package, scripts = plain.look_inside()
    assert package == plain.site_packages / "seatlock"
    assert scripts == package / "lua"


def test_the_ledger_without_its_extra_names_it(plain: Environment) -> None:
    done = run(plain.python, "-I", "-c", "import seatlock.ledger", cwd=plain.elsewhere)
    assert f"pip install '{NAME}[ledger]'" in done.stderr


def test_publishing_without_its_extra_names_it(plain: Environment) -> None:
    code = "from seatlock.outbox.publishing import publisher_of; publisher_of('kafka://localhost/bookings')"
    done = run(plain.python, "-I", "-c", code, cwd=plain.elsewhere)
    assert f"pip install '{NAME}[brokers]'" in done.stderr


def test_the_command_without_its_extra_names_the_pip_command_and_exits_with_2(plain: Environment) -> None:
    for arguments in ([], ["--help"], ["simulate", "--plan", "arena"]):
        done = plain.command(*arguments)
        assert done.returncode == 2, done.stderr
        assert "pip install" in done.stdout + done.stderr
        assert f"{NAME}[cli]" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_the_wheel_with_its_extras_has_the_command_and_sells_a_seat(full: Environment) -> None:
    done = full.command("--help")
    assert done.returncode == 0, done.stderr
    assert {"simulate", "warm", "open", "pause", "close", "retire"} <= set(re.findall(r"\w+", done.stdout))
    assert full.execute(SELL_A_SEAT).split() == ["confirmed"]


def test_type_checkers_see_the_types_of_an_installed_seatlock(full: Environment) -> None:
    program = full.elsewhere / "program.py"
    program.write_text(WRONGLY_TYPED, "utf-8")
    mypy = (sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--python-executable", full.python)
    done = run(*mypy, program, cwd=full.elsewhere)
    assert re.findall(r"\[([\w-]+)\]", done.stdout) == ["arg-type"], done.stdout + done.stderr
    assert 'Revealed type is "seatlock.locker.SeatLocker"' in done.stdout


def test_an_editable_install_runs_the_checkout(index: None, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    environment.install("--editable", ROOT)
    assert environment.look_inside() == (ROOT / "seatlock", ROOT / "lua")
    assert not (environment.site_packages / "seatlock").exists()  # no copy that could grow stale


def test_the_oldest_versions_that_the_ranges_promise_sell_a_seat(index: None, tmp_path: Path) -> None:
    oldest = [re.sub(r"([\w-]+)>=([\d.]+),<\d+", r"\1==\2", each) for each in PROJECT["dependencies"]]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(oldest), "utf-8")
    environment = Environment(tmp_path / "env")
    environment.install(f"{ROOT}[embedded]", constraints=constraints)
    assert environment.execute(SELL_A_SEAT).split() == ["confirmed"]
