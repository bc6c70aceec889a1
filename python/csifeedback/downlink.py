#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What a cell's downlink makes of reported CSI: multi-user precoding, scheduling, and traffic.

Channels are scaled such that the BS sends with the power 1 and each antenna of a UE has noise of the
power 1. A UE reports for each subband the channel that it offers: a row g of ports, of which its
transmission with the precoder w has the amplitude g w; g is the conjugate of a reported precoder, times
the square root of the SINR that the reported CQI stands for.
"""

import dataclasses
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

#: distance of a transmission from Shannon's limit in dB, as the CQI of csi_report_format has it
GAP_DB = 2.0
#: largest efficiency in bit/s/Hz: CQI 15 of the table with 256QAM, TS 38.214, 5.2.2.1-3
MAX_EFFICIENCY = 7.4063
SCHEDULERS = ("fixed", "proportional-fair")


def regularized_zero_forcing(g: np.ndarray, noise: float = 1.0) -> np.ndarray:
    """Precoders of K streams: W = g^H (g g^H + K noise I)^-1, with equal power for all streams.

    g: complex (..., K, ports), what the BS knows of the streams' channels. noise: power of the noise
    relative to the power of the BS, >= 0.
    Returns complex (..., ports, K), columns with the norm 1 / sqrt(K); those of zeros stay zeros.
    """
    k = g.shape[-2]
    conjugate = g.conj().swapaxes(-1, -2)
    w = conjugate @ _regularized_inverse(g @ conjugate, noise)
    norm = np.linalg.norm(w, axis=-2, keepdims=True)
    return w / np.where(norm > 0, np.sqrt(k) * norm, 1)


def _regularized_inverse(gram, noise):
    """(gram + K noise I)^-1. Without noise users of the same channel have no inverse: a part in 10^12
    of the power is added."""
    k = gram.shape[-1]
    power = np.trace(gram, axis1=-2, axis2=-1).real[..., None, None] / k
    return np.linalg.inv(gram + (k * noise + 1e-12 * power + 1e-300) * np.eye(k))


def sinr(h: np.ndarray, w: np.ndarray, noise: float = 1.0) -> np.ndarray:
    """SINR of K users behind linear MMSE receivers.

    h: complex (..., K, nr, ports), true channels. w: complex (..., ports, K), a stream for each user.
    noise: power at an antenna of a UE, > 0. Returns (..., K).
    """
    received = h @ w[..., None, :, :]  # (..., K, nr, K)
    k, nr = h.shape[-3:-1]
    own = np.arange(k)
    wanted = np.moveaxis(received[..., own, :, own], 0, -2)  # (..., K, nr)
    # h w of all but the own one, and noise; then w^H h^H R^-1 h w.
    covariance = received @ received.conj().swapaxes(-1, -2) \
        - wanted[..., :, None] * wanted[..., None, :].conj() + noise * np.eye(nr)
    x = np.linalg.solve(covariance, wanted[..., None])[..., 0]
    return np.maximum(np.sum(wanted.conj() * x, axis=-1).real, 0)


def efficiency(ratio: np.ndarray, gap_db: float = GAP_DB) -> np.ndarray:
    """Spectral efficiency in bit/s/Hz at SINRs: log2(1 + SINR / gap), at most MAX_EFFICIENCY."""
    return np.minimum(np.log2(1 + np.asarray(ratio) / 10 ** (gap_db / 10)), MAX_EFFICIENCY)


@dataclasses.dataclass(frozen=True)
class FullBuffer:
    """All UEs always have data. seconds: simulated time."""

    seconds: float = 5.0


@dataclasses.dataclass(frozen=True)
class Ftp:
    """FTP model 1 of TR 36.814, A.2.1.3.1: files arrive as a Poisson process, each at a UE drawn from
    all with equal probability, and leave when they are served.

    files_per_s: arrivals in the cell. file_bits: of each (0.5 megabytes). files: how many arrive. seed: of
    arrivals.
    """

    files_per_s: float
    file_bits: float = 4e6
    files: int = 200
    seed: int = 1


@dataclasses.dataclass
class Result:
    """Figures of a run.

    upt: bit/s, user perceived throughput: of each file its bits over the time from arrival to end, with
    full buffers the rate of each UE. cell_bps: served by the cell. utilization: share of the time
    in which the cell sends. streams: mean number while it sends.
    """

    upt: np.ndarray
    cell_bps: float
    utilization: float
    streams: float

    def summary(self) -> Dict[str, float]:
        """Mean and 5 % point of UPT in Mbit/s, cell throughput in Mbit/s, utilization, streams."""
        return {"upt_mbps": float(np.mean(self.upt)) / 1e6,
                "upt_5_mbps": float(np.percentile(self.upt, 5)) / 1e6,
                "cell_mbps": self.cell_bps / 1e6, "utilization": self.utilization,
                "streams": self.streams}


class Cell:
    """A cell whose BS precodes with reports of its UEs by regularized zero-forcing.

    Time goes in steps. In each one the scheduler picks UEs, the same on all subbands, by the rates that
    the reports promise; the rates that they get are those of the true channels of the step, behind
    MMSE receivers (ideal link adaptation: efficiency() of the SINR, mean over subbands). All streams
    have equal power, one for each UE.

    h: complex (users, steps, subbands, nr, ports), true channels; behind the last step the UEs go
    back the way that they came. reports: complex (users, steps, subbands, ports), g of the
    channels of that step. bandwidth_hz: of all subbands. step_s: length of a step. streams: at most,
    1 or more. delay: age of the reports in steps, 0 or more. loss: probability that a report is lost, 0 to
    1; the one before then serves on. scheduler: "fixed": UEs with data in turn, as many as there are
    streams; "proportional-fair": the UEs that make the sum of rate over mean served rate largest,
    found one by one. memory_s: time constant of that mean. seed: of losses.
    Raises ValueError if a parameter is out of range.
    """

    def __init__(self, h: np.ndarray, reports: np.ndarray, bandwidth_hz: float = 9.36e6,
                 step_s: float = 5e-3, streams: int = 4, delay: int = 1, loss: float = 0.0,
                 scheduler: str = "proportional-fair", memory_s: float = 0.1, seed: int = 1) -> None:
        if h.ndim != 5 or reports.shape != (*h.shape[:3], h.shape[4]):
            raise ValueError(f"reports has the shape {reports.shape}, allowed is (users, steps, "
                             f"subbands, ports) of h, {h.shape}")
        for name, value, low, high in (
                ("bandwidth_hz", bandwidth_hz, 1, 1e12), ("step_s", step_s, 1e-9, 1e3),
                ("streams", streams, 1, h.shape[4]), ("delay", delay, 0, 10**6),
                ("loss", loss, 0, 1), ("memory_s", memory_s, step_s, 1e6)):
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, allowed is {low} to {high}")
        if scheduler not in SCHEDULERS:
            raise ValueError(f"scheduler is {scheduler}, allowed is " + ", ".join(SCHEDULERS))
        self.users, self.steps = h.shape[:2]
        self._h, self._reports = h, reports
        self._bandwidth_hz, self._step_s, self._streams = bandwidth_hz, step_s, streams
        self._delay, self._loss, self._seed = delay, loss, seed
        self._fair, self._memory = scheduler == "proportional-fair", step_s / memory_s
        #: what the report of each step promises one UE alone, bit/s
        self._alone = bandwidth_hz * efficiency(
            np.sum(np.abs(reports) ** 2, axis=3)).mean(axis=2)

    def run(self, traffic: Union[FullBuffer, Ftp]) -> Result:
        """Simulates traffic. Raises ValueError if one of its parameters is out of range."""
        return _Run(self, traffic).result()

    def place(self, step: int) -> int:
        """Index into the channels at a step: there and back again."""
        if self.steps == 1:
            return 0
        at = step % (2 * self.steps - 2)
        return min(at, 2 * self.steps - 2 - at)

    def rates(self, chosen: Sequence[int], known: Sequence[int], step: int) -> np.ndarray:
        """bit/s that these UEs get in a step. known: place of the report that serves for each."""
        g = self._reports[list(chosen), list(known)]  # (K, subbands, ports)
        w = regularized_zero_forcing(g.swapaxes(0, 1))
        h = self._h[list(chosen), self.place(step)].swapaxes(0, 1)
        return self._bandwidth_hz * efficiency(sinr(h, w)).mean(axis=0)

    def pick(self, waiting: Sequence[int], known: Sequence[int], served: np.ndarray) -> List[int]:
        """Indices into `waiting`, UEs with data, of those that are served proportionally fair.
        known: place of the report of each. served: mean served bit/s of each."""
        weights = 1 / np.maximum(served, 1e-3)
        alone = self._alone[list(waiting), list(known)]
        chosen = [int(np.argmax(weights * alone))]
        best = weights[chosen[0]] * alone[chosen[0]]
        if len(waiting) == 1 or self._streams == 1:
            return chosen
        g = self._reports[list(waiting), list(known)].swapaxes(0, 1)  # (subbands, n, ports)
        gram = g @ g.conj().swapaxes(1, 2)
        while len(chosen) < min(self._streams, len(waiting)):
            others = [i for i in range(len(waiting)) if i not in chosen]
            sets = np.array([chosen + [i] for i in others])
            part = gram[:, sets[:, :, None], sets[:, None, :]]  # (subbands, sets, K, K)
            promised = self._bandwidth_hz * efficiency(_promised(part)).mean(axis=0)
            sums = np.sum(weights[sets] * promised, axis=1)
            if sums.max() <= best:
                break
            best = sums.max()
            chosen.append(others[int(np.argmax(sums))])
        return chosen


def _promised(gram):
    """SINR of streams (..., K) that the BS expects behind regularized zero-forcing, from g g^H."""
    k = gram.shape[-1]
    inverse = _regularized_inverse(gram, 1.0)
    amplitudes = gram @ inverse
    norm2 = np.einsum("...ij,...ij->...j", inverse.conj(), amplitudes).real
    power = np.abs(amplitudes) ** 2 / (k * np.maximum(norm2, 1e-300))[..., None, :]
    own = np.einsum("...ii->...i", power)
    return own / (1 + np.maximum(power.sum(axis=-1) - own, 0))


class _Run:
    """State of a simulation."""

    def __init__(self, cell: Cell, traffic: Union[FullBuffer, Ftp]) -> None:
        self._cell, self._traffic = cell, traffic
        self._served = np.full(cell.users, np.nan)
        self._rng = np.random.default_rng((cell._seed, 1))
        self._known = np.zeros(cell.users, int)
        self._reported = -1
        self._turn = 0
        self._bits = np.zeros(cell.users)
        self._steps = self._sent = 0
        self._idle = 0.0  # of these steps, what was not needed any more

    def _update_reports(self, step):
        """Takes the reports up to the one that is as old as the delay."""
        newest = step - self._cell._delay
        if self._cell._loss == 0:
            self._known[:] = self._cell.place(max(newest, 0))
            return
        # After many steps without traffic only the last reports matter.
        for at in range(max(self._reported + 1, newest - 200), newest + 1):
            kept = self._rng.random(self._cell.users) >= self._cell._loss
            self._known[kept] = self._cell.place(at)
        self._reported = max(self._reported, newest)

    def _serve(self, step: int, waiting: List[int]) -> Tuple[List[int], np.ndarray]:
        """(UEs, bit/s) of a step."""
        cell = self._cell
        self._update_reports(step)
        known = self._known[waiting]
        if cell._fair:
            new = np.isnan(self._served[waiting])
            self._served[waiting] = np.where(new, cell._alone[waiting, known],
                                             self._served[waiting])
            chosen = [waiting[i] for i in cell.pick(waiting, known, self._served[waiting])]
        else:
            ahead = sorted(waiting, key=lambda user: (user - self._turn) % cell.users)
            chosen = ahead[:cell._streams]
            self._turn = (chosen[-1] + 1) % cell.users
        rates = cell.rates(chosen, self._known[chosen], step)
        if cell._fair:
            got = np.zeros(cell.users)
            got[chosen] = rates
            self._served[waiting] += cell._memory * (got[waiting] - self._served[waiting])
        self._steps += 1
        self._sent += len(chosen)
        return chosen, rates

    def result(self) -> Result:
        step_s = self._cell._step_s
        if isinstance(self._traffic, FullBuffer):
            steps = int(round(self._traffic.seconds / step_s))
            if steps < 1:
                raise ValueError(f"seconds is {self._traffic.seconds}, allowed is {step_s} or more")
            for step in range(steps):
                chosen, rates = self._serve(step, list(range(self._cell.users)))
                self._bits[chosen] += rates * step_s
            upt = self._bits / (steps * step_s)
            return Result(upt, float(upt.sum()), 1.0, self._sent / self._steps)
        return self._files(self._traffic, step_s)

    def _files(self, traffic: Ftp, step_s: float) -> Result:
        for name, value in (("files_per_s", traffic.files_per_s),
                            ("file_bits", traffic.file_bits), ("files", traffic.files)):
            if not value > 0:
                raise ValueError(f"{name} is {value}, allowed is more than 0")
        rng = np.random.default_rng((traffic.seed, 2))
        arrivals = np.cumsum(rng.exponential(1 / traffic.files_per_s, traffic.files))
        of = rng.integers(self._cell.users, size=traffic.files)
        # A file is served from the first step behind its arrival on.
        first = np.ceil(arrivals / step_s).astype(int)
        queues: List[List[int]] = [[] for _ in range(self._cell.users)]
        left = np.full(traffic.files, float(traffic.file_bits))
        ends = np.zeros(traffic.files)
        following, done, step = 0, 0, 0
        while done < traffic.files:
            waiting = [user for user, queue in enumerate(queues) if queue]
            if not waiting:
                step = max(step, int(first[following]))
            while following < traffic.files and first[following] <= step:
                user = int(of[following])
                if not queues[user]:
                    waiting = sorted([*waiting, user])
                    self._served[user] = np.nan
                queues[user].append(following)
                following += 1
            chosen, rates = self._serve(step, waiting)
            unused = step_s
            for user, rate in zip(chosen, rates):
                room = rate * step_s
                while queues[user] and room > 0:
                    file = queues[user][0]
                    part = min(room, left[file])
                    left[file] -= part
                    room -= part
                    if left[file] > 0:
                        break
                    ends[file] = (step + 1) * step_s - room / rate
                    queues[user].pop(0)
                    done += 1
                unused = min(unused, room / rate if rate > 0 else 0)
            self._idle += unused
            step += 1
        begin = first * step_s
        seconds = ends.max() - begin[0]
        return Result(traffic.file_bits / (ends - begin),
                      traffic.files * traffic.file_bits / seconds,
                      min(1.0, (self._steps * step_s - self._idle) / seconds),
                      self._sent / self._steps)


def effective_channel(w: np.ndarray, ratio: Any) -> np.ndarray:
    """Reports g of a Cell: the conjugate of precoders w (..., ports), scaled to unit norm, times the
    square root of the SINRs `ratio` (...) of the CQI."""
    norm = np.linalg.norm(w, axis=-1, keepdims=True)
    return w.conj() / np.where(norm > 0, norm, 1) * np.sqrt(ratio)[..., None]


def reported_sinr(h: np.ndarray, w: np.ndarray, step_db: Optional[float] = 1.0) -> np.ndarray:
    """SINR that UEs report for a precoder that serves them alone: of the mean capacity of the subbands.

    h: complex (..., subbands, nr, ports). w: complex (..., subbands, ports). step_db: resolution of
    the CQI in dB, None: exact. Returns (...).
    """
    norm = np.linalg.norm(w, axis=-1, keepdims=True)
    unit = w / np.where(norm > 0, norm, 1)
    ratio = np.sum(np.abs(np.einsum("...rp,...p->...r", h, unit)) ** 2, axis=-1)
    mean = 2 ** np.mean(np.log2(1 + ratio), axis=-1) - 1
    if step_db is None:
        return mean
    return 10 ** (step_db / 10 * np.floor(10 * np.log10(np.maximum(mean, 1e-6)) / step_db))
