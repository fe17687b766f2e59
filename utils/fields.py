"""Receptive fields: what the values inside a network see of the image.

Whatever a network is made of, PyTorch breaks it down into a few hundred
functions. `Fields` looks on while they are called; of those that the networks
of this book need, it is known here how they carry a receptive field on. Of
all others nothing is claimed.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Seen(NamedTuple):
    """What a map sees: its value at place p depends on the pixels from
    low + p * jump to high + p * jump. Each holds one number for the rows and
    one for the columns; there are `size` places."""

    low: np.ndarray
    high: np.ndarray
    jump: np.ndarray
    size: np.ndarray

    def behind(self, size, kernel, stride=1, padding=0, dilation=1) -> "Seen":
        """The same behind a window that makes `size` values."""
        numbers = size, kernel, stride, padding, dilation
        size, kernel, stride, padding, dilation = (
            np.array(number) * [1, 1] for number in numbers
        )
        low = self.low - padding * self.jump
        high = self.high + (dilation * (kernel - 1) - padding) * self.jump
        return Seen(low, high, self.jump * stride, size)


class Fields(TorchDispatchMode):
    """Notes on the results of each low-level call what they see.

    `tensor.seen` is a Seen, or None if that is not known; what has none does
    not depend on the image. Beside it stands the version of the tensor for
    which it is true, since functions write into tensors.
    """

    def image(self, shape, dtype) -> torch.Tensor:
        """A minibatch of one image, of which each value sees its pixel."""
        x, zero = torch.empty(1, *shape, dtype=dtype), np.zeros(2, int)
        x.seen = Seen(zero, zero, zero + 1, np.array(shape[1:])), 0
        return x

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        call = {a.name: a.default_value for a in func._schema.arguments}
        call |= dict(zip(call, args, strict=False)) | (kwargs or {})
        inputs = [x for x in tensors_in(call) if seen_by(x) != "nothing"]
        name = func._schema.name.removeprefix("aten::").rstrip("_")
        # These take a tensor's shape and kind, and not its values.
        if inputs and not name.startswith("new_") and name[-5:] != "_like":
            for made in tensors_in(output):
                version = (args[0] if func.is_view else made)._version
                seen = see_through(func, name, call, inputs, made)
                made.seen = seen, version + func._schema.is_mutable
        return output


def tensors_in(values) -> list[torch.Tensor]:
    """The tensors in arguments or results, however they are nested."""
    return [x for x in tree_leaves(values) if isinstance(x, torch.Tensor)]


def seen_by(x: torch.Tensor) -> Seen | None | str:
    seen, version = getattr(x, "seen", ("nothing", 0))
    return seen if x._version == version else None


def field_and_jump(x: torch.Tensor) -> tuple[int | None, int | None]:
    """The larger field of both sides; the jump, if both have the same."""
    seen = seen_by(x)
    if not isinstance(seen, Seen):
        return None, None
    rows, columns = seen.jump.tolist()
    field = int(max(seen.high - seen.low)) + 1
    return field, rows if rows == columns else None


# Low-level functions that take each value by itself, beside those that have
# PyTorch's tag "pointwise"; that only read anew; that move a window.
ELEMENTWISE = (
    "native_batch_norm _native_batch_norm_legit_no_training clone hardtanh "
    "_to_copy"
).split()
VIEWS = "view _unsafe_view unsqueeze squeeze detach alias".split()
WINDOWS = "convolution max_pool2d_with_indices avg_pool2d avg_pool3d".split()


def see_through(func, name, call, inputs, output) -> Seen | None:
    """What `output` sees, given the inputs that see anything."""
    x, all_seen = inputs[0], [seen_by(x) for x in inputs]
    if None in all_seen or len({x.shape[-2:] for x in inputs}) > 1:
        return None
    seen = all_seen[0]
    is_map = list(x.shape[-2:]) == seen.size.tolist()
    if torch.Tag.pointwise in func.tags or name in ELEMENTWISE:
        # A batch norm in training sees the whole map, and all images.
        return None if call.get("training") else join(all_seen)
    if name in ("cat", "slice") and call["dim"] % x.dim() < x.dim() - 2:
        return join(all_seen) if is_map else None  # along the channels
    if len(inputs) > 1 or x is not list(call.values())[name == "addmm"]:
        return None
    if name in VIEWS and x.numel() == output.numel():
        return seen
    if name in ("mm", "addmm") and len(x) == 1:  # fully connected
        return seen.behind(1, seen.size)
    return look_through_window(name, call, seen, output) if is_map else None


def join(all_seen) -> Seen | None:
    """The smallest span around what several maps see, place by place."""
    low, high, jump, size = map(np.stack, zip(*all_seen, strict=True))
    if (jump != jump[0]).any() or (size != size[0]).any():
        return None
    return Seen(low.min(0), high.max(0), jump[0], size[0])


def look_through_window(name, call, seen, output) -> Seen | None:
    """What a map sees behind a function that moves a window over it."""
    size = output.shape[-2:]
    if name in WINDOWS and not call.get("transposed"):
        kernel = call.get("kernel_size") or call["weight"].shape[2:]
        window = kernel, call["stride"] or kernel, call["padding"]
        window = *window, call.get("dilation", [1])
        if len(kernel) > 1:  # else it moves along columns, mixing all rows
            return seen.behind(size, *(numbers[-2:] for numbers in window))
    if name == "mean":
        axes = [d % -call["self"].dim() for d in call.get("dim") or ()]
        return seen.behind(1, seen.size) if {*axes} == {-1, -2} else None
    if name == "_adaptive_avg_pool2d" and not (seen.size % size).any():
        return seen.behind(size, seen.size // size, seen.size // size)
    if name == "constant_pad_nd":  # names the last axis first
        return seen.behind(size, 1, padding=[0, *call["pad"][-2::-2]][-2:])
    if name == "slice" and not call["start"]:
        axis = call["dim"] % output.dim() - output.dim()
        steps = [call["step"] if axis == side else 1 for side in (-2, -1)]
        return seen.behind(size, 1, steps)
    return None
