"""The protocol of chapter 8: one recipe, one budget, nine networks."""

import json
from dataclasses import replace

import pytest
import torch

from tools import record as recorder
from tools.record import in_precision, parts_of
from utils import data, results, training
from utils.chapters import CHAPTERS, chapter, definitions
from utils.data import KNOWN
from utils.shapes import layer_table
from utils.training import training_pflops

NINE = {
    "lenet", "alexnet", "vgg", "vgg-bn", "nin", "googlenet", "resnet-20",
    "densenet", "fast",
}  # fmt: skip
PLACES = ("cifar10-short", "cifar10-long", "fashion-short")


@pytest.fixture(scope="module")
def protocol():
    return chapter("08_comparison")


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """An empty results/, and a function that puts a screening there."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)

    def put(name, **numbers):
        file = tmp_path / f"08_comparison/{name}-seed0.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"seed": 0, "numbers": numbers}))

    return put


def row(accuracy, loss=1.0):
    return {"diverged": 0, "loss": loss, "accuracy": accuracy}


def screened(protocol, logs):
    """Let every network have found the same rate."""
    for name in protocol.EXPERIMENTS:
        logs(name, **{"0.04": row(0.5)})


@pytest.fixture(scope="module")
def tables(protocol):
    """The layers of each network for each data set."""
    return {
        (network, name): layer_table(
            protocol.made(network, name), KNOWN[name].image_shape
        )
        for network in protocol.NETWORKS
        for name in protocol.TRAIN_IMAGES
    }


def test_the_grid_is_complete(protocol):
    assert set(protocol.NETWORKS) == NINE
    runs = {f"{n}-{place}" for n in NINE for place in PLACES}
    runs -= {"lenet-cifar10-long"}  # the same run as the short one
    runs |= {f"fast-own-cifar10-{budget}" for budget in ("short", "long")}
    runs |= {f"resnet-20-cifar10-short-{p}" for p in ("float32", "bfloat16")}
    assert set(protocol.RUNS) == runs
    rates = {f"rates-{n}-{d}" for n in NINE for d in ("cifar10", "fashion")}
    assert set(protocol.EXPERIMENTS) == rates | {"latency"}


def test_the_networks_are_those_of_their_chapters(protocol):
    """Where a chapter has the very network, it is this one."""
    for network, data_name, theirs in (
        ("lenet", "fashion-mnist", protocol.alexnet.lenet()),
        ("alexnet", "fashion-mnist", protocol.alexnet.small_alexnet()),
        (
            "vgg",
            "fashion-mnist",
            protocol.vgg.small_vgg(protocol.vgg.narrow("A")),
        ),
        ("nin", "cifar10", protocol.nin.RUNS["half"][0]()),
        ("googlenet", "cifar10", protocol.googlenet.googlenet_32()),
        ("resnet-20", "cifar10", protocol.resnet.RUNS["resnet-20"][0]()),
        ("densenet", "cifar10", protocol.densenet.RUNS["densenet"][0]()),
    ):
        assert repr(protocol.made(network, data_name)) == repr(theirs)


def test_for_another_data_set_only_what_must_change_does(protocol, tables):
    """The layers have the same kinds and numbers of outputs."""

    def layers(*pair):
        return [
            (layer.kind, layer.output_shape[0])
            for layer in tables[pair].layers
            if layer.kind not in ("ConstantPad2d", "Flatten")
        ]

    for network in protocol.NETWORKS:
        assert layers(network, "cifar10") == layers(network, "fashion-mnist")


def test_batch_norm_is_all_that_vgg_gains(protocol):
    plain = protocol.made("vgg", "cifar10")
    normed = protocol.made("vgg-bn", "cifar10")
    convolutions = [
        m for m in plain.modules() if isinstance(m, torch.nn.Conv2d)
    ]
    norms = [
        m for m in normed.modules() if isinstance(m, torch.nn.BatchNorm2d)
    ]
    assert len(norms) == len(convolutions) == 8
    kept = [
        repr(m)
        for m in normed.modules()
        if not list(m.children()) and m not in norms
    ]
    assert kept == [repr(m) for m in plain.modules() if not list(m.children())]


def test_the_first_layer_reads_one_channel_as_large_as_three(protocol):
    torch.manual_seed(0)
    net = protocol.resnet.cifar_net(3, protocol.resnet.residual("A"))
    images = torch.randn(64, 3, 32, 32)
    before = net[0][0][0](images).std().item()
    grey = protocol.reading(1, net)[0][0][0](images[:, :1]).std().item()
    assert grey == pytest.approx(before, rel=0.2)


def test_each_network_has_5_to_60_mmacs(tables):
    """Only LeNet, which is taken as it is, has fewer."""
    for (network, data_name), table in tables.items():
        assert table.output_shape == (10,), network
        if network == "lenet":
            assert table.macs < 1e6
        else:
            assert 5e6 <= table.macs <= 60e6, (network, data_name)


def test_the_recipe_is_that_of_chapter_6_at_full_size(protocol):
    ours, common = protocol.resnet.OURS, protocol.COMMON
    assert common == replace(ours, sides=()) and common.flip
    assert protocol.OWN is protocol.resnet.RUNS["rung-closer"][1]


def test_the_epochs_are_those_of_the_budget(protocol, tables, logs):
    screened(protocol, logs)
    for name, run in protocol.RUNS.items():
        _, recipe, optimizer, data_name = parts_of(run)
        network = max(filter(name.startswith, protocol.NETWORKS), key=len)
        budget = protocol.BUDGETS["long" if "-long" in name else "short"]
        if "own" in name:  # its epochs are not all alike
            net, empty = (
                protocol.made(network, data_name),
                protocol.without_pixels(data_name),
            )
            whole = training_pflops(net, empty, recipe, optimizer)
            assert recipe.sides[0][1] == 24
            assert abs(whole - budget) < whole / recipe.epochs, name
            continue
        assert recipe == replace(
            protocol.COMMON, epochs=recipe.epochs, learning_rate=0.04
        )
        images = {"cifar10": 45_000, "fashion-mnist": 54_000}[data_name]
        one = 6 * tables[network, data_name].macs * images / 1e15
        if network == "lenet":
            assert recipe.epochs == 60 and 60 * one < budget
        else:
            assert abs(recipe.epochs * one - budget) <= one / 2, name
    epochs = [
        parts_of(protocol.RUNS[f"resnet-20-cifar10-{budget}"])[1].epochs
        for budget in protocol.BUDGETS
    ]
    assert epochs == [3, 11]


@pytest.mark.parametrize("name", KNOWN)
def test_the_budget_is_counted_for_all_images(protocol, name):
    """The sample is a fifth of CIFAR-10 and a sixth of Fashion-MNIST."""
    empty = protocol.without_pixels(name).train
    assert len(empty) == {"cifar10": 45_000, "fashion-mnist": 54_000}[name]
    assert tuple(empty.images.shape[1:]) == KNOWN[name].image_shape
    assert empty.images.untyped_storage().nbytes() < 10_000


def test_a_run_takes_the_rate_of_its_screening(protocol, logs):
    logs(
        "rates-vgg-cifar10",
        **{"0.01": row(0.4), "0.04": row(0.6, loss=9), "0.16": row(0.5)},
    )
    logs("rates-vgg-fashion", **{"0.01": row(0.8), "0.16": {"diverged": 1}})
    for run, rate in (
        ("vgg-cifar10-short", 0.04),
        ("vgg-cifar10-long", 0.04),
        ("vgg-fashion-short", 0.01),
    ):
        assert parts_of(protocol.RUNS[run])[1].learning_rate == rate


def test_without_a_screening_a_run_says_so(protocol, logs):
    with pytest.raises(
        ValueError,
        match="nin has no learning rate for fashion-mnist yet: first "
        "python tools/record.py 08_comparison rates-nin-fashion",
    ):
        parts_of(protocol.RUNS["nin-fashion-short"])
    logs("rates-nin-fashion", **{"0.16": {"diverged": 1}})
    with pytest.raises(ValueError, match="it diverged at each of"):
        parts_of(protocol.RUNS["nin-fashion-short"])


@pytest.fixture
def small_data(monkeypatch, protocol):
    """A few images in the shape of CIFAR-10, whatever is loaded."""

    def few(name):
        shape = KNOWN[name].image_shape
        g = torch.Generator().manual_seed(0)
        images = torch.randint(256, (160, *shape), generator=g)
        split = data.Split(
            images.byte(), torch.arange(160) % 10, mean=0.5, std=0.3
        )
        return data.Data(name, (), f"few of {name}", split, split, split)

    monkeypatch.setattr(data, "load", few)
    return few


def test_a_screening_tries_three_rates_and_outlives_one_that_diverges(
    protocol, small_data, logs, monkeypatch, tmp_path
):
    fit, rates = training.fit, []

    def explosive(net, images, recipe, **options):
        rates.append(recipe.learning_rate)
        assert options["seed"] == 5 and images.name == "fashion-mnist"
        if recipe.learning_rate == max(protocol.RATES):
            raise FloatingPointError("the loss is nan")
        return fit(net, images, replace(recipe, epochs=1), **options)

    monkeypatch.setattr(training, "fit", explosive)
    (tmp_path / "chapters").mkdir()
    file = "chapters/08_comparison.ipynb"
    (tmp_path / file).symlink_to(CHAPTERS.parent / file)
    log = recorder.record("08_comparison", "rates-lenet-fashion", 5, tmp_path)
    assert rates == list(protocol.RATES)
    assert log["numbers"]["0.16"] == {"diverged": 1}
    for rate in ("0.01", "0.04"):
        assert set(log["numbers"][rate]) == {"diverged", "loss", "accuracy"}
    assert log["precision"] == "bfloat16" and log["fits"] == 2


def test_all_is_in_one_precision_but_for_one_run_and_the_clock(protocol):
    precision = dict(protocol.PRECISION)
    assert set(precision) == {*protocol.RUNS, *protocol.EXPERIMENTS}
    for other in ("resnet-20-cifar10-short-float32", "latency"):
        assert precision.pop(other) == torch.float32
    assert set(precision.values()) == {torch.bfloat16}


def test_the_clock_meets_every_network_in_turn(protocol, monkeypatch):
    """Two turns, on two images: what is measured, not how long it takes."""
    monkeypatch.setitem(protocol.latency.__globals__, "TURNS", {1: 3, 2: 3})
    seen = []
    timed = protocol.milliseconds

    def noted(nets, images, turns):
        seen.append((images.shape[0], turns, list(nets)))
        assert not any(net.training for net in nets.values())
        spent = timed(nets, images, turns)
        assert all(len(times) == turns for times in spent.values())
        return spent

    monkeypatch.setitem(protocol.latency.__globals__, "milliseconds", noted)
    found = protocol.latency(0)
    assert [entry[:2] for entry in seen] == [(1, 3), (2, 3)] * 2
    assert set(found) == set(KNOWN)
    for networks in found.values():
        assert set(networks) == NINE
        for by_size in networks.values():
            assert set(by_size) == {"1", "2"}
            for t in by_size.values():
                assert 0 < t["low"] <= t["median"] <= t["high"]
    assert not recorder.what_is_no_number(found, "numbers")


def test_networks_take_turns(protocol):
    """One minibatch each, so that a slow moment meets all of them."""
    order = []
    nets = {
        name: lambda images, name=name: order.append(name) for name in "abc"
    }
    protocol.milliseconds(nets, torch.zeros(1), 2)
    assert "".join(order) == "abc" * (5 + 2)


@pytest.mark.parametrize("own", [torch.float32, torch.bfloat16])
def test_a_chapters_own_precision_is_used_and_cannot_be_overruled(
    monkeypatch, tmp_path, small_data, own
):
    used = []
    monkeypatch.setattr(
        training,
        "mixed_precision",
        lambda device, precision: (
            used.append(precision) or torch.autocast("cpu", enabled=False)
        ),
    )
    cell = {
        "cell_type": "code",
        "metadata": {"tags": ["definition"]},
        "source": "import torch\nfrom torch import nn\n"
        "from utils.training import Recipe, sgd\n"
        "def net():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
        "RUNS = {'a': (net, lambda: Recipe(1, 0.01), sgd)}\n"
        f"PRECISION = {{'a': {own}}}",
    }
    (tmp_path / "chapters").mkdir()
    file = tmp_path / "chapters/09_toy.ipynb"
    file.write_text(json.dumps({"cells": [cell]}))
    with pytest.raises(ValueError, match=f"'a' recorded in {own}"):
        recorder.record("09_toy", "a", 0, tmp_path, torch.float16)
    log = recorder.record("09_toy", "a", 0, tmp_path)
    assert f"torch.{log['precision']}" == str(own) and set(used) == {own}
    assert log["recipe"]["epochs"] == 1  # from a function


def test_float32_is_not_rounded_on_a_gpu():
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    with in_precision(torch.bfloat16):
        assert cudnn.allow_tf32 == before
    with in_precision(torch.float32):
        assert not cudnn.allow_tf32
    assert cudnn.allow_tf32 == before


def test_chapters_are_read_in_silence_and_by_name(tmp_path, capsys):
    def cell(source, *tags):
        return {"metadata": {"tags": list(tags)}, "source": source}

    cells = [
        cell(["A = 1\n", "print('loud')"], "definition"),
        cell("raise Exception('no definition')"),
        cell("print('loud')\ndef double(x):\n    return 2 * x * A"),
        cell("double(3)\nraise Exception('only called')"),
    ]
    file = tmp_path / "09_toy.ipynb"
    file.write_text(json.dumps({"cells": cells}))
    assert "double" not in definitions(file)
    assert definitions(file, "double")["double"](2) == 4
    assert capsys.readouterr().out == ""
