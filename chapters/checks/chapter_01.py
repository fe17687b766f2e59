"""Checks of chapter 1, representation learning."""

import numpy as np
import torch
from skimage.feature import hog
from torch import nn
from torch.nn import functional as F

from chapters.checks._kinds import (
    Calls,
    NotYet,
    Wrong,
    function,
    network,
    number,
    output,
    parameters,
    parts,
    tensor,
    whole,
)

# 1.1: places for a kernel, and the padding that keeps the size

STUB_1_1 = '''
def places(n, k):
    """(output values without padding, padding that keeps the size)"""
    raise NotImplementedError
'''


def check_1_1(places):
    ask = function(places, "places")
    for n, k in ((28, 5), (28, 3), (32, 7), (9, 1), (11, 11)):
        values, padding = parts(ask(n, k), "values", "padding")
        values, padding = whole(values, "values"), whole(padding, "padding")
        picture, kernel = torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k)
        side = F.conv2d(picture, kernel).shape[-1]
        here = f"for places({n}, {k})"
        if values != side**2:
            if (n, k) != (28, 5):
                raise NotYet(
                    f"It is right for 28 and 5, but not {here}: PyTorch has "
                    f"another number than {values:,}. Derive it from n and k."
                )
            if values == side:
                raise NotYet("That is one side. How many values are there?")
            raise NotYet(
                f"PyTorch has not {values:,} values {here}. The first place "
                "needs no move: count the places along one side of 7 pixels."
            )
        if padding == k - 1 and k > 1:
            raise NotYet(
                f"A padding of {padding} {here} is what both sides need "
                "together. PyTorch's padding counts for each of them."
            )
        kept = 0 <= padding <= n and n + 2 * padding - k + 1 == n
        if not kept:
            raise NotYet(f"A padding of {padding} {here} changes the size.")
    return "Numbers of values and paddings agree with PyTorch's for 5 sizes."


