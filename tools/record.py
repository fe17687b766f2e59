"""Record a full run of a chapter, or an experiment, and write its log.

    BOOK_DATA=/path/to/data python tools/record.py 06_resnet resnet-20 --seed 0

The chapter's cells tagged `definition` say what there is to record:

- RUNS names for each run a function that makes the network, the recipe (or a
  function that makes it, if it needs a log), a function that makes the
  optimiser and, if it is not "cifar10", the data set. A run is trained, and
  evaluated once on the test set. One that was stopped goes on from its last
  epoch when the same command is given again.
- EXPERIMENTS names functions of a seed that return numbers: a dict, with
  further dicts and lists in it if need be. They take their data from
  utils.data.load, or make it themselves and give it the source MADE_HERE,
  and train with utils.training.fit. One that was stopped leaves nothing.
- PRECISION, if there is one, names the precision of some of them.
- SEEDS, if there is one, says of some how many seeds the chapter wants, from 0
  on; of the others it wants as many as are there, and three where none is.

The log goes to results/<chapter>/ and is what the chapter's tables are made
from. By its digest a test sees whether somebody has edited it. Checkpoints go
to the folder BOOK_CHECKPOINTS, or else to checkpoints/.

    python tools/record.py 08_comparison --list

prints the logs that are missing and can be made now, one a line, in any order
and side by side: `make` makes each. With BOOK_SCALE=smoke a recording is a
rehearsal: a few steps on the sample, and a log in a temporary folder.
Several processes share one recording when torchrun starts them:

    torchrun --nproc-per-node 2 tools/record.py 06_resnet resnet-20
"""

import argparse
import contextlib
import functools
import hashlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch

from utils import data, distributed, training
from utils.chapters import definitions
from utils.files import complete_file
from utils.scale import current_scale

# The source of data that no file holds, such as the stripes of chapter 6.
MADE_HERE = "made in the chapter"
SEEDS = 3  # of a run or experiment that has none, unless the chapter says


def parts_of(run: tuple) -> tuple:
    """What RUNS says of a run: its recipe, and the name of its data set."""
    make_network, recipe, make_optimizer, *name = run
    if callable(recipe):
        recipe = recipe()
    return make_network, recipe, make_optimizer, *(name or ["cifar10"])


def record(
    chapter: str,
    name: str,
    seed: int,
    root: Path = ROOT,
    precision: torch.dtype | None = None,
    rehearsal: Path | None = None,
) -> dict:
    """Record the run or the experiment `name` of a chapter, write its log.

    Beside the log of a run lie its weights, in half precision, if its name is
    in the chapter's KEEP and the seed is 0.

    Args:
        chapter: the chapter's file name without its ending.
        name: a name in its RUNS or its EXPERIMENTS.
        seed: of the first weights and of the training.
        root: the folder with chapters/, results/ and checkpoints/.
        precision: of all training and measuring, as in `fit`.
        rehearsal: a folder to write to instead of results/; every training
            is then cut down to a few steps.

    Raises:
        ValueError: the chapter has no such run or experiment, or the
            experiment returned something else than finite numbers; or the
            chapter's own precision is another one.
        FileExistsError: it was recorded before; the test set is used once.
    """
    log_file = (rehearsal or root / "results") / chapter
    log_file /= f"{name}-seed{seed}.json"
    if not rehearsal and distributed.by_first(log_file.exists):
        raise FileExistsError(
            f"{log_file.relative_to(root)} is there, and the test set is "
            "used once; to replace a log, delete it first"
        )
    with watched(bool(rehearsal)) as (loaded, pflops):
        names = definitions(root / f"chapters/{chapter}.ipynb")
        runs, experiments = names.get("RUNS", {}), names.get("EXPERIMENTS", {})
        if (name in runs) == (name in experiments):
            known = ", ".join([*runs, *experiments]) or "none"
            raise ValueError(
                f"{chapter} has no run {name!r} and no experiment, or both; "
                f"it has {known}"
            )
        own = names.get("PRECISION", {}).get(name, precision)
        if precision not in (None, own):
            raise ValueError(f"{chapter} has {name!r} recorded in {own}")
        with in_precision(own):
            if name in runs:
                folder = os.environ.get("BOOK_CHECKPOINTS")
                folder = Path(folder or (rehearsal or root) / "checkpoints")
                kind = "-rehearsal" if rehearsal else ""
                checkpoint = folder / f"{chapter}-{name}-seed{seed}{kind}.pt"
                net, log = train(name, runs[name], seed, checkpoint)
                kept = name in names.get("KEEP", ()) and seed == 0
                if kept and distributed.rank() == 0:
                    keep(net, log_file.with_suffix(".pt"))
            else:
                log = perform(name, experiments[name], seed)
                log["data"] = {"source": "; ".join(dict.fromkeys(loaded))}
                log["fits"], log["pflops"] = len(pflops), sum(pflops)
    log["digest"] = digest(log)
    if distributed.rank() == 0:
        with complete_file(log_file) as file:
            file.write_text(json.dumps(log, indent=1) + "\n")
    return log


