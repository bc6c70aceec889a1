#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Measurements on real signals: estimation, synchronization, and CSI from
the antenna to the BS."""

import os
import tempfile
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import pmt
from gnuradio import analog, blocks, channels, gr

from .. import csifeedback_python as core
from .. import evaluation, ofdm
from ..files import subplots, write_figure

#: a UE's carrier
CARRIER_HZ = 3.5e9
PRESET = core.csirs_frame.preset(5, 15)


def from_file(run: Callable[[str], None], dtype: Any = np.complex64) -> np.ndarray:
    """What run(path) writes to a file."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "samples")
        run(path)
        return np.fromfile(path, dtype)


def run_to_end(flowgraph: gr.top_block, *sinks: Any) -> None:
    """Runs a flowgraph; OSError if a checked_file_sink in it could not write all."""
    flowgraph.run()
    for sink in sinks:
        if sink.finish():
            raise OSError(sink.error())


def cdl_c(frame: core.csirs_frame, seed: int = 1, **changes: Any) -> core.channel_model:
    return core.cdl_channel("C", **{**dict(
        nc=frame.nc(), nt=frame.nt(), spacing_hz=frame.spacing_hz(), carrier_hz=CARRIER_HZ,
        delay_spread_s=100e-9, seed=seed), **changes})


def truth(model: core.channel_model, count: int, first: int = 0) -> np.ndarray:
    """H of the frames: mimo_channel has sample f of the model in frame f."""
    return core.generate_channels(model, first, count)[0]


def through_channel(frame: core.csirs_frame, model: core.channel_model, count: int, first: int = 0,
                    max_delay: int = 64, updates: int = 1) -> np.ndarray:
    """Samples at a UE without noise, of `count` frames from number `first` on and of one more that
    ends them. updates: samples of the model for each frame."""

    def run(path):
        flowgraph = gr.top_block()
        source = core.csirs_source(frame, count + 1, first)
        channel = core.mimo_channel([model], frame.sample_rate(), max_delay, updates=updates,
                                    frame=frame)
        for n in range(frame.nt()):
            flowgraph.connect((source, n), (channel, n))
        sink = core.checked_file_sink(path)
        flowgraph.connect(channel, sink)
        run_to_end(flowgraph, sink)

    return from_file(run)


def noise_variance(frame: core.csirs_frame, snr_db: float) -> float:
    """Of a sample. SNR: of a subcarrier of the preamble as one port sends it, for a channel of unit
    gain."""
    return frame.power() * frame.fft_size() / frame.nc() * 10 ** (-snr_db / 10)


def with_noise(samples: np.ndarray, frame: core.csirs_frame, snr_db: float, seed: int = 1,
               offset: float = 0.0) -> np.ndarray:
    """offset: of the carrier, in subcarriers."""
    rng = np.random.default_rng(seed)
    scale = np.sqrt(noise_variance(frame, snr_db) / 2)
    noise = rng.standard_normal((2, len(samples)), np.float32)
    if offset:
        samples = samples * np.exp(2j * np.pi * offset / frame.fft_size()
                                   * np.arange(len(samples)))
    return (samples + scale * (noise[0] + 1j * noise[1])).astype(np.complex64)


def receive(frame: core.csirs_frame, samples: np.ndarray,
            interpolators: Sequence[core.channel_interpolator],
            max_offset: int = 4) -> Tuple[List[Dict[int, np.ndarray]], Dict[int, Dict[str, Any]], core.csi_sync]:
    """Samples through csi_sync and a channel_estimator for each interpolator.

    Returns a list of H by frame number, one for each interpolator, the list of the frames'
    metadata by number, and the block csi_sync.
    """
    sync = core.csi_sync(frame, 1, max_offset)
    found, stores, sinks = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "samples")
        np.asarray(samples, np.complex64).tofile(path)
        flowgraph = gr.top_block()
        flowgraph.connect(blocks.file_source(gr.sizeof_gr_complex, path), sync)
        size = frame.nc() * frame.nt()
        for number, interpolator in enumerate(interpolators):
            estimator = core.channel_estimator(interpolator)
            stores.append(blocks.message_debug())
            sinks.append(core.checked_file_sink(os.path.join(directory, str(number)), 8 * size))
            flowgraph.connect(sync, estimator, sinks[-1])
            flowgraph.msg_connect(estimator, "pdus", stores[-1], "store")
        run_to_end(flowgraph, *sinks)
        for number, store in enumerate(stores):
            info = [pmt.to_python(pmt.car(store.get_message(i)))
                    for i in range(store.num_messages())]
            h = np.fromfile(os.path.join(directory, str(number)), np.complex64).reshape(
                -1, frame.nc(), frame.nt())
            found.append({m["frame"]: x for m, x in zip(info, h)})
    return found, {m["frame"]: m for m in info}, sync


