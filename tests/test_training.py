"""Training: what fit learns, logs, resumes and refuses."""

import contextlib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from utils import training
from utils.data import Data, Split
from utils.training import (
    Progress,
    Recipe,
    evaluate,
    fit,
    mirrored,
    one_cycle,
    predict,
    sgd,
    training_pflops,
)
from utils.trial import layouts, prepare

ROOT = Path(__file__).resolve().parent.parent


def stripes(n, seed):
    """Bright left or bright right half, with noise: learnt in a second."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (n,), generator=generator)
    images = torch.randint(120, (n, 1, 8, 8), generator=generator)
    for image, label in zip(images, labels, strict=True):
        image[0, :, 4 * label : 4 * label + 4] += 100
    return Split(images.byte(), labels, torch.tensor([0.4]), torch.tensor([1]))


def toy_data(n=512):
    return Data(
        *("toy", ("left", "right"), f"{n} made-up images"),
        *(stripes(n, 0), stripes(100, 1), stripes(100, 2)),
    )


def toy_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(256, 2)),
    )


RECIPE = Recipe(epochs=2, learning_rate=0.05, batch_size=64)


def test_it_learns_and_says_so(tmp_path):
    net = toy_net()
    untrained = evaluate(net, toy_data().test)
    log = fit(net, toy_data(), RECIPE, name="toy run", log=tmp_path / "a.json")
    assert untrained["accuracy"] < 0.8
    assert log["epochs"][-1]["validation_accuracy"] > 0.95
    assert log["epochs"][-1]["train_accuracy"] > 0.8
    assert evaluate(net, toy_data().test)["accuracy"] > 0.95
    assert json.loads((tmp_path / "a.json").read_text()) == log
    # 64 places of 9 taps in 4 channels, and 256 by 2.
    assert log["macs"] == 64 * 9 * 4 + 512
    assert log["pflops"] == pytest.approx(6 * log["macs"] * 512 * 2 / 1e15)
    assert log["parameters"] == sum(p.numel() for p in net.parameters())
    assert log["name"] == "toy run"
    assert log["seed"] == 0
    assert log["scale"] == os.environ.get("BOOK_SCALE", "laptop")
    assert log["data"] == {
        "source": "512 made-up images",
        "train_images": 512,
    }
    assert log["recipe"]["learning_rate"] == 0.05
    assert log["hardware"]["device"]
    assert log["versions"]["torch"] == str(torch.__version__)
    assert "/" not in log["command"].split()[0]
    assert [epoch["epoch"] for epoch in log["epochs"]] == [1, 2]
    assert log["seconds"] >= sum(e["seconds"] for e in log["epochs"]) - 0.01


def test_the_same_seed_gives_the_same_weights():
    runs = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        runs[name] = toy_net()
        fit(runs[name], toy_data(), RECIPE, seed=seed)
    a, b, c = (runs[name][5].weight for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_the_readers_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    net = toy_net()
    torch.manual_seed(5)
    fit(net, toy_data(), RECIPE)
    assert torch.equal(torch.rand(3), expected)


def test_learning_rate_goes_up_and_down(monkeypatch):
    rates = []
    step = torch.optim.SGD.step

    def recorded(self, *arguments, **options):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", recorded)
    fit(toy_net(), toy_data(), RECIPE)
    assert rates.pop(0) == 0.05  # of the copy whose work is counted
    assert len(rates) == 16
    assert rates[:4] == sorted(rates[:4])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0.04 < max(rates) <= 0.05
    assert 0 < rates[-1] < 0.01
    assert [one_cycle(x) for x in (0, 0.125, 0.25, 1)] == [0, 0.5, 1, 0]
    assert math.isclose(one_cycle(0.625), 0.5)
    assert [one_cycle(x, 0) for x in (0, 0.25, 1)] == [1, 0.75, 0]
    assert [one_cycle(x, 0.5) for x in (0.25, 0.5, 0.75)] == [0.5, 1, 0.5]
    rates.clear()
    fit(toy_net(), toy_data(), replace(RECIPE, warm_up=0))
    assert rates == sorted(rates, reverse=True) and rates[1] > 0.045


INTERRUPTED = """
    import sys, time
    sys.path[:0] = [{tests!r}, {root!r}]
    import test_training as toys
    from utils import training

    after = training.evaluate
    def slow(*arguments, **options):
        time.sleep(1)  # so that there is a moment to be killed in
        return after(*arguments, **options)
    training.evaluate = slow
    net, data = toys.toy_net(), toys.toy_data()
    training.fit(net, data, toys.LONG, checkpoint={path!r})
