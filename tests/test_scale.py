"""The one dial."""

import pytest
import torch

from utils.scale import current_scale, scale


@pytest.mark.parametrize("name", ["smoke", "laptop", "full"])
def test_the_environment_decides(monkeypatch, name):
    monkeypatch.setenv("BOOK_SCALE", name)
    assert scale(smoke="smoke", laptop="laptop", full="full") == name


@pytest.mark.parametrize(("gpu", "name"), [(True, "full"), (False, "laptop")])
def test_without_it_the_hardware_does(monkeypatch, gpu, name):
    monkeypatch.delenv("BOOK_SCALE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert current_scale() == name


def test_an_unknown_scale_is_named(monkeypatch):
    monkeypatch.setenv("BOOK_SCALE", "huge")
    with pytest.raises(ValueError, match="'huge'.*smoke, laptop, full"):
        current_scale()
