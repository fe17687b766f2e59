"""The logs in results/ belong to the chapters, and nobody has edited them.

`problems` recomputes what can be recomputed without training again; the last
tests prove that it sees a log that was changed by hand.
"""

import json
import shutil
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest
import torch

from tools.record import definitions
from utils.data import load
from utils.results import RESULTS
from utils.shapes import layer_table
from utils.training import Recipe, evaluate, training_pflops

ROOT = Path(__file__).resolve().parent.parent
LOGS = sorted(RESULTS.glob("*/*.json"))
TRAIN_IMAGES = 45_000
SPLITS = "45,000 train, 5,000 validation, 10,000 test images"
# How utils.data names the copy and the two ways to the original.
SOURCES = ("JPEG copy of CIFAR-10", "original files", "cifar-10-batches-py")


@cache
def names(chapter: str) -> dict:
    return definitions(ROOT / f"chapters/{chapter}.ipynb")


@cache
def sample():
    return load("cifar10", sample=True)


def problems(file: Path, chapter: str) -> list[str]:
    """What is wrong with a log; an empty list means that it is in order."""
    log = json.loads(file.read_text("utf-8"))
    run, _, seed = file.stem.rpartition("-seed")
    if run not in names(chapter)["RUNS"]:
        return [f"{chapter} has no run {run!r}"]
    make_network, recipe, make_optimizer = names(chapter)["RUNS"][run]
    net = make_network()
    optimizer = type(make_optimizer(net, recipe)).__name__
    log.setdefault("optimizer", optimizer)  # the first logs do not name it
    train = sample().train
    data = replace(
        sample(),
        train=replace(
            train,
            images=train.images[:1].expand(TRAIN_IMAGES, -1, -1, -1),
            labels=train.labels[:1].expand(TRAIN_IMAGES),
        ),
    )
    table = layer_table(net, (3, 32, 32))
    expected = {
        "name": run,
        "seed": int(seed),
        "scale": "full",
        "recipe": asdict(recipe),
        "optimizer": optimizer,
        "parameters": table.parameters,
        "macs": table.macs,
        "pflops": pytest.approx(training_pflops(net, data, recipe)),
    }
    # A log that is older than a setting was made without it.
    log["recipe"] = asdict(Recipe(**log["recipe"]))
    found = [
        f"{key} is {log[key]!r}, expected {value!r}"
        for key, value in expected.items()
        if log[key] != value
    ]
    numbers = [entry["epoch"] for entry in log["epochs"]]
    if numbers != list(range(1, recipe.epochs + 1)):
        found.append(f"its epochs are {numbers}")
    seconds = sum(entry["seconds"] for entry in log["epochs"])
    if abs(seconds - log["seconds"]) > 1:
        found.append(f"its epochs took {seconds:.0f} s, not {log['seconds']}")
    source = log["data"]["source"]
    if (
        log["data"]["train_images"] != TRAIN_IMAGES
        or SPLITS not in source
        or not any(words in source for words in SOURCES)
    ):
        found.append(f"its data is {log['data']}")
    test = log.get("test", {})
    if test.get("images") != 10_000 or not 0.1 < test.get("accuracy", 0) < 1:
        found.append(f"its test is {test}")
    elif abs(test["accuracy"] * 10_000 % 1 - 0.5) < 0.49:
        found.append("its test accuracy is no whole number of 10,000 images")
    else:
        validation = log["epochs"][-1]["validation_accuracy"]
        if abs(test["accuracy"] - validation) > 0.03:
            found.append(
                f"its test accuracy is {test['accuracy']:.1%}, that of "
                f"validation was {validation:.1%}"
            )
    weights = file.with_suffix(".pt")
    kept = run in names(chapter).get("KEEP", ()) and log["seed"] == 0
    if weights.exists() != kept:
        found.append(f"{weights.name}: KEEP says {kept}")
    if weights.exists():
        net.load_state_dict(torch.load(weights, weights_only=True))
        measured = evaluate(net, sample().test, precision=torch.float32)
        if abs(measured["accuracy"] - test.get("accuracy", 0)) > 0.03:
            found.append(
                f"its weights have {measured['accuracy']:.1%} on the sample, "
                f"the log says {test.get('accuracy', 0):.1%}"
            )
    return found