"""
LONG = Recipe(epochs=5, learning_rate=0.05, batch_size=64, flip=True)


def epochs_in(path) -> int:
    """Epochs of a checkpoint; 0 before the first."""
    if not path.exists():
        return 0
    return len(torch.load(path, weights_only=True)["result"]["epochs"])


def test_a_killed_run_resumes_to_the_same_weights(tmp_path, capsys):
    path = tmp_path / "run.pt"
    program = textwrap.dedent(INTERRUPTED).format(
        tests=str(ROOT / "tests"), root=str(ROOT), path=str(path)
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while process.poll() is None and epochs_in(path) < 1:
        time.sleep(0.05)
    time.sleep(0.3)  # in the middle of the second epoch's evaluation
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    resumed, whole = toy_net(seed=9), toy_net()
    log = fit(resumed, toy_data(), LONG, checkpoint=path)
    assert "continuing after epoch" in capsys.readouterr().out
    straight = fit(whole, toy_data(), LONG)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    for ours, expected in zip(log["epochs"], straight["epochs"], strict=True):
        for key in set(ours) - {"seconds"}:
            assert ours[key] == expected[key], key
    # A finished run is not trained again: the same call returns its log.
    again = toy_net(seed=3)
    assert (
        fit(again, toy_data(), LONG, checkpoint=path)["epochs"]
        == (log["epochs"])
    )
    assert torch.equal(again[5].weight, whole[5].weight)
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    fit(toy_net(), toy_data(), RECIPE, checkpoint=path)
    other = replace(RECIPE, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"run.pt.*recipe.*0.05.*0.1"):
        fit(toy_net(), toy_data(), other, checkpoint=path)
    with pytest.raises(ValueError, match="its seed is 0 and this one's 1"):
        fit(toy_net(), toy_data(), RECIPE, seed=1, checkpoint=path)
    older = torch.load(path)  # as written before logs named the optimiser
    del older["result"]["optimizer"]
    torch.save(older, path)
    with pytest.raises(ValueError, match="its optimizer is None.* delete"):
        fit(toy_net(), toy_data(), RECIPE, checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="is not of this run: .*delete that"):
        fit(toy_net(), toy_data(), RECIPE, checkpoint=path)


ALTERNATING = replace(LONG, flip="alternate", nesterov=True)


def test_alternating_flips_show_both_sides_in_two_epochs():
    masks = [mirrored(ALTERNATING, 1000, epoch, seed=3) for epoch in range(4)]
    assert 400 < masks[0].sum() < 600
    assert torch.equal(masks[1], ~masks[0])
    assert torch.equal(masks[2], masks[0])
    other = mirrored(ALTERNATING, 1000, 0, seed=4)
    assert not torch.equal(other, masks[0])
    assert mirrored(LONG, 1000, 1, seed=3) is True


class Onlooker(nn.Module):
    """Remembers the images that it met in training, as uint8 again."""

    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(64, 2), []

    def forward(self, x):
        if self.training:
            self.seen.append(((x + 0.4) * 255).round().to(torch.uint8))
        return self.linear(x.flatten(1))


def test_two_epochs_show_each_image_and_its_mirror_image_once():
    net, data = Onlooker(), toy_data(64)
    recipe = Recipe(2, learning_rate=0.01, batch_size=16, flip="alternate")
    fit(net, data, recipe)
    seen = [tuple(x.flatten().tolist()) for x in torch.cat(net.seen[-8:])]
    both = torch.cat([data.train.images, data.train.images.flip(3)])
    assert sorted(seen) == sorted(tuple(x.flatten().tolist()) for x in both)
    assert sorted(seen[:64]) != sorted(seen[64:])


def test_cutout_covers_part_of_each_training_image():
    net, data = Onlooker(), toy_data(64)
    fit(net, data, Recipe(1, 0.01, batch_size=16, cutout=7))
    mean = round(0.4 * 255)
    covered = (torch.cat(net.seen[-4:]) == mean).sum((1, 2, 3))
    assert (covered >= 7 * 7).all() and (covered < 8 * 8).all()


def test_the_optimiser_is_set_as_the_recipe_says():
    recipe = Recipe(1, 0.3, momentum=0.8, weight_decay=0.02, nesterov=True)
    group = sgd(toy_net(), recipe).param_groups[0]
    for key in ("momentum", "weight_decay", "nesterov"):
        assert group[key] == getattr(recipe, key), key
    assert group["lr"] == 0.3


class Sides(nn.Module):
    """Any side is fine; remembers those that it met in training."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)
        self.seen = []

    def forward(self, x):
        if self.training:
            self.seen.append(tuple(x.shape[2:]))
        return self.linear(self.conv(x).relu().mean((2, 3)))


