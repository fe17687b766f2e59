"""Shape arithmetic: what every layer of a network makes of its input.

`conv_output_size` is the formula; `layer_table` runs a network once on
tensors without data and writes down, layer by layer, the output shape, the
parameters, the multiply-accumulates and the receptive field.
"""

import contextlib
from dataclasses import dataclass
from html import escape

import torch
from torch import nn

from utils.watch import (
    IMAGES,
    Watch,
    field_and_jump,
    macs_of_one_image,
    tensors_in,
)

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
HEADER = "layer|kind|output|parameters|MACs|receptive field|jump".split("|")


def conv_output_size(
    n: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Side of the feature map that a convolution or a pooling layer makes.

    floor((n + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1, the
    formula of torch.nn.Conv2d. With `ceil_mode` (pooling only) the division
    rounds up, but a window that would start in the padding on the right is
    dropped, as in torch.nn.MaxPool2d.

    Args:
        n: side of the input, in pixels.
        kernel, stride, padding, dilation: in pixels; padding is on each side.
        ceil_mode: round up instead of down.

    Raises:
        ValueError: an argument is not a whole number or too small, or the
            kernel does not fit into the padded input.
    """
    for name, value, least in (
        ("n", n, 1),
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        if type(value) is not int or value < least:
            raise ValueError(
                f"{name}={value!r} must be a whole number, at least {least}"
            )
    room, extent = n + 2 * padding, dilation * (kernel - 1) + 1
    size = (room - extent + (stride - 1) * ceil_mode) // stride + 1
    if ceil_mode and (size - 1) * stride >= n + padding:
        size -= 1
    if size < 1:
        raise ValueError(
            f"a kernel that spans {extent} pixels does not fit into {n} + "
            f"2 * {padding} = {room} pixels; use a kernel of at most "
            f"{(room - 1) // dilation + 1}, more padding or a larger input"
        )
    return size


@dataclass
class Layer:
    """One call of one layer.

    Shapes are of one input, without the minibatch axis, and of the first
    tensor where a layer returns several. MACs are the multiply-accumulates
    of convolutions and matrix products for one input, without biases. The
    receptive field is the side, in input pixels, of the smallest square that
    holds all that one output value depends on; the jump is how far that
    square moves from one output value to the next. Each is None where it is
    not known or has no meaning.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    receptive_field: int | None
    jump: int | None
    settings: dict

    def row(self) -> list[str]:
        numbers = self.parameters, self.macs, self.receptive_field, self.jump
        shape = as_text(self.output_shape)
        return [self.name, self.kind, shape, *counts(*numbers)]


@dataclass(repr=False)
class LayerTable:
    """The layers of a network in the order in which they ran, and totals."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    layers: list[Layer]
    parameters: int
    macs: int

    def __getitem__(self, name: str) -> Layer:
        """The first call of the layer `name`."""
        return next(layer for layer in self.layers if layer.name == name)

    def rows(self) -> list[list[str]]:
        rows = [["input", "", as_text(self.input_shape), "", "", "", ""]]
        rows += [layer.row() for layer in self.layers]
        # Layers that were never called, and functions between the layers.
        parameters = self.parameters - sum(x.parameters for x in self.layers)
        macs = self.macs - sum(layer.macs for layer in self.layers)
        if parameters or macs:
            left = counts(parameters, macs)
            rows.append(["outside these layers", "", "", *left, "", ""])
        total = [f"{self.parameters:,}", f"{self.macs:,}"]
        return [*rows, ["total", "", "", *total, "", ""]]

    def __repr__(self) -> str:
        rows = [HEADER, *self.rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        sides = "<<<>>>>"
        return "\n".join(
            "  ".join(
                f"{text:{side}{width}}"
                for text, side, width in zip(row, sides, widths, strict=True)
            ).rstrip()
            for row in rows
        )

    def _repr_html_(self) -> str:
        lines = [
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(f"<td>{escape(text)}</td>" for text in texts)
            + "</tr>"
            for name, *texts in self.rows()
        ]
        head = "".join(f'<th scope="col">{name}</th>' for name in HEADER)
        return (
            '<div class="layer-table" role="group" tabindex="0" '
            f'aria-label="Layer table"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(lines[:-1])}</tbody>"
            f"<tfoot>{lines[-1]}</tfoot></table></div>"
        )


def as_text(shape: tuple[int, ...]) -> str:
    return " × ".join(str(side) for side in shape)


def counts(*numbers: int | None) -> list[str]:
    return [f"{number:,}" if number else "–" for number in numbers]


@contextlib.contextmanager
def in_mode(net: nn.Module, training: bool):
    """Training or evaluation mode; afterwards each part as it was."""
    modes = {module: module.training for module in net.modules()}
    try:
        yield net.train(training)
    finally:
        for module, was_training in modes.items():
            module.training = was_training


def layer_table(net: nn.Module, input_shape: tuple[int, ...]) -> LayerTable:
    """Run `net` once without data and describe each layer that was called.

    A layer is a module with parameters of its own or without modules inside.
    PyTorch's FlopCounterMode counts. Nothing is computed and `net` stays as
    it is: the pass runs on the "meta" device, in evaluation mode.

    Args:
        net: takes a minibatch of images, and its result keeps that axis.
        input_shape: (channels, height, width) of one image.

    Returns:
        A LayerTable: text when printed, HTML as the output of a cell.

    Raises:
        ValueError: the image does not fit; names the layer, the sizes and
            the way out.
    """
    input_shape = tuple(input_shape)
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(
            f"input_shape={input_shape} must be (channels, height, width), "
            "each at least 1, such as (3, 227, 227)"
        )
    names = {module: name or "net" for name, module in net.named_modules()}
    tensors = [*net.named_parameters(), *net.named_buffers()]
    for name, tensor in tensors:
        if nn.parameter.is_lazy(tensor):
            raise ValueError(
                f"{name} has no shape yet; run the network once on a "
                "minibatch, which sets it"
            )
    watch = Watch()
    # The module that runs, its input, the work before it and inside it.
    running = [[None, None, 0, 0]]
    layers, counted, hooks = [], set(), []

    def before(module, args, kwargs):
        x = next(tensors_in((args, kwargs)), None)
        running.append([module, x, watch.work(), 0])

    def after(module, args, kwargs, output):
        x = next(tensors_in(output), None)
        if x is not None and 0 in x.shape:
            raise ValueError(f"{as_text(x.shape)} has no values")
        while running[-1][0] is not module:  # its error has been caught
            *_, work_inside = running.pop()
            running[-1][-1] += work_inside
        *_, work_before, work_inside = running.pop()
        work = watch.work() - work_before
        running[-1][-1] += work
        if x is not None:
            own = [p for p in module.parameters(False) if p not in counted]
            counted.update(own)
            layers.append(
                Layer(
                    names[module],
                    type(module).__name__,
                    of_one_image(x.shape),
                    sum(parameter.numel() for parameter in own),
                    macs_of_one_image(*(work - work_inside)),
                    *field_and_jump(x),
                    settings(module),
                )
            )

    images = f"{IMAGES} images of {as_text(input_shape)}"
    try:
        for module in names:
            if not list(module.children()) or list(module.parameters(False)):
                hooks += [
                    module.register_forward_pre_hook(before, with_kwargs=True),
                    module.register_forward_hook(after, with_kwargs=True),
                ]
        with torch.inference_mode(False), torch.no_grad(), in_mode(net, False):
            bare = {k: torch.empty_like(t, device="meta") for k, t in tensors}
            kinds = [t.dtype for t in bare.values() if t.is_floating_point()]
            with torch.device("meta"), watch.counter, watch:
                x = watch.images(input_shape, dtype=[*kinds, None][0])
                output = torch.func.functional_call(net, bare, (x,))
    except Exception as error:
        module, x, *_ = running[-1]
        where = "between two layers"
        if module is not None:
            where = f"{names[module]} ({type(module).__name__})"
        said = (str(error) or repr(error)).splitlines()[0]
        if "meta" in said:
            said += " (it runs without data: register tensors as buffers, "
            said += "and let no step depend on values)"
        why = mismatch(module, x) or f": {said}, for {images}"
        raise ValueError(where + why) from error
    finally:
        for hook in hooks:
            hook.remove()
    output = next(tensors_in(output), torch.empty(()))
    if output.shape[:1] != (IMAGES,):
        raise ValueError(
            f"for {images} the network returns {as_text(output.shape)}; its "
            "first axis must be the minibatch, one row an image: look for a "
            "view or reshape that does not begin with len(x)"
        )
    listed = sum(work_inside for *_, work_inside in running)
    outside = macs_of_one_image(*(watch.work() - listed))
    return LayerTable(
        input_shape,
        tuple(output.shape[1:]),
        layers,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        macs=sum(layer.macs for layer in layers) + outside,
    )


def of_one_image(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` without the minibatch, whose axis need not be the first."""
    for axis, size in enumerate(shape):
        if size and size % IMAGES == 0:
            each = (size // IMAGES,) if size > IMAGES else ()
            return (*shape[:axis], *each, *shape[axis + 1 :])
    return tuple(shape)


def mismatch(module: nn.Module | None, x: torch.Tensor | None) -> str:
    """Why `module` cannot take `x`, in our own words if there are any."""
    if x is None or x.dim() == 0:
        return ""
    got = f"(input {as_text(of_one_image(x.shape))})"
    if isinstance(module, nn.Linear) and x.shape[-1] != module.in_features:
        return (
            f" expects {module.in_features:,} numbers and gets "
            f"{x.shape[-1]:,} {got}; set in_features={x.shape[-1]} or change "
            "the size of the image"
        )
    if not isinstance(module, (nn.Conv2d, *POOLS)) or x.dim() != 4:
        return ""
    if isinstance(module, nn.Conv2d) and x.shape[1] != module.in_channels:
        return (
            f" expects {module.in_channels} channels and gets {x.shape[1]} "
            f"{got}; set in_channels={x.shape[1]} or change the layer before "
            "it"
        )
    names = "kernel stride padding dilation ceil_mode".split()
    for axis, n in enumerate(x.shape[2:]):
        window = {
            name: value[axis] if isinstance(value, tuple) else value
            for name, value in settings(module).items()
            if name in names
        }
        half = window["kernel"] // 2
        if isinstance(module, POOLS) and window["padding"] > half:
            return (
                f": padding={window['padding']} is more than half of "
                f"the kernel of {window['kernel']}, which PyTorch refuses: a "
                f"window could see padding alone; use at most {half}"
            )
        try:
            conv_output_size(n, **window)
        except ValueError as error:
            return f" {got}: {error}"
    return ""


def settings(module: nn.Module) -> dict:
    """What the arithmetic needs to know of a layer: one number where height
    and width agree, else a pair. Padding may also be "same" or "valid"."""
    if isinstance(module, nn.Linear):
        names = "in_features out_features".split()
    elif isinstance(module, nn.Conv2d):
        names = "in_channels out_channels kernel_size stride padding dilation"
        names = [*names.split(), "groups"]
    elif isinstance(module, POOLS):
        names = "kernel_size stride padding dilation ceil_mode".split()
    else:
        return {}
    values = {name: getattr(module, name, 1) for name in names}
    for name, value in values.items():
        if isinstance(value, (tuple, list)):
            alike = len(set(value)) == 1
            values[name] = value[0] if alike else tuple(value)
    if "kernel_size" in values:
        values["kernel"] = values.pop("kernel_size")
    if hasattr(module, "bias"):
        values["bias"] = module.bias is not None
    return values
