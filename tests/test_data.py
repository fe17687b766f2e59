"""Tests of utils.data: every source, every fault, and the batches."""

import gzip
import hashlib
import http.server
import io
import pickle
import struct
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from tools import make_samples
from utils import data
from utils.data import Split, batches, channel_statistics, load

ROOT = Path(__file__).parent.parent
TRAIN, TEST = 200, 50  # images of the small data sets made here


def pixels(n, shape, seed):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (n, *shape), dtype=np.uint8)


def idx_files():
    """The four files of a small Fashion-MNIST, by name."""
    files = {}
    for prefix, n in (("train", TRAIN), ("t10k", TEST)):
        images = struct.pack(">4i", 0x803, n, 28, 28)
        images += pixels(n, (28, 28), seed=n).tobytes()
        labels = struct.pack(">2i", 0x801, n)
        labels += bytes(i % 10 for i in range(n))
        files[f"{prefix}-images-idx3-ubyte"] = images
        files[f"{prefix}-labels-idx1-ubyte"] = labels
    return files


IDX = idx_files()
GZ = {name + ".gz": gzip.compress(text, mtime=0) for name, text in IDX.items()}


def md5(content):
    return hashlib.md5(content).hexdigest()


def archive(path, known, *, per_class=2, size=None, skip=()):
    """Write an image-folder archive of noise."""
    channels, *shape = known.image_shape
    shape += [3] if channels == 3 else []
    with tarfile.open(path, "w:xz") as tar:
        for part in ("train", "test"):
            for name in known.class_names:
                folder = f"{part}/{data.class_folder(name)}"
                if folder in skip:
                    continue
                for i in range(per_class):
                    image = Image.fromarray(pixels(1, shape, i)[0])
                    file = io.BytesIO()
                    image.resize(size or image.size).save(file, "PNG")
                    member = tarfile.TarInfo(f"{folder}/{i}.png")
                    member.size = file.tell()
                    file.seek(0)
                    tar.addfile(member, file)


class Handler(http.server.BaseHTTPRequestHandler):
    """The first folder of the path says how the server behaves."""

    def do_GET(self):
        _, behaviour, name = self.path.split("/")
        if behaviour == "missing":
            return self.send_error(404)
        content = self.server.files[name]
        if behaviour == "together":  # until two clients want the file
            self.server.barrier.wait()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if behaviour == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if behaviour == "cut":
            content = content[: len(content) // 2]
        if behaviour == "stalled":
            self.wfile.write(content[:100])
            self.connection.recv(1)  # until the client goes away
            return None
        if behaviour == "slow":  # 2 kB/s
            for i in range(0, len(content), 100):
                self.wfile.write(content[i : i + 100])
                self.wfile.flush()
                time.sleep(0.05)
            return None
        self.wfile.write(content)
        return None

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # the client went away, as it should


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.files = GZ
        server.url = f"http://127.0.0.1:{server.server_port}/"
        serve = threading.Thread(target=server.serve_forever, args=(0.05,))
        serve.start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A small Fashion-MNIST without mirrors, and an empty cache."""
    known = replace(
        data.KNOWN["fashion-mnist"],
        files=tuple((name, md5(content)) for name, content in GZ.items()),
        mirrors=(),
    )
    samples = tmp_path / "samples"
    samples.mkdir()
    archive(samples / "fashion-mnist.tar.xz", known, per_class=10)
    monkeypatch.setitem(data.KNOWN, "fashion-mnist", known)
    monkeypatch.setattr(data, "SAMPLES", samples)
    monkeypatch.setenv("BOOK_SCALE", "laptop")
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("BOOK_DATA", raising=False)


@pytest.fixture
def mirrors(monkeypatch, server):
    """Set the mirrors by their behaviours."""

    def set_mirrors(*behaviours):
        known = replace(
            data.KNOWN["fashion-mnist"],
            mirrors=tuple(f"{server.url}{how}/" for how in behaviours),
        )
        monkeypatch.setitem(data.KNOWN, "fashion-mnist", known)

    return set_mirrors


def lay_out(root):
    """Put the small Fashion-MNIST where torchvision looks for it."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in IDX.items():
        (raw / name).write_bytes(content)
    return raw


def is_full(loaded):
    """Whether it is the small data set of IDX, to the last pixel."""
    images = pixels(TRAIN, (28, 28), seed=TRAIN)
    cut = np.concatenate([loaded.train.images, loaded.validation.images])
    whole = sorted(x.tobytes() for x in images)
    return (
        sorted(x.tobytes() for x in cut) == whole
        and np.array_equal(
            loaded.test.images[:, 0], pixels(TEST, (28, 28), seed=TEST)
        )
        and loaded.test.labels.tolist() == [i % 10 for i in range(TEST)]
    )


def is_sample(loaded):
    return (len(loaded.train), len(loaded.test)) == (90, 100)


# Sources


def test_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"'mnist'.*fashion-mnist, cifar10"):
        load("mnist")