SMALL = replace(RECIPE, epochs=4, sides=((2, 6), (1, 7)))


def test_small_images_come_first():
    net = Sides()
    log = fit(net, toy_data(), SMALL)
    steps = 512 // 64
    sides = [(6, 6)] * 2 * steps + [(7, 7)] * steps + [(8, 8)] * steps
    assert net.seen[-4 * steps :] == sides
    # 3 x 3 kernels for 4 channels at 4, 5, 6 squared places, linear 4 x 2.
    macs = 2 * (16 * 36 + 8) + (25 * 36 + 8) + (36 * 36 + 8)
    assert log["pflops"] == pytest.approx(6 * macs * 512 / 1e15)
    assert training_pflops(net, toy_data(), SMALL) == log["pflops"]
    assert log["recipe"]["sides"] == [[2, 6], [1, 7]]
    assert Recipe(**log["recipe"]) == SMALL
    assert [SMALL.side(epoch) for epoch in range(4)] == [6, 6, 7, None]


class Orthogonal(torch.optim.SGD):
    """Multiplies a matrix by its square before a step."""

    @torch.no_grad()
    def step(self):
        for parameter in self.param_groups[0]["params"]:
            if parameter.ndim == 2 and parameter.grad is not None:
                x = parameter.grad
                x.copy_(x @ x.T @ x / (x.norm() + 1) ** 2)
        return super().step()


def orthogonal(net, recipe):
    return Orthogonal(net.parameters(), lr=recipe.learning_rate)


def test_the_optimisers_own_work_is_counted():
    net, data = toy_net(), toy_data(500)
    before = [p.clone() for p in net.parameters()]
    # Of the matrix of 2 rows and 256 columns: x @ x.T, and that by x.
    macs, steps = 2 * 256 * 2 + 2 * 2 * 256, 2 * 8
    plain = training_pflops(net, data, RECIPE)
    whole = training_pflops(net, data, RECIPE, orthogonal)
    assert whole - plain == pytest.approx(2 * macs * steps / 1e15)
    assert all(map(torch.equal, before, net.parameters()))
    assert all(p.grad is None for p in net.parameters())
    log = fit(net, data, RECIPE, make_optimizer=orthogonal)
    assert (log["optimizer_macs"], log["pflops"]) == (macs, whole)
    for make_optimizer in (sgd, two_groups):
        assert training_pflops(net, data, RECIPE, make_optimizer) == plain
        log = fit(net, data, RECIPE, make_optimizer=make_optimizer)
        assert (log["optimizer_macs"], log["pflops"]) == (0, plain)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"flip": "both"}, "flip='both' must be False, True or 'alternate'"),
        ({"sides": ((1, 6), (2, 7))}, "are more than epochs=2; give pairs"),
        ({"warm_up": -0.1}, "warm_up=-0.1 must be at least 0 and below 1"),
        ({"warm_up": 1}, "warm_up=1 must be at least 0 and below 1"),
    ],
)
def test_impossible_recipes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **wrong)


