"""The arithmetic of utils.shapes against PyTorch itself."""

import copy
import math
import random

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as module_of_torch
from torch.utils.flop_counter import FlopCounterMode

from utils.shapes import conv_output_size, layer_table

window = st.fixed_dictionaries(
    {
        "kernel": st.integers(1, 12),
        "stride": st.integers(1, 6),
        "padding": st.integers(0, 6),
        "dilation": st.integers(1, 4),
    }
)
sides = st.integers(1, 40)


def torch_size(module, n):
    """PyTorch's own answer, or None where it refuses."""
    try:
        size = module(torch.zeros(1, 1, n, n, device="meta")).shape[-1]
    except RuntimeError:
        return None
    return size or None  # older versions answer 0


def our_size(**arguments):
    try:
        return conv_output_size(**arguments)
    except ValueError:
        return None


@settings(max_examples=2_000, deadline=None)
@given(n=sides, window=window)
def test_convolution_sizes_are_pytorchs(n, window):
    named = {**window, "kernel_size": window["kernel"]}
    del named["kernel"]
    conv = nn.Conv2d(1, 1, **named, device="meta")
    assert our_size(n=n, **window) == torch_size(conv, n)


@settings(max_examples=2_000, deadline=None)
@given(n=sides, window=window, ceil_mode=st.booleans())
def test_pooling_layers_are_pytorchs(n, window, ceil_mode):
    """Sizes and refusals, through layer_table."""
    pool = nn.MaxPool2d(
        window["kernel"],
        window["stride"],
        window["padding"],
        window["dilation"],
        ceil_mode=ceil_mode,
    )
    expected = torch_size(pool, n)
    try:
        table = layer_table(nn.Sequential(pool), (1, n, n))
    except ValueError as error:
        assert expected is None
        assert "0 (MaxPool2d)" in str(error)
    else:
        assert table.output_shape == (1, expected, expected)


def test_impossible_sizes_name_the_way_out():
    with pytest.raises(ValueError, match="spans 11 pixels .* 8 .* at most 8"):
        conv_output_size(8, kernel=11)
    with pytest.raises(ValueError, match="spans 9 pixels .* at most 3"):
        conv_output_size(6, kernel=5, dilation=2)
    # The kernel that the message offers does fit.
    assert conv_output_size(6, kernel=3, dilation=2) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"n": 0},
        {"kernel": 0},
        {"stride": 0},
        {"padding": -1},
        {"dilation": 0},
        {"kernel": 2.5},
        {"stride": True},
    ],
)
def test_arguments_that_are_no_sizes(fault):
    (name,) = fault
    with pytest.raises(ValueError, match=f"{name}=.* whole number"):
        conv_output_size(**{"n": 9, "kernel": 3} | fault)