def ratio_summary(error: Sequence[float], energy: Sequence[float]) -> Dict[str, float]:
    """Mean error over mean energy in dB, with its 95 % interval."""
    of, by = np.asarray(error), np.asarray(energy)
    ratio = float(np.mean(of) / np.mean(by))
    half = float(1.96 * np.std(of - ratio * by, ddof=1) / np.mean(by) / np.sqrt(len(of)))
    return {"nmse_db": evaluation.to_db(ratio),
            "nmse_db_low": evaluation.to_db(max(0.0, ratio - half)),
            "nmse_db_high": evaluation.to_db(ratio + half)}


def score(found: Dict[int, np.ndarray], h: np.ndarray,
          at: Optional[np.ndarray] = None) -> Dict[str, Any]:
    """Summary over the frames found; at: only these entries of H, a mask (nc, nt)."""
    mask = np.ones(h.shape[1:], bool) if at is None else at
    numbers = [f for f in found if f < len(h)]
    if len(numbers) < 2:
        return {"frames": len(numbers)}
    error: List[float] = [np.sum(np.abs((ofdm.align(found[f], h[f]) - h[f])[mask])**2) for f in numbers]
    energy: List[float] = [np.sum(np.abs(h[f][mask])**2) for f in numbers]
    return {"frames": len(numbers), **ratio_summary(error, energy),
            "rho": float(np.mean([ofdm.rho(found[f], h[f]) for f in numbers]))}


def delay_powers(model: core.channel_model, first: int, count: int) -> np.ndarray:
    """Delays in seconds and mean powers of the rays of a model."""
    paths = [(p[0], abs(p[2])**2 / count) for i in range(first, first + count)
             for p in model.paths(i)]
    return np.transpose(paths)


def correlation(delays: np.ndarray, powers: np.ndarray, frame: core.csirs_frame) -> np.ndarray:
    """r(k) = E h(j + k) h(j)^* for k = 0 ... nc - 1."""
    # Rays of a cluster have the same delay.
    delays, index = np.unique(delays, return_inverse=True)
    powers = np.bincount(index, powers)
    return np.exp(-2j * np.pi * frame.spacing_hz() * np.outer(np.arange(frame.nc()), delays)
                  ) @ powers


