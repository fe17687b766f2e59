"""What `fit` tries out before the first step, so that nothing fails late."""

import copy
import traceback

import torch
from torch import nn
from torch.nn import functional as F


def layouts(net: nn.Module, device: torch.device) -> list:
    """Memory layouts to try, the fastest first.

    On a CPU, strided 1 × 1 convolutions of few channels stay contiguous: from
    channels-last tensors oneDNN computes their gradients wrongly, crashes or
    hangs (https://github.com/uxlfoundation/oneDNN/issues/6035).
    """
    faulty = (
        device.type == "cpu"
        and any(
            isinstance(layer, nn.Conv2d)
            and set(layer.kernel_size) == {1}
            and max(layer.stride) > 1
            # Eight channels fill a register of AVX2, sixteen one of AVX-512.
            and min(layer.weight.shape[:2]) < 16
            for layer in net.modules()
        )
    )
    if faulty or device.type not in ("cpu", "cuda"):
        return [torch.contiguous_format]
    return [torch.channels_last, torch.contiguous_format]


def prepare(net: nn.Module, minibatches, device: torch.device, mixed) -> None:
    """Try a training step on a copy, then bring `net` where it will train.

    Args:
        net: put into training mode, on the device, and into the fastest
            layout in which it runs: one that calls `x.view` may need
            contiguous tensors.
        minibatches: pairs of images (N, C, H, W) and labels (N,), on `device`.
        device: where the network will be trained.
        mixed: a context manager to run the network in.

    Raises:
        ValueError: it runs in no layout; names the part that failed, or its
            output is not one tensor of logits. `net` is as it was.
    """
    for layout in layouts(net, device):
        copied = copy.deepcopy(net)
        # Frozen parts of a network in training mode are left as they are.
        if not net.training:
            copied.train()
        try:
            copied.to(device, memory_format=layout)
            for images, labels in minibatches:
                with torch.random.fork_rng(), mixed:
                    logits = copied(images)
                check_logits(logits, len(labels))
                F.cross_entropy(logits, labels).backward()
            break
        except Exception as raised:  # of any kind, from any layer
            error = raised
    else:
        raise ValueError(
            f"{failing_part(copied, error)} cannot be trained with a "
            f"minibatch of {len(labels)} × "
            f"{' × '.join(map(str, images.shape[1:]))}: "
            f"{str(error).splitlines()[0]}; if that is for too few images, "
            "another batch_size or data.take(n) leaves more for the last one"
        ) from error
    if not net.training:
        net.train()
    net.to(device, memory_format=layout)


def check_logits(logits, images: int) -> None:
    shape = tuple(getattr(logits, "shape", ()))
    if len(shape) != 2 or len(logits) != images:
        raise ValueError(
            f"in training mode its output is a {type(logits).__name__} of "
            f"shape {shape}, not logits ({images}, classes); switch auxiliary "
            "outputs off, for example with aux_logits=False"
        )


def failing_part(net: nn.Module, error: Exception) -> str:
    """The innermost module whose code was running when `error` was raised."""
    names = {id(m): name or "net" for name, m in net.named_modules()}
    part = net
    for frame, _ in traceback.walk_tb(error.__traceback__):
        running = frame.f_locals.get("self")
        if id(running) in names:
            part = running
    return f"{names[id(part)]} ({type(part).__name__})"
