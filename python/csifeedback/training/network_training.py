#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Training of the learned codecs that the papers compare with (needs PyTorch).

All have the same data, the same budget and the same schedule: Adam with a warm-up and a cosine,
the error of h_vec as the loss with the terms that a codec's authors add, a random phase for every
matrix, the state that is best on validation matrices in the end. Test matrices choose nothing.

The state of a run is in OUTPUT.checkpoint, arrays and JSON without any code, from where the same
command goes on after Ctrl-C; OUTPUT.csv has the training curve.
"""

import argparse
import json
import math
import os
import threading
import time
from fractions import Fraction
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

try:
    import torch
except ImportError:
    from . import MissingModule
    raise MissingModule("this codec is trained with PyTorch, which is not installed: "
                        "apt install python3-torch libopenblas0-pthread") from None

from ..data.dataset import Dataset
from ..files import write_csv
from ..model import Model
from ..progress import Progress, held_interrupts
from . import checkpoint
from . import network as networks
from . import quantizers

CODECS = ("csinet", "nr-csinet", "clnet", "transnet", "fista-net", "tilista", "sm-csinet-plus",
          "pm-csinet-plus")
CHECKPOINTS = True

#: steps whose random numbers are drawn together; runs are cut only there
BLOCK = 50
#: the last step's learning rate, relative to the first one's
LAST_RATE = 0.01
#: part of the training that is warm-up
WARM_UP = 0.02
#: gradients with a larger norm are scaled down to it
LARGEST_GRADIENT = 1.0
#: several runs may share a GPU, a thread each: one at a time makes its graph
_CAPTURING = threading.Lock()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of these codecs."""
    add = parser.add_argument
    add("--ratio", nargs="+", default=["1/16"], metavar="R",
        help="compression ratio; several for codecs of several rates, whose default is 1/4 1/8 "
             "1/16 1/32 (default: 1/16)")
    add("--budget-minutes", type=float, metavar="X",
        help="train for this long: processor time, with --device cuda wall-clock time")
    add("--steps", type=int, metavar="N",
        help="train for this many steps; with --budget-minutes what ends first (default: 20000, "
             "or as many as the budget allows)")
    add("--batch", type=int, metavar="N", help="matrices per step (default: as published)")
    add("--learning-rate", type=float, metavar="X", help="of Adam (default: the codec's)")
    add("--option", nargs="+", default=[], metavar="NAME=VALUE",
        help="options of the network: start_from (xavier or components; all but transnet), phases "
             "of fista-net, layers of tilista, scale of transnet")
    add("--validation", metavar="FILE",
        help="data set to choose the best state by (default: the end of the training set, 5 %%, "
             "at most 5000 matrices, which are then not trained on)")
    add("--validation-samples", type=int, default=2000, metavar="N",
        help="matrices of a report (default: 2000)")
    add("--reports", type=int, default=20, metavar="N",
        help="how often the validation error is measured (default: 20)")
    add("--precision", choices=("float32", "bfloat16"), default="float32",
        help="of the layers in training; the products with a learned W are float32 in any case "
             "(default: float32)")
    add("--compile", action="store_true", help="compile the network (PyTorch 2)")
    add("--device", help="cpu, cuda, ... (default: cuda where there is one)")


def code_sizes(codec: str, ratios: Sequence[str], n: int) -> List[int]:
    """Codeword lengths of compression ratios M / (2 n), ascending."""
    sizes = set()
    for ratio in ratios:
        try:
            size = Fraction(ratio) * 2 * n
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"--ratio is {ratio}, allowed are fractions such as 1/16") from None
        if size.denominator != 1 or not 1 <= size <= 2 * n:
            raise ValueError(f"--ratio is {ratio}, which gives a codeword of {float(size):g} "
                             f"values, allowed are whole numbers from 1 to {2 * n}")
        sizes.add(int(size))
    if len(sizes) > 1 and codec not in networks.MULTI_RATE:
        raise ValueError(f"--ratio has {len(sizes)} ratios, {codec} is trained for one at a time")
    return sorted(sizes)


