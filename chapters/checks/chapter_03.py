"""Checks of chapter 3, VGG."""

import copy
import itertools
import math

import torch
from torch import nn
from torch.nn import functional as F

from chapters.checks._kinds import (
    NotYet,
    Wrong,
    all_learn,
    described,
    function,
    made,
    made_up_runs,
    network,
    number,
    output,
    parameters,
    parts,
    tensor,
    three_seeds,
    whole,
)
from utils.shapes import layer_table

# 3.1: the receptive field behind VGG-19's last pooling

STUB_3_1 = '''
def receptive_field(blocks):
    """Of one value behind the last pooling; blocks as in CONFIGURATIONS."""
    raise NotImplementedError
'''
E19 = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
D16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def check_3_1(receptive_field):
    ask = function(receptive_field, "receptive_field")
    for blocks in (E19, D16, ((1, 64), (3, 128)), ((2, 64),)):
        with torch.device("meta"):
            layers = nn.Sequential()
            for convolutions, _ in blocks:
                for _ in range(convolutions):
                    layers.append(nn.Conv2d(1, 1, 3, padding=1))
                layers.append(nn.MaxPool2d(2))
        right = layer_table(layers, (1, 64, 64)).layers[-1].receptive_field
        answer = whole(ask(blocks), f"receptive_field({blocks})")
        if answer == right:
            continue
        if blocks != E19:
            raise NotYet(
                f"It holds for VGG-19, not for the blocks {blocks}: compute "
                "it from them."
            )
        poolings = sum(2**i for i in range(len(blocks)))
        if answer == right - poolings:
            raise NotYet(
                "A pooling of 2 also sees one more value than one. What does "
                "that add, at each of the five?"
            )
        if answer == 1 + 2 * sum(n for n, _ in blocks) + len(blocks):
            raise NotYet(
                "Every layer adds the same in your sum. Behind a pooling, how "
                "far apart are two neighbours, in pixels of the image?"
            )
        raise NotYet(
            f"{answer} is not it for VGG-19. r' = r + (k - 1) j: with which "
            "j does a pooling work, with the one before it or behind it?"
        )
    return "It agrees with the layers, for VGG-19 and three other tables."


def wrong_3_1():
    def without_pooling(blocks):
        return 1 + sum(2 * n * 2**i for i, (n, _) in enumerate(blocks))

    def no_jump(blocks):
        return 1 + sum(2 * n + 1 for n, _ in blocks)

    def jump_too_early(blocks):
        r, j = 1, 1
        for n, _ in blocks:
            r, j = r + 2 * n * j + 2 * j, 2 * j
        return r

    yield Wrong("pooling forgotten", without_pooling, "A pooling of 2 also")
    yield Wrong("no jump", no_jump, "how far apart are two neighbours")
    yield Wrong("jump too early", jump_too_early, "before it or behind it")
    yield Wrong(
        "268, copied", lambda blocks: 268, "holds for VGG-19, not", copied=True
    )


# 3.2: 244 pixels

STUB_3_2 = '''
widths = []  # for which the weights for 224 work


def dropped(width):
    """The share of the columns that five poolings drop on the way."""
    raise NotImplementedError
'''


def check_3_2(answer):
    widths, dropped = parts(answer, "widths", "dropped")
    ask = function(dropped, "dropped")
    try:
        widths = list(widths)
    except Exception:
        raise NotYet(
            f"widths should be a list or a range; it is {described(widths)}."
        ) from None
    widths = {whole(width, "A width") for width in widths}
    if 244 not in widths:
        raise NotYet(
            "244 is not among your widths. Halve it five times, rounding "
            "down, and compare with 224."
        )
    for width in sorted(widths):
        if width // 32 != 7:
            raise NotYet(
                f"{width} is among your widths; five poolings make "
                f"{width // 32} of it, and fc1 wants 7."
            )
    if len(widths) != 32:
        raise NotYet(f"Your {len(widths)} widths work; there are more.")
    for width in (244, 224, 255, 230):
        share = number(ask(width), f"dropped({width})")
        right = (width - 7 * 32) / width
        if math.isclose(share, right, abs_tol=1e-6):
            continue
        if width != 244:
            raise NotYet(
                f"It holds for 244 columns, and dropped({width}) is "
                f"{share:.4g}: compute it from the width."
            )
        if share > 1:
            raise NotYet(f"dropped(244) is {share:.4g}; a share is below 1.")
        if math.isclose(share, 1 / 61, abs_tol=1e-6) or math.isclose(
            share, 2 / 244, abs_tol=1e-6
        ):
            raise NotYet(
                "Two poolings drop a column. How many pixels of the image is "
                "such a column wide, where it is dropped?"
            )
        raise NotYet(
            f"dropped(244) is {share:.4g}. How many columns of the image do "
            "the 7 of the last map stand for?"
        )
    return "32 widths, and shares that are right for four of them."