def two_groups(net, recipe):
    """Adam, with a rate of its own for the last layer."""
    *others, weight, bias = net.parameters()
    return torch.optim.Adam(
        [{"params": others, "lr": 1e-3}, {"params": [weight, bias]}], lr=4e-3
    )


def test_another_optimiser_keeps_the_rates_of_its_groups(monkeypatch):
    rates = []
    step = torch.optim.Adam.step

    def recorded(self, *arguments, **options):
        rates.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", recorded)
    log = fit(toy_net(), toy_data(), RECIPE, make_optimizer=two_groups)
    assert log["optimizer"] == "Adam"
    assert rates.pop(0) == [1e-3, 4e-3]  # of the copy whose work is counted
    assert len(rates) == 16
    for first, second in rates:
        assert second == pytest.approx(4 * first)
    assert 0.9e-3 < max(first for first, _ in rates) <= 1e-3
    assert log["epochs"][-1]["validation_accuracy"] > 0.9


@pytest.mark.parametrize("make_optimizer", [None, two_groups])
def test_an_interrupted_run_with_everything_resumes(
    tmp_path, monkeypatch, make_optimizer
):
    recipe = replace(ALTERNATING, epochs=4, sides=((2, 6),), crop_padding=1)
    options = {"make_optimizer": make_optimizer}
    torch.manual_seed(0)
    whole, stopped = Sides(), Sides()
    stopped.load_state_dict(whole.state_dict())
    straight = fit(whole, toy_data(), recipe, **options)

    class Interrupted(Exception):
        pass

    after = training.evaluate
    measured = []

    def interrupting(*arguments, **settings):
        measured.append(1)
        if len(measured) == 3:
            raise Interrupted
        return after(*arguments, **settings)

    options["checkpoint"] = tmp_path / "run.pt"
    monkeypatch.setattr(training, "evaluate", interrupting)
    with pytest.raises(Interrupted):
        fit(stopped, toy_data(), recipe, **options)
    monkeypatch.setattr(training, "evaluate", after)
    resumed = Sides()
    log = fit(resumed, toy_data(), recipe, **options)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    losses = [[e["train_loss"] for e in x["epochs"]] for x in (log, straight)]
    assert losses[0] == losses[1]
    if make_optimizer:
        with pytest.raises(ValueError, match="its optimizer is 'Adam'"):
            fit(Sides(), toy_data(), recipe, checkpoint=tmp_path / "run.pt")


