"""Checks of chapter 6, ResNet."""

import copy
import math
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from chapters.checks._kinds import (
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
from utils.data import Split, batches

# 6.1: about a million parameters

STUB_6_1 = '''
step = None  # parameters that one more block in each stage adds


def closest(wanted):
    """(n, parameters) of the network with about `wanted` parameters."""
    raise NotImplementedError
'''


def _parameters(n):
    """Of the network of 6n + 2 layers, equation (6.5)."""
    return 75_290 + 97_216 * (n - 1)


def check_6_1(answer):
    step, closest = parts(answer, "step", "closest")
    step, ask = whole(step, "step"), function(closest, "closest")
    if step != 97_216:
        halves = {
            97_216 // 2: "A block has two convolutions.",
            96_768: "Each convolution has a batch norm behind it.",
            96_992: "Batch norm has two numbers for each channel.",
        }
        hint = halves.get(step, "Add up 2 (9 c² + 2 c) for the widths c.")
        raise NotYet(
            f"One more block in each stage does not add {step:,}. {hint}"
        )
    for wanted in (1_000_000, 300_000, 1_720_000, 500_000, 80_000):
        n, count = parts(ask(wanted), "n", "parameters")
        n, count = whole(n, "n"), whole(count, "parameters")
        right = min(range(1, 60), key=lambda n: abs(_parameters(n) - wanted))
        if (n, count) == (right, _parameters(right)):
            continue
        if wanted != 1_000_000:
            raise NotYet(
                f"It holds for a million; closest({wanted:,}) is ({n}, "
                f"{count:,}). Look for n anew."
            )
        if n == right - 1:
            raise NotYet(
                f"n = {n} stays below a million. Is the next one closer?"
            )
        if n < 1 or count != _parameters(n):
            raise NotYet(
                f"The network with n = {n} has not {count:,} parameters; "
                "layer_table counts them, (6.5) predicts them."
            )
        raise NotYet(f"n = {n} is not the closest to a million.")
    return "The step agrees with (6.5), and n for five numbers."


def wrong_6_1():
    def closest(wanted):
        n = round((wanted - 75_290) / 97_216) + 1
        return n, _parameters(n)

    def below(wanted):
        n = int((wanted - 75_290) // 97_216) + 1
        return n, _parameters(n)

    yield Wrong("no batch norm", (96_768, closest), "a batch norm behind")
    yield Wrong("one convolution", (48_608, closest), "two convolutions")
    yield Wrong("below", (97_216, below), "Is the next one closer")
    yield Wrong(
        "copied",
        (97_216, lambda wanted: (11, 1_047_450)),
        "Look for n anew",
        copied=True,
    )


# 6.2: batch norm melts into the convolutions

STUB_6_2 = """
fused_net = copy.deepcopy(trained).eval()  # without batch norms
"""
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def check_6_2(answer):
    trained, fused_net = parts(answer, "trained", "fused_net")
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    logits = []
    for name, net in (("trained", trained), ("fused_net", fused_net)):
        net = network(net, name).cpu().double().eval()
        logits.append(
            tensor(output(net, images, name), f"The output of {name}", (4, 10))
        )
    norms = [
        sum(isinstance(m, NORMS) for m in net.modules())
        for net in (trained, fused_net)
    ]
    if norms[0] != 19:
        raise NotYet(
            f"`trained` has {norms[0]} batch norms, not 19. Fuse a copy of "
            "it, and hand over both."
        )
    if norms[1]:
        raise NotYet(
            f"{norms[1]} batch norms are left in fused_net. Go through all "
            "pairs of convolution and batch norm."
        )
    kinds = {
        type(module)
        for module in fused_net.modules()
        if list(module.parameters(recurse=False))
    } - {nn.Conv2d, nn.Linear}
    if kinds:
        names = sorted(kind.__name__ for kind in kinds)
        raise NotYet(
            f"fused_net has layers of other kinds in their place: {names}. "
            "Convolutions and the linear layer are enough."
        )
    if not logits[1].any():
        raise NotYet("The logits of fused_net have the right shape, all zero.")
    if torch.allclose(*logits, atol=1e-3):
        return "The same logits for four images, with 19 layers fewer."
    convolutions = [m for m in fused_net.modules() if type(m) is nn.Conv2d]
    if any(conv.bias is None for conv in convolutions):
        raise NotYet(
            "The logits differ. Some convolutions have no bias: where did the"
            " means and β go, in (6.2)?"
        )
    raise NotYet(
        "The logits differ. In (6.2) the weights are multiplied by γ over the"
        " root of the running variance plus ε, and the bias changes too."
    )


class _Plain(nn.Sequential):
    """A net of 19 convolutions, with batch norm or without."""

    def __init__(self, make):
        pairs = [(3, 4), *[(4, 4)] * 18]
        convolutions = (nn.Conv2d(*p, 3, padding=1, bias=False) for p in pairs)
        super().__init__(
            *(make(conv) for conv in convolutions),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
        )  # fmt: skip


def wrong_6_2():
    torch.manual_seed(0)

    def with_norm(conv):
        norm = nn.BatchNorm2d(4)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.running_mean)
        return nn.Sequential(conv, norm)

    def fused(layer):
        """With the scale, and with the bias only where it is asked for."""
        conv, norm = layer
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        new = nn.Conv2d(conv.in_channels, 4, 3, padding=1, bias=False)
        new.weight.data = factor.view(-1, 1, 1, 1) * conv.weight
        return new

    class Norm(nn.Module):
        """A batch norm that goes by another name."""

        def __init__(self, norm):
            super().__init__()
            self.weight, self.bias = norm.weight, norm.bias
            self.register_buffer("mean", norm.running_mean)
            self.register_buffer("var", norm.running_var)

        def forward(self, x):
            return F.batch_norm(x, self.mean, self.var, self.weight, self.bias)

    net = _Plain(with_norm)
    blocks, rest = list(net)[:19], list(net)[19:]
    left_out = nn.Sequential(*(block[0] for block in blocks), *rest)
    scaled = nn.Sequential(*map(fused, blocks), *rest)
    renamed = nn.Sequential(
        *(nn.Sequential(conv, Norm(norm)) for conv, norm in blocks), *rest
    )
    zero_head = nn.Linear(4, 10)
    nn.init.zeros_(zero_head.weight), nn.init.zeros_(zero_head.bias)
    zeros = nn.Sequential(*map(fused, blocks), *rest[:2], zero_head)
    yield Wrong("left out", (net, left_out), "have no bias")
    yield Wrong("scaled only", (net, scaled), "where did the means")
    yield Wrong("half of them", (net, nn.Sequential(
        *map(fused, blocks[:9]), *blocks[9:], *rest
    )), "10 batch norms are left")  # fmt: skip
    yield Wrong("the original fused too", (scaled, scaled), "Fuse a copy")
    yield Wrong(
        "under another name", (net, renamed), "other kinds", copied=True
    )
    yield Wrong("zeros", (net, zeros), "all zero", copied=True)


# 6.3: eval() forgotten

STUB_6_3 = '''
def accuracy_in_training_mode(net, split, order):
    """Accuracy in minibatches of 100, the images of `split` in `order`."""
    raise NotImplementedError


accuracies = {}  # "evaluation", "mixed", "by class"
'''


def _hits(net, split, order):
    """The share of right answers, in minibatches of 100, in this mode."""
    ordered = replace(
        split, images=split.images[order], labels=split.labels[order]
    )
    with torch.no_grad():
        hits = [
            (net(x).argmax(1) == y).float().sum()
            for x, y in batches(ordered, 100)
        ]
    return (sum(hits) / len(order)).item()


def check_6_3(answer):
    measure, accuracies = parts(
        answer, "accuracy_in_training_mode", "accuracies"
    )
    ask = function(measure, "accuracy_in_training_mode")
    # Bright or dark: batch norm takes it away from minibatches of one class.
    labels = torch.arange(400) % 2
    images = 60 * labels.view(-1, 1, 1, 1) + torch.randint(140, (400, 1, 4, 4))
    split = Split(images.byte(), labels, mean=0.5, std=0.2)
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[-1.0], [1.0]]).expand(2, 16))
        net[2].bias.zero_()
        net[0].running_mean.fill_(-0.1)
    net.eval()
    unchanged = copy.deepcopy(net.state_dict())
    orders = {
        "mixed": torch.arange(400),
        "by class": labels.argsort(stable=True),
    }
    for name, order in orders.items():
        found = number(ask(net, split, order), f"The accuracy, {name}")
        if any(
            not torch.equal(value, unchanged[key])
            for key, value in net.state_dict().items()
        ):
            raise NotYet(
                "It has changed the running averages of the network that it "
                "was given: work on a copy (copy.deepcopy)."
            )
        if found > 1:
            raise NotYet("An accuracy should lie between 0 and 1.")
        twin = copy.deepcopy(net)
        right = _hits(twin.train(), split, order)
        if math.isclose(found, right, abs_tol=0.006):
            continue
        if math.isclose(
            found,
            _hits(copy.deepcopy(net).eval(), split, order),
            abs_tol=0.006,
        ):
            raise NotYet(
                f"On a small network, {name}, it finds what evaluation mode "
                "gives. In which mode is the network when it answers?"
            )
        raise NotYet(
            f"On a small network, {name}, it finds {found:.1%} where "
            f"{right:.1%} are right. Are images and labels both in the order "
            "that is given, in minibatches of 100, and all of them counted?"
        )
    if not isinstance(accuracies, dict):
        raise NotYet(
            f"accuracies should be a dictionary; it is {described(accuracies)}"
        )
    names = "evaluation", "mixed", "by class"
    values = [
        number(accuracies.get(name), f"accuracies[{name!r}]") for name in names
    ]
    if not all(0 <= value <= 1 for value in values):
        raise NotYet("An accuracy should lie between 0 and 1.")
    evaluation, mixed, by_class = values
    if not evaluation > mixed > by_class + 0.1:
        raise NotYet(
            "Your three accuracies are not in the order that training mode "
            "gives: which of the three minibatches is least like the data?"
        )
    return (
        "The function is right on a network with a known answer, and the "
        "three accuracies are in order. The explanation is yours to judge."
    )