def wrong_3_2():
    def dropped(width):
        return width % 32 / width

    widths = range(224, 256)
    yield Wrong("multiples of 32", ([224], dropped), "244 is not among")
    yield Wrong("one too many", (range(224, 257), dropped), "fc1 wants 7")
    yield Wrong(
        "columns counted as one pixel",
        (widths, lambda width: 2 / width),
        "wide, where it is dropped",
    )
    yield Wrong(
        "pixels", (widths, lambda width: width % 32), "a share is below 1"
    )
    yield Wrong(
        "the share, copied",
        (widths, lambda width: 20 / 244),
        "compute it from the width",
        copied=True,
    )


# 3.3: three 3 × 3 or one 7 × 7

STUB_3_3 = '''
bound = None  # of c' / c


def three_are_lighter(c, c_out):
    """Whether three 3 × 3 layers have fewer weights than one 7 × 7."""
    raise NotImplementedError
'''


def check_3_3(answer):
    bound, three_are_lighter = parts(answer, "bound", "three_are_lighter")
    bound = number(bound, "bound")
    ask = function(three_are_lighter, "three_are_lighter")
    if abs(bound - 49 / 27) < 0.01:
        raise NotYet(
            "49/27 compares them at equal width. From c to c', the second "
            "and the third layer read c' channels."
        )
    if abs(bound - 16 / 9) < 0.01:
        raise NotYet("That is (3.1), for two layers and one 5 × 5.")
    if abs(bound - 20 / 9) > 0.005:
        raise NotYet(
            f"{float(bound):.3g} is not the bound. Write down the weights of "
            "the three layers and of the one, and divide by c c'."
        )
    for c, c_out in ((64, 128), (64, 256), (64, 142), (64, 143), (9, 20)):
        with torch.device("meta"):
            layers = [
                nn.Conv2d(c, c_out, 3),
                nn.Conv2d(c_out, c_out, 3),
                nn.Conv2d(c_out, c_out, 3),
                nn.Conv2d(c, c_out, 7),
            ]
        *three, one = (layer.weight.numel() for layer in layers)
        said = ask(c, c_out)
        here = f"three_are_lighter({c}, {c_out})"
        try:
            said = bool(said) if said is not None else None
        except Exception:
            said = None
        if said is None:
            raise NotYet(f"{here} should be True or False.")
        if said != (sum(three) < one):
            raise NotYet(
                f"{here} is {said}. PyTorch's layers have {sum(three):,} "
                f"weights against {one:,}: count them layer by layer."
            )
    return "The bound is right, and the counts for five pairs of widths."


def wrong_3_3():
    def lighter(c, c_out):
        return 9 * c * c_out + 18 * c_out**2 < 49 * c * c_out

    yield Wrong("equal width", (49 / 27, lighter), "at equal width")
    yield Wrong("that of (3.1)", (16 / 9, lighter), "That is (3.1)")
    yield Wrong("upside down", (9 / 20, lighter), "divide by c c'")
    yield Wrong(
        "the bound, copied",
        (2.22, lambda c, c_out: True),
        "count them layer by layer",
        copied=True,
    )
    yield Wrong(
        "a rounded bound",
        (2.22, lambda c, c_out: c_out / c < 2.2),
        "count them layer by layer",
        copied=True,
    )


# 3.4: configuration C

STUB_3_4 = '''
def parameters_of_c(parameters_of_d, widths):
    """From those of D; widths of blocks 3, 4 and 5, (256, 512, 512)."""
    raise NotImplementedError
'''


