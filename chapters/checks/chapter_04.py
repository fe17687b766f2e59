"""Checks of chapter 4, NiN."""

import math

import torch
from torch import nn

from chapters.checks._kinds import (
    NotYet,
    Wrong,
    function,
    made,
    network,
    number,
    output,
    parts,
    tensor,
    whole,
)

# 4.1: parameters of a network of stages

STUB_4_1 = '''
def count(stages, channels):
    """Parameters of a NiN; stages as in the chapter."""
    raise NotImplementedError
'''


class _Stage(tuple):
    """As the chapter's: (widths, kernel, stride, padding)."""

    widths = property(lambda self: self[0])
    kernel = property(lambda self: self[1])
    stride = property(lambda self: self[2])
    padding = property(lambda self: self[3])


def _stages(*table):
    return tuple(_Stage((w, k, s, p)) for w, k, s, p in table)


RELEASED = _stages(
    ((96, 96, 96), 11, 4, 0),
    ((256, 256, 256), 5, 1, 2),
    ((384, 384, 384), 3, 1, 1),
    ((1024, 1024, 1000), 3, 1, 1),
)
OTHERS = (
    (_stages(((192, 160, 96), 5, 1, 2), ((192, 192, 10), 3, 1, 1)), 3),
    (_stages(((7,), 5, 1, 2), ((4, 9), 3, 1, 1)), 1),
    (
        _stages(
            ((8, 6, 5, 4), 3, 1, 1),
        ),
        2,
    ),
)


def _parameters(stages, channels, *, bias=True):
    total = 0
    for stage in stages:
        kernel = stage.kernel
        for width in stage.widths:
            total += (kernel**2 * channels + bias) * width
            channels, kernel = width, 1
    return total


def check_4_1(count):
    ask = function(count, "count")
    for stages, channels in ((RELEASED, 3), *OTHERS):
        right = _parameters(stages, channels)
        widths = [stage.widths for stage in stages]
        answer = whole(ask(stages, channels), f"count for {widths}")
        if answer == right:
            continue
        if stages is not RELEASED:
            raise NotYet(
                f"It holds for the ImageNet network, not for widths {widths} "
                f"on {channels} channels: compute it from the stages."
            )
        if answer == _parameters(stages, channels, bias=False):
            raise NotYet(
                "The biases are missing: each channel that comes out has one."
            )
        if answer == 7_439_608:
            raise NotYet(
                "That is the usual listing, with 1,000 channels throughout "
                "its last stage."
            )
        if answer == _all_kernels(stages, channels):
            raise NotYet(
                "Only the first convolution of a stage has its kernel; the "
                "others are 1 × 1."
            )
        raise NotYet(
            f"{answer:,} is not it. For each layer: how many numbers does "
            "one of its values read, and how many channels does it make?"
        )
    return "7,595,176 for ImageNet, and right for three other tables."


def _all_kernels(stages, channels):
    total = 0
    for stage in stages:
        for width in stage.widths:
            total += (stage.kernel**2 * channels + 1) * width
            channels = width
    return total


def wrong_4_1():
    yield Wrong(
        "no biases",
        lambda stages, channels: _parameters(stages, channels, bias=False),
        "biases are missing",
    )
    yield Wrong("every kernel large", _all_kernels, "the others are 1 × 1")
    yield Wrong(
        "the usual listing",
        lambda stages, channels: 7_439_608,
        "the usual listing",
    )
    yield Wrong(
        "copied",
        lambda stages, channels: 7_595_176,
        "compute it from the stages",
        copied=True,
    )


# 4.2: a 1 × 1 before a 3 × 3

STUB_4_2 = '''
def swallowed(mix, conv):
    """One convolution that does what mix and then conv do."""
    raise NotImplementedError
'''


