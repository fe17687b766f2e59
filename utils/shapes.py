"""Shape arithmetic: what every layer of a network makes of its input.

`conv_output_size` is the formula; `layer_table` runs a network once on
tensors without data and writes down, layer by layer, the output shape, the
parameters, the multiply-accumulates and the receptive field.
"""

import contextlib
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from utils.fields import Fields, field_and_jump, tensors_in
from utils.tables import Table

COLUMNS = {"layer": "", "kind": "", "output": ""} | dict.fromkeys(
    ("parameters", "MACs", "receptive field", "jump"), ","
)


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

    The shape is of one input, without the minibatch axis, and of the first
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

    def as_table(self) -> Table:
        """The rows as they are shown."""
        unknown = 4 * [""]
        rows = [["input", "", as_text(self.input_shape), *unknown]]
        for x in self.layers:
            numbers = x.parameters, x.macs, x.receptive_field, x.jump
            numbers = [number or None for number in numbers]
            rows.append([x.name, x.kind, as_text(x.output_shape), *numbers])
        # Functions, loose parameters and layers that were never called.
        parameters = self.parameters - sum(x.parameters for x in self.layers)
        macs = self.macs - sum(layer.macs for layer in self.layers)
        if parameters or macs:
            left = parameters or None, macs or None, None, None
            rows.append(["outside these layers", "", "", *left])
        total = self.parameters, self.macs, "", ""
        return Table(COLUMNS, [*rows, ["total", "", "", *total]], total=True)

    def __repr__(self) -> str:
        return repr(self.as_table())

    def _repr_html_(self) -> str:
        return self.as_table()._repr_html_()


def as_text(shape: tuple[int, ...]) -> str:
    return " × ".join(str(side) for side in shape)


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

    A layer is a module without modules inside. PyTorch's FlopCounterMode
    counts. Nothing is computed and `net` stays as it is: the pass runs on the
    "meta" device, in evaluation mode.

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
    fields, counter = Fields(), FlopCounterMode(display=False)
    layers, counted, hooks = [], set(), []
    running = None, None, 0  # the layer, its input, the work before it

    def before(module, inputs):
        nonlocal running
        x = next(iter(tensors_in(inputs)), None)
        running = module, x, counter.get_total_flops()

    def after(module, inputs, output):
        nonlocal running
        x = next(iter(tensors_in(output)), None)
        if x is not None and 0 in x.shape:
            raise ValueError(f"{as_text(x.shape)} has no values")
        flops = counter.get_total_flops() - running[-1]
        running = None, x, 0
        own = [p for p in module.parameters() if p not in counted]
        counted.update(own)
        layers.append(
            Layer(
                names[module],
                type(module).__name__,
                () if x is None else tuple(x.shape[1:]),
                sum(parameter.numel() for parameter in own),
                flops // 2,
                *((None, None) if x is None else field_and_jump(x)),
                settings(module),
            )
        )

    try:
        for module in names:
            if not list(module.children()):
                hooks.append(module.register_forward_pre_hook(before))
                hooks.append(module.register_forward_hook(after))
        with torch.inference_mode(False), torch.no_grad(), in_mode(net, False):
            bare = {k: torch.empty_like(t, device="meta") for k, t in tensors}
            kinds = [t.dtype for t in bare.values() if t.is_floating_point()]
            with torch.device("meta"), counter, fields:
                x = fields.image(input_shape, dtype=[*kinds, None][0])
                output = torch.func.functional_call(net, bare, (x,))
    except Exception as error:
        module, x, _ = running
        where = "between two layers"
        if module is not None:
            where = f"{names[module]} ({type(module).__name__})"
        said = (str(error) or repr(error)).splitlines()[0]
        if "meta" in said:
            said += " (it runs without data: register tensors as buffers, "
            said += "and let no step depend on values)"
        raise ValueError(
            where
            + (
                mismatch(module, x)
                or f": {said}, for one image of {as_text(input_shape)}"
            )
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    output = next(iter(tensors_in(output)), torch.empty(()))
    if output.shape[:1] != (1,):
        raise ValueError(
            f"for one image the network returns {as_text(output.shape)}; its "
            "first axis must be the minibatch, one row an image: look for a "
            "view or reshape that does not begin with len(x)"
        )
    return LayerTable(
        input_shape,
        tuple(output.shape[1:]),
        layers,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        macs=counter.get_total_flops() // 2,
    )


def mismatch(module: nn.Module | None, x: torch.Tensor | None) -> str:
    """How the input of a layer is not what it expects, if it is not."""
    for name, axis in (("in_channels", 1), ("in_features", -1)):
        wanted = settings(module).get(name)
        if wanted and x is not None and x.shape[axis] != wanted:
            got = x.shape[axis]
            return (
                f" expects {name}={wanted} and gets {got} (input "
                f"{as_text(x.shape[1:])}); set {name}={got}, or change what "
                "comes before, such as the size of the image"
            )
    return ""


def settings(module: nn.Module) -> dict:
    """What the arithmetic needs to know of a layer: one number where height
    and width agree, else a pair. Padding may also be "same" or "valid"."""
    window = "kernel_size stride padding dilation".split()
    names = {
        nn.Linear: ["in_features", "out_features"],
        nn.Conv2d: ["in_channels", "out_channels", *window, "groups"],
        nn.MaxPool2d: [*window, "ceil_mode"],
        nn.AvgPool2d: [*window, "ceil_mode"],
    }
    kind = next((kind for kind in names if isinstance(module, kind)), None)
    values = {name: getattr(module, name, 1) for name in names.get(kind, ())}
    for name, value in values.items():
        if isinstance(value, (tuple, list)):
            alike = len(set(value)) == 1
            values[name] = value[0] if alike else tuple(value)
    if "kernel_size" in values:
        values["kernel"] = values.pop("kernel_size")
    if hasattr(module, "bias") and values:
        values["bias"] = module.bias is not None
    return values