def check_3_4(parameters_of_c):
    ask = function(parameters_of_c, "parameters_of_c")
    for d, widths in (
        (138_357_544, (256, 512, 512)),
        (43_000_000, (64, 128, 128)),
        (90_000_000, (10, 20, 30)),
    ):
        answer = whole(ask(d, widths), f"parameters_of_c({d:,}, {widths})")
        pairs = sum(width**2 for width in widths)
        if answer == d - 8 * pairs:
            continue
        if d != 138_357_544:
            raise NotYet(
                "It holds for the paper's widths, not for D with blocks of "
                f"{widths}: compute it from both arguments."
            )
        if answer == d - 9 * pairs:
            raise NotYet(
                "The three layers would be gone altogether. A kernel of 1 × 1"
                " has one weight left."
            )
        if answer == d - 8 * pairs - sum(widths):
            raise NotYet("The biases of the three layers stay.")
        if answer in (d - 8 * width**2 for width in widths):
            raise NotYet("That is one layer. C has a 1 × 1 in three blocks.")
        if answer == round(d - 8 * pairs, -6):
            raise NotYet("To the last digit, please, not in millions.")
        raise NotYet(
            f"{answer:,} is not it. What does a 3 × 3 kernel have more than "
            "one of 1 × 1, for each pair of channels?"
        )
    return "134 million, and right for narrower networks as well."


def wrong_3_4():
    def less(each, blocks=slice(None)):
        return lambda d, widths: d - each * sum(w**2 for w in widths[blocks])

    yield Wrong("9 of 9 weights", less(9), "gone altogether")
    yield Wrong("one layer", less(8, slice(1)), "That is one layer")
    yield Wrong("millions", lambda d, widths: 134_000_000, "last digit")
    yield Wrong(
        "copied", lambda d, widths: 133_638_952, "both arguments", copied=True
    )


# 3.5: VGG-16 with a global average

STUB_3_5 = """
averaged = None  # VGG-16's blocks, a global average, one linear layer
"""


def check_3_5(averaged):
    net = network(averaged, "averaged")
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    if len(linear) != 1:
        raise NotYet(
            f"The network has {len(linear)} linear layers; one is to be left."
        )
    if parameters(net) != 15_227_688:
        raise NotYet(
            f"The network has {parameters(net):,} parameters. Its blocks are "
            "D's; how many numbers are left of 512 maps, and how many classes "
            "are there?"
        )
    with torch.no_grad():  # weights that keep the size of a signal
        net = net.to_empty(device="cpu").float().eval()
        for parameter in net.parameters():
            is_bias = parameter.ndim < 2
            value = 0 if is_bias else 1 / math.prod(parameter.shape[1:])
            parameter.fill_(value)
    maps, read = [], []

    def note(module, inputs, answer):
        if isinstance(answer, torch.Tensor) and answer.ndim == 4:
            if answer.shape[-1] > 1:
                maps.append(answer.clone())
        if module is linear[0]:
            read.append(inputs[0])

    for module in net.modules():
        module.register_forward_hook(note)
    for side in (64, 96):
        image = torch.rand(1, 3, side, side)
        tensor(output(net, image, "averaged"), "Its output", (1, 1000))
        if not maps or maps[-1].shape[1:] != (512, side // 32, side // 32):
            raise NotYet("The five blocks of D should come first, unchanged.")
        if not torch.allclose(
            read[-1].flatten(), maps[-1].mean((2, 3)).flatten(), atol=1e-4
        ):
            raise NotYet(
                "The linear layer does not read the averages of the last "
                "maps, over all of their places."
            )
    return "15,227,688 parameters, true averages, and any size of image."


def _averaged(pool, *rest):
    channels, layers = 3, []
    with torch.device("meta"):
        for convolutions, width in D16:
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, pool, nn.Flatten(), *rest)


def wrong_3_5():
    with torch.device("meta"):
        last, wide = nn.Linear(512, 1000), nn.Linear(512 * 49, 1000)
        ten, hidden = nn.Linear(512, 10), nn.Linear(512, 512)
    average = nn.AdaptiveAvgPool2d(1)
    yield Wrong(
        "hidden layers", _averaged(average, hidden, last), "one is to be left"
    )
    yield Wrong("ten classes", _averaged(average, ten), "how many classes")
    yield Wrong(
        "average of 7 × 7",
        _averaged(nn.AdaptiveAvgPool2d(7), wide),
        "how many numbers are left",
    )
    yield Wrong(
        "an average that insists on 224 pixels",
        _averaged(nn.AvgPool2d(7), last),
        "fails on images",
    )
    yield Wrong(
        "the maximum",
        _averaged(nn.AdaptiveMaxPool2d(1), last),
        "does not read the averages",
        copied=True,
    )


