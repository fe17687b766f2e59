"""The figures that move: each is one call, and the value of a cell."""

from utils.figures.growing_network import growing_network
from utils.figures.inception_builder import inception_builder
from utils.figures.kernel_lab import kernel_lab
from utils.figures.network_viewer import network_viewer
from utils.figures.shape_stepper import shape_stepper

__all__ = [
    "growing_network",
    "inception_builder",
    "kernel_lab",
    "network_viewer",
    "shape_stepper",
]
