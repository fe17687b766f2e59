"""What `make setup` and `make serve` decide, on a folder that holds little."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ANEW = "-m venv --clear .venv"


def fake_python(path: Path, version: str) -> Path:
    """Write a program that says it is this version of Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    as_tuple = tuple(map(int, version.split(".")))
    path.write_text(
        f'#!/bin/sh\n[ "$1" = -V ] && echo Python {version} && exit\n'
        f'[ "$1" = -c ] && exec {sys.executable} -c '
        f'"import sys; sys.version_info = {as_tuple}; $2"\n',
        "utf-8",
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def make(tmp_path):
    """Call make in a new folder of the book."""
    folder = tmp_path / "a book"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)

    def make(*arguments):
        kept = {k: v for k, v in os.environ.items() if k[:4] != "MAKE"}
        kept.pop("PYTHON", None)
        return subprocess.run(
            ["make", *arguments],
            cwd=folder,
            env=kept,
            check=False,
            capture_output=True,
            text=True,
        )

    make.folder = folder
    return make


@pytest.fixture
def finished(make):
    """Put a finished .venv of Python 3.12.1 into the folder."""
    fake_python(make.folder / ".venv/bin/python", "3.12.1")
    (make.folder / ".venv/ready").touch()
    return make


def test_without_a_venv_one_is_made(make):
    assert ANEW in make("-n", "setup").stdout


def test_a_finished_venv_stays(finished, tmp_path):
    same = fake_python(tmp_path / "python", "3.12.1")
    for arguments in ([], [f"PYTHON={same}"]):
        done = finished("-n", "setup", *arguments)
        assert "Nothing to be done" in done.stdout, done.stderr


def test_new_versions_are_installed_into_a_finished_venv(finished):
    os.utime(finished.folder / ".venv/ready", (0, 0))
    done = finished("-n", "setup")
    assert ANEW not in done.stdout
    assert "uv pip install" in done.stdout


@pytest.mark.parametrize("version", ["3.12.2", "3.13.0", "3.9.1"])
def test_another_python_makes_it_anew(finished, tmp_path, version):
    other = fake_python(tmp_path / "python", version)
    for goal in ("setup", "book"):
        assert ANEW in finished("-n", goal, f"PYTHON={other}").stdout


def test_an_unfinished_venv_is_made_anew(finished):
    (finished.folder / ".venv/ready").unlink()
    assert ANEW in finished("-n", "setup").stdout


def test_a_venv_whose_python_is_gone_is_made_anew(finished):
    python = finished.folder / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/there/is/no/python")
    assert ANEW in finished("-n", "setup").stdout


def test_a_python_that_is_too_old_or_missing_is_named(make, tmp_path):
    old = fake_python(tmp_path / "python", "2.7.18")
    for python in (old, "/there/is/no/python"):
        done = make("setup", f"PYTHON={python}")
        assert done.returncode == 2
        assert f"needs Python 3.11 or newer, and {python} is" in done.stdout
        assert "make setup PYTHON=..." in done.stdout
        assert not (make.folder / ".venv").exists()


def test_a_cache_that_uv_cannot_write_is_named(finished):
    (finished.folder / ".venv/bin/python").write_text(
        '#!/bin/sh\necho Python 3.12.1\n[ "$2" != uv ]\n', "utf-8"
    )
    os.utime(finished.folder / ".venv/ready", (0, 0))
    done = finished("setup")
    assert done.returncode == 2
    assert "make setup UV_CACHE_DIR=" in done.stdout


def test_a_port_that_is_taken_is_left_for_another(make):
    (make.folder / "_build/html").mkdir(parents=True)
    (make.folder / "_build/html/index.html").touch()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which serves as well
        served = subprocess.Popen(
            ["make", "serve"],
            cwd=make.folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        line = next(x for x in served.stdout if x.startswith("Serving"))
        os.killpg(served.pid, 15)
        served.communicate()
    assert "127.0.0.1" in line
    assert "port 8000 " not in line