# Parameters and MACs of torchvision's networks stand in its own metadata.
NETWORKS = {
    "alexnet": (torchvision.models.AlexNet_Weights.IMAGENET1K_V1, 355),
    "vgg11": (torchvision.models.VGG11_Weights.IMAGENET1K_V1, 342),
    "vgg16": (torchvision.models.VGG16_Weights.IMAGENET1K_V1, 404),
    "googlenet": (torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1, None),
    "resnet18": (torchvision.models.ResNet18_Weights.IMAGENET1K_V1, 627),
    "resnet50": (torchvision.models.ResNet50_Weights.IMAGENET1K_V1, 619),
    "densenet121": (
        torchvision.models.DenseNet121_Weights.IMAGENET1K_V1,
        None,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks(name):
    weights, receptive_field = NETWORKS[name]
    options = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        net = getattr(torchvision.models, name)(**options)
    if name == "googlenet":
        net.aux1 = net.aux2 = None
    table = layer_table(net, (3, 224, 224))
    assert table.parameters == weights.meta["num_params"]
    assert table.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=6e-4)
    assert table.output_shape == (1000,)
    if receptive_field:
        assert table.layers[-1].receptive_field == receptive_field


def test_receptive_field_and_jump_inside_a_residual_network():
    with torch.device("meta"):
        table = layer_table(torchvision.models.resnet18(), (3, 224, 224))
    last = table["layer4.1.conv2"]
    assert (last.receptive_field, last.jump) == (435, 32)
    # The shortcut sees less; the sum sees what the longer branch sees.
    assert table["layer2.0.downsample.0"].receptive_field == 43


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.narrow = nn.Conv2d(3, 4, 1)
        self.wide = nn.Conv2d(3, 4, 5, padding=2)
        self.after = nn.Conv2d(8, 2, 3)

    def forward(self, x):
        return self.after(torch.cat([self.narrow(x), self.wide(x)], 1))


def test_branches_keep_the_largest_receptive_field():
    table = layer_table(Branches(), (3, 9, 9))
    fields = [layer.receptive_field for layer in table.layers]
    assert fields == [1, 5, 7]
    assert [layer.name for layer in table.layers] == [
        "narrow",
        "wide",
        "after",
    ]
    assert table.output_shape == (2, 7, 7)


def test_macs_of_groups_and_transposed_convolutions():
    grouped = nn.Conv2d(4, 6, 3, padding=1, groups=2)
    upwards = nn.ConvTranspose2d(6, 2, 2, stride=2)
    table = layer_table(nn.Sequential(grouped, upwards), (4, 5, 5))
    assert table["0"].macs == 25 * 6 * 9 * 2
    assert table["1"].macs == 25 * 6 * 2 * 4
    assert table["1"].output_shape == (2, 10, 10)
    assert table["1"].receptive_field is None  # no window of this kind


def test_a_layer_used_twice_has_its_parameters_once():
    shared = nn.Conv2d(2, 2, 3, padding=1)
    table = layer_table(nn.Sequential(shared, shared), (2, 6, 6))
    assert [layer.parameters for layer in table.layers] == [38, 0]
    assert table.parameters == 38
    assert table.layers[1].receptive_field == 5


def test_the_network_stays_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    net[1].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    layer_table(net, (1, 8, 8))
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert not net[0]._forward_hooks and not net[0]._forward_pre_hooks
    with pytest.raises(ValueError):
        layer_table(net, (3, 8, 8))
    assert not net[0]._forward_hooks and net[2].training


class Slice(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.start = start

    def forward(self, x):
        return x[..., self.start :]


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (nn.Conv2d(3, 4, 3), (1, 8, 8), "in_channels=3 and gets 1 .* in_chan"),
        (nn.Conv2d(1, 4, 9), (1, 8, 8), "Kernel size"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(5, 2)),
            (1, 2, 2),
            r"1 \(Linear\) expects in_features=5 and gets 4 .*in_features=4,",
        ),
        (nn.Sequential(nn.AvgPool2d(2, padding=2)), (1, 4, 4), "half of"),
        (nn.Conv2d(1, 1, (3, 9)), (1, 8, 8), "Kernel size"),
        (nn.Conv2d(1, 1, 3, padding=(0, 4)), (1, 2, 2), "Kernel size"),
        (Slice(100), (1, 8, 8), r"net \(Slice\): 1 × 1 × 8 × 0 has no values"),
        (nn.Flatten(), (8, 8), "channels, height, width"),
        (nn.Conv2d(1, 1, 1), (1, 0, 8), "each at least 1"),
    ],
)
def test_what_does_not_fit_is_named(net, shape, message):
    with pytest.raises(ValueError, match=message):
        layer_table(net, shape)


def test_text_and_html_hold_every_layer_and_the_total():
    table = layer_table(Branches(), (3, 9, 9))
    for text in (repr(table), table._repr_html_()):
        for word in ("narrow", "wide", "after", "4 × 9 × 9", "input"):
            assert word in text
        assert f"{table.parameters:,}" in text
    assert table._repr_html_().count("<tr>") == 1 + 1 + 3 + 1


