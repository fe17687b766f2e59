"""Recorded runs: made once, kept whole, read back in order."""

import json
from dataclasses import asdict

import nbformat
import pytest
import torch
from nbformat import v4
from test_training import toy_data

from tools import record as recorder
from utils import results, training

DEFINITIONS = """
import torch
from torch import nn
from utils.training import Recipe, sgd

def make_net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Flatten(), nn.Linear(256, 2))

def adam(net, recipe):
    return torch.optim.Adam(net.parameters(), lr=recipe.learning_rate)

BRIEF = Recipe(epochs=3, learning_rate=0.01, batch_size=64)
RUNS = {"first": (make_net, BRIEF, sgd), "second": (make_net, BRIEF, adam)}
KEEP = ("first",)
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A book of one chapter, with the toy data of test_training."""
    cells = [
        v4.new_markdown_cell("# A chapter"),
        v4.new_code_cell("raise Exception('no definition, not executed')"),
        v4.new_code_cell(DEFINITIONS, metadata={"tags": ["definition"]}),
    ]
    (tmp_path / "chapters").mkdir()
    nbformat.write(
        v4.new_notebook(cells=cells), tmp_path / "chapters/09_toy.ipynb"
    )
    monkeypatch.setattr(recorder, "load", lambda name: toy_data())
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    return tmp_path


def test_a_run_is_trained_tested_once_and_kept(root, monkeypatch):
    tests = []

    def noted(net, split):
        tests.append(split.images)
        return training.evaluate(net, split)

    monkeypatch.setattr(recorder, "evaluate", noted)
    log = recorder.record("09_toy", "first", 0, root)
    (images,) = tests
    assert torch.equal(images, toy_data().test.images)
    assert log["name"] == "first" and log["optimizer"] == "SGD"
    assert len(log["epochs"]) == 3
    assert log["test"]["images"] == 100 and log["test"]["accuracy"] > 0.9
    file = root / "results/09_toy/first-seed0.json"
    assert json.loads(file.read_text()) == log

    names = recorder.definitions(root / "chapters/09_toy.ipynb")
    assert log["recipe"] == asdict(names["BRIEF"])
    net = names["make_net"]()
    net.load_state_dict(torch.load(file.with_suffix(".pt")))
    assert torch.load(file.with_suffix(".pt"))["0.weight"].dtype == torch.half
    measured = training.evaluate(net, toy_data().test)
    assert measured["accuracy"] == pytest.approx(log["test"]["accuracy"], 0.03)

    with pytest.raises(FileExistsError, match="test set is used once"):
        recorder.record("09_toy", "first", 0, root)


def test_only_what_the_chapter_names_is_kept(root):
    recorder.record("09_toy", "first", 1, root)
    log = recorder.record("09_toy", "second", 0, root)
    assert log["optimizer"] == "Adam"
    assert sorted(p.name for p in (root / "results/09_toy").iterdir()) == [
        "first-seed1.json",
        "second-seed0.json",
    ]


def test_the_seed_is_that_of_the_first_weights_and_of_the_training(root):
    log = recorder.record("09_toy", "second", 7, root)
    names = recorder.definitions(root / "chapters/09_toy.ipynb")
    make_net, recipe, adam = names["RUNS"]["second"]
    torch.manual_seed(7)
    net = make_net()
    ours = training.fit(net, toy_data(), recipe, seed=7, make_optimizer=adam)
    for entry, recorded in zip(ours["epochs"], log["epochs"], strict=True):
        assert entry["train_loss"] == recorded["train_loss"]


def test_an_unknown_run_is_told_the_known_ones(root):
    with pytest.raises(ValueError, match="no run 'third'; it has first, sec"):
        recorder.record("09_toy", "third", 0, root)


def test_an_interrupted_recording_goes_on(root, monkeypatch, capsys):
    whole = recorder.record("09_toy", "first", 0, root)
    for file in [*root.glob("results/*/*"), *root.glob("checkpoints/*")]:
        file.unlink()
    after, measured = training.evaluate, []

    class Interrupted(Exception):
        pass

    def interrupting(*arguments, **options):
        measured.append(1)
        if len(measured) == 2:
            raise Interrupted
        return after(*arguments, **options)

    monkeypatch.setattr(training, "evaluate", interrupting)
    with pytest.raises(Interrupted):
        recorder.record("09_toy", "first", 0, root)
    monkeypatch.setattr(training, "evaluate", after)
    resumed = recorder.record("09_toy", "first", 0, root)
    assert "continuing after epoch 1" in capsys.readouterr().out
    assert resumed["test"] == whole["test"]
    for ours, straight in zip(resumed["epochs"], whole["epochs"], strict=True):
        assert ours["train_loss"] == straight["train_loss"]


def test_logs_are_read_in_the_order_of_their_seeds(root):
    folder = root / "results/09_toy"
    folder.mkdir(parents=True)
    for seed in (10, 2, 0):
        text = json.dumps({"seed": seed})
        (folder / f"first-seed{seed}.json").write_text(text)
    (folder / "first-and-more-seed1.json").write_text(json.dumps({"seed": 1}))
    logs = results.recorded("09_toy", "first")
    assert [log["seed"] for log in logs] == [0, 2, 10]
    with pytest.raises(
        FileNotFoundError, match="no run 'none'; it holds first, first-and-mor"
    ):
        results.recorded("09_toy", "none")
