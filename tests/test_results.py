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
from utils.training import evaluate, training_pflops

ROOT = Path(__file__).resolve().parent.parent
LOGS = sorted(RESULTS.glob("*/*.json"))


@cache
def names(chapter: str) -> dict:
    return definitions(ROOT / f"chapters/{chapter}.ipynb")


@cache
def sample():
    return load("cifar10", sample=True)


def problems(file: Path, chapter: str) -> list[str]:
    """What is wrong with a log; an empty list means that it is in order."""
    log = json.loads(file.read_text("utf-8"))
    run = file.stem.rpartition("-seed")[0]
    if run not in names(chapter)["RUNS"]:
        return [f"{chapter} has no run {run!r}"]
    make_network, recipe, _ = names(chapter)["RUNS"][run]
    net = make_network()
    train = sample().train
    images = log["data"]["train_images"]
    data = replace(
        sample(),
        train=replace(
            train,
            images=train.images[:1].expand(images, -1, -1, -1),
            labels=train.labels[:1].expand(images),
        ),
    )
    table = layer_table(net, (3, 32, 32))
    expected = {
        "name": run,
        "seed": int(file.stem.rpartition("-seed")[2]),
        "scale": "full",
        "recipe": asdict(recipe),
        "parameters": table.parameters,
        "macs": table.macs,
        "pflops": pytest.approx(training_pflops(net, data, recipe)),
    }
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
    if not any(word in log["data"]["source"] for word in ("JPEG", "original")):
        found.append(f"its data is from {log['data']['source']!r}")
    test = log.get("test", {})
    if test.get("images") != 10_000 or not 0.1 < test.get("accuracy", 0) < 1:
        found.append(f"its test is {test}")
    elif abs(test["accuracy"] * 10_000 % 1 - 0.5) < 0.49:
        found.append("its test accuracy is no whole number of 10,000 images")
    weights = file.with_suffix(".pt")
    if weights.exists():
        net.load_state_dict(torch.load(weights, weights_only=True))
        measured = evaluate(net, sample().test, precision=torch.float32)
        if abs(measured["accuracy"] - test.get("accuracy", 0)) > 0.03:
            found.append(
                f"its weights have {measured['accuracy']:.1%} on the sample, "
                f"the log says {test.get('accuracy', 0):.1%}"
            )
    return found


@pytest.mark.parametrize("file", LOGS, ids=lambda file: file.stem)
def test_the_log_belongs_to_its_chapter(file):
    assert not problems(file, file.parent.name)


def test_there_are_logs_and_every_kept_network_has_one():
    assert LOGS
    for weights in RESULTS.glob("*/*.pt"):
        assert weights.with_suffix(".json") in LOGS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: log["test"].update(accuracy=0.9512), "the log says 95.1"),
        (lambda log: log["test"].update(accuracy=0.87123), "whole number"),
        (lambda log: log.update(pflops=0.1), "pflops is 0.1"),
        (lambda log: log.update(parameters=1), "parameters is 1"),
        (lambda log: log["recipe"].update(epochs=99), "recipe is"),
        (lambda log: log["epochs"].pop(), "its epochs are"),
        (lambda log: log["data"].update(source="sample"), "data is from"),
        (lambda log: log.pop("test"), "its test is {}"),
    ],
)
def test_a_log_that_was_edited_is_found(tmp_path, change, message):
    whole = RESULTS / "06_resnet/resnet-20-seed0.json"
    copied = tmp_path / whole.name
    shutil.copy(whole.with_suffix(".pt"), tmp_path)
    log = json.loads(whole.read_text("utf-8"))
    change(log)
    copied.write_text(json.dumps(log), "utf-8")
    assert message in "\n".join(problems(copied, "06_resnet"))