@pytest.mark.parametrize(("keeping", "again"), [(0, [2]), (99, [0, 1, 2])])
def test_a_lost_kernel_costs_no_finished_epoch(
    tmp_path, monkeypatch, keeping, again
):
    """The same call goes on, though it names no checkpoint."""
    data, recipe = toy_data(), replace(RECIPE, epochs=3)
    whole = toy_net()
    straight = fit(whole, data, recipe)
    monkeypatch.setenv("BOOK_RESUME", str(tmp_path / "unfinished"))
    monkeypatch.setattr(training, "WORTH_KEEPING", keeping)
    train_epoch, epochs = training.train_epoch, []

    def noted(train, recipe, epoch, *rest, **parts):
        epochs.append(epoch)
        if epochs == [0, 1, 2]:
            raise KeyboardInterrupt
        return train_epoch(train, recipe, epoch, *rest, **parts)

    monkeypatch.setattr(training, "train_epoch", noted)
    with pytest.raises(KeyboardInterrupt):
        fit(toy_net(), data, recipe)
    epochs.clear()
    epochs.append("others")  # which are not mistaken for it
    fit(toy_net(seed=1), data, recipe)
    fit(toy_net(), data, recipe, seed=1)
    fit(toy_net(), data, replace(recipe, momentum=0.8))
    fit(toy_net(), replace(data, train=stripes(512, 9)), recipe)
    assert epochs[1:] == 4 * [0, 1, 2]

    epochs[:] = ["again"]
    resumed = toy_net()
    log = fit(resumed, data, recipe)
    assert epochs[1:] == again
    assert not list(tmp_path.glob("unfinished/*")), "the end was not noticed"
    for key, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[key]), key
    losses = [[e["train_loss"] for e in x["epochs"]] for x in (log, straight)]
    assert losses[0] == losses[1]


def test_where_nothing_can_be_kept_it_trains_all_the_same(
    tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOOK_RESUME", str(tmp_path / "file/unfinished"))
    monkeypatch.setattr(training, "WORTH_KEEPING", 0)
    assert len(fit(toy_net(), toy_data(), RECIPE)["epochs"]) == 2


def test_an_infinite_loss_stops_with_the_step_and_the_rate():
    wild = replace(RECIPE, learning_rate=1e30)
    with pytest.raises(
        FloatingPointError, match=r"by step 8 of epoch 1; try a third"
    ):
        fit(toy_net(), toy_data(), wild, precision=torch.float32)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), "0 to 1.*1 outputs"),
        (nn.Sequential(nn.Flatten(), nn.Linear(60, 2)), "60 .* gets 64"),
        (nn.Conv2d(3, 2, 1), "in_channels=3 and gets 1"),
        (nn.Conv2d(1, 2, 1), r"\(64, 2, 8, 8\), not logits \(64, classes"),
    ],
)
def test_what_does_not_fit_is_named_before_the_first_step(net, message):
    before = [p.clone() for p in net.parameters()]
    with pytest.raises(ValueError, match=message):
        fit(net, toy_data(), RECIPE)
    for old, new in zip(before, net.parameters(), strict=True):
        assert torch.equal(old, new)


def test_no_epochs_are_refused():
    with pytest.raises(ValueError, match="epochs=0 must be at least 1"):
        replace(RECIPE, epochs=0)


def test_predict_evaluates_in_evaluation_mode_and_goes_back():
    net, test = toy_net(), toy_data().test
    net.train()
    logits = predict(net, test, precision=torch.float32)
    assert net.training and logits.shape == (100, 2)
    assert torch.equal(logits, predict(net, test, precision=torch.float32))
    net.eval()
    normalised = (test.images / 255 - 0.4) / 1
    assert torch.allclose(logits, net(normalised), atol=1e-5)
    expected = (logits.argmax(1) == test.labels).double().mean().item()
    measured = evaluate(net, test, precision=torch.float32)
    assert measured["accuracy"] == expected
    assert not net.training


def test_the_progress_bar_goes_to_stderr_alone(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(toy_net(), toy_data(), RECIPE, name="toy")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "toy, epoch 1 of 2" in captured.err


def test_the_environment_may_silence_the_bar(monkeypatch):
    given = {}

    class Watched(Progress):
        def __init__(self, *arguments, **options):
            given.update(options)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(training, "Progress", Watched)
    fit(toy_net(), toy_data(), RECIPE)
    assert "total" in given and "disable" not in given


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_precision_follows_the_processor(monkeypatch, able, expected):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: able, raising=False
    )
    monkeypatch.setattr(
        torch.backends.cpu, "get_cpu_capability", lambda: "AVX512"
    )
    assert training.fast_precision(torch.device("cpu")) == expected


