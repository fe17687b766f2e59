"""Checks of chapter 7, DenseNet."""

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
    log,
    made,
    made_up_log,
    network,
    number,
    output,
    parameters,
    parts,
    same_conditions,
    tensor,
    whole,
)


class _Block(nn.Module):
    """The chapter's DenseBlock with bottlenecks, with numbers as if it were
    trained."""

    def __init__(self, channels, count, growth):
        super().__init__()
        self.layers = nn.Sequential()
        for i in range(count):
            read = channels + i * growth
            self.layers.append(
                nn.Sequential(
                    nn.BatchNorm2d(read),
                    nn.ReLU(),
                    nn.Conv2d(read, 4 * growth, 1, bias=False),
                    nn.BatchNorm2d(4 * growth),
                    nn.ReLU(),
                    nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
                )
            )
        self.outputs = channels + count * growth
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2)
        self.eval()

    def forward(self, x):
        kept = [x]
        for layer in self.layers:
            kept.append(layer(torch.cat(kept, 1)))
        return torch.cat(kept, 1)


# 7.1: the books

STUB_7_1 = '''
def channels(first, counts, growth, compression):
    """The channels behind each block and each transition, in order."""
    raise NotImplementedError
'''


def _books(first, counts, growth, compression):
    books, now = [], first
    for place, count in enumerate(counts):
        if place:
            now = int(compression * now)
            books.append(now)
        now += growth * count
        books.append(now)
    return books


def check_7_1(channels):
    ask = function(channels, "channels")
    for case in (
        (64, (6, 12, 24, 16), 32, 0.5),
        (96, (6, 12, 36, 24), 48, 0.5),
        (16, (12, 12, 12), 12, 1.0),
        (18, (5, 5, 5), 9, 0.5),
        (24, (3,), 12, 0.5),
    ):
        answer = ask(*case)
        here = f"channels{case}"
        try:
            answer = list(answer)
        except Exception:
            raise NotYet(
                f"{here} should be a list; it is {described(answer)}."
            ) from None
        answer = [whole(value, f"An entry of {here}") for value in answer]
        right, blocks = _books(*case), len(case[1])
        if answer == right:
            continue
        if len(answer) == 2 * blocks:
            raise NotYet(
                "One entry too many: behind the last block there is no "
                "transition."
            )
        if len(answer) != len(right):
            raise NotYet(
                f"{here} has {len(answer)} entries; {blocks} blocks and the "
                f"transitions between them make {len(right)}."
            )
        if case[0] != 64:
            rounded = all(
                abs(a - b) <= 1 + 0.1 * b
                for a, b in zip(answer, right, strict=True)
            )
            raise NotYet(
                f"{here}: an odd number is halved there. A transition rounds "
                "down."
                if case[0] == 18 and rounded
                else f"It holds for DenseNet-121, and {here} is {answer}: "
                "compute it from all four arguments."
            )
        place = next(
            i for i, pair in enumerate(zip(answer, right, strict=True))
            if pair[0] != pair[1]
        )  # fmt: skip
        raise NotYet(
            f"Entry {place} of DenseNet-121 should not be {answer[place]:,}. "
            + (
                "A transition keeps that part of what it is given."
                if place % 2
                else "A block adds k channels a layer to what it begins with."
            )
        )
    return "Five networks, from one block to four, and the rounding."


def wrong_7_1():
    def built(keep_input=True, end=False, halve=int):
        def channels(first, counts, growth, compression):
            books, now = [], first
            for count in counts:
                now = growth * count + (now if keep_input else 0)
                books.append(now)
                now = halve(compression * now)
                books.append(now)
            return books if end else books[:-1]

        return channels

    yield Wrong("input forgotten", built(False), "to what it begins with")
    yield Wrong("a transition too many", built(end=True), "no transition")
    yield Wrong("rounded up", built(halve=math.ceil), "rounds down")
    yield Wrong(
        "copied",
        lambda *_: [256, 128, 512, 256, 1024, 512, 1024],
        "from all four arguments",
        copied=True,
    )
    yield Wrong(
        "always halved",
        lambda first, counts, growth, _: _books(first, counts, growth, 0.5),
        "from all four arguments",
        copied=True,
    )


