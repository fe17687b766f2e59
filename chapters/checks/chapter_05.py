"""Checks of chapter 5, GoogLeNet."""

import torch
from torch import nn
from torch.nn import functional as F

from chapters.checks._kinds import (
    NotYet,
    Wrong,
    described,
    function,
    made,
    network,
    number,
    output,
    parts,
    tensor,
    whole,
)
from utils.shapes import in_mode, layer_table

BLOCK_3A = (64, 96, 128, 16, 32, 32)


# 5.1: the price of a block

STUB_5_1 = '''
def cost(inputs, widths, side):
    """Outputs, weights without biases, and MACs of a block."""
    raise NotImplementedError
'''


def _cost(inputs, widths, side):
    one, reduce3, three, reduce5, five, pool = widths
    weights = inputs * (one + pool)
    for fewer, outputs, places in ((reduce3, three, 9), (reduce5, five, 25)):
        if fewer:
            weights += fewer * (inputs + places * outputs)
        else:
            weights += inputs * places * outputs
    return one + three + five + pool, weights, weights * side**2


def check_5_1(cost):
    ask = function(cost, "cost")
    for case in (
        (192, BLOCK_3A, 28),
        (832, (384, 192, 384, 48, 128, 128), 7),
        (16, (8, 4, 6, 2, 3, 5), 9),
        (192, (64, 0, 128, 0, 32, 32), 28),
        (20, (4, 0, 6, 3, 0, 0), 5),
    ):
        here = f"cost{case}"
        answer = parts(ask(*case), "outputs", "weights", "macs")
        names = "The outputs", "The weights", "The MACs"
        outputs, weights, macs = (
            whole(value, f"{name} of {here}")
            for value, name in zip(answer, names, strict=True)
        )
        inputs, widths, side = case
        right = _cost(*case)
        if outputs == sum(widths) != right[0]:
            raise NotYet(
                f"{here}: a reduction is used up inside the block; "
                f"{right[0]:,} maps are handed on, not {outputs:,}."
            )
        if outputs != right[0]:
            raise NotYet(
                f"{here} hands on {right[0]:,} maps, not {outputs:,}: those "
                "of the four branches, side by side."
            )
        if weights != right[1] and 0 in widths[1:4:2]:
            raise NotYet(
                f"{here}: where a reduction is 0 there is none, and the large "
                f"kernel reads all {inputs} channels itself."
            )
        biases = sum(w for w in widths)
        if weights == right[1] + biases:
            raise NotYet(f"{here}: leave the biases out of the weights.")
        if weights != right[1]:
            raise NotYet(
                f"{here} has {right[1]:,} weights, not {weights:,}. Count "
                "four branches, two of them with two layers: inputs · outputs "
                "· places of the kernel for each layer."
            )
        if macs != right[2]:
            raise NotYet(
                f"{here}: {macs:,} MACs are not weights · side². Each weight "
                "is used once at every place, and all layers of a block keep "
                "the side."
            )
    return "Five blocks, two of them without a reduction."


def wrong_5_1():
    def changed(change):
        def cost(inputs, widths, side):
            return change(*_cost(inputs, widths, side), inputs, widths, side)

        return cost

    yield Wrong(
        "reductions handed on",
        changed(lambda o, w, m, c, widths, s: (sum(widths), w, m)),
        "used up inside",
    )
    yield Wrong(
        "biases",
        changed(lambda o, w, m, c, widths, s: (o, w + sum(widths), m)),
        "leave the biases out",
    )
    yield Wrong(
        "side instead of its square",
        changed(lambda o, w, m, c, widths, s: (o, w, w * s)),
        "not weights",
    )

    def always_reduced(inputs, widths, side):
        one, reduce3, three, reduce5, five, pool = widths
        weights = inputs * (one + reduce3 + reduce5 + pool)
        weights += 9 * reduce3 * three + 25 * reduce5 * five
        return one + three + five + pool, weights, weights * side**2

    yield Wrong("0 taken as a width", always_reduced, "reads all")
    yield Wrong(
        "copied",
        lambda *_: (256, 163_328, 128_049_152),
        "hands on",
        copied=True,
    )


