"""Checks of chapter 2, AlexNet."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from chapters.checks._kinds import (
    Calls,
    NotYet,
    Wrong,
    all_learn,
    described,
    function,
    made,
    made_up_runs,
    number,
    output,
    parameters,
    parts,
    tensor,
    three_seeds,
    whole,
)

# 2.1: what LeNet's first linear layer reads

STUB_2_1 = '''
def inputs(n):
    """Inputs of LeNet's first linear layer for images of n × n pixels."""
    raise NotImplementedError
'''


def check_2_1(inputs):
    ask = function(inputs, "inputs")
    with torch.device("meta"):
        features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.AvgPool2d(2),
        )  # fmt: skip
    for n in (28, 32, 45, 64, 99):
        answer = whole(ask(n), f"inputs({n})")
        _, channels, side, _ = features(
            torch.empty(1, 1, n, n, device="meta")
        ).shape
        if answer == channels * side**2:
            continue
        if answer in (side, side**2):
            raise NotYet(
                f"inputs({n}) is the side of the map, or its places. "
                "The linear layer reads all of its channels."
            )
        if n in (28, 32):
            raise NotYet(
                f"inputs({n}) is {answer:,}, and LeNet hands over another "
                "number. Go from layer to layer: which of the two "
                "convolutions has padding, and what does a pooling do?"
            )
        raise NotYet(
            f"It holds for 28 and 32 pixels, not for {n}. Derive it from "
            "n; a pooling rounds down."
        )
    return "It agrees with LeNet's layers for images of five sizes."


def wrong_2_1():
    def without_padding(n):
        return 16 * (((n - 4) // 2 - 4) // 2) ** 2

    def not_rounded(n):
        return round(16 * ((n / 2 - 4) / 2) ** 2)

    yield Wrong("a side", lambda n: (n // 2 - 4) // 2, "all of its channels")
    yield Wrong("no padding", without_padding, "which of the two")
    yield Wrong("not rounded", not_rounded, "rounds down")
    yield Wrong(
        "constants",
        lambda n: 400 if n == 28 else 576,
        "holds for 28 and 32 pixels, not for 45",
        copied=True,
    )


# 2.2: input sizes that lead to 6 × 6

STUB_2_2 = '''
def pool5_side(n, padding):
    """Side of the map before fc6; n pixels, this padding in conv1."""
    raise NotImplementedError
'''


def check_2_2(pool5_side):
    ask = function(pool5_side, "pool5_side")
    ranges = {}
    for padding in (0, 2):
        with torch.device("meta"):
            conv1 = nn.Conv2d(1, 1, 11, stride=4, padding=padding)
            pool = nn.MaxPool2d(3, stride=2)
            layers = nn.Sequential(conv1, pool, pool, pool)
            right = {
                n: layers(torch.empty(1, 1, n, n)).shape[-1]
                for n in range(160, 300)
            }
        given = {
            n: whole(ask(n, padding), f"pool5_side({n}, {padding})")
            for n in right
        }
        if given == right:
            ranges[padding] = [n for n, side in given.items() if side == 6]
            continue
        if len(set(given.values())) < 4:
            raise NotYet(
                "It tells 6 from the rest and does not compute the side. Go "
                "through conv1 and the poolings, one after the other."
            )
        n = next(n for n in right if given[n] != right[n])
        if given[n] > 1.5 * right[n]:
            raise NotYet(
                f"pool5_side({n}, {padding}) is {given[n]}, about twice too "
                "large: how many poolings are there?"
            )
        raise NotYet(
            f"pool5_side({n}, {padding}) is {given[n]}, and the layers say "
            "otherwise. Look at kernel, stride and padding of conv1, at the "
            "pooling windows of 3, and where the division is rounded."
        )
    sixes = " and ".join(str(len(found)) for found in ranges.values())
    return f"280 sides agree with the layers; {sixes} of them are 6."


def wrong_2_2():
    def side(n, padding, poolings=3, window=3):
        n = (n + 2 * padding - 11) // 4 + 1
        for _ in range(poolings):
            n = (n - window) // 2 + 1
        return n

    yield Wrong(
        "two poolings",
        lambda n, padding: side(n, padding, poolings=2),
        "how many poolings",
    )
    yield Wrong(
        "windows of 2",
        lambda n, padding: side(n, padding, window=2),
        "pooling windows of 3",
    )
    yield Wrong(
        "padding on one side",
        lambda n, padding: side(n - padding, padding),
        "padding of conv1",
    )
    yield Wrong(
        "the two ranges, copied",
        lambda n, p: 6 if 227 <= n + 2 * p <= 258 else 5,
        "does not compute the side",
        copied=True,
    )


# 2.3: the stride of conv2

STUB_2_3 = '''
def conv2_macs(stride):
    """MACs of conv2 in the two-tower network, if it had this stride."""
    raise NotImplementedError
