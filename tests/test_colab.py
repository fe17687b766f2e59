"""Chapters and helpers hold on Colab, which has IPython 7.34 and Python 3.13.

So do both editions of each chapter, whose stubs are no cells of it. All are
judged from outside, in seconds. Ruff knows the grammar of every Python. The
wheel of IPython 7.34 is fetched, which needs the network, and read: what its
input transformer makes of a cell, and which names and arguments it has.
tests/test_alone.py runs the chapters.
"""

import ast
import functools
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from tools.editions import KINDS, edition

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
HELPERS = [*ROOT.glob("utils/**/*.py"), *ROOT.glob("chapters/checks/*.py")]
PYTHONS = ("py311", "py313")  # the oldest that the book allows, and Colab's
# Gone from the standard library with Python 3.12 and 3.13.
REMOVED = {
    *"aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils".split(),
    *"imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev".split(),
    *"pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib".split(),
}


@functools.cache
def notebooks() -> dict[str, nbformat.NotebookNode]:
    """All chapters and all editions of them, by name."""
    found = {}
    for path in CHAPTERS:
        chapter = nbformat.read(path, as_version=4)
        found[path.stem] = chapter
        for kind in KINDS:
            found[f"{path.stem}, {kind}"] = edition(chapter, kind, path.stem)
    return found


def cells() -> dict[str, str]:
    """The code cells of all these, by notebook and id."""
    return {
        f"{name}, cell {cell.id}": cell.source
        for name, notebook in notebooks().items()
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def everything() -> dict[str, str]:
    """All Python that runs on a reader's Colab, by where it stands."""
    return cells() | {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for path in HELPERS
    }


# Python


def lint(python: str, *paths: Path, source: str | None = None) -> str:
    """What ruff says of files, or of a source, for one Python."""
    command = ["ruff", "check", "--no-cache", "--isolated"]
    command += ["--select=E9,F6,F7,F82,W605", "--output-format=concise"]
    done = subprocess.run(
        [sys.executable, "-m", *command, f"--target-version={python}"]
        + (list(map(str, paths)) or ["-"]),
        input=source,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode else ""


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Write all notebooks into one folder."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, notebook in notebooks().items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


@pytest.mark.parametrize("python", PYTHONS)
def test_all_of_it_can_be_read(python, written):
    places = ROOT / "chapters", ROOT / "utils", ROOT / "tools/setup_cell.py"
    assert lint(python, *places, written) == ""


def test_what_one_python_cannot_read_is_found(tmp_path):
    of_312, of_314 = "type Row = list\n", 'x = 1\nt"{x}"\n'
    assert "3.12" in lint("py311", source=of_312)
    assert lint("py313", source=of_312) == ""
    assert "3.14" in lint("py313", source=of_314)
    assert "W605" in lint("py313", source='"\\d"\n')
    assert "F821" in lint("py313", source="print(name)\n")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(of_314)]
    nbformat.write(notebook, tmp_path / "a.ipynb")
    assert "3.14" in lint("py313", tmp_path)


def imported(source: str) -> set[str]:
    """The top-level modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_nothing_imports_what_python_has_dropped():
    found = {k: imported(v) & REMOVED for k, v in everything().items()}
    assert {where: names for where, names in found.items() if names} == {}
    assert imported("import imp.a, b\nfrom cgi.c import d") == {
        *("imp", "b", "cgi")
    }


# IPython


@pytest.fixture(scope="module")
def ipython(tmp_path_factory) -> Path:
    """Fetch IPython 7.34 and unpack it; nothing is installed."""
    folder = tmp_path_factory.mktemp("ipython")
    command = "pip download --quiet --no-deps --only-binary=:all:".split()
    subprocess.run(
        [sys.executable, "-m", *command, "ipython==7.34.0"],
        cwd=folder,
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder / "IPython"


@pytest.fixture(scope="module")
def transformer(ipython) -> ModuleType:
    """Its input transformer, which needs nothing else of it."""
    path = ipython / "core/inputtransformer2.py"
    spec = importlib.util.spec_from_file_location("transformer_7_34", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ipython_7_leaves_every_cell_as_it_is(transformer):
    """It takes no line, not even one within a text, for its own syntax."""
    transform = transformer.TransformerManager().transform_cell
    changed = {
        where: transform(source)
        for where, source in cells().items()
        if transform(source).rstrip("\n") != source.rstrip("\n")
    }
    assert changed == {}
    for source in ("!ls", "%time 1", "x = %pwd", "x?", "  a = 1", ">>> a"):
        assert transform(source) != source + "\n"


def offered(ipython: Path, module: str) -> dict[str, set[str]]:
    """The names of a module, and the arguments of its functions and classes.

    Followed are imports of everything, which IPython.display consists of.
    """
    path = ipython.parent / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert file.exists(), f"IPython 7.34 has no module {module}"
    names: dict[str, set[str]] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            if node.names[0].name == "*":
                names |= offered(ipython, node.module)
        elif isinstance(node, ast.FunctionDef):
            names[node.name] = arguments(node)
        elif isinstance(node, ast.ClassDef):
            inherited = [names.get(ast.unparse(b), set()) for b in node.bases]
            names[node.name] = set().union(*inherited)
            for member in node.body:
                if getattr(member, "name", "") == "__init__":
                    names[node.name] = arguments(member)
    return names


def arguments(function: ast.FunctionDef) -> set[str]:
    given = function.args
    return {
        x.arg for x in [*given.posonlyargs, *given.args, *given.kwonlyargs]
    }


def unknown(source: str, ipython: Path) -> list[str]:
    """What a source asks of IPython that 7.34 has not."""
    tree, found, known = ast.parse(source), [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [
                f"import {alias.name}: write `from ... import ...`"
                for alias in node.names
                if alias.name.split(".")[0] == "IPython"
            ]
        elif isinstance(node, ast.ImportFrom) and (
            (node.module or "").split(".")[0] == "IPython"
        ):
            names = offered(ipython, node.module)
            for alias in node.names:
                if alias.name not in names:
                    found.append(f"{node.module}.{alias.name}")
                known[alias.asname or alias.name] = names.get(alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and known.get(ast.unparse(node.func)):
            name = ast.unparse(node.func)
            found += [
                f"{name}({keyword.arg}=...)"
                for keyword in node.keywords
                if keyword.arg and keyword.arg not in known[name]
            ]
    return found


def test_ipython_7_has_what_is_asked_of_it(ipython):
    found = {k: unknown(v, ipython) for k, v in everything().items()}
    assert {where: names for where, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("from IPython.display import HTML, display\nHTML(data='x')", []),
        ("from IPython.display import HTML as H\nH(wide=1)", ["H(wide=...)"]),
        ("from IPython.display import Image\nImage(data=b'', width=1)", []),
        ("from IPython.display import Mermaid", ["IPython.display.Mermaid"]),
        (
            "from IPython.display import display\ndisplay(1, clear=True)",
            ["display(clear=...)"],
        ),
        (
            "from IPython.display import Code\nCode(metadata=1, style='x')",
            ["Code(metadata=...)", "Code(style=...)"],
        ),
        (
            "import IPython.display",
            ["import IPython.display: write `from ... import ...`"],
        ),
    ],
)
def test_what_ipython_7_has_not_is_found(ipython, source, answer):
    assert unknown(source, ipython) == answer