def wrong_6_3():
    def measure(net, split, order):
        return _hits(copy.deepcopy(net).train(), split, order)

    def evaluated(net, split, order):
        return _hits(net.eval(), split, order)

    def not_a_copy(net, split, order):
        return _hits(net.train(), split, order)

    def never_sorted(net, split, order):
        return measure(net, split, order.sort().values)

    found = {"evaluation": 0.893, "mixed": 0.846, "by class": 0.208}
    percent = {name: 100 * value for name, value in found.items()}
    equal = dict.fromkeys(found, 0.893)
    yield Wrong("in evaluation mode", (evaluated, found), "In which mode")
    yield Wrong("never sorted", (never_sorted, found), "in the order")
    yield Wrong("not a copy", (not_a_copy, found), "work on a copy")
    yield Wrong("per cent", (measure, percent), "between 0 and 1")
    yield Wrong("three times the same", (measure, equal), "not in the order")
    yield Wrong(
        "the numbers, copied",
        (lambda net, split, order: 0.846, found),
        "On a small network",
        copied=True,
    )


# 6.4: a projection around every block

STUB_6_4 = '''
def around_every_block(inputs, outputs, stride):
    """A residual block with option C, as `stack` wants it."""
    raise NotImplementedError


with_a, with_c = {}, {}  # logs of 56 layers on the stripes
'''


