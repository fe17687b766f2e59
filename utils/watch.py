"""What the low-level calls inside a network do: their work, and what their
results depend on.

`layer_table` looks at a network through `Watch`. Whatever a network is made
of, PyTorch breaks it down into a few hundred functions; of some of them it
is known here how they carry a receptive field on. Of all others nothing is
claimed.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

# A minibatch of a size that no other axis has as a factor, so that its axis
# can be told from the others. Without data, more images cost nothing.
IMAGES = 211


class Side(NamedTuple):
    """What a tensor sees of the image in one direction: the value at place p
    of `size` depends on the pixels low + p * jump to high + p * jump."""

    low: int
    high: int
    jump: int
    size: int

    def behind(self, size, kernel, stride=1, padding=0, dilation=1):
        """The same behind a window that makes `size` values."""
        low = self.low - padding * self.jump
        high = self.high + (dilation * (kernel - 1) - padding) * self.jump
        return Side(low, high, self.jump * stride, size)


class Watch(TorchDispatchMode):
    """Sees each low-level call of PyTorch: counts its work, and hands on what
    its tensors see of the image.

    That is a Side for rows and one for columns; or none, without the image;
    or None, if it is not known. `tensor.seen` holds it, with the version of
    the tensor for which it is true, since functions write into tensors.
    """

    def __init__(self):
        super().__init__()
        self.counter = FlopCounterMode(display=False)
        self.once = 0  # flops that do not grow with the minibatch

    def images(self, shape, dtype) -> torch.Tensor:
        """A minibatch of which each value sees its own pixel."""
        x = torch.empty(IMAGES, *shape, dtype=dtype)
        x.seen = [Side(0, 0, 1, size) for size in shape[-2:]], 0
        return x

    def work(self) -> np.ndarray:
        """(flops so far, of which for all images together)."""
        return np.array([self.counter.get_total_flops(), self.once])

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        inputs = [(x, seen_by(x)) for x in tensors_in((args, kwargs))]
        inputs = [(x, seen) for x, seen in inputs if seen != ()]
        flops = self.counter.get_total_flops()
        output = func(*args, **kwargs)
        sizes = [n for made in tensors_in(output) for n in made.shape]
        if not inputs and all(n % IMAGES for n in sizes):
            self.once += self.counter.get_total_flops() - flops
        for made in tensors_in(output):
            seen = see_through(func, args, kwargs, inputs, made)
            version = (args[0] if func.is_view else made)._version
            made.seen = seen, version + func._schema.is_mutable
        return output


def tensors_in(value) -> Iterator[torch.Tensor]:
    """The tensors in arguments or results, however they are nested."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def macs_of_one_image(flops: int, once: int) -> int:
    """From the work for all images, some of it perhaps done once for all.

    In a network over time the first step may not see the image although it
    is work for the image; then only the whole is a multiple.

    Raises:
        ValueError: it cannot be told what is for one image.
    """
    for shared in (once, 0):
        if (flops - shared) % IMAGES == 0:
            return int((flops - shared) // IMAGES + shared) // 2
    raise ValueError(
        "the images of a minibatch do not go through it together, so the "
        "work for one is not known"
    )


def seen_by(x: torch.Tensor):
    seen, version = getattr(x, "seen", ((), 0))
    return seen if x._version == version else None


def field_and_jump(x: torch.Tensor) -> tuple[int | None, int | None]:
    sides = seen_by(x) or ()
    fields = [side.high - side.low + 1 for side in sides]
    jumps = {side.jump for side in sides}
    return max(fields, default=None), jumps.pop() if len(jumps) == 1 else None


# Low-level functions that take each value by itself, beside those that have
# PyTorch's tag "pointwise"; that touch no axis but `dim`; that only read anew.
ELEMENTWISE = (
    "native_batch_norm _native_batch_norm_legit_no_training clone _to_copy "
    "hardtanh hardswish mish leaky_relu _prelu_kernel log_sigmoid_forward"
).split()
ALONG_AXES = (
    "cat slice select split split_with_sizes unbind transpose mean sum amax "
    "amin cumsum _softmax _log_softmax"
).split()
VIEWS = "view _unsafe_view unsqueeze squeeze expand detach alias slice".split()
WINDOWS = "convolution max_pool2d_with_indices avg_pool2d avg_pool3d".split()


def see_through(func, args, kwargs, inputs, output):
    """What `output` sees of the image, given (tensor, what it sees) for the
    inputs that see anything. Of an unknown function nothing is claimed."""
    name = func._schema.name.removeprefix("aten::").rstrip("_")
    if not inputs or name.startswith("new_") or name.endswith("_like"):
        return ()
    views = [seen for _, seen in inputs]
    if None in views:
        return None
    call = {a.name: a.default_value for a in func._schema.arguments}
    call |= dict(zip(call, args, strict=False)) | kwargs
    x, sides = inputs[0]
    is_map = list(x.shape[-2:]) == [side.size for side in sides]
    dims = axes_of(call, x.dim()) if name in ALONG_AXES else []
    if torch.Tag.pointwise in func.tags or name in ELEMENTWISE:
        if not call.get("training"):  # else each value sees the whole map
            return join(views)
    elif dims and is_map and max(dims) < -2:
        return join(views)
    elif len(inputs) == 1 and x is list(call.values())[name == "addmm"]:
        if name in VIEWS and x.numel() == output.numel():
            return sides
        if name in ("mm", "addmm") and len(x) == IMAGES:
            return [side.behind(1, side.size) for side in sides]
        if is_map:
            return look_through_window(name, call, sides, dims, output)
    # Where all places see the same, so does any function of them.
    same = all(side.size == 1 for sides in views for side in sides)
    return join(views) if same else None


def axes_of(call, rank) -> list[int]:
    """The axes that a call names, counted from the end: -2 are the rows."""
    dims = [call[key] for key in ("dim", "dim0", "dim1") if key in call]
    dims = dims[0] if dims and isinstance(dims[0], list) else dims
    dims = range(rank) if dims in ([], [None]) else dims
    return [d % rank - rank for d in dims]


def join(views):
    """The smallest span around what several tensors see, place by place."""
    sides = []
    for along in zip(*views, strict=True):
        if len({side[2:] for side in along}) > 1:
            return None
        low, high = min(s.low for s in along), max(s.high for s in along)
        sides.append(along[0]._replace(low=low, high=high))
    return sides


def look_through_window(name, call, sides, dims, output):
    """What a map sees behind a function that moves a window over it."""
    sizes, kernel, stride, padding, dilation = output.shape[-2:], 1, 1, 0, 1
    if name in WINDOWS and not call.get("transposed"):
        kernel = call.get("kernel_size") or call["weight"].shape[2:]
        stride, padding = call["stride"] or kernel, call["padding"]
        dilation = call.get("dilation", 1)
        if len(kernel) == 1:  # along columns only, and mixing all rows
            return None
    elif name in ("_adaptive_avg_pool2d", "adaptive_max_pool2d"):
        if any(s.size % n for s, n in zip(sides, sizes, strict=True)):
            return None
        kernel = [s.size // n for s, n in zip(sides, sizes, strict=True)]
        stride = 1 if max(sizes) == 1 else kernel  # a mean keeps the jump
    elif name == "constant_pad_nd":
        padding = [0, *call["pad"][-2::-2]]  # it begins with the last axis
    elif name == "slice":
        start = call["start"] or 0
        start = max(start + sides[dims[0]].size * (start < 0), 0)
        stride = [call["step"] if d in dims else 1 for d in (-2, -1)]
        padding = [-start if d in dims else 0 for d in (-2, -1)]
    elif name in ("mean", "sum", "amax", "amin"):
        kernel = [sides[d].size if d in dims else 1 for d in (-2, -1)]
        sizes = [1 if d in dims else sides[d].size for d in (-2, -1)]
    else:
        return None
    window = map(pair, (kernel, stride, padding, dilation))
    windows = zip(sides, sizes, *window, strict=True)
    return [side.behind(*window) for side, *window in windows]


def pair(value: int | list[int]) -> list[int]:
    """For rows and columns: one number twice, or the last two."""
    return (([value] if isinstance(value, int) else [*value]) * 2)[-2:]