def test_the_macs_are_those_of_the_formula():
    """What the chapters teach, against what PyTorch counts."""
    with torch.device("meta"):
        nets = torchvision.models.resnext50_32x4d(), torchvision.models.vgg11()
    checked = 0
    for layer in (x for n in nets for x in layer_table(n, (3, 64, 64)).layers):
        window = layer.settings
        if layer.kind == "Conv2d":
            each = window["kernel"] ** 2 * window["in_channels"]
            each //= window["groups"]
        else:
            each = window.get("in_features", 0)
        assert layer.macs == math.prod(layer.output_shape) * each, layer
        checked += each > 0
    assert checked > 60


class Calls(nn.Module):
    """A network whose forward pass is `function(self, x)`."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def counted(net, shape) -> tuple[int, tuple[int, ...]]:
    """MACs and shape for one image, by PyTorch alone."""
    net = copy.deepcopy(net).to("meta").eval()
    dtype = next((p.dtype for p in net.parameters()), torch.float32)
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        output = net(torch.zeros(1, *shape, dtype=dtype, device="meta"))
    while not isinstance(output, torch.Tensor):
        values = output.values() if isinstance(output, dict) else output
        output = next(iter(values))
    return mode.get_total_flops() // 2, tuple(output.shape[1:])


def interrupt(net, x):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LazyLinear(10)),
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.LazyBatchNorm2d()),
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(5, 2)),
        Calls(lambda net, x: {}[net.conv(x)], conv=nn.Conv2d(1, 2, 3)),
        Calls(lambda net, x: x.missing, conv=nn.Conv2d(1, 2, 3)),
        Calls(lambda net, x: net.conv(x).mean(7), conv=nn.Conv2d(1, 2, 3)),
        Calls(lambda net, x: net.conv(x) and None, conv=nn.Conv2d(1, 2, 3)),
        Calls(lambda net, x: "text", conv=nn.Conv2d(1, 2, 3)),
        Calls(lambda net, x: net.conv(), conv=nn.Conv2d(1, 2, 3)),
        Calls(interrupt, conv=nn.Conv2d(1, 2, 3)),
    ],
)
def test_nothing_stays_on_a_network_that_fails(net):
    """Kind A."""
    net[0].eval() if isinstance(net, nn.Sequential) else net.conv.eval()
    modes = [module.training for module in net.modules()]
    hooks = [len(module._forward_pre_hooks) for module in net.modules()]
    with pytest.raises((ValueError, KeyboardInterrupt)):
        layer_table(net, (1, 8, 8))
    assert [module.training for module in net.modules()] == modes
    for module, before in zip(net.modules(), hooks, strict=True):
        assert len(module._forward_pre_hooks) == before
        assert isinstance(module, nn.LazyLinear) or not module._forward_hooks
    assert not module_of_torch._global_forward_hooks
    assert not module_of_torch._global_forward_pre_hooks
    assert torch.zeros(1).device.type == "cpu"


def test_weights_that_do_not_exist_yet_are_named():
    with pytest.raises(ValueError, match="2.weight has no shape yet; run"):
        net = nn.Sequential(nn.Identity(), nn.Flatten(), nn.LazyLinear(10))
        layer_table(net, (1, 8, 8))


class TakesAndGives(nn.Module):
    """Lists, tuples and dictionaries in and out; keywords only."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, *, maps):
        first, *_ = maps["list"]
        return {"no tensor": 3, "maps": (self.conv(input=first), [first])}


conv, flat = nn.Conv2d(1, 4, 3), nn.Flatten(2)
ANY_ARGUMENTS = {
    "keyword": Calls(lambda net, x: net.conv(input=x), conv=conv),
    "nested": Calls(
        lambda net, x: net.part(maps={"list": [x, 5]})["maps"][0],
        part=TakesAndGives(),
    ),
    "dictionary": Calls(lambda net, x: {"out": net.conv(x)}, conv=conv),
    "tuple": Calls(lambda net, x: (net.conv(x), None), conv=conv),
    "LSTM": nn.Sequential(flat, nn.LSTM(64, 5)),
    "GRU": nn.Sequential(flat, nn.GRU(64, 5, batch_first=True)),
    "indices": nn.Sequential(conv, nn.MaxPool2d(2, return_indices=True)),
    "unpooled": Calls(
        lambda net, x: net.up(*net.down(x)),
        down=nn.MaxPool2d(2, return_indices=True),
        up=nn.MaxUnpool2d(2),
    ),
    "bilinear": Calls(
        lambda net, x: net.two(x, x), two=nn.Bilinear(8, 8, 3, bias=False)
    ),
}


