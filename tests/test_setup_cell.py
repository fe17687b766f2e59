"""The set-up cell: silent in a checkout, fetches the book anywhere else.

"Anywhere else" is an empty folder holding the notebook alone, a fresh
environment without d2l, and a local git repository as the remote. d2l really
comes from the package index, so these tests need the network.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

ROOT = Path(__file__).resolve().parent.parent
CELL = ROOT / "tools/setup_cell.py"
PROBE = """import torch, numpy, utils.scale
from d2l import torch as d2l
print(utils.scale.__file__, numpy.__version__, d2l.__file__)"""


def git(*arguments, folder):
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(
        ["git", *author, *arguments], cwd=folder, check=True, timeout=60
    )


@pytest.fixture(scope="module")
def remote(tmp_path_factory) -> str:
    """Commit this checkout's helpers to a bare repository; return its URL."""
    folder = tmp_path_factory.mktemp("remote")
    work = folder / "work"
    shutil.copytree(
        ROOT / "utils",
        work / "utils",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    git("init", "--quiet", "--initial-branch=main", folder=work)
    git("add", ".", folder=work)
    git("commit", "--quiet", "--message=The book", folder=work)
    git("clone", "--quiet", "--bare", "work", "book.git", folder=folder)
    return (folder / "book.git").as_uri()


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """Make an environment with all that this one has, except d2l.

    The packages are linked into a folder beside the environment. So pip finds
    them, as it finds Colab's, but can neither change nor remove them.
    """
    folder = tmp_path_factory.mktemp("environment")
    packages = folder / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("d2l", "pip", "__")):
            (packages / entry.name).symlink_to(entry)
    venv.create(folder / "env", with_pip=True)
    site = next((folder / "env/lib").glob("python*/site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n", "utf-8")
    return folder / "env/bin/python"


def environment(home: Path, url: str) -> dict[str, str]:
    """Return the variables of a new user, who sees no GPU."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "BOOK_", "VIRTUAL_ENV", "COV_"))
    }
    # Where packages come from is the machine's setting, not the user's.
    config = Path.home() / ".config/pip/pip.conf"
    if config.exists():
        kept.setdefault("PIP_CONFIG_FILE", str(config))
    return kept | {
        "HOME": str(home),
        "BOOK_REPO_URL": url,
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }


def execute(python: Path, notebook: Path, env: dict[str, str]) -> list[str]:
    """Execute a notebook as a reader would; return what each cell printed."""
    runner = "from nbclient.cli import main; main()"
    run = subprocess.run(
        [python, "-c", runner, "--inplace", "--timeout=300", notebook.name],
        cwd=notebook.parent,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert run.returncode == 0, run.stderr
    cells = nbformat.read(notebook, as_version=4).cells
    return ["".join(o.text for o in cell.outputs) for cell in cells]


def run_cell(folder: Path, env: dict[str, str], before: str = ""):
    """Run the set-up cell as a script, after `before`, in this environment."""
    source = f"{before}\n{CELL.read_text('utf-8')}\nprint(sys.path[0])"
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_notebook_alone_in_an_empty_folder(tmp_path, remote, python):
    notebook = tmp_path / "reader" / "02_net.ipynb"
    notebook.parent.mkdir()
    sources = CELL.read_text("utf-8"), PROBE
    cells = [v4.new_code_cell(source) for source in sources]
    nbformat.write(v4.new_notebook(cells=cells), notebook)
    env = environment(tmp_path, remote)

    setup, probe = execute(python, notebook, env)
    assert setup == "Set-up: fetched the book and d2l; CPU.\n"
    scale, numpy, d2l = probe.split()
    assert Path(scale) == notebook.parent / "book/utils/scale.py"
    assert int(numpy.split(".")[0]) >= 2
    assert Path(d2l).is_relative_to(python.parent.parent)

    again, probe_again = execute(python, notebook, env)
    assert again == "Set-up: fetched nothing; CPU.\n"
    assert probe_again == probe
    assert {p.name for p in notebook.parent.iterdir()} == {
        "02_net.ipynb",
        "book",
    }


def test_silent_in_a_checkout():
    env = environment(ROOT, "file:///there/is/no/such/repository")
    run = run_cell(ROOT / "chapters", env)
    assert run.stdout == f"{ROOT}\n", run.stderr
    assert run.stderr == ""


def test_colab_without_gpu_is_told_the_menu(tmp_path, remote):
    before = "import sys; sys.modules['google.colab'] = sys"
    run = run_cell(tmp_path, environment(tmp_path, remote), before)
    assert "Set-up: fetched the book; CPU." in run.stdout, run.stderr
    assert "Runtime → Change runtime type → T4 GPU" in run.stdout


def test_failing_clone_says_what_to_do(tmp_path):
    url = "file:///there/is/no/such/repository"
    run = run_cell(tmp_path, environment(tmp_path, url))
    assert run.returncode == 1
    assert "Could not fetch the book" in run.stderr
    assert "/there/is/no/such/repository" in run.stderr
    assert "run this cell again" in run.stderr
    assert not (tmp_path / "book").exists()


def test_replaced_numpy_is_noticed(tmp_path, remote):
    before = (
        "import importlib.metadata as m, itertools\n"
        "counter = itertools.count()\n"
        "m.version = lambda name: str(next(counter))"
    )
    run = run_cell(tmp_path, environment(tmp_path, remote), before)
    assert "numpy or torch was replaced" in run.stderr