@pytest.mark.parametrize(
    ("built_in", "expected"),
    [(True, torch.bfloat16), (False, torch.float16)],
)
def test_precision_follows_the_gpu(monkeypatch, built_in, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: built_in)
    assert training.fast_precision(torch.device("cuda")) == expected


def test_bfloat16_is_not_chosen_where_it_is_switched_off(monkeypatch):
    able = {"avx512_bf16": True}
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: able, raising=False
    )
    for used, expected in (
        ("AVX512", torch.bfloat16),
        ("AVX2", torch.float32),
    ):
        monkeypatch.setattr(
            torch.backends.cpu, "get_cpu_capability", lambda used=used: used
        )
        assert training.fast_precision(torch.device("cpu")) == expected


# What is tried before the first step


class Tail(nn.Module):
    """A convolution and whatever comes behind it."""

    def __init__(self, tail, features=256):
        super().__init__()
        self.conv, self.tail = nn.Conv2d(1, 4, 3, padding=1), tail
        self.linear = nn.Linear(features, 2)

    def forward(self, x):
        return self.linear(self.tail(self.conv(x)))


class Heads(nn.Module):
    """Answers in training as torchvision's GoogLeNet does: not with logits."""

    def __init__(self, answer):
        super().__init__()
        self.linear, self.answer = nn.Linear(64, 2), answer

    def forward(self, x):
        logits = self.linear(x.flatten(1))
        return self.answer(logits) if self.training else logits


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "tail",
    [
        lambda x: x.view(len(x), -1),
        lambda x: x.view(-1, 256),
        lambda x: x.view(len(x), 4, 64).transpose(1, 2).flatten(1),
        lambda x: x.view(len(x), 2, 128).relu().view(len(x), 256),
        lambda x: x.view(x.shape[0] * 4, 64).view(-1, 256),
        lambda x: x.tanh().view(x.size(0), -1),
    ],
)
def test_a_network_that_needs_contiguous_tensors_is_trained(tail):
    torch.manual_seed(0)
    net = Tail(Call(tail))
    log = fit(net, toy_data(), RECIPE)
    assert log["epochs"][-1]["validation_accuracy"] > 0.9
    net(torch.zeros(2, 1, 8, 8))  # usable afterwards


def norm_of_one(kind, *arguments):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), kind(*arguments),
                         nn.Linear(8, 2))  # fmt: skip


@pytest.mark.parametrize(
    ("net", "size", "message"),
    [
        (norm_of_one(nn.BatchNorm1d, 8), 65, r"2 \(BatchNorm1d\).*1 × 1 × 8 "
         "× 8.*another batch_size"),
        (nn.Sequential(nn.Conv2d(1, 8, 8), nn.BatchNorm2d(8), nn.Flatten(),
                       nn.Linear(8, 2)), 129, r"1 \(BatchNorm2d\)"),
        (Heads(lambda x: (x, x)), 64, "output is a tuple.*aux_logits=False"),
        (Heads(lambda x: {"logits": x}), 64, "output is a dict"),
        (Heads(lambda x: x[:, None]), 64, r"\(64, 1, 2\), not logits"),
        (Heads(lambda x: x.sum()), 64, r"of shape \(\), not logits \(64, cl"),
        (Heads(lambda x: x[:-1]), 64, r"shape \(63, 2\)"),
        (Heads(lambda x: x.detach()), 64, r"net \(Heads\).*not require grad"),
        (Tail(Heads(lambda x: x @ x.flatten(1)), 2), 64, r"tail"),
    ],
)  # fmt: skip
def test_what_fails_only_in_training_is_named_first(net, size, message):
    net.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with pytest.raises(ValueError, match=message):
        fit(net, toy_data(size), RECIPE)
    assert torch.equal(torch.rand(3), expected)
    assert not any(module.training for module in net.modules())
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_empty_part_is_named(part):
    data = toy_data()
    split = getattr(data, part)
    empty = replace(split, images=split.images[:0], labels=split.labels[:0])
    with pytest.raises(ValueError, match=f"data.{part} has no images"):
        fit(toy_net(), replace(data, **{part: empty}), RECIPE)


