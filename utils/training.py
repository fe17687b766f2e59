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
from utils.shapes import in_mode, layer_table
from utils.trial import arrange, try_step

MakeOptimizer = Callable[[nn.Module, "Recipe"], torch.optim.Optimizer]
FIRST_STEPS = 5  # seconds after which a run is told how long it will take


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

    One minibatch is tried first, on a copy of the weights: what does not fit
    is said before anything is changed. Parts of `net` that are in evaluation
    mode while `net` is in training mode, such as frozen batch norm, stay so.

    Args:
        net: maps images (N, C, H, W) to logits (N, classes).
        data: `data.train` is trained on, `data.validation` is measured after
            every epoch; `data.test` is not touched.
        recipe: how to train.
        seed: of minibatches, augmentation and dropout. The first weights
            come with `net`; seed them where it is made.
        name: what the log calls the run; the class of `net` unless given.
        device: "cuda", "cpu" or another of PyTorch's; the GPU from NVIDIA or
            AMD if there is one, else the CPU.
        precision: dtype of the mixed-precision arithmetic; the fastest of
            this hardware unless given, torch.float32 for none.
        make_optimizer: called with `net` and `recipe`; its learning rates
            are the highest ones. `sgd` unless given.
        checkpoint: file that is written before the first and after every
            epoch and read at the start, so that the same call continues an
            interrupted run.
        log: JSON file to write the returned log to.

    Returns:
        The log: what ran, on what, and the results of every epoch. `pflops`
        is the training compute, see `training_pflops`.

    Raises:
        ValueError: the images do not fit the network, a part of it cannot be
            trained on the smallest minibatch, a label is out of range, a
            split is empty, or the checkpoint is of another run.
        OSError: the log or the checkpoint cannot be written.
        FloatingPointError: the loss is not finite.
    """
    for path in filter(None, (log, checkpoint)):
        check_writable(Path(path))
    check_images(data)
    table = layer_table(net, tuple(data.train.images.shape[1:]))
    check_labels(table.output_shape, data)
    work = macs_by_epoch(net, data, recipe)
    device = torch.device(device or default_device())
    precision = precision or fast_precision(device)
    train = data.train.to(device)
    safe = prepare(net, train, recipe, device, precision)
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
        "optimizer_settings": settings(optimizer),
        "precision": str(precision).removeprefix("torch."),
        "parameters": table.parameters,
        "macs": table.macs,
        "pflops": 6 * sum(work) / 1e15,
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
    elif checkpoint:  # an interrupted first epoch starts from these weights
        save_checkpoint(Path(checkpoint), parts, result)

    bar = Progress(
        total=sum(work),
        initial=sum(work[: len(result["epochs"])]),
        bar_format="{desc}{percentage:3.0f} %|{bar}| {elapsed}<{remaining}",
        leave=False,
    )
    for epoch in range(len(result["epochs"]), recipe.epochs):
        title = f"{result['name']}, epoch {epoch + 1} of {recipe.epochs}"
        bar.set_description(title)
        start = time.perf_counter()
        # Each epoch draws from its own seed, so that the epoch after an
        # interruption is the one it would have been.
        care = safe if safe.met else contextlib.nullcontext()
        with torch.random.fork_rng(), care:
            torch.manual_seed(1_000_003 * seed + epoch)
            loss, accuracy = train_epoch(
                train,
                recipe,
                epoch,
                precision,
                seed=seed,
                bar=bar,
                work=work[epoch],
                highest_rates=highest_rates,
                **parts,
            )
        measured = evaluate(
            net,
            data.validation,
            precision=precision,
            batch_size=recipe.batch_size,
        )
        if not math.isfinite(measured["loss"]):
            raise FloatingPointError(
                f"the validation loss after epoch {epoch + 1} is "
                f"{measured['loss']}; try a third of the learning rate"
            )
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
            save_checkpoint(Path(checkpoint), parts, result)
    bar.close()
    if safe.met:  # nor shall the reader's own backward pass meet the fault
        arrange(net, torch.contiguous_format)
    if log:
        with complete_file(Path(log)) as file:
            text = json.dumps(result, indent=1, allow_nan=False)
            file.write_text(text + "\n")
    return result


class Progress(tqdm):
    """A progress bar that says early when all of it takes over a minute.

    `for seed in Progress(range(3), desc="three runs")` does it for a loop.
    """

    said = False

    def update(self, n=1):
        shown = super().update(n)
        if not self.disable and not self.said:
            done, seconds = self.n - self.initial, self.format_dict["elapsed"]
            self.said = seconds > FIRST_STEPS and done > 0
            if self.said:
                minutes = seconds * (self.total - self.initial) / done / 60
                name = self.desc.split(",")[0].strip(": ")
                if minutes > 1:
                    text = f"{name}: about {math.ceil(minutes)} minutes here"
                    self.write(text, file=sys.stderr)
        return shown


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
    return 6 * sum(macs_by_epoch(net, data, recipe)) / 1e15


def macs_by_epoch(net: nn.Module, data: Data, recipe: Recipe) -> list[int]:
    """The multiply-accumulates of the forward passes of each epoch."""
    channels, *sides = data.train.images.shape[1:]
    small, large = [recipe.small_side] * 2, sides
    work = []
    for side, epochs in (
        (small, recipe.small_epochs),
        (large, recipe.epochs - recipe.small_epochs),
    ):
        if epochs:
            macs = layer_table(net, (channels, *side)).macs * len(data.train)
            work += [macs] * epochs
    return work


def prepare(net, train, recipe, device, precision):
    """Try the smallest minibatch, then bring `net` where it will be trained.

    Returns:
        A `SafeGradients`, in which to train it if that has `met` the fault.
    """
    count = len(train) % recipe.batch_size or recipe.batch_size
    ((images, labels),) = batches(train.take(count), count, device=device)
    minibatches = [
        (shrunken(images, recipe, epoch), labels)
        for epoch in {0, recipe.epochs - 1}
    ]
    # Frozen parts of a network in training mode are left as they are.
    kept = contextlib.nullcontext() if net.training else in_mode(net, True)
    with torch.random.fork_rng(), kept:
        layout, safe = try_step(
            net, minibatches, device, mixed_precision(device, precision)
        )
    if not net.training:
        net.train()
    arrange(net.to(device), layout)
    return safe


def shrunken(images, recipe: Recipe, epoch: int):
    """The images as the recipe wants them in this epoch: small at first."""
    if epoch >= recipe.small_epochs:
        return images
    side = (recipe.small_side, recipe.small_side)
    return F.interpolate(images, side, mode="bilinear", antialias=True)


def settings(optimizer: torch.optim.Optimizer) -> list[dict]:
    """Each group's settings, for the log; None stands for a default."""
    plain = (bool, int, float, str)
    return [
        {
            key: value if isinstance(value, plain) else repr(value)
            for key, value in group.items()
            if key != "params" and value is not None
        }
        for group in optimizer.param_groups
    ]


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
    bar,
    work,
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
    losses, rates, correct = [], [], 0
    for images, labels in minibatches:
        progress = (steps * epoch + len(losses) + 0.5) / (
            steps * recipe.epochs
        )
        groups = zip(optimizer.param_groups, highest_rates, strict=True)
        for group, highest in groups:
            group["lr"] = highest * one_cycle(progress)
        rates.append(optimizer.param_groups[0]["lr"])
        images = shrunken(images, recipe, epoch)
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
        bar.update(work / steps)
        # Reading a loss makes a GPU wait, so read fifty at a time.
        if len(losses) % 50 == 0:
            check_finite(losses, rates)
    check_finite(losses, rates)
    mean_loss = torch.stack(losses).sum() / len(train)
    return mean_loss.item(), (correct / len(train)).item()


