"""Training and evaluation, one way for all chapters.

`fit` trains a network by a `Recipe` and keeps a log; `predict` and `evaluate`
run it. A run that was interrupted continues from its checkpoint and ends with
the same weights.
"""

import contextlib
import datetime
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from utils.data import Data, Split, batches
from utils.scale import current_scale
from utils.shapes import layer_table

MakeOptimizer = Callable[[nn.Module, "Recipe"], torch.optim.Optimizer]


@dataclass(frozen=True)
class Recipe:
    """How to train; `sgd` is the optimiser unless `fit` is given another."""

    epochs: int  # passes over the training images
    learning_rate: float  # the highest one; `one_cycle` scales it
    batch_size: int = 128  # images in a minibatch
    momentum: float = 0.9  # as in torch.optim.SGD
    weight_decay: float = 5e-4  # as in torch.optim.SGD
    label_smoothing: float = 0.0  # probability spread over all classes
    crop_padding: int = 0  # pixels of padding for random crops; 0: no crops
    flip: bool | str = False  # mirror half of the images; see `mirrored`
    cutout: int = 0  # side of a square that is covered in each image
    nesterov: bool = False  # as in torch.optim.SGD
    small_epochs: int = 0  # how many epochs at first see shrunken images
    small_side: int = 0  # and the side of those, in pixels

    def __post_init__(self):
        if self.epochs < 1:
            raise ValueError(f"epochs={self.epochs} must be at least 1")
        if self.flip not in (False, True, "alternate"):
            raise ValueError(
                f"flip={self.flip!r} must be False, True or 'alternate'"
            )
        if not 0 <= self.small_epochs <= self.epochs:
            raise ValueError(
                f"small_epochs={self.small_epochs} must be from 0 to "
                f"epochs={self.epochs}"
            )
        if self.small_epochs and self.small_side < 1:
            raise ValueError(
                f"small_side={self.small_side} must be at least 1 pixel when "
                f"small_epochs={self.small_epochs}; or set that to 0"
            )


def one_cycle(progress: float) -> float:
    """Learning-rate factor: up to 1 in the first quarter, then down to 0.

    `progress` is the part of all steps that is done, from 0 to 1. Smith and
    Topin, https://arxiv.org/abs/1708.07120, drawn with straight lines.
    """
    return min(progress / 0.25, (1 - progress) / 0.75)


def fit(
    net: nn.Module,
    data: Data,
    recipe: Recipe,
    *,
    seed: int = 0,
    name: str | None = None,
    device: str | None = None,
    precision: torch.dtype | None = None,
    make_optimizer: MakeOptimizer | None = None,
    checkpoint: str | Path | None = None,
    log: str | Path | None = None,
) -> dict:
    """Train `net` in place.

    Args:
        net: maps images (N, C, H, W) to logits (N, classes).
        data: `data.train` is trained on, `data.validation` is measured after
            every epoch; `data.test` is not touched.
        recipe: how to train.
        seed: of minibatches, augmentation and dropout. The first weights
            come with `net`; seed them where it is made.
        name: what the log calls the run; the class of `net` unless given.
        device: "cuda" or "cpu"; the GPU if there is one.
        precision: dtype of the mixed-precision arithmetic; the fastest of
            this hardware unless given, torch.float32 for none.
        make_optimizer: called with `net` and `recipe`; its learning rates
            are the highest ones. `sgd` unless given.
        checkpoint: file that is written after every epoch and read at the
            start, so that the same call continues an interrupted run.
        log: JSON file to write the returned log to.

    Returns:
        The log: what ran, on what, and the results of every epoch. `pflops`
        is the training compute, see `training_pflops`.

    Raises:
        ValueError: the images do not fit the network, a label is out of
            range, or the checkpoint is of another run.
        FloatingPointError: the loss is not finite.
    """
    table = layer_table(net, tuple(data.train.images.shape[1:]))
    check_labels(table.output_shape, data)
    device = torch.device(device or default_device())
    precision = precision or fast_precision(device)
    train = data.train.to(device)
    net.to(device, memory_format=torch.channels_last)
    optimizer = (make_optimizer or sgd)(net, recipe)
    # One cycle scales these; a checkpoint holds what it made of them.
    highest_rates = [group["lr"] for group in optimizer.param_groups]
    # float16 loses small gradients; multiplying the loss keeps them.
    scaler = torch.amp.GradScaler(
        device.type, enabled=precision == torch.float16
    )
    parts = {"net": net, "optimizer": optimizer, "scaler": scaler}
    result = {
        "name": name or type(net).__name__,
        "command": command(),
        "date": datetime.date.today().isoformat(),
        "scale": current_scale(),
        "seed": seed,
        "data": {"source": data.source, "train_images": len(train)},
        "recipe": asdict(recipe),
        "optimizer": type(optimizer).__name__,
        "precision": str(precision).removeprefix("torch."),
        "parameters": table.parameters,
        "macs": table.macs,
        "pflops": training_pflops(net, data, recipe),
        "hardware": hardware(device),
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
        },
        "seconds": 0.0,
        "epochs": [],
    }
    if checkpoint and Path(checkpoint).exists():
        resume(Path(checkpoint), parts, result)

    for epoch in range(len(result["epochs"]), recipe.epochs):
        start = time.perf_counter()
        # Each epoch draws from its own seed, so that the epoch after an
        # interruption is the one it would have been.
        with torch.random.fork_rng():
            torch.manual_seed(1_000_003 * seed + epoch)
            loss, accuracy = train_epoch(
                train,
                recipe,
                epoch,
                precision,
                seed=seed,
                name=result["name"],
                highest_rates=highest_rates,
                **parts,
            )
        measured = evaluate(net, data.validation, precision=precision)
        seconds = time.perf_counter() - start
        result["seconds"] += seconds
        result["epochs"].append(
            {
                "epoch": epoch + 1,
                "train_loss": loss,
                "train_accuracy": accuracy,
                "validation_loss": measured["loss"],
                "validation_accuracy": measured["accuracy"],
                "seconds": round(seconds, 3),
            }
        )
        if checkpoint:
            states = {key: part.state_dict() for key, part in parts.items()}
            with complete_file(Path(checkpoint)) as file:
                torch.save(states | {"result": result}, file)
    if log:
        with complete_file(Path(log)) as file:
            file.write_text(json.dumps(result, indent=1) + "\n")
    return result


