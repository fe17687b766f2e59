"""Training and evaluation, one way for all chapters.

`fit` trains a network by a `Recipe` and keeps a log; `predict` and `evaluate`
run it. A run that was interrupted continues from its checkpoint and ends with
the same weights. Several processes share a run: see `utils.distributed`.
"""

import contextlib
import copy
import datetime
import hashlib
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
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from utils import distributed
from utils.data import Data, Split, batches
from utils.files import check_writable, complete_file
from utils.machine import default_device, fast_precision
from utils.scale import current_scale
from utils.shapes import in_mode, layer_table
from utils.trial import prepare

MakeOptimizer = Callable[[nn.Module, "Recipe"], torch.optim.Optimizer]
FIRST_STEPS = 5  # seconds after which a run is told how long it will take
WORTH_KEEPING = 5  # seconds of training
# What two calls of one run have in common, by its log.
SAME_RUN = "name seed data recipe optimizer optimizer_settings precision"


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
    sides: tuple[tuple[int, int], ...] = ()  # epochs at a side; then full size
    warm_up: float = 0.25  # part of all steps in which the rate rises
    padding_mode: str = "constant"  # as in `batches`

    def __post_init__(self):
        if self.epochs < 1:
            raise ValueError(f"epochs={self.epochs} must be at least 1")
        if self.flip not in (False, True, "alternate"):
            raise ValueError(
                f"flip={self.flip!r} must be False, True or 'alternate'"
            )
        # Also as a log has them, which knows lists only.
        object.__setattr__(self, "sides", tuple(map(tuple, self.sides)))
        if sum(epochs for epochs, _ in self.sides) > self.epochs:
            raise ValueError(
                f"sides={self.sides} are more than epochs={self.epochs}; give "
                "pairs (epochs, pixels), the first epochs first"
            )
        if not 0 <= self.warm_up < 1:
            raise ValueError(
                f"warm_up={self.warm_up} must be at least 0 and below 1"
            )

    def side(self, epoch: int) -> int | None:
        """Side of the images in an epoch, from 0 on; None: as they are."""
        for epochs, side in self.sides:
            if epoch < epochs:
                return side
            epoch -= epochs
        return None


