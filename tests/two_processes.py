"""What tests/test_distributed.py lets torchrun start: short trainings.

    torchrun --nproc-per-node 2 tests/two_processes.py FOLDER

Each process writes what it ended with into the folder.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from tools.measure_processes import by_halves, resnet_20
from utils import distributed
from utils.data import Data, Split
from utils.training import Recipe, fit

# The last minibatch of 133 images has 5: three for process 0, two for 1.
N, DRAWN = 133, []
RECIPE = Recipe(
    epochs=3,
    learning_rate=0.005,
    batch_size=32,
    label_smoothing=0.1,
    crop_padding=2,
    flip="alternate",
    cutout=3,
)


class Draws(nn.Module):
    """Draws a random number, as dropout would, and notes it."""

    def forward(self, x):
        if self.training:
            DRAWN.append(torch.rand(()).item())
        return x


def without_norm():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), Draws(), nn.Flatten(),
        nn.Linear(16 * 7**2, 10),
    )  # fmt: skip


def toy():
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (N,), generator=g)
    noise = torch.randint(100, (N, 3, 16, 16), generator=g)
    images = (noise + 15 * labels.view(-1, 1, 1, 1)).byte()
    split = Split(images, labels, mean=0.5, std=0.2)
    return Data("toy", tuple("0123456789"), "noise", split, split, split)


# At a low rate: batch norm lets rounding grow from step to step.
LOW = replace(RECIPE, learning_rate=0.001)
NETS = {
    "without norm": (without_norm, RECIPE),
    "ResNet-20": (resnet_20, LOW),
    "ResNet-20 by halves": (lambda: by_halves(resnet_20()), LOW),
}


def trained(name: str, **options) -> dict:
    """Losses, weights and random numbers of a short training."""
    DRAWN.clear()
    torch.manual_seed(0)
    make_net, recipe = NETS[name]
    net = make_net()
    log = fit(net, toy(), recipe, seed=3, precision=torch.float32, **options)
    keys = "train_loss", "train_accuracy", "validation_loss"
    return {
        "epochs": [
            {key: epoch[key] for key in keys} for epoch in log["epochs"]
        ],
        "processes": log["processes"],
        "state": net.state_dict(),
        "drawn": list(DRAWN),
    }


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with distributed.joined():
        rank = distributed.rank()
        print(f"process {rank} prints")
        found = {
            name: trained(
                name, checkpoint=folder / f"{name}.pt", log=folder / "a.json"
            )
            for name in ("without norm", "ResNet-20")
        }
        found["evaluated"] = distributed.by_first(lambda: rank)
        try:
            distributed.check_agreed("ranks", rank)
        except ValueError as error:
            found["disagreement"] = str(error)
        torch.save(found, folder / f"rank-{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