def parse_options(codec: str, words: Sequence[str]) -> Dict[str, Any]:
    """{name: value} of NAME=VALUE, with the types of the network's own defaults."""
    known: Dict[str, Any] = networks.system(codec).options
    options = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known:
            raise ValueError(f"--option has {name}, allowed for {codec} is "
                             + (", ".join(known) or "none"))
        try:
            options[name] = type(known[name])(value)
        except ValueError:
            kind = "whole number" if isinstance(known[name], int) else "number"
            raise ValueError(f"--option: {word} is no {kind}") from None
    return options


class Schedule:
    """What a step may use of the learning rate: warm-up, then a cosine.

    The share done is that of the steps or of the seconds, whichever is more.
    """

    def __init__(self, steps: Optional[int] = None, seconds: Optional[float] = None) -> None:
        self.steps, self.seconds = steps, seconds

    def share(self, step: int, seconds: float) -> float:
        """Part of the training that is done, 0 to 1."""
        parts = [done / all_ for done, all_ in ((step, self.steps), (seconds, self.seconds))
                 if all_]
        return min(1.0, max(parts))

    @staticmethod
    def factor(share: float) -> float:
        """Of the learning rate."""
        if share < WARM_UP:
            return max(LAST_RATE, share / WARM_UP)
        cosine = 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))
        return LAST_RATE + (1 - LAST_RATE) * cosine