def _blocks_learn(make, name, x):
    """The block keeps a shape and halves it, and learns in both cases."""
    for outputs, stride in ((4, 1), (8, 2)):
        block = made(make, name, 4, outputs, stride)
        answer = output(block, x, f"A block of {name}")
        tensor(answer, "Its output", (8, outputs, 8 // stride, 8 // stride))
        all_learn(block, x, f"A block of {name}")


def check_6_4(answer):
    make, with_a, with_c = parts(
        answer, "around_every_block", "with_a", "with_c"
    )
    _blocks_learn(make, "around_every_block", torch.rand(8, 4, 8, 8))
    # Two pairs of 3 × 3 and batch norm, and a 1 × 1 with its batch norm.
    for outputs, stride, right in ((4, 1, 304 + 24), (8, 2, 896 + 48)):
        block = made(make, "around_every_block", 4, outputs, stride)
        extra = parameters(block) - right
        if extra == 0:
            continue
        if stride == 1:
            raise NotYet(
                "Where a block keeps the shape, option C has a 1 × 1 "
                "convolution with batch norm on its path, too. Yours has "
                f"{parameters(block):,} parameters there."
            )
        raise NotYet(
            f"A block that halves the side has {parameters(block):,} "
            "parameters, not those of F and a 1 × 1 with batch norm."
        )
    log(with_a, "with_a"), log(with_c, "with_c")
    same_conditions([with_a, with_c], "the option")
    if with_a["parameters"] != 54_180:
        raise NotYet(
            "with_a is not the run of residual-56 with option A, which has "
            "54,180 parameters."
        )
    if with_c["parameters"] == with_a["parameters"]:
        raise NotYet(
            "with_c has as many parameters as option A: its network had no "
            "projections."
        )
    if with_c["parameters"] != 57_548:
        raise NotYet(
            f"with_c has {with_c['parameters']:,} parameters. 27 projections "
            "with batch norm, at widths 4, 8 and 16, make another number."
        )
    if with_a["epochs"] == with_c["epochs"]:
        raise NotYet("Both logs have the same epochs: one was copied.")
    return (
        "27 projections, same recipe, same stripes. Does your sentence say "
        "what became of the 1 in (6.4)?"
    )


class _Block(nn.Module):
    """A residual block, for the wrong answers."""

    def __init__(self, inputs, outputs, stride, projection):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.path = nn.Identity()
        self.new, self.stride = outputs - inputs, stride
        if projection:
            self.path = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs),
            )
            self.new, self.stride = 0, 1

    def forward(self, x):
        path = self.path(x)[:, :, :: self.stride, :: self.stride]
        return F.relu(self.f(x) + F.pad(path, (0, 0, 0, 0, 0, self.new)))


