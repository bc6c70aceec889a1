#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Small random L2O models with every iterate in double precision, for test_l2o.cc.

Written from Csi-L2O eqs. (10), (19), (20) and docs/files.md, in plain PyTorch, with
torch.nn.LSTM for the LSTM; it knows nothing of the C++ code. Each model file holds what the
decoder needs, and beside it in the group `oracle`

    m      lengths of codewords
    s_<i>  codeword i, of length m[i]
    x_<i>  row k - 1 = 0 ... iterations - 1: the result after k iterations, as h_vec

Usage: l2o_oracle.py DIRECTORY
"""

import argparse
import math
import os

import h5py
import numpy as np
import torch

torch.set_default_dtype(torch.float64)

CASES = {
    "plain": dict(start=0, layers=1, iterations=12),
    "deep": dict(start=2, layers=3, top_g=5, units=6, iterations=9),
    "paired": dict(start=2, layers=1, paired=True, iterations=8),
    "real": dict(start=1, real=True, layers=3, top_g=7, iterations=6),
    "real_mmse": dict(start=2, real=True, layers=1, units=6, iterations=8),
    "lstm2": dict(start=0, hidden=2, lstm_layers=1, layers=1, iterations=8),
    "lstm20": dict(start=2, hidden=20, lstm_layers=2, layers=3, top_g=6, iterations=8,
                   consistency=0.7),
    "lstm20_real": dict(start=1, real=True, hidden=20, lstm_layers=1, layers=1, units=6,
                        top_g=4, iterations=6),
    "lstm2_deep": dict(start=1, hidden=2, lstm_layers=2, layers=3, iterations=6),
    "ms4l2o": dict(codec="ms4l2o", start=0, hidden=20, lstm_layers=2, layers=0, iterations=8),
    "ms4l2o_plain": dict(codec="ms4l2o", start=1, real=True, layers=0, iterations=8,
                         consistency=1.0),
    "rows": dict(start=2, layers=3, top_g=5, units=6, iterations=8, rows=True),
    "ms4l2o_rows": dict(codec="ms4l2o", start=1, real=True, layers=0, iterations=8, rows=True),
    "rows_lstm": dict(start=2, hidden=2, lstm_layers=2, layers=1, top_g=5, iterations=8, rows=True),
    "rows_lstm_wide": dict(start=1, nt=32, hidden=3, layers=0, iterations=6, rows=True),
    "ms4l2o_rows_lstm": dict(codec="ms4l2o", start=0, hidden=2, layers=0, iterations=8, rows=True),
    "phases": dict(start=2, layers=1, iterations=6, consistency=0.8, rows=True, phases=3),
    "phases_wide": dict(start=1, na=3, nt=19, real=True, layers=0, iterations=6, phases=2),
}


def float32(x):
    """Rounded to float32, so that both sides see the same numbers."""
    return torch.from_numpy(np.asarray(x, np.float32).astype(np.float64))


class Model:
    """The arrays of one profile, and the decoder that they stand for."""

    def __init__(self, rng, codec="csi-l2o", na=5, nt=3, real=False, start=0, layers=1, top_g=0,
                 units=1, hidden=0, lstm_layers=1, iterations=6, trained=6, consistency=0.0,
                 paired=False, rows=False, phases=0):
        self.codec, self.na, self.nt, self.n = codec, na, nt, na * nt
        self.start, self.top_g, self.hidden = start, top_g, hidden
        self.iterations, self.trained = iterations, trained
        n, self.arrays = self.n, {}
        if real:
            self.w = float32(rng.normal(size=(11, 2 * n)) / math.sqrt(2 * n))
            self.arrays["encoder/W"] = self.w
        else:
            u = rng.normal(size=(6, n)) + 1j * rng.normal(size=(6, n))
            u = (u / math.sqrt(2 * n)).astype(np.complex64)
            self.arrays["encoder/W_complex"] = u
            self.w = self.real_rows(u)
        if start == 2:
            u, _ = np.linalg.qr(rng.normal(size=(n, 7)) + 1j * rng.normal(size=(n, 7)))
            u = u.T.astype(np.complex64)
            variance = np.sort(rng.uniform(0.05, 2, 14))[::-1]
            if paired:
                variance[1::2] = variance[::2]
            self.basis, self.variance = self.real_rows(u), float32(variance)
            self.floor = float32([0.02])
            self.arrays.update({"decoder/basis": u, "decoder/variance": self.variance,
                                "decoder/floor": self.floor})
        group = self.profile = {}
        self.rates = [4, 7, 12]
        group["rates"] = float32(self.rates)
        for name, low, high in (("p", -0.5, 1), ("a", -0.3, 0.5), ("b", -1, 1), ("theta", -5, -2),
                                ("gamma", 0.2, 1)):
            group[name] = float32(rng.uniform(low, high, (3, trained * (na if rows else 1))))
        self.rows = na if rows else 1
        if rows:
            group["rows"] = float32([na])
        group["consistency"] = float32(consistency * np.array([1, 0.8, 0.9]))
        group["activation"] = float32([2, 0, 1] if not hidden else [2, 3, 1])
        group["start"], group["top_g"] = float32([start]), float32([top_g])
        widths = {0: [], 1: [2 * nt, 18], 3: [2 * nt, 10, 12, 18]}[layers]
        for name, sizes in (("forward", widths), ("inverse", widths[::-1])):
            for k, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
                group[f"transform_{name}_{k}_weight"] = float32(
                    rng.normal(size=(units, outputs, inputs)) * math.sqrt(1.5 / inputs))
                group[f"transform_{name}_{k}_bias"] = float32(
                    0.1 * rng.normal(size=(units, outputs)))
        if hidden:
            scale = 1 / math.sqrt(hidden)
            self.lstm = torch.nn.LSTM(2, hidden, lstm_layers)
            for k in range(lstm_layers):
                inputs = hidden if k else 2
                weight = float32(rng.uniform(-scale, scale, (4 * hidden, inputs + hidden)) * 2)
                bias = float32(rng.uniform(-scale, scale, 4 * hidden))
                group[f"lstm_{k}_weight"], group[f"lstm_{k}_bias"] = weight, bias
                with torch.no_grad():
                    getattr(self.lstm, f"weight_ih_l{k}").copy_(weight[:, :inputs])
                    getattr(self.lstm, f"weight_hh_l{k}").copy_(weight[:, inputs:])
                    # The file has the sum of both.
                    getattr(self.lstm, f"bias_ih_l{k}").copy_(bias - 0.25)
                    getattr(self.lstm, f"bias_hh_l{k}").fill_(0.25)
            for name, outputs in (("mlp", hidden), ("heads", 5)):
                group[name + "_weight"] = float32(
                    rng.uniform(-scale, scale, (outputs, hidden)) * (2 if outputs > 5 else 0.5))
                group[name + "_bias"] = float32(rng.uniform(-scale, scale, outputs) * 0.2)

        self.phases = phases
        if phases:
            group["phase_steps"] = float32(rng.uniform(0.3, 1.2, (3, phases)))
            group["phase_momenta"] = float32(rng.uniform(0, 0.8, (3, phases)))
            for name, count, gain in (("into", 16 * 2 * 9, 0.3), ("forward_0", 256, 0.3),
                                      ("forward_1", 256, 0.4), ("inverse_0", 256, 0.3),
                                      ("inverse_1", 256, 0.4), ("out", 2 * 16 * 9, 0.05),
                                      ("squeeze", 4 * 16, 0.5), ("excite", 16 * 4, 0.5)):
                group[f"phase_{name}_weight"] = float32(gain * rng.normal(size=(3, phases, count)))
            for name, count in (("squeeze", 4), ("excite", 16)):
                group[f"phase_{name}_bias"] = float32(0.3 * rng.normal(size=(3, phases, count)))

    @staticmethod
    def real_rows(u):
        """Rows 2k and 2k+1 give the real and imaginary parts of u_k^H h."""
        u = u.astype(np.complex128)
        rows = np.empty((2 * len(u), 2 * u.shape[1]))
        rows[::2] = np.hstack([u.real, u.imag])
        rows[1::2] = np.hstack([-u.imag, u.real])
        return torch.from_numpy(rows)

    def at(self, name, m, t):
        """A table's value, linear in log2(m) between the two nearest rates; of tables with delay rows
        one for each row."""
        table = self.profile[name]

        def value(column):
            return float(np.interp(math.log2(m), np.log2(self.rates), column.numpy()))

        if table.ndim == 1:
            return value(table)
        first = min(t, self.trained - 1) * self.rows
        if self.rows == 1:
            return value(table[:, first])
        return torch.tensor([value(table[:, first + row]) for row in range(self.rows)])

    def wide(self, value):
        """One value for each element, from one for each row."""
        return value if self.rows == 1 else value.repeat_interleave(self.nt).repeat(2)

    def layer(self, name, t):
        weight, bias = self.profile[name + "_weight"], self.profile[name + "_bias"]
        unit = min(t, len(weight) - 1)
        return weight[unit], bias[unit]

    def network(self, name, z, t):
        count = sum(f"transform_{name}_{k}_weight" in self.profile for k in range(9))
        for k in range(count):
            weight, bias = self.layer(f"transform_{name}_{k}", t)
            z = z @ weight.T + bias
            if k < count - 1:
                z = torch.relu(z)
        return z

    @staticmethod
    def soft(u, threshold):
        return torch.sign(u) * torch.clamp(torch.abs(u) - threshold, min=0)

    def prox(self, u, p, norm, m, t):
        theta = torch.log1p(torch.exp(torch.as_tensor(self.at("theta", m, t))))
        if "transform_forward_0_weight" not in self.profile:
            return self.soft(u, self.wide(theta) * p / norm)
        if self.rows > 1:
            theta = theta[:, None]
        rows = torch.cat([u[:self.n].view(self.na, self.nt), u[self.n:].view(self.na, self.nt)], 1)
        z = self.soft(self.network("forward", rows, t), theta)
        if self.top_g:
            # A stable sort keeps those of lower index where magnitudes are equal.
            order = np.argsort(-np.abs(z.numpy()), axis=1, kind="stable")
            mask = np.zeros(z.shape)
            np.put_along_axis(mask, order[:, :self.top_g], 1, axis=1)
            z = z * torch.from_numpy(mask)
        v = self.network("inverse", z, t)
        return torch.cat([v[:, :self.nt].reshape(-1), v[:, self.nt:].reshape(-1)])

    def first(self, s, w, norm):
        if self.start == 0:
            return torch.zeros(2 * self.n)
        if self.start == 1:
            return w.T @ s / norm
        floor = float(self.floor)
        covariance = floor * torch.eye(2 * self.n)
        covariance += self.basis.T @ torch.diag(self.variance - floor) @ self.basis
        return covariance @ w.T @ torch.linalg.solve(w @ covariance @ w.T, s)

    def decode(self, s):
        """The results after 1, 2 ... iterations."""
        m = len(s)
        w = self.w[:m]
        norm = float(torch.linalg.svdvals(w)[0]) ** 2
        activation = [(lambda v: v, torch.sigmoid, lambda v: 2 * torch.sigmoid(v), torch.tanh)[k]
                      for k in self.profile["activation"].int().tolist()]
        x = y = self.first(s, w, norm)
        state, results = None, []
        for t in range(self.iterations):
            gx, gy = w.T @ (w @ x - s) / norm, w.T @ (w @ y - s) / norm
            raw = [self.wide(torch.as_tensor(self.at(name, m, t))) for name in "pab"]
            if self.hidden:
                output, state = self.lstm(torch.stack([x, gx], -1)[None], state)
                c = torch.relu(output[0] @ self.profile["mlp_weight"].T + self.profile["mlp_bias"])
                o = (c @ self.profile["heads_weight"].T + self.profile["heads_bias"]).T
                p, a, b = (f(r + v) for f, r, v in zip(activation, raw, o[:3]))
                u = (1 - b) * (x - p * gx) + b * (y - p * gy) - o[3]
                b2 = o[4]
            else:
                p, a, b2 = activation[0](raw[0]), activation[1](raw[1]), 0
                u = y - p * gy
            v = self.prox(u, p, norm, m, t)
            new = u + self.wide(self.at("gamma", m, t)) * (v - u)
            y = new + a * (new - x) + b2
            x = new
            end = x - self.at("consistency", m, 0) * (w.T @ (w @ x - s)) / norm
            results.append(self.convolved(end, s, w, norm))
        return torch.stack(results)

    def convolved(self, x, s, w, norm):
        """What the phases make of the result of the iterations."""
        before = x
        for k in range(self.phases):
            def number(name):
                return float(np.interp(math.log2(len(s)), np.log2(self.rates),
                                       self.profile[name][:, k].numpy()))

            nearest = int(np.argmin(np.abs(np.log2(self.rates) - math.log2(len(s)))))

            def weight(name, *shape):
                return self.profile[f"phase_{name}_weight"][nearest, k].reshape(shape)

            def bias(name):
                return self.profile[f"phase_{name}_bias"][nearest, k]

            y = x + number("phase_momenta") * (x - before)
            u = y - number("phase_steps") * (w.T @ (w @ y - s)) / norm
            image = u.reshape(1, 2, self.na, self.nt)
            z = torch.conv2d(image, weight("into", 16, 2, 3, 3), padding=1)[0].flatten(1)
            z = weight("forward_1", 16, 16) @ torch.relu(weight("forward_0", 16, 16) @ z)
            mean = z.abs().mean(1)
            hidden = torch.relu(weight("squeeze", 4, 16) @ mean + bias("squeeze"))
            limit = mean * torch.sigmoid(weight("excite", 16, 4) @ hidden + bias("excite"))
            z = self.soft(z, limit[:, None])
            z = weight("inverse_1", 16, 16) @ torch.relu(weight("inverse_0", 16, 16) @ z)
            change = torch.conv2d(z.reshape(1, 16, self.na, self.nt), weight("out", 2, 16, 3, 3), padding=1)
            before, x = x, u + change.flatten()
        return x

    def write(self, path, rng):
        lengths = [4, 12 if "encoder/W_complex" in self.arrays else 11, 5, 9]
        with h5py.File(path, "w", libver="earliest") as file:
            file.attrs.update({"format": "gr-csifeedback model", "format_version": 1,
                               "codec": self.codec, "nc": 16, "na": self.na, "nt": self.nt,
                               "precursor": 0, "model_id": 5, "channel": "random numbers"})
            for name, array in self.arrays.items():
                file.create_dataset(name, data=np.asarray(
                    array, np.complex64 if np.iscomplexobj(array) else np.float32))
            for name, array in self.profile.items():
                file.create_dataset("l2o/test/" + name, data=np.asarray(array, np.float32))
            file.create_dataset("oracle/m", data=np.array(lengths, np.float32))
            for i, m in enumerate(lengths):
                h = float32(rng.normal(size=2 * self.n))
                s = float32((self.w[:m] @ h).numpy())
                with torch.no_grad():
                    x = self.decode(s)
                file.create_dataset(f"oracle/s_{i}", data=s.numpy().astype(np.float32))
                file.create_dataset(f"oracle/x_{i}", data=x.numpy().astype(np.float32))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory")
    directory = parser.parse_args().directory
    for seed, (name, parameters) in enumerate(CASES.items()):
        rng = np.random.default_rng(100 + seed)
        Model(rng, **parameters).write(os.path.join(directory, f"l2o_{name}.h5"), rng)


if __name__ == "__main__":
    main()