'''


def check_2_3(conv2_macs):
    ask = function(conv2_macs, "conv2_macs")
    for stride in (1, 2, 3, 4):
        answer = number(ask(stride), f"conv2_macs({stride})")
        with torch.device("meta"):
            conv = nn.Conv2d(96, 256, 5, stride, padding=2, groups=2)
            side = conv(torch.empty(1, 96, 27, 27)).shape[-1]
        right = conv.weight.numel() * side**2
        if answer == right:
            continue
        if answer == 2 * right:
            raise NotYet(
                "That is twice the work: in the two-tower network a kernel "
                "reads the channels of its own card only."
            )
        if stride == 1:
            raise NotYet(
                f"conv2_macs(1) is {answer:,.0f}; the table of layers has "
                "another number. MACs are places times weights."
            )
        if abs(answer - right) < 0.01 * right and stride == 2:
            raise NotYet(
                "conv2_macs(2) is close, but MACs are whole numbers and can "
                "be counted. Do not take them from the factor."
            )
        raise NotYet(
            f"conv2_macs({stride}) is {answer:,.0f}. The weights stay; count "
            "the places that a stride leaves of 27 + 2 · 2 pixels."
        )
    factor = ask(1) / ask(2)
    return (
        f"MACs agree with the layer's for four strides; factor {factor:.2f}."
    )


def wrong_2_3():
    weights = 256 * 25 * 48

    def one_tower(stride):
        return 2 * weights * ((27 - 1) // stride + 1) ** 2

    yield Wrong("groups forgotten", one_tower, "of its own card")
    yield Wrong(
        "a quarter", lambda s: weights * 27**2 // s**2, "count the places"
    )
    yield Wrong("weights only", lambda s: weights, "places times weights")
    yield Wrong(
        "the factor, copied",
        lambda s: weights * 27**2 / 3.72 ** (s - 1),
        "can be counted",
        copied=True,
    )
    yield Wrong("the factor alone", 3.72, "Hand over the function", True)


# 2.4: pooling without overlap

STUB_2_4 = '''
def without_overlap():
    """The small AlexNet for 31 pixels, untrained, with windows of 2."""
    raise NotImplementedError
'''


def check_2_4(without_overlap):
    net = made(without_overlap, "without_overlap")
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    if [conv.out_channels for conv in convolutions] != [24, 64, 96, 96, 64]:
        raise NotYet(
            "without_overlap should make small_alexnet(side=31) with other "
            "poolings; its convolutions are others."
        )
    windows = [
        (m.kernel_size, m.stride)
        for m in net.modules()
        if isinstance(m, nn.MaxPool2d)
    ]
    if [w in ((2, 2), ((2, 2), (2, 2))) for w in windows] != [True] * 3:
        raise NotYet(
            "Each of the three poolings needs a window of 2 and a stride of "
            f"2; this network has {len(windows)} and not all are so."
        )
    images = torch.randn(4, 1, 31, 31)
    tensor(output(net, images, "The network"), "Its output", (4, 10))
    all_learn(net, images, "The network")
    wanted = parameters(_small(3, reads=576))
    if parameters(net) != wanted:
        raise NotYet(
            f"It has {parameters(net):,} parameters, and the one with overlap "
            f"{wanted:,}. Pool by windows of 2, and change nothing else."
        )
    return (
        "Windows of 2, and as many parameters as with overlap. Does your "
        "sentence say which rates the table has, and how far the seeds differ?"
    )


def _small(window=2, activation=nn.ReLU, reads=576, hidden=1024):
    """The chapter's small network, for the wrong answers."""

    def pool():
        return nn.MaxPool2d(window, stride=2)

    return nn.Sequential(
        nn.Conv2d(1, 24, 5, padding=2), activation(), pool(),
        nn.Conv2d(24, 64, 5, padding=2), activation(), pool(),
        nn.Conv2d(64, 96, 3, padding=1), activation(),
        nn.Conv2d(96, 96, 3, padding=1), activation(),
        nn.Conv2d(96, 64, 3, padding=1), activation(), pool(),
        nn.Flatten(),
        nn.Linear(reads, hidden), activation(), nn.Dropout(0.5),
        nn.Linear(hidden, hidden), activation(), nn.Dropout(0.5),
        nn.Linear(hidden, 10),
    )  # fmt: skip


def wrong_2_4():
    def frozen():
        return _small().requires_grad_(False)

    yield Wrong("windows of 3", lambda: _small(3), "a window of 2")
    yield Wrong("fc6 of 28 pixels", lambda: _small(reads=256), "fails on")
    yield Wrong("narrow", lambda: _small(hidden=512), "change nothing else")
    yield Wrong("a network", _small(), "Hand over the function")
    yield Wrong("frozen", frozen, "is frozen", copied=True)


# 2.5: dropout in one line

STUB_2_5 = '''
def dropout_by_hand(x, p):
    """x in training: each value is dropped with probability p."""
    raise NotImplementedError