def wrong_6_4():
    def option_a(inputs, outputs, stride):
        return _Block(inputs, outputs, stride, projection=False)

    def option_b(inputs, outputs, stride):
        return _Block(inputs, outputs, stride, projection=stride > 1)

    def option_c(inputs, outputs, stride):
        return _Block(inputs, outputs, stride, projection=True)

    def frozen(inputs, outputs, stride):
        block = option_c(inputs, outputs, stride)
        block.path.requires_grad_(False)
        return block

    a, c = made_up_log(0, 0.03, 54_180), made_up_log(0, 0.41, 57_548)
    longer = c | {"recipe": {"epochs": 9}}
    yield Wrong("option A", (option_a, a, c), "option C has a 1 × 1")
    yield Wrong("option B", (option_b, a, c), "option C has a 1 × 1")
    yield Wrong("another recipe", (option_c, a, longer), "same recipe")
    no_path = c | {"parameters": 54_180}
    yield Wrong(
        "the loss, from another network",
        (option_c, a, no_path),
        "had no projections",
        copied=True,
    )
    yield Wrong("frozen paths", (frozen, a, c), "is frozen", copied=True)


# 6.5: a start in which every block does nothing

STUB_6_5 = '''
def quiet(inputs, outputs, stride):
    """A residual block of option A that starts as an identity."""
    raise NotImplementedError


usual, with_zero = {}, {}  # logs of 56 layers on the stripes
'''