# 3.6: how many images fit on a card

STUB_3_6 = '''
def images_that_fit(card_bytes, activation_bytes):
    """How many images a minibatch of VGG-16 may have in training."""
    raise NotImplementedError
'''


def _activations():
    """What VGG-16's convolutions and linear layers hand out, an image."""
    of_blocks = (
        convolutions * width * (224 // 2**i) ** 2
        for i, (convolutions, width) in enumerate(D16)
    )
    return sum(of_blocks) + 4096 + 4096 + 1000


def check_3_6(images_that_fit):
    ask = function(images_that_fit, "images_that_fit")
    weights = 138_357_544
    values = _activations()
    for card, size in ((16e9, 4), (16e9, 2), (24e9, 4), (80e9, 2)):
        right = int((card - 12 * weights) // (size * values))
        here = f"images_that_fit({card / 1e9:.0f}e9, {size})"
        answer = whole(ask(card, size), here)
        if answer == right:
            continue
        if card != 16e9:
            raise NotYet(
                f"It holds for 16 GB, and {here} is {answer}: compute it from "
                "the bytes of the card."
            )
        if answer == right + 1:
            raise NotYet(f"{here}: the last of the {answer} does not fit.")
        for copies, words in (
            (0, "Weights, gradients and momentum need room as well."),
            (4, "Weights, gradients and momentum: each needs its 4 bytes."),
            (3 * size, "Only the activations have 2 bytes here."),
        ):
            if answer == int((card - copies * weights) // (size * values)):
                raise NotYet(f"{here} is {answer}. {words}")
        raise NotYet(
            f"{here} is {answer}. What is left of the card behind 3 · 4 bytes "
            "a parameter, and what does one image take of it?"
        )
    return "Right for four cards. Real frameworks keep more than this."


def wrong_3_6():
    values = _activations()

    def fit(each, round_=math.floor):
        return lambda card, size: round_(
            (card - each * 138_357_544) / (size * values)
        )

    yield Wrong("only weights", fit(4), "each needs its 4 bytes")
    yield Wrong("rounded up", fit(12, math.ceil), "does not fit")
    yield Wrong(
        "weights of 2 bytes",
        lambda card, size: fit(3 * size)(card, size),
        "Only the activations",
    )
    yield Wrong(
        "copied",
        lambda card, size: {4: 264, 2: 528}[size],
        "bytes of the card",
        copied=True,
    )


# 3.7: pairs of 3 × 3 against one 5 × 5

STUB_3_7 = '''
def five_by_five():
    """B, narrow by 8, untrained, with one 5 × 5 for each pair of 3 × 3."""
    raise NotImplementedError


pair_logs = {}  # (name, seed): log; "pairs of 3 × 3" and "one 5 × 5"
'''


def check_3_7(answer):
    make, logs = parts(answer, "five_by_five", "pair_logs")
    net = made(make, "five_by_five")
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    if any(conv.kernel_size != (5, 5) for conv in convolutions):
        raise NotYet("Not every convolution has a kernel of 5 × 5.")
    if [conv.out_channels for conv in convolutions] != [8, 16, 32, 64, 64]:
        raise NotYet(
            f"The network has {len(convolutions)} convolutions. Each of the "
            "five pairs is replaced by one, with the same channels as the "
            "pair; the widths of B are divided by 8."
        )
    images = torch.randn(4, 1, 28, 28)
    tensor(output(net, images, "The network"), "Its output", (4, 10))
    all_learn(net, images, "The network")
    names = "pairs of 3 × 3", "one 5 × 5"
    pairs, fives = three_seeds(logs, names, "the kernel")
    if any(log["parameters"] != parameters(net) for log in fives):
        raise NotYet(
            "The runs 'one 5 × 5' are of a network with another number of "
            f"parameters than yours, {parameters(net):,}."
        )
    if any(log["parameters"] == parameters(net) for log in pairs):
        raise NotYet("The runs 'pairs of 3 × 3' are not those of B.")
    return (
        "The network and three runs each are as they should be. Does your "
        "sentence say what else differs, beside the kernel?"
    )


def _b(kernel, convolutions, padding):
    layers, channels = [nn.ZeroPad2d(2)], 1
    for width in (8, 16, 32, 64, 64):
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, kernel, padding=padding)]
            layers += [nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *layers, nn.Flatten(),
        nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10),
    )  # fmt: skip