# 5.2: how many maps a reduction may have

STUB_5_2 = '''
def limit(c, o, k):
    """The largest whole number of maps with which a reduction saves."""
    raise NotImplementedError
'''


def _limit(c, o, k):
    return (k**2 * c * o - 1) // (c + k**2 * o)


def check_5_2(limit):
    ask = function(limit, "limit")
    for case in (
        (192, 32, 5), (192, 128, 3), (832, 384, 3), (480, 48, 5), (7, 3, 3),
        (64, 64, 1), (9, 1, 3), (1, 1, 1),
    ):  # fmt: skip
        c, o, k = case
        value = ask(*case)
        right = _limit(*case)
        here = f"limit{case}"
        value = number(value, here)
        if value != int(value):
            raise NotYet(
                f"{here} is {float(value):.4g}. Asked for is the largest "
                "whole number below the limit."
            )
        value = int(value)
        if value == right:
            continue
        one, two = k * k * c * o, value * (c + k * k * o)
        if value == right + 1 and one == two:
            raise NotYet(
                f"{here} is {value}: there both cost {one:,} a place, and "
                "nothing is saved."
            )
        if value > right:
            raise NotYet(
                f"{here} is {value}: with so many maps the two layers cost "
                f"{two:,} at each place, the one {one:,}."
            )
        raise NotYet(
            f"{here} is {value}, but {right} maps save, too. Compare r · c + "
            "k² · r · o with k² · c · o."
        )
    return "Eight cases, one of them where equal is not less."


def wrong_5_2():
    yield Wrong(
        "not whole",
        lambda c, o, k: k**2 * c * o / (c + k**2 * o),
        "largest whole",
    )
    yield Wrong(
        "equal counts as less",
        lambda c, o, k: k**2 * c * o // (c + k**2 * o),
        "nothing is saved",
    )
    yield Wrong(
        "without the 1 × 1", lambda c, o, k: c - 1, "the two layers cost"
    )
    yield Wrong("half of it", lambda c, o, k: c * o // (c + o), "save, too")
    yield Wrong("copied", lambda *_: 154, "save, too", copied=True)


# 5.3: a naive block as one convolution

STUB_5_3 = '''
def as_one(block):
    """One 5 × 5 convolution: what it gives in evaluation, before ReLU."""
    raise NotImplementedError
'''


class _Naive(nn.Module):
    """The chapter's block without reductions and pooling, in evaluation."""

    def __init__(self, inputs, **widths):
        super().__init__()
        kernels = {"one": 1, "three": 3, "five": 5}
        self.branches = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Conv2d(
                        inputs,
                        outputs,
                        kernels[name],
                        padding=kernels[name] // 2,
                        bias=False,
                    ),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                )
                for name, outputs in widths.items()
            }
        )
        for _, norm, _ in self.branches.values():
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches.values()], 1)

    def before_relu(self, x):
        return torch.cat(
            [branch[:2](x) for branch in self.branches.values()], 1
        )


