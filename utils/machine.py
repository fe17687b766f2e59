"""The machine that this is, and what it makes of a chapter."""

import json
import math
import os
import sys
from pathlib import Path

import torch

from utils.scale import current_scale

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
# The kinds of machine, and what a reader calls them.
KINDS = {
    "AVX2": "most laptops (AVX2)",
    "bfloat16": "newer ones (bfloat16)",
    "GPU": "a free Colab GPU",
}


def default_device() -> str:
    """The GPU if PyTorch sees one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where it is built in, float16 on older GPUs, else float32.

    ATEN_CPU_CAPABILITY=avx2 makes any CPU an ordinary one, without it.
    """
    if device.type == "cuda":
        # A T4 emulates bfloat16, slowly.
        built_in = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if built_in else torch.float16
    able = getattr(torch.cpu, "get_capabilities", dict)()
    built_in = able.get("avx512_bf16") or able.get("amx_bf16")
    used = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    on_cpu = device.type == "cpu"
    return torch.bfloat16 if on_cpu and built_in and used else torch.float32


def kind_of_machine() -> str | None:
    """One of KINDS; None if nothing is measured of what is set here.

    Only times at the scale that a reader meets are worth a measurement, and
    only those of a processor that KINDS has a name for.
    """
    on_gpu = default_device() == "cuda"
    if current_scale() != ("full" if on_gpu else "laptop"):
        return None
    if on_gpu:
        return "GPU"
    if fast_precision(torch.device("cpu")) == torch.bfloat16:
        return "bfloat16"
    capability = torch.backends.cpu.get_cpu_capability()
    return "AVX2" if capability.startswith("AVX") else None


def describe(chapter: str) -> None:
    """Print device, scale, how long a chapter takes, and the way to a GPU.

    Args:
        chapter: its file's name, as in "02_alexnet".
    """
    notebook = CHAPTERS / f"{chapter}.ipynb"
    about = {}
    if notebook.exists():
        about = json.loads(notebook.read_text("utf-8"))["metadata"]
    on_gpu = default_device() == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else "CPU"
    expected = expected_time(about.get("book", {}), kind_of_machine())
    print(f"{device}, scale {current_scale()}: {expected}.")
    if on_gpu or "accelerator" not in about:
        return
    if "google.colab" in sys.modules:
        print("For a GPU: Runtime → Change runtime type → T4 GPU.")
    elif "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        print("For a GPU: Settings → Accelerator → GPU T4 x2.")


def expected_time(book: dict, kind: str | None) -> str:
    """What was measured of a chapter, or that nothing was.

    Args:
        book: `book` of the notebook's metadata, where tools/times.py puts it.
        kind: as `kind_of_machine` says.
    """
    if column := book.get("times", {}).get(kind):
        return (
            f"the chapter takes {duration(whole_time(column))} on such a "
            f"machine (measured {origin(column, book['code_hash'])})"
        )
    if kind == "GPU" and "gpu_minutes" in book:
        return (
            f"the chapter takes about {duration(60 * book['gpu_minutes'])} "
            "on a free Colab GPU, estimated; nobody has measured it yet"
        )
    return "how long the chapter takes on such a machine was not measured"


def whole_time(column: dict) -> float:
    """Seconds of all cells, on the kind of machine that the column is of."""
    return sum(column["seconds"].values()) * column["factor"]


def duration(seconds: float | None) -> str:
    """Rounded up, to tens of seconds; from a minute on to half minutes."""
    if seconds is None:
        return "–"
    tens, halves = (math.ceil(round(seconds, 1) / n) for n in (10, 30))
    if tens < 6:
        return f"{max(tens, 1)}0 s"
    number = f"{halves // 2}{'½' * (halves % 2)}"
    return f"{number} minute{'s' * (halves > 2)}"


def origin(column: dict, current_code: str) -> str:
    """When and how a column was measured."""
    words = [column["date"]]
    if "threads" in column:
        threads = column["threads"]
        words.append(f"{threads} thread{'s' * (threads > 1)}")
    else:
        words.append(column["device"])
    if column["emulated"]:
        words.append("scaled from a faster machine")
    if column["code_hash"] != current_code:
        words.append("of an earlier version")
    return ", ".join(words)