@pytest.mark.parametrize("name", ANY_ARGUMENTS)
def test_layers_with_any_arguments_and_results(name):
    """Kind B."""
    net = ANY_ARGUMENTS[name]
    table = layer_table(net, (1, 8, 8))
    assert (table.macs, table.output_shape) == counted(net, (1, 8, 8))
    assert table.macs == sum(layer.macs for layer in table.layers)


class OwnConvolution(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Padded(nn.Conv2d):
    """Takes one channel and not in_channels."""

    def forward(self, x):
        return super().forward(F.pad(x, (0, 0, 0, 0, 0, 2)))


VALID = {
    "subclass": OwnConvolution(1, 4, 3, stride=2),
    "other channels": Padded(3, 4, 3),
    "same": nn.Conv2d(1, 4, 3, padding="same"),
    "same, even": nn.Conv2d(1, 4, (2, 4), padding="same", dilation=2),
    "valid": nn.Conv2d(1, 4, 3, padding="valid"),
    "1 × 7": nn.Conv2d(1, 4, (1, 7), stride=(2, 1), padding=(0, 3)),
    "reflect": nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"),
    "list": nn.MaxPool2d([2, 2]),
    "rectangle": nn.AvgPool2d((1, 3), stride=(1, 2), padding=(0, 1)),
    "double": nn.Conv2d(1, 4, 3).double(),
    "bfloat16": nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
    ).bfloat16(),
    "half": nn.Conv2d(1, 4, 3).half(),
    "1-d": nn.Sequential(nn.Flatten(2), nn.Conv1d(1, 4, 3)),
    "3-d": nn.Sequential(nn.Unflatten(1, (1, 1)), nn.Conv3d(1, 2, (1, 3, 3))),
    "normed": nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3)),
}


@pytest.mark.parametrize("name", VALID)
def test_what_pytorch_takes_is_taken(name):
    """Kind C."""
    net = VALID[name]
    table = layer_table(net, (1, 9, 12))
    assert (table.macs, table.output_shape) == counted(net, (1, 9, 12))


def test_settings_that_differ_are_pairs():
    table = layer_table(VALID["1 × 7"], (1, 9, 12))
    window = table.layers[0].settings
    assert window["kernel"] == (1, 7) and window["dilation"] == 1
    assert (window["stride"], window["padding"]) == ((2, 1), (0, 3))
    assert layer_table(VALID["list"], (1, 4, 4))["net"].settings["kernel"] == 2