def missing(chapter: str, root: Path = ROOT) -> tuple[list[str], list[str]]:
    """The logs that a chapter wants and does not have.

    Returns:
        Two lists of files, relative to `root`: those that can be recorded
        now, and those whose recipe needs one of the others first.
    """
    names = definitions(root / f"chapters/{chapter}.ipynb")
    experiments, runs = names.get("EXPERIMENTS", {}), names.get("RUNS", {})
    now, later = [], []
    for name in [*experiments, *runs]:
        there = len([*root.glob(f"results/{chapter}/{name}-seed*.json")])
        wanted = names.get("SEEDS", {}).get(name, there or SEEDS)
        logs = [
            f"results/{chapter}/{name}-seed{seed}.json"
            for seed in range(wanted)
        ]
        logs = [log for log in logs if not (root / log).exists()]
        if logs and name in runs:
            try:
                parts_of(runs[name])
            except (FileNotFoundError, ValueError):
                later += logs
                continue
        now += logs
    return now, later


@contextlib.contextmanager
def in_precision(precision: torch.dtype | None) -> Iterator[None]:
    """All training and measuring inside in one precision, if it is given.

    A GPU then rounds nothing to TF32 where float32 is asked for.
    """
    fastest, cudnn = training.fast_precision, torch.backends.cudnn
    allowed = cudnn.allow_tf32
    if precision == torch.float32:
        cudnn.allow_tf32 = False
    try:
        with patch.object(
            training, "fast_precision", lambda d: precision or fastest(d)
        ):
            yield
    finally:
        cudnn.allow_tf32 = allowed


def few(whole: data.Data) -> data.Data:
    """Two minibatches of most recipes, and as many for each evaluation."""
    validation, test = whole.validation.take(256), whole.test.take(256)
    return replace(whole.take(256), validation=validation, test=test)


@contextlib.contextmanager
def watched(rehearsal: bool = False) -> Iterator[tuple]:
    """Note what is loaded and trained inside.

    In a rehearsal there are few images, and two epochs at most.

    Yields:
        Two lists that grow: where data came from, and the PFLOPs of each
        call of `fit`.
    """
    load, fit = data.load, training.fit
    loaded, pflops = [], []

    @functools.wraps(load)
    def noted_load(*arguments, **options):
        found = load(*arguments, **options)
        loaded.append(f"{found.name} from {found.source}")
        return few(found) if rehearsal else found

    @functools.wraps(fit)
    def noted_fit(net, images, recipe, **options):
        if rehearsal:
            images, epochs = few(images), min(2, recipe.epochs)
            recipe = replace(recipe, epochs=epochs, sides=())
        log = fit(net, images, recipe, **options)
        pflops.append(log["pflops"])
        if images.source == MADE_HERE:
            loaded.append(f"{images.name} from {images.source}")
        return log

    with (
        patch.object(data, "load", noted_load),
        patch.object(training, "fit", noted_fit),
    ):
        yield loaded, pflops


# Runs