def check_6_5(answer):
    make, usual, with_zero = parts(answer, "quiet", "usual", "with_zero")
    x = torch.rand(8, 4, 8, 8)
    block = made(make, "quiet", 4, 4, 1).train()
    if parameters(block) != 304:
        raise NotYet(
            f"The block has {parameters(block):,} parameters, and one of "
            "option A with 4 channels has 304. It must be able to learn."
        )
    if not torch.equal(output(block, x, "The block"), x):
        raise NotYet(
            "The block changes what it gets. Which γ stands between F and "
            "the sum?"
        )
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    zero = [not norm.weight.any() for norm in norms]
    if zero != [False, True]:
        raise NotYet(
            "The block hands on what it gets, but not because γ = 0 in its "
            "last batch norm, and there alone."
        )
    _blocks_learn(make, "quiet", x)
    gamma = norms[1].weight
    block(x).mul(torch.randn(8, 4, 8, 8)).sum().backward()
    if gamma.grad is None or not gamma.grad.any():
        raise NotYet("No gradient arrives at γ, so the block stays silent.")
    log(usual, "usual"), log(with_zero, "with_zero")
    same_conditions([usual, with_zero], "the start")
    for name, one in (("usual", usual), ("with_zero", with_zero)):
        if one["parameters"] != 54_180:
            raise NotYet(
                f"{name} is of a network with {one['parameters']:,} "
                "parameters; residual-56 with option A has 54,180."
            )
    if usual["epochs"] == with_zero["epochs"]:
        raise NotYet("Both logs have the same epochs: one was copied.")
    return (
        "The block starts as an identity and can leave it, and both runs are "
        "as they should be. One seed: does your sentence say so?"
    )


def wrong_6_5():
    def block(inputs, outputs, stride, places=(4,), value=0.0, learn=True):
        made = _Block(inputs, outputs, stride, projection=False)
        for place in places:
            nn.init.constant_(made.f[place].weight, value)
            made.f[place].weight.requires_grad_(learn)
        return made

    def first_norm(inputs, outputs, stride):
        return block(inputs, outputs, stride, places=(1,))

    def small(inputs, outputs, stride):
        return block(inputs, outputs, stride, value=0.1)

    def no_weights(inputs, outputs, stride):
        return block(inputs, outputs, stride, places=(3,))

    def frozen(inputs, outputs, stride):
        return block(inputs, outputs, stride, learn=False)

    usual, zero = made_up_log(0, 0.03, 54_180), made_up_log(0, 1.01, 54_180)
    yield Wrong("a small γ", (small, usual, zero), "Which γ stands")
    yield Wrong("the first γ", (first_norm, usual, zero), "there alone")
    yield Wrong("weights of zero", (no_weights, usual, zero), "there alone")
    yield Wrong("one log twice", (block, usual, usual), "copied", copied=True)
    yield Wrong("frozen", (frozen, usual, zero), "is frozen", copied=True)
    yield Wrong(
        "an identity",
        (lambda inputs, outputs, stride: nn.Identity(), usual, zero),
        "must be able to learn",
        copied=True,
    )


# 6.6: temperature

STUB_6_6 = '''
def calibration_error(logits, labels):
    """Mean distance of confidence and accuracy, over bins, from 0 to 1."""
    raise NotImplementedError


def temperature(logits, labels):
    """The number by which to divide the logits."""
    raise NotImplementedError
'''


def _sayings(n, confidence, hits):
    """Logits of two classes with this confidence, and the labels."""
    margin = math.log(confidence / (1 - confidence))
    logits = torch.tensor([margin, 0.0]).repeat(n, 1)
    return logits, (torch.arange(n) >= hits).long()


