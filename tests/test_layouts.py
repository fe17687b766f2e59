"""fit's gradients are right, whatever instructions the processor has.

tests/layout_checks.py does the work, in a process of its own for each set of
oneDNN's kernels: a wrong one may end the process, or never return.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from utils.training import fast_precision

ROOT = Path(__file__).resolve().parent.parent
CHECKS = ROOT / "tests/layout_checks.py"
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
VARIABLES = {
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
    "BOOK_SCALE": "smoke",
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
}
HANGS = 1500  # seconds; what ends by itself takes a tenth of that
PRECISIONS = {"float32", str(fast_precision(torch.device("cpu")))[6:]}

long = pytest.mark.long(
    "the gradients of all networks, with AVX2 and with all instructions"
)
each_set = pytest.mark.parametrize(
    "instructions", ["all", "AVX2", pytest.param("AVX512_CORE", marks=long)]
)


def run(*command: str, instructions: str = "all"):
    """Run a program with those of oneDNN's kernels; skip what is not there."""
    environment = {**os.environ, **VARIABLES}
    if instructions != "all":
        able = torch.backends.cpu.get_cpu_capability()
        if not able.startswith("AVX512"):
            pytest.skip(f"{instructions}: this processor has {able} at most")
        environment["ONEDNN_MAX_CPU_ISA"] = instructions
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )


@each_set
def test_gradients_of_small_odd_layers(instructions):
    done = run(CHECKS, "layers", "float32", instructions=instructions)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "198 of 198 right" in done.stdout


@long
@pytest.mark.skipif(
    "bfloat16" not in PRECISIONS, reason="bfloat16 is not built in here"
)
def test_gradients_of_small_odd_layers_in_bfloat16():
    done = run(CHECKS, "layers", "bfloat16")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@long
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_gradients_of_every_network_that_a_chapter_trains(chapter, tmp_path):
    networks = tmp_path / "networks"
    done = run(CHECKS, "collect", f"chapters/{chapter}.ipynb", networks)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # Not with AVX512_CORE: in float32 oneDNN takes the same kernels with "all"
    # (seen with ONEDNN_VERBOSE=1, forward and backward, in both layouts). And
    # a processor with fewer instructions has no fast bfloat16: fit would not
    # choose it there.
    choices = [("all", *sorted(PRECISIONS))]
    if torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        choices.append(("AVX2", "float32"))
    for instructions, *precisions in choices:
        done = run(CHECKS, networks, *precisions, instructions=instructions)
        said = f"{instructions}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        assert done.returncode == 0, said
        assert "right" in done.stdout, said


WITHOUT_CARE = """
import sys
import torch
from utils import trial

trial.layouts = lambda net, device: [torch.channels_last]
import layout_checks
sys.exit(layout_checks.main("layers", "float32"))
"""


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the fault is of x86 kernels"
)
def test_the_known_fault_is_seen_where_no_care_is_taken():
    """If this fails oneDNN has been mended, and `layouts` need not look."""
    avx2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CARE],
        env={**os.environ, **VARIABLES, **avx2},
        check=False,
        capture_output=True,
        timeout=HANGS,
    )
    assert done.returncode != 0
