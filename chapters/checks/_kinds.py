"""What the checks share: asking an answer to be what it should be.

Each helper returns what it was asked for, or raises `NotYet` with a sentence
for the reader.
"""

import contextlib
import copy
import math
import numbers
import random
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode


class NotYet(Exception):
    """The answer is not right; the message says what to look at."""


class Wrong(NamedTuple):
    """A wrong answer and what its sentence must say."""

    what: str
    answer: object
    hint: str
    copied: bool = False  # the right number, obtained the wrong way


# Leaving everything as it is


@contextlib.contextmanager
def undisturbed():
    """Random numbers and the gradient mode are afterwards as they were."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(0)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def copied(answer):
    """The answer with copies of its networks and tensors."""
    if type(answer) in (list, tuple):
        return type(answer)(copied(part) for part in answer)
    if type(answer) is dict:
        return {key: copied(part) for key, part in answer.items()}
    if isinstance(answer, torch.Tensor):
        return answer.detach().clone()
    if isinstance(answer, np.ndarray):
        return answer.copy()
    if not isinstance(answer, nn.Module):
        return answer
    try:
        return copy.deepcopy(answer)
    except Exception as error:
        raise NotYet(
            f"The network cannot be copied: {told(error)} Keep results of "
            "computations out of its attributes."
        ) from None


# Words


def told(error: Exception) -> str:
    """What was raised, in one short sentence."""
    try:
        first_line = str(error).strip().partition("\n")[0][:150]
    except Exception:
        first_line = ""
    return f"{type(error).__name__}: {first_line}".rstrip(": .") + "."


def described(value) -> str:
    """A few words about any value; never raises."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim:
        kind = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{kind} of shape {tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**12 else "a very large number"
    if isinstance(value, str):
        return f"the text {value[:20]!r}"
    if isinstance(value, (list, tuple, dict, set)):
        size = f"{len(value)} entr{'y' if len(value) == 1 else 'ies'}"
        return f"a {type(value).__name__} of {size}"
    if isinstance(value, nn.Module):
        return f"a network ({type(value).__name__})"
    if callable(value):
        return "a function"
    return f"something of type {type(value).__name__}"


# Numbers, tensors and parts


def number(value, name: str):
    """A finite number: Python's, NumPy's, or a tensor with a single one."""
    if (
        isinstance(value, (torch.Tensor, np.ndarray))
        and math.prod(value.shape) == 1
        and not (isinstance(value, torch.Tensor) and value.is_meta)
    ):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise NotYet(f"{name} should be a number; it is {described(value)}.")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise NotYet(f"{name} is {described(value)}, not a finite number.")
    return value


def whole(value, name: str) -> int:
    """A whole number, as `number`."""
    value = number(value, name)
    if value != int(value):
        raise NotYet(
            f"{name} should be a whole number; it is {float(value):.6g}."
        )
    return int(value)


def tensor(value, name: str, shape=None) -> torch.Tensor:
    """A finite tensor or array of this shape, as float64."""
    if not isinstance(value, (torch.Tensor, np.ndarray)):
        raise NotYet(f"{name} should be a tensor; it is {described(value)}.")
    if shape is not None and tuple(value.shape) != tuple(shape):
        raise NotYet(
            f"{name} should have the shape {tuple(shape)}; it has "
            f"{tuple(value.shape)}."
        )
    try:
        value = torch.as_tensor(value).detach().cpu().double()
    except Exception:
        raise NotYet(f"{name} should hold ordinary numbers.") from None
    if not value.isfinite().all():
        raise NotYet(f"{name} holds values that are infinite or NaN.")
    return value


def parts(answer, *names: str):
    """The parts of a tuple, one for each name."""
    if not isinstance(answer, (tuple, list)) or len(answer) != len(names):
        wanted = ", ".join(names)
        raise NotYet(
            f"Hand over ({wanted}), in this order and in round brackets; "
            f"this is {described(answer)}."
        )
    return answer


# Functions and networks


def function(value, name: str):
    """The reader's function; what it raises becomes a sentence."""
    if not callable(value) or isinstance(value, nn.Module):
        raise NotYet(
            f"Hand over the function {name} itself, without brackets and "
            f"arguments behind it; this is {described(value)}."
        )

    def ask(*arguments):
        given = ", ".join(map(described, arguments))
        try:
            return value(*arguments)
        except NotImplementedError as error:
            if not str(error):
                raise NotYet(f"{name} is not written yet.") from None
            raise NotYet(f"{name}({given}) raised {told(error)}") from None
        except (Exception, SystemExit) as error:
            raise NotYet(f"{name}({given}) raised {told(error)}") from None

    return ask


def network(value, name: str) -> nn.Module:
    if not isinstance(value, nn.Module):
        raise NotYet(
            f"{name} should be a network (an nn.Module); it is "
            f"{described(value)}."
        )
    if any(is_lazy(parameter) for parameter in value.parameters()):
        raise NotYet(
            f"{name} has lazy layers that do not know their shape yet: send "
            "an image through it first."
        )
    return value


def made(value, name: str, *arguments) -> nn.Module:
    """The network that the reader's function makes."""
    net = function(value, name)(*arguments)
    return network(net, f"What {name} returns")


def output(net: nn.Module, images: torch.Tensor, name: str) -> torch.Tensor:
    """The network's answer; no gradients."""
    try:
        with torch.no_grad():
            answer = net(images)
    except Exception as error:
        raise NotYet(
            f"{name} fails on images of shape {tuple(images.shape)}: "
            f"{told(error)}"
        ) from None
    if not isinstance(answer, torch.Tensor):
        raise NotYet(f"{name} returns {described(answer)}, not a tensor.")
    return answer


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def all_learn(net: nn.Module, images: torch.Tensor, name: str) -> None:
    """Every parameter gets a gradient from the outputs."""
    frozen = [n for n, p in net.named_parameters() if not p.requires_grad]
    if frozen:
        raise NotYet(
            f"{name}: {frozen[0]} is frozen (requires_grad is False), so "
            "training cannot move it."
        )
    try:
        net(images).square().sum().backward()
    except Exception as error:
        raise NotYet(f"{name}: no gradient comes back. {told(error)}") from (
            None
        )
    for parameter_name, parameter in net.named_parameters():
        if parameter.grad is None:
            raise NotYet(
                f"{name}: no gradient arrives at {parameter_name}; look for "
                "a detach or a layer that is not used."
            )


class Calls(TorchFunctionMode):
    """Notes the names of the functions of PyTorch that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, called, types, args=(), kwargs=None):
        self.names.add(getattr(called, "__name__", ""))
        return called(*args, **(kwargs or {}))


# Logs of `utils.training.fit`

LOG_KEYS = {"epochs", "parameters", "recipe", "data", "seed"}


def log(value, name: str) -> dict:
    """A log of `fit`, with at least one epoch and plausible numbers."""
    if not isinstance(value, dict) or not LOG_KEYS <= set(value):
        raise NotYet(
            f"{name} should be the log that fit returns; it is "
            f"{described(value)}."
        )
    epochs = value["epochs"]
    if not isinstance(epochs, list) or not epochs:
        raise NotYet(f"{name} has no epochs: did the training run?")
    for key in ("train_loss", "validation_accuracy"):
        last = epochs[-1] if isinstance(epochs[-1], dict) else {}
        number(last.get(key), f"{key} in {name}")
    if not 0 <= epochs[-1]["validation_accuracy"] <= 1:
        raise NotYet(f"An accuracy in {name} does not lie between 0 and 1.")
    return value


def same_conditions(logs, but: str) -> None:
    """All runs had the same recipe and as many images."""
    for key, words in (("recipe", "recipe"), ("data", "images")):
        if any(log[key] != logs[0][key] for log in logs):
            raise NotYet(
                f"Not all runs had the same {words}, so {but} is not the only "
                "difference between them."
            )


def three_seeds(runs, names: tuple[str, str], but: str) -> list[list[dict]]:
    """The logs of two versions, three seeds each, by (name, seed)."""
    if not isinstance(runs, dict) or not all(
        isinstance(key, tuple) and len(key) == 2 for key in runs
    ):
        raise NotYet(
            "Hand over the logs as a dictionary whose keys are (name, seed); "
            f"this is {described(runs)}."
        )
    found = []
    for name in names:
        of_name = [
            log(value, f"the log of {key}")
            for key, value in runs.items()
            if key[0] == name
        ]
        seeds = sorted({str(value["seed"]) for value in of_name})
        if len(seeds) < 3:
            raise NotYet(
                f"{name!r} has runs with the seeds {', '.join(seeds)}; three "
                "seeds are needed, to see what luck does."
                if seeds
                else f"There are no runs of the name {name!r}."
            )
        found.append(of_name)
    same_conditions([*found[0], *found[1]], but)
    pairs = zip(*found, strict=False)
    if any(one["epochs"] == other["epochs"] for one, other in pairs):
        raise NotYet(
            "Both versions have exactly the same epochs: the logs of one of "
            "them were copied."
        )
    return found


# Made-up logs, for the wrong answers


def made_up_log(seed: int, loss: float, parameters: int) -> dict:
    epoch = {"train_loss": loss + seed, "validation_accuracy": 0.8}
    return {
        "epochs": [epoch],
        "parameters": parameters,
        "recipe": {"epochs": 1},
        "data": {"train_images": 5_000},
        "seed": seed,
    }


def made_up_runs(*versions: tuple[str, int]) -> dict:
    """Three logs for each (name, parameters), by (name, seed)."""
    return {
        (name, seed): made_up_log(seed, loss, count)
        for loss, (name, count) in enumerate(versions)
        for seed in range(3)
    }