def test_book_data_in_torchvision_layout(monkeypatch, tmp_path, capsys):
    lay_out(tmp_path)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    loaded = load("fashion-mnist")
    assert is_full(loaded)
    assert loaded.train.images.shape == (180, 1, 28, 28)
    assert loaded.class_names[0] == "T-shirt/top"
    printed = capsys.readouterr()
    assert printed.out == (
        "Fashion-MNIST from $BOOK_DATA/FashionMNIST: "
        "180 train, 20 validation, 50 test images\n"
    )
    assert printed.err == ""


def test_validation_is_a_tenth_of_each_class_and_fixed(monkeypatch, tmp_path):
    lay_out(tmp_path)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    torch.manual_seed(1)
    first = load("fashion-mnist")
    torch.manual_seed(2)
    second = load("fashion-mnist")
    assert first.validation.labels.bincount().tolist() == [2] * 10
    assert torch.equal(first.validation.images, second.validation.images)
    assert is_full(first)  # so nothing is in both, and nothing is lost


def test_book_data_as_archive(monkeypatch, tmp_path, capsys):
    archive(tmp_path / "cifar10.tar.xz", data.KNOWN["cifar10"], per_class=10)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    loaded = load("cifar10")
    assert loaded.train.images.shape == (90, 3, 32, 32)
    expected = pixels(1, (32, 32, 3), 7)[0].transpose(2, 0, 1)
    assert (loaded.test.images.numpy() == expected).all((1, 2, 3)).sum() == 10
    assert loaded.test.labels.bincount().tolist() == [10] * 10
    # Mixed, so that the first n images are of many classes.
    assert len(loaded.train.take(30).labels.unique()) >= 8
    assert len(loaded.test.take(30).labels.unique()) >= 8
    assert "$BOOK_DATA/cifar10.tar.xz: 90 train," in capsys.readouterr().out


def test_book_data_without_the_data_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(RuntimeError) as caught:
        load("cifar10")
    for word in ("BOOK_DATA", "cifar-10-batches-py", "cifar10.tar.xz"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", IDX)
def test_book_data_with_a_truncated_file(monkeypatch, tmp_path, name):
    raw = lay_out(tmp_path)
    (raw / name).write_bytes(IDX[name][:-1])
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"\$BOOK_DATA/Fashion.*damaged"):
        load("fashion-mnist")