def wrong_1_1():
    yield Wrong("a side", lambda n, k: (n - k + 1, k // 2), "How many values")
    yield Wrong(
        "one too few", lambda n, k: ((n - k) ** 2, k // 2), "first place"
    )
    yield Wrong(
        "padding of both sides",
        lambda n, k: ((n - k + 1) ** 2, k - 1),
        "for each of them",
    )
    yield Wrong(
        "constants", lambda n, k: (576, 2), "right for 28 and 5", copied=True
    )


# 1.2: two blurs are one

STUB_1_2 = '''
def larger(kernel):
    """The kernel that does in one convolution what `kernel` does in two."""
    raise NotImplementedError
'''


def check_1_2(larger):
    ask = function(larger, "larger")
    picture = torch.rand(1, 1, 28, 28, dtype=torch.float64)
    row = torch.tensor([1, 2, 4, 2, 1], dtype=torch.float64)
    kernels = {
        "ninths": torch.full((3, 3), 1 / 9, dtype=torch.float64),
        "sixteenths, 1 2 1 times 1 2 1": torch.outer(row[::2], row[::2]) / 36,
        "five by five values": torch.outer(row, row) / 100,
    }
    for name, kernel in kernels.items():
        one = tensor(ask(kernel.clone()), "The larger kernel")
        side = 2 * len(kernel) - 1
        if tuple(one.shape) != (side, side):
            if name != "ninths":
                raise NotYet(
                    f"It fits the kernel of ninths and not one of {name}: "
                    "compute it from the kernel that is given."
                )
            raise NotYet(
                f"A kernel of shape {tuple(one.shape)} cannot be it. How far "
                "from its middle does the second blur still meet a pixel?"
            )
        weight = kernel[None, None]
        twice = F.conv2d(F.conv2d(picture, weight), weight)
        if torch.allclose(F.conv2d(picture, one[None, None]), twice, 0, 1e-10):
            continue
        if name != "ninths":
            raise NotYet(
                f"It fits the kernel of ninths and not one of {name}: "
                "compute it from the kernel that is given."
            )
        if not torch.isclose(one.sum(), one.new_ones(())):
            raise NotYet(
                f"Its weights add up to {one.sum():.3g}; two blurs leave an "
                "evenly grey picture as it is."
            )
        if one.min() == one.max():
            raise NotYet(
                "The size is right, the weights are not all equal: in how "
                "many ways do two blurs lead from a pixel to the middle?"
            )
        raise NotYet("The size is right, the answer differs from two blurs.")
    return "It equals two steps to 10 decimals, for three kernels."


def wrong_1_2():
    yield Wrong("the kernel itself", lambda kernel: kernel, "How far from")
    yield Wrong(
        "equal weights",
        lambda kernel: torch.full((5, 5), 1 / 25, dtype=torch.float64),
        "weights are not all equal",
    )
    yield Wrong(
        "zeros of the right shape",
        lambda kernel: torch.zeros(5, 5, dtype=torch.float64),
        "add up to 0",
        copied=True,
    )
    row = torch.tensor([1, 2, 3, 2, 1], dtype=torch.float64) / 9
    yield Wrong(
        "the right kernel, copied",
        lambda kernel: torch.outer(row, row),
        "fits the kernel of ninths and not",
        copied=True,
    )


# 1.3: a 1 × 1 convolution is a linear layer

STUB_1_3 = '''
def by_pixel(conv, maps):
    """What the 1 × 1 convolution makes of maps, by a linear layer."""
    raise NotImplementedError
'''


def check_1_3(by_pixel):
    ask = function(by_pixel, "by_pixel")
    for inputs, outputs in ((16, 4), (3, 5)):
        conv = nn.Conv2d(inputs, outputs, kernel_size=1).double()
        maps = torch.randn(2, inputs, 7, 6, dtype=torch.float64)
        expected = conv(maps).detach()
        with Calls() as calls:
            answer = ask(conv, maps.clone())
        if any("conv" in name for name in calls.names):
            raise NotYet(
                "A convolution has computed this. Let nn.Linear or a product "
                "of matrices do it, with the convolution's weights."
            )
        answer = tensor(answer, "The answer", expected.shape)
        if torch.allclose(answer, expected):
            continue
        if not answer.any():
            raise NotYet("The shape is right, and all values are zero.")
        bias = conv.bias.detach().view(-1, 1, 1)
        if torch.allclose(answer + bias, expected):
            raise NotYet("The bias of the convolution is missing.")
        raise NotYet(
            "The shape is right, the values are not. Which axis does "
            "nn.Linear work on? permute moves an axis there and back; "
            "reshape only cuts the same row of numbers anew."
        )
    return "A linear layer at every pixel gives what the convolution gives."


def wrong_1_3():
    def not_moved_back(conv, maps):
        weight = conv.weight.flatten(1)
        return F.linear(maps.permute(0, 2, 3, 1), weight, conv.bias)

    def reshaped(conv, maps):
        n, c, height, width = maps.shape
        rows = maps.reshape(n, height, width, c)
        answer = F.linear(rows, conv.weight.flatten(1), conv.bias)
        return answer.reshape(n, -1, height, width)

    def without_bias(conv, maps):
        return torch.einsum("nchw,kc->nkhw", maps, conv.weight.flatten(1))

    def zeros(conv, maps):
        return maps.new_zeros(len(maps), conv.out_channels, *maps.shape[2:])

    yield Wrong("not moved back", not_moved_back, "should have the shape")
    yield Wrong("reshape", reshaped, "cuts the same row of numbers anew")
    yield Wrong("no bias", without_bias, "bias of the convolution is missing")
    yield Wrong("zeros of the right shape", zeros, "all values are zero")
    yield Wrong(
        "the convolution itself",
        lambda conv, maps: conv(maps),
        "A convolution has computed this",
        copied=True,
    )


# 1.4: parameters of a fully connected layer and of a convolution

STUB_1_4 = '''
def parameters(side, maps, k):
    """(of a fully connected layer, of a convolution with kernel k)"""
    raise NotImplementedError
'''


def check_1_4(count):
    ask = function(count, "parameters")
    for side, maps, k in ((28, 16, 7), (4, 3, 3), (6, 5, 1)):
        answers = parts(ask(side, maps, k), "fully connected", "convolution")
        connected = whole(answers[0], "fully connected")
        convolution = whole(answers[1], "convolution")
        with torch.device("meta"):
            linear = nn.Linear(side**2, maps * side**2)
            conv = nn.Conv2d(1, maps, k)
        here = f"parameters({side}, {maps}, {k})"
        right = parameters(linear), parameters(conv)
        if (connected, convolution) == right:
            continue
        if side != 28:
            raise NotYet(
                f"It is right for 28 × 28 pixels and not for {here}: compute "
                "both from side, maps and k."
            )
        values, weights = linear.bias.numel(), linear.weight.numel()
        for name, mine, layer in (
            ("fully connected", connected, linear),
            ("convolution", convolution, conv),
        ):
            if mine == layer.weight.numel():
                raise NotYet(f"The biases are missing: {name}.")
        if connected == weights + maps:
            raise NotYet(
                f"One bias for each map is a convolution's way. Here {values}"
                " outputs are each a number of their own."
            )
        if connected == (side**2 + 1) * side**2:
            raise NotYet("That is one map. There are more of them.")
        wrong = connected if connected != right[0] else convolution
        raise NotYet(
            f"PyTorch has another number than {wrong:,} for {here}. Draw one "
            "output: how many weights reach it?"
        )
    return "Both numbers agree with PyTorch's layers for three sizes."


def wrong_1_4():
    def no_bias(side, maps, k):
        return side**4 * maps, maps * k**2

    def bias_a_map(side, maps, k):
        return side**4 * maps + maps, maps * k**2 + maps

    def one_map(side, maps, k):
        return side**4 + side**2, maps * k**2 + maps

    yield Wrong("no biases", no_bias, "biases are missing")
    yield Wrong("one bias a map", bias_a_map, "a number of their own")
    yield Wrong("one map", one_map, "That is one map")
    yield Wrong(
        "constants",
        lambda side, maps, k: (9_847_040, 800),
        "right for 28 × 28 pixels and not",
        copied=True,
    )


# 1.5: coarser histograms

STUB_1_5 = '''
def hog_features(images, orientations, side):
    """HOG of images (N, 1, H, W), one row each; cells of side × side."""
    raise NotImplementedError


measured = {}  # (orientations, side): accuracy, for the three versions
'''
HOG_VERSIONS = ((9, 4), (3, 4), (9, 7))


def check_1_5(answer):
    features, measured = parts(answer, "hog_features", "measured")
    ask = function(features, "hog_features")
    images = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    for orientations, side in HOG_VERSIONS:
        expected = np.stack([
            hog(
                image, orientations=orientations,
                pixels_per_cell=(side, side), cells_per_block=(2, 2),
            )
            for image in images[:, 0].numpy()
        ])  # fmt: skip
        here = f"hog_features(images, {orientations}, {side})"
        rows = tensor(ask(images.clone(), orientations, side), here)
        if tuple(rows.shape) != expected.shape:
            raise NotYet(
                f"{here} has the shape {tuple(rows.shape)} for three images "
                "and not that of skimage's hog. Look at orientations, "
                "pixels_per_cell and cells_per_block=(2, 2)."
            )
        if not rows.any():
            raise NotYet(f"{here} has the right shape and only zeros in it.")
        if not np.allclose(rows, expected, atol=1e-5):
            raise NotYet(
                f"{here} has the right shape and other values than skimage's "
                "hog of each image."
            )
    if not isinstance(measured, dict) or not set(HOG_VERSIONS) <= set(
        measured
    ):
        raise NotYet(
            "`measured` needs an accuracy for each of the keys (9, 4), (3, 4)"
            " and (9, 7)."
        )
    accuracies = [
        number(measured[key], f"measured[{key}]") for key in HOG_VERSIONS
    ]
    if not all(0.2 < accuracy < 1 for accuracy in accuracies):
        raise NotYet(
            "An accuracy should lie between 0 and 1, and well above the 0.1 "
            "of chance."
        )
    if len(set(accuracies)) == 1:
        raise NotYet("Three equal accuracies: was each version measured?")
    return (
        "The features are HOG's, in all three versions. The sentence is yours"
        " to judge: how much do 2,000 images leave to chance?"
    )


def wrong_1_5():
    def features(images, orientations, side, blocks=2):
        return np.stack([
            hog(
                image, orientations=orientations,
                pixels_per_cell=(side, side),
                cells_per_block=(blocks, blocks),
            )
            for image in images[:, 0].numpy()
        ])  # fmt: skip

    def always_nine(images, orientations, side):
        return features(images, 9, side)

    def blocks_of_three(images, orientations, side):
        return features(images, orientations, side, blocks=3)

    def zeros(images, orientations, side):
        return np.zeros_like(features(images, orientations, side))

    measured = dict(zip(HOG_VERSIONS, (0.83, 0.82, 0.80), strict=True))
    percent = {key: 100 * value for key, value in measured.items()}
    equal = dict.fromkeys(HOG_VERSIONS, 0.83)
    yield Wrong("nine anyway", (always_nine, measured), "Look at orientations")
    yield Wrong("other blocks", (blocks_of_three, measured), "cells_per_block")
    yield Wrong("per cent", (features, percent), "between 0 and 1")
    yield Wrong("not measured", (features, equal), "Three equal accuracies")
    yield Wrong(
        "zeros of the right shape",
        (zeros, measured),
        "only zeros in it",
        copied=True,
    )


# 1.6: an autoencoder with a code of 16

STUB_1_6 = """
errors = {}  # "PCA" and "autoencoder": mean squared error, validation images
# Two nn.Sequential(encoder, decoder) with a code of 16 numbers.
untrained_16, trained_16 = None, None
"""


def check_1_6(answer):
    untrained, trained, errors = parts(
        answer, "untrained_16", "trained_16", "errors"
    )
    pictures = torch.randn(2, 1, 28, 28)
    nets = {"untrained_16": untrained, "trained_16": trained}
    for name, net in nets.items():
        network(net, name)
        if not isinstance(net, nn.Sequential) or len(net) != 2:
            raise NotYet(f"{name} should be nn.Sequential(encoder, decoder).")
        net.float().cpu().eval()
        code = output(net[0], pictures, f"the encoder of {name}")
        if tuple(code.shape) != (2, 16):
            raise NotYet(
                f"The code of two pictures has the shape {tuple(code.shape)}"
                f" in {name}; it should have 16 numbers for each."
            )
        tensor(
            output(net, pictures, name), f"The copy by {name}", (2, 1, 28, 28)
        )
    before, after = untrained.state_dict(), trained.state_dict()
    if {n: v.shape for n, v in before.items()} != {
        n: v.shape for n, v in after.items()
    }:
        raise NotYet("untrained_16 is of another architecture.")
    for name, value in before.items():
        if torch.equal(value, after[name]):
            part = "encoder" if name.startswith("0.") else "decoder"
            raise NotYet(
                f"Training has not moved {name}, in the {part}. Does the "
                "optimiser have the weights of both, and was "
                "untrained_16 copied (copy.deepcopy) before the training?"
            )
    copies = output(trained, pictures, "trained_16")
    if torch.allclose(copies[0], copies[1], atol=1e-6):
        raise NotYet("trained_16 gives the same copy for two pictures.")
    if not isinstance(errors, dict):
        raise NotYet("errors should be a dictionary: PCA, autoencoder.")
    for name in ("PCA", "autoencoder"):
        error = number(errors.get(name), f"errors[{name!r}]")
        if not 0 < error < 0.7:
            raise NotYet(
                f"errors[{name!r}] is {error:.4g}. Compare pixels from 0 to "
                "1: was the normalisation undone for both?"
            )
    if not 0.01 < errors["PCA"] < 0.06:
        raise NotYet(
            f"errors['PCA'] is {errors['PCA']:.4g}, which is not what 16 "
            "components leave of pixels from 0 to 1. Was PCA fitted on "
            "training images and the error taken on validation images?"
        )
    return (
        "The code has 16 numbers, and training has moved every layer. Which "
        "of the two suffers less is for you to say."
    )


def _autoencoder(code=16):
    return nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(784, code)),
        nn.Sequential(nn.Linear(code, 784), nn.Unflatten(1, (1, 28, 28))),
    )


def wrong_1_6():
    def moved(net, layers=(0, 1)):
        """A twin, moved in these parts only."""
        twin = _autoencoder(net[0][1].out_features)
        twin.load_state_dict(net.state_dict())
        with torch.no_grad():
            for layer in layers:
                for parameter in twin[layer].parameters():
                    parameter.add_(0.01)
        return twin

    errors = {"PCA": 0.0205, "autoencoder": 0.0185}
    net, wide = _autoencoder(), _autoencoder(64)
    yield Wrong("still 64", (wide, moved(wide), errors), "16 numbers for each")
    normalised = {"PCA": 0.0205, "autoencoder": 1.4}
    yield Wrong(
        "normalised", (net, moved(net), normalised), "normalisation undone"
    )
    perfect = {"PCA": 0.0, "autoencoder": 0.0}
    yield Wrong(
        "no error at all", (net, moved(net), perfect), "Compare pixels"
    )
    yield Wrong(
        "a frozen encoder",
        (net, moved(net, layers=(1,)), errors),
        "in the encoder",
        copied=True,
    )
    yield Wrong(
        "an untrained network and copied errors",
        (net, net, errors),
        "Training has not moved",
        copied=True,
    )


# 1.7: chance that looks like skill

STUB_1_7 = '''
def noise_accuracy(choose_on, rng):
    """Accuracy on examples 101 to 200; features chosen on `choose_on`."""
    raise NotImplementedError
'''


def check_1_7(noise_accuracy):
    ask = function(noise_accuracy, "noise_accuracy")
    rng = np.random.default_rng(1)
    means = {}
    for choose_on, repetitions in ((200, 3), (100, 6)):
        before = rng.bit_generator.state
        accuracies = [
            number(ask(choose_on, rng), f"noise_accuracy({choose_on}, rng)")
            for _ in range(repetitions)
        ]
        if rng.bit_generator.state == before:
            raise NotYet(
                "Your function draws no numbers from the `rng` that it is "
                "given, so it has not tried anything. New noise, each time!"
            )
        if not all(0 <= accuracy <= 1 for accuracy in accuracies):
            raise NotYet("An accuracy should lie between 0 and 1.")
        means[choose_on] = sum(accuracies) / repetitions
    if means[100] > 0.65:
        raise NotYet(
            f"Chosen on the first 100 it still scores {means[100]:.0%}. "
            "Nothing of the other 100 may be used before the score: neither "
            "in the choice nor in the fit."
        )
    if means[200] < 0.75:
        raise NotYet(
            f"Chosen on all 200 it scores {means[200]:.0%} only. Does the "
            "choice look at all `choose_on` examples, and at the size of the "
            "correlation, whatever its sign?"
        )
    return "A choice on all examples looks like skill; divided first, it goes."


def wrong_1_7():
    from sklearn.linear_model import RidgeClassifier

    def accuracy(choose_on, rng, score_on=slice(100, None), size=np.abs):
        x, y = rng.standard_normal((200, 5_000)), rng.permutation(200) % 2
        relation = size(x[:choose_on].T @ (y[:choose_on] - 0.5))
        x = x[:, relation.argsort()[-100:]]
        judge = RidgeClassifier(alpha=100).fit(x[:100], y[:100])
        return judge.score(x[score_on], y[score_on])

    yield Wrong(
        "scored on what it was fitted on",
        lambda choose_on, rng: accuracy(choose_on, rng, slice(100)),
        "neither in the choice nor in the fit",
    )
    yield Wrong(
        "always chosen on all",
        lambda choose_on, rng: accuracy(200, rng),
        "Nothing of the other 100",
    )
    yield Wrong(
        "always divided first",
        lambda choose_on, rng: accuracy(100, rng),
        "look at all `choose_on` examples",
    )
    yield Wrong(
        "copied numbers",
        lambda choose_on, rng: 0.9 if choose_on == 200 else 0.5,
        "draws no numbers",
        copied=True,
    )