def sgd(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Stochastic gradient descent, all parameters alike."""
    return torch.optim.SGD(
        net.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )


def training_pflops(net: nn.Module, data: Data, recipe: Recipe) -> float:
    """Training compute: 3 * 2 * MACs * images seen, in units of 10**15.

    A multiply-accumulate is two operations, and a backward pass costs about
    two forward passes. The network stays as it is.
    """
    channels, height, width = data.train.images.shape[1:]
    side = recipe.small_side
    small, large = (
        layer_table(net, shape).macs if epochs else 0
        for shape, epochs in (
            ((channels, side, side), recipe.small_epochs),
            ((channels, height, width), recipe.epochs - recipe.small_epochs),
        )
    )
    macs = small * recipe.small_epochs
    macs += large * (recipe.epochs - recipe.small_epochs)
    return 6 * macs * len(data.train) / 1e15


def mirrored(recipe: Recipe, n: int, epoch: int, seed: int):
    """What `batches` takes as `flip` in this epoch.

    With "alternate" chance decides once which images are mirrored, and every
    epoch mirrors the others, so that two epochs show both sides of each
    image (Jordan, https://arxiv.org/abs/2404.00498).
    """
    if recipe.flip != "alternate":
        return recipe.flip
    generator = torch.Generator().manual_seed(seed)
    at_first = torch.rand(n, generator=generator) < 0.5
    return at_first ^ (epoch % 2 == 1)


def train_epoch(
    train,
    recipe,
    epoch,
    precision,
    *,
    seed,
    name,
    highest_rates,
    net,
    optimizer,
    scaler,
) -> tuple[float, float]:
    """One pass over the training images: forward, backward, step.

    Returns:
        Mean loss and accuracy while training: dropout on, weights changing.
    """
    minibatches = batches(
        train,
        recipe.batch_size,
        shuffle=True,
        crop_padding=recipe.crop_padding,
        flip=mirrored(recipe, len(train), epoch, seed),
        cutout=recipe.cutout,
        device=train.images.device,
    )
    steps = math.ceil(len(train) / recipe.batch_size)
    title = f"{name}, epoch {epoch + 1} of {recipe.epochs}"
    bar = tqdm(minibatches, desc=title, total=steps, leave=False)
    net.train()
    losses, rates, correct = [], [], 0
    for images, labels in bar:
        progress = (steps * epoch + len(losses) + 0.5) / (
            steps * recipe.epochs
        )
        groups = zip(optimizer.param_groups, highest_rates, strict=True)
        for group, highest in groups:
            group["lr"] = highest * one_cycle(progress)
        rates.append(optimizer.param_groups[0]["lr"])
        if epoch < recipe.small_epochs:
            side = (recipe.small_side, recipe.small_side)
            images = F.interpolate(
                images, side, mode="bilinear", antialias=True
            )
        with mixed_precision(train.images.device, precision):
            logits = net(images)
            loss = F.cross_entropy(
                logits, labels, label_smoothing=recipe.label_smoothing
            )
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach() * len(labels))
        correct += (logits.argmax(1) == labels).sum()
        # Reading a loss makes a GPU wait, so read fifty at a time.
        if len(losses) % 50 == 0:
            check_finite(losses, rates)
    check_finite(losses, rates)
    mean_loss = torch.stack(losses).sum() / len(train)
    return mean_loss.item(), (correct / len(train)).item()


@torch.no_grad()
def predict(
    net: nn.Module, split: Split, *, precision: torch.dtype | None = None
) -> torch.Tensor:
    """float32 logits (N, classes), on the CPU, for every image of a split.

    Runs in evaluation mode and leaves `net` in the mode in which it was.
    Arguments as in `fit`.
    """
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    with mixed_precision(device, precision or fast_precision(device)):
        logits = [
            net(images).float().cpu()
            for images, _ in batches(split, 500, device=device)
        ]
    net.train(was_training)
    return torch.cat(logits)


def evaluate(
    net: nn.Module, split: Split, *, precision: torch.dtype | None = None
) -> dict[str, float]:
    """Mean cross-entropy "loss" and "accuracy" (0 to 1), as in `predict`."""
    logits = predict(net, split, precision=precision)
    labels = split.labels.cpu()
    right = (logits.argmax(1) == labels).double()
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": right.mean().item(),
    }


def default_device() -> str:
    """The GPU if PyTorch sees one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where it is built in, float16 on older GPUs, else float32."""
    if device.type == "cuda":
        # A T4 emulates bfloat16, slowly.
        built_in = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if built_in else torch.float16
    able = getattr(torch.cpu, "get_capabilities", dict)()
    built_in = able.get("avx512_bf16") or able.get("amx_bf16")
    on_cpu = device.type == "cpu"
    return torch.bfloat16 if on_cpu and built_in else torch.float32


def mixed_precision(device: torch.device, precision: torch.dtype):
    if precision == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=precision)


def command() -> str:
    """The program that runs, without this machine's folders."""
    if "ipykernel" in sys.modules:
        return "notebook"
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def hardware(device: torch.device) -> dict:
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(device)}
    able = getattr(torch.cpu, "get_capabilities", dict)()
    cpu = able.get("cpu_name") or platform.processor() or platform.machine()
    return {"device": cpu, "threads": torch.get_num_threads()}


def check_labels(output_shape: tuple[int, ...], data: Data) -> None:
    if len(output_shape) != 1:
        raise ValueError(
            f"for one image the network's output has the shape {output_shape} "
            "instead of (classes,); end it with nn.Flatten() or nn.Linear"
        )
    for split in (data.train, data.validation):
        low, high = split.labels.min().item(), split.labels.max().item()
        if low < 0 or high >= output_shape[0]:
            raise ValueError(
                f"labels go from {low} to {high}, but the network has "
                f"{output_shape[0]} outputs, for labels from 0 to "
                f"{output_shape[0] - 1}; give its last layer more outputs"
            )


def check_finite(losses, rates) -> None:
    finite = torch.stack(losses).isfinite().tolist()
    if not all(finite):
        step = finite.index(False)
        raise FloatingPointError(
            f"the loss is not finite at step {step + 1} of the epoch, with "
            f"the learning rate {rates[step]:.3g}; try a third of it, or "
            "look for a division by zero in the network"
        )


@contextlib.contextmanager
def complete_file(path: Path):
    """A path to write to, renamed to `path` at the end: never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def resume(path: Path, parts: dict, result: dict) -> None:
    """Put the state of a checkpoint into `parts` and `result`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["result"]
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint that can be read "
            f"({type(error).__name__}); delete it to start again"
        ) from error
    for key in "name seed data recipe optimizer precision parameters".split():
        # A checkpoint may be older than a key of today.
        if before.get(key) != result[key]:
            raise ValueError(
                f"{path} belongs to another run: its {key} is "
                f"{before.get(key)!r} and this one's {result[key]!r}; name "
                "another file for this run, or delete that one"
            )
    for key, part in parts.items():
        part.load_state_dict(state[key])
    result["epochs"], result["seconds"] = before["epochs"], before["seconds"]
    print(f"continuing after epoch {len(result['epochs'])} of {path.name}")
