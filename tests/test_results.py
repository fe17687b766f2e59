"""The logs in results/ belong to the chapters, and nobody has edited them.

`problems` recomputes what can be recomputed without training again, and looks
at the digest of all the rest; the last tests prove that it sees a log that was
changed by hand.
"""

import json
import math
import shutil
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
import yaml
from nbformat import v4

from tools import record as recorder
from tools.record import (
    MADE_HERE,
    digest,
    parts_of,
    what_is_no_number,
)
from utils import data, training
from utils.chapters import definitions
from utils.data import KNOWN, load
from utils.results import RESULTS
from utils.shapes import layer_table
from utils.training import (
    Recipe,
    evaluate,
    fit,
    optimizer_macs,
    sgd,
    training_pflops,
)

ROOT = Path(__file__).resolve().parent.parent
LOGS = sorted(RESULTS.glob("*/*.json"))
TRAIN_IMAGES = {"cifar10": 45_000, "fashion-mnist": 54_000}
SPLITS = {
    "cifar10": "45,000 train, 5,000 validation, 10,000 test images",
    "fashion-mnist": "54,000 train, 6,000 validation, 10,000 test images",
}


@cache
def names(chapter: str) -> dict:
    found = definitions(ROOT / f"chapters/{chapter}.ipynb")
    # A network that is made from the data reads them once, not once a log.
    found["load"] = cache(load)
    return found


@cache
def sample(name: str):
    return load(name, sample=True)


def as_many_as_all(name: str):
    """The sample with as many training images as the whole data set."""
    train, n = sample(name).train, TRAIN_IMAGES[name]
    images = train.images[:1].expand(n, -1, -1, -1)
    train = replace(train, images=images, labels=train.labels[:1].expand(n))
    return replace(sample(name), train=train)


def is_whole(name: str, source: str) -> bool:
    """Whether it is all of a data set, in one of the ways to have that."""
    known = KNOWN[name]
    ways = (known.folder, f"{name}.tar.xz", "the original files")
    return SPLITS[name] in source and any(words in source for words in ways)


def own_precision(chapter: str, name: str, log: dict) -> str:
    """The one that the chapter asks for, if it does."""
    own = names(chapter).get("PRECISION", {}).get(name)
    return str(own).removeprefix("torch.") if own else log.get("precision")


@cache
def computed(chapter: str, run: str) -> dict:
    """What follows from a run's network and recipe; its seeds share it."""
    make_network, recipe, make_optimizer, data_name = parts_of(
        names(chapter)["RUNS"][run]
    )
    net, whole = make_network(), as_many_as_all(data_name)
    table = layer_table(net, KNOWN[data_name].image_shape)
    return {
        "make_network": make_network,
        "recipe": recipe,
        "data_name": data_name,
        "parameters": table.parameters,
        "macs": table.macs,
        "optimizer": type(make_optimizer(net, recipe)).__name__,
        "optimizer_macs": optimizer_macs(net, recipe, make_optimizer),
        # A log that does not name the optimiser's own work counts none.
        "pflops": {
            own: training_pflops(net, whole, recipe, counted)
            for own, counted in ((False, sgd), (True, make_optimizer))
        },
    }


