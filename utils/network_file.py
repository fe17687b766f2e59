"""A trained network as a file that a page can run.

    save(net, "mine.safetensors", input_shape=(3, 32, 32), mean=data.mean,
         std=data.std, class_names=data.class_names)

The file holds the weights in the safetensors format, and in its metadata the
layers as a graph, in JSON. `figures/network.js` reads and runs it, and so can
anything else: nothing in it is a program.
"""

import copy
import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import fx, nn
from torch.nn import functional as F

VERSION = 1  # of the graph; figures/network.js knows the same number


def save(net: nn.Module, path: str | Path, **description) -> None:
    """Write the network to a .safetensors file that a page can run.

    Args:
        net: the trained network. It is left as it is.
        path: of the file; its name ends with ".safetensors".
        description: what `to_bytes` takes beside the network.

    Raises:
        ValueError: as `to_bytes`, or the path has another ending.
        ModuleNotFoundError: as `to_bytes`.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(
            f"the file is called {path.name!r}; pages know a network by its "
            f'ending, so call it "{path.stem}.safetensors"'
        )
    path.write_bytes(to_bytes(net, **description))


def to_bytes(
    net: nn.Module,
    *,
    input_shape: Sequence[int],
    mean: float | Sequence[float] | torch.Tensor,
    std: float | Sequence[float] | torch.Tensor,
    class_names: Sequence[str],
    weights: str = "float32",
    accuracy: float | None = None,
) -> bytes:
    """The network as the content of a .safetensors file.

    The network is written as it is in evaluation mode: dropout is gone, and
    each batch norm is part of the convolution or linear layer before it (one
    that has none before it scales and shifts on its own). A node of the graph
    is called as the module that computes it, such as "1.3.function.2.0".

    Args:
        net: takes images (N, C, H, W) and returns logits or probabilities
            (N, classes). It is left as it is, and on its device.
        input_shape: (C, H, W) of one image.
        mean: of the pixels between 0 and 1, one number or one a channel. The
            network expects (pixel - mean) / std, as it did in training.
        std: their standard deviation, likewise.
        class_names: one a class, in the order of the outputs.
        weights: "float32", or "int8" for a file of a quarter of the size:
            whole numbers from -127 to 127, and a scale an output channel.
        accuracy: on the test set, between 0 and 1, if the page should tell.

    Raises:
        ValueError: an argument does not fit, a weight is not finite, or the
            network does something that the page cannot do; the message says
            what and where.
        ModuleNotFoundError: the library safetensors is not installed.
    """
    try:
        from safetensors.torch import save as as_safetensors
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the file is written by the library safetensors, which is not "
            "installed here; `pip install safetensors` gets it"
        ) from error

    if weights not in ("float32", "int8"):
        raise ValueError(f'weights={weights!r}; wanted "float32" or "int8"')
    if accuracy is not None and not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy is {accuracy}; wanted from 0 to 1")
    shape = tuple(map(int, input_shape))
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"input_shape is {shape}; wanted (channels, height, width)"
        )
    about = {
        "version": VERSION,
        "input_shape": shape,
        "mean": _one_a_channel("mean", mean, shape[0]),
        "std": _one_a_channel("std", std, shape[0]),
        "class_names": [str(name) for name in class_names],
    }
    if min(about["std"]) <= 0:
        raise ValueError(f"std is {about['std']}; wanted positive numbers")
    if accuracy is not None:
        about["accuracy"] = float(accuracy)

    nodes = _fold_batch_norms(_nodes_of(net, shape))
    outputs = nodes[-1].shape
    if len(outputs) != 1:
        raise ValueError(
            f"the network answers an image with {outputs} numbers; wanted "
            "(classes,), so end it with a linear layer or nn.Flatten()"
        )
    if outputs[0] != len(about["class_names"]):
        raise ValueError(
            f"{len(about['class_names'])} class names for a network that "
            f"tells {outputs[0]} classes apart"
        )
    tensors = {}
    for node in nodes:
        for key, tensor in node.tensors.items():
            if not tensor.isfinite().all():
                raise ValueError(
                    f"the {key} at {node.name!r} has values that are NaN or "
                    "infinite; train again with a lower learning rate"
                )
            if key == "weight" and weights == "int8":
                tensor, scale = _rounded(tensor)
                tensors[f"{node.name}.scale"] = scale
            tensors[f"{node.name}.{key}"] = tensor.contiguous()
    about["nodes"] = [
        {
            "name": node.name,
            "op": node.op,
            "inputs": node.inputs,
            "shape": node.shape,
            **node.settings,
        }
        for node in nodes
    ]
    return as_safetensors(tensors, {"network": json.dumps(about)})


@dataclass
class _Node:
    """What the page computes in one step; `shape` is without the batch."""

    name: str
    op: str
    inputs: list[str]
    shape: tuple[int, ...]
    settings: dict
    tensors: dict[str, torch.Tensor]


@dataclass(frozen=True)
class _Maps:
    """The output of a node, where PyTorch has a tensor for one image."""

    node: str
    shape: tuple[int, ...]


def _one_a_channel(name: str, numbers, channels: int) -> list[float]:
    found = torch.as_tensor(numbers, dtype=torch.float64).flatten()
    if len(found) not in (1, channels) or not found.isfinite().all():
        raise ValueError(
            f"{name} is {found.tolist()}; wanted one finite number, or one "
            f"for each of {channels} channels"
        )
    return found.expand(channels).tolist()


def _rounded(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole numbers and their scales; the largest of a channel is ±127."""
    scale = weight.flatten(1).abs().amax(1) / 127
    each = scale.clamp(min=torch.finfo(scale.dtype).tiny)
    each = each.view(-1, *[1] * (weight.ndim - 1))
    return (weight / each).round().to(torch.int8), scale