def one_cycle(progress: float, warm_up: float = 0.25) -> float:
    """Learning-rate factor: up to 1 in a first part, then down to 0.

    `progress` is the part of all steps that is done, from 0 to 1. Smith and
    Topin, https://arxiv.org/abs/1708.07120, drawn with straight lines.
    """
    if progress < warm_up:
        return progress / warm_up
    return (1 - progress) / (1 - warm_up)


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

    Where torchrun has started several processes, each calls this and trains
    on its part of every minibatch. All end with the same weights and log.

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
            interrupted run. Without it a file in the folder BOOK_RESUME
            does that, if the set-up cell or you have set this variable; it
            is deleted at the end.
        log: JSON file to write the returned log to.

    Returns:
        The log: what ran, on what, and the results of every epoch. `pflops`
        is the training compute, see `training_pflops`.

    Raises:
        ValueError: the images do not fit the network, a part of it cannot be
            trained on the smallest minibatch, a label is out of range, a
            split is empty, or the checkpoint is of another run; or a
            minibatch has fewer images than there are processes.
        OSError: the log or the checkpoint cannot be written.
        FloatingPointError: the loss is not finite.
    """
    for path in map(Path, filter(None, (log, checkpoint))):
        check_writable(path)
    table = layer_table(net, tuple(data.train.images.shape[1:]))
    check_labels(math.prod(table.output_shape), data)
    device = torch.device(device or default_device())
    precision = precision or fast_precision(device)
    mixed = mixed_precision(device, precision)
    step_macs = optimizer_macs(net, recipe, make_optimizer)
    work = work_by_epoch(net, data, recipe, step_macs)
    train = data.train.to(device)
    prepare(net, smallest_minibatches(train, recipe), device, mixed)
    optimizer = (make_optimizer or sgd)(net, recipe)
    # float16 loses small gradients; multiplying the loss keeps them.
    scaler = torch.amp.GradScaler(
        device.type, enabled=precision == torch.float16
    )
    parts = {"net": net, "optimizer": optimizer, "scaler": scaler}
    result = {
        "name": name or type(net).__name__,
        **circumstances(device, precision),
        "seed": seed,
        "data": {"source": data.source, "train_images": len(train)},
        "recipe": json.loads(json.dumps(asdict(recipe))),  # as it is read
        "optimizer": type(optimizer).__name__,
        "optimizer_settings": [
            {key: repr(group[key]) for key in group if key != "params"}
            for group in optimizer.param_groups
        ],
        "parameters": table.parameters,
        "macs": table.macs,
        "optimizer_macs": step_macs,
        "pflops": sum(work) / 1e15,
        "seconds": 0.0,
        "epochs": [],
    }
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]  # which one cycle scales
    unfinished = None if checkpoint else unfinished_run(net, data, result)
    checkpoint = checkpoint or unfinished
    resumed = checkpoint and Path(checkpoint).exists()
    if resumed:
        resume(Path(checkpoint), parts, result)
    distributed.check_agreed("epochs trained before", len(result["epochs"]))
    saved = time.perf_counter()
    if checkpoint and not (resumed or unfinished):
        # An interrupted first epoch starts from these weights.
        save_checkpoint(Path(checkpoint), parts, result)
    shared = parts | {"net": distributed.shared(net)}

    bar = Progress(
        total=sum(work),
        initial=sum(work[: len(result["epochs"])]),
        bar_format="{desc}{percentage:3.0f} %|{bar}| {elapsed}<{remaining}",
        leave=False,
        **({"disable": True} if distributed.rank() > 0 else {}),
    )
    for epoch in range(len(result["epochs"]), recipe.epochs):
        title = f"{result['name']}, epoch {epoch + 1} of {recipe.epochs}"
        bar.set_description(title)
        start = time.perf_counter()
        # Each epoch draws from its own seed, so that the epoch after an
        # interruption is the one it would have been.
        with torch.random.fork_rng():
            torch.manual_seed(1_000_003 * seed + epoch)
            trained = train_epoch(
                train, recipe, epoch, seed, mixed, bar, work[epoch], **shared
            )
        distributed.copy_buffers(net)
        options = {"precision": precision, "batch_size": recipe.batch_size}
        measured = distributed.by_first(
            evaluate, net, data.validation, **options
        )
        check_finite(measured["loss"], f"after epoch {epoch + 1}")
        seconds = time.perf_counter() - start
        result["seconds"] += seconds
        entry = {"epoch": epoch + 1, "seconds": round(seconds, 3)}
        entry |= {f"train_{key}": trained[key] for key in trained}
        entry |= {f"validation_{key}": measured[key] for key in measured}
        result["epochs"].append(entry)
        recent = time.perf_counter() - saved < WORTH_KEEPING
        if checkpoint and not (unfinished and recent):
            save_checkpoint(Path(checkpoint), parts, result)
            saved = time.perf_counter()
    bar.close()
    if unfinished and distributed.rank() == 0:
        unfinished.unlink(missing_ok=True)
    if log and distributed.rank() == 0:
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
        if self.disable or self.said:
            return shown
        done, seconds = self.n - self.initial, self.format_dict["elapsed"]
        if done and seconds > FIRST_STEPS:
            self.said = True
            minutes = seconds * (self.total - self.initial) / done / 60
            if minutes > 1:
                name = self.desc.split(",")[0].strip(": ")
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


def training_pflops(
    net: nn.Module,
    data: Data,
    recipe: Recipe,
    make_optimizer: MakeOptimizer | None = None,
) -> float:
    """Operations of a training, in units of 10**15; `net` stays as it is.

    3 * 2 * MACs * images seen, and 2 * MACs of the optimiser * steps. A
    multiply-accumulate is two operations, and a backward pass costs about two
    forward passes.
    """
    step_macs = optimizer_macs(net, recipe, make_optimizer)
    return sum(work_by_epoch(net, data, recipe, step_macs)) / 1e15


def work_by_epoch(net, data: Data, recipe: Recipe, step_macs: int) -> list:
    """The operations of each epoch, as in `training_pflops`."""
    n, own_shape = len(data.train), data.train.images.shape[1:]
    sides = [recipe.side(epoch) for epoch in range(recipe.epochs)]
    macs = {}
    for side in set(sides):
        shape = (own_shape[0], side, side) if side else own_shape
        macs[side] = layer_table(net, shape).macs
    optimizer = 2 * step_macs * math.ceil(n / recipe.batch_size)
    return [6 * macs[side] * n + optimizer for side in sides]


def optimizer_macs(net, recipe: Recipe, make_optimizer=None) -> int:
    """Multiply-accumulates in the matrix products of one step.

    PyTorch's FlopCounterMode counts them, on a copy. SGD and Adam have none;
    an optimiser that makes its steps orthogonal has many.
    """
    copied = copy.deepcopy(net)
    for parameter in copied.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    optimizer = (make_optimizer or sgd)(copied, recipe)
    with FlopCounterMode(display=False) as counter:
        optimizer.step()
    return counter.get_total_flops() // 2


def smallest_minibatches(train: Split, recipe: Recipe) -> list[tuple]:
    """The first images, as few as a process gets of the last minibatch.

    Once for each side of the recipe.
    """
    n = len(train) % recipe.batch_size or recipe.batch_size
    if n < distributed.processes():
        raise ValueError(
            f"the smallest minibatch has {n} images for "
            f"{distributed.processes()} processes; start fewer, or change "
            f"batch_size={recipe.batch_size}"
        )
    n //= distributed.processes()
    device = train.images.device
    ((images, labels),) = batches(train.take(n), n, device=device)
    sides = {recipe.side(epoch) for epoch in range(recipe.epochs)}
    return [(resized(images, side), labels) for side in sides]


def resized(images: torch.Tensor, side: int | None) -> torch.Tensor:
    if side is None:
        return images
    size = side, side
    return F.interpolate(images, size, mode="bilinear", antialias=True)


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
    train, recipe, epoch, seed, mixed, bar, work, net, optimizer, scaler
) -> dict[str, float]:
    """One pass over the training images: forward, backward, step.

    Returns:
        "loss" and "accuracy" while training: dropout on, weights changing.
    """
    minibatches = batches(
        train,
        recipe.batch_size,
        shuffle=True,
        crop_padding=recipe.crop_padding,
        padding_mode=recipe.padding_mode,
        flip=mirrored(recipe, len(train), epoch, seed),
        cutout=recipe.cutout,
        device=train.images.device,
        part=(distributed.rank(), distributed.processes()),
    )
    distributed.draw_apart()
    steps = math.ceil(len(train) / recipe.batch_size)
    losses, right = [], 0
    for step, (images, labels) in enumerate(minibatches, start=1):
        seen = (step - 1) * recipe.batch_size
        progress = (epoch + (step - 0.5) / steps) / recipe.epochs
        factor = one_cycle(progress, recipe.warm_up)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        with mixed:
            logits = net(resized(images, recipe.side(epoch)))
            loss = F.cross_entropy(
                logits, labels, label_smoothing=recipe.label_smoothing
            )
        # Gradients are averaged over processes, whose parts may differ.
        whole = min(recipe.batch_size, len(train) - seen)
        share = distributed.processes() * len(labels) / whole
        optimizer.zero_grad()
        scaler.scale(share * loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach() * len(labels))
        right += (logits.argmax(1) == labels).sum()
        bar.update(work / steps)
        # Reading a loss makes a GPU wait, so read their sum now and then.
        if step % 50 == 0 or step == steps:
            total = distributed.total(torch.stack(losses).sum()).item()
            check_finite(total, f"by step {step} of epoch {epoch + 1}")
    return {
        "loss": total / len(train),
        "accuracy": distributed.total(right).item() / len(train),
    }


def check_finite(loss: float, when: str) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} {when}; try a third of the learning rate, or "
            "look for a division by zero in the network"
        )


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


def mixed_precision(device: torch.device, precision: torch.dtype):
    if precision == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=precision)


def circumstances(device: torch.device, precision: torch.dtype) -> dict:
    """What a log says of where it was made, without this machine's folders."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {
        "command": "notebook" if "ipykernel" in sys.modules else command,
        "date": datetime.date.today().isoformat(),
        "scale": current_scale(),
        "precision": str(precision).removeprefix("torch."),
        "hardware": hardware(device),
        "processes": distributed.processes(),
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
        },
    }


