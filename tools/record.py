"""Record a full run of a chapter: train, test once, write the log.

    BOOK_DATA=/path/to/data python tools/record.py 06_resnet resnet-20 --seed 0

The chapter's cells tagged `definition` say what there is to run: they define
the networks, the recipes and RUNS, which names for each run a function that
makes the network, the recipe and a function that makes the optimiser. The log
goes to results/<chapter>/ and is what the chapter's tables are made from. A
run that was stopped goes on from its last epoch when the same command is
given again.
"""

import argparse
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import nbformat
import torch

from utils.data import load
from utils.training import complete_file, evaluate, fit

DATA = "cifar10"


def definitions(chapter: Path) -> dict:
    """Execute the cells tagged `definition`; return the names they made."""
    namespace: dict = {}
    for cell in nbformat.read(chapter, as_version=4).cells:
        if "definition" in cell.metadata.get("tags", []):
            exec(cell.source, namespace)
    return namespace


def record(chapter: str, run: str, seed: int, root: Path = ROOT) -> dict:
    """Train the run `run` of a chapter, evaluate it once, write its log.

    Beside the log lie the weights, in half precision, if the run's name is
    in the chapter's KEEP and the seed is 0.

    Args:
        chapter: the chapter's file name without its ending.
        run: a name in its RUNS.
        seed: of the first weights and of the training.
        root: the folder with chapters/, results/ and checkpoints/.

    Raises:
        ValueError: the chapter has no such run.
        FileExistsError: it was recorded before; the test set is used once.
    """
    names = definitions(root / f"chapters/{chapter}.ipynb")
    if run not in names.get("RUNS", {}):
        known = ", ".join(names.get("RUNS", {})) or "none"
        raise ValueError(f"{chapter} has no run {run!r}; it has {known}")
    log_file = root / f"results/{chapter}/{run}-seed{seed}.json"
    if log_file.exists():
        raise FileExistsError(
            f"{log_file.relative_to(root)} is there, and the test set is "
            "used once; to replace a run, delete its log first"
        )
    make_network, recipe, make_optimizer = names["RUNS"][run]
    data = load(DATA)
    torch.manual_seed(seed)
    net = make_network()
    checkpoint = root / f"checkpoints/{chapter}-{run}-seed{seed}.pt"
    log = fit(
        net,
        data,
        recipe,
        seed=seed,
        name=run,
        make_optimizer=make_optimizer,
        checkpoint=checkpoint,
    )
    log["test"] = evaluate(net, data.test) | {"images": len(data.test)}
    if run in names.get("KEEP", ()) and seed == 0:
        half = {
            name: values.half() if values.is_floating_point() else values
            for name, values in net.cpu().state_dict().items()
        }
        with complete_file(log_file.with_suffix(".pt")) as file:
            torch.save(half, file)
    with complete_file(log_file) as file:
        file.write_text(json.dumps(log, indent=1) + "\n")
    return log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapter", help="for example 06_resnet")
    parser.add_argument("run", help="a name in the chapter's RUNS")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # A recorded run is a full one, whatever machine it is on.
    os.environ["BOOK_SCALE"] = "full"
    log = record(options.chapter, options.run, options.seed)
    print(
        f"{log['name']}, seed {log['seed']}: test accuracy "
        f"{log['test']['accuracy']:.2%}, {log['pflops']:.3f} PFLOPs, "
        f"{log['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
