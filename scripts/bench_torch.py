"""The PyTorch side of scripts/bench: trains one model on random ids and prints samples/s.

Usage: bench_torch.py CELL BATCH THREADS SECONDS     CELL as in scripts/bench_training.lua
"""
import sys
import time

import torch
from torch import nn

TIME, VOCABULARY = 200, 10000
# cell: (class, input size D, hidden size H)
CELLS = {
    "rnn32": (nn.RNN, 32, 32),
    "gru32": (nn.GRU, 32, 32),
    "lstm32": (nn.LSTM, 32, 32),
    "lstm128": (nn.LSTM, 100, 128),
    "flatten8": (None, 8, 0),
}


class Classifier(nn.Module):
    """Embedding, a recurrent layer (or none: flattened), one output."""

    def __init__(self, cell):
        super().__init__()
        kind, inputs, hidden = CELLS[cell]
        self.embedding = nn.Embedding(VOCABULARY, inputs)
        self.recurrent = kind(inputs, hidden, batch_first=True) if kind else None
        self.dense = nn.Linear(hidden if kind else TIME * inputs, 1)

    def forward(self, ids):
        x = self.embedding(ids)
        last = self.recurrent(x)[0][:, -1] if self.recurrent else x.flatten(1)
        return self.dense(last).squeeze(1)


def main():
    cell, batch, threads, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = Classifier(cell)
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = nn.BCEWithLogitsLoss()
    ids = torch.randint(1, VOCABULARY, (batch, TIME))
    labels = torch.randint(0, 2, (batch,)).float()

    def step():
        optimizer.zero_grad()
        loss_of(model(ids), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        done += batch
    print(f"{done / (time.perf_counter() - start):.1f}")


main()