def hardware(device: torch.device) -> dict:
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(device)}
    able = getattr(torch.cpu, "get_capabilities", dict)()
    cpu = able.get("cpu_name") or platform.processor() or platform.machine()
    if device.type != "cpu":
        cpu = f"{device.type} of {cpu}"
    return {"device": cpu, "threads": torch.get_num_threads()}


def check_labels(classes: int, data: Data) -> None:
    for part in ("train", "validation"):
        labels = getattr(data, part).labels
        if not len(labels):
            raise ValueError(
                f"data.{part} has no images; fit trains on data.train and "
                "measures on data.validation, and needs at least one in each"
            )
        low, high = labels.min().item(), labels.max().item()
        if low < 0 or high >= classes:
            raise ValueError(
                f"labels go from {low} to {high}, but the network has "
                f"{classes} outputs, for labels from 0 to {classes - 1}; give "
                "its last layer more outputs, or count the labels from 0"
            )


def unfinished_run(net: nn.Module, data: Data, result: dict) -> Path | None:
    """Where a run that named no checkpoint keeps one; None: nowhere.

    The name follows from all that the run begins with. So after a kernel is
    lost the same cells find it again, and no others do.
    """
    if not (folder := os.environ.get("BOOK_RESUME")):
        return None
    begins = [result[key] for key in SAME_RUN.split()]
    digest = hashlib.sha256(json.dumps(begins).encode())
    train = data.train.images, data.train.labels
    for tensor in (*train, *net.state_dict().values()):
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy())
    path = Path(folder, f"{digest.hexdigest()[:16]}.pt")
    try:
        check_writable(path)
    except OSError:  # nobody asked for it, so nobody must do without a run
        return None
    return path


def resume(path: Path, parts: dict, result: dict) -> None:
    """Put the state of a checkpoint into `parts` and `result`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["result"]
        for key in [*SAME_RUN.split(), "parameters"]:
            if before.get(key) != result[key]:
                raise ValueError(
                    f"its {key} is {before.get(key)!r} and this one's "
                    f"{result[key]!r}"
                )
        for key, part in parts.items():
            part.load_state_dict(state[key])
    except Exception as error:  # of many kinds, by the damage of the file
        raise ValueError(
            f"{path} is not of this run: {error}. Name another file for this "
            "run, or delete that one to start again"
        ) from error
    result["epochs"], result["seconds"] = before["epochs"], before["seconds"]
    print(f"continuing after epoch {len(result['epochs'])} of {path.name}")


def save_checkpoint(path: Path, parts: dict, result: dict) -> None:
    if distributed.rank() > 0:  # all would write the same
        return
    states = {key: part.state_dict() for key, part in parts.items()}
    with complete_file(path) as file:
        torch.save(states | {"result": result}, file)