def train(
    name: str, run: tuple, seed: int, checkpoint: Path
) -> tuple[torch.nn.Module, dict]:
    """Train a run, evaluate it once; return the network and the log."""
    make_network, recipe, make_optimizer, data_name = parts_of(run)
    whole = data.load(data_name)
    torch.manual_seed(seed)
    # The same numbers but for rounding. With the channels last in memory, each
    # convolution is spared a copy: GoogLeNet's steps take half the time.
    net = make_network().to(memory_format=torch.channels_last)
    log = training.fit(
        net,
        whole,
        recipe,
        seed=seed,
        name=name,
        make_optimizer=make_optimizer,
        checkpoint=checkpoint,
    )
    log["data"]["name"] = data_name
    measured = distributed.by_first(training.evaluate, net, whole.test)
    log["test"] = measured | {"images": len(whole.test)}
    return net, log


def keep(net: torch.nn.Module, path: Path) -> None:
    """Write the weights in half precision."""
    half = {
        name: values.half().contiguous()
        if values.is_floating_point()
        else values
        for name, values in net.cpu().state_dict().items()
    }
    with complete_file(path) as file:
        torch.save(half, file)


# Experiments


def perform(name: str, experiment: Callable[[int], dict], seed: int) -> dict:
    """Let an experiment run; return its log, without data and compute."""
    device = torch.device(training.default_device())
    start = time.perf_counter()
    torch.manual_seed(seed)
    returned = experiment(seed)
    seconds = time.perf_counter() - start
    try:
        text = json.dumps(returned, default=methodcaller("tolist"))
        numbers = json.loads(text)
        found = what_is_no_number(numbers, "numbers")
        if not (isinstance(numbers, dict) and numbers):
            found = ["that is something else"]
    except (AttributeError, TypeError, ValueError) as error:
        found = [str(error)]
    if found:
        raise ValueError(
            f"the experiment {name!r} must return a dict of finite numbers, "
            f"but {'; '.join(found)}: {returned!r}"
        )
    return {
        "name": name,
        "seed": seed,
        **training.circumstances(device, training.fast_precision(device)),
        "seconds": round(seconds, 3),
        "numbers": numbers,
    }


def what_is_no_number(value, where: str) -> list[str]:
    """Name what is not a finite number in dicts, lists and numbers."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [
            sentence
            for key, part in pairs
            for sentence in what_is_no_number(part, f"{where}[{key!r}]")
        ]
    if isinstance(value, int | float) and math.isfinite(value):
        return []
    return [f"{where} is {value!r}"]


def digest(log: dict) -> str:
    """The sha256 of a log, by which a change is seen."""
    rest = {key: value for key, value in log.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapter", help="for example 06_resnet")
    parser.add_argument(
        "name", nargs="?", help="in the chapter's RUNS or EXPERIMENTS"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--precision",
        choices=["float32", "bfloat16", "float16"],
        help="unless given, the fastest of this machine",
    )
    parser.add_argument(
        "--list", action="store_true", help="print the missing logs"
    )
    options = parser.parse_args()
    if options.list == bool(options.name):
        parser.error("give the name of a run or an experiment, or --list")
    if options.list:
        now, later = missing(options.chapter)
        print(*now, sep="\n", end="\n" if now else "")
        if later:
            print(f"{len(later)} more can be recorded then", file=sys.stderr)
        return
    # What is recorded is full size, whatever machine it is on.
    rehearsal = current_scale() == "smoke"
    if not rehearsal:
        os.environ["BOOK_SCALE"] = "full"
    with distributed.joined():
        record_and_tell(options, rehearsal)


def record_and_tell(options: argparse.Namespace, rehearsal: bool) -> None:
    folder = None
    if rehearsal:
        made = distributed.by_first(tempfile.mkdtemp, prefix="convnets-")
        folder = Path(made)
        print(f"smoke scale: a few steps on the sample, written to {folder}")
    log = record(
        options.chapter,
        options.name,
        options.seed,
        precision=options.precision and getattr(torch, options.precision),
        rehearsal=folder,
    )
    if "test" in log:
        print(f"test accuracy {log['test']['accuracy']:.2%}")
    else:
        print(json.dumps(log["numbers"], indent=1))
    print(
        f"{log['name']}, seed {log['seed']}: {log['pflops']:.3f} PFLOPs, "
        f"{log['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
