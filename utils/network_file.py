"""A trained network as a file that a page can run.

    save(net, "mine.safetensors", input_shape=(3, 32, 32),
         mean=train.mean, std=train.std, class_names=data.class_names)

The file holds the weights in the safetensors format and, in its metadata, the
layers as a graph in JSON. figures/network.js reads and runs it. Nothing in it
is a program.

To teach it an operation: a method of _Translator that writes it down, a line
in one of the tables at the end, an entry in figures/network.js, and a case in
tests/test_network_file.py.
"""

import copy
import inspect
import json
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import fx, nn
from torch.nn import functional as F

VERSION = 1  # of the graph; figures/network.js knows the same number
LARGEST = {"int8": 127, "int6": 31}  # whole number; each takes a byte


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

    It is written as it is in evaluation mode: dropout is gone, and each batch
    norm is part of the convolution or linear layer before it, or, if there is
    none, scales and shifts on its own. A node of the graph has the name of
    the module that computes it, such as "1.3.function.2.0".

    Args:
        net: takes images (N, C, H, W) and returns logits or probabilities
            (N, classes). It is left as it is, and on its device.
        input_shape: (C, H, W) of an image.
        mean: of the pixels between 0 and 1, one number or one a channel. The
            network gets (pixel - mean) / std, as it did in training.
        std: their standard deviation, likewise.
        class_names: one a class, in the order of the outputs.
        weights: "float32", or "int8" for a quarter of the size: whole numbers
            from -127 to 127, and a scale for each output channel. "int6" is
            the same from -31 to 31, of which gzip takes a quarter away.
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
            "the library safetensors, which writes the file, is not "
            "installed; `pip install safetensors` gets it"
        ) from error

    if weights != "float32" and weights not in LARGEST:
        raise ValueError(
            f'weights={weights!r}; wanted "float32", "int8" or "int6"'
        )
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
    classes, names = nodes[-1].shape, about["class_names"]
    if len(classes) != 1:
        raise ValueError(
            f"the network answers an image with numbers of shape {classes}; "
            "wanted (classes,), so end it with nn.Flatten() or a linear layer"
        )
    if classes[0] != len(names):
        raise ValueError(
            f"{len(names)} class names, and the network tells {classes[0]} "
            "classes apart"
        )
    about["nodes"] = [node.described() for node in nodes]
    tensors = {}
    for node in nodes:
        for key, tensor in node.tensors.items():
            if not tensor.isfinite().all():
                raise ValueError(
                    f"the {key} at {node.name!r} is NaN or infinite in "
                    "places: the training failed; try a lower learning rate"
                )
            if key == "weight" and weights in LARGEST:
                tensor, scale = _rounded(tensor, LARGEST[weights])
                tensors[f"{node.name}.scale"] = scale
            tensors[f"{node.name}.{key}"] = tensor.contiguous()
    return as_safetensors(tensors, {"network": json.dumps(about)})


@dataclass
class _Node:
    """A step of the page; shapes are those of one image, (C, H, W) or (C,)."""

    name: str
    op: str
    inputs: list[str]
    shape: tuple[int, ...]
    settings: dict
    tensors: dict[str, torch.Tensor]

    def described(self) -> dict:
        keys = ("name", "op", "inputs", "shape")
        return {key: getattr(self, key) for key in keys} | self.settings


def _one_a_channel(name: str, numbers, channels: int) -> list[float]:
    found = torch.as_tensor(numbers, dtype=torch.float64).flatten()
    if len(found) not in (1, channels) or not found.isfinite().all():
        raise ValueError(
            f"{name} is {found.tolist()}; wanted one finite number, or one "
            f"for each of {channels} channels"
        )
    return found.expand(channels).tolist()