FUNCTIONS = {
    "linear": lambda net, x: F.linear(x.flatten(1), net.w),
    "@": lambda net, x: x @ net.w[:8],
    "einsum": lambda net, x: torch.einsum("nchw,wv->nchv", x, net.w[:8]),
    "attention": lambda net, x: F.scaled_dot_product_attention(x, x, x),
    "conv2d": lambda net, x: F.conv2d(x, net.w[:6, None, :3, None]),
    "conv_transpose": lambda net, x: F.conv_transpose2d(
        x, net.w[None, :2, :3, None], stride=2
    ),
    "baddbmm": lambda net, x: torch.baddbmm(x[:, 0], x[:, 0], x[:, 0]),
    "of weights alone": lambda net, x: x + (net.w @ net.w.T)[:8, :8],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_count(name):
    """Kind D."""
    weights = nn.Parameter(torch.ones(64, 64))
    net = nn.Sequential(Calls(FUNCTIONS[name], w=weights), nn.Identity())
    table = layer_table(net, (1, 8, 8))
    macs, shape = counted(net, (1, 8, 8))
    assert table.macs == table["0"].macs == macs > 0
    assert table.output_shape == shape


@pytest.mark.parametrize(
    ("net", "returned"),
    [
        (lambda x: x.view(-1, 48), "4 × 48"),
        (lambda x: x.flatten(), "returns 192;"),
        (lambda x: x.mean(0), "3 × 8 × 8"),
        (lambda x: x.flatten(1).t(), "192 × 1"),
        (lambda x: x.transpose(0, 1), "3 × 1 × 8 × 8"),
        (lambda x: x.mean(), "returns ;"),
    ],
)
def test_a_minibatch_that_does_not_stay_apart_is_refused(net, returned):
    """Kind E."""
    with pytest.raises(ValueError, match=f"{returned}.*the minibatch"):
        layer_table(Calls(lambda self, x: net(x)), (3, 8, 8))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda net, x: net.conv(x) if x.sum() > 0 else x, "no step depend"),
        (lambda net, x: x * net.mask, "register tensors as buffers"),
    ],
)
def test_what_cannot_be_counted_is_refused(forward, message):
    net = Calls(forward, conv=nn.Conv2d(1, 4, 3), mask=torch.ones(8, 8))
    with pytest.raises(ValueError, match=message):
        layer_table(net, (1, 8, 8))


ROWS = torch.ones(30, 4, device="meta")


def own(k=3, **options):
    return nn.Conv2d(1, 1, k, **options)


def seen(function, shape, **parts):
    """(receptive field, jump) of what `function` returns."""
    net = nn.Sequential(Calls(function, **parts), nn.Identity())
    last = layer_table(net, shape).layers[-1]
    return last.receptive_field, last.jump


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        # Sliced with a stride, resized, averaged, mixed by attention, tall.
        (lambda n, x: n.c(n.c(n.c(x)[..., ::2, ::2])), 32, (11, 2)),
        (lambda n, x: n.c(x)[..., 1:, -6:], 32, (None, None)),
        (lambda n, x: n.c(n.c(F.interpolate(x, 64))), 32, (None, None)),
        (lambda n, x: n.c(x).mean((2, 3)), 32, (32, 1)),
        (lambda n, x: n.c(x).mean(3), 32, (None, None)),
        (lambda n, x: n.c(x).mean(1), 32, (None, None)),
        (lambda n, x: x @ x.mT, 32, (None, None)),
        (lambda n, x: (n.c(x).view(30, 30) @ ROWS)[None], 32, (None, None)),
        (lambda n, x: x.mT, 32, (None, None)),
        (lambda n, x: n.c(n.c(x)[..., :3]), 240, (5, 1)),
        (lambda n, x: n.c(F.pad(x, (1, 1, 2, 0))), 32, (3, 1)),
        (lambda n, x: n.c(x) + F.pad(n.c(x), (2, -2)), 32, (5, 1)),
        (lambda n, x: torch.cat([x, x[..., 4:, :]], 2), 32, (None, None)),
        (lambda n, x: torch.cat([x, n.c(F.pad(x, (1,) * 4))], 1), 32, (3, 1)),
        (lambda n, x: x + x.mean((2, 3), keepdim=True), 32, (None, None)),
        (lambda n, x: F.group_norm(n.c(x), 1), 32, (None, None)),
        (lambda n, x: F.max_pool2d(n.c(x), 2, ceil_mode=True), 32, (4, 2)),
        (lambda n, x: F.conv2d(x, x[:1, :, :3, :3]), 32, (None, None)),
        (lambda n, x: torch.ones_like(x), 32, (None, None)),
        (lambda n, x: F.layer_norm(x, x.shape[1:]), 32, (None, None)),
        (lambda n, x: F.pixel_unshuffle(x, 2), 32, (None, None)),
        (lambda n, x: F.unfold(x, 3), 32, (None, None)),
        (
            lambda n, x: F.conv1d(x[:, 0], x.new_ones(4, 32, 3)),
            32,
            2 * (None,),
        ),
        (lambda n, x: F.adaptive_avg_pool2d(n.c(x), 5), 32, (8, 6)),
        (
            lambda n, x: F.adaptive_avg_pool2d(x[..., :4, :9], 6),
            32,
            2 * (None,),
        ),
        (lambda n, x: F.adaptive_max_pool2d(n.c(x), 1), 32, (None, None)),
        (lambda n, x: F.adaptive_max_pool2d(x, 7), 32, (None, None)),
        (lambda n, x: x[..., ::2, ::2] + x[..., 8:-8, 8:-8], 32, (None, None)),
        (lambda n, x: n.c(n.c(x)) + x[..., :28, :28], 32, (5, 1)),
        (lambda n, x: x.flatten(1).softmax(1), 32, (None, None)),
        (lambda n, x: n.c(x) * n.c(x).amax((2, 3), True), 32, (None, None)),
        (lambda n, x: F.instance_norm(n.c(x)), 32, (None, None)),
        (
            lambda n, x: F.batch_norm(x, None, None, training=True),
            32,
            2 * (None,),
        ),
    ],
)
def test_receptive_fields_of_functions(function, shape, expected):
    """Kind F: right, or "–"."""
    parts = {"c": own(), "b": nn.BatchNorm2d(1, track_running_stats=False)}
    assert seen(function, (1, shape, shape), **parts) == expected