def check_5_3(as_one):
    for case in (
        {"one": 3, "three": 4, "five": 2},
        {"one": 2, "five": 3},
        {"three": 5},
        {"one": 4},
    ):
        block = _Naive(6, **case)
        names = " and ".join(case)
        net = made(as_one, "as_one", block)
        if not isinstance(net, nn.Conv2d):
            raise NotYet(
                "as_one should return one nn.Conv2d; it returns "
                f"{described(net)}."
            )
        if net.kernel_size != (5, 5):
            raise NotYet(
                f"The kernel is {net.kernel_size}; the largest branch may be "
                "5 × 5, so the one convolution always is."
            )
        x = torch.randn(2, 6, 7, 7)
        with torch.no_grad():
            right = block.before_relu(x)
        answer = output(net, x, "The convolution")
        if answer.shape[2:] != right.shape[2:]:
            raise NotYet(
                f"From 7 × 7 come {answer.shape[2]} × {answer.shape[3]}: a "
                "5 × 5 keeps the side with padding 2."
            )
        answer = tensor(answer, "Its output", right.shape)
        if torch.allclose(answer, right.double(), atol=1e-5):
            continue
        constant = answer - right.double()
        flat = constant.std((0, 2, 3)).max() < 1e-4
        raise NotYet(
            f"With the branches {names} the answers differ "
            + (
                "by a constant for each map: batch norm's bias and mean."
                if flat
                else "from the block's. A smaller kernel sits in the middle "
                "of the 5 × 5, the branches' maps come in their order, and "
                "each map is divided by the root of its running variance."
            )
        )
    return "Four blocks, from three branches to one."


def _joined(block, shift=True, corner=False, scaled=True):
    kernels, biases = [], []
    for layer, norm, _ in block.branches.values():
        scale = norm.weight.detach()
        if scaled:
            scale = scale / (norm.running_var + norm.eps).sqrt()
        e = 2 - layer.kernel_size[0] // 2
        edges = (0, 2 * e, 0, 2 * e) if corner else (e,) * 4
        kernel = F.pad(layer.weight.detach(), edges)
        kernels.append(scale[:, None, None, None] * kernel)
        bias = norm.bias.detach() - scale * norm.running_mean
        biases.append(bias if shift else torch.zeros_like(bias))
    kernel = torch.cat(kernels)
    whole_one = nn.Conv2d(kernel.shape[1], len(kernel), 5, padding=2)
    with torch.no_grad():
        whole_one.weight.copy_(kernel)
        whole_one.bias.copy_(torch.cat(biases))
    return whole_one


def wrong_5_3():
    yield Wrong(
        "in the corner",
        lambda block: _joined(block, corner=True),
        "in the middle",
    )
    yield Wrong(
        "no shift", lambda block: _joined(block, shift=False), "bias and mean"
    )
    yield Wrong(
        "no variance",
        lambda block: _joined(block, scaled=False),
        "running variance",
    )
    yield Wrong("the block", lambda block: block, "one nn.Conv2d", copied=True)


# 5.4: targets from a gradient

STUB_5_4 = '''
def targets(logits, gradient):
    """The targets, by (5.4)."""
    raise NotImplementedError
'''


def check_5_4(targets):
    ask = function(targets, "targets")
    for n, classes, smoothing in ((3, 4, 0.0), (8, 10, 0.1), (1, 5, 0.0)):
        logits = torch.randn(n, classes, requires_grad=True)
        labels = torch.randint(classes, (n,))
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = logits.detach()
        right = F.one_hot(labels, classes).double()
        right = (1 - smoothing) * right + smoothing / classes
        answer = ask(logits, gradient)
        here = f"For {n} images of {classes} classes the targets"
        if isinstance(answer, torch.Tensor) and answer.shape == labels.shape:
            raise NotYet(
                f"{here} should be a row of {classes} probabilities for each "
                "image, not the number of a class."
            )
        answer = tensor(answer, here, (n, classes))
        if torch.allclose(answer, right, atol=1e-5):
            continue
        wrong_n = logits.softmax(1).double() - gradient.double()
        if n > 1 and torch.allclose(answer, wrong_n, atol=1e-5):
            raise NotYet(
                f"{here} are not reached: the loss is a mean over {n} images, "
                "so the gradient is divided by that."
            )
        hard = right.argmax(1)
        if smoothing and torch.equal(answer.argmax(1), hard):
            raise NotYet(
                f"{here} are those without label smoothing. Solve (5.4) for "
                "t instead of choosing a class."
            )
        raise NotYet(
            f"{here} should sum to 1 in each row and be (5.4), solved for t; "
            f"the first row is {[round(v, 3) for v in answer[0].tolist()]}."
        )
    return "Three minibatches, one with label smoothing."


