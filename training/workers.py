"""Several processes on one machine that share a batch: on a CPU two processes of one thread each beat one of two threads.

(Convolution kernels on two threads wait for each other at spinning barriers, which costs a time slice whenever another
program takes one of the cores.)
"""

import datetime
import os
import signal
import socket
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from torch import nn


def launch(work: Callable[..., None], count: int, *arguments: object) -> None:
    """Call `work(rank, *arguments)` in `count` processes, or in this one. What was loaded before is shared, not copied."""
    if count == 1:
        work(0, *arguments)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    crew = processes.start_processes(_join, (work, count, port, *arguments), count, join=False, start_method="fork")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: [os.kill(p.pid, received) for p in crew.processes if p.is_alive()])
    while not crew.join():
        pass


def _join(rank: int, work: Callable[..., None], count: int, port: int, *arguments: object) -> None:
    hours = datetime.timedelta(hours=2)  # the others wait while the first evaluates
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", timeout=hours, rank=rank, world_size=count)
    work(rank, *arguments)
    dist.destroy_process_group()


def average_gradients(model: nn.Module, flag: bool) -> bool:
    """Replace gradients by their mean over the processes; true if `flag` is set in any of them."""
    if not dist.is_initialized():
        return flag
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([*(g.flatten() for g in gradients), torch.tensor([float(flag)], device=gradients[0].device)])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients] + [1]), strict=False):
        gradient.copy_(mean.view_as(gradient))
    return bool(flat[-1] > 0)