def test_a_tall_map_and_windows_that_are_not_square():
    stack = nn.Sequential(*(own((3, 1)) for _ in range(12)), nn.ReLU())
    table = layer_table(stack, (1, 240, 1))
    assert table.layers[-1].receptive_field == 25
    assert table.layers[-1].jump == 1
    uneven = layer_table(own((3, 5), stride=(1, 2)), (1, 32, 32)).layers[0]
    assert (uneven.receptive_field, uneven.jump) == (5, None)
    assert (
        layer_table(own((3, 5), stride=(1, 2)), (1, 32, 32))
        .as_table()
        .rows[1][-1]
        == "–"
    )


def write_beside(net, x):
    out = torch.zeros_like(x)
    out[..., ::2, :] = net.c(F.pad(x, (1,) * 4))[..., ::2, :]
    return out


def write_through_a_view(net, x):
    view = x.flatten(1)
    x += net.c(F.pad(x, (1,) * 4))
    return view.view_as(x)


@pytest.mark.parametrize("function", [write_beside, write_through_a_view])
def test_what_was_written_into_is_not_claimed(function):
    assert seen(function, (1, 32, 32), c=own()) == (None, None)


STAGES = (
    "conv conv conv same pool mean slice slice pad sum sum moved_sum cat "
    "shuffle resize attention axis_mean"
).split()