def wrong_3_7():
    runs = made_up_runs(("pairs of 3 × 3", 448_386), ("one 5 × 5", 471_050))

    def fives():
        return _b(5, 1, padding=2)

    yield Wrong(
        "still pairs", (lambda: _b(3, 2, 1), runs), "Not every convolution"
    )
    yield Wrong("pairs of 5 × 5", (lambda: _b(5, 2, 2), runs), "by one, with")
    yield Wrong("no padding", (lambda: _b(5, 1, 0), runs), "fails on images")
    name = "one 5 × 5"
    same = runs | {(name, s): runs["pairs of 3 × 3", s] for s in range(3)}
    yield Wrong("one run twice", (fives, same), "were copied", copied=True)
    yield Wrong(
        "frozen",
        (lambda: fives().requires_grad_(False), runs),
        "is frozen",
        copied=True,
    )


# 3.8: two 3 × 3 layers that are a given 5 × 5

STUB_3_8 = '''
def pair(kernel):
    """Two layers of 3 × 3 that equal the kernel (c_out, 3, 5, 5)."""
    raise NotImplementedError
'''


def check_3_8(pair):
    ask = function(pair, "pair")
    for c_out in (64, 10):
        kernel = torch.randn(c_out, 3, 5, 5)
        layers = parts(ask(kernel.clone()), "first", "second")
        first = tensor(layers[0], "first", (27, 3, 3, 3))
        second = tensor(layers[1], "second", (c_out, 27, 3, 3))
        image = torch.randn(1, 3, 12, 12, dtype=torch.float64)
        off = _off(F.conv2d(F.conv2d(image, first), second), image, kernel)
        if off < 1e-4:
            continue
        if c_out != 64:
            raise NotYet(
                f"It holds for a kernel of 64 maps, not for one of {c_out}: "
                "compute the second layer from the kernel."
            )
        mirrored = F.conv2d(F.conv2d(image, first), second.flip(2, 3))
        if _off(mirrored, image, kernel) < 1e-4:
            raise NotYet(
                "The second layer is mirrored: PyTorch lays a kernel on the "
                "image as it is."
            )
        if not first.any():
            raise NotYet("The first layer is zero, and so is all behind it.")
        raise NotYet(
            "The two steps give another answer than the kernel. Pixel (y, x) "
            "of the 5 × 5 is pixel (i, j) of the first layer and pixel "
            "(y - i, x - j) of the second: does each weight come in once?"
        )
    return "Two kernels drawn at random, and both of them equalled."


def _off(answer, image, kernel):
    right = F.conv2d(image, kernel.double())
    return (answer - right).abs().max() / right.abs().max()


def wrong_3_8():
    def built(second_pixel, share=lambda i, j, y, x: True):
        def pair(kernel):
            first = torch.zeros(27, 3, 3, 3)
            second = torch.zeros(len(kernel), 27, 3, 3)
            for c, i, j in itertools.product(range(3), range(3), range(3)):
                first[9 * c + 3 * i + j, c, i, j] = 1
                for y, x in itertools.product(
                    range(i, i + 3), range(j, j + 3)
                ):
                    if share(i, j, y, x):
                        row, column = second_pixel(y - i, x - j)
                        weight = kernel[:, c, y, x]
                        second[:, 9 * c + 3 * i + j, row, column] += weight
            return first, second

        return pair

    def once(i, j, y, x):
        return (i, j) == (min(y, 2), min(x, 2))

    def same(y, x):
        return y, x

    right = built(same, once)
    torch.manual_seed(1)
    fixed = right(torch.randn(64, 3, 5, 5))
    delta = torch.eye(3)[:, :, None, None]
    yield Wrong(
        "mirrored", built(lambda y, x: (2 - y, 2 - x), once), "is mirrored"
    )
    yield Wrong("each weight often", built(same), "come in once")
    yield Wrong("a pair for one kernel", lambda kernel: fixed, "come in once")
    yield Wrong(
        "only the first 64 maps",
        lambda kernel: right(kernel) if len(kernel) == 64 else (
            fixed[0], fixed[1][: len(kernel)]
        ),
        "compute the second layer",
    )  # fmt: skip
    yield Wrong(
        "the kernel itself, behind a layer that does nothing",
        lambda kernel: (delta, kernel),
        "first should have the shape (27, 3, 3, 3)",
        copied=True,
    )


