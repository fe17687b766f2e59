"""The file of a network: what it holds, and what is refused where."""

import builtins
import copy
import json
import re
import struct

import pytest
import torch
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as as_safetensors
from torch import nn
from torch.nn import functional as F

from tests.network_cases import Apply, ask_page, chapter, describe
from utils.network_file import save, to_bytes

SHAPE = (1, 8, 8)
ABOUT = describe(SHAPE, 3)


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


def unpack(data: bytes) -> tuple[dict, bytes]:
    """Header and tensors of a safetensors file."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def pack(header: dict, tensors: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def graph_of(data: bytes) -> dict:
    return json.loads(unpack(data)[0]["__metadata__"]["network"])


def test_the_file_says_what_the_network_is(tmp_path):
    path = tmp_path / "mine.safetensors"
    save(small_net(), path, **ABOUT, accuracy=0.75)
    graph = graph_of(path.read_bytes())
    nodes = graph.pop("nodes")
    assert graph == {
        "version": 1,
        "input_shape": [1, 8, 8],
        "mean": [0.5],
        "std": [0.25],
        "class_names": ["class 0", "class 1", "class 2"],
        "accuracy": 0.75,
    }
    assert [(n["name"], n["op"], n["inputs"], n["shape"]) for n in nodes] == [
        ("0", "convolution", ["input"], [4, 8, 8]),
        ("2", "relu", ["0"], [4, 8, 8]),
        ("3", "max-pool", ["2"], [4, 4, 4]),
        ("5", "reshape", ["3"], [64]),
        ("6", "linear", ["5"], [3]),
    ]
    assert nodes[0]["batch_norm"] == "1"
    tensors = from_safetensors(path.read_bytes())
    assert set(tensors) == {"0.weight", "0.bias", "6.weight", "6.bias"}


def test_int8_rounds_each_channel_by_its_own_scale():
    net = small_net()[5:]
    with torch.no_grad():
        net[1].weight[0] *= 1000
        net[1].weight[2] = 0
    tensors = from_safetensors(to_bytes(net, **ABOUT, weights="int8"))
    whole, scale = tensors["6.weight"], tensors["6.scale"]
    assert whole.dtype == torch.int8
    assert whole.abs().amax(1).tolist() == [127, 127, 0]
    error = (whole * scale[:, None] - net[1].weight).abs().amax(1)
    assert (error <= scale * 0.501).all()
    assert torch.equal(tensors["6.bias"], net[1].bias)


def test_the_network_is_left_as_it_is():
    net = small_net().double()
    net[3].eval()
    modes = [module.training for module in net.modules()]
    state = copy.deepcopy(net.state_dict())
    random = torch.get_rng_state()
    to_bytes(net, **ABOUT)
    assert modes == [module.training for module in net.modules()]
    assert state.keys() == net.state_dict().keys()
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, state[key]), key
        assert tensor.dtype == state[key].dtype
    assert torch.equal(random, torch.get_rng_state())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


def test_names_of_nodes_are_those_of_modules():
    parts = chapter("06")
    net = parts["cifar_net"](3, parts["residual"]("A"))
    nodes = graph_of(to_bytes(net, **describe((3, 32, 32), 10)))["nodes"]
    paths = dict(net.named_modules())
    named = [node["name"] for node in nodes if not node.get("inner")]
    assert set(named) < set(paths)
    assert {"1.3", "1.3.function.2.0", "1.3.shortcut", "4"} < set(named)
    inner = [node["name"] for node in nodes if node.get("inner")]
    assert {"1.3.add", "1.3.shortcut.getitem"} < set(inner)
    assert len({node["name"] for node in nodes}) == len(nodes)


def test_one_layer_used_twice_has_two_nodes():
    relu = nn.ReLU()
    net = nn.Sequential(
        relu, nn.Conv2d(1, 2, 3), relu, nn.Flatten(), nn.Linear(72, 3)
    )
    nodes = graph_of(to_bytes(net, **ABOUT))["nodes"]
    assert [node["name"] for node in nodes] == ["0", "1", "0 (2)", "3", "4"]


def test_a_batch_norm_that_cannot_be_folded_scales():
    class Twice(nn.Module):
        """The maps of the convolution are needed as they are, too."""

        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 3, 8), nn.BatchNorm2d(3)

        def forward(self, x):
            maps = self.conv(x)
            return (self.norm(maps) + maps).flatten(1)

    nodes = graph_of(to_bytes(Twice(), **ABOUT))["nodes"]
    assert [node["op"] for node in nodes] == [
        "convolution",
        "scale",
        "add",
        "reshape",
    ]
    assert nodes[1]["name"] == "norm"


def test_what_feeds_nothing_is_left_out():
    class Detour(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(64, 3), nn.Linear(64, 3)

        def forward(self, x):
            x = x.flatten(1)
            self.unused(x)
            return self.used(x)

    nodes = graph_of(to_bytes(Detour(), **ABOUT))["nodes"]
    assert [node["name"] for node in nodes] == ["flatten", "used"]


# What is refused, by name and place.


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Parameter(torch.ones(1, 8, 8))

    def forward(self, x):
        return x + self.map


class Undecided(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand(1)


class InPlace(nn.Module):
    def forward(self, x):
        y = x
        x += 1
        return x + y


class ViewInPlace(nn.Module):
    def forward(self, x):
        part = x[:, :, 1:]
        part.relu_()
        return x + 1


# What stands at the place '0.0', and what is said of it.
REFUSED = {
    "transposed": (
        nn.ConvTranspose2d(1, 1, 3),
        "ConvTranspose2d at '0.0'.*does not know",
    ),
    "attention": (
        nn.MultiheadAttention(8, 1),
        "MultiheadAttention at '0.0'",
    ),
    "upsampling": (nn.Upsample(scale_factor=2), "Upsample at '0.0'"),
    "function": (Apply(torch.cumsum), "forward method of Apply at '0.0'"),
    "sine": (Apply(torch.sin), "sin at '0.0'"),
    "method": (Apply(lambda x: x.sin()), "sin at '0.0'"),
    "reflection": (
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
        "Conv2d at '0.0': padding_mode is 'reflect'",
    ),
    "pad": (
        Apply(lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate")),
        "pad at '0.0': it pads with its own values, by 'replicate'",
    ),
    "negative pad": (
        Apply(lambda x: F.pad(x, (-1, 1))),
        r"amounts are \(-1, 1\)",
    ),
    "divisor": (nn.AvgPool2d(2, divisor_override=3), "divisor_override is 3"),
    "statistics": (
        nn.BatchNorm2d(1, track_running_stats=False),
        "BatchNorm2d at '0.0'.*running averages",
    ),
    "dropout": (
        Apply(lambda x: F.dropout(x)),
        "dropout at '0.0'.*random numbers",
    ),
    "parameter": (Shifted(), "add at '0.0': Parameter in the place"),
    "two shapes": (
        Apply(lambda x: x + x[:, :, :1]),
        "add at '0.0'.*differ in shape",
    ),
    "index": (Apply(lambda x: x[:, 0]), "getitem at '0.0'.*no slice"),
    "cat": (
        Apply(lambda x: torch.cat([x, x], 2)),
        "cat at '0.0'.*dimension 2",
    ),
    "cat constant": (
        Apply(lambda x: torch.cat([x, torch.zeros(1, 1, 8, 8)], 1)),
        "cat at '0.0'.*same for every image",
    ),
    "attribute": (Apply(lambda x: x.data), "cannot run getattr at '0'"),
    "mean": (Apply(lambda x: x.mean(1)), "mean at '0.0'.*over 1"),
    "softmax": (nn.Softmax(2), "Softmax at '0.0'.*dimension 2"),
    "alpha": (
        Apply(lambda x: torch.add(x, x, alpha=2)),
        "add at '0.0'.*alpha",
    ),
    "division": (Apply(lambda x: 1 / x), "truediv at '0.0'.*divides a number"),
    "linear": (nn.Linear(8, 8), r"Linear at '0.0'.*\(1, 8, 8\) is not flat"),
    "batch": (Apply(lambda x: x.flatten(0)), r"flatten at '0.0'.*\(64,\)"),
    "indices": (
        nn.AdaptiveMaxPool2d(2, return_indices=True),
        "AdaptiveMaxPool2d at '0.0'.*tuple",
    ),
    "control flow": (Undecided(), "Undecided at '0.0'.*no `if` and no loop"),
    "random": (Noisy(), "another answer.*random numbers"),
    "in place": (InPlace(), "another answer.*in place"),
    "view": (ViewInPlace(), "relu_ at '0.0'.*changes in place"),
    "size": (
        nn.Conv2d(3, 4, 3),
        "Conv2d at '0.0': its input does not fit; check input_shape",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_page_cannot_do_is_refused(tmp_path, name):
    layer, message = REFUSED[name]
    net = nn.Sequential(nn.Sequential(layer), nn.Flatten(), nn.Linear(64, 3))
    path = tmp_path / "no.safetensors"
    with pytest.raises(ValueError, match=f"(?s){message}"):
        save(net, path, **ABOUT)
    assert not path.exists()


def test_a_network_of_a_chapter_that_is_no_classifier_is_refused():
    net = nn.Sequential(*chapter("01")["autoencoder"]())
    with pytest.raises(ValueError, match="cannot run Unflatten at '1.2'"):
        to_bytes(net, **describe((1, 28, 28), 10))


class Pair(nn.Module):
    def forward(self, x):
        return {"maps": x, "more": x + 1}


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), "still lazy; run one"),
        (nn.Linear(8, 3, device="meta"), "device meta: without numbers"),
        (nn.Identity(), "no single tensor that it has computed"),
        (Pair(), "no single tensor that it has computed"),
        (nn.Conv2d(1, 3, 1), r"shape \(3, 8, 8\); wanted \(classes,\)"),
    ],
)
def test_networks_that_answer_nothing_are_refused(net, message):
    with pytest.raises(ValueError, match=message):
        to_bytes(net, **ABOUT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ["a", "b"]}, "2 class names.*tells 3 classes apart"),
        ({"input_shape": (8, 8)}, r"input_shape is \(8, 8\); wanted"),
        ({"input_shape": (1, 8, 0)}, r"input_shape is \(1, 8, 0\); wanted"),
        ({"input_shape": (1, 9, 12)}, "Linear at '6'.*check input_shape"),
        ({"mean": [0.5, 0.5]}, r"mean is \[0.5, 0.5\].*each of 1 channels"),
        ({"mean": float("nan")}, r"mean is \[nan\]; wanted one finite"),
        ({"std": 0}, r"std is \[0.0\]; wanted positive"),
        ({"weights": "int4"}, 'weights=\'int4\'; wanted "float32", "int8'),
        ({"accuracy": 93.5}, "accuracy is 93.5; wanted from 0 to 1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        to_bytes(small_net(), **ABOUT | change)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("tensor", "place"),
    [("6.weight", "weight at '6'"), ("1.running_mean", "bias at '0'")],
)
def test_weights_that_are_not_finite_are_refused(tensor, place, value):
    net = small_net()
    net.state_dict()[tensor][0] = value
    with pytest.raises(ValueError, match=f"{place} is NaN or infinite"):
        to_bytes(net, **ABOUT)


def test_a_file_of_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match='call it "mine.safetensors"'):
        save(small_net(), tmp_path / "mine.pt", **ABOUT)
    assert not any(tmp_path.iterdir())


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    really_import = builtins.__import__

    def without_it(name, *rest):
        if name.startswith("safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return really_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_it)
    with pytest.raises(ModuleNotFoundError, match="pip install safetensors"):
        to_bytes(small_net(), **ABOUT)


# What the page says of a file that it cannot use.

GOOD = to_bytes(small_net(), **ABOUT)
INT8 = to_bytes(small_net(), **ABOUT, weights="int8")


def with_graph(change, data: bytes = GOOD) -> bytes:
    """The file with its graph changed."""
    header, tensors = unpack(data)
    graph = json.loads(header["__metadata__"]["network"])
    change(graph)
    header["__metadata__"]["network"] = json.dumps(graph)
    return pack(header, tensors)


def with_node(place: int, data: bytes = GOOD, **settings) -> bytes:
    return with_graph(lambda g: g["nodes"][place].update(settings), data)


def with_tensors(change, data: bytes = GOOD) -> bytes:
    """The file with its tensors changed."""
    tensors = from_safetensors(data)
    change(tensors)
    return as_safetensors(tensors, unpack(data)[0]["__metadata__"])


def with_header(change) -> bytes:
    header, tensors = unpack(GOOD)
    change(header)
    return pack(header, tensors)


def fill(name: str, value: float, data: bytes = GOOD) -> bytes:
    return with_tensors(lambda t: t[name].flatten()[:1].fill_(value), data)


def put(name: str, tensor: torch.Tensor) -> bytes:
    return with_tensors(lambda t: t.update({name: tensor}))


NO, SHORT = "no safetensors file", "cut short"
NAN = "is not finite"
BAD_FILES = {
    "empty": (b"", NO),
    "tiny": (b"12345", NO),
    "text": (b"The reader has dropped a text file. " * 9, NO),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), NO),
    "zip": (b"PK\x03\x04" + bytes(500), NO),
    "not json": (struct.pack("<Q", 9) + b"{not json" + bytes(9), NO),
    "odd header": (
        with_header(lambda h: h.update(extra={"dtype": "F32"})),
        NO,
    ),
    "list": (pack([1, 2], b""), NO),
    "cut in tensors": (GOOD[:-40], SHORT),
    "cut in header": (GOOD[:200], SHORT),
    "other tensors": (
        as_safetensors({"a": torch.ones(2)}),
        r"tensors \(1\) but no layers",
    ),
    "no layers": (with_graph(lambda g: g.update(nodes=[])), "without layers"),
    "graph is null": (
        with_header(lambda h: h["__metadata__"].update(network="null")),
        "layers cannot be read",
    ),
    "graph is cut": (
        with_header(lambda h: h["__metadata__"].update(network="{")),
        "layers cannot be read",
    ),
    "std of zero": (
        with_graph(lambda g: g.update(std=[0])),
        "layers cannot be read",
    ),
    "two means": (
        with_graph(lambda g: g.update(mean=[0, 0])),
        "layers cannot be read",
    ),
    "huge input": (
        with_graph(lambda g: g.update(input_shape=[1, 10**5, 10**5])),
        "layers cannot be read",
    ),
    "NaN": (fill("6.weight", float("nan")), NAN),
    "infinite": (fill("0.bias", float("inf")), NAN),
    "NaN scale": (fill("6.scale", float("nan"), INT8), NAN),
    "weight of another size": (
        put("6.weight", torch.ones(3, 63)),
        "weight is 3 × 63, not 3 × 64",
    ),
    "missing weight": (
        with_tensors(lambda t: t.pop("6.weight")),
        "weight is missing",
    ),
    "missing kernel": (
        with_tensors(lambda t: t.pop("0.weight")),
        "weight is missing",
    ),
    "missing scale": (
        with_tensors(lambda t: t.pop("6.scale"), INT8),
        "scale is missing",
    ),
    "float16": (put("6.weight", torch.ones(3, 64).half()), "weight is of F16"),
    "offsets": (
        with_header(lambda h: h["6.bias"].update(data_offsets=[0, 4])),
        "“6.bias” has another size",
    ),
    "backwards": (
        with_header(lambda h: h["6.bias"].update(data_offsets=[12, 0])),
        "“6.bias” has another size",
    ),
    "other class names": (
        with_graph(lambda g: g["class_names"].pop()),
        "“6”.*classes are not as many",
    ),
    "unknown operation": (
        with_node(1, op="swish"),
        "operation “swish” at “2”.*newer version",
    ),
    "name of an object's method": (
        with_node(1, op="constructor"),
        "operation “constructor”",
    ),
    "newer version": (
        with_graph(lambda g: g.update(version=2)),
        r"newer version of the book \(2; this page knows 1\)",
    ),
    "no version": (
        with_graph(lambda g: g.pop("version")),
        "layers cannot be read",
    ),
    "unknown input": (with_node(1, inputs=["9"]), "“2” the order"),
    "own input": (with_node(1, inputs=["2"]), "“2” the order"),
    "no input": (with_node(1, inputs=[]), "“2” the order"),
    "same name": (with_node(1, name="0"), "“0” the order"),
    "wrong shape": (
        with_node(1, shape=[4, 8, 9]),
        "maps are 4 × 8 × 8, not 4 × 8 × 9",
    ),
    "no shape": (
        with_node(1, shape=[4, -1]),
        "“2” the maps have no usable size",
    ),
    "wrong reshape": (with_node(3, shape=[63]), "“5” the sizes differ"),
    "stride of zero": (
        with_node(0, stride=[0, 1]),
        "“stride” is not 2 whole numbers",
    ),
    "half a padding": (
        with_node(0, padding=[1, 1]),
        "“padding” is not 4 whole numbers",
    ),
    "huge padding": (
        with_node(0, padding=[10**9] * 4),
        "“padding” is not 4 whole numbers",
    ),
    "groups": (with_node(0, groups=3), "groups do not fit"),
    "kernel too large": (with_node(2, kernel=[50, 50]), "no window fits"),
}


def test_what_the_page_says_of_a_bad_file(tmp_path):
    cases = [{"data": data} for data, _ in BAD_FILES.values()]
    said = ask_page(tmp_path, [*cases, {"bytes": 200_000_000}, {"data": GOOD}])
    for (name, (_, message)), result in zip(
        BAD_FILES.items(), said[:-2], strict=True
    ):
        assert re.search(message, result.get("error", "")), (name, result)
    assert re.search("has 200 MB.*at most 120.*int8", said[-2]["error"])
    assert "error" not in said[-1]
    for result in said[:-1]:  # a sentence for readers, and what to do
        assert re.fullmatch(r"[A-Z].*\.", result["error"]), result
        assert len(result["error"]) < 300


def test_a_network_that_would_take_minutes_is_refused(tmp_path):
    net = nn.Sequential(
        nn.Conv2d(3, 512, 3),
        nn.ReLU(),
        nn.Conv2d(512, 512, 5, padding=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 3),
    )
    with torch.no_grad():
        data = to_bytes(net, **describe((3, 40, 40), 3))
    data = with_graph(enlarge, data)
    (result,) = ask_page(tmp_path, [{"data": data}])
    assert "would take the page minutes" in result["error"]


def enlarge(graph: dict):
    """As if the network had been saved for pictures of 240 × 240."""
    graph["input_shape"] = [3, 240, 240]
    for node in graph["nodes"][:3]:
        node["shape"] = [512, 238, 238]
