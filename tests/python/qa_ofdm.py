#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Pilot frames through the channel in the time domain, synchronization and estimation."""

import os
import tempfile
import unittest

import numpy as np
import pmt
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import ofdm

from common import Messages, metadata, pdu, random_complex, stream, tag, values


def small_frame(**changes):
    parameters = dict(nt=4, fft_size=128, cp_length=16, nc=72, comb=4, cdm_time=1)
    return csifeedback.csirs_frame(**{**parameters, **changes})


def channel_for(frame, seed=1, **changes):
    """Rays of CDL-C, on the frame's subcarriers."""
    parameters = dict(nc=frame.nc(), nt=frame.nt(), spacing_hz=frame.spacing_hz(),
                      delay_spread_s=100e-9, seed=seed)
    return csifeedback.cdl_channel("C", **{**parameters, **changes})


def transmit(frame, count, first=0):
    """The samples of every port, complex64 (nt, samples), and the tags of port 0."""
    flowgraph = gr.top_block()
    source = csifeedback.csirs_source(frame, count, first)
    sinks = [blocks.vector_sink_c() for _ in range(frame.nt())]
    for n, sink in enumerate(sinks):
        flowgraph.connect((source, n), sink)
    flowgraph.run()
    return np.array([s.data() for s in sinks], np.complex64), list(sinks[0].tags())


def through(frame, channel, count, first=0, nr=1):
    """Received samples (nr, samples), and the true H of each receiver by frame number."""
    flowgraph = gr.top_block()
    source = csifeedback.csirs_source(frame, count, first)
    sinks = [blocks.vector_sink_c() for _ in range(nr)]
    truths = [blocks.message_debug() for _ in range(nr)]
    for n in range(frame.nt()):
        flowgraph.connect((source, n), (channel, n))
    for r in range(nr):
        flowgraph.connect((channel, r), sinks[r])
        flowgraph.msg_connect(channel, "truth" + (str(r) if r else ""), truths[r], "store")
    flowgraph.run()
    h = [{metadata(t.get_message(i))["frame"]:
          values(t.get_message(i), np.complex64).reshape(frame.nc(), frame.nt())
          for i in range(t.num_messages())} for t in truths]
    return np.array([s.data() for s in sinks], np.complex64), h


def measure(frame, samples, start, early=0):
    """H by division at the pilots, in NumPy alone: complex (pilots, nt) at the subcarriers of
    each port. Needs codes in time only. The windows of the DFTs are `early` samples early."""
    grid = frame.grid()
    length = frame.fft_size() + frame.cp_length()
    half = frame.nc() // 2
    y = np.zeros((frame.symbols(), frame.nc()), complex)
    for symbol in range(frame.symbols()):
        at = start + symbol * length + frame.cp_length() - early
        bins = np.fft.fft(samples[at:at + frame.fft_size()]) / frame.fft_size()
        y[symbol] = np.concatenate([bins[-half:], bins[:half]]) * np.exp(
            2j * np.pi * np.arange(-half, half) * early / frame.fft_size())
    first, last = frame.first_pilot(), frame.symbols() - 1
    h = np.zeros((frame.pilots(), frame.nt()), complex)
    for n in range(frame.nt()):
        sent = grid[n, first:last]
        at = int(frame.pilot_offset(n)) + frame.pilot_distance() * np.arange(frame.pilots())
        code = sent[:, at]
        h[:, n] = np.sum(y[first:last][:, at] * code.conj(), axis=0) / (
            np.sum(np.abs(code)**2, axis=0) * frame.pilot_amplitude())
    return h


def at_pilots(frame, h):
    """The entries of H (nc, nt) at the pilots of each port."""
    return np.stack([h[int(frame.pilot_offset(n))::frame.pilot_distance(), n]
                     for n in range(frame.nt())], axis=1)


def db(x):
    return 10 * np.log10(x)