def lay_out_packed(folder):
    """Put the files of a small Fashion-MNIST there, as one downloads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in GZ.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("place", [".", "with spaces/ü"])
def test_book_data_with_packed_files_only(
    monkeypatch, tmp_path, capsys, place
):
    lay_out_packed(tmp_path / place)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setenv("BOOK_DATA", str(tmp_path / place))
    assert is_full(load("fashion-mnist"))
    assert "from the packed files in $BOOK_DATA:" in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", GZ)
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "no gzip"])
def test_packed_files_that_are_damaged_are_named(
    monkeypatch, tmp_path, name, damage
):
    lay_out_packed(tmp_path)
    if damage == "missing":
        (tmp_path / name).unlink()
    else:
        content = {"cut": GZ[name][:-10], "empty": b"", "no gzip": b"<html>"}
        (tmp_path / name).write_bytes(content[damage])
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    words = "packed files in .BOOK_DATA: incomplete or damaged .* again"
    if damage == "missing":
        words = f"holds no Fashion-MNIST.*{name}"
    with pytest.raises(RuntimeError, match=words):
        load("fashion-mnist")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.6, 0.9])
def test_book_data_with_a_truncated_archive(monkeypatch, tmp_path, keep):
    path = tmp_path / "cifar10.tar.xz"
    archive(path, data.KNOWN["cifar10"])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"cifar10.tar.xz.*damaged.*again"):
        load("cifar10")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"size": (28, 28)}, "is invalid for input of size"),
        ({"skip": [f"test/{name}" for name in data.CIFAR10_CLASSES]}, "damag"),
    ],
)
def test_archive_with_a_fault_names_it(monkeypatch, tmp_path, fault, message):
    archive(tmp_path / "cifar10.tar.xz", data.KNOWN["cifar10"], **fault)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match=message):
        load("cifar10")


def test_archive_with_a_strange_class_names_the_right_ones(
    monkeypatch, tmp_path
):
    known = data.KNOWN["cifar10"]
    strange = replace(known, class_names=("plane", *known.class_names[1:]))
    archive(tmp_path / "cifar10.tar.xz", strange)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"plane/0.png.*airplane"):
        load("cifar10")


def test_smoke_takes_the_sample_whatever_else_there_is(
    monkeypatch, tmp_path, mirrors, capsys
):
    lay_out(tmp_path)
    mirrors("good")
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    monkeypatch.setenv("BOOK_SCALE", "smoke")
    assert is_sample(load("fashion-mnist"))
    assert not (tmp_path / "cache").exists()
    assert capsys.readouterr().out == (
        "Fashion-MNIST from the book's sample: "
        "90 train, 10 validation, 100 test images\n"
    )


# Downloads


def cached(tmp_path):
    """Names in the cache: all there may be are the finished files."""
    return sorted(path.name for path in (tmp_path / "cache").glob("*"))


def test_download_once(mirrors, tmp_path, capsys):
    mirrors("good")
    assert is_full(load("fashion-mnist"))
    first = capsys.readouterr().out
    assert cached(tmp_path) == sorted(GZ)
    mirrors("missing")
    assert is_full(load("fashion-mnist"))
    assert capsys.readouterr().out == first  # the same line, whichever way


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "Not Found"),
        ("slow", "slower than 300 kB/s"),
        ("stalled", "timed out"),
        ("wrong", "another md5"),
        ("cut", "cut short"),
    ],
)
def test_a_bad_mirror_is_left_for_the_next(
    mirrors, monkeypatch, tmp_path, capsys, fault, reason
):
    mirrors(fault, "good")
    if fault in ("slow", "stalled"):
        monkeypatch.setattr(data, "PATIENCE", 2.0)
    assert is_full(load("fashion-mnist"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert fault in lines[0]
    assert reason in lines[0]
    assert cached(tmp_path) == sorted(GZ)


def test_a_dead_mirror_is_left_for_the_next(mirrors, monkeypatch, capsys):
    mirrors("good")
    known = data.KNOWN["fashion-mnist"]
    dead = "http://127.0.0.1:9/"  # nobody listens there
    known = replace(known, mirrors=(dead, *known.mirrors))
    monkeypatch.setitem(data.KNOWN, "fashion-mnist", known)
    assert is_full(load("fashion-mnist"))
    assert f"not from {dead}, Connection refused" in capsys.readouterr().out


def test_without_any_good_mirror_the_sample_and_a_line(
    mirrors, tmp_path, capsys
):
    mirrors("missing", "cut", "wrong")
    assert is_sample(load("fashion-mnist"))
    assert cached(tmp_path) == []
    lines = capsys.readouterr().out.splitlines()
    assert "BOOK_DATA" in lines[3]
    assert "the book's sample" in lines[4]


@pytest.mark.parametrize("name", GZ)
def test_a_truncated_earlier_download_is_replaced(mirrors, tmp_path, name):
    lay_out_packed(tmp_path / "cache")
    path = tmp_path / "cache" / name
    path.write_bytes(GZ[name][:-1])
    others = [tmp_path / "cache" / other for other in GZ if other != name]
    before = [other.stat().st_mtime_ns for other in others]
    mirrors("good")
    assert is_full(load("fashion-mnist"))
    assert path.read_bytes() == GZ[name]
    assert [other.stat().st_mtime_ns for other in others] == before


def test_an_earlier_download_needs_no_network(mirrors, tmp_path, capsys):
    lay_out_packed(tmp_path / "cache")
    mirrors("missing")
    assert is_full(load("fashion-mnist"))
    assert "from the original files:" in capsys.readouterr().out


def test_an_unwritable_directory(mirrors, monkeypatch, tmp_path, capsys):
    mirrors("good")
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "file" / "below"))
    assert is_sample(load("fashion-mnist"))
    printed = capsys.readouterr().out
    assert "set BOOK_CACHE to a folder that you can write" in printed
    assert str(tmp_path) not in printed


def test_a_full_disk(mirrors, monkeypatch, tmp_path, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device", str(tmp_path))

    mirrors("good")
    monkeypatch.setattr(data, "check_integrity", lambda *_: False)
    monkeypatch.setattr(data.urllib.request, "urlopen", full)
    assert is_sample(load("fashion-mnist"))
    assert cached(tmp_path) == []
    printed = capsys.readouterr().out
    assert "No space left on device" in printed
    assert str(tmp_path) not in printed


def test_no_room_to_unpack_names_no_folder(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path))

    lay_out_packed(tmp_path / "cache")
    monkeypatch.setattr(data, "extract_archive", full)
    with pytest.raises(RuntimeError, match="original.*No space") as caught:
        load("fashion-mnist")
    assert str(tmp_path) not in str(caught.value)


def test_interrupted_by_the_reader_leaves_nothing(
    mirrors, monkeypatch, tmp_path
):
    def interrupt(**_):
        raise KeyboardInterrupt

    mirrors("good")
    monkeypatch.setattr(data, "tqdm", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load("fashion-mnist")
    assert cached(tmp_path) == []


def test_two_loads_at_once(server, mirrors, monkeypatch, tmp_path):
    server.barrier = threading.Barrier(2)  # each file is sent to both at once
    mirrors("together")
    monkeypatch.setattr(data, "PATIENCE", 3600.0)

    def load_one(_):
        try:
            return load("fashion-mnist")
        finally:
            server.barrier.abort()  # nobody waits for one that has ended

    with ThreadPoolExecutor(2) as pool:
        loaded = list(pool.map(load_one, range(2)))
    assert all(map(is_full, loaded))
    cache = (tmp_path / "cache").iterdir()
    assert {path.name: path.read_bytes() for path in cache} == GZ


def cifar10_files():
    """A small CIFAR-10 as its authors pack it: pickles in a .tar.gz."""
    files = {"batches.meta": {"label_names": list(data.CIFAR10_CLASSES)}}
    for seed, name in enumerate(("data_batch_1", "test_batch")):
        files[name] = {
            "data": pixels(100, (3072,), seed),
            "labels": [i % 10 for i in range(100)],
        }
    return {name: pickle.dumps(content) for name, content in files.items()}


@pytest.fixture
def small_cifar10(monkeypatch):
    """A small CIFAR-10: its files, and the archive they come in."""
    files = cifar10_files()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    packed = packed.getvalue()

    class Small(datasets.CIFAR10):
        train_list = [["data_batch_1", md5(files["data_batch_1"])]]
        test_list = [["test_batch", md5(files["test_batch"])]]
        meta = {
            "filename": "batches.meta",
            "key": "label_names",
            "md5": md5(files["batches.meta"]),
        }

    known = replace(
        data.KNOWN["cifar10"],
        reader=Small,
        files=(("cifar-10-python.tar.gz", md5(packed)),),
        mirrors=(),
    )
    monkeypatch.setitem(data.KNOWN, "cifar10", known)
    return files, packed


def test_cifar10_download(server, small_cifar10, monkeypatch, tmp_path):
    _, packed = small_cifar10
    mirrors = server.url + "cut/", server.url + "good/"
    known = replace(data.KNOWN["cifar10"], mirrors=mirrors)
    monkeypatch.setitem(data.KNOWN, "cifar10", known)
    server.files = {"cifar-10-python.tar.gz": packed}
    loaded = load("cifar10")
    expected = pixels(100, (3, 32, 32), 1)
    assert np.array_equal(loaded.test.images, expected)
    assert cached(tmp_path) == ["cifar-10-python.tar.gz"]


def test_cifar10_with_a_spoilt_batch(small_cifar10, monkeypatch, tmp_path):
    """One bit of a pickle: its md5 is checked before it is read."""
    files, _ = small_cifar10
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    expected = pixels(100, (3, 32, 32), 1)
    assert np.array_equal(load("cifar10").test.images, expected)
    (folder / "test_batch").write_bytes(files["test_batch"][:-1] + b"!")
    with pytest.raises(RuntimeError, match="batches-py: incomplete or damag"):
        load("cifar10")


def test_cifar10_packed_only_and_a_spoilt_archive(
    small_cifar10, monkeypatch, tmp_path
):
    _, packed = small_cifar10
    path = tmp_path / "cifar-10-python.tar.gz"
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    path.write_bytes(packed)
    expected = pixels(100, (3, 32, 32), 1)
    assert np.array_equal(load("cifar10").test.images, expected)
    for spoilt in (packed[: len(packed) // 2], b"<html>"):
        path.write_bytes(spoilt)
        with pytest.raises(RuntimeError, match="packed files.*damaged"):
            load("cifar10")
    assert [p.name for p in tmp_path.glob("cifar*")] == [path.name]


# The shipped samples


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10"])
def test_the_shipped_sample(monkeypatch, name, capsys):
    monkeypatch.setattr(data, "SAMPLES", ROOT / "utils" / "samples")
    monkeypatch.setenv("BOOK_SCALE", "smoke")
    loaded = load(name)
    assert loaded.train.labels.bincount().tolist() == [900] * 10
    assert loaded.validation.labels.bincount().tolist() == [100] * 10
    assert loaded.test.labels.bincount().tolist() == [200] * 10
    jpeg = "JPEG copy of CIFAR-10" in capsys.readouterr().out
    assert jpeg == (name == "cifar10")
    # Known means of the full sets; a mix-up of channels would show.
    known = {"fashion-mnist": [0.286], "cifar10": [0.491, 0.482, 0.446]}
    for part in (loaded.train, loaded.validation, loaded.test):
        expected = torch.tensor(known[name])
        assert torch.allclose(part.mean, expected, atol=0.006)


def test_the_shipped_samples_are_small_and_have_their_licences():
    samples = ROOT / "utils" / "samples"
    size = sum(path.stat().st_size for path in samples.glob("*.tar.xz"))
    assert size <= 11e6
    text = (samples / "README.md").read_text()
    assert "Zalando SE" in text
    assert "Krizhevsky" in text
    assert f"seed ({make_samples.SEED})" in text


def test_making_samples(monkeypatch, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, content in GZ.items():
        (source / name).write_bytes(content)
    archive(source / "cifar10.tar.xz", data.KNOWN["cifar10"], per_class=5)
    monkeypatch.setattr(make_samples, "PER_CLASS", {"train": 3, "test": 2})
    made = []
    for output in (tmp_path / "once", tmp_path / "twice"):
        options = ["--cifar10", source / "cifar10.tar.xz"]
        options += ["--fashion-mnist", source, "--output", output]
        monkeypatch.setattr(sys, "argv", ["make_samples", *map(str, options)])
        make_samples.main()
        made.append({p.name: p.read_bytes() for p in output.iterdir()})
    assert made[0] == made[1]
    kept = make_samples.read_cifar10(tmp_path / "once" / "cifar10.tar.xz")
    whole = make_samples.read_cifar10(source / "cifar10.tar.xz")
    assert kept.items() <= whole.items()
    monkeypatch.setattr(data, "SAMPLES", tmp_path / "once")
    monkeypatch.setenv("BOOK_SCALE", "smoke")
    loaded = load("fashion-mnist")
    assert loaded.train.labels.bincount().tolist() == [3] * 10
    originals = {
        (x.tobytes(), i % 10)
        for i, x in enumerate(pixels(TRAIN, (28, 28), seed=TRAIN))
    }
    train = loaded.train
    for image, label in zip(train.images, train.labels, strict=True):
        assert (image.numpy().tobytes(), label.item()) in originals


# Splits and batches


def split(n=10, channels=3, height=6, width=5):
    generator = torch.Generator().manual_seed(n)
    shape = (n, channels, height, width)
    images = torch.randint(256, shape, generator=generator)
    return Split(images.to(torch.uint8), torch.arange(n), MEAN, STD)


MEAN, STD = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])


def whole(*arguments, **options):
    """All batches in one: pixels as uint8 again, and labels."""
    parts = list(batches(*arguments, **options))
    images = torch.cat([images for images, _ in parts])
    images = (images * STD.view(-1, 1, 1) + MEAN.view(-1, 1, 1)) * 255
    return images.round().to(torch.uint8), torch.cat([x for _, x in parts])


def test_batches_are_normalised_and_complete():
    some = split(10)
    parts = list(batches(some, 4))
    assert [len(labels) for _, labels in parts] == [4, 4, 2]
    images, labels = parts[0]
    assert images.dtype == torch.float32
    assert labels.tolist() == [0, 1, 2, 3]
    expected = (some.images[1, 2].double() / 255 - 0.6) / 0.3
    assert torch.allclose(images[1, 2].double(), expected, atol=1e-6)
    images, labels = whole(some, 4)
    assert torch.equal(images, some.images)
    assert torch.equal(labels, some.labels)


def test_shuffled_batches_hold_every_image_once():
    some = split(50)
    images, labels = whole(some, 8, shuffle=True)
    assert labels.tolist() != some.labels.tolist()
    assert sorted(labels.tolist()) == some.labels.tolist()
    assert torch.equal(images, some.images[labels])


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_crop_and_flip_are_drawn_per_image(mode):
    padding, some = 2, split(300)
    options = {"crop_padding": padding, "padding_mode": mode, "flip": True}
    images, labels = whole(some, 64, shuffle=True, **options)
    _, _, height, width = some.images.shape
    drawn = []
    for image, label in zip(images, labels, strict=True):
        found = []
        for flipped in (False, True):
            source = some.images[label]
            source = source.flip(2) if flipped else source
            padded = np.pad(source, [(0, 0), *2 * [2 * [padding]]], mode=mode)
            padded = torch.from_numpy(padded)
            for top in range(2 * padding + 1):
                for left in range(2 * padding + 1):
                    window = padded[:, top : top + height, left : left + width]
                    if torch.equal(window, image):
                        found.append((flipped, top, left))
        assert found, "not a crop of its own image"
        drawn += found
    assert len(set(drawn)) == 2 * 5 * 5  # every way to crop and flip occurs
    if mode == "reflect":  # of some, two crops are alike
        return
    assert len(drawn) == 300
    assert 100 < sum(flipped for flipped, _, _ in drawn) < 200


def test_a_tensor_says_which_images_are_mirrored():
    some = split(50)
    mirrored = torch.arange(50) % 3 == 0
    for shuffle in (False, True):
        images, labels = whole(some, 8, shuffle=shuffle, flip=mirrored)
        for image, label in zip(images, labels, strict=True):
            source = some.images[label]
            wanted = source.flip(2) if label % 3 == 0 else source
            assert torch.equal(image, wanted)


def test_cutout_covers_one_square_of_each_image():
    some, side = split(300), 3
    before, after = (
        torch.cat([images for images, _ in batches(some, 64, **options)])
        for options in ({}, {"cutout": side})
    )
    hidden = (after != before).any(1)
    assert (after[hidden[:, None].expand_as(after)] == 0).all()
    squares = set()
    for image in hidden:
        rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
        top, left = rows[0].item(), columns[0].item()
        assert image.sum() == side**2
        assert image[top : top + side, left : left + side].all()
        squares.add((top, left))
    _, _, height, width = some.images.shape
    assert len(squares) == (height - side + 1) * (width - side + 1)


def test_a_generator_fixes_the_batches():
    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        options = {"shuffle": True, "crop_padding": 2, "flip": True}
        options["cutout"] = 2
        return whole(split(20), 8, generator=generator, **options)[0]

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_parts_make_the_batches_of_one_process(processes):
    """The last batch has 4 images: some of seven processes get none."""

    def draw(part):
        torch.manual_seed(0)
        options = {"shuffle": True, "crop_padding": 2, "flip": True}
        return list(batches(split(20), 8, cutout=2, part=part, **options))

    parts = [draw((i, processes)) for i in range(processes)]
    for number, together in enumerate(draw((0, 1))):
        for whole_batch, *cut in zip(
            together, *(part[number] for part in parts), strict=True
        ):
            for i, mine in enumerate(cut):
                assert torch.equal(mine, whole_batch[i::processes])


def test_plain_batches_draw_no_random_numbers():
    before = torch.get_rng_state()
    whole(split(), 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_are_cut_on_the_device():
    some = split(10)
    options = {"shuffle": True, "crop_padding": 1, "flip": True, "cutout": 1}
    parts = batches(some, 4, device="meta", **options)
    for images, labels in parts:
        assert images.device.type == labels.device.type == "meta"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"batch_size": 0}, r"batch_size=0 .* from 1 to"),
        ({"crop_padding": 5}, r"crop_padding=5 .* from 0 to 4"),
        ({"crop_padding": -1}, r"crop_padding=-1 .* from 0 to 4"),
        ({"cutout": 6}, r"cutout=6 .* from 0 to 5"),
        ({"cutout": -1}, r"cutout=-1 .* from 0 to 5"),
    ],
)
def test_bad_arguments_are_named_at_the_call(fault, message):
    arguments = {"batch_size": 4} | fault
    with pytest.raises(ValueError, match=message):
        batches(split(), **arguments)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(2).long(), "torch.uint8"),
        (torch.zeros(2, 4, 4).byte(), torch.zeros(2).long(), r"\(N, C, H, W"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.zeros(2), "labels.long"),
        (
            torch.zeros(2, 1, 4, 4).byte(),
            torch.zeros(3).long(),
            r"int64 \(2,\)",
        ),
    ],
)
def test_a_split_that_does_not_fit_is_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Split(images, labels)


def test_take(monkeypatch, tmp_path):
    some = split(10)
    assert some.take(3).labels.tolist() == [0, 1, 2]
    assert len(some.take(None)) == len(some.take(99)) == 10
    with pytest.raises(ValueError, match="n=0"):
        some.take(0)
    lay_out(tmp_path)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    taken = load("fashion-mnist").take(7)
    assert [len(taken.train), len(taken.validation)] == [7, 20]


def test_channel_statistics():
    images = split(50).images
    mean, std = channel_statistics(images)
    scaled = images.double().transpose(0, 1).flatten(1) / 255
    assert torch.allclose(mean.double(), scaled.mean(1), atol=1e-7)
    expected = scaled.std(1, correction=0)
    assert torch.allclose(std.double(), expected, atol=1e-7)
