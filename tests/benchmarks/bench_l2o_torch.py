#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Times of l2o_decoder beside the same model in PyTorch (eager mode, one thread).

Both decode the same codewords of a random model of the sizes of the profiles `realtime`
(no LSTM, transform 64-256-64) and `paper` (hidden 20, two LSTM layers, transform
64-128-128-256 and back, top-G 51), 32 x 32, M = 128, and must agree. l2o_decoder multiplies floats,
and bfloat16 where the processor has AVX-512 BF16; PyTorch floats. They run in turn in this process;
every figure is a median, every ratio the median of the quotients of neighbours.
Give PyTorch its best: OPENBLAS_NUM_THREADS=1, and OPENBLAS_CORETYPE=SkylakeX where OpenBLAS
does not know the processor.

    PYTHONPATH=build/test_modules tests/benchmarks/bench_l2o_torch.py [--repeats N]
"""

import argparse
import os
import statistics
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import h5py
import numpy as np
import torch
from gnuradio import csifeedback

NA, NT, M, N = 32, 32, 128, 1024
PROFILES = {"realtime": dict(hidden=0, layers=0, widths=[64, 256], top=0),
            "paper": dict(hidden=20, layers=2, widths=[64, 128, 128, 256], top=51)}
TRAINED = 16
PRECISIONS = ("float32", "bf16")


def random_model(rng, hidden, layers, widths, top):
    """The arrays of a profile."""
    group = {name: rng.normal(size=(1, TRAINED)) * 0.1 for name in ("p", "a", "b", "gamma")}
    group.update(rates=[M], theta=np.full((1, TRAINED), -3.0), consistency=[1.0],
                 activation=[1, 1, 1], start=[1], top_g=[top])
    for name, sizes in (("forward", widths), ("inverse", widths[::-1])):
        for k, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
            group[f"transform_{name}_{k}_weight"] = rng.normal(
                size=(1, outputs, inputs)) / np.sqrt(inputs)
            group[f"transform_{name}_{k}_bias"] = rng.normal(size=(1, outputs)) * 0.01
    for k in range(layers):
        group[f"lstm_{k}_weight"] = rng.normal(
            size=(4 * hidden, (hidden if k else 2) + hidden)) * 0.2
        group[f"lstm_{k}_bias"] = rng.normal(size=4 * hidden) * 0.2
    if hidden:
        for name, outputs in (("mlp", hidden), ("heads", 5)):
            group[name + "_weight"] = rng.normal(size=(outputs, hidden)) * 0.15
            group[name + "_bias"] = rng.normal(size=outputs) * 0.1
    return {name: np.asarray(value, np.float32) for name, value in group.items()}


class Decoder(torch.nn.Module):
    """The same decoder as anyone would write it, with PyTorch's LSTM and Linear layers."""

    def __init__(self, w, group, hidden, layers, widths, top):
        super().__init__()
        self.w, self.wt = w, w.t().contiguous()
        self.norm = float(torch.linalg.matrix_norm(w.double(), 2)) ** 2
        self.tables, self.top, self.hidden = group, top, hidden
        self.forward_layers = self.linears("transform_forward", len(widths) - 1)
        self.inverse_layers = self.linears("transform_inverse", len(widths) - 1)
        if hidden:
            self.lstm = torch.nn.LSTM(2, hidden, layers)
            with torch.no_grad():
                for k in range(layers):
                    inputs = hidden if k else 2
                    weight = torch.from_numpy(group[f"lstm_{k}_weight"])
                    getattr(self.lstm, f"weight_ih_l{k}").copy_(weight[:, :inputs])
                    getattr(self.lstm, f"weight_hh_l{k}").copy_(weight[:, inputs:])
                    getattr(self.lstm, f"bias_ih_l{k}").copy_(
                        torch.from_numpy(group[f"lstm_{k}_bias"]))
                    getattr(self.lstm, f"bias_hh_l{k}").zero_()
            self.mlp, self.heads = self.linear("mlp"), self.linear("heads")

    def linear(self, name):
        weight = torch.from_numpy(self.tables[name + "_weight"]).squeeze(0)
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(torch.from_numpy(self.tables[name + "_bias"]).reshape(-1))
        return layer

    def linears(self, name, count):
        return torch.nn.ModuleList(self.linear(f"{name}_{k}") for k in range(count))

    def prox(self, u, theta):
        z = torch.cat([u[:, :N].reshape(-1, NT), u[:, N:].reshape(-1, NT)], 1)
        for layer in self.forward_layers[:-1]:
            z = torch.relu_(layer(z))
        z = torch.nn.functional.softshrink(self.forward_layers[-1](z), theta)
        if self.top:
            index = z.abs().topk(self.top, dim=1, sorted=False).indices
            z = torch.zeros_like(z).scatter_(1, index, z.gather(1, index))
        for layer in self.inverse_layers[:-1]:
            z = torch.relu_(layer(z))
        z = self.inverse_layers[-1](z)
        return torch.cat([z[:, :NT].reshape(len(u), -1), z[:, NT:].reshape(len(u), -1)], 1)

    def forward(self, s, iterations):
        x = y = s @ self.w / self.norm
        state = None
        for t in range(iterations):
            p, a, b, gamma, theta = (float(self.tables[name][0, t])
                                     for name in ("p", "a", "b", "gamma", "theta"))
            gy = (y @ self.wt - s) @ self.w / self.norm
            if self.hidden:
                gx = (x @ self.wt - s) @ self.w / self.norm if t else gy
                output, state = self.lstm(
                    torch.stack([x, gx], -1).view(1, -1, 2), state)
                o = self.heads(torch.relu_(self.mlp(output[0]))).view(*x.shape, 5)
                p, a, b = (torch.sigmoid(raw + o[..., k]) for k, raw in enumerate((p, a, b)))
                u = (1 - b) * (x - p * gx) + b * (y - p * gy) - o[..., 3]
                b2 = o[..., 4]
            else:
                p = float(torch.sigmoid(torch.tensor(p)))
                a = float(torch.sigmoid(torch.tensor(a)))
                u, b2 = y - p * gy, 0
            new = u + gamma * (self.prox(u, float(np.log1p(np.exp(theta)))) - u)
            y = new + a * (new - x) + b2
            x = new
        return x - (x @ self.wt - s) @ self.w / self.norm


def seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 64])
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    u = (rng.normal(size=(256, N)) + 1j * rng.normal(size=(256, N))) / np.sqrt(2 * N)
    w = np.empty((512, 2 * N))
    w[::2] = np.hstack([u.real, u.imag])
    w[1::2] = np.hstack([-u.imag, u.real])
    w = torch.from_numpy(w[:M].astype(np.float32))
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "model.h5")
        groups = {name: random_model(rng, **p) for name, p in PROFILES.items()}
        with h5py.File(path, "w", libver="earliest") as file:
            file.attrs.update({"format": "gr-csifeedback model", "format_version": 1,
                               "codec": "csi-l2o", "nc": 1024, "na": NA, "nt": NT,
                               "precursor": 0, "model_id": 1})
            file.create_dataset("encoder/W_complex", data=u.astype(np.complex64))
            for name, group in groups.items():
                for key, value in group.items():
                    file.create_dataset(f"l2o/{name}/{key}", data=value)
        model = csifeedback.model_file(path)
        print(f"{'profile':10}{'T':>4}{'batch':>6}{'PyTorch, us':>13}"
              + "".join(f"{p + ', us':>13}{'ratio':>7}{'difference':>12}" for p in PRECISIONS))
        for name, iterations in (("realtime", 10), ("realtime", 16), ("paper", 10)):
            ours = [csifeedback.l2o_decoder(model, M, name, iterations, 0, precision)
                    for precision in PRECISIONS]
            theirs = Decoder(w, groups[name], **PROFILES[name])
            for batch in args.batches:
                s = rng.normal(size=(batch, M)).astype(np.float32)
                tensor = torch.from_numpy(s)
                times = []
                with torch.no_grad():
                    expected = theirs(tensor, iterations).numpy()
                    expected = (expected[:, :N] + 1j * expected[:, N:]).reshape(batch, NA, NT)
                    differences = [np.linalg.norm(d.decode(s) - expected) / np.linalg.norm(expected)
                                   for d in ours]
                    for _ in range(args.repeats):
                        # A few calls, so that the call of a clock does not count.
                        calls = max(1, 8 // batch)
                        times.append([
                            seconds(lambda: [call() for _ in range(calls)]) / (calls * batch)
                            for call in (lambda: theirs(tensor, iterations),
                                         *(lambda d=d: d.decode(s) for d in ours))])
                median = [1e6 * statistics.median(x) for x in zip(*times)]
                ratio = [statistics.median(t[0] / t[k] for t in times) for k in range(len(times[0]))]
                print(f"{name:10}{iterations:4}{batch:6}{median[0]:13.1f}" + "".join(
                    f"{median[k + 1]:13.1f}{ratio[k + 1]:7.1f}{differences[k]:12.1e}"
                    for k in range(len(PRECISIONS))), flush=True)


if __name__ == "__main__":
    main()
