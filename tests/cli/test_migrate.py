"""`seatlock migrate`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_main import command_without
from tests.support.need import need
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def ledger_extra() -> None:
    if find_spec("alembic") is None:
        need("Alembic", "run: pip install 'seatlock-redis[ledger]'")


def test_it_tells_from_which_to_which_revision(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    assert run("migrate", "--ledger", url) == (0, f"The ledger in {url} went from nothing to revision 0001.\n", "")
    assert run("migrate", "--ledger", url) == (0, f"The ledger in {url} is at revision 0001 already.\n", "")


def test_the_url_can_come_from_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATLOCK_LEDGER_URL", f"sqlite:///{tmp_path / 'other.db'}")
    assert run("migrate").status == 0
    assert (tmp_path / "other.db").exists()


def test_without_a_url_it_is_a_file_in_this_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("migrate").status == 0
    assert (tmp_path / "seatlock-ledger.db").exists()


@pytest.mark.parametrize("password", ["s3cret!word", "p%40ss%2Fword"])
def test_the_password_is_never_shown(run: Run, password: str) -> None:
    url = f"postgresql://ann:{password}@127.0.0.1:{free_port()}/house?connect_timeout=2"
    status, out, err = run("migrate", "--ledger", url)
    assert (status, out) == (1, "")
    assert "no answer" in err
    assert "SEATLOCK_LEDGER_URL" in err
    assert password not in err
    assert "ss/word" not in err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://ann:s3cret@host/house", "PostgreSQL"),
        ("postgresql://ann:s3c/ret:@host:house", "cannot be understood"),
        ("sqlite://", "in memory"),
        ("no url", "PostgreSQL"),
    ],
)
def test_a_url_that_will_not_do_is_refused(run: Run, url: str, said: str) -> None:
    status, out, err = run("migrate", "--ledger", url)
    assert (status, out) == (1, "")
    assert said in err
    assert "s3c" not in err
    assert "Traceback" not in err


def test_without_the_ledger_extra_it_names_it(tmp_path: Path) -> None:
    done = command_without(("alembic",), tmp_path, "migrate", "--ledger", "sqlite:///x.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'seatlock-redis[ledger]'" in done.stderr
    assert "Traceback" not in done.stderr