def problems(file: Path, chapter: str) -> list[str]:
    """What is wrong with a log; an empty list means that it is in order."""
    log = json.loads(file.read_text("utf-8"))
    found = problems_of_any_log(log)
    run, _, seed = file.stem.rpartition("-seed")
    if run in names(chapter).get("EXPERIMENTS", {}):
        precision = own_precision(chapter, run, log)
        return found + problems_of_experiment(log, run, int(seed), precision)
    if run not in names(chapter).get("RUNS", {}):
        return [f"{chapter} has no run and no experiment {run!r}"]
    known = computed(chapter, run)
    recipe, data_name = known["recipe"], known["data_name"]
    log.setdefault("optimizer", known["optimizer"])  # the first name none
    log["data"].setdefault("name", "cifar10")
    images, own = TRAIN_IMAGES[data_name], "optimizer_macs" in log
    expected = {
        "name": run,
        "seed": int(seed),
        "scale": "full",
        "recipe": recipe,
        "optimizer": known["optimizer"],
        "parameters": known["parameters"],
        "macs": known["macs"],
        "precision": own_precision(chapter, run, log),
        "pflops": pytest.approx(known["pflops"][own]),
    }
    if own:
        expected["optimizer_macs"] = known["optimizer_macs"]
    # A log that is older than a setting was made without it.
    small = log["recipe"].pop("small_epochs", 0)
    side = log["recipe"].pop("small_side", 0)
    log["recipe"] = Recipe(
        **{"sides": [(small, side)] if small else ()} | log["recipe"]
    )
    found += [
        f"{key} is {log.get(key)!r}, expected {value!r}"
        for key, value in expected.items()
        if log.get(key) != value
    ]
    numbers = [entry["epoch"] for entry in log["epochs"]]
    if numbers != list(range(1, recipe.epochs + 1)):
        found.append(f"its epochs are {numbers}")
    seconds = sum(entry["seconds"] for entry in log["epochs"])
    if abs(seconds - log["seconds"]) > 1:
        found.append(f"its epochs took {seconds:.0f} s, not {log['seconds']}")
    if (
        log["data"]["name"] != data_name
        or log["data"]["train_images"] != images
        or not is_whole(data_name, log["data"]["source"])
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
        net = known["make_network"]()
        net.load_state_dict(torch.load(weights, weights_only=True))
        measured = evaluate(
            net, sample(data_name).test, precision=torch.float32
        )
        if abs(measured["accuracy"] - test.get("accuracy", 0)) > 0.03:
            found.append(
                f"its weights have {measured['accuracy']:.1%} on the sample, "
                f"the log says {test.get('accuracy', 0):.1%}"
            )
    return found


def problems_of_any_log(log: dict) -> list[str]:
    """What is wrong with its digest, and with what it ran on."""
    found = []
    if log.get("digest") != (right := digest(log)):
        found.append(f"digest is {log.get('digest')!r}, expected {right!r}")
    for part, keys in {
        "hardware": ["device"],
        "versions": ["python", "torch"],
    }.items():
        found += [
            f"{part} names no {key}"
            for key in keys
            if not log.get(part, {}).get(key)
        ]
    if log.get("precision") not in ("float32", "bfloat16", "float16"):
        found.append(f"its precision is {log.get('precision')}")
    if not 0 < log.get("seconds", 0) < math.inf:
        found.append(f"it took {log.get('seconds')} s")
    return found


def problems_of_experiment(
    log: dict, name: str, seed: int, precision: str
) -> list[str]:
    """The same for an experiment, whose numbers cannot be computed anew."""
    expected = {
        "name": name,
        "seed": seed,
        "scale": "full",
        "precision": precision,
    }
    found = [
        f"{key} is {log.get(key)!r}, expected {value!r}"
        for key, value in expected.items()
        if log.get(key) != value
    ]
    found += what_is_no_number(log.get("numbers"), "numbers")
    if (log.get("fits", 0) > 0) != (log.get("pflops", 0) > 0):
        found.append(f"{log.get('fits')} fits, {log.get('pflops')} PFLOPs")
    loaded = log.get("data", {}).get("source", "")
    for part in filter(None, loaded.split("; ")):
        data_name, _, source = part.partition(" from ")
        if data_name in KNOWN:
            good = is_whole(data_name, source)
        else:
            good = source == MADE_HERE
        if not good:
            found.append(f"its data is {part}")
    if log.get("fits") and not loaded:
        found.append("it trained on no data")
    return found


def strays(files: list[Path]) -> list[str]:
    """Weights without a log, and logs with the numbers of another one."""
    found, seen = [], {}
    for file in files:
        if file.suffix == ".pt" and file.with_suffix(".json") not in files:
            found.append(f"{file.name} has no log")
        if file.suffix == ".json":
            log = json.loads(file.read_text("utf-8"))
            numbers = log.get("numbers") or [
                entry["train_loss"] for entry in log["epochs"]
            ]
            numbers = json.dumps(numbers, sort_keys=True)
            if numbers in seen:
                found.append(f"{file.name} has the numbers of {seen[numbers]}")
            seen[numbers] = file.name
    return found


@pytest.mark.parametrize("file", LOGS, ids=lambda file: file.stem)
def test_the_log_belongs_to_its_chapter(file):
    assert not problems(file, file.parent.name)


TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
LISTED = [
    Path(entry["file"]).name
    for entry in TOC["chapters"]
    if entry["file"].startswith("chapters/")
]


@pytest.mark.parametrize("chapter", LISTED)
def test_no_log_is_missing(chapter):
    assert recorder.missing(chapter) == ([], [])


def test_there_are_logs_and_each_is_a_run_of_its_own():
    assert LOGS
    assert not strays(sorted(RESULTS.glob("*/*.*")))


WHOLE = RESULTS / "06_resnet/resnet-20-seed0.json"


def test_weights_without_a_log_and_a_log_twice_are_found(tmp_path):
    for name in ("resnet-20-seed0.json", "resnet-20-seed1.json"):
        shutil.copy(WHOLE, tmp_path / name)
    shutil.copy(WHOLE.with_suffix(".pt"), tmp_path / "resnet-20-seed2.pt")
    assert strays(sorted(tmp_path.iterdir())) == [
        "resnet-20-seed1.json has the numbers of resnet-20-seed0.json",
        "resnet-20-seed2.pt has no log",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "resnet-21-seed0.json",
            "06_resnet has no run and no experiment 'resnet-21'",
        ),
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
        (lambda log: log["data"].update(name="fashion-mnist"), "its data is"),
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


SHORT = RESULTS / "08_comparison/vgg-cifar10-short-seed0.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: log["test"].update(accuracy=0.7556), "digest is"),
        (lambda log: log["test"].update(loss=7.0), "digest is"),
        (lambda log: log["hardware"].update(device="AMD EPYC"), "digest is"),
        (lambda log: log.pop("hardware"), "hardware names no device"),
        (lambda log: log["versions"].pop("torch"), "versions names no torch"),
        (
            lambda log: log["epochs"][3].update(validation_accuracy=0.9),
            "digest is",
        ),
        (lambda log: log["epochs"][3].update(train_loss=0.1), "digest is"),
        (lambda log: log.update(digest="0" * 64), "digest is '000"),
        (lambda log: log.pop("digest"), "digest is None"),
    ],
)
def test_an_edit_that_could_be_true_is_found(tmp_path, change, message):
    """Nothing follows from what was measured, but the digest does."""
    copied = tmp_path / SHORT.name
    shutil.copy(SHORT, copied)
    assert problems(copied, "08_comparison") == []
    log = json.loads(SHORT.read_text("utf-8"))
    change(log)
    copied.write_text(json.dumps(log), "utf-8")
    assert message in "\n".join(problems(copied, "08_comparison"))