# 3.9: RepVGG's three branches in one convolution

STUB_3_9 = '''
def merged(block):
    """One nn.Conv2d that answers as the block of three branches does."""
    raise NotImplementedError
'''


class _Branches(nn.Module):
    """The chapter's ThreeBranches, with numbers as if it were trained."""

    def __init__(self, channels):
        super().__init__()
        self.three = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.one = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.same = nn.BatchNorm2d(channels)
        for norm in (self.three[1], self.one[1], self.same):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
        self.eval()

    def forward(self, x):
        return self.three(x) + self.one(x) + self.same(x)


def check_3_9(merged):
    ask = function(merged, "merged")
    for channels in (6, 4):
        block = _Branches(channels)
        conv = network(ask(copy.deepcopy(block)), "What merged returns")
        shape = channels, channels, 3, 3
        if type(conv) is not nn.Conv2d or conv.weight.shape != shape:
            raise NotYet(
                "What merged returns should be a single nn.Conv2d from "
                f"{channels} to {channels} channels with a kernel of 3 × 3."
            )
        image = torch.randn(2, channels, 9, 9)
        answer = output(conv, image, "The merged convolution")
        answer = tensor(answer, "Its output", image.shape)
        with torch.no_grad():
            off = answer - block(image)
            missing = {
                "3 × 3": block.three, "1 × 1": block.one, "third": block.same,
            }  # fmt: skip
            missing = {
                name: branch(image) + off for name, branch in missing.items()
            }
        if off.abs().max() < 1e-3:
            continue
        if off.std((0, 2, 3)).max() < 1e-3:
            raise NotYet(
                "The kernel is right, the bias is not. Batch norm takes its "
                "mean away, scales, and adds its own bias: what does each of "
                "the three add to every place?"
            )
        for name, rest in missing.items():
            if rest.std((0, 2, 3)).max() < 1e-3:
                raise NotYet(
                    f"The {name} branch is missing in the kernel. What is it, "
                    "written as 3 × 3?"
                )
        inner = off[..., 1:-1, 1:-1]
        if inner.abs().max() < 1e-3:
            raise NotYet(
                "It is right but for the edges. Give the convolution the "
                "padding of the block's: zeros, one pixel wide."
            )
        raise NotYet(
            "Its answers are not those of the block in evaluation mode. Make "
            "of each branch a 3 × 3 kernel and a bias, compare it with the "
            "branch, and add the three."
        )
    return "One convolution, and the answers of three branches."


def wrong_3_9():
    def built(leave_out=(), shift=True, place=1, scaled=True):
        def merged(block):
            channels = len(block.same.weight)
            conv = nn.Conv2d(channels, channels, 3, padding=1)
            kernels = {
                "three": block.three[0].weight,
                "one": torch.zeros_like(conv.weight),
                "same": torch.zeros_like(conv.weight),
            }
            kernels["one"][:, :, place, place] = block.one[0].weight[..., 0, 0]
            kernels["same"][:, :, 1, 1] = torch.eye(channels)
            norms = {
                "three": block.three[1], "one": block.one[1],
                "same": block.same,
            }  # fmt: skip
            with torch.no_grad():
                conv.weight.zero_(), conv.bias.zero_()
                for name, norm in norms.items():
                    size = norm.weight / (norm.running_var + norm.eps).sqrt()
                    size = size if scaled else torch.ones_like(size)
                    conv.bias += norm.bias - shift * size * norm.running_mean
                    if name not in leave_out:
                        conv.weight += (
                            size[:, None, None, None] * kernels[name]
                        )
            return conv

        return merged

    yield Wrong("no identity", built(["same"]), "The third branch is missing")
    yield Wrong("no 1 × 1", built(["one"]), "The 1 × 1 branch is missing")
    yield Wrong("means forgotten", built(shift=False), "the bias is not")
    yield Wrong("1 × 1 in a corner", built(place=0), "compare it with the")
    yield Wrong("no batch norm", built(scaled=False), "compare it with the")
    yield Wrong(
        "the block itself",
        lambda block: block,
        "should be a single nn.Conv2d",
        copied=True,
    )
