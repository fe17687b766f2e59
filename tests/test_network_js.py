"""The network in the page against PyTorch."""

from collections import Counter

import pytest
import torch
from torch import nn

from tests.network_cases import (
    ROOT,
    ask_page,
    chapter,
    describe,
    live,
    probabilities,
    random_network,
)
from utils.data import load
from utils.network_file import to_bytes

CLOSE = 1e-4  # the largest difference of a probability
REST = pytest.mark.long("160 more random networks in the page")


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 200), marks=REST)]
)
def test_random_networks(tmp_path, seeds):
    networks = [random_network(seed) for seed in seeds]
    results = ask_page(
        tmp_path,
        [
            {"data": to_bytes(net, **about), "images": images}
            for net, images, about in networks
        ],
    )
    seen, differ = Counter(), 0
    for (net, images, _), result in zip(networks, results, strict=True):
        assert "error" not in result, (result, net)
        seen.update(node["op"] for node in result["about"]["nodes"])
        want = probabilities(net, images)
        got = torch.tensor([a["probabilities"] for a in result["answers"]])
        assert (got - want).abs().max() < CLOSE, net
        differ += want.std(0).max() > 0.1
    # Networks that answer the same to every image would prove nothing.
    assert differ > 0.9 * len(networks)
    assert set(seen) == set(results[0]["operations"])
    assert min(seen.values()) > 1, seen


def vgg(name, **options):
    parts = chapter("03")
    return parts["small_vgg"](parts["narrow"](name, 8), 64, **options)


def average_vgg():
    parts = chapter("03")
    return parts["global_average"](parts["narrow"]("A", 8))


def alexnet(**options):
    return chapter("02")["small_alexnet"](**options)


def normalised_alexnet():
    parts = chapter("02")
    return alexnet(
        normalised=parts["NORMALISED"],
        normalisation=lambda: parts["LRN"](alpha=1.0),
    )


def resnet(option, n=3):
    parts = chapter("06")
    block = parts["residual"](option) if option else parts["plain"]
    return parts["cifar_net"](n, block)


def race_net(**options):
    return chapter("06")["race_net"]((32, 128, 128), **options)


def dense(version):
    return chapter("07")["KEPT"][version]()


def first_densenet():
    """Without bottlenecks and compression, as the paper begins."""
    return chapter("07")["cifar_densenet"](10, 4, bottlenecks=False)


GREY, COLOUR = (1, 28, 28), (3, 32, 32)
# Every architecture that a chapter trains; narrow where the width alone
# differs.
CHAPTERS = {
    "1, small CNN": (lambda: chapter("01")["small_cnn"](), GREY),
    "2, small AlexNet": (alexnet, GREY),
    "2, with LRN": (normalised_alexnet, GREY),
    "2, tanh": (lambda: alexnet(activation=nn.Tanh), GREY),
    "3, A": (lambda: vgg("A"), GREY),
    "3, D": (lambda: vgg("D"), GREY),
    "3, average pooling": (lambda: vgg("A", pool=nn.AvgPool2d), GREY),
    "3, global average": (average_vgg, GREY),
    "4, NiN": (lambda: chapter("04")["cifar_nin"](8, norm=True), COLOUR),
    "4, linear end": (lambda: chapter("04")["small_nin"]("linear"), GREY),
    "5, for the page": (
        lambda: chapter("05")["googlenet_page"](),
        COLOUR,
    ),
    "5, no norm, LRN": (
        lambda: chapter("05")["cifar_googlenet"](0.1, norm=None, lrn=True),
        COLOUR,
    ),
    "6, plain-20": (lambda: resnet(""), COLOUR),
    "6, ResNet-20": (lambda: resnet("A"), COLOUR),
    "6, ResNet-56": (lambda: resnet("A", 9), COLOUR),
    "6, option B": (lambda: resnet("B"), COLOUR),
    "6, option C": (lambda: resnet("C"), COLOUR),
    "6, wide": (race_net, COLOUR),
    "6, race": (lambda: race_net(activation=nn.GELU, identity=True), COLOUR),
    "6, published": (lambda: chapter("06")["published_resnet18"](), COLOUR),
    "7, DenseNet-40": (lambda: chapter("07")["densenet_40"](), COLOUR),
    "7, reads the last": (lambda: dense("read the last, hand on all"), COLOUR),
    "7, overwrite": (lambda: dense("overwrite"), COLOUR),
    "7, first version": (first_densenet, COLOUR),
}


def test_networks_of_the_chapters(tmp_path):
    torch.manual_seed(0)
    cases, wanted = [], []
    for make, shape in CHAPTERS.values():
        images = torch.randn(2, *shape)
        net = live(make(), images)
        data = to_bytes(net, **describe(shape, 10))
        cases.append({"data": data, "images": images})
        wanted.append(probabilities(net, images))
    for name, want, result in zip(
        CHAPTERS, wanted, ask_page(tmp_path, cases), strict=True
    ):
        assert "error" not in result, (name, result)
        got = torch.tensor([a["probabilities"] for a in result["answers"]])
        assert (got - want).abs().max() < CLOSE, name
        assert want.std(0).max() > 0.05, name