@torch.no_grad()
def predict(
    net: nn.Module,
    split: Split,
    *,
    precision: torch.dtype | None = None,
    batch_size: int = 128,
) -> torch.Tensor:
    """float32 logits (N, classes), on the CPU, for every image of a split.

    Runs in evaluation mode and leaves each part of `net` in the mode in which
    it was.

    Args:
        net: on the device where it is to run.
        split: the images.
        precision: as in `fit`.
        batch_size: images that are in memory at a time. More of them run no
            faster: on a CPU their feature maps leave its cache.
    """
    first = next(net.parameters(), torch.empty(0))
    device = first.device
    with (
        in_mode(net, False),
        mixed_precision(device, precision or fast_precision(device)),
    ):
        logits = [
            net(images).float().cpu()
            for images, _ in batches(split, batch_size, device=device)
        ]
    return torch.cat(logits)


def evaluate(net: nn.Module, split: Split, **options) -> dict[str, float]:
    """Mean cross-entropy "loss" and "accuracy" (0 to 1), as in `predict`."""
    logits = predict(net, split, **options)
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
    if device.type != "cpu":
        cpu = f"{device.type} of {cpu}"
    return {"device": cpu, "threads": torch.get_num_threads()}


def check_images(data: Data) -> None:
    for part in ("train", "validation"):
        if not len(getattr(data, part)):
            raise ValueError(
                f"data.{part} has no images; fit trains on data.train and "
                "measures on data.validation, and needs at least one in each"
            )


def check_labels(output_shape: tuple[int, ...], data: Data) -> None:
    if len(output_shape) != 1:
        raise ValueError(
            f"for one image the network's output has the shape {output_shape} "
            "instead of (classes,); end it with nn.Flatten() or nn.Linear"
        )
    for split in (data.train, data.validation):
        low, high = split.labels.min().item(), split.labels.max().item()
        if low < 0 or high >= output_shape[0]:
            way_out = "give its last layer more outputs"
            if 0 < low and high - low < output_shape[0]:
                way_out = f"count labels from 0: labels - {low}"
            elif low < 0:
                way_out = "labels below 0 stand for no class; leave them out"
            raise ValueError(
                f"labels go from {low} to {high}, but the network has "
                f"{output_shape[0]} outputs, for labels from 0 to "
                f"{output_shape[0] - 1}; {way_out}"
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


def check_writable(path: Path) -> None:
    """Better now than after hours of training."""
    try:
        with complete_file(path.with_name(f"{path.name}.try")) as file:
            file.touch()
        path.with_name(f"{path.name}.try").unlink()
        if path.is_dir():
            raise IsADirectoryError("it is a folder")
    except OSError as error:
        raise OSError(
            f"{path} cannot be written ({error.strerror or error}); name a "
            "file in a folder of your own"
        ) from error


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
    keys = "name seed data recipe optimizer optimizer_settings precision"
    for key in [*keys.split(), "parameters"]:
        # A checkpoint may be older than a key of today.
        if before.get(key) != result[key]:
            raise ValueError(
                f"{path} belongs to another run: its {key} is "
                f"{before.get(key)!r} and this one's {result[key]!r}; name "
                "another file for this run, or delete that one"
            )
    try:
        for key, part in parts.items():
            part.load_state_dict(state[key])
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} belongs to another network; name another file for this "
            f"run, or delete that one ({error})"
        ) from error
    result["epochs"], result["seconds"] = before["epochs"], before["seconds"]
    print(f"continuing after epoch {len(result['epochs'])} of {path.name}")


def save_checkpoint(path: Path, parts: dict, result: dict) -> None:
    states = {key: part.state_dict() for key, part in parts.items()}
    with complete_file(path) as file:
        torch.save(states | {"result": result}, file)