class Draws:
    """Which matrices a step takes, and the phases that they are turned by.

    Every matrix is taken once before any is again. What a block of steps takes is a function of
    the seed and the block alone.
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self._epoch: Optional[int] = None
        self._order = np.empty(0, int)

    def block(self, number: int) -> Tuple[np.ndarray, np.ndarray]:
        """Indices int64 (BLOCK, batch) and phases float32 (BLOCK, batch) of BLOCK steps."""
        wanted = BLOCK * self.batch
        at = number * wanted
        parts = []
        while wanted:
            epoch, first = divmod(at, self.count)
            if epoch != self._epoch:
                self._epoch = epoch
                self._order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
            parts.append(self._order[first:first + wanted])
            at, wanted = at + len(parts[-1]), wanted - len(parts[-1])
        rng = np.random.default_rng([self.seed, number, 1])
        shape = BLOCK, self.batch
        return (np.concatenate(parts).reshape(shape).astype(np.int64),
                (2 * np.pi * rng.random(shape)).astype(np.float32))


def turned(h: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
    """h_vec (B, 2 n) with each matrix multiplied by exp(j phase), phase (B,)."""
    re, im = h.chunk(2, dim=1)
    c, s = torch.cos(phase)[:, None], torch.sin(phase)[:, None]
    return torch.cat([c * re - s * im, s * re + c * im], 1)


def errors(network: networks.Network, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
    """||h^ - h||^2 / ||h||^2 of every matrix of h (N, 2 n), in eval mode."""
    training = network.training
    network.eval()
    found = []
    with torch.no_grad():
        for part in h.split(500):
            part = part.float()
            estimate = network.decode(network.encode(part, code_size))
            found.append((estimate - part).square().sum(1) / part.square().sum(1))
    network.train(training)
    return torch.cat(found)


class Run:
    """A training run.

    network: a Network on the device. h: h_vec of the training matrices (N, 2 n), float16 or
    float32, on the device; validation: likewise. The random phases and the order of the matrices
    come from the seed; on a GPU sums are not in the same order every time.
    """

    def __init__(self, network: networks.Network, h: torch.Tensor, validation: torch.Tensor,
                 schedule: Schedule, batch: int, learning_rate: float, seed: int = 1,
                 reports: int = 20, precision: str = "float32", compiled: bool = False) -> None:
        if not 1 <= batch <= len(h):
            raise ValueError(f"--batch is {batch}, allowed is 1 to the {len(h)} matrices of the "
                             "training set")
        self.network, self.h, self.validation = network, h, validation
        self.schedule, self.batch, self.seed = schedule, batch, seed
        self.reports, self.precision = reports, precision
        self.device = h.device
        self.cuda = self.device.type == "cuda"
        if compiled:
            network.compile_parts()
        self.draws = Draws(len(h), batch, seed)
        self._prepare_optimizer(learning_rate)
        self.step, self.seconds = 0, 0.0
        self.curve: List[Dict[str, float]] = []
        self.best, self.best_step = math.inf, 0
        self.best_state: Dict[str, torch.Tensor] = {}
        self._index = torch.zeros(BLOCK, batch, dtype=torch.int64, device=self.device)
        self._phase = torch.zeros(BLOCK, batch, device=self.device)
        self._at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._graph = None

    def _prepare_optimizer(self, learning_rate):
        groups = {}
        for name, value in self.network.named_parameters():
            factor = next((f for prefix, f in self.network.rate_factors.items()
                           if name == prefix or name.startswith(prefix + ".")), 1.0)
            groups.setdefault(factor, []).append(value)
        self.rates = [learning_rate * factor for factor in groups]
        options = {}
        if self.cuda:
            # Rates that live on the device can change between replays of a graph.
            options = {"fused": True, "capturable": True}
        self.optimizer = torch.optim.Adam(
            [{"params": values, "lr": torch.tensor(rate, device=self.device) if self.cuda
              else rate} for values, rate in zip(groups.values(), self.rates)], **options)
        self.parameters = [p for values in groups.values() for p in values]

    def _set_rates(self):
        factor = self.schedule.factor(self.schedule.share(self.step, self.seconds))
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            if self.cuda:
                group["lr"].fill_(factor * rate)
            else:
                group["lr"] = factor * rate

    def _one_step(self):
        index = self._index.index_select(0, self._at).squeeze(0)
        phase = self._phase.index_select(0, self._at).squeeze(0)
        self._at += 1
        h = turned(self.h.index_select(0, index).float(), phase)
        with torch.autocast(self.device.type, torch.bfloat16,
                            enabled=self.precision == "bfloat16"):
            loss = self.network.loss(h, h)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT)
        self.optimizer.step()

    def _capture(self):
        """The step as a CUDA graph, after three steps that are run as they are."""
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.optimizer.zero_grad(set_to_none=True)
                self._one_step()
        torch.cuda.current_stream(self.device).wait_stream(stream)
        self._at.zero_()
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="relaxed"):
            self._one_step()
        return graph

    def advance(self) -> None:
        """BLOCK steps."""
        index, phase = self.draws.block(self.step // BLOCK)
        self._index.copy_(torch.from_numpy(index))
        self._phase.copy_(torch.from_numpy(phase))
        self._at.zero_()
        self._set_rates()
        self.network.train()
        if self.cuda and self._graph is None:
            with _CAPTURING:
                self._graph = self._capture()
        for number in range(BLOCK):
            if number % 10 == 0:
                self._set_rates()
            if self._graph is not None:
                self._graph.replay()
            else:
                self.optimizer.zero_grad(set_to_none=True)
                self._one_step()
            self.step += 1
        if self.cuda:
            torch.cuda.current_stream(self.device).synchronize()

    def validate(self) -> List[float]:
        """NMSE in dB at every code size over the validation matrices."""
        return [10 * math.log10(float(errors(self.network, self.validation, m).double().mean())
                                or 1e-30) for m in self.network.code_sizes]

    def state(self) -> Dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def report(self) -> Any:
        """Measures the validation error, and keeps the state if it is the best one."""
        figures = self.validate()
        self.curve.append({
            "step": self.step, "seconds": round(self.seconds, 1),
            "learning_rate": self.rates[0] * self.schedule.factor(
                self.schedule.share(self.step, self.seconds)),
            **{f"nmse_db_{m}": round(f, 3) for m, f in zip(self.network.code_sizes, figures)}})
        mean = sum(figures) / len(figures)
        if mean < self.best or not self.best_state:
            self.best, self.best_state, self.best_step = mean, self.state(), self.step
        return figures

    @property
    def done(self) -> bool:
        return self.schedule.share(self.step, self.seconds) >= 1

    def _clock(self):
        return time.monotonic() if self.cuda else time.process_time()

    def train(self, progress: Callable[["Run"], None] = lambda run: None,
              between: Callable[["Run"], None] = lambda run: None) -> None:
        """Trains until the schedule's end; the network has the best state then.

        progress: called with this after every block. between: likewise, and may raise.
        """
        if not self.curve:
            self.report()
        start = self._clock() - self.seconds
        next_report = self.schedule.share(self.step, self.seconds) + 1 / self.reports
        while not self.done:
            self.advance()
            self.seconds = self._clock() - start
            share = self.schedule.share(self.step, self.seconds)
            if share + 1e-9 >= next_report or self.done:
                figures = self.report()
                # The time of a report counts: a budget is one of all the work.
                self.seconds = self._clock() - start
                next_report = max(next_report, share) + 1 / self.reports
                if not all(math.isfinite(f) for f in figures):
                    break
            progress(self)
            between(self)
        self.network.load_state_dict(self.best_state)

    def still_improving(self) -> float:
        """dB that the last fifth of the training gained, over all code sizes."""
        last = self.curve[-1]["step"]
        before = next(c for c in reversed(self.curve) if c["step"] <= 0.8 * last)
        names = [f"nmse_db_{m}" for m in self.network.code_sizes]
        return sum(before[n] - self.curve[-1][n] for n in names) / len(names)


# Checkpoints

#: what a checkpoint has beside arrays
_PROGRESS = ("step", "seconds", "best", "best_step", "curve")


def save_checkpoint(path: str, run: Run, settings: str) -> None:
    """Writes what a run needs to go on."""
    arrays = checkpoint.optimizer_arrays(run.optimizer)
    for group, state in (("state", run.state()), ("best", run.best_state)):
        arrays.update({f"{group}/{name}": value.cpu().numpy() for name, value in state.items()})
    checkpoint.save(path, settings, {name: getattr(run, name) for name in _PROGRESS}, arrays)


def load_checkpoint(path: str, run: Run, settings: str) -> None:
    """Lets a run go on where save_checkpoint was called. Executes nothing of the file.

    Raises ValueError if it is no checkpoint of a run with the same settings and data.
    """
    values, arrays = checkpoint.load(path, settings)
    with checkpoint.reading(path):
        groups: Dict[str, Dict[str, torch.Tensor]] = {"state": {}, "best": {}, "optimizer": {}}
        for name, array in arrays.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = torch.from_numpy(array)
        # The best state is loaded in the end, so it has to fit.
        run.network.load_state_dict(groups["best"])
        run.network.load_state_dict(groups["state"])
        checkpoint.load_optimizer(run.optimizer, arrays)
        run.best_state = {name: value.to(run.device) for name, value in groups["best"].items()}
        for name in _PROGRESS:
            setattr(run, name, values[name])


# The command

def _device(name):
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device is {name}: {error}") from None
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return device


def _matrices(data, first, count):
    """h_vec of a Dataset's matrices, float16 (count, 2 na nt)."""
    from . import normalized

    size = data.na * data.nt
    h = np.empty((count, 2 * size), np.float16)
    progress = Progress("reading", count)
    for at in range(0, count, 2000):
        part = min(2000, count - at)
        ha = normalized(data.read_truncated(first + at, part)).reshape(part, size)
        h[at:at + part, :size], h[at:at + part, size:] = ha.real, ha.imag
        progress.update(at + part)
    return torch.from_numpy(h)