@pytest.mark.parametrize("option", ["log", "checkpoint"])
@pytest.mark.parametrize("place", ["file/below.json", ".", "file/a/b.json"])
def test_what_cannot_be_written_is_noticed_first(tmp_path, option, place):
    (tmp_path / "file").touch()
    net = toy_net()
    before = net[0].weight.clone()
    with pytest.raises(OSError, match="file|is a folder; name a file in it"):
        fit(net, toy_data(), RECIPE, **{option: tmp_path / place})
    assert torch.equal(net[0].weight, before)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (1, "from 1 to 2.*labels from 0 to 1; .* count the labels from 0"),
        (-1, "from -1 to 0.*labels from 0 to 1; .* count the labels from 0"),
    ],
)
def test_labels_out_of_range_get_the_way_out(shift, message):
    data = toy_data()
    moved = replace(data.train, labels=data.train.labels + shift)
    with pytest.raises(ValueError, match=message):
        fit(toy_net(), replace(data, train=moved), RECIPE)


# Modes, interruptions, memory


def frozen_net():
    net = toy_net()
    net.train()
    net[1].eval()
    return net


@pytest.mark.parametrize("use", [predict, evaluate])
def test_frozen_batch_norm_stays_frozen(use):
    net = frozen_net()
    use(net, toy_data().test)
    assert [m.training for m in net] == [True, False, *[True] * 4]
    fit(net, toy_data(), RECIPE)
    assert [m.training for m in net] == [True, False, *[True] * 4]
    assert net[1].num_batches_tracked == 0


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("use", [predict, evaluate])
def test_an_error_leaves_the_mode_as_it_was(use, raised):
    net = frozen_net()

    def interrupt(*_):
        raise raised

    net[5].register_forward_hook(interrupt)
    with pytest.raises(raised):
        use(net, toy_data().test)
    assert [m.training for m in net] == [True, False, *[True] * 4]


@pytest.mark.parametrize("at", [1, 7, 8, 9, 15])
def test_ctrl_c_and_the_same_cell_again_end_as_promised(
    tmp_path, monkeypatch, at
):
    whole, net = toy_net(), toy_net()
    fit(whole, toy_data(), RECIPE)
    cell = {"checkpoint": tmp_path / "run.pt"}
    step, steps = torch.optim.SGD.step, []

    def interrupted(self, *arguments):
        steps.append(1)
        if len(steps) == at:
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(net, toy_data(), RECIPE, **cell)
    fit(net, toy_data(), RECIPE, **cell)  # the same network, half trained
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, net.state_dict()[name]), name


@pytest.mark.parametrize(
    "settings",
    [
        {"betas": (0.8, 0.999)},
        {"weight_decay": 0.1},
        {"eps": 1e-6},
        {"lr": 2e-3},
        {"amsgrad": True},
    ],
)
def test_another_setting_of_the_optimiser_is_another_run(tmp_path, settings):
    path = tmp_path / "run.pt"

    def adam(**options):
        options = {"lr": 1e-3} | options
        return lambda net, _: torch.optim.Adam(net.parameters(), **options)

    log = fit(
        toy_net(), toy_data(), RECIPE, make_optimizer=adam(), checkpoint=path
    )
    assert log["optimizer_settings"][0]["lr"] == "0.001"
    changed = adam(**settings)
    with pytest.raises(ValueError, match="its optimizer_settings is"):
        fit(
            toy_net(),
            toy_data(),
            RECIPE,
            make_optimizer=changed,
            checkpoint=path,
        )


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False))
    fit(net, toy_data(), RECIPE, checkpoint=path)
    other = nn.Sequential(net)  # as many weights, under other names
    with pytest.raises(ValueError, match="is not of this run: .*state_dict"):
        fit(other, toy_data(), RECIPE, checkpoint=path)