def _fold_batch_norms(nodes: list[_Node]) -> list[_Node]:
    """Multiply batch norms into what is before them and feeds nothing else.

    That node then computes the normalised maps, and its setting `batch_norm`
    names the module.
    """
    known, kept, renamed = {}, [], {}
    uses = [name for node in nodes for name in node.inputs]
    for node in nodes:
        node.inputs = [renamed.get(name, name) for name in node.inputs]
        before = known.get(node.inputs[0]) if node.inputs else None
        if (
            "batch_norm" in node.settings
            and before is not None
            and before.op in ("convolution", "linear")
            and "batch_norm" not in before.settings
            and uses.count(before.name) == 1
        ):
            factor, tensors = node.tensors["factor"], before.tensors
            each = factor.view(-1, *[1] * (tensors["weight"].ndim - 1))
            tensors["weight"] = tensors["weight"] * each
            tensors["bias"] = tensors["bias"] * factor + node.tensors["shift"]
            before.settings["batch_norm"] = node.name
            renamed[node.name] = before.name
        else:
            known[node.name] = node
            kept.append(node)
    return kept


def _nodes_of(net: nn.Module, shape: tuple[int, ...]) -> list[_Node]:
    """The network's nodes, in the order in which they are computed."""
    if any(tensor.is_meta for tensor in net.state_dict().values()):
        raise ValueError("the network is on the device meta: without numbers")
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        net = copy.deepcopy(net).cpu().float().eval()
        tracer = _Tracer()
        try:
            traced = fx.GraphModule(net, tracer.trace(net))
        except Exception as error:
            kind = type(net.get_submodule(tracer.failed)).__name__
            raise ValueError(
                f"the forward method of {kind} at {tracer.failed!r} could "
                f"not be followed ({error}). The page runs networks that do "
                "the same with every image: no `if`, loop or number that "
                "depends on what is in a tensor"
            ) from error
        translator = _Translator(traced)
        image = torch.randn(1, *shape)
        answer = translator.run(image.clone())
        translator.check_answer(answer, net(image))
    return list(translator.nodes.values())


class _Tracer(fx.Tracer):
    """Follows the network, and notes whose output a value is."""

    failed = ""  # path of the innermost module that could not be followed

    def call_module(self, m, forward, args, kwargs):
        path = self.path_of_module(m)
        try:
            output = super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or path
            raise
        if isinstance(output, fx.Proxy):
            output.node.meta.setdefault("output_of", path)
        return output


def _pair(number) -> list[int]:
    return list(number) if isinstance(number, Sequence) else [number] * 2