def toeplitz(r: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    lag = np.subtract.outer(rows, columns)
    return np.where(lag >= 0, r[np.abs(lag)], r[np.abs(lag)].conj())


def profile_of_rays(delays: np.ndarray, powers: np.ndarray, frame: core.csirs_frame, before: int,
                    after: int) -> np.ndarray:
    """The same at delays half a row apart, each ray shared out to the two beside it."""
    at = 2 * (before + delays * frame.nc() * frame.spacing_hz())
    low = np.floor(at).astype(int)
    result = np.zeros(2 * (before + after) + 1)
    np.add.at(result, low, powers * (1 - (at - low)))
    np.add.at(result, low + 1, powers * (at - low))
    return result[:-1].astype(np.float32)


def profile_as_seen(r: np.ndarray, frame: core.csirs_frame, before: int, after: int) -> np.ndarray:
    """Expected power at delays half a row apart, of pilots under a Hann window: as smooth as the
    band allows."""
    k = frame.pilot_distance() * np.arange(frame.pilots())
    delays = np.arange(2 * (before + after)) / 2 - before
    window = np.hanning(len(k) + 1)[:-1] / len(k)
    a = window[:, None] * np.exp(-2j * np.pi * np.outer(k, delays) / frame.nc())
    power = np.real(np.sum(a.conj() * (toeplitz(r, k, k) @ a), axis=0))
    return (power * np.real(r[0]) / np.sum(power)).astype(np.float32)


def lmmse_bound(frame: core.csirs_frame, r: np.ndarray, noise: float) -> float:
    """Mean variance of h given the pilots of its port, for Gaussian h of correlation r."""
    result = 0.0
    rows = np.arange(frame.nc())
    offsets = [int(frame.pilot_offset(n)) for n in range(frame.nt())]
    for offset in set(offsets):
        at = rows[offset::frame.pilot_distance()]
        cross = toeplitz(r, rows, at)
        inner = toeplitz(r, at, at) + noise * np.eye(len(at))
        known = np.real(np.sum(cross * np.linalg.solve(inner, cross.conj().T).T, axis=1))
        result += offsets.count(offset) / frame.nt() * (np.real(r[0]) - np.mean(known))
    return result


def linear_error(frame: core.csirs_frame, h: np.ndarray, noise: float) -> float:
    """Mean error of straight lines between pilots, and beyond the outermost ones: that of their
    noise and, without noise, of the lines."""
    spread = bias = 0.0
    rows = np.arange(frame.nc())
    for n in range(frame.nt()):
        at = rows[int(frame.pilot_offset(n))::frame.pilot_distance()]
        left = np.clip((rows - at[0]) // frame.pilot_distance(), 0, len(at) - 2)
        weight = (rows - at[left]) / frame.pilot_distance()
        lines = np.zeros((frame.nc(), len(at)))
        lines[rows, left], lines[rows, left + 1] = 1 - weight, weight
        spread += np.mean(np.sum(lines**2, axis=1)) / frame.nt()
        bias += np.mean(np.abs(h[:, at, n] @ lines.T - h[:, :, n])**2) / frame.nt()
    return noise * spread + bias


def ofdm_estimation(samples: int, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    frame = core.csirs_frame(nt=8, **PRESET)
    model = cdl_c(frame)
    h = truth(model, samples)
    air = through_channel(frame, model, samples)
    # The statistics are those of drops that are not tested.
    delays, powers = delay_powers(model, 10**6, 200)
    r = correlation(delays, powers, frame)
    before, after = 4, 21
    rays = profile_of_rays(delays, powers, frame, before, after)
    smooth = profile_as_seen(r, frame, before, after)
    pilots = np.zeros(h.shape[1:], bool)
    for n in range(frame.nt()):
        pilots[int(frame.pilot_offset(n))::frame.pilot_distance(), n] = True
    energy = np.mean(np.abs(h)**2)
    rows = []
    grid = range(0, 41, 5)
    for done, snr_db in enumerate(grid):
        found, _, _ = receive(frame, with_noise(air, frame, snr_db, 1 + snr_db), [
            core.linear_interpolator(frame), core.dft_interpolator(frame, before, after),
            core.lmmse_interpolator(frame, before, after),
            core.lmmse_interpolator(frame, before, after, smooth),
            core.lmmse_interpolator(frame, before, after, rays)])
        noise = noise_variance(frame, snr_db) / frame.fft_size() / (
            2 * frame.pilot_amplitude()**2)
        for name, of, at in (("LS at the pilots", 0, pilots), ("LS, linear", 0, None),
                             ("DFT", 1, None), ("LMMSE, learned", 2, None),
                             ("LMMSE, given", 3, None), ("LMMSE, given as rays", 4, None)):
            rows.append({"estimator": name, "snr_db": snr_db, **score(found[of], h, at)})
        for name, error in (("LS at the pilots: closed form", noise),
                            ("LS, linear: closed form", linear_error(frame, h, noise)),
                            ("LMMSE: bound", lmmse_bound(frame, r, noise) * energy
                             / np.real(r[0]))):
            rows.append({"estimator": name, "snr_db": snr_db,
                         "nmse_db": evaluation.to_db(error / energy)})
        progress(done + 1, len(grid))
    return rows


def share(count: int, of: int) -> Dict[str, float]:
    """count / of with its 95 % interval (Wilson)."""
    p, z = count / of, 1.96
    middle, half = p + z * z / 2 / of, z * np.sqrt(p * (1 - p) / of + (z / 2 / of)**2)
    return {"share": p, "share_low": (middle - half) / (1 + z * z / of),
            "share_high": (middle + half) / (1 + z * z / of)}


def starts(frame: core.csirs_frame, info: Dict[int, Dict[str, Any]], count: int) -> int:
    """How many of the frames were reported where they are: with a number below count, and no
    further from the place where the first paths come than half a prefix."""
    early = [m["start"] - f * frame.frame_length() for f, m in info.items() if f < count]
    middle = np.median(early) if early else 0
    return sum(abs(e - middle) < frame.cp_length() / 2 for e in early)


def noise_alone(frame: core.csirs_frame, count: int) -> Dict[str, int]:
    """What csi_sync makes of Gaussian noise."""
    flowgraph = gr.top_block()
    sync = core.csi_sync(frame)
    flowgraph.connect(analog.noise_source_c(analog.GR_GAUSSIAN, 1, 1),
                      blocks.head(gr.sizeof_gr_complex, count), sync,
                      blocks.null_sink(8 * frame.pilot_symbols() * frame.nc()))
    flowgraph.run()
    return {"samples": count, "found": sync.frames(), "refused": sync.unknown()
            + sync.bad_headers() + sync.broken()}


def ofdm_detection(samples: int, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    grid = range(-15, 16, 3)
    carriers = (("2 ports", 2, 2, 1, PRESET), ("8 ports", 8, 4, 2, PRESET),
                ("32 ports, 20 MHz", 32, 4, 4, core.csirs_frame.preset(20, 15)))
    for number, (name, nt, comb, cdm_time, preset) in enumerate(carriers):
        frame = core.csirs_frame(nt=nt, comb=comb, cdm_time=cdm_time, **preset)
        air = through_channel(frame, cdl_c(frame), samples)
        for done, snr_db in enumerate(grid):
            _, info, sync = receive(frame, with_noise(air, frame, snr_db, 100 + snr_db),
                                    [core.linear_interpolator(frame)])
            right = starts(frame, info, samples)
            rows.append({"signal": name, "snr_db": snr_db, "frames": samples,
                         "found": right, **share(right, samples),
                         "wrong": len(info) - right - (samples in info),
                         "refused": sync.unknown() + sync.bad_headers() + sync.broken()})
            progress(number * len(grid) + done + 1, len(carriers) * len(grid) + 2)
    frame = core.csirs_frame(nt=8, **PRESET)
    air = through_channel(frame, cdl_c(frame), samples)
    _, info, sync = receive(core.csirs_frame(nt=8, cell_id=1, **PRESET),
                            with_noise(air, frame, 15), [core.linear_interpolator(frame)])
    rows.append({"signal": "another cell's", "snr_db": 15, "frames": samples, "found": 0,
                 "wrong": len(info),
                 "refused": sync.unknown() + sync.bad_headers() + sync.broken()})
    alone = noise_alone(frame, 500000 * samples)
    rows.append({"signal": "noise", "samples": alone["samples"], "wrong": alone["found"],
                 "refused": alone["refused"]})
    progress(1, 1)
    return rows


def resampled(samples: np.ndarray, ppm: float) -> np.ndarray:
    """By GNU Radio's channel model."""

    def run(path):
        flowgraph = gr.top_block()
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "samples")
            samples.tofile(source)
            sink = core.checked_file_sink(path)
            flowgraph.connect(blocks.file_source(gr.sizeof_gr_complex, source),
                              channels.channel_model(0, 0, 1 + 1e-6 * ppm), sink)
            run_to_end(flowgraph, sink)

    return from_file(run)


def ofdm_offsets(samples: int, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    frame = core.csirs_frame(nt=8, **PRESET)
    snr_db = 20
    rows: List[Dict[str, Any]] = []

    def add(sweep, x, air, h, offset, max_offset):
        found, info, _ = receive(
            frame, with_noise(air, frame, snr_db, len(rows), offset),
            [core.linear_interpolator(frame), core.lmmse_interpolator(frame, 4, 21)], max_offset)
        numbers = [f for f in info if f < samples]
        error = [info[f]["offset_hz"] / frame.spacing_hz() - offset for f in numbers]
        for name, of in (("LS, linear", found[0]), ("LMMSE, learned", found[1])):
            rows.append({"sweep": sweep, sweep: x, "estimator": name,
                         **share(len(numbers), samples), **score(of, h),
                         "wrong": sum(f > samples for f in info),
                         "offset_error": float(np.sqrt(np.mean(np.square(error))))
                         if error else float("nan")})

    carriers = sorted({s * x for s in (-1, 1) for x in (
        0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6)})
    clocks = (-20, -10, -5, 0, 2, 5, 10, 15, 20)
    speeds = (0, 3, 10, 30, 60, 100, 130)
    total = len(carriers) + len(clocks) + len(speeds)
    model = cdl_c(frame)
    h = truth(model, samples)
    air = through_channel(frame, model, samples)
    for x in carriers:
        add("carrier_offset", x, air, h, x, 4)
        progress(len(rows) // 2, total)
    for x in clocks:
        # The oscillator of the clock is that of the carrier.
        add("clock_ppm", x, resampled(air, x), h, 1e-6 * x * CARRIER_HZ / frame.spacing_hz(), 6)
        progress(len(rows) // 2, total)
    # Four samples of the channel a symbol, and another one after eight frames.
    updates = 4 * frame.symbols()
    # The middle of the pilots is between two of them.
    middle = 4 * frame.first_pilot() + 2 * frame.pilot_symbols()
    for x in speeds:
        model = cdl_c(frame, speed_mps=x / 3.6, slots_per_drop=8 * updates,
                      sample_interval_s=frame.frame_length() / updates / frame.sample_rate())
        h = np.concatenate([
            np.mean(truth(model, 2, f * updates + middle - 1), axis=0, keepdims=True)
            for f in range(samples)])
        add("speed_kmh", x, through_channel(frame, model, samples, updates=updates), h, 0, 4)
        progress(len(rows) // 2, total)
    return rows


def shift_rows(h_hat: np.ndarray, h: np.ndarray) -> float:
    """By how many delay rows an estimate is off."""
    turned = ofdm.align(h_hat, h)
    phase = np.sum(h_hat.conj() * turned, axis=1)
    return float(np.angle(np.sum(phase[1:] * phase[:-1].conj())) * len(h) / (2 * np.pi))


#: channels that shipped models were trained on, on their grid; those with "-air" in the name on
#: matrices that are aligned as a receiver does it
END_TO_END = {
    "cdl-a-random": lambda: core.cdl_channel(
        "A", nc=1024, nt=32, spacing_hz=20e6 / 1024, delay_spread_s=30e-9,
        max_delay_spread_s=300e-9, angle_span_deg=120),
    "cost2100-indoor": lambda: core.cost2100_channel("indoor"),
}
END_TO_END_CODECS = ("local-klt", "csi-l2o", "air-local-klt", "air-csi-l2o")
#: values per codeword: 4 bits each
CODE_SIZES = (128, 256, 512)


def end_to_end(samples: int, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    """The frame's subcarriers are the rows of H of the models' training sets: as many, with the
    same spacing, so that delay rows are the same ones."""
    rows = []
    grid = (0, 5, 10, 15, 20, 30)
    frame = core.csirs_frame(nt=32, fft_size=1536, cp_length=144, nc=1024,
                             spacing_hz=20e6 / 1024, comb=4, cdm_time=4)
    # Of the channel models' alignment, and that of csifeedback_ue.
    given = core.angular_delay_transform(1024, 32, 32, 4)
    received = core.angular_delay_transform(1024, 32, 32, 4, True)

    def add(h_hat, h, **row):
        numbers = [f for f in h_hat if f < len(h)]
        error = [ofdm.aligned_nmse(h_hat[f], h[f]) for f in numbers]
        rows.append({**row, "frames": len(numbers), **evaluation.summary(error),
                     "median_db": evaluation.to_db(np.median(error)),
                     "rho": float(np.mean([ofdm.rho(h_hat[f], h[f]) for f in numbers]))})

    for number, (name, make) in enumerate(END_TO_END.items()):
        model = make()
        # None that the codecs were trained on.
        first = 10**6
        h = truth(model, samples, first)
        air = through_channel(frame, model, samples, first, 128)
        found: Dict[Optional[int], Dict[int, np.ndarray]] = {None: dict(enumerate(h))}
        for snr_db in grid:
            (found[snr_db],), _, _ = receive(frame, with_noise(air, frame, snr_db, 1 + snr_db),
                                             [core.lmmse_interpolator(frame)])
            found[snr_db] = {f - first: x for f, x in found[snr_db].items()}
            add(found[snr_db], h, channel=name, codec="none", csi="estimated", snr_db=snr_db)
            rows[-1]["shift_rows"] = float(np.sqrt(np.mean([
                shift_rows(x, h[f])**2 for f, x in found[snr_db].items() if f < samples])))
        # What the codec would do if the UE knew where the models have delay 0.
        aligned = {f: ofdm.align(x, h[f]).astype(np.complex64)
                   for f, x in found[grid[-1]].items() if f < samples}
        for done, spec in enumerate(END_TO_END_CODECS):
            codec = evaluation.Codec(f"{name}-{spec}")
            is_air = spec.startswith("air-")
            seen_as = [("true", None, found[None], received if is_air else given),
                       *(("estimated", snr_db, found[snr_db], received) for snr_db in grid)]
            if not is_air:
                seen_as.append(("estimated, true delay", None, aligned, given))
            for size in CODE_SIZES:
                encoder, decoder = codec.encoder(size), codec.decoder(size)
                quantizer = codec.quantizer("allocated", size, 4)
                bits = quantizer.total_bits()
                for csi, at_snr_db, seen, transform in seen_as:
                    numbers = list(seen)
                    ha, _, _ = transform.forward(np.stack([seen[f] for f in numbers]))
                    s, gain_db = encoder.encode(ha)
                    s = quantizer.dequantize(quantizer.quantize(s))
                    gain_db = np.array([core.gain_from_code(core.gain_to_code(g))
                                        for g in gain_db])
                    h_hat = transform.inverse(decoder.decode(s, gain_db))
                    add(dict(zip(numbers, h_hat)), h, channel=name,
                        codec=codec.label + (", air" if is_air else ""),
                        csi=csi, payload_bits=bits,
                        frame_bits=8 * -(-bits // 8) + evaluation.FRAME_OVERHEAD_BITS,
                        snr_db=at_snr_db)
            progress(len(END_TO_END_CODECS) * number + done + 1,
                     len(END_TO_END_CODECS) * len(END_TO_END))
    return rows


#: a codeword of 128 values of 4 bits
PAYLOAD_BYTES = 64
BIT_ERROR_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LOSSES = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def ages(delivered: np.ndarray) -> np.ndarray:
    """Frames since the one that the BS has was measured, from the first that it got on."""
    number = np.arange(len(delivered))
    last = np.maximum.accumulate(np.where(delivered, number, -1))
    return (number - last)[last >= 0]


def feedback_link(frames: Sequence[bytes], link: core.feedback_link,
                  count: int) -> Tuple[np.ndarray, Dict[str, int]]:
    """Sends frames one after the other. Returns which of them arrived whole, and counts."""
    delivered = np.zeros(count, bool)
    lost = corrupted = false = 0
    ok = core.frame_status.ok
    for i in range(count):
        sent = frames[i % len(frames)]
        got = link.transmit(sent)
        if got is None:
            lost += 1
            continue
        accepted = core.unpack_frame(got)[0] == ok
        if got == sent:
            delivered[i] = accepted
        else:
            corrupted += 1
            false += accepted
    return delivered, {"lost": lost, "corrupted": corrupted, "accepted_corrupt": false}


def undetected(bit_error_rate: float, size: int, count: int, seed: int = 1,
               chunk: int = 1 << 20) -> Tuple[int, int]:
    """How many of count frames of size bits are corrupted, and in how many of these the errors are
    a codeword of the CRC. It is linear: its remainder is the sum of those of the single errors."""
    rest = np.empty(size, np.int64)
    value = 1
    for bit in range(size):
        rest[size - 1 - bit] = value
        value = value << 1 ^ (0x1864cfb if value >> 23 else 0)
    rng = np.random.default_rng(seed)
    corrupted = passed = 0
    for begin in range(0, count, chunk):
        n = min(chunk, count - begin)
        expected = n * size * bit_error_rate
        gaps = rng.geometric(bit_error_rate, int(expected + 10 * np.sqrt(expected) + 10))
        at = np.cumsum(gaps) - 1
        at = at[at < n * size]
        frame, bit = np.divmod(at, size)
        begins = np.flatnonzero(np.diff(frame, prepend=-1))
        corrupted += len(begins)
        passed += np.count_nonzero(np.bitwise_xor.reduceat(rest[bit], begins) == 0)
    return corrupted, passed


def feedback_errors(samples: int, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rng = np.random.default_rng(1)
    header = core.feedback_header()
    header.quantizer_type, header.ue_id, header.codec_id, header.model_id = 1, 1, 1, 22946
    header.code_size, header.bits = 2 * PAYLOAD_BYTES, 4
    frames = []
    for number in range(1 << 16):
        header.frame_number, header.gain = number, 32768 + number % 512
        frames.append(core.pack_frame(header, rng.bytes(PAYLOAD_BYTES)))
    size = 8 * len(frames[0])
    points = [("bit errors", ber, 0, 0) for ber in BIT_ERROR_RATES] + [
        (name, 1e-4, loss, burst) for name, burst in (("single losses", 0), ("bursts of 5", 5))
        for loss in LOSSES]
    rows = []
    for number, (name, ber, loss, burst) in enumerate(points):
        link = core.link_model(ber, loss, burst if loss else 0, 1 + number)
        # Losses need fewer frames than errors of a checksum.
        count = samples if name == "bit errors" else -(-samples // 10)
        delivered, counts = feedback_link(frames, link, count)
        age = ages(delivered)
        whole = (1 - ber)**size * (1 - loss)
        rows.append({"link": name, "bit_error_rate": ber, "loss": loss, "frames": count,
                     "delivered": float(np.mean(delivered)), "delivered_expected": whole,
                     **counts, "discarded": counts["corrupted"] - counts["accepted_corrupt"],
                     **({"age_mean": float(np.mean(age)),
                         "age_95": float(np.percentile(age, 95)), "age_max": int(np.max(age))}
                        if len(age) else {})})
        progress(number + 1, len(points) + 6)
    corrupted, passed = undetected(1e-2, size, 50 * samples)
    rows.append({"link": "remainders of errors alone", "bit_error_rate": 1e-2, "loss": 0,
                 "frames": 50 * samples, "corrupted": corrupted, "accepted_corrupt": passed})
    progress(1, 1)
    return rows


#: name -> (function, what it is, frames per point, panels); a panel: x, y, what makes a line, which
#: rows, what else is set
EXPERIMENTS = {
    "ofdm-estimation": (
        ofdm_estimation, "Error of estimates against SNR: 8 ports, 5 MHz, CDL-C of 100 ns", 400, [
            ("snr_db", "nmse_db", ("estimator",), {}, {}),
            ("snr_db", "rho", ("estimator",), {}, {"yscale": "logit"})]),
    "ofdm-detection": (
        ofdm_detection, "Frames found against SNR, and false ones: CDL-C of 100 ns", 400, [
            ("snr_db", "share", ("signal",), {}, {})]),
    "ofdm-offsets": (
        ofdm_offsets, "Carrier offset, clock and speed: 8 ports, 5 MHz, CDL-C of 100 ns, 20 dB",
        100, [(sweep, y, ("estimator",), {"sweep": sweep},
               {"ylim": (-0.05, 1.05)} if y == "share" else {})
              for y in ("share", "nmse_db")
              for sweep in ("carrier_offset", "clock_ppm", "speed_kmh")]),
    "end-to-end": (
        end_to_end, "Error of the CSI at the BS: 32 ports, 20 MHz, 4 bits per value", 200, [
            ("snr_db", y, ("payload_bits", "csi"), {
                "channel": channel, "codec": (codec, "none"), "csi": ("true", "estimated")}, {})
            for y in ("nmse_db", "rho") for channel in END_TO_END
            for codec in ("local KLT, air", "Csi-L2O, air")]),
    "feedback-errors": (
        feedback_errors, "Feedback frames of 81 bytes over a bad link", 10**6, [
            ("bit_error_rate", "delivered", ("link",), {"link": "bit errors"},
             {"xscale": "log"}),
            ("bit_error_rate", "age_mean", ("link",), {"link": "bit errors"},
             {"xscale": "log", "yscale": "log"}),
            ("loss", "delivered", ("link",), {"link": ("single losses", "bursts of 5")}, {}),
            ("loss", "age_mean", ("link",), {"link": ("single losses", "bursts of 5")}, {})]),
}

LABELS = {"snr_db": "SNR in dB", "nmse_db": "NMSE in dB", "share": "frames found",
          "carrier_offset": "carrier offset in subcarriers", "speed_kmh": "speed in km/h",
          "clock_ppm": "oscillator's offset in ppm", "bit_error_rate": "bit error rate",
          "loss": "frames lost", "delivered": "frames delivered",
          "age_mean": "mean age in frames"}


def draw(path: str, rows: Sequence[Dict[str, Any]], experiment: str) -> None:
    """A panel for each one of EXPERIMENTS, with 95 % intervals where rows have them."""
    panels: Sequence[Any]
    _, title, _, panels = EXPERIMENTS[experiment]  # type: ignore[assignment]
    down = 2 if len(panels) > 3 else 1
    across = -(-len(panels) // down)
    figure, axes = subplots(down, across, 1 + 4 * across, 0.6 + 3.8 * down)
    legends = []
    for axis, (x, y, keys, only, settings) in zip(axes.flat, panels):
        lines: Dict[str, List[Dict[str, Any]]] = {}
        for row in rows:
            if y in row and (row.get(x) is not None or row.get("csi") == "true") and all(
                    row.get(k) in (v if isinstance(v, tuple) else (v,)) for k, v in only.items()):
                name = "estimate, no codec" if row.get("codec") == "none" else ", ".join(
                    f"{row[k]} bits" if k == "payload_bits" else str(row[k]) for k in keys)
                lines.setdefault(name, []).append(row)
        colours: Dict[str, int] = {}
        for name, line in lines.items():
            plain = any(word in name for word in ("closed form", "bound", "true"))
            style = {"linewidth": 1, "linestyle": ":" if plain else "-", "label": name,
                     # What belongs together has the same colour.
                     "color": "C" + str(colours.setdefault(
                         name.split(":")[0].split(" bits")[0], len(colours)))}
            if line[0].get(x) is None:
                axis.axhline(line[0][y], **style)
                continue
            values = [r[x] for r in line]
            axis.plot(values, [r[y] for r in line], marker="" if plain else "o", markersize=3,
                      **style)
            if all(f"{y}_low" in r for r in line):
                axis.fill_between(values, [r[f"{y}_low"] for r in line],
                                  [r[f"{y}_high"] for r in line], color=style["color"],
                                  alpha=0.2, linewidth=0)
        axis.set(xlabel=LABELS.get(x, x), ylabel=LABELS.get(y, y), **settings)
        axis.grid(alpha=0.3)
        if set(lines) not in legends:
            legends.append(set(lines))
            axis.legend(fontsize=7)
        if "codec" in only:
            axis.set_title(f"{only['channel']}, {only['codec'][0]}", fontsize=9)
    figure.suptitle(title, fontsize=10)
    write_figure(figure, path, 90)
