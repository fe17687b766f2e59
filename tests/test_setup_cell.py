"""The set-up cell: silent in a checkout, fetches the book anywhere else.

"Anywhere else" is a folder that holds the notebook alone. The remote is a
local git repository with a zip beside it, as GitHub has one. One test fetches
d2l, really, from the package index, so it needs the network; the others run
the cell as a script, with a torch and a d2l that import at once.
"""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tools.release import EDITION

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = (ROOT / "tools/setup_cell.py").read_text("utf-8")


def cell_of(edition: str) -> str:
    """The set-up cell of an edition; of main, where it is empty."""
    return EDITION.sub(f'edition = "{edition}"', WRITTEN)


CELL = cell_of("")
MARK = "utils/samples/cifar10.tar.xz"
PROBE = """import torch, numpy, utils.scale
from d2l import torch as d2l
print(utils.scale.__file__, numpy.__version__, d2l.__file__)"""
NO_GPU = """class cuda:
    is_available = staticmethod(lambda: False)
    get_device_name = staticmethod(lambda: "Tesla T4")
class cpu:
    get_capabilities = staticmethod(dict)
class backends:
    class cpu:
        get_cpu_capability = staticmethod(lambda: "AVX2")
class dtype: pass
class device:
    def __init__(self, name): self.type = name
bfloat16, float32 = "bfloat16", "float32"
"""
SHOW = "import utils.scale; print(utils.scale.__file__)"
# Of the chapter that the cell names as it stands in its own file.
CHAPTER = """{"metadata": {
    "accelerator": "GPU",
    "book": {
        "code_hash": "now", "gpu_minutes": 8,
        "times": {"AVX2": {
            "code_hash": "now", "date": "2026-07-14", "threads": 2,
            "emulated": false, "factor": 1.0,
            "seconds": {"a": 200.0, "b": 100.0}}}}}}"""
TOLD = (
    "CPU, scale laptop: the chapter takes 5 minutes on such a machine "
    "(measured 2026-07-14, 2 threads).\n"
)
UNKNOWN = "how long the chapter takes on such a machine was not measured.\n"


WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
}


def git(*arguments, folder):
    env = os.environ | WHO
    subprocess.run(["git", *arguments], cwd=folder, env=env, check=True)


class Remote:
    """A bare repository of the book's helpers, and a zip of it."""

    def __init__(self, folder: Path):
        self.work = folder / "work"
        self.bare = folder / "book.git"
        self.zip = folder / "book/archive/HEAD.zip"
        self.url = self.bare.as_uri()
        shutil.copytree(
            ROOT / "utils",
            self.work / "utils",
            ignore=shutil.ignore_patterns("__pycache__", "samples", "figures"),
        )
        (self.work / "chapters").mkdir()
        (self.work / "chapters/NN_chapter.ipynb").write_text(CHAPTER, "utf-8")
        (self.work / "tools").mkdir()
        (self.work / "tools/setup_cell.py").write_text(CELL, "utf-8")
        (self.work / MARK).parent.mkdir()
        (self.work / MARK).touch()
        self.zip.parent.mkdir(parents=True)
        git("init", "-q", "-b", "main", folder=self.work)
        git("init", "-q", "-b", "main", "--bare", self.bare, folder=folder)
        self.publish("The book")

    def publish(self, message: str):
        """Commit the working tree, push it and pack it."""
        git("add", ".", folder=self.work)
        git("commit", "-q", "-m", message, folder=self.work)
        git("push", "-q", self.bare, "main", folder=self.work)
        archive = ["archive", "--prefix=book-main/", "-o", self.zip, "HEAD"]
        git(*archive, folder=self.work)

    def add(self, name: str):
        """Publish one more module of utils, and its name in another."""
        (self.work / "utils" / f"{name}.py").touch()
        with (self.work / "utils/scale.py").open("a") as file:
            file.write(f"\n{name} = True\n")
        self.publish(f"Add {name}")

    def edition(self, name: str):
        """Tag an edition beside main, and pack it."""
        git("checkout", "-q", "--detach", folder=self.work)
        cell = self.work / "tools/setup_cell.py"
        cell.write_text(cell_of(name), "utf-8")
        with (self.work / "utils/scale.py").open("a") as file:
            file.write(f"\nedition = {name!r}\n")
        git("add", ".", folder=self.work)
        git("commit", "-q", "-m", name, folder=self.work)
        git("tag", name, folder=self.work)
        git("push", "-q", self.bare, name, folder=self.work)
        packed = self.zip.parent / f"refs/tags/{name}.zip"
        packed.parent.mkdir(parents=True, exist_ok=True)
        archive = ["archive", f"--prefix=book-{name}/", "-o", packed, name]
        git(*archive, folder=self.work)
        git("checkout", "-q", "main", folder=self.work)