def check_4_2(swallowed):
    for c, m, c_out, kernel, stride in (
        (6, 4, 5, 3, 1), (2, 7, 3, 3, 2), (3, 3, 3, 5, 1),
    ):  # fmt: skip
        mix = nn.Conv2d(c, m, 1).double()
        conv = nn.Conv2d(m, c_out, kernel, stride).double()
        one = made(swallowed, "swallowed", mix, conv)
        if not isinstance(one, nn.Conv2d):
            raise NotYet("swallowed should return a single nn.Conv2d.")
        image = torch.randn(2, c, 9, 9, dtype=torch.float64)
        with torch.no_grad():
            want = conv(mix(image))
        got = output(one.double(), image, "Your convolution")
        got = tensor(got, "Its answer", want.shape)
        if torch.allclose(got, want, atol=1e-6):
            continue
        difference = (got - want).mean((0, 2, 3), keepdim=True)
        if torch.allclose(got - difference, want, atol=1e-6):
            raise NotYet(
                "The kernel is right, the bias is not. What does the bias of "
                "the mix become on its way through the larger kernel?"
            )
        raise NotYet(
            "The answers differ. One weight of the new kernel belongs to a "
            "place and two channels; over what must you sum?"
        )
    return "Equal for three pairs, one of them with a stride of 2."


def _swallow(mix, conv, bias):
    one = nn.Conv2d(
        mix.in_channels, conv.out_channels, conv.kernel_size, conv.stride
    ).double()
    weight = mix.weight[:, :, 0, 0]
    with torch.no_grad():
        one.weight.copy_(torch.einsum("kmij,mc->kcij", conv.weight, weight))
        one.bias.copy_(bias(mix, conv))
    return one


def wrong_4_2():
    yield Wrong(
        "bias of the second only",
        lambda mix, conv: _swallow(mix, conv, lambda m, c: c.bias),
        "The kernel is right, the bias is not",
    )
    yield Wrong(
        "kernel taken as it is",
        lambda mix, conv: nn.Conv2d(
            mix.in_channels, conv.out_channels, conv.kernel_size, conv.stride
        ),
        "over what must you sum",
    )
    yield Wrong(
        "the two in a row",
        lambda mix, conv: nn.Sequential(mix, conv),
        "a single nn.Conv2d",
        copied=True,
    )


# 4.3: a network that finds orange

STUB_4_3 = """
find_orange = None  # nn.Sequential: 1 × 1 from 3 channels, ReLU, 1 × 1 to 1
"""
PAINTS = {
    "red": (0.9, 0.1, 0.1),
    "orange": (0.9, 0.5, 0.1),
    "yellow": (0.9, 0.9, 0.1),
    "green": (0.1, 0.6, 0.2),
    "blue": (0.1, 0.3, 0.8),
    "grey": (0.5, 0.5, 0.5),
}


def check_4_3(find_orange):
    net = network(find_orange, "find_orange")
    layers = [m for m in net.modules() if not list(m.children())]
    kinds = [type(layer) for layer in layers]
    if kinds != [nn.Conv2d, nn.ReLU, nn.Conv2d]:
        names = ", ".join(kind.__name__ for kind in kinds) or "none"
        raise NotYet(
            f"The layers are {names}; wanted Conv2d, ReLU, Conv2d, and "
            "nothing else."
        )
    first, _, second = layers
    if {first.kernel_size, second.kernel_size} != {(1, 1)}:
        raise NotYet("Both kernels should be 1 × 1.")
    if first.in_channels != 3 or second.out_channels != 1:
        raise NotYet("It should lead from 3 channels to 1.")
    if first.out_channels > 4:
        raise NotYet(
            f"{first.out_channels} hidden channels; four at most are allowed,"
            " and three are enough."
        )
    paints = torch.tensor(list(PAINTS.values()))[:, :, None, None]
    answers = output(net.float(), paints, "The network")
    answers = tensor(answers, "Its answer", (6, 1, 1, 1)).flatten()
    of = dict(zip(PAINTS, answers.tolist(), strict=True))
    for name in ("red", "yellow"):
        if of[name] > of["orange"] - 0.2 + 1e-6:
            raise NotYet(
                f"{name} gets {of[name]:.2f} and orange {of['orange']:.2f}. "
                "Equation (4.2) parts orange from both ends: one hidden "
                "channel for each."
            )
    for name, answer in of.items():
        if name != "orange" and answer > of["orange"] - 0.2 + 1e-6:
            raise NotYet(
                f"{name} gets {answer:.2f} and orange {of['orange']:.2f}. Red "
                "and yellow are parted; a third hidden channel can be bright "
                f"on {name} and shut on the three warm paints."
            )
    return "Orange is the largest of the six, by 0.2 or more."


def _paint_net(hidden, biases, answer, bias):
    net = nn.Sequential(
        nn.Conv2d(3, len(hidden), 1), nn.ReLU(), nn.Conv2d(len(hidden), 1, 1)
    )
    with torch.no_grad():
        net[0].weight[:, :, 0, 0] = torch.tensor(hidden)
        net[0].bias[:] = torch.tensor(biases)
        net[2].weight[0, :, 0, 0] = torch.tensor(answer)
        net[2].bias[:] = bias
    return net


