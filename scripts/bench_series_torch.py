"""The PyTorch side of `scripts/bench series`: milliseconds an epoch of the airline recipe.

Usage: bench_series_torch.py THREADS SECONDS     the model and data of scripts/bench_series.lua
"""
import csv
import sys
import time

import torch
from torch import nn


class Forecaster(nn.Module):
    """LSTM(4) over one step and one output."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.LSTM(1, 4, batch_first=True)
        self.dense = nn.Linear(4, 1)

    def forward(self, x):
        return self.dense(self.recurrent(x)[0][:, -1])


def main():
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    with open("corpora/airline-passengers.csv", encoding="utf-8") as file:
        values = torch.tensor([float(row["Passengers"]) for row in csv.DictReader(file)][:96])
    values = (values - values.min()) / (values.max() - values.min())
    x, y = values[:-1].reshape(-1, 1, 1, 1), values[1:].reshape(-1, 1, 1)
    model, loss_of = Forecaster(), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters())

    def epoch():
        for i in torch.randperm(len(x)).tolist():
            optimizer.zero_grad()
            loss_of(model(x[i]), y[i]).backward()
            optimizer.step()

    epoch()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        epoch()
        done += 1
    print(f"{1000 * (time.perf_counter() - start) / done:.3f}")


main()
