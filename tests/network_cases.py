"""Networks for the tests of network_file.py and network.js."""

import ast
import functools
import random
from contextlib import suppress
from pathlib import Path

import nbformat
import torch
from torch import nn
from torch.nn import functional as F

from tests.figure_checks import in_node

ROOT = Path(__file__).resolve().parent.parent


def describe(shape: tuple[int, int, int], classes: int) -> dict:
    """What a file says of a network, with nothing special in it."""
    names = [f"class {number}" for number in range(classes)]
    return dict(input_shape=shape, mean=0.5, std=0.25, class_names=names)


def ask_page(folder: Path, cases: list[dict]) -> list[dict]:
    """What the page answers, or {"error": sentence}, for each case.

    A case has `data`, the bytes of a file, `images`, a normalised batch, and
    if need be the wishes `keep` and `zero`.
    """
    asked = []
    for number, case in enumerate(cases):
        case = dict(case)
        if "data" in case:
            file = folder / f"{number}.safetensors"
            file.write_bytes(case.pop("data"))
            case["file"] = str(file)
        if "images" in case:
            file = folder / f"{number}.images"
            file.write_bytes(case["images"].contiguous().numpy().tobytes())
            case["images"] = str(file)
        asked.append(case)
    return in_node("run_network.js", asked)