'''


def check_2_5(dropout_by_hand):
    ask = function(dropout_by_hand, "dropout_by_hand")
    for p in (0.8, 0.5, 0.1):
        x = 1 + torch.rand(400, 400, dtype=torch.float64)
        with Calls() as calls:
            once = tensor(ask(x.clone(), p), "The result", x.shape)
        again = tensor(ask(x.clone(), p), "The result", x.shape)
        if any("dropout" in name for name in calls.names):
            raise NotYet("That is PyTorch's own dropout. Write it by hand.")
        dropped = (once == 0).double().mean()
        here = f"With p = {p:g}"
        if not once.any():
            raise NotYet(f"{here} everything is dropped.")
        if torch.equal(once == 0, again == 0):
            raise NotYet("It drops the same values each time: draw them anew.")
        zeros = (once == 0).double()
        shares = torch.cat([zeros.mean(0), zeros.mean(1)])
        if (shares - dropped).abs().max() > 0.15:
            raise NotYet(
                "It does not draw for each value on its own: some rows or "
                "columns lose far more than others."
            )
        if abs(dropped - p) > 0.02:
            if abs(dropped - (1 - p)) < 0.02:
                raise NotYet(
                    f"{here} the share that is dropped is {dropped:.1f}. p "
                    "is the probability of dropping, not of keeping."
                )
            raise NotYet(f"{here} the share that is dropped is {dropped:.2f}.")
        factors = (once / x)[once != 0]
        if not torch.allclose(factors, factors.new_tensor(1 / (1 - p))):
            raise NotYet(
                f"{here} the mean of many ones becomes "
                f"{factors.mean() * (1 - dropped):.2f}. What must the values "
                "that stay be multiplied by, to keep it at 1?"
            )
    x = torch.ones(50, requires_grad=True, dtype=torch.float64)
    kept = ask(x, 0.5)
    (slope,) = torch.autograd.grad(kept.sum(), x)
    if not torch.allclose(slope, kept.detach()):
        raise NotYet("The gradient does not pass where a value is kept.")
    return "Shares, means and gradients are dropout's, for three values of p."


def wrong_2_5():
    def first_values(x, p):
        order = torch.arange(x.numel()).view(x.shape) / x.numel()
        return x * (order >= p) / (1 - p)

    def a_row(x, p):
        return x * (torch.rand(len(x), 1) >= p) / (1 - p)

    yield Wrong(
        "not scaled",
        lambda x, p: x * (torch.rand_like(x) >= p),
        "multiplied by",
    )
    yield Wrong(
        "keeps with p",
        lambda x, p: x * (torch.rand_like(x) < p) / p,
        "not of keeping",
    )
    yield Wrong("whole rows", a_row, "each value on its own")
    yield Wrong("PyTorch's", F.dropout, "by hand")
    yield Wrong(
        "the same ones each time", first_values, "draw them anew", copied=True
    )
    yield Wrong("the 5 copied", lambda x, p: 5 * (
        x * (torch.rand_like(x) >= p)
    ), "mean of many ones", copied=True)  # fmt: skip


# 2.6: two cards that do not exchange their maps

STUB_2_6 = """
apart = CONVOLUTIONS  # the table, changed
saved_parameters, saved_macs = None, None
"""
TABLE = (
    ("conv1", 96, 11, 4, 0, 1),
    ("conv2", 256, 5, 1, 2, 2),
    ("conv3", 384, 3, 1, 1, 1),
    ("conv4", 384, 3, 1, 1, 2),
    ("conv5", 256, 3, 1, 1, 2),
)


def check_2_6(answer):
    apart, saved_parameters, saved_macs = parts(
        answer, "apart", "saved_parameters", "saved_macs"
    )
    try:
        rows = {row[0]: tuple(row) for row in apart}
    except Exception:
        rows = {}
    if list(rows) != [row[0] for row in TABLE]:
        raise NotYet(
            "apart should be a table like CONVOLUTIONS, with its five rows; "
            f"it is {described(apart)}."
        )
    for name, *row in TABLE:
        if name != "conv3" and rows[name] != (name, *row):
            raise NotYet(f"Only conv3 should change; {name} did.")
    if rows["conv3"] == TABLE[2]:
        raise NotYet("In apart, conv3 still reads the maps of both cards.")
    if rows["conv3"] != (*TABLE[2][:-1], 2):
        raise NotYet("In conv3 only the number of groups should change, to 2.")
    weights, places = 384 * 9 * 256 // 2, 13**2
    saved_parameters = whole(saved_parameters, "saved_parameters")
    saved_macs = whole(saved_macs, "saved_macs")
    if saved_parameters != weights:
        raise NotYet(
            f"It does not save {saved_parameters:,} parameters. Take the "
            "network's number from that of the network before; the biases "
            "stay."
        )
    if saved_macs == weights:
        raise NotYet("MACs: each weight works at every place of the map.")
    if saved_macs != places * weights:
        raise NotYet(
            f"It does not save {saved_macs:,} MACs. On how many places does "
            "conv3 stand?"
        )
    return "Half of conv3's weights go, and their work at every place."


def wrong_2_6():
    right = tuple((*r[:-1], 2) if r[0] == "conv3" else r for r in TABLE)
    everywhere = tuple((*r[:-1], 2) for r in TABLE)
    saved = 442_368, 74_760_192
    yield Wrong("two groups everywhere", (everywhere, *saved), "conv1 did")
    yield Wrong("what is left", (right, 60_522_856, saved[1]), "from that of")
    yield Wrong("no places", (right, saved[0], saved[0]), "every place")
    yield Wrong(
        "the numbers, copied",
        (TABLE, *saved),
        "still reads the maps of both",
        copied=True,
    )


# 2.7: tanh against ReLU

STUB_2_7 = '''
def with_tanh():
    """The small AlexNet, untrained, with tanh in place of ReLU."""
    raise NotImplementedError