def wrong_5_4():
    yield Wrong(
        "not times n",
        lambda z, g: z.softmax(1) - g,
        "a mean over",
    )
    yield Wrong(
        "the class", lambda z, g: g.argmin(1), "not the number of a class"
    )
    yield Wrong(
        "the sign", lambda z, g: len(z) * g - z.softmax(1), "solved for t"
    )
    yield Wrong(
        "the smallest gradient",
        lambda z, g: F.one_hot(g.argmin(1), z.shape[1]).double(),
        "without label smoothing",
        copied=True,
    )


# 5.5: two 3 × 3 in place of a 5 × 5

STUB_5_5 = '''
def factorised(inputs, fewer, outputs):
    """1 × 1, 3 × 3, 3 × 3, each with batch norm and ReLU."""
    raise NotImplementedError
'''


def check_5_5(factorised):
    for inputs, fewer, outputs in ((192, 16, 32), (24, 6, 10)):
        name = "The branch"
        net = made(factorised, "factorised", inputs, fewer, outputs)
        net = network(net, name)
        x = torch.randn(2, inputs, 9, 9)
        answer = output(net, x, name)
        if answer.shape != (2, outputs, 9, 9):
            raise NotYet(
                f"From {inputs} × 9 × 9 should come {outputs} × 9 × 9; it is "
                f"{' × '.join(map(str, answer.shape[1:]))}."
            )
        table = layer_table(net, (inputs, 9, 9))
        convolutions = [row for row in table.layers if row.kind == "Conv2d"]
        sees = table.layers[-1].receptive_field
        kernels = [row.settings["kernel"] for row in convolutions]
        if sees != 5:
            raise NotYet(
                f"A value of it sees {sees} × {sees} places; two 3 × 3 in a "
                "row see 5 × 5."
            )
        if kernels != [1, 3, 3]:
            raise NotYet(
                f"Its kernels are {kernels}; asked for are a 1 × 1 and two "
                "3 × 3."
            )
        made_maps = [row.output_shape[0] for row in convolutions]
        if made_maps != [fewer, outputs, outputs]:
            raise NotYet(
                f"Its convolutions make {made_maps} maps; asked for are "
                f"{fewer} from the reduction, and {outputs} from both others."
            )
        kinds = [row.kind for row in table.layers]
        norms, relus = kinds.count("BatchNorm2d"), kinds.count("ReLU")
        if norms != 3:
            raise NotYet(
                f"There are {norms} batch norms; each of the three "
                "convolutions has one."
            )
        if any(row.settings["bias"] for row in convolutions):
            raise NotYet(
                "A convolution in front of a batch norm needs no bias."
            )
        if relus and kinds[-1] != "ReLU" or (answer < 0).any():
            raise NotYet("At its end there is no ReLU.")
        if relus in (1, 2):
            raise NotYet(
                f"There is a ReLU {relus} times; each of the three "
                "convolutions has one."
            )
    return "It sees 5 × 5 with two 3 × 3, and each layer is normalised."