# 7.2: where the bottleneck pays

STUB_7_2 = '''
multiple = None  # of k


def limit(m):
    """The channels, as a multiple of k, from which on m k maps save."""
    raise NotImplementedError
'''


def check_7_2(answer):
    multiple, limit = parts(answer, "multiple", "limit")
    multiple = number(multiple, "multiple")
    ask = function(limit, "limit")
    if abs(multiple - 36 / 9) < 0.01 or abs(multiple - 9) < 0.01:
        raise NotYet(
            "The two sides are 4kc + 36k² and 9kc. Bring what has c to one "
            "side."
        )
    if abs(multiple - 7.2) > 0.005:
        raise NotYet(
            f"{float(multiple):.4g} k is not the limit. Write down the "
            "weights of both, with and without the 1 × 1, and divide by k."
        )
    for m in (4, 1, 2, 8, 3.5):
        value = number(ask(m), f"limit({m})")
        if not math.isclose(value, 9 * m / (9 - m), rel_tol=1e-6):
            raise NotYet(
                f"limit({m}) is {float(value):.4g}. With m k maps in the "
                "middle there are m k c weights in the 1 × 1 and 9 m k² in "
                "the 3 × 3."
            )
    for m in (9, 12):
        value = ask(m)
        if value != math.inf:
            raise NotYet(
                f"limit({m}) is {described(value)}. There the 1 × 1 alone "
                "has as many weights as the 3 × 3 without it: it never saves."
            )
    return "7.2 k for the paper's 4, and the limit for seven others."


def wrong_7_2():
    def limit(m):
        return 9 * m / (9 - m) if m < 9 else math.inf

    yield Wrong("36 / 9", (4, limit), "Bring what has c")
    yield Wrong("without m in the 3 × 3", (1.8, limit), "divide by k")
    yield Wrong(
        "no infinity", (7.2, lambda m: 9 * m / (9 - m + 1e-12)), "never saves"
    )
    yield Wrong(
        "copied", (7.2, lambda m: 7.2), "9 m k² in the 3 × 3", copied=True
    )


# 7.3: a dense block that adds

STUB_7_3 = '''
def in_place(block):
    """A module that answers as the block does, and only adds."""
    raise NotImplementedError
'''


def check_7_3(in_place):
    ask = function(in_place, "in_place")
    for channels, count, growth in ((6, 3, 4), (5, 1, 2), (8, 5, 3)):
        block = _Block(channels, count, growth)
        x = torch.randn(2, channels, 5, 5)
        with torch.no_grad():
            right = block(x)
        net = network(ask(block), "What in_place returns").eval()
        with Calls() as calls:
            answer = output(net, x, "What in_place returns")
        if answer.ndim != 4:
            answer = tensor(answer, "Its output", right.shape)
        if answer.shape != right.shape:
            raise NotYet(
                f"From {channels} channels and {count} layers of {growth} "
                f"come {answer.shape[1]} channels; the block hands on "
                f"{right.shape[1]}."
            )
        answer = tensor(answer, "Its output", right.shape)
        right = right.double()
        if not torch.allclose(answer[:, :channels], right[:, :channels]):
            raise NotYet(
                "The first channels are the block's input. Nothing may be "
                "added to them."
            )
        if not torch.allclose(answer, right, atol=1e-5):
            off = (answer - right).abs().amax((0, 2, 3)) > 1e-5
            first = (off.nonzero()[0].item() - channels) // growth
            raise NotYet(
                f"The maps of layer {first + 1} are not the block's. What "
                "does it read, and at which channel does it begin to write?"
            )
        if {"cat", "concat", "concatenate"} & calls.names:
            raise NotYet(
                "The answers are right, but something is still put side by "
                "side by torch.cat. F.pad appends the zeros, and + does the "
                "rest."
            )
    return "Three blocks translated: the same answers, and nothing joined."