activation_runs = {}  # (name, seed): log; "ReLU" and "tanh", seeds 0, 1, 2
'''


def check_2_7(answer):
    make, runs = parts(answer, "with_tanh", "activation_runs")
    net = made(make, "with_tanh")
    kinds = [type(module) for module in net.modules()]
    if nn.ReLU in kinds:
        raise NotYet(f"{kinds.count(nn.ReLU)} ReLUs are left in the network.")
    if kinds.count(nn.Tanh) != 7:
        raise NotYet(
            f"The network has {kinds.count(nn.Tanh)} layers nn.Tanh; the "
            "small one has seven activations."
        )
    images = torch.randn(4, 1, 28, 28)
    tensor(output(net, images, "The network"), "Its output", (4, 10))
    all_learn(net, images, "The network")
    for log in sum(three_seeds(runs, ("ReLU", "tanh"), "the activation"), []):
        if log["parameters"] != parameters(net):
            raise NotYet(
                "The runs are not all of a network with "
                f"{parameters(net):,} parameters, as yours has."
            )
    *hidden, _ = (m for m in net.modules() if hasattr(m, "weight"))
    for layer in hidden:
        # As nn.init counts: numbers that a value reads, and that read it.
        places = layer.weight[0, 0].numel()
        fans = places * (layer.weight.shape[0] + layer.weight.shape[1])
        xavier, found = math.sqrt(2 / fans), layer.weight.std().item()
        if not 0.85 < found / xavier < 1.15:
            raise NotYet(
                f"The weights of {layer} start with a deviation of "
                f"{found:.3f}; Xavier's start gives {xavier:.3f}. Which "
                "function of nn.init is it?"
            )
    return (
        "The network and three runs each are as they should be. Does your "
        "sentence say more than three seeds can show?"
    )


def wrong_2_7():
    def tanh():
        return _small(3, nn.Tanh, reads=256)

    def frozen():
        return tanh().requires_grad_(False)

    count = parameters(tanh())
    runs = made_up_runs(("ReLU", count), ("tanh", count))
    relu = lambda: _small(3, reads=256)  # noqa: E731
    yield Wrong("still ReLU", (relu, runs), "ReLUs are left")
    halves = {key: run for key, run in runs.items() if key[1] < 2}
    yield Wrong("two seeds", (tanh, halves), "three seeds are needed")
    other = {
        key: run | {"recipe": {"epochs": len(key[0])}}
        for key, run in runs.items()
    }
    other["tanh", 0] = other["tanh", 0] | {"recipe": {"epochs": 9}}
    yield Wrong("another recipe", (tanh, other), "the same recipe")
    same = runs | {("tanh", s): runs["ReLU", s] for s in range(3)}
    yield Wrong("one run twice", (tanh, same), "copied", copied=True)
    yield Wrong("frozen", (frozen, runs), "is frozen", copied=True)
    yield Wrong("PyTorch's start", (tanh, runs), "Xavier's start gives")
