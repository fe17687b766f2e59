"""The figures that move: each is one call, and the value of a cell."""

from utils.figures.channel_mixer import channel_mixer
from utils.figures.class_map_viewer import class_map_viewer
from utils.figures.comparison_explorer import comparison_explorer
from utils.figures.growing_block import growing_block
from utils.figures.growing_network import growing_network
from utils.figures.inception_builder import inception_builder
from utils.figures.kernel_lab import kernel_lab
from utils.figures.network_viewer import network_viewer
from utils.figures.reuse_map import reuse_map
from utils.figures.shape_stepper import shape_stepper

__all__ = [
    "channel_mixer",
    "class_map_viewer",
    "comparison_explorer",
    "growing_block",
    "growing_network",
    "inception_builder",
    "kernel_lab",
    "network_viewer",
    "reuse_map",
    "shape_stepper",
]