def _rounded(
    weight: torch.Tensor, largest: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole numbers and their scales; a channel's go up to ±`largest`."""
    scale = weight.flatten(1).abs().amax(1) / largest
    each = torch.where(scale > 0, scale, 1)
    whole = (weight / _beside(each, weight)).round().to(torch.int8)
    return whole, scale


def _beside(each: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """One number an output channel, in a shape that multiplies a weight."""
    return each.view(-1, *[1] * (weight.ndim - 1))


def _fold_batch_norms(nodes: list[_Node]) -> list[_Node]:
    """Multiply batch norms into what is before them and feeds nothing else.

    That node then computes the normalised maps, and its setting `batch_norm`
    names the module that is gone.
    """
    uses = [name for node in nodes for name in node.inputs]
    kept: dict[str, _Node] = {}
    renamed: dict[str, str] = {}
    for node in nodes:
        node.inputs = [renamed.get(name, name) for name in node.inputs]
        before = kept.get(node.inputs[0])
        if (
            "batch_norm" in node.settings
            and before
            and before.op in ("convolution", "linear")
            and "batch_norm" not in before.settings
            and uses.count(before.name) == 1
        ):
            factor, shift = node.tensors["factor"], node.tensors["shift"]
            weight, bias = before.tensors["weight"], before.tensors["bias"]
            before.tensors["weight"] = weight * _beside(factor, weight)
            before.tensors["bias"] = bias * factor + shift
            before.settings["batch_norm"] = node.name
            renamed[node.name] = before.name
        else:
            kept[node.name] = node
    return list(kept.values())


def _nodes_of(net: nn.Module, shape: tuple[int, ...]) -> list[_Node]:
    """The nodes that the answer needs, in the order of their computation."""
    if any(map(nn.parameter.is_lazy, net.parameters())):
        raise ValueError("a layer is still lazy; run one image through it")
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
                f"not be followed ({error}). A page runs networks that do "
                "the same with every image: no `if` and no loop may depend "
                "on what is in a tensor"
            ) from error
        translator = _Translator(traced)
        image = torch.randn(1, *shape)
        followed = translator.run(image.clone())
        nodes = translator.needed()
        if not torch.allclose(followed, net(image), 1e-3, 1e-4, True):
            raise ValueError(
                "the network gives an image another answer when its steps "
                "are taken one by one. Are there random numbers in a forward "
                "method, or a change in place such as `x += y`?"
            )
    return nodes


class _Tracer(fx.Tracer):
    """Follows the network, and notes of which module a value is the output."""

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


@dataclass(frozen=True)
class _Maps:
    """The output of a node, where PyTorch has a tensor."""

    node: str
    shape: tuple[int, ...]


def _pair(number) -> list[int]:
    return list(number) if isinstance(number, Iterable) else [number] * 2


def _twice_each(numbers: Iterable[int]) -> list[int]:
    return [number for number in numbers for _ in range(2)]


class _Translator(fx.Interpreter):
    """Takes the steps of a traced network on an image and writes them down.

    The methods in the second half are named as functions of PyTorch and take
    the same arguments, with _Maps in the place of tensors that depend on the
    image. They return the _Maps of the node that they add.
    """

    def __init__(self, traced: fx.GraphModule):
        super().__init__(traced)
        self.extra_traceback = False  # an error here is a whole sentence
        self.nodes: dict[str, _Node] = {}
        self.maps: dict[fx.Node, _Maps] = {}  # by PyTorch's step
        self.answer: _Maps | None = None

    def run_node(self, n: fx.Node):
        """What PyTorch computes in a step, after it has been written down."""
        self.step = n
        if n.op in ("placeholder", "get_attr", "output"):
            value = super().run_node(n)
            if n.op == "placeholder":
                self.maps[n] = _Maps("input", tuple(value.shape[1:]))
            elif n.op == "output" and isinstance(n.args[0], fx.Node):
                self.answer = self.maps.get(n.args[0])
            return value
        of_sizes = n.target in ("size", "dim") or n.args[1:] == ("shape",)
        if of_sizes or not self.maps.keys() & set(n.all_input_nodes):
            return super().run_node(n)  # the same for every image

        args, kwargs = fx.node.map_arg(
            (n.args, n.kwargs), lambda s: self.maps.get(s, self.env.get(s))
        )
        write_down, in_place = self.translation()
        try:
            inspect.signature(write_down).bind(*args, **kwargs)
        except TypeError as error:
            self.refuse(str(error))
        try:
            value = super().run_node(n)
        except RuntimeError as error:
            self.refuse(f"its input does not fit; check input_shape ({error})")
        if not isinstance(value, torch.Tensor):
            self.refuse(f"it returns a {type(value).__name__}, no tensor")
        if value.ndim < 2 or len(value) != 1:
            self.refuse(f"its result {tuple(value.shape)} is not of one image")
        self.shape = tuple(value.shape[1:])
        self.maps[n] = write_down(*args, **kwargs)
        if in_place:
            self.overwrite(value)
        return value

    def translation(self) -> tuple[Callable, bool]:
        """What writes this step down, and whether it changes its input."""
        n = self.step
        if n.op == "call_module":
            layer = self.module.get_submodule(n.target)
            in_place = getattr(layer, "inplace", False)
            if type(layer) in LAYERS:
                method, names = LAYERS[type(layer)]
                settings = [getattr(layer, name) for name in names.split()]
                return lambda x: method(self, x, *settings), in_place
        elif n.op == "call_function":
            in_place = n.kwargs.get("inplace", False)
            if n.target in FUNCTIONS:
                return partial(FUNCTIONS[n.target], self), in_place
        elif n.target.rstrip("_") in METHODS:
            method = METHODS[n.target.rstrip("_")]
            return partial(method, self), n.target.endswith("_")
        self.refuse("it does not know this operation")

    def overwrite(self, value: torch.Tensor):
        """Whoever reads the input of this step from now on gets its output."""
        before = self.maps[self.step.all_input_nodes[0]]
        memory = value.untyped_storage().data_ptr()
        for step in self.maps.keys() & self.env.keys():
            if self.env[step].untyped_storage().data_ptr() == memory:
                if self.maps[step] != before:
                    self.refuse("it changes in place what a view shares")
                self.maps[step] = self.maps[self.step]

    def owner(self) -> str:
        """Path of the module that takes this step."""
        if self.step.op == "call_module":
            return self.step.target
        stack = self.step.meta.get("nn_module_stack") or {"": ("", None)}
        return list(stack.values())[-1][0]

    def refuse(self, reason: str):
        """Raise an error that says what a page cannot run, where and why."""
        name = self.step.target
        if self.step.op == "call_module":
            name = type(self.module.get_submodule(name)).__name__
        elif callable(name):
            name = getattr(name, "__name__", str(name))
        where = f" at {self.owner()!r}" if self.owner() else ""
        raise ValueError(f"the page cannot run {name}{where}: {reason}")

    def needed(self) -> list[_Node]:
        """The nodes on a way to the answer, which is the last of them."""
        if self.answer is None or self.answer.node not in self.nodes:
            raise ValueError(
                "the network returns no single tensor that it has computed"
            )
        wanted = {self.answer.node}
        for node in reversed(self.nodes.values()):
            if node.name in wanted:
                wanted.update(node.inputs)
        return [node for node in self.nodes.values() if node.name in wanted]

    def add_node(
        self,
        op: str,
        *inputs: _Maps,
        shape: tuple[int, ...] | None = None,
        tensors: dict[str, torch.Tensor] | None = None,
        **settings,
    ) -> _Maps:
        """Write a node down.

        The node whose output a module returns has the module's name; any
        other has the setting `inner`. `shape` is given for a node that is not
        the last one of its step.
        """
        if not all(isinstance(maps, _Maps) for maps in inputs):
            self.refuse("it takes a tensor that is the same for every image")
        name = self.owner()
        if self.step.op != "call_module":
            part = re.sub(r"_\d+$", "", self.step.name)
            path = f"{name}.{part}" if name else part
            inner = bool(name) and "output_of" not in self.step.meta
            name = self.step.meta.get("output_of", path)
            settings |= {"inner": True} if inner else {}
        if shape is not None:
            name, settings["inner"] = f"{name}.{op}", True
        base, count = name, 1
        while name in self.nodes or name in ("", "input"):
            count += 1
            name = f"{base} ({count})"
        shape = self.shape if shape is None else shape
        names = [maps.node for maps in inputs]
        self.nodes[name] = _Node(
            name, op, names, shape, settings, tensors or {}
        )
        return _Maps(name, shape)

    def number(self, value) -> float:
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{type(value).__name__} in the place of a number")
        return float(value)

    # Layers with weights.

    def conv2d(
        self,
        x,
        weight,
        bias=None,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        padding_mode="zeros",
    ):
        if padding_mode != "zeros":
            self.refuse(f"padding_mode is {padding_mode!r}, not 'zeros'")
        if padding == "same":
            spans = zip(_pair(dilation), weight.shape[2:], strict=True)
            sums = [apart * (kernel - 1) for apart, kernel in spans]
            around = [n for s in sums for n in (s // 2, s - s // 2)]
        else:
            around = _twice_each(
                [0, 0] if padding == "valid" else _pair(padding)
            )
        bias = torch.zeros(len(weight)) if bias is None else bias
        return self.add_node(
            "convolution",
            x,
            stride=_pair(stride),
            padding=around,  # top, bottom, left, right
            dilation=_pair(dilation),
            groups=groups,
            tensors={"weight": weight, "bias": bias},
        )

    def linear(self, x, weight, bias=None):
        if len(x.shape) != 1:
            self.refuse(f"its input {x.shape} is not flat")
        bias = torch.zeros(len(weight)) if bias is None else bias
        tensors = {"weight": weight, "bias": bias}
        return self.add_node("linear", x, tensors=tensors)

    def batch_norm(self, x, mean, variance, eps, weight, bias):
        if mean is None:
            self.refuse("it keeps no running averages")
        factor = (variance + eps).rsqrt() * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - mean * factor
        tensors = {"factor": factor, "shift": shift}
        return self.add_node(
            "scale", x, tensors=tensors, batch_norm=self.owner()
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

    def neg(self, x):
        return self.scale(x, -1)

    def scale(self, x, factor=1.0, shift=0.0):
        if (factor, shift) == (1, 0):
            return x
        each = torch.ones(x.shape[0])
        tensors = {"factor": factor * each, "shift": shift * each}
        return self.add_node("scale", x, tensors=tensors)

    def identity(self, x, p=0.5, training=False, inplace=False):
        if training:
            self.refuse("it draws random numbers in evaluation mode, too")
        return x

    # Two inputs, or one and a number.

    def both(self, op, a, b):
        if a.shape != b.shape:
            self.refuse(f"its inputs differ in shape, {a.shape} and {b.shape}")
        return self.add_node(op, a, b)

    def add(self, a, b):
        if isinstance(a, _Maps) and isinstance(b, _Maps):
            return self.both("add", a, b)
        if isinstance(b, _Maps):
            return self.add(b, a)
        return self.scale(a, shift=self.number(b))

    def sub(self, a, b):
        if isinstance(a, _Maps) and isinstance(b, _Maps):
            return self.both("subtract", a, b)
        if isinstance(b, _Maps):
            return self.scale(b, -1.0, self.number(a))
        return self.scale(a, shift=-self.number(b))

    def mul(self, a, b):
        if isinstance(a, _Maps) and isinstance(b, _Maps):
            return self.both("multiply", a, b)
        if isinstance(b, _Maps):
            return self.mul(b, a)
        return self.scale(a, self.number(b))

    def div(self, a, b):
        if isinstance(a, _Maps) and isinstance(b, _Maps):
            return self.both("divide", a, b)
        if isinstance(b, _Maps):
            self.refuse("it divides a number")
        return self.scale(a, 1 / self.number(b))

    def cat(self, tensors, dim=0):
        if dim not in (1, -len(self.shape)):
            self.refuse(f"it goes along dimension {dim}, not the channels")
        return self.add_node("concatenate", *tensors)

    # Windows.

    def pool(self, op, x, kernel, stride, padding, ceil, **settings):
        return self.add_node(
            op,
            x,
            kernel=_pair(kernel),
            stride=_pair(kernel if stride is None else stride),
            padding=_twice_each(_pair(padding)),
            ceil=ceil,
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
        window = kernel_size, stride, padding, ceil_mode
        return self.pool("max-pool", x, *window, dilation=_pair(dilation))

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
            self.refuse(f"divisor_override is {divisor_override}")
        window = kernel_size, stride, padding, ceil_mode
        settings = {"count_padding": count_include_pad}
        return self.pool("average-pool", x, *window, **settings)

    def adaptive_avg_pool2d(self, x, output_size):
        return self.add_node("adaptive-average", x)

    def adaptive_max_pool2d(self, x, output_size, return_indices=False):
        return self.add_node("adaptive-max", x)

    def mean(self, x, dim=None, keepdim=False):
        dims = sorted(d % 4 for d in _pair(dim)) if dim is not None else []
        if dims != [2, 3] or len(x.shape) != 3:
            self.refuse(
                f"it goes over {dim}, not over rows and columns (2, 3)"
            )
        shape = (x.shape[0], 1, 1)
        whole = self.add_node("adaptive-average", x, shape=shape)
        return self.add_node("reshape", whole)

    def local_response_norm(self, x, size, alpha=1e-4, beta=0.75, k=1.0):
        # PyTorch's alpha belongs to the mean, the paper's to the sum.
        settings = {"size": size, "alpha": alpha / size, "beta": beta, "k": k}
        return self.add_node("local-response-norm", x, **settings)

    # Shapes.

    def reshape(self, x, *_, **__):
        return self.add_node("reshape", x)

    def pad(self, x, pad, mode="constant", value=None):
        if mode != "constant":
            self.refuse(f"it pads with its own values, by {mode!r}")
        if min(pad) < 0 or len(pad) > 2 * len(x.shape):
            self.refuse(f"the amounts are {tuple(pad)}")
        before = [0] * len(x.shape)
        before[len(before) - len(pad) // 2 :] = pad[::2][::-1]
        return self.add_node("pad", x, before=before, value=value or 0)

    def constant_pad(self, x, padding, value):
        return self.pad(x, padding, value=value)

    def getitem(self, x, index):
        index = index if isinstance(index, tuple) else (index,)
        missing = len(x.shape) + 1 - len(index) + (Ellipsis in index)
        place = index.index(Ellipsis) if Ellipsis in index else len(index)
        everything = (slice(None),) * missing
        index = index[:place] + everything + index[place + 1 :]
        if not all(isinstance(part, slice) for part in index):
            self.refuse("it takes an index that is no slice")
        ranges = [
            part.indices(size)
            for part, size in zip(index[1:], x.shape, strict=True)
        ]
        start = [start for start, _, _ in ranges]
        return self.add_node(
            "slice", x, start=start, step=[r[2] for r in ranges]
        )

    def softmax(self, x, dim=None, _stacklevel=3, dtype=None, op="softmax"):
        if len(x.shape) != 1 or dim not in (None, 1, -1):
            self.refuse(
                f"it goes over dimension {dim}, and maps are {x.shape}"
            )
        return self.add_node(op, x)

    def log_softmax(self, x, dim=None, _stacklevel=3, dtype=None):
        return self.softmax(x, dim, op="log-softmax")


_T = _Translator
# What writes down a method of tensors, which may end with "_"; most are also
# functions of the same name in torch and in its functional module.
METHODS = {
    "add": _T.add,
    "contiguous": _T.identity,
    "div": _T.div,
    "flatten": _T.reshape,
    "log_softmax": _T.log_softmax,
    "mean": _T.mean,
    "mul": _T.mul,
    "neg": _T.neg,
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
    getattr(place, name): method
    for place in (torch, F, operator)
    for name, method in METHODS.items()
    if hasattr(place, name)
} | {
    F.adaptive_avg_pool2d: _T.adaptive_avg_pool2d,
    F.adaptive_max_pool2d: _T.adaptive_max_pool2d,
    F.avg_pool2d: _T.avg_pool2d,
    F.conv2d: _T.conv2d,
    F.dropout: _T.identity,
    F.gelu: _T.gelu,
    F.linear: _T.linear,
    F.local_response_norm: _T.local_response_norm,
    F.max_pool2d: _T.max_pool2d,
    F.pad: _T.pad,
    operator.getitem: _T.getitem,
    operator.truediv: _T.div,
    torch.cat: _T.cat,
}
# What writes down a layer, and the attributes of the layer that it takes.
LAYERS = {
    nn.AdaptiveAvgPool2d: (_T.adaptive_avg_pool2d, "output_size"),
    nn.AdaptiveMaxPool2d: (_T.adaptive_max_pool2d, "output_size"),
    nn.AvgPool2d: (
        _T.avg_pool2d,
        "kernel_size stride padding ceil_mode count_include_pad "
        "divisor_override",
    ),
    nn.BatchNorm1d: (
        _T.batch_norm,
        "running_mean running_var eps weight bias",
    ),
    nn.BatchNorm2d: (
        _T.batch_norm,
        "running_mean running_var eps weight bias",
    ),
    nn.ConstantPad2d: (_T.constant_pad, "padding value"),
    nn.Conv2d: (
        _T.conv2d,
        "weight bias stride padding dilation groups padding_mode",
    ),
    nn.Dropout: (_T.identity, ""),
    nn.Dropout2d: (_T.identity, ""),
    nn.Flatten: (_T.reshape, ""),
    nn.GELU: (_T.gelu, "approximate"),
    nn.Identity: (_T.identity, ""),
    nn.Linear: (_T.linear, "weight bias"),
    nn.LocalResponseNorm: (_T.local_response_norm, "size alpha beta k"),
    nn.LogSoftmax: (_T.log_softmax, "dim"),
    nn.MaxPool2d: (
        _T.max_pool2d,
        "kernel_size stride padding dilation ceil_mode",
    ),
    nn.ReLU: (_T.relu, ""),
    nn.Sigmoid: (_T.sigmoid, ""),
    nn.Softmax: (_T.softmax, "dim"),
    nn.Tanh: (_T.tanh, ""),
    nn.ZeroPad2d: (_T.constant_pad, "padding value"),
}
