"""Two processes train as one does, die together, and go on together."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup
from nbformat import v4
from PIL import Image
from torch import nn

from tests import two_processes
from tools import measure_processes
from tools.measure_processes import PAGE, RECORD, filled, ring_bytes
from tools.record import digest
from utils import distributed
from utils.data import CIFAR10_CLASSES

ROOT = Path(__file__).resolve().parent.parent
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]


def start(
    *command, folder: Path = ROOT, **environment
) -> subprocess.CompletedProcess:
    """Run to its end, with nothing of the machine's own settings."""
    own = ("BOOK_", "MAKE", "SLURM", "MASTER_", "RANK", "WORLD_SIZE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    kept |= {"OMP_NUM_THREADS": "1", "BOOK_SCALE": "smoke"} | environment
    return subprocess.run(
        list(map(str, command)),
        env=kept,
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def two(*command, **environment) -> subprocess.CompletedProcess:
    return start(*TORCHRUN, "--nproc-per-node", 2, *command, **environment)


# The same training


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What two processes ended with, and what they printed."""
    folder = tmp_path_factory.mktemp("two")
    script = ROOT / "tests/two_processes.py"
    done = two(script, folder, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    ranks = [torch.load(folder / f"rank-{rank}.pt") for rank in (0, 1)]
    return ranks, done, folder


def gap(ours: list[dict], theirs: list[dict], key: str) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(abs(a[key] - b[key]) for a, b in pairs)


@pytest.fixture(scope="module")
def alone():
    """What one process ends with."""
    return {name: two_processes.trained(name) for name in two_processes.NETS}


def test_without_batch_norm_two_processes_train_as_one(both, alone):
    (first, _), *_ = both
    ours, theirs = first["without norm"], alone["without norm"]
    assert (ours["processes"], theirs["processes"]) == (2, 1)
    for key in ("train_loss", "validation_loss"):
        assert gap(ours["epochs"], theirs["epochs"], key) < 1e-4, key
    assert gap(ours["epochs"], theirs["epochs"], "train_accuracy") < 0.01
    losses = [epoch["train_loss"] for epoch in ours["epochs"]]
    assert losses[0] - losses[-1] > 0.1, "nothing was learned"


def test_batch_norm_sees_half_of_the_minibatch_and_that_is_all(both, alone):
    (first, _), *_ = both
    ours = first["ResNet-20"]["epochs"]
    whole, halves = alone["ResNet-20"], alone["ResNet-20 by halves"]
    for key, least in (("train_loss", 1e-2), ("validation_loss", 5e-3)):
        assert gap(ours, whole["epochs"], key) > least, key
        assert gap(ours, halves["epochs"], key) < 1e-4, key


def test_all_processes_end_with_the_same_network(both):
    (first, second), *_ = both
    for name in ("without norm", "ResNet-20"):
        for key, values in first[name]["state"].items():
            assert torch.equal(values, second[name]["state"][key]), key
        assert first[name]["epochs"] == second[name]["epochs"]


def test_dropout_draws_apart_and_in_process_0_as_if_alone(both, alone):
    ours, theirs = (rank["without norm"]["drawn"] for rank in both[0])
    assert ours == alone["without norm"]["drawn"]
    trial, *drawn = theirs
    assert trial == ours[0]  # on a copy, which changes nothing
    assert not set(drawn) & set(ours)


def test_process_0_alone_prints_evaluates_and_writes(both):
    (first, second), done, folder = both
    assert "2 processes, joined by gloo" in done.stdout
    assert "process 0 prints" in done.stdout
    assert "process 1 prints" not in done.stdout
    assert first["evaluated"] == second["evaluated"] == 0
    assert json.loads((folder / "a.json").read_text())["processes"] == 2


def test_processes_that_disagree_are_told_so(both):
    for rank in both[0]:
        assert rank["disagreement"].startswith("ranks: [0, 1], but all")


def test_one_process_is_left_alone():
    net = two_processes.without_norm()
    assert distributed.shared(net) is net
    assert distributed.by_first(divmod, 7, 2) == (3, 1)
    assert distributed.total(torch.tensor(3)) == 3
    with distributed.joined():
        assert (distributed.rank(), distributed.processes()) == (0, 1)


class Placed(nn.Sequential):
    """A network that says where its weights are."""

    on_gpu = True

    def parameters(self, recurse=True):
        return iter([SimpleNamespace(is_cuda=self.on_gpu)])


@pytest.mark.parametrize("on_gpu", [True, False])
def test_on_gpus_batch_norm_measures_the_whole_minibatch(monkeypatch, on_gpu):
    wrapped = []
    monkeypatch.setattr(distributed, "processes", lambda: 2)
    monkeypatch.setattr(distributed, "DistributedDataParallel", wrapped.append)
    monkeypatch.setattr(Placed, "on_gpu", on_gpu)
    net = Placed(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4)))
    before = {key: x.clone() for key, x in net.state_dict().items()}
    distributed.shared(net)
    assert wrapped == [net]
    kind = nn.SyncBatchNorm if on_gpu else nn.BatchNorm2d
    assert type(net[1][0]) is kind
    # It is the same network, with the same names in a checkpoint.
    assert list(net.state_dict()) == list(before)
    assert all(
        torch.equal(before[key], x) for key, x in net.state_dict().items()
    )


def test_a_minibatch_smaller_than_the_processes_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "processes", lambda: 6)
    with pytest.raises(ValueError, match="has 5 images for 6 processes"):
        two_processes.trained("without norm")


# A book of one chapter


CHAPTER = """
import os, signal
import torch
from torch import nn
from utils import distributed
from utils.data import load
from utils.results import recorded
from utils.training import Recipe, fit, sgd

class Fatal(nn.Module):
    steps = 0

    def forward(self, x):
        if self.training:
            Fatal.steps += 1
            victim, step = map(int, os.environ.get("DIE", "9 0").split())
            if (distributed.rank(), Fatal.steps) == (victim, step):
                os.kill(os.getpid(), signal.SIGKILL)
        return x

def make_net():
    return nn.Sequential(Fatal(), nn.Flatten(), nn.Linear(3072, 10))

def found_rate():
    rate = recorded("09_toy", "rates")[0]["numbers"]["rate"]
    return Recipe(epochs=9, learning_rate=rate)

RUNS = {
    "run": (make_net, Recipe(epochs=9, learning_rate=0.01), sgd),
    "later": (make_net, found_rate, sgd),
}

def rates(seed):
    log = fit(make_net(), load("cifar10"), RUNS["run"][1], seed=seed)
    assert len(log["epochs"]) == 2, "a rehearsal is short"
    return {"rate": 0.02}

EXPERIMENTS = {"rates": rates}
SEEDS = {"rates": 1, "run": 2}
PRECISION = dict.fromkeys([*RUNS, *EXPERIMENTS], torch.float32)
KEEP = ("run",)
"""


@pytest.fixture
def book(tmp_path):
    """A book that records what CHAPTER defines, from a small sample."""
    folder = tmp_path / "a book"
    shutil.copytree(
        ROOT / "utils",
        folder / "utils",
        ignore=shutil.ignore_patterns("samples", "figures", "__pycache__"),
    )
    sample = tmp_path / "sample"
    for part, images in (("train", 40), ("test", 4)):
        for number, name in enumerate(CIFAR10_CLASSES):
            place = sample / part / name
            place.mkdir(parents=True)
            for i in range(images):
                colour = (25 * number, i, 255 - 25 * number)
                Image.new("RGB", (32, 32), colour).save(place / f"{i}.png")
    (folder / "utils/samples").mkdir()
    shutil.make_archive(tmp_path / "cifar10", "xztar", sample)
    shutil.move(tmp_path / "cifar10.tar.xz", folder / "utils/samples")
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools/record.py", folder / "tools")
    (folder / "chapters").mkdir()
    cell = v4.new_code_cell(CHAPTER, metadata={"tags": ["definition"]})
    notebook = v4.new_notebook(cells=[cell])
    nbformat.write(notebook, folder / "chapters/09_toy.ipynb")
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv/ready").touch()
    return folder


def put_log(book, name, **numbers):
    file = book / f"results/09_toy/{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"seed": 0, "numbers": numbers}))
    return file


def written(done) -> Path:
    """The folder that a rehearsal names."""
    return Path(re.search(r"written to (\S+)", done.stdout)[1])


LONG = pytest.mark.long(
    "more of two processes: who dies, make, the page's job"
)


@pytest.mark.parametrize("victim", [1, pytest.param(0, marks=LONG)])
def test_a_killed_process_ends_the_run_which_then_goes_on(book, victim):
    """The trial is step 1, an epoch has 2: it dies in the second epoch."""
    command = (book / "tools/record.py", "09_toy", "run")
    checkpoints = {"BOOK_CHECKPOINTS": str(book / "checkpoints")}
    died = two(*command, DIE=f"{victim} 5", **checkpoints)
    assert died.returncode == 1
    assert "Signal 9 (SIGKILL)" in died.stderr
    assert re.search(rf"rank\s*: {victim} ", died.stderr)
    assert not list(written(died).glob("**/*.json"))
    again = two(*command, **checkpoints)
    assert again.returncode == 0, again.stderr
    assert "continuing after epoch 1 of 09_toy-run-seed0" in again.stdout
    straight = start(sys.executable, *command)
    assert straight.returncode == 0, straight.stderr
    logs = [
        json.loads((written(done) / "09_toy/run-seed0.json").read_text())
        for done in (again, straight)
    ]
    assert gap(*(log["epochs"] for log in logs), "train_loss") < 1e-4
    assert gap(*([log["test"]] for log in logs), "loss") < 1e-4


def test_a_rehearsal_writes_elsewhere_and_refuses_nothing(book):
    log = put_log(book, "run-seed0")
    before = log.read_text()
    done = start(sys.executable, book / "tools/record.py", "09_toy", "run")
    assert done.returncode == 0, done.stderr
    folder = written(done)
    assert not folder.is_relative_to(book)
    assert {str(x.relative_to(folder)) for x in folder.rglob("*.*")} == {
        "09_toy/run-seed0.json",
        "09_toy/run-seed0.pt",
        "checkpoints/09_toy-run-seed0-rehearsal.pt",
    }
    found = json.loads((folder / "09_toy/run-seed0.json").read_text())
    assert found["scale"] == "smoke" and len(found["epochs"]) == 2
    assert found["data"]["train_images"] == 256
    assert log.read_text() == before and not (book / "checkpoints").exists()
    shutil.rmtree(folder)


def listed(book) -> tuple[list[str], str]:
    done = start(sys.executable, book / "tools/record.py", "09_toy", "--list")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def log_of(name: str) -> str:
    return f"results/09_toy/{name}.json"


@LONG
def test_the_missing_logs_are_listed_and_made_side_by_side(book):
    """First what can be made now; `later` needs what `rates` finds."""
    names, told = listed(book)
    now = ["rates-seed0", "run-seed0", "run-seed1"]
    assert names == list(map(log_of, now))
    assert told == "3 more can be recorded then\n"
    done = start("make", "-j2", "record-all", "CHAPTER=09_toy", folder=book)
    assert done.returncode == 0, done.stderr
    for name in now:
        command = " ".join(
            ["09_toy", *name.replace("-seed", " --seed ").split()]
        )
        assert f"tools/record.py {command}\n" in done.stdout
    folders = re.findall(r"written to (\S+)", done.stdout)
    assert len(set(folders)) == 3
    rehearsed = [x.stem for f in folders for x in Path(f).glob("*/*.json")]
    assert sorted(rehearsed) == now
    assert not (book / "results").exists()
    for folder in folders:
        shutil.rmtree(folder)
    put_log(book, "rates-seed0", rate=0.02)
    put_log(book, "run-seed1")
    names, told = listed(book)
    later = [f"later-seed{seed}" for seed in range(3)]
    assert names == list(map(log_of, ["run-seed0", *later])) and not told
    for name in ["run-seed0", *later]:
        put_log(book, name)
    done = start("make", "record-all", "CHAPTER=09_toy", folder=book)
    assert done.stdout == "No log is missing that could be recorded now.\n"


def test_a_chapter_that_cannot_be_read_stops_record_all(book):
    done = start("make", "record-all", "CHAPTER=10_none", folder=book)
    assert done.returncode == 2 and "10_none.ipynb" in done.stderr
    assert "No log is missing" not in done.stdout


@LONG
def test_the_array_job_of_the_page_records_its_line_of_the_list(book):
    text = PAGE.read_text("utf-8")
    (job,) = re.findall(r"```bash\n(#!.*?#SBATCH.*?)```", text, re.DOTALL)
    (book / "job.sh").write_text(job)
    (book / "missing.txt").write_text(
        "\n".join(map(log_of, ["rates-seed0", "run-seed1"])) + "\n"
    )
    done = start("bash", "job.sh", folder=book, SLURM_ARRAY_TASK_ID="2")
    assert done.returncode == 0, done.stderr
    folder = written(done)
    assert [x.name for x in folder.glob("*/*.json")] == ["run-seed1.json"]
    shutil.rmtree(folder)


def test_the_books_own_network_trains_in_two_processes():
    """The command of the page, on a run that is recorded."""
    results = sorted((ROOT / "results").rglob("*"))
    done = two(ROOT / "tools/record.py", "06_resnet", "resnet-20")
    assert done.returncode == 0, done.stderr
    (file,) = written(done).glob("*/*.json")
    log = json.loads(file.read_text())
    assert (log["processes"], log["scale"]) == (2, "smoke")
    assert "the book's sample" in log["data"]["source"]
    assert sorted((ROOT / "results").rglob("*")) == results
    shutil.rmtree(written(done))


# What was measured


def test_the_page_says_what_the_record_holds():
    log = json.loads(RECORD.read_text("utf-8"))
    assert log["digest"] == digest(log), "the record was edited"
    text = PAGE.read_text("utf-8")
    assert filled(text, log) == text, "tools/measure_processes.py --page"
    log["times"]["lenet"]["averaged"]["median"] *= 2
    assert log["digest"] != digest(log) and filled(text, log) != text


def test_the_sentences_of_the_page_hold_for_the_record():
    log = json.loads(RECORD.read_text("utf-8"))
    gaps = measure_processes.gaps
    whole = gaps(log, "ResNet-20")
    halves = gaps(log, "ResNet-20", "ResNet-20, halves")
    assert max(gaps(log, "AlexNet")) < 1e-4
    for one, other in zip(whole, halves, strict=True):
        assert one > 10 * other and other < 1e-4
    curves = log["curves"]
    by_seed = zip(
        curves["one"]["ResNet-20"],
        curves["two"]["ResNet-20"],
        curves["one"]["ResNet-20, halves"],
        strict=True,
    )
    beyond_rounding = [
        [
            abs(one["train_loss"] - two["train_loss"])
            > 10 * abs(half["train_loss"] - two["train_loss"])
            for one, two, half in zip(*seed, strict=True)
        ]
        for seed in by_seed
    ]
    first, *later = zip(*beyond_rounding, strict=True)
    assert sum(first) == 1 and all(map(all, later))
    runs = log["curves"]["one"]["ResNet-20"]
    last = [run[-1]["train_loss"] for run in runs]
    assert max(last) - min(last) > 5 * max(whole)
    added = {
        name: x["averaged"]["median"] / x["alone"]["median"]
        for name, x in log["times"].items()
    }
    assert max(added, key=added.get) == "AlexNet, 227 pixels"
    clear = {
        name
        for name, x in log["times"].items()
        if x["averaged"]["median"] - x["alone"]["median"]
        > x["averaged"]["most"] - x["averaged"]["least"]
    }
    assert clear == {"AlexNet, 227 pixels"}
    slower_each_time = {
        name
        for name, x in log["times"].items()
        if x["averaged"]["least"] > x["alone"]["most"]
    }
    assert slower_each_time == clear | {"vgg-bn", "densenet"}
    work = {
        name: log["costs"][name]["macs"] / log["costs"][name]["parameters"]
        for name, x in log["times"].items()
        if x["images"] == measure_processes.EACH
    }
    assert min(work, key=work.get) == "vgg-bn"
    assert added["lenet"] > added["vgg-bn"]


def test_the_tables_name_networks_as_the_book_does():
    tables = BeautifulSoup(PAGE.read_text("utf-8"), "html.parser")
    small = list(measure_processes.comparison().TITLES.values())
    costs, times = (
        [cell.text for cell in table.select("tbody th")]
        for table in tables.select("table")
        if table.caption
        and "chapter 8 at 32 × 32 pixels" in table.caption.text
    )
    assert costs[: len(small)] == small
    assert times[:3] == ["LeNet", "AlexNet", "VGG-BN"]


def test_the_costs_are_those_of_the_networks():
    log = json.loads(RECORD.read_text("utf-8"))
    assert log["costs"] == measure_processes.costs()


def test_a_ring_sends_each_gradient_nearly_twice():
    assert ring_bytes(1_000, processes=1) == 0
    assert ring_bytes(1_000, processes=2) == 4_000
    assert ring_bytes(1_000, processes=4) == 6_000
    assert ring_bytes(1_000, processes=1_000) == 7_992