class _Adds(nn.Module):
    def __init__(self, block, start=0, keep=True):
        super().__init__()
        self.layers, self.outputs = block.layers, block.outputs
        self.start, self.keep = start, keep

    def forward(self, x):
        place = x.shape[1]
        state = F.pad(x, (0, 0, 0, 0, 0, self.outputs - place))
        for layer in self.layers:
            new = layer(state[:, :place])
            before = min(place, self.outputs - new.shape[1]) - self.start
            after = self.outputs - before - new.shape[1]
            new = F.pad(new, (0, 0, 0, 0, before, after))
            state = state + new if self.keep else new
            place = min(place + layer[-1].out_channels, self.outputs)
        return state


def wrong_7_3():
    yield Wrong(
        "one channel early",
        lambda block: _Adds(block, start=1),
        "Nothing may be added to them",
    )
    yield Wrong(
        "replaced, not added",
        lambda block: _Adds(block, keep=False),
        "Nothing may be added to them",
    )
    yield Wrong(
        "the layers in a row",
        lambda block: block.layers[0],
        "the block hands on",
    )
    yield Wrong(
        "the block itself",
        lambda block: block,
        "put side by side by torch.cat",
        copied=True,
    )


# 7.4: what basic layers keep

STUB_7_4 = '''
def kept_by_basic(channels, count, growth):
    """Maps that the backward pass keeps, for layers without bottleneck."""
    raise NotImplementedError
'''


def check_7_4(kept_by_basic):
    ask = function(kept_by_basic, "kept_by_basic")
    for c, n, k in ((16, 16, 8), (16, 4, 8), (24, 7, 12), (5, 1, 3)):
        answer = whole(ask(c, n, k), f"kept_by_basic({c}, {n}, {k})")
        right = 2 * n * c + k * n * (n - 1)
        if answer == right:
            continue
        if answer == right + 8 * k * n:
            raise NotYet(
                "That is (7.4). These layers have no 1 × 1 and nothing "
                "behind it."
            )
        if 2 * answer == right:
            raise NotYet(
                "Once for batch norm's input, once for what ReLU hands to "
                "the convolution: two tensors a layer."
            )
        if answer == 2 * n * c + k * n * (n + 1):
            raise NotYet(
                "The first layer reads the block's input alone: i goes from "
                "0 to n - 1."
            )
        raise NotYet(
            f"kept_by_basic({c}, {n}, {k}) is {answer:,}. Add up, for each "
            "layer, what it reads, twice; kept_maps of the chapter measures "
            "it."
        )
    return "The sum agrees with what PyTorch keeps, for four blocks."


def wrong_7_4():
    yield Wrong(
        "(7.4)",
        lambda c, n, k: n * (2 * c + 8 * k) + k * n * (n - 1),
        "That is (7.4)",
    )
    yield Wrong(
        "once", lambda c, n, k: n * c + k * n * (n - 1) // 2, "two tensors"
    )
    yield Wrong(
        "from one on", lambda c, n, k: 2 * n * c + k * n * (n + 1), "0 to n"
    )
    yield Wrong(
        "copied", lambda c, n, k: 2432, "what it reads, twice", copied=True
    )


# 7.5: running averages that move once

STUB_7_5 = '''
def momentum(m):
    """Of a batch norm that runs twice and is to move as one of m."""
    raise NotImplementedError
'''


