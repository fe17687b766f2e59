"""What `fit` tries out before the first step, so that nothing fails late."""

import traceback

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode


class SafeGradients(TorchDispatchMode):
    """Within it, strided 1 × 1 convolutions have right gradients on a CPU.

    From channels-last tensors of few channels oneDNN computes them wrongly,
    crashes or hangs (https://github.com/uxlfoundation/oneDNN/issues/6035), so
    they are computed from contiguous tensors. `met` says whether any were.
    """

    met = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution_backward.default:
            tensors, (_, strides) = args[:3], args[3:5]
            weight = tensors[2]
            # Eight channels fill a register of AVX2, sixteen one of AVX-512.
            few = min(weight.shape[:2]) < 16 and set(weight.shape[2:]) == {1}
            if few and max(strides) > 1 and weight.device.type == "cpu":
                self.met = True
                args = *(t.contiguous() for t in tensors), *args[3:]
        return func(*args, **(kwargs or {}))


def layouts(device: torch.device) -> tuple[torch.memory_format, ...]:
    """Memory layouts to try, the fastest first."""
    if device.type in ("cpu", "cuda"):
        return torch.channels_last, torch.contiguous_format
    return (torch.contiguous_format,)


def lay_out(tensor: torch.Tensor, layout: torch.memory_format):
    """The tensor in this layout, which only those with 4 axes have."""
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=layout)


def arrange(net: nn.Module, layout: torch.memory_format) -> None:
    """Bring the network's tensors into a layout, in place."""
    for tensor in (*net.parameters(), *net.buffers()):
        tensor.data = lay_out(tensor.data, layout)


def try_step(
    net: nn.Module, minibatches, device: torch.device, precision
) -> tuple[torch.memory_format, SafeGradients]:
    """Take the gradients once for each minibatch, on copies of the weights.

    Args:
        net: in training mode, on any device.
        minibatches: pairs of images (N, C, H, W) and labels (N,), on `device`.
        device: where the network will be trained.
        precision: a context manager to run the network in.

    Returns:
        The fastest layout in which the network runs (one that calls `x.view`
        may need contiguous tensors), and the `SafeGradients` in which it ran.

    Raises:
        ValueError: it runs in none; names the part that failed, or its
            output is not one tensor of logits.
    """
    for layout in layouts(device):
        weights = {
            name: lay_out(
                tensor.detach().clone().to(device), layout
            ).requires_grad_(tensor.requires_grad)
            for name, tensor in (*net.named_parameters(), *net.named_buffers())
        }
        safe = SafeGradients()
        try:
            for images, labels in minibatches:
                with safe:
                    with precision:
                        call = torch.func.functional_call
                        logits = call(net, weights, (images,))
                        check_logits(logits, len(labels))
                        loss = F.cross_entropy(logits, labels)
                    loss.backward()
            return layout, safe
        except Exception as raised:  # of any kind, from any layer
            error = raised
    way_out = ""
    if len(labels) == 1:
        way_out = (
            "; another batch_size, or data.take(n), leaves more than one "
            "image for the last minibatch"
        )
    raise ValueError(
        f"{failing_part(net, error)} cannot be trained with a minibatch of "
        f"{len(labels)} × {' × '.join(map(str, images.shape[1:]))}: "
        f"{str(error).splitlines()[0]}{way_out}"
    ) from error


def check_logits(logits, images: int) -> None:
    if not isinstance(logits, torch.Tensor):
        raise TypeError(
            f"in training mode its output is a {type(logits).__name__}, not "
            "one tensor of logits; switch auxiliary outputs off, for example "
            "with aux_logits=False"
        )
    if logits.dim() != 2 or len(logits) != images:
        raise ValueError(
            f"in training mode its output has the shape {tuple(logits.shape)} "
            f"instead of ({images}, classes)"
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