class Source(unittest.TestCase):

    def test_frames(self):
        """Streams are the inverse DFTs of the grid, whatever the buffers."""
        frame = small_frame(gap=37, power=0.5, cell_id=3)
        x, tags = transmit(frame, 3, 0xfffffffe)
        self.assertEqual(x.shape, (4, 3 * frame.frame_length()))
        self.assertEqual([(t.offset // frame.frame_length(), t.offset % frame.frame_length(),
                           pmt.to_uint64(t.value)) for t in tags],
                         [(0, 0, 0xfffffffe), (1, 0, 0xffffffff), (2, 0, 0)])
        half = frame.nc() // 2
        for i, number in enumerate((0xfffffffe, 0xffffffff, 0)):
            grid = frame.grid(number)
            bins = np.zeros(grid.shape[:2] + (128,), complex)
            bins[..., -half:], bins[..., :half] = grid[..., :half], grid[..., half:]
            sent = np.maximum(1, np.sum(grid != 0, axis=-1, keepdims=True))
            body = np.fft.ifft(bins) * 128 * np.sqrt(0.5 / sent)
            symbols = np.concatenate([body[..., -16:], body], axis=-1).reshape(4, -1)
            got = x[:, i * frame.frame_length():(i + 1) * frame.frame_length()]
            np.testing.assert_allclose(got[:, :symbols.shape[1]], symbols, atol=2e-6)
            self.assertTrue(np.all(got[:, symbols.shape[1]:] == 0))

    def test_gold_sequence(self):
        """The generator of the standard in NumPy."""
        for c_init in (1, 4711, 2**31 - 1):
            x1, x2 = [1] + [0] * 30, [c_init >> i & 1 for i in range(31)]
            for n in range(1600 + 100):
                x1.append((x1[n + 3] + x1[n]) % 2)
                x2.append((x2[n + 3] + x2[n + 2] + x2[n + 1] + x2[n]) % 2)
            c = (np.array(x1) + np.array(x2))[1600:1700] % 2
            np.testing.assert_array_equal(csifeedback.gold_sequence(c_init, 100), c)

    def test_sync_of_gnu_radio_finds_the_preamble(self):
        from gnuradio import digital
        frame = small_frame(gap=200, cp_length=16)
        x, _ = transmit(frame, 5)
        rng = np.random.default_rng(1)
        y = random_complex(rng, 4) @ x + 0.05 * random_complex(rng, x.shape[1])
        offset = 0.3  # subcarriers
        y = np.concatenate([0.05 * random_complex(rng, 500), y])
        y = (y * np.exp(2j * np.pi * offset * np.arange(len(y)) / 128)).astype(np.complex64)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(y.tolist())
        sync = digital.ofdm_sync_sc_cfb(128, 16, True)
        frequency, trigger = blocks.vector_sink_f(), blocks.vector_sink_b()
        flowgraph.connect(source, sync)
        flowgraph.connect((sync, 0), frequency)
        flowgraph.connect((sync, 1), trigger)
        flowgraph.run()
        at = np.flatnonzero(np.array(trigger.data()))
        self.assertEqual(len(at), 5)
        np.testing.assert_allclose(np.diff(at), frame.frame_length(), atol=8)
        # The phase between the halves.
        found = np.array(frequency.data())[at] / np.pi
        self.assertLess(np.max(np.abs(found - offset)), 0.05)

    def test_parameters(self):
        with self.assertRaisesRegex(ValueError, "frame is null"):
            csifeedback.csirs_source(None)
        with self.assertRaisesRegex(ValueError, "first is"):
            csifeedback.csirs_source(small_frame(), 0, 2**32)
        with self.assertRaisesRegex(ValueError, "nc is 70"):
            small_frame(nc=70)

    def test_picture(self):
        frame = small_frame()
        areas = ofdm.grid_map(frame)
        self.assertEqual(areas.shape, (frame.symbols(), 72))
        self.assertEqual(np.sum(areas[0] == 1), 36)
        first = frame.first_pilot()
        np.testing.assert_array_equal(areas[first], 4 + np.arange(72) % 4)
        self.assertIsNotNone(ofdm.plot_grid(frame))