def check_7_5(momentum):
    ask = function(momentum, "momentum")
    for m in (0.1, 0.4, 0.01, 1.0):
        value = number(ask(m), f"momentum({m})")
        twice = nn.BatchNorm2d(4, momentum=float(value)).double()
        once = nn.BatchNorm2d(4, momentum=m).double()
        x = 1 + torch.randn(8, 4, 5, 5, dtype=torch.double)
        once(x), twice(x), twice(x)
        for name in ("running_mean", "running_var"):
            if torch.allclose(
                getattr(once, name), getattr(twice, name), atol=1e-6
            ):
                continue
            if math.isclose(value, m / 2):
                raise NotYet(
                    "Half is near, and not it: the second update starts from "
                    "where the first has left off, and moves a part of what "
                    "remains."
                )
            raise NotYet(
                f"With momentum({m}) = {float(value):.4g} two updates leave "
                f"{(1 - value) ** 2:.4g} of the old average; one of {m} "
                f"leaves {1 - m:.4g}."
            )
    return "Two updates moved as far as one, for four momenta."


def wrong_7_5():
    yield Wrong("half", lambda m: m / 2, "Half is near")
    yield Wrong("the same", lambda m: m, "leave 0.81 of the old")
    yield Wrong("the root", lambda m: m**0.5, "of the old average")
    yield Wrong(
        "copied", lambda m: 1 - 0.9**0.5, "of the old average", copied=True
    )


# 7.6: the transitions of the paper's text

STUB_7_6 = '''
def as_in_the_text():
    """small(16, 8), without ReLU in its two transitions."""
    raise NotImplementedError


log_code, log_text = None, None  # of fit
'''


def check_7_6(answer):
    make, code, text = parts(answer, "as_in_the_text", "log_code", "log_text")
    net = made(make, "as_in_the_text")
    images = torch.randn(2, 3, 32, 32)
    tensor(output(net, images, "The network"), "Its output", (2, 10))
    if parameters(net) != 46_650:
        raise NotYet(
            f"The network has {parameters(net):,} parameters. ReLU has none: "
            "small(16, 8) has 46,650, and so should this one."
        )
    relus = sum(isinstance(module, nn.ReLU) for module in net.modules())
    if relus == 27:
        raise NotYet("All 27 ReLUs of small(16, 8) are still there.")
    if relus != 25:
        raise NotYet(
            f"{27 - relus} ReLUs are gone. There are two transitions, and "
            "one ReLU in each."
        )
    # Behind the batch norm of a transition values below zero go on.
    norms = [
        module for module in net.modules()
        if isinstance(module, nn.BatchNorm2d) and module.num_features == 48
    ]  # fmt: skip
    seen = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.register_forward_pre_hook(
                lambda conv, given: seen.append((given[0] < 0).any().item())
            )
    output(net.train(), images, "The network")
    if not norms or sum(seen) != 2:
        raise NotYet(
            "Two ReLUs are gone, but not those of the transitions: between "
            "their batch norm and their 1 × 1 convolution."
        )
    all_learn(net, images, "The network")
    logs = log(code, "log_code"), log(text, "log_text")
    same_conditions(logs, "the ReLU")
    if any(one["parameters"] != 46_650 for one in logs):
        raise NotYet("One of the logs is of another network.")
    if logs[0]["epochs"] == logs[1]["epochs"]:
        raise NotYet(
            "Both logs have exactly the same epochs: one of them was copied."
        )
    return "The network is the text's, and both runs had one recipe."