def test_memory_is_bounded_by_the_minibatch():
    met = []
    net = toy_net()

    def meet(_, arguments):
        if arguments[0].device.type == "cpu":
            met.append(len(arguments[0]))

    net[0].register_forward_pre_hook(meet)
    fit(net, toy_data(), replace(RECIPE, batch_size=16))
    assert max(met) == 16
    met.clear()
    predict(net, toy_data().test, batch_size=30)
    assert met == [30, 30, 30, 10]


def test_a_last_step_that_diverges_is_said_and_not_logged(
    tmp_path, monkeypatch
):
    """Its loss is finite; only the weights after it are not."""
    step, steps = torch.optim.SGD.step, []

    def diverging(self, *arguments):
        step(self, *arguments)
        steps.append(1)
        if len(steps) == 17:  # the first was the copy's
            with torch.no_grad():
                self.param_groups[0]["params"][0].mul_(math.inf)

    monkeypatch.setattr(torch.optim.SGD, "step", diverging)
    with pytest.raises(FloatingPointError, match="loss is nan after epoch 2"):
        fit(toy_net(), toy_data(), RECIPE, log=tmp_path / "log.json")
    assert list(tmp_path.iterdir()) == []


# Progress


def test_a_long_run_says_so_after_its_first_steps(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(training, "FIRST_STEPS", 0)
    clock = itertools.count(step=10).__next__
    bar = Progress(total=30, desc="ResNet, epoch 1 of 2")
    monkeypatch.setattr(bar, "_time", clock)
    bar.start_t = 0
    for _ in range(3):
        bar.update(3)
    bar.close()
    (line,) = re.findall(r"ResNet: about (\d+) minutes? here",
                         capsys.readouterr().err)  # fmt: skip
    assert int(line) >= 2


def test_a_short_run_says_nothing(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(training, "FIRST_STEPS", 0)
    fit(toy_net(), toy_data(), RECIPE)
    assert "here" not in capsys.readouterr().err


def test_the_bar_counts_the_whole_run_by_its_work(monkeypatch):
    shares = []

    class Watched(Progress):
        def update(self, n=1):
            shares.append(n / self.total)
            return super().update(n)

    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(training, "Progress", Watched)
    fit(Sides(), toy_data(), SMALL)
    assert sum(shares) == pytest.approx(1)
    # 16 places against 36, and the linear layer's eight.
    assert shares[0] / shares[-1] == pytest.approx(584 / 1304)


def test_devices_without_the_fast_layout_are_spared_it():
    net = toy_net()
    assert layouts(net, torch.device("mps")) == [torch.contiguous_format]
    for device in ("cpu", "cuda"):
        assert layouts(net, torch.device(device))[0] == torch.channels_last


@pytest.mark.parametrize(
    ("layer", "fast"),
    [
        (nn.Conv2d(4, 64, 1, stride=2), False),
        (nn.Conv2d(64, 4, 1, stride=(1, 2)), False),
        (nn.Conv2d(64, 64, 1, stride=2, groups=64), False),
        (nn.Conv2d(16, 16, 1, stride=2), True),
        (nn.Conv2d(4, 8, 1), True),
        (nn.Conv2d(4, 8, 3, stride=2), True),
    ],
)
def test_a_network_with_the_faulty_layer_stays_contiguous(layer, fast):
    first, cpu = nn.Conv2d(3, layer.in_channels, 3), torch.device("cpu")
    net = nn.Sequential(first, nn.Sequential(layer))
    assert (torch.channels_last in layouts(net, cpu)) == fast
    assert torch.channels_last in layouts(net, torch.device("cuda"))
    net = nn.Sequential(net, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 2, 3])
    prepare(net, [images], cpu, contextlib.nullcontext())
    assert first.weight.is_contiguous() != fast
