"""The block switch: a residual network runs in the page."""

import base64
from collections.abc import Sequence

import torch
from IPython.display import HTML
from torch import nn

from utils.figures.frame import figure


def block_switch(
    net: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    class_names: Sequence[str],
    mean: torch.Tensor,
    std: torch.Tensor,
) -> HTML:
    """Interactive: a residual network runs in the page, block by block.

    The reader takes blocks out, that is, sets F(x) to zero, and sees what the
    network says then. Batch norm is folded into the convolutions, and their
    weights are rounded to 6 bits, with one scale an output channel, so that
    each takes one character of the page.

    Args:
        net: (stem, blocks, average, flatten, linear) as in chapter 6. The
            stem is convolution, batch norm, ReLU; a block has a `function`
            of two 3 × 3 convolutions, each with batch norm, and a `shortcut`
            without parameters.
        images: uint8 (N, 3, H, H), to choose from.
        labels: int64 (N,), their classes.
        class_names: by class.
        mean, std: (3,), what the network's inputs are normalised with.

    Raises:
        ValueError: an argument has another shape, or the network has another
            layer than these, which the page would compute wrongly.
    """
    square = (3, *images.shape[3:], *images.shape[3:])
    wanted = images.dtype == torch.uint8 and images.shape[1:] == square
    if not wanted or not len(images):
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}; wanted "
            "torch.uint8 (N, 3, H, H), values from 0 to 255"
        )
    if mean.shape != (3,) or std.shape != (3,):
        raise ValueError(
            f"mean is {tuple(mean.shape)}, std is {tuple(std.shape)}; wanted "
            "(3,), one number a colour"
        )
    try:
        stem, blocks, average, flatten, linear = net
        _expect(average, nn.AdaptiveAvgPool2d)
        _expect(flatten, nn.Flatten)
        convolution, relu = stem
        _expect(relu, nn.ReLU)
        packed = {
            "stem": _packed_convolution(*convolution),
            "blocks": [_packed_block(block) for block in blocks],
            "linear": {
                "weights": _base64(linear.weight.detach().float()),
                "bias": _base64(linear.bias.detach().float()),
            },
            "mean": mean.tolist(),
            "std": std.tolist(),
        }
        classes = linear.out_features
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "the network is not a stem, blocks with `function` and "
            "`shortcut`, average, flatten and linear layer, as cifar_net of "
            f"chapter 6 makes it with option A ({error})"
        ) from error
    if len(class_names) != classes:
        raise ValueError(
            f"{len(class_names)} class names for a network of {classes} "
            "classes; give one each"
        )
    known = set(range(classes)).issuperset(labels.tolist())
    if labels.shape != images.shape[:1] or not known:
        raise ValueError(
            f"labels are {labels.tolist()}; wanted {len(images)}, one an "
            f"image, from 0 to {classes - 1}"
        )
    data = {
        "names": list(class_names),
        "labels": labels.tolist(),
        "pictures": _base64(images),
        "blocks": packed,
    }
    fallback = (
        f"<p>Here a network of {len(packed['blocks'])} residual blocks runs "
        f"in your browser, on {len(images)} pictures, and you can switch its "
        "blocks off.</p>"
    )
    return figure("block_switch", data, fallback)


def _expect(layer: nn.Module, kind: type) -> None:
    """The page knows one layer at each place; others are refused."""
    if not isinstance(layer, kind):
        raise TypeError(f"{layer} where {kind.__name__} is wanted")


def _packed_block(block: nn.Module) -> dict:
    """The two convolutions of a residual block."""
    first, relu, second = block.function
    _expect(relu, nn.ReLU)
    if not hasattr(block.shortcut, "new_channels"):
        _expect(block.shortcut, nn.Identity)
    return {
        "first": _packed_convolution(*first),
        "second": _packed_convolution(*second),
    }


def _packed_convolution(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> dict:
    """Fold batch norm in, as it is in evaluation, and round to 6 bits."""
    settings = (conv.kernel_size, conv.padding, conv.dilation, conv.groups)
    if settings != ((3, 3), (1, 1), (1, 1), 1) or conv.bias is not None:
        raise ValueError(f"{conv} is not 3 × 3, padding 1, without bias")
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (conv.weight * factor.view(-1, 1, 1, 1)).detach().float()
    scales = weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / 31
    whole = (weight / scales.view(-1, 1, 1, 1)).round().char()  # -31 to 31
    return {
        "inputs": conv.in_channels,
        "outputs": conv.out_channels,
        "stride": conv.stride[0],
        # As characters from "?" to "}", none of which HTML would escape.
        "weights": (whole + 94).cpu().numpy().tobytes().decode("ascii"),
        "scales": _base64(scales),
        "bias": _base64(
            (norm.bias - norm.running_mean * factor).detach().float()
        ),
    }


def _base64(numbers: torch.Tensor) -> str:
    """The bytes of a tensor, as text."""
    return base64.b64encode(numbers.cpu().numpy().tobytes()).decode("ascii")