@torch.no_grad()
def live(net: nn.Module, images: torch.Tensor) -> nn.Module:
    """As if trained: batch norms that fit, answers that differ a lot."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    for module in net.modules():
        if isinstance(module, norms):
            module.momentum = 1.0
            if module.affine:
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
    noise = torch.randn(8, *images.shape[1:])
    for module in net.modules():
        module.training = isinstance(module, norms)
    net(noise)
    net.eval()
    # Without a linear layer the last convolution gives the scores' maps.
    ends = [m for m in net.modules() if isinstance(m, nn.Linear)]
    ends = ends or [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    last = ends[-1]
    seen = []
    hook = last.register_forward_hook(lambda *a: seen.append(a[-1]))
    net(images)
    hook.remove()
    scores = seen[0].flatten(2).mean(2) if seen[0].ndim > 2 else seen[0]
    middle = scores.mean(0)
    factor = 3 / (scores - middle).std().clamp(min=0.005)
    last.weight *= factor
    if last.bias is not None:
        last.bias.copy_((last.bias - middle) * factor)
    return net


# Networks of all operations, drawn by lot.


class Apply(nn.Module):
    """A function of maps as a layer that torch.fx follows."""

    def __init__(self, function, *layers: nn.Module):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, *self.layers)


def lrn_by_hand(x: torch.Tensor) -> torch.Tensor:
    """As chapter 2 writes it."""
    squares = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
    window = sum(squares[:, i : i + x.shape[1]] for i in range(5))
    return x / (2 + 0.3 * window) ** 0.75


def option_a(x: torch.Tensor) -> torch.Tensor:
    """As chapter 6 writes it, with three channels more."""
    return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 3))


def draw_convolution(draw: random.Random, inputs: int) -> nn.Module:
    groups = draw.choice(
        [g for g in (1, 1, 1, 2, 3, inputs) if inputs % g == 0]
    )
    if draw.random() < 0.4:  # the kind that has its own method in the page
        settings = dict(kernel_size=3, padding=draw.choice([0, 1, (1, 2)]))
        groups = 1
    else:
        settings = dict(
            kernel_size=(draw.randint(1, 5), draw.randint(1, 5)),
            dilation=(draw.randint(1, 2), draw.randint(1, 2)),
            groups=groups,
        )
        if draw.random() < 0.3:
            settings["padding"] = draw.choice(["same", "valid"])
        else:
            settings["padding"] = (draw.randint(0, 2), draw.randint(0, 3))
            settings["stride"] = (draw.randint(1, 3), draw.randint(1, 2))
    outputs = groups * draw.randint(1, 9 // groups + 1)
    bias = draw.random() < 0.5
    return nn.Conv2d(inputs, outputs, bias=bias, **settings)


def draw_pool(draw: random.Random) -> nn.Module:
    kernel = draw.randint(2, 4), draw.randint(1, 3)
    settings = dict(
        kernel_size=kernel,
        stride=draw.choice([None, draw.randint(1, 3)]),
        padding=(
            draw.randint(0, kernel[0] // 2),
            draw.randint(0, kernel[1] // 2),
        ),
        ceil_mode=draw.random() < 0.5,
    )
    if draw.random() < 0.5:
        return nn.MaxPool2d(dilation=draw.randint(1, 2), **settings)
    return nn.AvgPool2d(count_include_pad=draw.random() < 0.5, **settings)


def draw_layers(draw: random.Random, x: torch.Tensor) -> nn.Module:
    """One to three layers that fit behind maps x."""
    channels = x.shape[1]
    norm = nn.BatchNorm2d(channels, affine=draw.random() < 0.8)
    inplace = draw.random() < 0.5
    kinds = {
        "convolution": lambda: draw_convolution(draw, channels),
        "normalised": lambda: normalised(draw_convolution(draw, channels)),
        "norm": lambda: norm,
        "relu": lambda: nn.ReLU(inplace),
        "gelu": lambda: nn.GELU(draw.choice(["none", "tanh"])),
        "curve": lambda: draw.choice([nn.Sigmoid(), nn.Tanh()]),
        "pool": lambda: draw_pool(draw),
        "adaptive": lambda: draw.choice(
            [nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d]
        )((draw.randint(1, 5), draw.choice([None, 3]))),
        "lrn": lambda: nn.LocalResponseNorm(
            draw.randint(1, 6), alpha=draw.random(), k=draw.choice([1.0, 2.0])
        ),
        "lrn by hand": lambda: Apply(lrn_by_hand),
        "option A": lambda: Apply(option_a),
        "pad": lambda: nn.ConstantPad2d(
            (1, 0, 2, 1), draw.choice([0.0, -0.8])
        ),
        "gone": lambda: nn.Sequential(nn.Dropout2d(0.5), nn.Identity()),
        "number": lambda: Apply(
            draw.choice(
                [
                    lambda x: 0.7 * x,
                    lambda x: 1 - x,
                    lambda x: x / 2 + 0.1,
                    lambda x: -x - 0.3,
                ]
            )
        ),
        "residual": lambda: Apply(
            lambda x, f: F.relu(f(x) + x, inplace=inplace),
            nn.Sequential(
                nn.ReLU(inplace), nn.Conv2d(channels, channels, 3, padding=1)
            ),
        ),
        "gate": lambda: Apply(
            lambda x, f: x * torch.sigmoid(f(x)) - x,
            nn.Conv2d(channels, channels, 1),
        ),
        "branches": lambda: Apply(
            lambda x, f, g: torch.cat([f(x), x, g(x)], dim=1),
            nn.Conv2d(channels, 2, (2, 4), padding="same"),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(channels)),
        ),
        "crop": lambda: Apply(lambda x: x[..., 1:, :-1]),
    }
    often = ["convolution", "normalised", "pool"]
    return kinds[draw.choice([*kinds, *often, *often])]()


def normalised(convolution: nn.Conv2d) -> nn.Module:
    norm = nn.BatchNorm2d(convolution.out_channels)
    return nn.Sequential(convolution, norm, nn.ReLU())


def random_network(seed: int) -> tuple[nn.Module, torch.Tensor, dict]:
    """A network of all kinds of layers, images for it, its description."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    shape = (draw.choice([1, 3]), draw.randint(6, 14), draw.randint(6, 14))
    images = torch.randn(3, *shape)
    net, x = nn.Sequential().eval(), images
    while len(net) < draw.randint(4, 9):
        layer = draw_layers(draw, x).eval()
        for module in layer.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        with suppress(RuntimeError), torch.no_grad():  # it may not fit
            y = layer(x.clone())
            told_apart = (y - y.mean(0)).std() > 0.15 * y.abs().max()
            if y[0].numel() < 4_000 and told_apart:
                net.append(layer)
                x = y
    classes = draw.randint(2, 6)
    if draw.random() < 0.3:
        net.append(Apply(lambda x: x.mean((2, 3))))
        inputs = x.shape[1]
    else:
        net.append(
            draw.choice(
                [
                    nn.Flatten(),
                    Apply(lambda x: x.flatten(1)),
                    Apply(lambda x: x.contiguous().view(x.size(0), -1)),
                ]
            )
        )
        inputs = x[0].numel()
    if draw.random() < 0.5:
        net.extend([nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU()])
        inputs = 8
    net.extend([nn.Dropout(), nn.Linear(inputs, classes)])
    net.extend(draw.choice([[], [nn.Softmax(1)], [nn.LogSoftmax(1)]]))
    return live(net, images), images, describe(shape, classes)


def probabilities(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        answer = net(images.clone())
    return answer if isinstance(net[-1], nn.Softmax) else answer.softmax(1)


# The networks of the chapters.


@functools.cache
def chapter(name: str) -> dict:
    """The functions, classes and CONSTANTS of a chapter, wherever they are.

    Not by executing it, which would train networks.
    """
    (file,) = ROOT.glob(f"chapters/{name}_*.ipynb")
    space: dict = {}
    for cell in nbformat.read(file, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        for line in ast.parse(cell.source).body:
            imports = isinstance(line, ast.Import | ast.ImportFrom)
            defines = isinstance(line, ast.FunctionDef | ast.ClassDef)
            constant = isinstance(line, ast.Assign) and all(
                isinstance(target, ast.Name) and target.id.isupper()
                for target in line.targets
            )
            if imports or defines or constant:
                with suppress(NameError):
                    module = ast.Module([line], [])
                    exec(compile(module, file.name, "exec"), space)
    return space