def check_6_6(answer):
    calibration_error, temperature = parts(
        answer, "calibration_error", "temperature"
    )
    error_of = function(calibration_error, "calibration_error")
    ask = function(temperature, "temperature")
    too_sure, modest = _sayings(300, 0.95, 210), _sayings(100, 0.75, 90)
    both = [torch.cat(pair) for pair in zip(too_sure, modest, strict=True)]
    for (logits, labels), right, hint in (
        (
            too_sure,
            0.25,
            "300 answers that are sure to 95 % and of which 70 % are right",
        ),
        (modest, 0.15, "100 answers sure to 75 %, 90 % of them right"),
        (
            both,
            0.225,
            "300 answers too sure by 25 points and 100 too modest by 15: each"
            " bin counts by its size, and one does not make up for another",
        ),
    ):
        error = number(error_of(logits, labels), "The calibration error")
        if not math.isclose(error, right, abs_tol=0.002):
            percent = " It should lie between 0 and 1." if error > 1 else ""
            raise NotYet(f"It is {error:.3f} for {hint}.{percent}")
    answers = []
    for factor in (0.6, 1.25):
        generator = torch.Generator().manual_seed(7)
        true = 2 * torch.randn(4_000, 10, generator=generator)
        labels = true.softmax(1).multinomial(1, generator=generator).flatten()
        answers.append(number(ask(factor * true, labels), "The temperature"))
    small, large = answers
    if small == large:
        raise NotYet(
            f"For logits of two sizes the temperature is {small:.2f}: it must"
            " be chosen from the logits, by a measure that it changes."
        )
    if small > large:
        raise NotYet(
            f"Logits that are too small want T = {small:.2f}, and too large "
            f"ones {large:.2f}. They are divided by T, not multiplied."
        )
    if abs(small - 0.6) > 0.07 or abs(large - 1.25) > 0.12:
        raise NotYet(
            f"Logits made 0.6 and 1.25 times too large get T = {small:.2f} "
            f"and {large:.2f}. Look for the T with the lowest cross-entropy, "
            "over a range that is wide enough."
        )
    return (
        "The error is right in three cases with a known answer, and T undoes "
        "what was done to logits."
    )


def wrong_6_6():
    def error(logits, labels, signed=False, weighted=True):
        confidence, guess = logits.softmax(1).max(1)
        gap = (guess == labels).float() - confidence
        bins = (10 * confidence).long().clamp(0, 9)
        gaps = [gap[bins == b] for b in range(10) if (bins == b).any()]
        if signed:
            return abs(gap.mean().item())
        if not weighted:
            return sum(g.mean().abs().item() for g in gaps) / len(gaps)
        return sum(g.sum().abs().item() for g in gaps) / len(gap)

    def best(measure):
        def temperature(logits, labels):
            tries = [t / 100 for t in range(30, 201, 5)]
            return min(tries, key=lambda t: measure(logits, labels, t))

        return temperature

    divided = best(lambda x, y, t: F.cross_entropy(x / t, y).item())
    multiplied = best(lambda x, y, t: F.cross_entropy(x * t, y).item())
    by_hits = best(lambda x, y, t: ((x / t).argmax(1) != y).sum().item())
    yield Wrong(
        "errors that cancel",
        (lambda x, y: error(x, y, signed=True), divided),
        "one does not make up for another",
    )
    yield Wrong(
        "bins alike",
        (lambda x, y: error(x, y, weighted=False), divided),
        "each bin counts by its size",
    )
    yield Wrong(
        "per cent", (lambda x, y: 100 * error(x, y), divided), "0 and 1"
    )
    yield Wrong("multiplied", (error, multiplied), "divided by T, not")
    yield Wrong("chosen by accuracy", (error, by_hits), "that it changes")
    yield Wrong(
        "0.74, copied",
        (error, lambda x, y: 0.74),
        "chosen from the logits",
        copied=True,
    )


# 6.7: the receptive field

STUB_6_7 = '''
def receptive_field(n):
    """Of one value in the last map of the network of 6n + 2 layers."""
    raise NotImplementedError
'''


def check_6_7(receptive_field):
    ask = function(receptive_field, "receptive_field")
    for n in (9, 3, 1, 5, 18):
        answer, right = whole(ask(n), f"receptive_field({n})"), 28 * n - 3
        if answer == right:
            continue
        if n not in (3, 9):
            raise NotYet(
                f"It holds for ResNet-20 and -56, and receptive_field({n}) "
                f"is {answer}: compute it from n."
            )
        if answer == 3 + 12 * n:
            raise NotYet(
                f"{answer} would be right without strides. Behind a stride "
                "of 2 two neighbours are twice as far apart."
            )
        if answer == right - 2:
            raise NotYet(f"{answer}: the stem is a 3 × 3 layer as well.")
        if answer == 28 * n + 3:
            raise NotYet(
                f"{answer}: a layer with stride 2 still works with the jump "
                "in front of it; the one behind it has the new jump."
            )
        if answer < right and answer > right / 2 - 4:
            raise NotYet(f"{answer}: a block has two layers of 3 × 3.")
        raise NotYet(
            f"{answer} for n = {n}. Every 3 × 3 layer adds two jumps; where "
            "does the jump double?"
        )
    return "It agrees for five networks of the family."


