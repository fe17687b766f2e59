"""Recorded runs and experiments: made once, kept whole, read back in order."""

import json
import math
import re
import sys
from dataclasses import replace

import nbformat
import pytest
import torch
from nbformat import v4
from test_training import toy_data

from tools import record as recorder
from utils import data, results, training

DEFINITIONS = """
import torch
from torch import nn
from utils.data import load
from utils.training import Recipe, evaluate, fit, sgd

def make_net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Flatten(), nn.Linear(256, 2))

def adam(net, recipe):
    return torch.optim.Adam(net.parameters(), lr=recipe.learning_rate)

BRIEF = Recipe(epochs=3, learning_rate=0.01, batch_size=64)
RUNS = {
    "first": (make_net, BRIEF, sgd),
    "second": (make_net, BRIEF, adam, "fashion-mnist"),
    "both": (make_net, BRIEF, sgd),
}
KEEP = ("first",)

def two_sets(seed):
    found = {}
    for name in ("cifar10", "fashion-mnist", "cifar10"):
        data = load(name)
        net = make_net()
        log = fit(net, data, BRIEF, seed=seed)
        found[name] = {
            "accuracy": torch.tensor(evaluate(net, data.test)["accuracy"]),
            "losses": [epoch["train_loss"] for epoch in log["epochs"]],
        }
    return found

def drawn(seed):
    numbers = torch.rand(3, dtype=torch.float64)
    return {"mean": numbers.mean(), "all": numbers, 3: (seed, True)}

EXPERIMENTS = {"two-sets": two_sets, "drawn": drawn, "both": drawn}
"""


def toy_load(name):
    return replace(toy_data(), name=name, source=f"the {name} files")


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
    monkeypatch.setattr(data, "load", toy_load)
    monkeypatch.delenv("BOOK_CHECKPOINTS", raising=False)
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    return tmp_path


def test_a_run_is_trained_tested_once_and_kept(root, monkeypatch):
    tests = []

    evaluate = training.evaluate

    def noted(net, split, **options):
        tests.append(split.images)
        return evaluate(net, split, **options)

    monkeypatch.setattr(training, "evaluate", noted)
    log = recorder.record("09_toy", "first", 0, root)
    *validations, images = tests
    assert torch.equal(images, toy_data().test.images)
    for others in validations:
        assert torch.equal(others, toy_data().validation.images)
    assert log["name"] == "first" and log["optimizer"] == "SGD"
    assert len(log["epochs"]) == 3
    assert log["test"]["images"] == 100 and log["test"]["accuracy"] > 0.9
    file = root / "results/09_toy/first-seed0.json"
    assert json.loads(file.read_text()) == log
    assert log["digest"] == recorder.digest(log)

    names = recorder.definitions(root / "chapters/09_toy.ipynb")
    assert training.Recipe(**log["recipe"]) == names["BRIEF"]
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
    make_net, recipe, adam, _ = names["RUNS"]["second"]
    torch.manual_seed(7)
    net = make_net()
    ours = training.fit(net, toy_data(), recipe, seed=7, make_optimizer=adam)
    for entry, recorded in zip(ours["epochs"], log["epochs"], strict=True):
        assert entry["train_loss"] == recorded["train_loss"]


def test_a_run_names_its_data_set(root):
    """Both in one chapter: cifar10 unless the run names another."""
    for run, name in [("first", "cifar10"), ("second", "fashion-mnist")]:
        log = recorder.record("09_toy", run, 1, root)
        assert log["data"]["name"] == name
        assert log["data"]["source"] == f"the {name} files"


@pytest.mark.parametrize("name", ["first", "two-sets"])
def test_what_differs_between_precisions_is_recorded_in_one(
    root, monkeypatch, name
):
    used = set()
    mixed_precision = training.mixed_precision

    def noted(device, precision):
        used.add(precision)
        return mixed_precision(device, precision)

    monkeypatch.setattr(training, "mixed_precision", noted)
    for precision in (torch.float32, torch.bfloat16):
        used.clear()
        seed = int(precision == torch.float32)
        log = recorder.record("09_toy", name, seed, root, precision)
        assert used == {precision}
        assert f"torch.{log['precision']}" == str(precision)


def test_checkpoints_go_where_they_are_told_to(root, monkeypatch):
    recorder.record("09_toy", "first", 0, root)
    assert (root / "checkpoints/09_toy-first-seed0.pt").exists()
    monkeypatch.setenv("BOOK_CHECKPOINTS", str(root / "elsewhere"))
    recorder.record("09_toy", "first", 1, root)
    assert (root / "elsewhere/09_toy-first-seed1.pt").exists()
    assert not (root / "checkpoints/09_toy-first-seed1.pt").exists()


