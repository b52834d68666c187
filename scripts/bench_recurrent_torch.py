"""The PyTorch side of `scripts/bench recurrent`: forward and backward of one recurrent layer, in
milliseconds of processor time a step, on one thread.

Usage: bench_recurrent_torch.py CELL B T D H SECONDS
"""
import sys
import time

import torch
from torch import nn


def main():
    name, sizes, seconds = sys.argv[1], [int(n) for n in sys.argv[2:6]], float(sys.argv[6])
    batch, steps, features, units = sizes
    torch.set_num_threads(1)
    cell = {"SimpleRNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}[name]
    layer = cell(features, units, batch_first=True)
    x = torch.randn(batch, steps, features, requires_grad=True)

    def step():
        layer(x)[0].sum().backward()

    for _ in range(3):
        step()
    done, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        step()
        done += 1
    print(f"{(time.process_time() - start) / done * 1000:.4f}")


if __name__ == "__main__":
    main()
