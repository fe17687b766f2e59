"""Shape arithmetic: what every layer of a network makes of its input.

`conv_output_size` is the formula; `layer_table` runs a network once on
tensors without data and writes down, layer by layer, the output shape, the
parameters, the multiply-accumulates and the receptive field.
"""

import math
from dataclasses import dataclass
from html import escape

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

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

    Shapes are without the minibatch axis. MACs are the multiply-accumulates
    of convolutions and linear layers for one input, without biases. The
    receptive field is the side, in input pixels, of the square that one
    output value depends on; the jump is how far that square moves from one
    output value to the next. Both are None where they have no meaning.
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
        counts = [f"{number:,}" if number else "–" for number in numbers]
        return [self.name, self.kind, as_text(self.output_shape), *counts]


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
        total = ["total", "", "", f"{self.parameters:,}", f"{self.macs:,}"]
        return [
            ["input", "", as_text(self.input_shape), "", "", "", ""],
            *(layer.row() for layer in self.layers),
            [*total, "", ""],
        ]

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


def layer_table(net: nn.Module, input_shape: tuple[int, ...]) -> LayerTable:
    """Run `net` once without data and describe each layer that was called.

    Where branches meet (concatenation, addition), the largest receptive
    field counts. Nothing is computed and `net` stays as it is: the pass runs
    on PyTorch's "meta" device, in evaluation mode.

    Args:
        net: its convolutions, windowed poolings and linear layers must be
            modules (nn.MaxPool2d, not F.max_pool2d): the table lists modules.
        input_shape: (channels, height, width) of one input.

    Returns:
        A LayerTable: text when printed, HTML as the output of a cell.

    Raises:
        ValueError: the input does not fit; names the layer, the sizes and
            the way out.
    """
    input_shape = tuple(input_shape)
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(
            f"input_shape={input_shape} must be (channels, height, width), "
            "each at least 1, such as (3, 227, 227)"
        )
    names = {module: name or "net" for name, module in net.named_modules()}
    label = {m: f"{name} ({type(m).__name__})" for m, name in names.items()}
    layers, running, counted = [], [], set()

    def before(module, inputs):
        running.append(module)
        check_input(label[module], module, inputs[0])

    def after(module, inputs, output):
        running.pop()
        own = [p for p in module.parameters(False) if p not in counted]
        counted.update(own)
        output.seen = view_behind(module, inputs[0], output)
        layers.append(
            Layer(
                name=names[module],
                kind=type(module).__name__,
                output_shape=tuple(output.shape[1:]),
                parameters=sum(parameter.numel() for parameter in own),
                macs=multiply_accumulates(module, inputs[0], output),
                receptive_field=output.seen and output.seen[0],
                jump=output.seen and output.seen[1],
                settings=settings(module),
            )
        )

    listed = [
        module
        for module in net.modules()
        if not list(module.children()) or list(module.parameters(False))
    ]
    hooks = [module.register_forward_pre_hook(before) for module in listed]
    hooks += [module.register_forward_hook(after) for module in listed]
    modes = {module: module.training for module in net.modules()}
    tensors = [*net.named_parameters(), *net.named_buffers()]
    without_data = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in tensors
    }
    try:
        net.eval()
        with torch.no_grad(), torch.device("meta"), FollowViews(running):
            image = torch.empty(1, *input_shape)
            image.seen = (1, 1)
            output = torch.func.functional_call(net, without_data, (image,))
    except RuntimeError as error:
        where = label[running[-1]] if running else "between two layers"
        raise ValueError(
            f"{where}: {str(error).splitlines()[0]}, for an input of "
            f"{as_text(input_shape)}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return LayerTable(
        input_shape,
        tuple(output.shape[1:]),
        layers,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        macs=sum(layer.macs for layer in layers),
    )


class FollowViews(TorchFunctionMode):
    """Hands on what a tensor sees of the input, (receptive field, jump),
    through additions, concatenations and every other function."""

    def __init__(self, running: list[nn.Module]):
        super().__init__()
        self.running = running

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        layer = self.running[-1] if self.running else None
        listed = type(layer).__module__.startswith("torch.nn")
        if not listed and name in ("conv2d", "max_pool2d", "avg_pool2d"):
            raise ValueError(
                f"the network calls F.{name}, which a table of layers cannot "
                "list; use the module of the same name from torch.nn"
            )
        output = func(*args, **(kwargs or {}))
        views = [
            tensor.seen
            for arg in args
            for tensor in (arg if isinstance(arg, (list, tuple)) else [arg])
            if isinstance(tensor, torch.Tensor) and hasattr(tensor, "seen")
        ]
        if views and isinstance(output, torch.Tensor):
            output.seen = None if None in views else max(views)
            if output.seen and args[0] is not output:
                output.seen = leave_map(args[0], output, output.seen)
        return output


