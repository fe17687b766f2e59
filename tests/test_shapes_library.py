"""layer_table on every network for images that torchvision ships."""

from unittest import mock

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import regnet

from utils.shapes import layer_table

NAMES = torchvision.models.list_models(module=torchvision.models)
# These count as published only at another size than 224 pixels.
SIDES = {"inception_v3": 299}
# Published MACs, in billions, of what is easily counted short.
PUBLISHED = "swin_t maxvit_t vit_b_16 googlenet convnext_tiny resnet50".split()


def without_data(name):
    """The network on PyTorch's "meta" device."""
    make_plan = regnet.BlockParams.from_init_params

    def plan_with_data(*args, **options):
        with torch.device("cpu"):
            return make_plan(*args, **options)

    slow = name in ("googlenet", "inception_v3")
    options = {"init_weights": False} if slow else {}
    plan = (regnet.BlockParams, "from_init_params", plan_with_data)
    with torch.device("meta"), mock.patch.object(*plan):
        return torchvision.models.get_model(name, **options)


def test_they_are_all_here():
    assert len(NAMES) >= 80 and set(PUBLISHED) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_exact_against_pytorchs_own_counter(name):
    net, side = without_data(name), SIDES.get(name, 224)
    results = []
    hooks = [
        part.register_forward_hook(lambda m, i, o: results.append(o))
        for part in net.modules()
        if not list(part.children())
    ]
    net.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = net(torch.empty(1, 3, side, side, device="meta"))
    for hook in hooks:
        hook.remove()

    table = layer_table(net.train(), (3, side, side))
    assert 2 * table.macs == counter.get_total_flops() > 0
    assert table.output_shape == output.shape[1:]
    assert table.parameters == sum(p.numel() for p in net.parameters())
    firsts = [r if isinstance(r, torch.Tensor) else r[0] for r in results]
    for layer, first in zip(table.layers, firsts, strict=True):
        assert layer.output_shape == first.shape[1:], layer.name
    if name in PUBLISHED:
        weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        published = weights.meta["_ops"]
        assert table.macs / 1e9 == pytest.approx(published, abs=6e-4)
    # Rows add up, and if not, a row says so.
    left = table.macs - sum(layer.macs for layer in table.layers)
    unused = table.parameters - sum(x.parameters for x in table.layers)
    rows = [row[0] for row in table.as_table().rows]
    assert ("outside these layers" in rows) == bool(left or unused)
    assert left >= 0 and unused >= 0


def test_most_of_them_are_chains_of_known_functions():
    """The dash is for what is not known, not for everything."""
    for name in ("densenet121", "googlenet", "mobilenet_v2"):
        table = layer_table(without_data(name), (3, 64, 64))
        assert all(layer.receptive_field for layer in table.layers), name