def wrong_6_7():
    def field(n, layers=2, stem=3, early=False, stride=2):
        r, jump = stem, 1
        for stage in range(3):
            for place in range(layers * n):
                double = stage > 0 and place == 0
                jump *= stride if double and early else 1
                r += 2 * jump
                jump *= stride if double and not early else 1
        return r

    yield Wrong("no strides", lambda n: field(n, stride=1), "without strides")
    yield Wrong("no stem", lambda n: field(n, stem=1), "the stem is a 3 × 3")
    yield Wrong(
        "doubled too early", lambda n: field(n, early=True), "the new jump"
    )
    yield Wrong("one layer a block", lambda n: field(n, 1), "two layers")
    yield Wrong(
        "copied",
        lambda n: {3: 81}.get(n, 249),
        "compute it from n",
        copied=True,
    )


# 6.8: class activation maps

STUB_6_8 = '''
def activation_maps(net, x):
    """A map for each image and class; its mean plus bias is the logit."""
    raise NotImplementedError
'''


def check_6_8(activation_maps):
    ask = function(activation_maps, "activation_maps")
    for channels, classes, side in ((6, 10, 32), (3, 4, 20)):
        net = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(channels, channels, 3, 2, 1), nn.ReLU()),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(channels, classes),
        ).double().eval()  # fmt: skip
        x = torch.randn(2, 3, side, side, dtype=torch.float64)
        with torch.no_grad():
            maps, logits, linear = net[1](net[0](x)), net(x), net[4]
            right = torch.einsum("nchw,kc->nkhw", maps, linear.weight)
        answer = tensor(ask(net, x.clone()), "The maps", right.shape)
        if torch.allclose(answer, right, atol=1e-8):
            continue
        if not answer.any():
            raise NotYet("The maps have the right shape and are all zero.")
        if torch.allclose(answer - linear.bias.view(-1, 1, 1), right):
            raise NotYet(
                "The bias is in the maps already, so it would count twice. "
                "It belongs to no place."
            )
        means = answer.mean((2, 3))
        if torch.allclose(means + linear.bias, logits, atol=1e-8):
            raise NotYet(
                "The means are right, and the places are not: a map should "
                "say which of them argue for the class. Weigh the feature "
                "maps before they are averaged."
            )
        if torch.allclose(answer.sum((2, 3)) + linear.bias, logits):
            raise NotYet(
                "Your maps add up to the logit; their average should give it."
            )
        raise NotYet(
            "The averages of the maps, plus the bias, are not the logits. "
            "Which weights lead from the feature maps to a class?"
        )
    return "Averages plus bias are the logits, and the places are right."


def wrong_6_8():
    def maps(net, x):
        return torch.einsum("nchw,kc->nkhw", net[1](net[0](x)), net[4].weight)

    def spread(net, x):
        """The logit at every place: right on average, and no map."""
        flat = (net(x) - net[4].bias)[:, :, None, None]
        return flat.expand_as(maps(net, x))

    def with_bias(net, x):
        return maps(net, x) + net[4].bias.view(-1, 1, 1)

    yield Wrong(
        "feature maps", lambda net, x: net[1](net[0](x)), "have the shape"
    )
    yield Wrong("bias twice", with_bias, "count twice")
    yield Wrong(
        "a sum", lambda net, x: maps(net, x) / maps(net, x)[0, 0].numel(),
        "add up to the logit",
    )  # fmt: skip
    yield Wrong(
        "zeros of the right shape",
        lambda net, x: torch.zeros_like(maps(net, x)),
        "are all zero",
        copied=True,
    )
    yield Wrong("one value a map", spread, "the places are not", copied=True)