def strays(files: list[Path]) -> list[str]:
    """Weights without a log, and logs with the losses of another one."""
    found, seen = [], {}
    for file in files:
        if file.suffix == ".pt" and file.with_suffix(".json") not in files:
            found.append(f"{file.name} has no log")
        if file.suffix == ".json":
            log = json.loads(file.read_text("utf-8"))
            losses = tuple(entry["train_loss"] for entry in log["epochs"])
            if losses in seen:
                found.append(f"{file.name} has the losses of {seen[losses]}")
            seen[losses] = file.name
    return found


@pytest.mark.parametrize("file", LOGS, ids=lambda file: file.stem)
def test_the_log_belongs_to_its_chapter(file):
    assert not problems(file, file.parent.name)


def test_there_are_logs_and_each_is_a_run_of_its_own():
    assert LOGS
    assert not strays(sorted(RESULTS.glob("*/*.*")))


WHOLE = RESULTS / "06_resnet/resnet-20-seed0.json"


def test_weights_without_a_log_and_a_log_twice_are_found(tmp_path):
    for name in ("resnet-20-seed0.json", "resnet-20-seed1.json"):
        shutil.copy(WHOLE, tmp_path / name)
    shutil.copy(WHOLE.with_suffix(".pt"), tmp_path / "resnet-20-seed2.pt")
    assert strays(sorted(tmp_path.iterdir())) == [
        "resnet-20-seed1.json has the losses of resnet-20-seed0.json",
        "resnet-20-seed2.pt has no log",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet-21-seed0.json", "06_resnet has no run 'resnet-21'"),
        ("residual-56-seed0.json", "name is 'resnet-20', expected"),
        ("resnet-20-seed5.json", "seed is 0, expected 5"),
        ("resnet-20-seed0.json", "resnet-20-seed0.pt: KEEP says True"),
    ],
)
def test_a_log_out_of_its_place_is_found(tmp_path, name, message):
    shutil.copy(WHOLE, tmp_path / name)
    assert message in "\n".join(problems(tmp_path / name, "06_resnet"))


SAMPLE = (
    "the book's sample (JPEG copy of CIFAR-10): 9,000 train, 1,000 "
    "validation, 2,000 test images"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: log["test"].update(accuracy=0.87123), "whole number"),
        (lambda log: log.update(pflops=0.1), "pflops is 0.1"),
        (lambda log: log.update(parameters=1), "parameters is 1"),
        (lambda log: log.update(macs=1), "macs is 1"),
        (lambda log: log.update(optimizer="Muon"), "optimizer is 'Muon'"),
        (lambda log: log.update(scale="laptop"), "scale is 'laptop'"),
        (lambda log: log["recipe"].update(epochs=99), "recipe is"),
        (lambda log: log["recipe"].update(learning_rate=0.3), "recipe is"),
        (lambda log: log["epochs"].pop(), "its epochs are"),
        (lambda log: log["data"].update(source=SAMPLE), "its data is"),
        (lambda log: log["data"].update(train_images=9000), "its data is"),
        (lambda log: log["test"].update(accuracy=1.3779), "its test is"),
        (lambda log: log["test"].update(images=2000), "its test is"),
        (lambda log: log["test"].update(accuracy=0.9512), "was 87.6%"),
        (lambda log: log.pop("test"), "its test is {}"),
    ],
)
def test_a_log_that_was_edited_is_found(tmp_path, change, message):
    copied = tmp_path / WHOLE.name
    log = json.loads(WHOLE.read_text("utf-8"))
    change(log)
    copied.write_text(json.dumps(log), "utf-8")
    assert message in "\n".join(problems(copied, "06_resnet"))


def test_weights_that_are_worse_than_their_log_are_found(tmp_path):
    copied = tmp_path / WHOLE.name
    shutil.copy(WHOLE.with_suffix(".pt"), tmp_path)
    log = json.loads(WHOLE.read_text("utf-8"))
    copied.write_text(json.dumps(log), "utf-8")
    assert problems(copied, "06_resnet") == []
    log["test"]["accuracy"] = 0.9512
    log["epochs"][-1]["validation_accuracy"] = 0.95
    copied.write_text(json.dumps(log), "utf-8")
    (found,) = problems(copied, "06_resnet")
    assert "the log says 95.1" in found