class Stage(nn.Module):
    """One random step from two channels to two channels."""

    def __init__(self, rng):
        super().__init__()

        def two(*sizes):
            return rng.choice(sizes), rng.choice(sizes)

        k, d, s = rng.choice((1, 2)), rng.choice((1, 2)), rng.choice((1, 2, 3))
        self.kind = rng.choice(STAGES)
        self.conv = nn.Conv2d(2, 2, two(1, 2, 3), two(1, 2), 1, two(1, 2))
        self.same = nn.Conv2d(2, 2, 2 * k + 1, padding=k * d, dilation=d)
        self.pool = nn.MaxPool2d(s, k, s // 2, dilation=d, ceil_mode=k == 2)
        self.mean = nn.AvgPool2d(two(1, 2, 3), two(1, 2))
        self.start, self.step = rng.choice((0, 1, 3)), two(1, 1, 2)
        self.margins = [rng.choice((-1, 0, 1, 2)) for _ in range(4)]

    def forward(self, x):
        match self.kind:
            case "slice":
                return x[:, :, self.start :: self.step[0], :: self.step[1]]
            case "pad":
                return F.pad(x, self.margins)
            case "sum":
                return self.same(x) + F.relu(x)
            case "moved_sum":
                return self.same(x) + F.pad(x, (1, -1, -2, 2))
            case "cat":
                return torch.cat([self.same(x)[:, :1], x[:, 1:]], 1)
            case "shuffle":
                y = x.view(len(x), 2, 1, *x.shape[2:]).transpose(1, 2)
                return F.dropout(y.reshape(x.shape), training=False)
            case "resize":
                return F.interpolate(x, (20, 24))
            case "attention":
                return F.scaled_dot_product_attention(x, x, x)
            case "axis_mean":
                return x - x.mean(3, keepdim=True)
        return getattr(self, self.kind)(x)


def random_network(rng):
    stages = [Stage(rng) for _ in range(rng.randint(1, 5))]
    # An Identity is a row for what a stage returns.
    layers = [part for stage in stages for part in (stage, nn.Identity())]
    ends = [], [nn.AdaptiveAvgPool2d(1)], [nn.Flatten(), nn.LazyLinear(3)]
    return nn.Sequential(*layers, *rng.choice(ends)).double().eval()


def places_that_see(output, height):
    """For rows and columns: by place, the first and last that it sees.

    Row i is not a number in image i, and column i in image height + i.
    """
    for images, mixed in ((output[:height], 3), (output[height:], 2)):
        lost = images.isnan()
        lost = lost.any(mixed).any(1) if lost.dim() == 4 else lost
        found = [place.nonzero().flatten().tolist() for place in lost.T]
        yield [(seen[0], seen[-1]) for seen in found if seen]


def results(net, x):
    """What each layer returns, in the order of the table."""
    found = []
    with torch.no_grad():
        net(x)  # gives the lazy ones their weights
        parts = [part for part in net.modules() if not list(part.children())]
        hooks = [
            part.register_forward_hook(lambda m, i, o: found.append(o))
            for part in parts
        ]
        net(x)
    for hook in hooks:
        hook.remove()
    return found


def check_dependence(layer, output, sides):
    """The widest that is seen is what the table says, unless clipped."""
    fields, clipped = [], []
    for places, n in zip(
        places_that_see(output, sides[0]), sides, strict=True
    ):
        widths = [last - first + 1 for first, last in places]
        field = max(widths, default=0)
        whole = [first for first, last in places if last - first + 1 == field]
        fields.append(field)
        inside = [p for p in places if p[0] > 6 and p[1] < n - 7]
        clipped.append(not inside)
        if layer.jump and inside and output.dim() == 4 and len(whole) > 4:
            steps = {b - a for a, b in zip(whole, whole[1:], strict=False)}
            assert steps == {layer.jump}, layer
    assert max(fields) <= layer.receptive_field, layer
    if not any(clipped):
        assert max(fields) == layer.receptive_field, layer
        return True


def test_receptive_fields_are_what_random_networks_depend_on():
    rng, sides = random.Random(6), (40, 36)
    exact = unknown = 0
    for _ in range(150):
        net = random_network(rng)
        x = torch.rand(sum(sides), 2, *sides, dtype=torch.float64)
        for i in range(sides[0]):
            x[i, :, i] = torch.nan
        for i in range(sides[1]):
            x[sides[0] + i, :, :, i] = torch.nan
        try:
            outputs = results(net, x)
        except RuntimeError:  # the map became too small
            continue
        layers = layer_table(net, (2, *sides)).layers
        for layer, output in zip(layers, outputs, strict=True):
            assert layer.output_shape == output.shape[1:]
            if layer.receptive_field is None:
                unknown += 1
            else:
                exact += check_dependence(layer, output, sides) or 0
    assert exact > 300 and unknown > 100, (exact, unknown)


class Incomplete(nn.Module):
    """Has a layer that is never called, a loose parameter and a function."""

    def __init__(self, unused, loose, function):
        super().__init__()
        self.used = nn.Linear(9, 2)
        self.parts = nn.ModuleList([nn.Linear(3, 3)] if unused else [])
        self.loose = nn.ParameterList([torch.zeros(5)] if loose else [])
        self.function = function

    def forward(self, x):
        x = self.used(x.flatten(1))
        return x @ x.new_ones(2, 7) if self.function else x


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ((False, False, False), None),
        ((True, False, False), ["12", "–", "–", "–"]),
        ((False, True, False), ["5", "–", "–", "–"]),
        ((False, False, True), ["–", "14", "–", "–"]),
        ((True, True, True), ["17", "14", "–", "–"]),
    ],
)
def test_what_the_rows_leave_out_has_a_row(parts, left):
    table = layer_table(Incomplete(*parts), (1, 3, 3))
    rows = table.as_table().rows
    named = [row for row in rows if row[0] == "outside these layers"]
    assert named == ([["outside these layers", "", "", *left]] if left else [])
    for text in (repr(table), table._repr_html_()):
        assert ("outside these layers" in text) == bool(left)
    # The column adds up.
    for column in (3, 4):
        *numbers, total = [int("0" + row[column].strip("–")) for row in rows]
        assert sum(numbers) == total