def _chain(inputs, fewer, outputs, kernels=(1, 3, 3), bias=False, norm=True):
    net, widths = nn.Sequential(), (fewer, outputs, outputs)
    for width, kernel in zip(widths, kernels, strict=False):
        net.append(nn.Conv2d(inputs, width, kernel, 1, kernel // 2, bias=bias))
        if norm:
            net.append(nn.BatchNorm2d(width))
        net.append(nn.ReLU())
        inputs = width
    return net


def wrong_5_5():
    yield Wrong(
        "one 3 × 3",
        lambda i, f, o: _chain(i, f, o, kernels=(1, 3)),
        "sees 3 × 3",
    )
    yield Wrong(
        "the 5 × 5",
        lambda i, f, o: _chain(i, f, o, kernels=(1, 5)),
        "asked for are a 1 × 1",
        copied=True,
    )
    yield Wrong(
        "no norm",
        lambda i, f, o: _chain(i, f, o, norm=False),
        "each of the three",
    )
    yield Wrong(
        "one ReLU",
        lambda i, f, o: nn.Sequential(
            *(m for m in _chain(i, f, o) if not isinstance(m, nn.ReLU)),
            nn.ReLU(),
        ),
        "a ReLU 1 times",
    )
    yield Wrong(
        "biases", lambda i, f, o: _chain(i, f, o, bias=True), "needs no bias"
    )


# 5.6: the fields behind a chain of blocks

STUB_5_6 = '''
def fields(first, jump, blocks):
    """The set of all sides of receptive fields behind so many blocks."""
    raise NotImplementedError
'''


def check_5_6(fields):
    ask = function(fields, "fields")
    for case in ((27, 8, 1), (27, 8, 2), (107, 16, 5), (1, 1, 3), (11, 4, 0)):
        first, jump, blocks = case
        here = f"fields{case}"
        answer = ask(*case)
        if not isinstance(answer, (set, frozenset, list, tuple)):
            raise NotYet(f"{here} should be a set; it is {described(answer)}.")
        found = {whole(value, f"An entry of {here}") for value in answer}
        right = {first + 2 * i * jump for i in range(2 * blocks + 1)}
        if found == right:
            continue
        if blocks == 0:
            raise NotYet(f"{here}: without a block nothing changes.")
        if first not in found:
            raise NotYet(
                f"{here}: the 1 × 1 sees no more than what it reads, so "
                f"{first} is among them."
            )
        if max(found) < max(right):
            raise NotYet(
                f"{here}: the largest is {max(right)}. A k × k kernel adds "
                "(k - 1) · jump, and each block may do it again."
            )
        if max(found) > max(right):
            raise NotYet(
                f"{here}: none is larger than {max(right)}; k · k places "
                "reach (k - 1) · jump further, not k · jump."
            )
        missing = sorted(right - found)
        raise NotYet(
            f"{here}: {missing[0] if missing else sorted(found - right)[0]} "
            f"{'is missing' if missing else 'is no such side'}. Follow every "
            "way through the blocks."
        )
    return "Five chains, and the one with no block."


def wrong_5_6():
    yield Wrong(
        "only the largest",
        lambda first, jump, blocks: {first + 4 * jump * blocks},
        "the 1 × 1 sees no more",
    )
    yield Wrong(
        "one block only",
        lambda first, jump, blocks: {first + i * jump for i in (0, 2, 4)},
        "each block may do it again",
    )
    yield Wrong(
        "k, not k - 1",
        lambda first, jump, blocks: {
            first + i * jump for i in range(5 * blocks + 1)
        },
        "not k · jump",
    )
    yield Wrong(
        "copied", lambda *_: {27, 43, 59, 75, 91}, "none is larger",
        copied=True,
    )  # fmt: skip


# 5.7: what nobody reads

STUB_5_7 = '''
def unread(net, images):
    """The names of the parameters without a part in the answer."""
    raise NotImplementedError
'''


class _Skips(nn.Module):
    """Three blocks; those whose numbers are in `skipped` are not read."""

    def __init__(self, skipped):
        super().__init__()
        self.skipped = skipped
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
            for _ in range(3)
        )
        self.end = nn.Linear(4, 2)

    def forward(self, x):
        for place, block in enumerate(self.blocks):
            answer = block(x)
            if place not in self.skipped:
                x = answer
        return self.end(x.mean((2, 3)))


class _Dead(nn.Module):
    """All is read, but one ReLU is silent: its gradient is zero."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 4, 1)
        nn.init.zeros_(self.first.weight)
        nn.init.constant_(self.first.bias, -1.0)
        self.end = nn.Linear(4, 2)

    def forward(self, x):
        return self.end(self.first(x).relu().mean((2, 3)))


def check_5_7(unread):
    ask = function(unread, "unread")
    cases = [_Skips({1}), _Skips(set()), _Skips({0, 2}), _Dead()]
    for net in cases:
        net.train()
        x = torch.randn(3, 4, 5, 5)
        before = {n: t.clone() for n, t in net.state_dict().items()}
        for p in net.parameters():
            p.grad = torch.ones_like(p)
        answer = ask(net, x)
        if not isinstance(answer, (list, tuple)):
            raise NotYet(
                f"unread should return a list; it is {described(answer)}."
            )
        skipped = getattr(net, "skipped", set())
        right = [
            f"blocks.{place}.{part}.{kind}"
            for place in sorted(skipped)
            for part in (0, 1)
            for kind in ("weight", "bias")
        ]
        answer = list(answer)
        if isinstance(net, _Dead) and answer:
            raise NotYet(
                f"{answer[0]} is read: its ReLU is silent for these images, "
                "which makes the gradient zero. A parameter without a part "
                "has no gradient at all, None."
            )
        if any(
            not torch.equal(p.grad, torch.ones_like(p))
            for p in net.parameters()
        ):
            raise NotYet(
                "The gradients of the network are not as they were. "
                "torch.autograd.grad leaves them alone."
            )
        after = net.state_dict()
        changed = [n for n in before if not torch.equal(after[n], before[n])]
        if changed:
            raise NotYet(
                f"{changed[0]} is not as it was. In training mode batch norm "
                "counts the images that it sees."
            )
        if not all(module.training for module in net.modules()):
            raise NotYet(
                "The network was in training mode, and is not any more."
            )
        what = f"blocks {sorted(skipped)}" if skipped else "no block"
        where = f"In a chain in which {what} is left unread"
        for name in right:
            if name not in answer:
                raise NotYet(f"{where}, {name} is missing.")
        for name in answer:
            if name not in right:
                raise NotYet(f"{where}, it finds {name}, which is read.")
        if answer != right:
            raise NotYet(
                f"{where}, the names are right, but twice or not in the order "
                "of the parameters."
            )
    return "Two chains with unread blocks, one without, and a silent ReLU."


def _none_or_zero(net, x):
    names, values = zip(*net.named_parameters(), strict=True)
    with in_mode(net, False):
        answer = net(x).sum()
    found = torch.autograd.grad(answer, values, allow_unused=True)
    pairs = zip(names, found, strict=True)
    return [n for n, g in pairs if g is None or not g.any()]


def _by_backward(net, x):
    net.zero_grad()
    net(x).sum().backward()
    return [n for n, p in net.named_parameters() if p.grad is None]


def _in_training_mode(net, x):
    names, values = zip(*net.named_parameters(), strict=True)
    found = torch.autograd.grad(net(x).sum(), values, allow_unused=True)
    return [n for n, g in zip(names, found, strict=True) if g is None]


def _left_in_evaluation(net, x):
    return _in_training_mode(net.eval(), x)


def wrong_5_7():
    yield Wrong("in training mode", _in_training_mode, "batch norm counts")
    yield Wrong("left in evaluation", _left_in_evaluation, "is not any more")
    yield Wrong("zero is not none", _none_or_zero, "its ReLU is silent")
    yield Wrong("by backward", _by_backward, "are not as they were")
    yield Wrong(
        "all of them",
        lambda net, x: [n for n, _ in net.named_parameters()],
        "it finds blocks.0.0.weight, which is read",
    )
    yield Wrong(
        "copied",
        lambda net, x: [
            f"blocks.1.{part}.{kind}"
            for part in (0, 1)
            for kind in ("weight", "bias")
        ],
        "no block is left unread, it finds blocks.1.0.weight",
        copied=True,
    )