def _check(args):
    for name, low, high in (("steps", 1, 10**9), ("batch", 1, 10**6), ("reports", 1, 10**6),
                            ("validation_samples", 2, 10**6)):
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is {low} to {high}")
    for name, high in (("budget_minutes", 1e6), ("learning_rate", 10.0)):
        value = getattr(args, name)
        if value is not None and not 0 < value <= high:
            raise ValueError(f"--{name.replace('_', '-')} is {value:g}, allowed is more than 0, up "
                             f"to {high:g}")


def train(args: argparse.Namespace, data: Dataset) -> Model:
    """Trains args.codec on a Dataset; returns a Model without its measured NMSE."""
    _check(args)
    device = _device(args.device)
    if args.precision != "float32" and device.type != "cuda":
        raise ValueError(f"--precision is {args.precision}, allowed without a GPU is float32")
    ratios = args.ratio
    if args.codec in networks.MULTI_RATE and ratios == ["1/16"]:
        ratios = ["1/4", "1/8", "1/16", "1/32"]
    torch.manual_seed(args.seed % (1 << 63))
    network = networks.make(args.codec, data.na, data.nt,
                            code_sizes(args.codec, ratios, data.na * data.nt),
                            **parse_options(args.codec, args.option))
    count = len(data)
    validation = None
    if args.validation:
        with Dataset(args.validation, drop_zero=args.drop_bad) as other:
            other.check_zeros()
            if (other.na, other.nt) != (data.na, data.nt):
                raise ValueError(f"--validation {args.validation} has {other.na} x {other.nt} "
                                 f"matrices, the training set {data.na} x {data.nt}")
            held = _matrices(other, 0, min(len(other), args.validation_samples))
            validation = other.fingerprint()
    else:
        left = min(5000, count // 20)
        if left < 2:
            raise ValueError(f"the data set has {count} matrices, 40 at least are needed")
        count -= left
        held = _matrices(data, count, min(left, args.validation_samples))
    h = _matrices(data, 0, count).to(device)
    network.start(networks.Components.of(h))
    network.to(device)
    network.to(memory_format=torch.channels_last)
    budget = None if args.budget_minutes is None else 60 * args.budget_minutes
    schedule = Schedule(args.steps or (None if budget else 20000), budget)
    batch = args.batch or min(int(network.recipe["batch"]), count)
    run = Run(network, h, held.to(device), schedule, batch,
              args.learning_rate or network.recipe["learning_rate"], args.seed, args.reports,
              args.precision, args.compile)

    # Data sets by their content: names say nothing.
    settings = json.dumps({**{k: v for k, v in vars(args).items()
                              if k not in ("output", "test", "json", "device", "overwrite", "drop_bad")},
                           "dataset": data.fingerprint(), "validation": validation},
                          sort_keys=True)
    state = checkpoint.checkpoint_of(args.output)
    if os.path.lexists(state) and not args.overwrite:
        load_checkpoint(state, run, settings)
    total = 1000
    progress = Progress(f"training {args.codec}", total,
                        int(total * schedule.share(run.step, run.seconds)))
    saved = [time.monotonic()]

    def show(run):
        last = run.curve[-1]
        progress.update(int(total * schedule.share(run.step, run.seconds)),
                        f"step {run.step}, {last['step']}: " + " ".join(
                            f"{v:.2f}" for k, v in last.items() if k.startswith("nmse")) + " dB")

    with held_interrupts() as interrupted:
        def between(run):
            if interrupted or time.monotonic() - saved[0] > 120:
                save_checkpoint(state, run, settings)
                write_csv(args.output + ".csv", run.curve, list(run.curve[0]))
                saved[0] = time.monotonic()
            if interrupted:
                raise KeyboardInterrupt

        run.train(show, between)
    save_checkpoint(state, run, settings)
    write_csv(args.output + ".csv", run.curve, list(run.curve[0]))
    network.cpu()
    return Model({**networks.attributes(network), **summary(run)},
                 {**networks.arrays(network), **quantizer_tables(network, h.cpu())})


def quantizer_tables(network: networks.Network, h: torch.Tensor,
                     limit: int = 20000) -> Dict[str, np.ndarray]:
    """Arrays of the group quantizer, fitted to codewords of at most `limit` of the matrices h.

    Codewords that are not the beginnings of the longest ones have tables of their own, in the group
    quantizer/LENGTH.
    """
    network.eval()
    found = {}
    for size in network.code_sizes:
        is_longest = size == network.code_size
        if not is_longest and network.has_prefixes:
            continue
        with torch.no_grad():
            s = torch.cat([network.encode(part.float(), size) for part in h[:limit].split(500)])
        group = "quantizer" if is_longest else f"quantizer/{size}"
        found.update({f"{group}/{name}": table
                      for name, table in quantizers.fit(s.numpy(), 0).items()})
    return found


def summary(run: Run) -> Dict[str, Any]:
    """What a model file says of its training: curve, steps, budget."""
    return {"curve": run.curve, "steps": run.step, "batch": run.batch,
            "training_seconds": round(run.seconds, 1), "training_device": run.device.type,
            "best_step": run.best_step}