@pytest.fixture
def remote(tmp_path) -> Remote:
    folder = tmp_path / "remote"
    folder.mkdir()
    return Remote(folder)


@pytest.fixture
def reader(tmp_path) -> Path:
    """Make the folder in which a reader has put a notebook."""
    folder = tmp_path / "a reader's Übungen"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> Path:
    """Make a folder of packages that import at once."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "torch.py").write_text(NO_GPU, "utf-8")
    (folder / "d2l").mkdir()
    (folder / "d2l/__init__.py").touch()
    return folder


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
    return (
        kept
        | WHO
        | {
            "HOME": str(home),
            "BOOK_REPO_URL": url,
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            "no_proxy": "127.0.0.1",
        }
    )


@pytest.fixture
def run(tmp_path, reader, remote, quick):
    """Run the cell as a script in the reader's folder."""

    def run(
        before="",
        after="",
        *,
        cell=CELL,
        folder=reader,
        wrapper=(),
        **variables,
    ):
        env = environment(tmp_path, remote.url)
        env |= {"PYTHONPATH": str(quick)} | variables
        return subprocess.run(
            [*wrapper, sys.executable, "-c", f"{before}\n{cell}\n{after}"],
            cwd=folder,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def without_git(tmp_path) -> str:
    """Return a PATH on which there is no git."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return str(folder)


def says(done, *words):
    """Check that the cell failed with these words; return all of them."""
    assert done.returncode == 1, done.stdout
    last = done.stderr.partition("Error: ")[2]
    assert [word for word in words if word not in last] == [], done.stderr
    return last


# The whole way, with the real torch and the real d2l


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
    )
    assert run.returncode == 0, run.stderr
    cells = nbformat.read(notebook, as_version=4).cells
    return ["".join(o.text for o in cell.outputs) for cell in cells]


def test_notebook_alone_in_a_folder(tmp_path, reader, remote, python):
    notebook = reader / "02_net.ipynb"
    cells = [v4.new_code_cell(source) for source in (CELL, PROBE)]
    nbformat.write(v4.new_notebook(cells=cells), notebook)
    env = environment(tmp_path, remote.url) | {"PIP_USER": "1"}
    installed = sorted(python.parents[1].rglob("*.py"))

    setup, probe = execute(python, notebook, env)
    fetched, told = setup.split("\n", 1)
    assert fetched == "Set-up: fetched the book and d2l."
    assert told.startswith("CPU, scale laptop: ")
    scale, rest = probe.split(".py ", 1)
    assert Path(scale) == reader / "book/utils/scale"
    numpy, d2l = rest.split(" ", 1)
    assert int(numpy.split(".")[0]) >= 2
    assert Path(d2l.strip()) == reader / "book/d2l/torch.py"
    assert sorted(python.parents[1].rglob("*.py")) == installed

    again, probe_again = execute(python, notebook, env)
    assert again == f"Set-up: fetched nothing.\n{told}"
    assert probe_again == probe
    assert sorted(p.name for p in reader.iterdir()) == ["02_net.ipynb", "book"]


def test_silent_in_a_checkout(run):
    url = "file:///there/is/no/such/repository"
    for folder in (ROOT / "chapters", ROOT):
        variables = {"folder": folder, "BOOK_REPO_URL": url}
        done = run("", SHOW, cell=WRITTEN, **variables)
        assert done.stdout == f"{ROOT / 'utils/scale.py'}\n", done.stderr
        assert done.stderr == ""


COLAB = "import sys; sys.modules['google.colab'] = sys"
RUNTIME = "For a GPU: Runtime → Change runtime type → T4 GPU.\n"
KAGGLE = {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}
SETTINGS = "For a GPU: Settings → Accelerator → GPU T4 x2.\n"
GPU = "import torch; torch.cuda.is_available = lambda: True"


@pytest.mark.parametrize(
    ("before", "variables", "told"),
    [
        ("", {}, TOLD),
        (COLAB, {}, TOLD + RUNTIME),
        ("", KAGGLE, TOLD + SETTINGS),
        (
            COLAB,
            {"BOOK_SCALE": "smoke"},
            f"CPU, scale smoke: {UNKNOWN}{RUNTIME}",
        ),
        (
            f"{COLAB}\n{GPU}",
            {},
            "Tesla T4, scale full: the chapter takes about 8 minutes on a "
            "free Colab GPU, estimated; nobody has measured it yet.\n",
        ),
        (GPU, {"BOOK_SCALE": "laptop"}, f"Tesla T4, scale laptop: {UNKNOWN}"),
    ],
)
def test_what_the_machine_makes_of_the_chapter(run, before, variables, told):
    done = run(before, **variables)
    assert done.stdout == f"Set-up: fetched the book.\n{told}", done.stderr


@pytest.mark.parametrize("chapter", ["no GPU", "none"])
def test_a_chapter_that_wants_no_gpu_is_not_sent_for_one(run, remote, chapter):
    path = remote.work / "chapters/NN_chapter.ipynb"
    if chapter == "none":  # the reader's own copy, under another name
        path.unlink()
    else:
        path.write_text('{"metadata": {}}', "utf-8")
    remote.publish("Another chapter")
    done = run(COLAB)
    assert done.stdout.endswith(f"CPU, scale laptop: {UNKNOWN}"), done.stderr


def test_a_training_will_find_what_it_had_done(run, reader, tmp_path):
    say = "print(os.environ.get('BOOK_RESUME'))"
    assert run("", say).stdout.endswith(f"{reader}/book/checkpoints\n")
    drive = str(tmp_path / "drive")
    done = run("", say, BOOK_RESUME=drive)
    assert done.stdout.endswith(f"{drive}\n"), done.stderr
    assert run("", say, folder=ROOT).stdout == "None\n"


# What may be missing


def test_without_torch(run):
    bare = "import sys; sys.path = [p for p in sys.path if '-pack' not in p]"
    words = "No module named 'torch'", "kernel of .venv", "%pip install torch"
    says(run(bare, PYTHONPATH=""), *words)


def test_without_git_a_zip_is_fetched(run, reader, without_git):
    done = run("", SHOW, PATH=without_git)
    assert done.stdout == (
        f"Set-up: fetched the book.\n{TOLD}{reader}/book/utils/scale.py\n"
    ), done.stderr
    assert [p.name for p in reader.iterdir()] == ["book"]


def test_without_git_a_copy_cannot_be_updated_and_says_so(run, without_git):
    for path in (without_git, os.environ["PATH"]):
        run(PATH=without_git)
        done = run("", SHOW, PATH=path)
        assert done.returncode == 0, done.stderr
        assert "Not brought up to date" in done.stdout
        assert "delete that folder" in done.stdout


@pytest.mark.parametrize("broken", ["no zip", "not a zip", "half a zip"])
def test_a_zip_that_is_none(run, remote, reader, without_git, broken):
    if broken == "no zip":
        remote.zip.unlink()
    elif broken == "not a zip":
        remote.zip.write_text("<html>Please log in.</html>", "utf-8")
    else:
        remote.zip.write_bytes(remote.zip.read_bytes()[:-100])
    last = says(run(PATH=without_git), "Could not fetch the book", "again")
    assert "network" not in last
    assert list(reader.iterdir()) == []


# Whose folder it is


@pytest.mark.parametrize(
    "kind", ["file", "empty folder", "notes", "repository", "package"]
)
def test_a_folder_book_of_the_readers_own(run, reader, kind):
    book = reader / "book"
    if kind == "file":
        book.write_text("mine", "utf-8")
    else:
        book.mkdir()
    if kind == "notes":
        (book / "notes.txt").touch()
    if kind == "repository":
        git("init", "-q", folder=book)
    if kind == "package":
        (book / "utils").mkdir()
        (book / "utils/scale.py").touch()
    before = sorted(reader.rglob("*"))
    last = says(run(), str(book), "is not this book", "Rename it", "again")
    assert "network" not in last
    assert sorted(reader.rglob("*")) == before


def test_the_readers_own_utils_make_no_checkout(run, reader):
    (reader / "utils").mkdir()
    (reader / "utils/scale.py").touch()
    done = run("", SHOW)
    assert done.stdout.endswith(f"{reader}/book/utils/scale.py\n"), done.stderr


def test_an_older_copy_is_updated(run, remote, reader):
    run()
    remote.add("news")
    # Its utils may be loaded already, as they were before the update.
    early = f"import sys; sys.path.insert(0, {str(reader / 'book')!r})"
    later = "import utils.news; from utils.scale import news"
    done = run(f"{early}\nimport utils.scale", later)
    assert done.returncode == 0, done.stderr
    news = f"Set-up: fetched what is new in the book.\n{TOLD}"
    assert done.stdout == news
    assert run().stdout == f"Set-up: fetched nothing.\n{TOLD}"


def test_an_older_copy_without_a_branch_is_updated(run, remote, reader):
    git("clone", "-q", remote.bare, "book", folder=reader)
    git("checkout", "-q", "--detach", folder=reader / "book")
    remote.add("news")
    remote.add("more_news")
    done = run("", "import utils.news, utils.more_news")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("why", ["edited", "committed", "no remote"])
def test_a_copy_that_cannot_be_updated_is_named(run, remote, reader, why):
    run()
    remote.add("news")
    book = reader / "book"
    if why == "edited":
        (book / "utils/news.py").write_text("mine", "utf-8")
    elif why == "committed":
        (book / "utils/mine.py").touch()
        git("add", ".", folder=book)
        git("commit", "-q", "-m", "Mine", folder=book)
    else:
        remote.bare.rename(remote.bare.with_name("elsewhere"))
    done = run("", SHOW)
    assert done.returncode == 0, done.stderr
    assert f"Not brought up to date: {book}. " in done.stdout
    assert "delete that folder and start anew" in done.stdout
    assert "network" not in done.stdout


def test_a_copy_in_another_repository_leaves_that_alone(run, remote, reader):
    git("clone", "-q", remote.bare, ".", folder=reader)
    shutil.rmtree(reader / "utils")
    shutil.copytree(remote.work, reader / "book")
    shutil.rmtree(reader / "book/.git")
    remote.add("news")
    done = run()
    assert "Not brought up to date" in done.stdout, done.stderr
    assert not list(reader.rglob("news.py"))


# Which edition it is

WHICH = "import utils.scale as s; print(getattr(s, 'edition', 'main'))"
MAIN = ""


@pytest.mark.parametrize("tool", ["git", "zip"])
def test_an_edition_fetches_its_own_helpers(
    run, remote, reader, without_git, tool
):
    variables = {"PATH": without_git} if tool == "zip" else {}
    remote.edition("2027.1")
    remote.add("news")
    remote.edition("2027.2")
    remote.add("more_news")
    done = run("", WHICH, cell=cell_of("2027.1"), **variables)
    assert done.stdout == (
        f"Set-up: fetched edition 2027.1 of the book.\n{TOLD}2027.1\n"
    ), done.stderr
    assert not (reader / "book/utils/news.py").exists()
    shutil.rmtree(reader / "book")
    done = run("", WHICH, **variables)
    assert done.stdout.endswith("main\n"), done.stderr
    assert (reader / "book/utils/more_news.py").exists()


@pytest.mark.parametrize("tool", ["git", "zip"])
def test_an_edition_holds_still(run, remote, without_git, tool):
    variables = {"PATH": without_git} if tool == "zip" else {}
    remote.edition("2027.1")
    cell = cell_of("2027.1")
    run(cell=cell, **variables)
    remote.add("news")
    remote.edition("2027.2")
    told = f"Set-up: fetched nothing.\n{TOLD}2027.1\n"
    assert run("", WHICH, cell=cell, **variables).stdout == told
    remote.bare.rename(remote.bare.with_name("elsewhere"))
    assert run("", WHICH, cell=cell, **variables).stdout == told


@pytest.mark.parametrize(
    ("there", "asked"),
    [("2027.1", "2027.2"), ("2027.1", MAIN), (MAIN, "2027.1")],
)
def test_a_folder_of_another_edition(run, remote, reader, there, asked):
    names = [f"edition {e}" if e else "branch main" for e in (there, asked)]
    remote.edition("2027.1")
    remote.add("news")
    remote.edition("2027.2")
    run(cell=cell_of(there))
    book = reader / "book"
    (book / "utils/scale.py").write_text("mine = 1", "utf-8")
    (book / "checkpoints").mkdir()
    before = sorted(reader.rglob("*"))
    last = says(run(cell=cell_of(asked)), f"{book} is of {names[0]}")
    assert f"this notebook of {names[1]}. Rename that folder" in last
    assert sorted(reader.rglob("*")) == before
    assert (book / "utils/scale.py").read_text("utf-8") == "mine = 1"

    book.rename(reader / "my book")
    done = run("", WHICH, cell=cell_of(asked))
    assert done.stdout.endswith(f"{asked or 'main'}\n"), done.stderr


def test_another_edition_is_no_fault_of_the_network(run, remote, silence):
    remote.edition("2027.1")
    run()
    cell = cell_of("2027.1")
    last = says(run(cell=cell, BOOK_REPO_URL=silence), "Rename that folder")
    assert "network" not in last


@pytest.mark.parametrize("tool", ["git", "zip"])
def test_an_edition_that_a_fork_lacks(run, reader, without_git, tool):
    variables = {"PATH": without_git} if tool == "zip" else {}
    done = run(cell=cell_of("2027.1"), **variables)
    says(done, "Could not fetch edition 2027.1 of the book", "2027.1")
    assert list(reader.iterdir()) == []


def test_a_checkout_of_another_edition_says_so(run, remote, reader):
    remote.edition("2027.1")
    clone = ["clone", "-q", "--branch", "2027.1", remote.bare, "mine"]
    git(*clone, folder=reader)
    folder = reader / "mine"
    for asked, name in ((MAIN, "branch main"), ("2027.2", "edition 2027.2")):
        done = run("", WHICH, cell=cell_of(asked), folder=folder)
        assert done.stdout == (
            f"This notebook is of {name}, the book in {folder} of\n"
            "edition 2027.1: a cell may do other than its text says.\n"
            "2027.1\n"
        ), done.stderr
    done = run("", WHICH, cell=cell_of("2027.1"), folder=folder)
    assert done.stdout == "2027.1\n"
    shutil.rmtree(folder / "tools")  # as where no network is needed
    done = run("", WHICH, cell=cell_of("2027.2"), folder=folder)
    assert done.stdout == "2027.1\n"


# Whose utils is loaded

FAKES = {
    "module": ("utils.py", "import utils"),
    "package": ("utils/__init__.py", "import utils"),
    "without __init__": ("utils/mine.py", "import utils"),
    "part of a package": ("utils/scale.py", "import utils.scale"),
    "no file": ("x", "import sys, types; sys.modules['utils'] = types"),
}


@pytest.mark.parametrize("kind", FAKES)
def test_another_utils_is_forgotten(run, reader, tmp_path, kind):
    name, load = FAKES[kind]
    path = tmp_path / "other" / name
    path.parent.mkdir(parents=True)
    path.touch()
    load = f"import sys; sys.path.insert(0, {str(tmp_path / 'other')!r})\n" + (
        load
    )
    for folder, root in ((reader, reader / "book"), (ROOT / "chapters", ROOT)):
        done = run(load, SHOW, folder=folder)
        assert done.stdout.endswith(f"{root}/utils/scale.py\n"), done.stderr


def test_the_books_own_utils_stays_loaded(run, reader):
    again = f"import utils.scale as a\nexec({CELL!r})\n"
    again += "import utils.scale as b; print(a is b)"
    for folder in (reader, ROOT / "chapters"):
        done = run("", again, folder=folder)
        assert done.stdout.endswith("True\n"), done.stderr


# What cannot be reached or written


class NotFound(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    """Serve a site that answers, and has nothing."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotFound) as server:
        serve = threading.Thread(target=server.serve_forever, args=(0.05,))
        serve.start()
        yield f"http://127.0.0.1:{server.server_port}/some/book"
        server.shutdown()


@pytest.fixture
def silence():
    """Return the address of a port that nobody listens to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/some/book"


@pytest.mark.parametrize("tool", ["git", "zip"])
def test_no_network_is_found_out(run, reader, silence, without_git, tool):
    variables = {"PATH": without_git} if tool == "zip" else {}
    last = says(run(BOOK_REPO_URL=silence, **variables), "fetch the book")
    assert f"{silence} does not answer" in last or "HEAD.zip does" in last
    assert "is the network on?" in last
    assert "Then run this cell again" in last
    assert list(reader.iterdir()) == []


@pytest.mark.parametrize("tool", ["git", "zip"])
def test_a_wrong_address_is_no_fault_of_the_network(
    run, reader, site, without_git, tool
):
    variables = {"PATH": without_git} if tool == "zip" else {}
    last = says(run(BOOK_REPO_URL=site, **variables), "Could not fetch the")
    assert "not found" in last.lower()
    assert "network" not in last
    assert list(reader.iterdir()) == []


def test_a_wrong_path_is_no_fault_of_the_network(run):
    last = says(
        run(BOOK_REPO_URL="file:///there/is/no/such/book"), "such/book"
    )
    assert "network" not in last


NO_D2L = """import importlib.util as u; find = u.find_spec
u.find_spec = lambda name: None if name == "d2l" else find(name)"""


def test_d2l_without_a_network_is_found_out(run, silence, site):
    some = {"PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    last = says(run(NO_D2L, PIP_INDEX_URL=silence, **some), "fetch d2l")
    assert f"{silence} does not answer" in last
    last = says(run(NO_D2L, PIP_INDEX_URL=site, **some), "fetch d2l", "d2l==")
    assert "network" not in last


@pytest.fixture
def powerless() -> list[str]:
    """Return what makes even root obey a folder's permissions."""
    if os.geteuid():
        return []
    wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    if (
        not shutil.which("setpriv")
        or subprocess.run([*wrapper, "true"]).returncode
    ):
        pytest.skip("needs setpriv: root may write everywhere")
    return wrapper


def test_a_folder_that_cannot_be_written(run, reader, powerless):
    reader.chmod(0o555)
    last = says(run(wrapper=powerless), "Could not fetch the book")
    reader.chmod(0o755)
    assert f"{reader} cannot be written: use another folder" in last
    assert "network" not in last


def test_a_copy_that_cannot_be_written(run, reader, powerless):
    run()
    (reader / "book").chmod(0o555)
    last = says(run(NO_D2L, wrapper=powerless), "Could not fetch d2l")
    (reader / "book").chmod(0o755)
    assert f"{reader}/book cannot be written" in last