def leave_map(x, output, seen):
    """What is seen after a function that flattens or averages a whole map."""
    if not isinstance(x, torch.Tensor) or x.dim() != 4:
        return seen
    side = max(x.shape[-2:])
    if output.dim() == 2 and output.numel() == x.numel():
        # Each number still sees its own place; a linear layer will mix the
        # places, so the side of the map is kept for it.
        return *seen, side
    if output.dim() == 2 or (output.dim() == 4 and output.shape[-1] == 1):
        return seen[0] + (side - 1) * seen[1], seen[1]
    return seen


def view_behind(module, x, output):
    """(receptive field, jump) behind a layer; None where they have no meaning.

    With r and j before the layer, a window of k pixels and stride s gives
    r + (k - 1) * j and j * s. A linear layer behind a map sees all of it.
    """
    seen = getattr(x, "seen", None)
    if seen is None:
        return None
    if isinstance(module, (nn.Conv2d, *POOLS)):
        window = settings(module)
        extent = window["dilation"] * (window["kernel"] - 1) + 1
        return seen[0] + (extent - 1) * seen[1], seen[1] * window["stride"]
    if isinstance(module, nn.Linear) and len(seen) == 3:
        return seen[0] + (seen[2] - 1) * seen[1], seen[1]
    resized = x.dim() == 4 == output.dim() and x.shape[2:] != output.shape[2:]
    if resized and output.shape[-1] != 1:
        return None
    return getattr(output, "seen", seen)


def check_input(where: str, module: nn.Module, x: torch.Tensor) -> None:
    """Say in words why `module` cannot take `x`."""
    got = f"(input {as_text(x.shape[1:])})"
    if isinstance(module, nn.Conv2d) and x.shape[1] != module.in_channels:
        raise ValueError(
            f"{where} expects {module.in_channels} channels and gets "
            f"{x.shape[1]} {got}; set in_channels={x.shape[1]} or change the "
            "layer before it"
        )
    if isinstance(module, nn.Linear) and x.shape[-1] != module.in_features:
        raise ValueError(
            f"{where} expects {module.in_features:,} numbers and gets "
            f"{x.shape[-1]:,} {got}; set in_features={x.shape[-1]} or change "
            "the size of the image"
        )
    if isinstance(module, (nn.Conv2d, *POOLS)):
        window = settings(module)
        half = window["kernel"] // 2
        if isinstance(module, POOLS) and window["padding"] > half:
            raise ValueError(
                f"{where}: padding={window['padding']} is more than half of "
                f"the kernel of {window['kernel']}, which PyTorch refuses: a "
                f"window could see padding alone; use at most {half}"
            )
        names = "kernel stride padding dilation ceil_mode".split()
        arguments = {name: window[name] for name in names if name in window}
        for side in x.shape[-2:]:
            try:
                conv_output_size(side, **arguments)
            except ValueError as error:
                raise ValueError(f"{where} {got}: {error}") from None


def multiply_accumulates(module, x, output) -> int:
    if isinstance(module, nn.Conv2d):
        each = math.prod(module.kernel_size) * module.in_channels
        return output[0].numel() * each // module.groups
    if isinstance(module, nn.ConvTranspose2d):
        each = math.prod(module.kernel_size) * module.out_channels
        return x[0].numel() * each // module.groups
    if isinstance(module, nn.Linear):
        return output[0].numel() * module.in_features
    return 0


def settings(module: nn.Module) -> dict:
    """What the arithmetic needs to know of a layer, as plain numbers."""
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
        if isinstance(value, tuple) and len(set(value)) == 1:
            values[name] = value = value[0]
        if not isinstance(value, int):
            raise ValueError(
                f"{module}: {name}={value!r} must be one whole number for "
                "height and width"
            )
    if "kernel_size" in values:
        values["kernel"] = values.pop("kernel_size")
    if hasattr(module, "bias"):
        values["bias"] = module.bias is not None
    return values