def write_sealed(file: Path, log: dict) -> None:
    """Write a log with the digest that is right for it."""
    text = json.dumps(log | {"digest": digest(log)})
    file.write_text(text, "utf-8")


def test_a_log_says_whether_it_counts_the_optimisers_own_work(tmp_path):
    """Logs made before `fit` counted it hold no `optimizer_macs`."""
    file = next(f for f in LOGS if '"Muon"' in f.read_text("utf-8"))
    chapter, copied = file.parent.name, tmp_path / file.name
    log = json.loads(file.read_text("utf-8"))
    run = names(chapter)["RUNS"][file.stem.rpartition("-seed")[0]]
    make_network, recipe, make_optimizer, _ = parts_of(run)
    net, whole = make_network(), as_many_as_all("cifar10")
    own = optimizer_macs(net, recipe, make_optimizer)
    plain = training_pflops(net, whole, recipe)
    steps = recipe.epochs * math.ceil(45_000 / recipe.batch_size)
    for macs, pflops, found in (
        (None, plain, ""),
        (None, plain + 2 * own * steps / 1e15, "pflops is"),
        (own, plain, "pflops is"),
        (own, plain + 2 * own * steps / 1e15, ""),
        (own + 1, plain + 2 * own * steps / 1e15, "optimizer_macs is"),
    ):
        log |= {"pflops": pflops, "optimizer_macs": macs}
        kept = {key: log[key] for key in log if log[key] is not None}
        write_sealed(copied, kept)
        said = [x for x in problems(copied, chapter) if "KEEP" not in x]
        assert len(said) == bool(found) and found in "".join(said)


def test_weights_that_are_worse_than_their_log_are_found(tmp_path):
    copied = tmp_path / WHOLE.name
    shutil.copy(WHOLE.with_suffix(".pt"), tmp_path)
    log = json.loads(WHOLE.read_text("utf-8"))
    write_sealed(copied, log)
    assert problems(copied, "06_resnet") == []
    log["test"]["accuracy"] = 0.9512
    log["epochs"][-1]["validation_accuracy"] = 0.95
    write_sealed(copied, log)
    (found,) = problems(copied, "06_resnet")
    assert "the log says 95.1" in found


