"""One training run in several processes, which torchrun starts.

    torchrun --nproc-per-node 2 tools/record.py 06_resnet resnet-20

Each process holds the whole network and trains on its part of every
minibatch; PyTorch's DistributedDataParallel averages their gradients, so that
all make the same step. The engine is PyTorch's: here stands only what `fit`
asks it for. Where one process runs alone, each function does nothing, or
returns what it was given.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

# So long the others wait for process 0 while it evaluates.
PATIENCE = timedelta(minutes=30)


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Meet the other processes, if torchrun has started this one.

    They talk through nccl between GPUs, of which each process takes one, and
    through gloo on CPUs. What processes other than 0 print is not shown.

    Raises:
        ValueError: this machine has more processes than GPUs.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    backend, place = "gloo", int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        if place >= torch.cuda.device_count():
            raise ValueError(
                f"process {place} of this machine finds "
                f"{torch.cuda.device_count()} GPUs, and each needs one of its "
                "own; start fewer with --nproc-per-node, or hide the GPUs "
                "with CUDA_VISIBLE_DEVICES="
            )
        backend = "nccl"
        torch.cuda.set_device(place)
    dist.init_process_group(backend, timeout=PATIENCE)
    with contextlib.ExitStack() as stack:
        stack.callback(dist.destroy_process_group)
        if rank() > 0:
            silence = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        else:
            print(f"{processes()} processes, joined by {backend}")
        try:
            yield
        except RuntimeError as error:
            error.add_note(
                f"This is process {rank()}. Did it lose the connection? Then "
                "another process has ended, and torchrun says below which, "
                "and why. The same command goes on from the last checkpoint."
            )
            raise


def rank() -> int:
    """The number of this process, from 0 on."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many processes share the work."""
    return dist.get_world_size() if dist.is_initialized() else 1


def by_first(function: Callable, *arguments, **options):
    """Call it in process 0 only; return in all of them what it returns."""
    if processes() == 1:
        return function(*arguments, **options)
    box = [function(*arguments, **options) if rank() == 0 else None]
    dist.broadcast_object_list(box)
    return box[0]


def check_agreed(what: str, number: int) -> None:
    """Wait for all processes; raise a ValueError if their numbers differ."""
    if processes() == 1:
        return
    found = [None] * processes()
    dist.all_gather_object(found, number)
    if len(set(found)) > 1:
        raise ValueError(
            f"{what}: {found}, but all processes must agree; let "
            "BOOK_CHECKPOINTS name a folder that all machines share"
        )


def shared(net: nn.Module) -> nn.Module:
    """`net`, in a module that averages the gradients of all processes.

    It starts from the weights of process 0. On GPUs batch norm measures the
    whole minibatch (its layers in `net` become SyncBatchNorm); on CPUs, where
    PyTorch cannot do that, each process measures its own part.
    """
    if processes() == 1:
        return net
    if next(net.parameters()).is_cuda:
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    return DistributedDataParallel(net)


def copy_buffers(net: nn.Module) -> None:
    """Let all processes have process 0's running averages of batch norm."""
    if processes() > 1:
        for buffer in net.buffers():
            dist.broadcast(buffer, 0)


def draw_apart() -> None:
    """Let dropout draw other masks in each process from here on."""
    if rank() > 0:  # seeds of epochs are neighbours, so keep away from them
        torch.manual_seed(torch.initial_seed() + 1_000 * rank())


def total(tensor: torch.Tensor) -> torch.Tensor:
    """The sum of the processes' tensors."""
    if processes() > 1:
        dist.all_reduce(tensor)
    return tensor