def wrong_4_3():
    yield Wrong(
        "one side only",
        _paint_net([[0.0, 1, 0]], [-0.5], [-1.0], 0.5),
        "one hidden channel for each",
    )
    yield Wrong(
        "equation (4.2)",
        _paint_net([[0.0, 1, 0], [0, -1, 0]], [-0.5, 0.5], [-1.0, -1], 0.5),
        "a third hidden channel",
    )
    yield Wrong(
        "a single mix", nn.Sequential(nn.Conv2d(3, 1, 1)), "Conv2d, ReLU"
    )
    yield Wrong(
        "many hidden channels",
        nn.Sequential(nn.Conv2d(3, 64, 1), nn.ReLU(), nn.Conv2d(64, 1, 1)),
        "four at most",
        copied=True,
    )


# 4.4: class maps of a network that averages first

STUB_4_4 = '''
def maps_of(features, linear):
    """Maps (N, classes, H, W) whose averages are the scores."""
    raise NotImplementedError
'''


def check_4_4(maps_of):
    ask = function(maps_of, "maps_of")
    for n, c, k, h, w in ((2, 6, 4, 5, 5), (3, 2, 7, 4, 6)):
        features = torch.randn(n, c, h, w, dtype=torch.float64).relu()
        linear = nn.Linear(c, k).double()
        with torch.no_grad():
            scores = linear(features.mean((2, 3)))
            each = linear(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            maps = tensor(ask(features, linear), "Your maps", (n, k, h, w))
        if torch.allclose(maps, each, atol=1e-6):
            continue
        bare = each - linear.bias.detach().view(-1, 1, 1)
        if torch.allclose(maps, bare, atol=1e-6):
            raise NotYet(
                "The averages miss the scores by the biases of the linear "
                "layer. Every place gets them."
            )
        if torch.allclose(maps, each.relu(), atol=1e-6):
            raise NotYet(
                "Without the ReLU, please: the averages would not be the "
                "scores any more."
            )
        if torch.allclose(maps.mean((2, 3)), scores, atol=1e-6):
            raise NotYet(
                "The averages are the scores, but the maps are not what the "
                "linear layer says at each place."
            )
        raise NotYet(
            "The averages of the maps are not the scores. Apply the linear "
            "layer to the channels of every place."
        )
    return "The linear layer at every place, and its averages the scores."


def wrong_4_4():
    def bare(features, linear):
        return torch.einsum("kc,ncij->nkij", linear.weight, features)

    def whole_maps(features, linear):
        return bare(features, linear) + linear.bias.view(-1, 1, 1)

    def flat(features, linear):
        scores = linear(features.mean((2, 3)))[:, :, None, None]
        return scores.expand(-1, -1, *features.shape[2:])

    yield Wrong("no bias", bare, "by the biases")
    yield Wrong(
        "with a ReLU",
        lambda f, linear: whole_maps(f, linear).relu(),
        "Without the ReLU",
    )
    yield Wrong("the scores, everywhere", flat, "at each place", copied=True)


# 4.5: a window that is not global

STUB_4_5 = '''
def share(side):
    """The part of the class maps' places that a window of 5 reads."""
    raise NotImplementedError


first_error = None  # the smallest side whose answer has the wrong shape
'''


def _map_side(n):
    n = (n - 11) // 4 + 1
    for _ in range(3):
        n = (n - 3) // 2 + 1
    return n


def check_4_5(answer):
    share, first_error = parts(answer, "share", "first_error")
    ask = function(share, "share")
    for side in (224, 256, 288, 320, 352, 243):
        n = _map_side(side)
        right = (n // 5 * 5 / n) ** 2
        got = number(ask(side), f"share({side})")
        if math.isclose(got, right, abs_tol=1e-6):
            continue
        if side == 224:
            raise NotYet(
                "At 224 pixels the window fits the 5 × 5 map exactly; "
                f"share(224) is {got:.4g}."
            )
        if math.isclose(got, 5 / n, abs_tol=1e-6):
            raise NotYet(
                f"share({side}) is {got:.4g}: that is the part of the rows. "
                "The columns are cut as well."
            )
        if math.isclose(got, 1, abs_tol=1e-6):
            raise NotYet(
                f"share({side}) is 1, and the map is {n} × {n}. How many "
                "windows of 5 fit into that, side by side?"
            )
        raise NotYet(
            f"share({side}) is {got:.4g}. The map is {n} × {n}: which of its "
            "places lie under a window?"
        )
    side = whole(first_error, "first_error")
    right = next(n for n in range(200, 999) if _map_side(n) == 10)
    if side == right:
        return (
            f"Right for six sides, and the first error is at {right} pixels."
        )
    if _map_side(side) >= 10 and side > right:
        raise NotYet(
            f"At {side} pixels the answer is wrong, but it is so before."
        )
    raise NotYet(
        f"At {side} pixels the class maps are {_map_side(max(side, 99))} "
        "places wide. Two windows of 5 must fit."
    )


def wrong_4_5():
    def square(n):
        return (n // 5 * 5 / n) ** 2

    first = next(n for n in range(200, 999) if _map_side(n) == 10)
    yield Wrong(
        "everything is read", (lambda side: 1.0, first), "fit into that"
    )
    yield Wrong(
        "rows only",
        (lambda side: _map_side(side) // 5 * 5 / _map_side(side), first),
        "The columns are cut",
    )
    yield Wrong(
        "too late",
        (lambda side: square(_map_side(side)), first + 40),
        "it is so before",
    )
    yield Wrong(
        "shares copied from the table",
        (lambda side: {224: 1.0, 256: 25 / 36, 288: 25 / 49}.get(side, 0.4),
         first),
        "lie under a window",
        copied=True,
    )  # fmt: skip


# 4.6: the square to cover

STUB_4_6 = '''
def square(class_map, side, size):
    """Row and column of the upper left corner, inside the picture."""
    raise NotImplementedError
'''


def check_4_6(square):
    ask = function(square, "square")
    for high, row, column, side, size in (
        (8, 3, 4, 32, 12), (8, 0, 7, 32, 12), (8, 7, 0, 32, 8),
        (5, 2, 2, 40, 10), (7, 6, 6, 28, 28),
    ):  # fmt: skip
        class_map = torch.zeros(high, high)
        class_map[row, column] = 1
        here = f"the place ({row}, {column}) of {high} × {high}"
        corner = parts(ask(class_map, side, size), "row", "column")
        got = [
            whole(x, n) for x, n in zip(corner, ("Row", "Column"), strict=True)
        ]
        if not all(0 <= x <= side - size for x in got):
            raise NotYet(
                f"For {here} the square begins at {tuple(got)}: a square of "
                f"{size} then leaves the picture of {side}."
            )
        step = side / high
        want = [
            min(max((x + 0.5) * step - size / 2, 0), side - size)
            for x in (row, column)
        ]
        if all(abs(a - b) <= 1 for a, b in zip(got, want, strict=True)):
            continue
        swapped = all(
            abs(a - b) <= 1 for a, b in zip(got, want[::-1], strict=True)
        )
        if swapped and row != column:
            raise NotYet("Row and column are exchanged.")
        raise NotYet(
            f"For {here} the square should begin near {tuple(want)}, and it "
            f"begins at {tuple(got)}: a place is {step:g} pixels wide, and "
            "the square's middle belongs on the middle of the place."
        )
    return "In the middle, at the edges, and for other sizes."


def wrong_4_6():
    def right(class_map, side, size):
        high = class_map.shape[0]
        at = divmod(class_map.flatten().argmax().item(), high)
        middles = [(x + 0.5) * side / high for x in at]
        return [int(min(max(m - size / 2, 0), side - size)) for m in middles]

    def unkept(class_map, side, size):
        high = class_map.shape[0]
        at = divmod(class_map.flatten().argmax().item(), high)
        return [int((x + 0.5) * side / high - size / 2) for x in at]

    yield Wrong("leaves the picture", unkept, "leaves the picture")
    yield Wrong(
        "exchanged", lambda *given: right(*given)[::-1], "are exchanged"
    )
    yield Wrong(
        "the corner at the place",
        lambda m, side, size: [
            min(x * side // m.shape[0], side - size)
            for x in divmod(m.flatten().argmax().item(), m.shape[0])
        ],
        "belongs on the middle",
    )
    yield Wrong(
        "always the middle",
        lambda m, side, size: [(side - size) // 2] * 2,
        "should begin near",
        copied=True,
    )