class _Translator(fx.Interpreter):
    """Takes the steps of a traced network on an image and writes them down.

    Most methods are called as functions of PyTorch and take their arguments,
    with _Maps in the place of tensors that depend on the image.
    """

    def __init__(self, traced: fx.GraphModule):
        super().__init__(traced)
        self.nodes: dict[str, _Node] = {}
        self.maps: dict[fx.Node, _Maps] = {}  # by the step that PyTorch takes

    def run_node(self, n: fx.Node):
        """What PyTorch computes in this step; its node is added."""
        self.step = n
        args, kwargs = fx.node.map_arg(
            (n.args, n.kwargs),
            lambda step: self.maps.get(step, self.env.get(step)),
        )
        if n.op in ("placeholder", "get_attr", "output"):
            value = super().run_node(n)
            if n.op == "placeholder":
                self.maps[n] = _Maps("input", tuple(value.shape[1:]))
            if n.op == "output" and not isinstance(args[0], _Maps):
                raise ValueError(
                    f"the network returns {type(value).__name__}; wanted one "
                    "tensor that depends on the image"
                )
            return value
        about_size = n.target in ("size", "dim") or n.args[1:] == ("shape",)
        if about_size or not self.maps.keys() & set(n.all_input_nodes):
            return super().run_node(n)  # numbers that every image shares

        translate, in_place = self.translation()
        try:
            value = super().run_node(n)
        except RuntimeError as error:
            self.refuse(
                f"maps that do not fit ({error}); is input_shape right?"
            )
        self.shape = tuple(value.shape[1:])
        if value.ndim < 2 or len(value) != 1:
            self.refuse(
                f"a result of shape {tuple(value.shape)} for one image"
            )
        try:
            self.maps[n] = translate(*args, **kwargs)
        except TypeError as error:
            self.refuse(f"arguments that are not known here ({error})")
        if in_place:
            self.overwrite(value)
        return value

    def translation(self) -> tuple[Callable, bool]:
        """What writes this step down, and whether it overwrites its input."""
        n = self.step
        if n.op == "call_module":
            layer = self.module.get_submodule(n.target)
            found = LAYERS.get(type(layer))
            if found:
                found = partial(found, layer=layer)
            in_place = getattr(layer, "inplace", False)
        else:
            if n.op == "call_function":
                found = FUNCTIONS.get(n.target)
                in_place = n.kwargs.get("inplace", False)
            else:
                found = METHODS.get(n.target.rstrip("_"))
                in_place = n.target.endswith("_")
        if not found:
            self.refuse("an operation that is not known here")
        return partial(found, self), in_place

    def overwrite(self, value: torch.Tensor):
        """Whoever reads the input of this step later reads its output."""
        replaced = self.maps[self.step.all_input_nodes[0]]
        memory = value.untyped_storage().data_ptr()
        for step, other in self.env.items():
            if step in self.maps and (
                other.untyped_storage().data_ptr() == memory
            ):
                if self.maps[step] != replaced:
                    self.refuse("a change in place of what a view shares")
                self.maps[step] = self.maps[self.step]

    def refuse(self, what: str):
        """Raise an error that says which operation, and where it is."""
        name, owner = self.step.target, self.owner()
        if self.step.op == "call_module":
            name = type(self.module.get_submodule(name)).__name__
        elif callable(name):
            name = getattr(name, "__name__", str(name))
        where = f" at {owner!r}" if owner else ""
        raise ValueError(f"{name}{where}: the page cannot run this, {what}")

    def owner(self) -> str:
        """Path of the module that takes this step."""
        if self.step.op == "call_module":
            return self.step.target
        stack = self.step.meta.get("nn_module_stack") or {"": ("", None)}
        return list(stack.values())[-1][0]

    def check_answer(self, answer, expected):
        """Refuse a network that does not do what its steps do."""
        same = answer.shape == expected.shape and torch.allclose(
            answer, expected, rtol=1e-3, atol=1e-4, equal_nan=True
        )
        if not same:
            raise ValueError(
                "the network gives an image another answer when its steps "
                "are taken one by one; random numbers in its forward method, "
                "or a change in place such as `x += y`, could be the reason"
            )

    def add_node(self, op, *inputs, shape=None, tensors=(), **settings):
        """Write a node down; returns its maps."""
        owner, step = self.owner(), self.step
        name, inner = owner, False
        if step.op != "call_module":
            name = step.meta.get("output_of")
            if name is None:
                inner = bool(owner)
                part = re.sub(r"_\d+$", "", step.name)
                name = f"{owner}.{part}" if owner else part
        if shape is not None:  # not the last node of this step
            name, inner = f"{name}.{op}", True
        if inner:
            settings["inner"] = True
        base, count = name, 1
        while name in self.nodes or name == "input":
            count += 1
            name = f"{base} ({count})"
        shape = self.shape if shape is None else shape
        for maps in inputs:
            if not isinstance(maps, _Maps):
                self.refuse("a tensor of its own in the place of maps")
        self.nodes[name] = _Node(
            name, op, [m.node for m in inputs], shape, settings, dict(tensors)
        )
        return _Maps(name, shape)

    def number(self, value) -> float:
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(f"{type(value).__name__} where a number is wanted")
        return float(value)

    # Layers with weights.

    def conv2d(
        self, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
    ):
        dilation, kernel = _pair(dilation), weight.shape[2:]
        if padding == "same":
            whole = [
                d * (k - 1) for d, k in zip(dilation, kernel, strict=True)
            ]
            around = [n for w in whole for n in (w // 2, w - w // 2)]
        else:
            padding = [0, 0] if padding == "valid" else _pair(padding)
            around = [n for n in padding for _ in range(2)]
        if bias is None:
            bias = torch.zeros(len(weight))
        return self.add_node(
            "convolution",
            x,
            stride=_pair(stride),
            padding=around,  # top, bottom, left, right
            dilation=dilation,
            groups=groups,
            tensors={"weight": weight, "bias": bias},
        )

    def convolution_layer(self, x, layer):
        if layer.padding_mode != "zeros":
            self.refuse(f"padding_mode {layer.padding_mode!r}")
        return self.conv2d(
            x,
            layer.weight,
            layer.bias,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )

    def linear(self, x, weight, bias=None):
        if len(x.shape) != 1:
            self.refuse(f"maps of shape {x.shape} that are not flat")
        bias = torch.zeros(len(weight)) if bias is None else bias
        return self.add_node(
            "linear", x, tensors={"weight": weight, "bias": bias}
        )

    def batch_norm_layer(self, x, layer):
        if layer.running_mean is None:
            self.refuse("without running averages")
        factor = (layer.running_var + layer.eps).rsqrt()
        if layer.affine:
            factor = factor * layer.weight
        shift = -layer.running_mean * factor
        if layer.affine:
            shift = shift + layer.bias
        return self.add_node(
            "scale",
            x,
            tensors={"factor": factor, "shift": shift},
            batch_norm=self.owner(),
        )

    # Functions of each value.

    def relu(self, x, inplace=False):
        return self.add_node("relu", x)

    def sigmoid(self, x):
        return self.add_node("sigmoid", x)

    def tanh(self, x):
        return self.add_node("tanh", x)

    def gelu(self, x, approximate="none"):
        op = {"none": "gelu", "tanh": "gelu-tanh"}[approximate]
        return self.add_node(op, x)

    def pow(self, x, exponent):
        return self.add_node("power", x, exponent=self.number(exponent))

    def square(self, x):
        return self.pow(x, 2)

    def scale(self, x, factor=1.0, shift=0.0, shape=None):
        """The same factor and shift for all channels; often there is none."""
        if (factor, shift) == (1, 0):
            return x
        return self.add_node(
            "scale",
            x,
            shape=shape,
            tensors={
                "factor": torch.full((x.shape[0],), factor),
                "shift": torch.full((x.shape[0],), shift),
            },
        )

    def dropout(self, x, p=0.5, training=True, inplace=False):
        if training:
            self.refuse("which draws random numbers in evaluation mode, too")
        return x

    # Two inputs, or one and a number.

    def both(self, op, a, b):
        if a.shape != b.shape:
            self.refuse(f"maps of two shapes, {a.shape} and {b.shape}")
        return self.add_node(op, a, b)

    def add(self, a, b, alpha=1):
        if alpha != 1:
            self.refuse(f"alpha={alpha}")
        if not isinstance(a, _Maps):
            a, b = b, a
        if isinstance(b, _Maps):
            return self.both("add", a, b)
        return self.scale(a, shift=self.number(b))

    def sub(self, a, b):
        if isinstance(a, _Maps) and isinstance(b, _Maps):
            return self.both("subtract", a, b)
        if isinstance(a, _Maps):
            return self.scale(a, shift=-self.number(b))
        return self.scale(b, -1.0, self.number(a))

    def mul(self, a, b):
        if not isinstance(a, _Maps):
            a, b = b, a
        if isinstance(b, _Maps):
            return self.both("multiply", a, b)
        return self.scale(a, self.number(b))

    def div(self, a, b):
        if not isinstance(a, _Maps):
            self.refuse("a number divided by maps")
        if isinstance(b, _Maps):
            return self.both("divide", a, b)
        return self.scale(a, 1 / self.number(b))

    def cat(self, tensors, dim=0):
        if dim not in (1, -len(self.shape)):
            self.refuse(f"along dimension {dim}, not the channels")
        return self.add_node("concatenate", *tensors)

    # Windows.

    def pool(self, op, x, kernel, stride, padding, **settings):
        return self.add_node(
            op,
            x,
            kernel=_pair(kernel),
            stride=_pair(kernel if stride is None else stride),
            padding=[n for n in _pair(padding) for _ in range(2)],
            **settings,
        )

    def max_pool2d(
        self,
        x,
        kernel_size,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
    ):
        return self.pool(
            "max-pool",
            x,
            kernel_size,
            stride,
            padding,
            dilation=_pair(dilation),
            ceil=ceil_mode,
        )

    def avg_pool2d(
        self,
        x,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        if divisor_override is not None:
            self.refuse(f"divisor_override={divisor_override}")
        return self.pool(
            "average-pool",
            x,
            kernel_size,
            stride,
            padding,
            ceil=ceil_mode,
            count_padding=count_include_pad,
        )

    def adaptive_avg_pool2d(self, x, output_size):
        return self.add_node("adaptive-average", x)

    def adaptive_max_pool2d(self, x, output_size, return_indices=False):
        return self.add_node("adaptive-max", x)

    def mean(self, x, dim=None, keepdim=False):
        dims = sorted(d % 4 for d in _pair(dim)) if dim is not None else dim
        if dims != [2, 3] or len(x.shape) != 3:
            self.refuse(f"over dimensions {dim}, not height and width")
        whole = self.add_node("adaptive-average", x, shape=(x.shape[0], 1, 1))
        return self.add_node("reshape", whole)

    def local_response_norm(self, x, size, alpha=1e-4, beta=0.75, k=1.0):
        return self.add_node(
            "local-response-norm",
            x,
            size=size,
            alpha=alpha / size,  # of the sum, as in the paper
            beta=beta,
            k=k,
        )

    # Shapes.

    def reshape(self, x, *_, **__):
        return self.add_node("reshape", x)

    def pad(self, x, pad, mode="constant", value=None):
        dims = len(x.shape)
        before = [0] * dims
        for place, (start, end) in enumerate(
            zip(pad[::2], pad[1::2], strict=True), start=1
        ):
            if place > dims or min(start, end) < 0:
                self.refuse(f"the amounts {tuple(pad)}")
            before[-place] = start
        if mode != "constant" or value:
            self.refuse("with other values than zeros")
        return self.add_node("pad", x, before=before)

    def getitem(self, x, index):
        index = index if isinstance(index, tuple) else (index,)
        if Ellipsis in index:
            place = index.index(Ellipsis)
            missing = len(x.shape) + 2 - len(index)
            index = (
                *index[:place],
                *[slice(None)] * missing,
                *index[place + 1 :],
            )
        index += (slice(None),) * (len(x.shape) + 1 - len(index))
        if not all(isinstance(i, slice) for i in index):
            self.refuse("with an index that is no slice")
        ranges = [
            i.indices(n) for i, n in zip(index[1:], x.shape, strict=True)
        ]
        return self.add_node(
            "slice",
            x,
            start=[start for start, _, _ in ranges],
            step=[step for _, _, step in ranges],
        )

    def softmax(self, x, dim=None, op="softmax", **_):
        if len(x.shape) != 1 or dim not in (None, 1, -1):
            self.refuse(f"of shape {x.shape} over dimension {dim}")
        return self.add_node(op, x)

    def log_softmax(self, x, dim=None, **_):
        return self.softmax(x, dim, "log-softmax")


_T = _Translator
METHODS = {
    "add": _T.add,
    "concat": _T.cat,
    "div": _T.div,
    "flatten": _T.reshape,
    "log_softmax": _T.log_softmax,
    "mean": _T.mean,
    "mul": _T.mul,
    "pow": _T.pow,
    "relu": _T.relu,
    "reshape": _T.reshape,
    "sigmoid": _T.sigmoid,
    "softmax": _T.softmax,
    "square": _T.square,
    "squeeze": _T.reshape,
    "sub": _T.sub,
    "tanh": _T.tanh,
    "view": _T.reshape,
}
FUNCTIONS = {
    getattr(torch, name): method
    for name, method in METHODS.items()
    if hasattr(torch, name)
} | {
    F.adaptive_avg_pool2d: _T.adaptive_avg_pool2d,
    F.adaptive_max_pool2d: _T.adaptive_max_pool2d,
    F.avg_pool2d: _T.avg_pool2d,
    F.conv2d: _T.conv2d,
    F.dropout: _T.dropout,
    F.gelu: _T.gelu,
    F.linear: _T.linear,
    F.local_response_norm: _T.local_response_norm,
    F.log_softmax: _T.log_softmax,
    F.max_pool2d: _T.max_pool2d,
    F.pad: _T.pad,
    F.relu: _T.relu,
    F.sigmoid: _T.sigmoid,
    F.softmax: _T.softmax,
    F.tanh: _T.tanh,
    operator.add: _T.add,
    operator.getitem: _T.getitem,
    operator.mul: _T.mul,
    operator.neg: lambda t, x: t.scale(x, -1.0),
    operator.pow: _T.pow,
    operator.sub: _T.sub,
    operator.truediv: _T.div,
    torch.cat: _T.cat,
}


def _nothing(translator, x, layer):
    return x


LAYERS = {
    nn.AdaptiveAvgPool2d: lambda t, x, layer: t.adaptive_avg_pool2d(x, None),
    nn.AdaptiveMaxPool2d: lambda t, x, layer: t.adaptive_max_pool2d(x, None),
    nn.AvgPool2d: lambda t, x, layer: t.avg_pool2d(
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.count_include_pad,
        layer.divisor_override,
    ),
    nn.BatchNorm1d: _T.batch_norm_layer,
    nn.BatchNorm2d: _T.batch_norm_layer,
    nn.ConstantPad2d: lambda t, x, layer: t.pad(
        x, layer.padding, value=layer.value
    ),
    nn.Conv2d: _T.convolution_layer,
    nn.Dropout: _nothing,
    nn.Dropout2d: _nothing,
    nn.Flatten: lambda t, x, layer: t.reshape(x),
    nn.GELU: lambda t, x, layer: t.gelu(x, layer.approximate),
    nn.Identity: _nothing,
    nn.Linear: lambda t, x, layer: t.linear(x, layer.weight, layer.bias),
    nn.LocalResponseNorm: lambda t, x, layer: t.local_response_norm(
        x, layer.size, layer.alpha, layer.beta, layer.k
    ),
    nn.LogSoftmax: lambda t, x, layer: t.log_softmax(x, layer.dim),
    nn.MaxPool2d: lambda t, x, layer: t.max_pool2d(
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.ceil_mode,
    ),
    nn.ReLU: lambda t, x, layer: t.relu(x),
    nn.Sigmoid: lambda t, x, layer: t.sigmoid(x),
    nn.Softmax: lambda t, x, layer: t.softmax(x, layer.dim),
    nn.Tanh: lambda t, x, layer: t.tanh(x),
    nn.ZeroPad2d: lambda t, x, layer: t.pad(x, layer.padding),
}