EXPERIMENT = """
from dataclasses import replace

from torch import nn

from utils import data, training

def compare(seed):
    fashion, photographs = data.load("fashion-mnist"), data.load("cifar10")
    logs = [training.fit(None, part, None) for part in (fashion, photographs)]
    return {"fashion-mnist": {"mean": 0.5, "each": [0.4, 0.6, seed]}}

def own_data(seed):
    photographs = data.load("cifar10")
    own = replace(photographs, name="own", source="made in the chapter")
    return {"loss": len(training.fit(None, own, None))}

EXPERIMENTS = {
    "compare": compare,
    "compute": lambda seed: {"sum": seed},
    "own data": own_data,
}

def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

BRIEF = training.Recipe(epochs=1, learning_rate=0.01)
RUNS = {"linear": (linear, BRIEF, training.sgd, "fashion-mnist")}
"""


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A chapter of experiments, on whole data sets and without training."""

    def whole(name):
        source = f"$BOOK_DATA/{KNOWN[name].folder}: {SPLITS[name]}"
        return replace(sample(name), source=source)

    sample("cifar10"), sample("fashion-mnist")  # before `load` is another
    monkeypatch.setattr(data, "load", whole)
    monkeypatch.setattr(training, "fit", lambda *_: {"pflops": 0.25})
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setenv("BOOK_SCALE", "full")
    cell = v4.new_code_cell(EXPERIMENT, metadata={"tags": ["definition"]})
    (tmp_path / "chapters").mkdir()
    path = tmp_path / "chapters/09_experiments.ipynb"
    nbformat.write(v4.new_notebook(cells=[cell]), path)
    return tmp_path / "results/09_experiments"


def test_a_run_is_compared_with_its_own_data_set(chapter, monkeypatch):
    monkeypatch.setattr(training, "fit", fit)
    recorder.record("09_experiments", "linear", 0, chapter.parent.parent)
    file = chapter / "linear-seed0.json"
    log = json.loads(file.read_text("utf-8"))
    log["pflops"] *= 54_000 / log["data"]["train_images"]
    log["data"]["train_images"] = 54_000
    log["test"]["images"] = 10_000
    log["epochs"][0]["validation_accuracy"] = log["test"]["accuracy"]
    write_sealed(file, log)
    assert problems(file, "09_experiments") == []
    log["data"].update(name="cifar10", source=SPLITS["cifar10"])
    write_sealed(file, log)
    (found,) = problems(file, "09_experiments")
    assert found.startswith("its data is {")


def test_experiments_are_accepted_as_they_were_recorded(chapter):
    root = chapter.parent.parent
    recorded = [
        ("compare", 0),
        ("compare", 1),
        ("compute", 2),
        ("own data", 3),
    ]
    for name, seed in recorded:
        recorder.record("09_experiments", name, seed, root)
    files = sorted(chapter.iterdir())
    assert len(files) == 4
    for file in files:
        assert problems(file, "09_experiments") == []
    assert not strays(files)
    shutil.copy(files[0], chapter / "compare-seed5.json")
    assert "seed is 0, expected 5" in "\n".join(
        problems(chapter / "compare-seed5.json", "09_experiments")
    )
    assert strays(sorted(chapter.iterdir())) == [
        "compare-seed5.json has the numbers of compare-seed0.json"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda log: log["numbers"]["fashion-mnist"].update(mean=0.7),
            "digest is",
        ),
        (
            lambda log: log["numbers"]["fashion-mnist"].update(mean=math.nan),
            "numbers['fashion-mnist']['mean'] is nan",
        ),
        (lambda log: log.pop("numbers"), "numbers is None"),
        (lambda log: log.update(name="compute"), "name is 'compute'"),
        (lambda log: log.update(seed=7), "seed is 7, expected 0"),
        (lambda log: log.update(scale="laptop"), "scale is 'laptop'"),
        (lambda log: log.update(seconds=math.inf), "it took inf s"),
        (lambda log: log.pop("seconds"), "it took None s"),
        (lambda log: log.update(precision="float8"), "precision is float8"),
        (lambda log: log.pop("hardware"), "hardware names no device"),
        (lambda log: log["versions"].pop("torch"), "versions names no torch"),
        (lambda log: log.update(pflops=0), "2 fits, 0 PFLOPs"),
        (lambda log: log.update(fits=0), "0 fits, 0.5 PFLOPs"),
        (lambda log: log["data"].update(source=""), "trained on no data"),
        (
            lambda log: log["data"].update(source=f"cifar10 from {SAMPLE}"),
            "its data is cifar10 from the book's sample",
        ),
        (
            lambda log: log["data"].update(
                source=log["data"]["source"].replace("; cifar10", "; mnist")
            ),
            "its data is mnist from $BOOK_DATA",
        ),
        (
            lambda log: log["data"].update(source="stripes from my desk"),
            "its data is stripes from my desk",
        ),
        (lambda log: log.pop("digest"), "digest is None"),
    ],
)
def test_an_experiment_that_was_edited_is_found(chapter, change, message):
    recorder.record("09_experiments", "compare", 0, chapter.parent.parent)
    file = chapter / "compare-seed0.json"
    log = json.loads(file.read_text("utf-8"))
    change(log)
    file.write_text(json.dumps(log), "utf-8")
    assert message in "\n".join(problems(file, "09_experiments"))
