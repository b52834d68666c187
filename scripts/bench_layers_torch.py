"""The PyTorch side of `scripts/bench layers`: forward and backward of one layer, in milliseconds of
processor time a step.

Usage: bench_layers_torch.py WHAT THREADS SECONDS     WHAT as in scripts/bench_layers.lua
"""
import sys
import time

import torch
from torch import nn


def case(what):
    """A function for the scalar of one step; None where PyTorch has no such layer."""
    if what == "conv1d":
        layer, x = nn.Conv1d(100, 128, 5), torch.randn(32, 100, 200, requires_grad=True)
        return lambda: layer(x).sum()
    if what in ("maxpool", "batchnorm"):
        layer = nn.MaxPool1d(2) if what == "maxpool" else nn.BatchNorm1d(64)
        x = torch.randn(32, 64, 200, requires_grad=True)
        return lambda: layer(x).sum()
    if what == "multihead":
        layer = nn.MultiheadAttention(64, 4, batch_first=True)
        x = torch.randn(32, 200, 64, requires_grad=True)
        hidden = torch.zeros(32, 200, dtype=torch.bool)
        hidden[:, 150:] = True
        return lambda: layer(x, x, x, key_padding_mask=hidden, need_weights=False)[0].sum()
    if what == "ctc":
        x = torch.randn(200, 32, 30, requires_grad=True)
        labels = (torch.arange(1, 32 * 40 + 1) * 7 % 29 + 1).reshape(32, 40)
        steps, lengths = torch.full((32,), 200), torch.full((32,), 40)
        return lambda: nn.functional.ctc_loss(x.log_softmax(2), labels, steps, lengths)
    return None


def main():
    what, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    make = case(what)
    if make is None:
        print(0)
        return
    for _ in range(3):
        make().backward()
    done, start, wall = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - wall < seconds:
        make().backward()
        done += 1
    print(f"{(time.process_time() - start) / done * 1000:.3f}")


main()
