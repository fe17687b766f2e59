# @title Set-up: fetches the book on Colab, does nothing in a checkout
import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

book_url = "https://github.com/modern-convnets/book"
here = Path.cwd()
roots = [p for p in (here, *here.parents) if (p / "utils/scale.py").exists()]
root = roots[0] if roots else here / "book"
if sys.path[0] != str(root):
    sys.path.insert(0, str(root))

if not roots:  # Colab, Kaggle or any folder that is not a checkout
    url = os.environ.get("BOOK_REPO_URL", book_url)
    os.environ["GIT_TERMINAL_PROMPT"] = "0"  # fail, ask for no password
    needed = {}
    if not (root / "utils/scale.py").exists():
        needed["the book"] = ["git", "clone", "--depth", "1", url, str(root)]
    if importlib.util.find_spec("d2l") is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        needed["d2l"] = [*pip, "--no-deps", "d2l==1.0.3"]
    before = version("numpy"), version("torch")
    for name, command in needed.items():
        run = subprocess.run(command, check=False, capture_output=True)
        if run.returncode:
            raise RuntimeError(
                f"Could not fetch {name}: {run.stderr.decode()}Is the network "
                "on? (Kaggle: Settings > Turn on internet.) Then run this "
                "cell again."
            )
    importlib.invalidate_caches()
    if (version("numpy"), version("torch")) != before:
        raise RuntimeError("numpy or torch was replaced: restart the runtime.")

    import torch

    device = "GPU" if torch.cuda.is_available() else "CPU"
    print(f"Set-up: fetched {' and '.join(needed) or 'nothing'}; {device}.")
    if device == "CPU" and "google.colab" in sys.modules:
        print("For a GPU: Runtime → Change runtime type → T4 GPU.")
