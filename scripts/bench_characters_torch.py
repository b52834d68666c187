"""The PyTorch side of `scripts/bench characters`: torch-rnn's recipe for a model of characters.

Usage: bench_characters_torch.py FILE UNITS EPOCHS THREADS

The recipe (Johnson, torch-rnn, 2016): vectors of 64 for the characters, two LSTM layers whose weights
begin as N(0, 1 / sqrt(D + H)) and whose forget gates begin open (bias 1), 50 streams read 50 characters
at a time with the states carried on, Adam at 0.002, halved every 5 passes, gradients clipped to -5 … 5
one by one. The last tenth of the text judges: one line a pass, bits a character and seconds.
"""
import gzip
import math
import sys
import time

import torch
from torch import nn

STREAMS, STEPS, VECTOR, RATE, CLIP = 50, 50, 64, 2e-3, 5


class Characters(nn.Module):
    def __init__(self, characters, units):
        super().__init__()
        self.vectors = nn.Embedding(characters, VECTOR)
        self.layers = nn.LSTM(VECTOR, units, num_layers=2, batch_first=True)
        self.scores = nn.Linear(units, characters)
        for name, weight in self.layers.named_parameters():
            if "weight_ih" in name:
                deviation = 1 / math.sqrt(weight.shape[1] + units)
                nn.init.normal_(weight, std=deviation)
                nn.init.normal_(getattr(self.layers, name.replace("ih", "hh")), std=deviation)
            elif "bias" in name:
                nn.init.zeros_(weight)
                if "bias_ih" in name:
                    nn.init.ones_(weight[units : 2 * units])

    def forward(self, ids, states):
        h, states = self.layers(self.vectors(ids), states)
        return self.scores(h), tuple(s.detach() for s in states)


def streams(ids, count):
    length = len(ids) // count
    return ids[: length * count].view(count, length)


def read(model, ids, optimizer=None):
    total, seen, states = 0.0, 0, None
    last = ids.shape[1] - 1
    for first in range(0, last, STEPS):
        steps = min(STEPS, last - first)
        scores, states = model(ids[:, first : first + steps], states)
        loss = nn.functional.cross_entropy(scores.flatten(0, 1),
                                           ids[:, first + 1 : first + steps + 1].flatten())
        if optimizer:
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), CLIP)
            optimizer.step()
        total, seen = total + loss.item() * steps, seen + steps
    return total / seen / math.log(2)


def main():
    path, units, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(int(sys.argv[4]))
    torch.manual_seed(1)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        text = file.read()
    index = {character: i for i, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([index[character] for character in text])
    split = int(len(ids) * 0.9)
    train, valid = streams(ids[:split], STREAMS), streams(ids[split:], 10)
    model = Characters(len(index), units)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)
    for epoch in range(1, epochs + 1):
        start = time.time()
        reached = read(model, train, optimizer)
        seconds = time.time() - start
        schedule.step()
        with torch.no_grad():
            found = read(model, valid)
        print(f"torch-rnn's recipe, pass {epoch}: training {reached:.4f}, validation {found:.4f} bits a "
              f"character, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