class _Small(nn.Sequential):
    """The chapter's small(16, 8), with ReLUs where they are wanted."""

    def __init__(self, between=nn.Identity, end=nn.ReLU, outputs=None):
        layers, now = [nn.Conv2d(3, 16, 3, 2, 1, bias=False)], 16
        for place in range(3):
            if place:
                fewer = outputs or now // 2
                layers.append(
                    nn.Sequential(
                        nn.BatchNorm2d(now),
                        between(),
                        nn.Conv2d(now, fewer, 1, bias=False),
                        nn.AvgPool2d(2),
                    )
                )
                now = fewer
            layers.append(_Block(now, 4, 8))
            now += 32
        super().__init__(
            *layers,
            nn.BatchNorm2d(now),
            end(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(now, 10),
        )


def wrong_7_6():
    logs = made_up_log(0, 1.0, 46_650), made_up_log(0, 2.0, 46_650)
    yield Wrong(
        "all still there",
        (lambda: _Small(between=nn.ReLU), *logs),
        "are still there",
    )
    yield Wrong(
        "one too many", (lambda: _Small(end=nn.Identity), *logs), "3 ReLUs"
    )
    yield Wrong(
        "other widths", (lambda: _Small(outputs=16), *logs), "parameters. ReLU"
    )
    yield Wrong(
        "one run twice", (_Small, logs[0], logs[0]), "was copied", copied=True
    )


# 7.7: without a layer

STUB_7_7 = '''
def loss_without_layer(net, place, number, x, labels):
    """The loss when a layer of block net[place] writes its mean only."""
    raise NotImplementedError
'''


def check_7_7(loss_without_layer):
    ask = function(loss_without_layer, "loss_without_layer")
    net = _Small(between=nn.ReLU)
    net.eval()
    x, labels = torch.randn(6, 3, 16, 16), torch.arange(6)
    with torch.no_grad():
        whole_loss = F.cross_entropy(net(x), labels).item()
    before = [value.clone() for value in net.state_dict().values()]
    for place, layer in ((1, 0), (3, 2), (5, 3)):
        right, zeroed = (
            _without(net, place, layer, x, labels, mean)
            for mean in (True, False)
        )
        here = f"loss_without_layer(net, {place}, {layer}, x, labels)"
        value = number(ask(net, place, layer, x, labels), here)
        with torch.no_grad():
            again = F.cross_entropy(net(x), labels).item()
        after = net.state_dict().values()
        same = all(map(torch.equal, before, after))
        if not same or not math.isclose(again, whole_loss, rel_tol=1e-6):
            raise NotYet(
                "The network is not as it was: is the hook removed, are its "
                "weights and its mode the same?"
            )
        if math.isclose(value, right, rel_tol=1e-4):
            continue
        if math.isclose(value, zeroed, rel_tol=1e-4):
            raise NotYet(
                "You have put zeros there. Zero is not the mean of these maps."
            )
        if math.isclose(value, whole_loss, rel_tol=1e-5):
            raise NotYet(f"{here} is the loss of the whole network.")
        if math.isclose(value, right - whole_loss, rel_tol=1e-3):
            raise NotYet(
                "That is what the loss grows by; the loss itself is wanted."
            )
        raise NotYet(
            f"{here} should not be {float(value):.4g}. Each map of the layer "
            "gets one number: its mean over all images and places."
        )
    return "Three layers taken out, and the network as it was."


@torch.no_grad()
def _without(net, place, layer, x, labels, mean):
    def changed(module, given, written):
        if not mean:
            return torch.zeros_like(written)
        return written.mean((0, 2, 3), keepdim=True).expand_as(written)

    hook = net[place].layers[layer].register_forward_hook(changed)
    loss = F.cross_entropy(net(x), labels).item()
    hook.remove()
    return loss


def wrong_7_7():
    def forgotten(net, place, layer, x, labels):
        with torch.no_grad():
            net[place].layers[layer][-1].weight.zero_()
            return F.cross_entropy(net(x), labels).item()

    def whole_loss(net, *rest):
        with torch.no_grad():
            return F.cross_entropy(net(rest[2]), rest[3]).item()

    yield Wrong(
        "zeros", lambda *given: _without(*given, mean=False), "put zeros"
    )
    yield Wrong("weights left at zero", forgotten, "not as it was")
    yield Wrong("the whole network", whole_loss, "the whole network")
    yield Wrong(
        "the first layer always",
        lambda net, place, layer, x, labels: _without(
            net, 1, 0, x, labels, True
        ),
        "over all images and places",
        copied=True,
    )