def outputs_of(net: nn.Module, images: torch.Tensor) -> dict:
    """The output of every module by its path."""
    found = {}
    hooks = [
        module.register_forward_hook(
            lambda m, i, output, path=path: found.update(
                {path: output.detach().clone()}
            )
        )
        for path, module in net.named_modules()
    ]
    net(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("name", ["6, ResNet-20", "2, with LRN"])
def test_a_node_has_the_maps_of_its_module(tmp_path, name):
    """And a convolution those of the batch norm that became part of it."""
    make, shape = CHAPTERS[name]
    torch.manual_seed(1)
    images = torch.randn(1, *shape)
    net = live(make(), images)
    modules = outputs_of(net, images)
    data = to_bytes(net, **describe(shape, 10))
    (result,) = ask_page(
        tmp_path, [{"data": data, "images": images, "keep": "all"}]
    )
    (answer,) = result["answers"]
    assert len(answer["maps"]) == len(result["about"]["nodes"])
    compared = 0
    for node in result["about"]["nodes"]:
        maps = answer["maps"][node["name"]]
        assert maps["shape"] == node["shape"]
        if node.get("inner"):
            continue
        want = modules[node.get("batch_norm", node["name"])]
        got = torch.tensor(maps["values"]).view(1, *maps["shape"])
        torch.testing.assert_close(got, want, atol=1e-3, rtol=1e-3)
        compared += 1
    assert compared > 18
    torch.testing.assert_close(
        torch.tensor(answer["logits"]), modules[""][0], atol=1e-3, rtol=1e-3
    )


def test_nodes_of_zeros(tmp_path):
    """What the page calls a block that is switched off."""
    torch.manual_seed(2)
    images = torch.randn(2, 3, 32, 32)
    net = live(resnet("A"), images)
    data = to_bytes(net, **describe(COLOUR, 10))
    off = ["1.3.function.2.0", "1.7.function.2.0"]
    results = ask_page(
        tmp_path,
        [
            {"data": data, "images": images},
            {"data": data, "images": images, "zero": off, "keep": off[:1]},
        ],
    )
    with torch.no_grad():
        for block in (net[1][3], net[1][7]):
            block.function[2][1].weight.zero_()
            block.function[2][1].bias.zero_()
    got = [
        torch.tensor([a["probabilities"] for a in result["answers"]])
        for result in results
    ]
    assert (got[1] - probabilities(net, images)).abs().max() < CLOSE
    assert (got[1] - got[0]).abs().max() > 0.1
    (maps,) = results[1]["answers"][0]["maps"].values()
    assert maps["shape"] == [32, 16, 16] and not any(maps["values"])


WHOLE = pytest.mark.long("the recorded ResNet-20 in the page, 2,000 images")


def recorded(name: str) -> nn.Module:
    """A network that the book ships the weights of."""
    net, file = {
        "ResNet-20": (resnet("A"), "06_resnet/resnet-20"),
        "DenseNet-40": (
            chapter("07")["densenet_40"](),
            "07_densenet/densenet",
        ),
    }[name]
    net.load_state_dict(torch.load(ROOT / f"results/{file}-seed0.pt"))
    return net.eval()


@pytest.mark.parametrize(
    ("name", "weights", "count"),
    [
        ("ResNet-20", "int8", 200),
        ("DenseNet-40", "int8", 200),
        pytest.param("ResNet-20", "int8", 2_000, marks=WHOLE),
        pytest.param("ResNet-20", "int6", 2_000, marks=WHOLE),
    ],
)
def test_rounded_it_answers_as_the_recorded_one(
    tmp_path, name, weights, count
):
    net = recorded(name)
    data = load("cifar10", sample=True)
    split = data.test.take(count)
    mean, std = (x.view(3, 1, 1) for x in (split.mean, split.std))
    images = (split.images / 255 - mean) / std
    file = to_bytes(
        net,
        input_shape=COLOUR,
        mean=split.mean,
        std=split.std,
        class_names=data.class_names,
        weights=weights,
        accuracy=0.5,
    )
    assert len(file) <= 300_000
    (result,) = ask_page(tmp_path, [{"data": file, "images": images}])
    about = result["about"]
    assert about["classNames"] == list(data.class_names)
    assert about["accuracy"] == 0.5
    assert about["mean"] == pytest.approx(split.mean.tolist())
    got = torch.tensor([a["probabilities"] for a in result["answers"]])
    with torch.no_grad():
        want = torch.cat([net(part).softmax(1) for part in images.split(100)])
    got_class, want_class = got.argmax(1), want.argmax(1)
    agree = (got_class == want_class).float().mean()
    accuracies = [
        (chosen == split.labels).float().mean().item()
        for chosen in (got_class, want_class)
    ]
    print(f"{count} images: {agree:.2%} alike, accuracies {accuracies}")
    alike, near, least = {
        "ResNet-20": (0.99, 0.003, 0.85),
        "DenseNet-40": (0.97, 0.02, 0.75),  # nine maps a layer round worse
    }[name]
    assert agree >= alike
    assert accuracies[0] == pytest.approx(accuracies[1], abs=near)
    assert accuracies[1] > least
