"""The arithmetic of utils.shapes against PyTorch itself."""

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

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
        return module(torch.zeros(1, 1, n, n, device="meta")).shape[-1]
    except RuntimeError:
        return None


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
        # In our words: the limit and the way out.
        assert "use a" in str(error)
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


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (nn.Conv2d(3, 4, 3), (1, 8, 8), "3 channels and gets 1 .* in_channel"),
        (nn.Conv2d(1, 4, 9), (1, 8, 8), "spans 9 .* at most 8"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(5, 2)),
            (1, 2, 2),
            r"1 \(Linear\) expects 5 numbers and gets 4 .* in_features=4",
        ),
        (nn.Sequential(nn.AvgPool2d(2, padding=2)), (1, 4, 4), "more than"),
        (nn.Conv2d(1, 1, (3, 9)), (1, 8, 8), "spans 9 .* at most 8"),
        (nn.Conv2d(1, 1, 3, padding=(0, 4)), (1, 2, 2), "spans 3 .* at most"),
        (nn.MaxPool2d((2, 4), padding=(1, 3)), (1, 8, 8), "at most 2"),
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