class MimoChannel(unittest.TestCase):

    def check_response(self, frame, channel, nr, error_db, early=24):
        y, truths = through(frame, channel, 3, 7, nr)
        for r in range(nr):
            self.assertEqual(sorted(truths[r]), [7, 8, 9])
            for i in range(3):
                h = at_pilots(frame, truths[r][7 + i])
                # The last symbols of the last frame are still under way.
                start = i * frame.frame_length() + channel.delay()
                if start + frame.frame_length() > y.shape[1]:
                    continue
                # The kernels of the rays have as much before a ray as after it.
                found = measure(frame, y[r], start, early)
                error = np.sum(np.abs(found - h)**2) / np.sum(np.abs(h)**2)
                self.assertLess(db(error), error_db)

    def test_measured_response_is_that_of_the_models(self):
        """Division at the pilots gives H of the channel core, to better than -60 dB."""
        for sizes in (dict(cp_length=48), dict(nt=8, fft_size=512, cp_length=64, nc=300, cdm_time=2),
                      dict(nt=16, fft_size=1024, cp_length=128, nc=612, comb=4, cdm_time=4,
                           cover="dft")):
            frame = small_frame(**sizes, gap=100)
            models = [channel_for(frame, seed) for seed in (1, 2)]
            channel = csifeedback.mimo_channel(models, frame.sample_rate())
            self.check_response(frame, channel, 2, -80)
            self.assertLess(channel.energy_lost(), 1e-6)

    def test_cost2100(self):
        frame = small_frame(nt=8, fft_size=512, cp_length=128, nc=300, cdm_time=2, gap=100)
        model = csifeedback.cost2100_channel("indoor", nc=300, nt=8, spacing_hz=15e3)
        channel = csifeedback.mimo_channel([model], frame.sample_rate(), 64)
        self.check_response(frame, channel, 1, -60)

    def test_taps(self):
        frame = small_frame(gap=50)
        taps = random_complex(np.random.default_rng(1), 3, 2, 4, 12)
        channel = csifeedback.mimo_channel_from_taps(taps, frame.nc(), frame.spacing_hz(),
                                                     frame.sample_rate())
        self.assertEqual(channel.delay(), 0)
        self.check_response(frame, channel, 2, -100, 0)
        # The same as a convolution.
        x, _ = transmit(frame, 1)
        channel = csifeedback.mimo_channel_from_taps(taps[:1], frame.nc(), frame.spacing_hz(),
                                                     frame.sample_rate())
        y, _ = through(frame, channel, 1, 0, 2)
        for r in range(2):
            expected = sum(np.convolve(x[n], taps[0, r, n]) for n in range(4))[:x.shape[1]]
            np.testing.assert_allclose(y[r], expected, atol=1e-4)

    def test_taps_of_a_file(self):
        rng = np.random.default_rng(3)
        taps = random_complex(rng, 3, 2, 4, 12).astype(np.complex64)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "taps.npy")
            np.save(path, taps)
            np.testing.assert_array_equal(csifeedback.load_taps(path), taps)
            np.save(path, taps[0].real)
            np.testing.assert_array_equal(csifeedback.load_taps(path), taps[:1].real)
            for bad, text in ((np.zeros((2, 3)), "allowed is numbers"),
                              (np.zeros((1, 2, 0)), "allowed is numbers"),
                              (np.array([[["a"]]]), "allowed is numbers"),
                              (np.full((1, 1, 1), np.inf), "not finite"),
                              (np.array([None, 1]), "is no .npy file")):
                np.save(path, bad, allow_pickle=True)
                with self.assertRaisesRegex(ValueError, "taps.npy: .*" + text):
                    csifeedback.load_taps(path)
            for content in (b"", b"no numbers"):
                with open(path, "wb") as file:
                    file.write(content)
                with self.assertRaisesRegex(ValueError, "taps.npy: is no .npy file"):
                    csifeedback.load_taps(path)
        with self.assertRaisesRegex(ValueError, "taps.npy: No such file"):
            csifeedback.load_taps(path)
        self.assertEqual(csifeedback.load_taps([[[1, 2j]]]).shape, (1, 1, 1, 2))

    def test_moves_within_a_frame(self):
        """Two taps that turn at their own Doppler shifts, against the closed form: straight lines
        between the samples, which are (2 pi F T)^2 / 8 from the circle at most."""
        frame = small_frame(gap=50)
        updates, count = 40, 3
        interval = frame.frame_length() / updates
        doppler = np.array([1 / (30 * interval), -1 / (50 * interval)])  # turns a sample
        at = ((np.arange(count * updates) + 0.5) * interval)[:, None]
        turning = np.exp(2j * np.pi * doppler * at)
        taps = np.zeros((count * updates, 1, 4, 6), complex)
        taps[:, 0, 0, 1] = turning[:, 0]
        taps[:, 0, 2, 4] = 2 * turning[:, 1]
        channel = csifeedback.mimo_channel_from_taps(
            taps, frame.nc(), frame.spacing_hz(), frame.sample_rate(), updates=updates,
            frame=frame)
        x, _ = transmit(frame, count)
        y, truth = through(frame, channel, count)
        t = np.arange(x.shape[1])

        def received(gains):
            return gains[:, 0] * np.roll(x[0], 1) + 2 * gains[:, 1] * np.roll(x[2], 4)

        def lines(t, number):
            """At the ends of a frame, half an interval, the channel stands still."""
            own = slice(number * updates, (number + 1) * updates)
            return np.stack([np.interp(t, at[own, 0], turning[own, i]) for i in (0, 1)], axis=1)

        exact = np.concatenate([lines(t[t // frame.frame_length() == i], i)
                                for i in range(count)])
        start = 4  # of what was rolled
        np.testing.assert_allclose(y[0][start:], received(exact)[start:], atol=2e-5)
        circle = np.exp(2j * np.pi * doppler * t[:, None])
        middle = (t % frame.frame_length() > interval / 2) & \
            (t % frame.frame_length() < frame.frame_length() - interval / 2)
        bound = (2 * np.pi * doppler * interval)**2 / 8
        error = np.abs(exact - circle)[middle].max(axis=0)
        self.assertTrue((error < 1.001 * bound).all() and (error > 0.9 * bound).all(), error / bound)
        # The truth is that of the middle of the pilots.
        symbol = frame.fft_size() + frame.cp_length()
        pilots = (frame.first_pilot() + frame.pilot_symbols() / 2) * symbol
        for number, h in truth[0].items():
            gain = lines(np.array([number * frame.frame_length() + pilots]), number)[0]
            k = np.arange(frame.nc()) - frame.nc() // 2
            turn = np.exp(-2j * np.pi * k / frame.fft_size())
            np.testing.assert_allclose(h[:, 0], gain[0] * turn, atol=1e-5)
            np.testing.assert_allclose(h[:, 2], 2 * gain[1] * turn**4, atol=1e-5)

    def test_moves_as_the_model(self):
        """What is estimated of a fast channel is the truth, and nearly a standstill at rest."""
        frame = small_frame(nt=8, fft_size=512, cp_length=64, nc=300, cdm_time=2, gap=100)
        for speed_mps, least, most in ((0.0, -200, -80), (10.0, -45, -25)):
            updates = 4 * frame.symbols()
            model = channel_for(frame, speed_mps=speed_mps, slots_per_drop=10**6,
                                sample_interval_s=frame.frame_length() / updates
                                / frame.sample_rate())
            channel = csifeedback.mimo_channel([model], frame.sample_rate(), updates=updates,
                                               frame=frame)
            y, truths = through(frame, channel, 3, 7)
            found = measure(frame, y[0], channel.delay(), 24)
            h = at_pilots(frame, truths[0][7])
            error = db(np.sum(np.abs(found - h)**2) / np.sum(np.abs(h)**2))
            self.assertTrue(least < error < most, error)
            still = model.generate(7 * updates + updates // 2)
            moved = np.sum(np.abs(model.generate(8 * updates) - still)**2)
            self.assertEqual(moved > 1e-3 * np.sum(np.abs(still)**2), speed_mps > 0)

    def test_recorded_matrices(self):
        """A data set of H has no rays: its filters are fitted."""
        import h5py
        frame = small_frame(gap=120, cp_length=60)
        h = csifeedback.generate_channels(channel_for(frame), 0, 12)[0]
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "h.h5")
            with h5py.File(path, "w", libver="earliest") as file:
                file.attrs.update({
                    "format": "gr-csifeedback dataset", "format_version": 1, "domain": "H",
                    "nc": 72, "na": 72, "nt": 4, "precursor": 0, "align": 1,
                    "spacing_hz": 15e3, "sample_interval_s": 0.0, "samples": 12})
                file["H"] = h
                file["energy"] = np.sum(np.abs(h)**2, axis=(1, 2)).astype(np.float32)
                file["energy_lost"] = np.zeros(12, np.float32)
            model = csifeedback.dataset_channel(path)
            channel = csifeedback.mimo_channel([model], frame.sample_rate(), 8)
            self.check_response(frame, channel, 1, -60)

    def test_noise(self):
        frame = small_frame()
        channel = csifeedback.mimo_channel_from_taps(
            np.zeros((1, 4, 1), np.complex64), 72, 15e3, frame.sample_rate(), 7.0, 4.0, 3)
        y, _ = through(frame, channel, 60)
        self.assertAlmostEqual(db(np.mean(np.abs(y)**2)), db(4) - 7, delta=0.05)
        self.assertLess(abs(np.mean(y)), 0.03)

    def test_parameters(self):
        model = channel_for(small_frame())
        make = csifeedback.mimo_channel
        for f, text in ((lambda: make([], 1e6), "number of models is 0"),
                        (lambda: make([None], 1e6), "model is null"),
                        (lambda: make([model] * 5, 1e6), "number of models is 5"),
                        (lambda: make([model], 1e6), "sample_rate is"),
                        (lambda: make([model], 2e6, 0), "max_delay is 0"),
                        (lambda: make([model], 2e6, 9, 301), "snr_db is 301"),
                        (lambda: make([model], 2e6, 9, 30, 0), "signal_power is 0"),
                        (lambda: make([model], 2e6, updates=0), "updates is 0"),
                        (lambda: make([model], 2e6, updates=2), "frame is null"),
                        (lambda: make([model], 2e6, updates=4000, frame=small_frame()),
                         "updates is 4000"),
                        (lambda: make([model, channel_for(small_frame(nt=8))], 2e6), "nt of"),
                        (lambda: csifeedback.mimo_channel_from_taps(
                            np.full((1, 1, 2), np.nan), 72, 15e3, 2e6), "taps is not finite"),
                        (lambda: csifeedback.mimo_channel_from_taps(
                            np.zeros((5, 1, 2)), 72, 15e3, 2e6), "nr is 5")):
            with self.assertRaisesRegex(ValueError, text):
                f()


def receive(frame, samples, interpolator="lmmse", nr=1, max_offset=4):
    """Samples (nr, n) through csi_sync and channel_estimator.

    Returns H of each frame by receiver and number, the metadata, and the blocks.
    """
    flowgraph = gr.top_block()
    sync = csifeedback.csi_sync(frame, nr, max_offset)
    estimators, stores = [], []
    for r in range(nr):
        source = blocks.vector_source_c(samples[r].tolist())
        make = getattr(csifeedback, interpolator + "_interpolator")
        estimators.append(csifeedback.channel_estimator(make(frame)))
        stores.append(blocks.message_debug())
        flowgraph.connect(source, (sync, r))
        flowgraph.connect((sync, r), estimators[r])
        flowgraph.msg_connect(estimators[r], "pdus", stores[r], "store")
    flowgraph.run()
    h, info = [], []
    for store in stores:
        messages = [store.get_message(i) for i in range(store.num_messages())]
        info.append({metadata(m)["frame"]: metadata(m) for m in messages})
        h.append({metadata(m)["frame"]: values(m, np.complex64).reshape(
            frame.nc(), frame.nt()) for m in messages})
    return h, info, sync, estimators


def with_noise(samples, frame, snr_db, offset=0.0, seed=1, lead=0):
    """snr_db: of a subcarrier of the preamble, for a channel of unit gain; offset: in
    subcarriers; lead: samples before."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.zeros((len(samples), lead)), samples,
                        np.zeros((len(samples), 3000))], axis=1)
    variance = frame.power() * frame.fft_size() / frame.nc() * 10 ** (-snr_db / 10)
    y = y * np.exp(2j * np.pi * offset * np.arange(y.shape[1]) / frame.fft_size())
    return (y + np.sqrt(variance) * random_complex(rng, *y.shape)).astype(np.complex64)


class Receiver(unittest.TestCase):

    def setUp(self):
        self.frame = csifeedback.csirs_frame(cell_id=5)
        self.models = [channel_for(self.frame, seed) for seed in (1, 2)]

    def samples(self, count, first=0, nr=1):
        channel = csifeedback.mimo_channel(self.models[:nr], self.frame.sample_rate())
        return through(self.frame, channel, count + 1, first, nr)

    def test_estimates_are_the_truth(self):
        y, truth = self.samples(40, 100, 2)
        error = {}
        for snr_db in (10, 30):
            for interpolator in ("linear", "dft", "lmmse"):
                h, info, sync, _ = receive(
                    self.frame, with_noise(y, self.frame, snr_db, 1.7, lead=777), interpolator, 2)
                self.assertGreaterEqual(len(h[0]), 39)
                self.assertLessEqual(set(h[0]), set(range(100, 141)))
                nmse = [ofdm.aligned_nmse(h[r][i], truth[r][i]) for r in (0, 1) for i in h[r]]
                cosine = [ofdm.rho(h[r][i], truth[r][i]) for r in (0, 1) for i in h[r]]
                error[snr_db, interpolator] = db(np.mean(nmse)), np.mean(cosine)
                for x in info[0].values():
                    self.assertAlmostEqual(x["offset_hz"] / 15e3, 1.7, delta=0.02)
                    # The kernels of the channel take 20 samples or so.
                    start = 777 + (x["frame"] - 100) * self.frame.frame_length()
                    self.assertLess(abs(x["start"] - start - 24), 12)
        print({k: (round(float(a), 2), round(float(b), 4)) for k, (a, b) in error.items()})
        # Of a pilot 6 dB (comb) and 3 dB (code of two) above a preamble subcarrier.
        self.assertLess(error[30, "linear"][0], -34)
        self.assertLess(error[10, "linear"][0], -15)
        for snr_db in (10, 30):
            self.assertLess(error[snr_db, "lmmse"][0], error[snr_db, "linear"][0] - 1)
            self.assertGreater(error[snr_db, "lmmse"][1], error[snr_db, "linear"][1])

    def test_configurations(self):
        """Every way to tell ports apart, sizes from 64 to 2048, by the error per pilot energy."""
        preset = csifeedback.csirs_frame.preset
        for sizes in (dict(nt=1, comb=1, cdm_time=1),
                      dict(nt=2, comb=2, cdm_frequency=2, cdm_time=1),
                      dict(nt=4, comb=1, cdm_frequency=4, cdm_time=1),
                      dict(nt=16, comb=1, cdm_time=1), dict(nt=64, comb=4, cdm_time=8),
                      dict(nt=4, fft_size=64, cp_length=16, nc=52, spacing_hz=312.5e3, comb=1,
                           cdm_time=4, cover="dft"),
                      dict(nt=32, cdm_time=4, **preset(20, 15)),
                      dict(nt=8, cdm_time=2, **preset(20, 60))):
            with self.subTest(**sizes):
                frame = csifeedback.csirs_frame(**sizes)
                channel = csifeedback.mimo_channel([channel_for(frame)], frame.sample_rate())
                y, truth = through(frame, channel, 9)
                y = with_noise(y, frame, 20, 0.8, lead=300)
                h, info, _, _ = receive(frame, y)
                self.assertGreaterEqual(len(h[0]), 8)
                error = np.mean([ofdm.aligned_nmse(h[0][i], truth[0][i]) for i in h[0]])
                # Better than least squares: 20 dB, and what comb and code add.
                gain = frame.pilot_distance() * sizes.get("cdm_time", 2)
                self.assertLess(db(error), -20 - db(gain) - 1)

    def test_stream_output_and_error_variance(self):
        y, truth = self.samples(12, 3)
        y = with_noise(y, self.frame, 20)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(y[0].tolist())
        sync = csifeedback.csi_sync(self.frame)
        estimator = csifeedback.channel_estimator(
            csifeedback.linear_interpolator(self.frame))
        sink, error = blocks.vector_sink_c(300 * 8), blocks.vector_sink_f()
        flowgraph.connect(source, sync, estimator, sink)
        flowgraph.connect((estimator, 1), error)
        flowgraph.run()
        h = np.array(sink.data(), np.complex64).reshape(-1, 300, 8)
        self.assertGreaterEqual(len(h), 12)
        self.assertEqual(estimator.estimated(), len(h))
        numbers = {t.offset: pmt.to_uint64(t.value) for t in sink.tags()}
        self.assertEqual(numbers, {0: 3})
        measured = np.mean([np.mean(np.abs(ofdm.align(h[i], truth[0][3 + i]) - truth[0][3 + i])**2)
                            for i in range(12)])
        self.assertLess(abs(db(np.mean(error.data()) / measured)), 1)

    def test_behind_the_impairments_of_gnu_radio(self):
        """Carrier and sampling offset and phase noise of gr-channels."""
        from gnuradio import channels
        count = 20
        flowgraph = gr.top_block()
        source = csifeedback.csirs_source(self.frame, count)
        channel = csifeedback.mimo_channel(self.models[:1], self.frame.sample_rate(), 64, 25)
        offset = channels.channel_model(0, 3e3 / self.frame.sample_rate(), 1 + 5e-6)
        noise = channels.phase_noise_gen(10 ** (-70 / 20), 0.01)
        sync = csifeedback.csi_sync(self.frame)
        estimator = csifeedback.channel_estimator(csifeedback.lmmse_interpolator(self.frame))
        truth, store = blocks.message_debug(), blocks.message_debug()
        for n in range(8):
            flowgraph.connect((source, n), (channel, n))
        flowgraph.connect((channel, 0), offset, noise, sync, estimator)
        flowgraph.msg_connect(channel, "truth", truth, "store")
        flowgraph.msg_connect(estimator, "pdus", store, "store")
        flowgraph.run()
        h = {metadata(truth.get_message(i))["frame"]: values(
            truth.get_message(i), np.complex64).reshape(300, 8)
             for i in range(truth.num_messages())}
        self.assertGreaterEqual(store.num_messages(), count - 2)
        rho = []
        for i in range(store.num_messages()):
            m = store.get_message(i)
            self.assertAlmostEqual(metadata(m)["offset_hz"], 3e3, delta=150)
            rho.append(ofdm.rho(values(m, np.complex64).reshape(300, 8), h[metadata(m)["frame"]]))
        self.assertGreater(np.mean(rho), 0.99)

    def test_sampling_clock(self):
        """20 ppm are half a sample over the frame; early and late ports fit together all the same."""
        frame = csifeedback.csirs_frame(nt=32, comb=2, **csifeedback.csirs_frame.preset(5, 15))
        channel = csifeedback.mimo_channel([channel_for(frame)], frame.sample_rate())
        samples, truths = through(frame, channel, 13)
        half = 24
        errors = []
        for ppm in (0, -20, 20):
            # Windowed sinc functions at the receiver's instants.
            at = half + np.arange(samples.shape[1] - 2 * half - 8) * (1 + 1e-6 * ppm)
            near = np.floor(at).astype(int)
            taken = sum(samples[0, near + k] * np.sinc(at - near - k)
                        * np.i0(9 * np.sqrt(np.maximum(0, 1 - ((at - near - k) / half)**2)))
                        / np.i0(9) for k in range(1 - half, half + 1))
            h, _, _, _ = receive(frame, with_noise(taken[None], frame, 25), nr=1)
            self.assertGreaterEqual(len(h[0]), 12)
            errors.append(db(np.mean([ofdm.aligned_nmse(h[0][i], truths[0][i]) for i in h[0]
                                      if i in truths[0]])))
        print("error without and with 20 ppm:", np.round(errors, 1))
        self.assertLess(errors[0], -40)
        self.assertLess(max(errors[1:]), errors[0] + 2)

    def test_wrong_cell_and_noise(self):
        y, _ = self.samples(10)
        y = with_noise(y, self.frame, 20)
        h, _, sync, _ = receive(csifeedback.csirs_frame(cell_id=6), y)
        self.assertEqual(len(h[0]), 0)
        self.assertGreaterEqual(sync.unknown(), 10)
        h, _, sync, _ = receive(csifeedback.csirs_frame(cell_id=5, cover="dft"), y)
        self.assertEqual(len(h[0]), 0)
        self.assertGreaterEqual(sync.bad_headers(), 10)
        y[:] = random_complex(np.random.default_rng(1), *y.shape)
        self.assertEqual(len(receive(self.frame, y)[0][0]), 0)

    def test_damaged_input(self):
        y, truth = self.samples(10)
        y = with_noise(y, self.frame, 25)
        length = self.frame.frame_length()
        y[0, 3 * length + 2000:3 * length + 3000] = np.nan
        y = np.delete(y, np.arange(6 * length + 2500, 6 * length + 2600), axis=1)
        h, _, sync, estimators = receive(self.frame, y)
        self.assertEqual(sorted(h[0])[:8], [0, 1, 2, 4, 5, 7, 8, 9])
        self.assertEqual(sync.bad_samples(), 1000)
        self.assertGreaterEqual(sync.broken() + sync.bad_headers() + sync.unknown(), 2)
        for i in h[0]:
            self.assertLess(ofdm.aligned_nmse(h[0][i], truth[0][i]), 0.02)

    def test_estimator_drops_what_is_no_grid(self):
        size = self.frame.pilot_symbols() * 300
        x = random_complex(np.random.default_rng(1), 5, size)
        x[1], x[3, 7] = 0, np.nan
        block = csifeedback.channel_estimator(csifeedback.dft_interpolator(self.frame))
        (h,), tags = stream(block, [x], [(np.complex64, 2400)],
                            [tag(0, "frame", pmt.from_uint64(70))])
        self.assertEqual(len(h), 3)
        self.assertTrue(np.all(np.isfinite(h)))
        self.assertEqual(block.discarded(), 2)
        self.assertEqual({t.offset: pmt.to_uint64(t.value) for t in tags}, {0: 70, 1: 72, 2: 74})

    def test_parameters(self):
        frame = self.frame
        interpolator = csifeedback.linear_interpolator(frame)
        for f, text in ((lambda: csifeedback.csi_sync(None), "frame is null"),
                        (lambda: csifeedback.csi_sync(frame, 5), "nr is 5"),
                        (lambda: csifeedback.csi_sync(frame, 1, 76), "max_offset is 76"),
                        (lambda: csifeedback.channel_estimator(None), "interpolator is null"),
                        (lambda: csifeedback.channel_estimator(interpolator, True, 0),
                         "threshold_db is 0"),
                        (lambda: csifeedback.linear_interpolator(None), "frame is null"),
                        (lambda: csifeedback.dft_interpolator(frame, 75), "before is 75"),
                        (lambda: csifeedback.lmmse_interpolator(frame, 4, 72), "after is 72"),
                        (lambda: csifeedback.lmmse_interpolator(frame, 0, 2, [1]), "size of"),
                        (lambda: csifeedback.csi_import(0), "nc is 0"),
                        (lambda: csifeedback.csi_import(1, 0), "item_size is 0")):
            with self.assertRaisesRegex(ValueError, text):
                f()


class Import(unittest.TestCase):

    def test_pdus(self):
        h = random_complex(np.random.default_rng(1), 64)
        block = csifeedback.csi_import(52)
        with_key = pmt.cons(pmt.dict_add(pmt.make_dict(), pmt.intern("csi"),
                                         pmt.init_c32vector(52, h[:52].tolist())),
                            pmt.init_u8vector(3, [1, 2, 3]))
        holed = h.copy()
        holed[32] = 0
        out = Messages(block).run([with_key, pdu(holed, frame=77), pdu(h[:51]),
                                   pdu(np.full(52, np.nan, np.complex64)),
                                   pdu(np.zeros(52, np.complex64)), pmt.from_long(1)], 2)
        self.assertEqual([metadata(m)["frame"] for m in out], [0, 77])
        np.testing.assert_array_equal(values(out[0], np.complex64), h[:52])
        expected = holed[6:58].copy()
        expected[26] = (holed[31] + holed[33]) / 2
        np.testing.assert_allclose(values(out[1], np.complex64), expected, rtol=1e-6)
        self.assertEqual((block.imported(), block.discarded()), (2, 4))

    def test_carriers(self):
        """As csifeedback_dataset import takes them; Python's own slices tell which they are."""
        h = random_complex(np.random.default_rng(3), 64)
        h[20] = 0
        for text, chosen in (("6:32,33:59", np.r_[6:32, 33:59]), ("::-1", np.arange(64)[::-1]),
                             ("7,-1,3", [7, 63, 3]), ("-4:", np.arange(64)[-4:]),
                             ("31:5:-2", np.arange(64)[31:5:-2]), (":3,100:,60:99", [0, 1, 2, 60, 61, 62, 63]),
                             ("-100:2", [0, 1])):
            for fft_order in (False, True):
                block = csifeedback.csi_import(len(chosen), 8, text, fft_order)
                out, = Messages(block).run([pdu(h)], 1)
                x = np.fft.fftshift(h) if fft_order else h
                np.testing.assert_array_equal(values(out, np.complex64), x[chosen])
        # Without a choice those in the middle, in ascending order.
        for n in (64, 63):
            out, = Messages(csifeedback.csi_import(10, fft_order=True)).run([pdu(h[:n])], 1)
            first = n // 2 - 5
            np.testing.assert_array_equal(values(out, np.complex64), np.fft.fftshift(h[:n])[first:first + 10])
        # Other lengths come and go; those that do not fit are counted.
        block = csifeedback.csi_import(4, carriers="-4:")
        out = Messages(block).run([pdu(h), pdu(h[:9]), pdu(h[:3]), pdu(h)], 3)
        for m, x in zip(out, (h, h[:9], h)):
            np.testing.assert_array_equal(values(m, np.complex64), x[-4:])
        block = csifeedback.csi_import(3, carriers="1,1,2")
        Messages(block).run([pdu(h)], 0)
        self.assertEqual(block.discarded(), 1)
        for wrong in ("a", "1:2:0", "1:2:3:4", ",", "1,", ":a", "1 2", "99999999999999999999"):
            with self.assertRaisesRegex(ValueError, "carriers is .*allowed are parts such as 6:32"):
                csifeedback.csi_import(3, carriers=wrong)

    def test_ofdm_receiver_of_gnu_radio(self):
        """The tag that ofdm_chanest_vcvc sets, for a channel of three taps."""
        from gnuradio import digital
        n, used = 64, np.r_[-26:0, 1:27]
        rng = np.random.default_rng(2)
        first, second = np.zeros(n, complex), np.zeros(n, complex)
        first[n // 2 + used[used % 2 == 0]] = np.sqrt(2) * rng.choice([-1, 1], 26)
        second[n // 2 + used] = rng.choice([-1, 1], 52)
        data = np.zeros(n, complex)
        data[n // 2 + used] = 1
        k = np.arange(-n // 2, n // 2)
        h = sum(g * np.exp(-2j * np.pi * k * d / n) for d, g in ((0, 1), (2, 0.5j), (5, 0.3)))
        x = np.array([first * h, second * h, data * h]).astype(np.complex64)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(x.ravel().tolist(), False, n)
        estimate = digital.ofdm_chanest_vcvc(first.tolist(), second.tolist(), 1)
        block = csifeedback.csi_import(52, 8 * n)
        store = blocks.message_debug()
        flowgraph.connect(source, estimate, block)
        flowgraph.msg_connect(block, "pdus", store, "store")
        flowgraph.run()
        self.assertEqual(store.num_messages(), 1)
        found = values(store.get_message(0), np.complex64)
        middle = np.arange(52) != 26
        np.testing.assert_allclose(found[middle], h[6:58][middle], atol=1e-5)
        self.assertLess(abs(found[26] - h[32]), 0.05)


if __name__ == "__main__":
    unittest.main()