def test_an_experiment_is_recorded_with_what_it_took(root):
    log = recorder.record("09_toy", "two-sets", 3, root)
    file = root / "results/09_toy/two-sets-seed3.json"
    assert json.loads(file.read_text()) == log
    assert results.recorded("09_toy", "two-sets") == [log]
    assert log["name"] == "two-sets" and log["seed"] == 3
    assert log["data"]["source"] == (
        "cifar10 from the cifar10 files; "
        "fashion-mnist from the fashion-mnist files"
    )
    assert log["fits"] == 3
    names = recorder.definitions(root / "chapters/09_toy.ipynb")
    one = training.training_pflops(
        names["make_net"](), toy_data(), names["BRIEF"]
    )
    assert log["pflops"] == pytest.approx(3 * one)
    run = recorder.record("09_toy", "first", 0, root)
    for key in "hardware versions scale precision command date".split():
        assert log[key] == run[key], key
    assert log["seconds"] > run["seconds"] > 0
    assert list(log["numbers"]) == ["cifar10", "fashion-mnist"]
    for measured in log["numbers"].values():
        assert measured["accuracy"] > 0.9 and len(measured["losses"]) == 3
    assert log["digest"] == recorder.digest(log)


def test_tensors_and_tuples_are_numbers_too(root):
    log = recorder.record("09_toy", "drawn", 5, root)
    torch.manual_seed(5)
    numbers = torch.rand(3, dtype=torch.float64)
    assert log["numbers"] == {
        "mean": numbers.mean().item(),
        "all": numbers.tolist(),
        "3": [5, True],
    }
    assert (log["fits"], log["pflops"], log["data"]["source"]) == (0, 0, "")


def put_experiment(root, function):
    """Let the chapter's experiment `drawn` be `function`."""
    path = root / "chapters/09_toy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].source += f"\nEXPERIMENTS['drawn'] = {function}"
    nbformat.write(notebook, path)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{'a': {'b': [1, float('nan')]}}", "numbers['a']['b'][1] is nan"),
        ("{'a': torch.tensor(1.0).log() / 0}", "numbers['a'] is nan"),
        ("{'a': -float('inf')}", "numbers['a'] is -inf"),
        ("{'a': '3'}", "numbers['a'] is '3'"),
        ("{'a': None}", "numbers['a'] is None"),
        ("{'a': make_net}", "has no attribute 'tolist'"),
        ("{(1, 2): 3}", "keys must be str, int"),
        ("{}", "something else: {}"),
        ("[1, 2]", "something else: [1, 2]"),
        ("None", "something else: None"),
    ],
)
def test_what_is_no_dict_of_numbers_leaves_no_log(root, returned, message):
    put_experiment(root, f"lambda seed: {returned}")
    with pytest.raises(ValueError, match=re.escape(message)):
        recorder.record("09_toy", "drawn", 0, root)
    assert not (root / "results").exists()


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "ValueError"])
def test_an_interrupted_experiment_leaves_no_log(root, error):
    put_experiment(root, "lambda seed: stop()")
    path = root / "chapters/09_toy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].source += f"\ndef stop():\n    raise {error}"
    nbformat.write(notebook, path)
    fit = training.fit
    with pytest.raises((KeyboardInterrupt, ValueError)):
        recorder.record("09_toy", "drawn", 0, root)
    assert not (root / "results").exists()
    assert data.load is toy_load and training.fit is fit


def test_no_log_is_written_over(root):
    log = recorder.record("09_toy", "drawn", 0, root)
    with pytest.raises(FileExistsError, match="drawn-seed0.json is there"):
        recorder.record("09_toy", "drawn", 0, root)
    assert results.recorded("09_toy", "drawn") == [log]


def test_a_name_belongs_to_a_run_or_to_an_experiment(root):
    with pytest.raises(ValueError, match="'both' and no experiment, or both"):
        recorder.record("09_toy", "both", 0, root)


def test_the_command_records_at_full_scale(root, monkeypatch, capsys):
    monkeypatch.setattr(recorder.record, "__defaults__", (root, None, None))
    monkeypatch.setenv("BOOK_SCALE", "laptop")
    command = "record.py 09_toy drawn --seed 4 --precision float32"
    monkeypatch.setattr(sys, "argv", command.split())
    recorder.main()
    (log,) = results.recorded("09_toy", "drawn")
    assert (log["scale"], log["seed"]) == ("full", 4)
    assert log["precision"] == "float32"
    printed = capsys.readouterr().out
    assert str(log["numbers"]["mean"]) in printed
    assert "drawn, seed 4: 0.000 PFLOPs" in printed
    assert math.isfinite(log["seconds"])


@pytest.mark.parametrize("arguments", ["", "drawn --list"])
def test_the_command_takes_a_name_or_lists(arguments, monkeypatch, capsys):
    command = f"record.py 09_toy {arguments}"
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit):
        recorder.main()
    assert "an experiment, or --list" in capsys.readouterr().err


def test_an_unknown_run_is_told_the_known_ones(root):
    with pytest.raises(
        ValueError, match="no run 'third' and .* has first, sec"
    ):
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
        FileNotFoundError, match="no 'none'; it holds first, first-and-mor"
    ):
        results.recorded("09_toy", "none")