def test_the_work_of_a_part_with_layers_inside_is_not_lost():
    """Its layers have rows, and what it does beside them has another."""
    inner = Calls(
        lambda net, x: net.conv(x) @ net.weights,
        conv=nn.Conv2d(1, 2, 3),
        weights=nn.Parameter(torch.ones(6, 5)),
    )
    mha = nn.MultiheadAttention(6, 2, batch_first=True)  # calls no layer
    attention = Calls(lambda net, x: net.mha(x, x, x)[0], mha=mha)
    net = nn.Sequential(inner, nn.Flatten(1, 2), nn.Linear(5, 6), attention)
    table = layer_table(net, (1, 8, 8))
    assert [(x.name, x.macs, x.parameters) for x in table.layers] == [
        ("0.conv", 2 * 36 * 9, 20),
        ("1", 0, 0),
        ("2", 12 * 30, 36),
    ]
    projections, products = 4 * 12 * 36, 2 * 12 * 12 * 6
    outside = 2 * 36 * 5 + projections + products
    assert table.macs == 2 * 36 * 9 + 12 * 30 + outside
    left = f"{30 + 4 * 6 * 7:,}", f"{outside:,}"
    assert table.as_table().rows[-2][3:5] == [*left]


def test_a_layer_that_fails_may_be_caught_by_the_network():
    def tries(net, x):
        try:
            return net.wrong(x)
        except RuntimeError:
            return net.right(x)

    wrong, right = nn.Conv2d(2, 1, 3), nn.Conv2d(1, 2, 3, stride=5)
    table = layer_table(Calls(tries, wrong=wrong, right=right), (1, 8, 8))
    assert [(x.name, x.macs) for x in table.layers] == [("right", 2 * 4 * 9)]


def test_modes_of_the_reader_do_no_harm():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    expected = layer_table(net, (1, 8, 8))
    with torch.inference_mode():
        assert layer_table(net, (1, 8, 8)) == expected
        made_here = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
        assert layer_table(made_here, (1, 8, 8)) == expected
    with torch.autocast("cpu", torch.bfloat16):
        assert layer_table(net, (1, 8, 8)) == expected
    assert layer_table(made_here, (1, 8, 8)) == expected


class Neighbours(nn.Module):
    """Divides by the neighbouring channels, as chapter 2's LRN does."""

    def forward(self, x):
        around = F.pad(x.square(), (0, 0, 0, 0, 1, 1))
        channels = x.shape[1]
        window = sum(around[:, i : i + channels] for i in range(3))
        return x / (1 + window) ** 0.75


def test_what_happens_between_channels_leaves_the_field_alone():
    net = nn.Sequential(nn.Conv2d(3, 8, 5), Neighbours(), nn.MaxPool2d(2))
    fields = [x.receptive_field for x in layer_table(net, (3, 32, 32)).layers]
    assert fields == [5, 5, 6]
