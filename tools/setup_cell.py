# @title Set-up: fetches the book on Colab, does nothing in a checkout
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen, urlretrieve

if importlib.util.find_spec("torch") is None:
    raise ImportError(
        "No module named 'torch'. In a checkout choose the kernel of .venv "
        "(README, Run); elsewhere type %pip install torch torchvision "
        "matplotlib pandas requests safetensors scikit-image scikit-learn "
        "tqdm and run this cell again."
    )

book_url = "https://github.com/modern-convnets/book"
edition = ""  # in a release its tag, so that notebook and helpers agree
mark = "utils/samples/cifar10.tar.xz"  # tells the book from other folders
here = Path.cwd()
roots = [p for p in (here, *here.parents) if (p / mark).exists()]
root = roots[0] if roots else here / "book"
if sys.path[0] != str(root):
    sys.path.insert(0, str(root))
fetched = []


def of(edition):
    return f"edition {edition}" if edition else "branch main"


def edition_in(folder):  # what the set-up cell of a copy says of it
    cell = folder / "tools/setup_cell.py"
    if not cell.exists():  # packed for a room without network, with this
        return edition
    text = cell.read_text("utf-8")
    return "".join(re.findall('^edition = "(.*)"', text, re.MULTILINE))


if roots and edition_in(root) != edition:
    print(f"This notebook is of {of(edition)}, the book in {root} of")
    print(f"{of(edition_in(root))}: a cell may do other than its text says.")
if not roots:  # Colab, Kaggle or any folder that is not a checkout
    url = os.environ.get("BOOK_REPO_URL", book_url)
    index = os.environ.get("PIP_INDEX_URL", url)
    quiet = {"GIT_TERMINAL_PROMPT": "0", "PIP_USER": "0", "LC_ALL": "C"}
    how = {"env": {**os.environ, **quiet}, "check": True}
    how |= {"capture_output": True, "errors": "replace"}
    what, folder, site = "the book", here, url
    if edition:
        what = f"edition {edition} of the book"
    try:
        if not root.exists():
            with tempfile.TemporaryDirectory(dir=here, prefix="new-") as new:
                if shutil.which("git"):
                    clone = ["git", "clone", "--depth=1", url, f"{new}/book"]
                    clone += ["--branch", edition] if edition else []
                    subprocess.run(clone, **how)
                else:
                    ref = f"refs/tags/{edition}" if edition else "HEAD"
                    site = f"{url.removesuffix('.git')}/archive/{ref}.zip"
                    urlretrieve(site, f"{new}/book.zip")
                    shutil.unpack_archive(f"{new}/book.zip", new)
                # Moved when it is whole, so that no half of it can stay.
                next(Path(new).glob("*/")).rename(root)
            fetched.append(what)
        elif (root / mark).exists() and edition_in(root) != edition:
            raise FileExistsError(
                f"{root} is of {of(edition_in(root))}, and this notebook of "
                f"{of(edition)}. Rename that folder, so that nothing is lost."
            )
        elif (root / mark).exists() and not edition:  # from an earlier day
            try:
                pull = ["git", "-C", root, "--git-dir=.git", "pull"]
                pull += ["--ff-only", url, "HEAD"]
                if "Already up" not in subprocess.run(pull, **how).stdout:
                    fetched.append("what is new in the book")
            except (OSError, subprocess.CalledProcessError) as error:
                why = getattr(error, "stderr", error)
                print(f"Not brought up to date: {root}. {why}")
                print("Should a cell fail, delete that folder and start anew.")
        if not (root / mark).exists():
            raise FileExistsError(f"{root} is not this book. Rename it.")
        importlib.invalidate_caches()
        if importlib.util.find_spec("d2l") is None:
            what, folder, site = "d2l", root, index
            # Into the book's folder: what is installed stays untouched.
            pip = [sys.executable, "-m", "pip", "install", "--no-deps"]
            subprocess.run([*pip, f"--target={root}", "d2l==1.0.3"], **how)
            fetched.append(what)
    except (OSError, subprocess.CalledProcessError) as error:
        why, cure = getattr(error, "stderr", error), ""
        if not os.access(folder, os.W_OK):
            cure = f"{folder} cannot be written: use another folder. "
        elif isinstance(error, FileExistsError):
            pass  # the reader's own folder, whatever the network does
        elif site.startswith("http") and "@" not in site:
            try:
                urlopen(site, timeout=20).close()
            except OSError as answer:
                if not hasattr(answer, "code"):  # not even an HTTP error
                    cure = f"{site} does not answer: is the network on? "
                    cure += "(Kaggle: Settings > Turn on internet.) "
        raise RuntimeError(
            f"Could not fetch {what}: {why}\n{cure}Then run this cell again."
        ) from None
    # So that a training goes on where the kernel was lost.
    os.environ.setdefault("BOOK_RESUME", str(root / "checkpoints"))
    print(f"Set-up: fetched {' and '.join(fetched) or 'nothing'}.")

importlib.invalidate_caches()
loaded = list(getattr(sys.modules.get("utils"), "__path__", []))
if fetched or loaded != [str(root / "utils")]:  # another or an older utils
    for name in list(sys.modules):
        if name.split(".")[0] in ("utils", "chapters"):
            del sys.modules[name]
if not roots:
    from utils.machine import describe

    describe("NN_chapter")
