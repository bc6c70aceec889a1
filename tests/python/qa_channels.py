# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later

"""COST 2100 channels: how well principal components compress them, against the public
MATLAB implementation of the model; and the channel models from Python."""

import json
import unittest

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import channels

COMPONENTS = 16, 32, 64, 128, 256  # complex: compression by 64, 32, 16, 8 and 4

# Of unit-norm aligned samples of 32 x 32 cells, no mean removed: drops that trained (as
# many others tested) and the NMSE in dB of complex PCA.
REFERENCE = {
    "indoor": (3000, (-4.20, -10.9, -13.1, -17.2, -31.1)),
    "outdoor": (2000, (-1.57, -2.50, -3.87, -5.48, -7.99)),
}
ROUNDING = {"indoor": 0.05, "outdoor": 0.005}

# Student's t of 5 degrees of freedom, 99.9%: for the difference of one more experiment
# from the mean of six.
EXPERIMENTS = 6
STUDENT = 6.869 * np.sqrt(1 + 1 / EXPERIMENTS)


def pca_nmse_db(train, test):
    """NMSE in dB of `test` on the principal components of `train`, both (n, size)."""
    _, vectors = np.linalg.eigh(train.T @ train.conj())
    vectors = vectors[:, ::-1][:, : max(COMPONENTS)]
    kept = np.cumsum(np.mean(np.abs(test @ vectors.conj()) ** 2, axis=0))
    return [10 * np.log10(1 - kept[k - 1]) for k in COMPONENTS]


class qa_channels(unittest.TestCase):
    def check_pca(self, scenario):
        drops, reference = REFERENCE[scenario]
        model = csifeedback.cost2100_channel(scenario=scenario, seed=31)
        nmse = []
        for i in range(EXPERIMENTS):
            ha, _, _ = csifeedback.generate_channels(
                model, 2 * drops * i, 2 * drops, 32, 4
            )
            x = ha.reshape(2 * drops, -1)
            x /= np.linalg.norm(x, axis=1, keepdims=True)
            nmse.append(pca_nmse_db(x[:drops], x[drops:]))
        mean, half = np.mean(nmse, axis=0), STUDENT * np.std(nmse, axis=0, ddof=1)
        print(scenario, "PCA, dB:", mean.round(2), "+-", half.round(2))
        # Training and test drops both vary in the experiments.
        for k, ours, theirs, width in zip(COMPONENTS, mean, reference, half):
            self.assertLess(
                abs(ours - theirs), width + ROUNDING[scenario], f"{k} components"
            )
            self.assertLess(width, 1.5, "the experiments resolve the figure")

    def test_pca_indoor(self):
        self.check_pca("indoor")

    def test_pca_outdoor(self):
        self.check_pca("outdoor")

    def test_arrays_are_the_sums_over_the_paths(self):
        size = {"nc": 64, "nt": 8, "spacing_hz": 300e3}
        for model in (
            csifeedback.cost2100_channel(scenario="outdoor", **size),
            csifeedback.cdl_channel(profile="C", **size),
            csifeedback.scenario_channel("umi", **size),
        ):
            h, energy, lost = csifeedback.generate_channels(model, 5, 3)
            self.assertEqual((h.shape, h.dtype), ((3, 64, 8), np.complex64))
            for i in range(3):
                delay, u, gain = (np.array(x) for x in zip(*model.paths(5 + i)))
                rows = np.exp(-2j * np.pi * np.outer(np.arange(64) * 300e3, delay))
                columns = np.exp(-1j * np.pi * np.outer(u, np.arange(8)))
                expected = (rows * gain) @ columns
                error = np.linalg.norm(h[i] - expected) / np.linalg.norm(expected)
                self.assertLess(error, 1e-6)
                self.assertAlmostEqual(
                    energy[i] / np.linalg.norm(expected) ** 2, 1, delta=1e-6
                )
                self.assertEqual(lost[i], 0)
                np.testing.assert_array_equal(model.generate(5 + i), h[i])
            self.assertEqual(json.loads(model.parameters())["nc"], 64)

    def test_scenarios(self):
        for name in ("uma", "umi", "rma", "inh-open", "inh-mixed"):
            model = channels.make_channel(name, nc=16, nt=4, seed=3, speed_mps=2.0)
            self.assertEqual(model.name(), name)
            again = channels.from_json(name, model.parameters())
            self.assertEqual(again.parameters(), model.parameters())
            np.testing.assert_array_equal(again.generate(4), model.generate(4))
            panel = csifeedback.scenario_panel_channel(name, 2, 3, nr=4, nc=5)
            h = panel.generate(2, 3)
            self.assertEqual((h.shape, h.dtype), ((3, 5, 4, 12), np.complex64))
            self.assertEqual(panel.ports(), 12)
            np.testing.assert_array_equal(panel.generate(3, 1)[0], h[1])
            lossy = csifeedback.scenario_panel_channel(
                name, 2, 3, nr=4, nc=5, path_loss=True
            )
            link = lossy.link(3)
            self.assertEqual(csifeedback.scenario_link(csifeedback.scenario_channel(name), 3), link)
            nlos = channels.make_channel(name, nc=16, nt=4, condition="nlos", release=19)
            self.assertFalse(csifeedback.scenario_link(nlos, 5)["los"])
            again = channels.from_json(name, nlos.parameters())
            self.assertEqual(again.parameters(), nlos.parameters())
            self.assertIn("v19.2", nlos.parameters())
            loss = link["path_loss_db"] - link["shadowing_db"] - 8
            np.testing.assert_allclose(
                lossy.generate(3, 1)[0] * 10 ** (loss / 20), h[1], rtol=1e-4, atol=1e-6
            )

    def test_bad_parameters(self):
        make = csifeedback.cost2100_channel
        for text, call in (
            ("scenario is moon", lambda: make(scenario="moon")),
            ("nc is 0", lambda: make(nc=0)),
            ("profile is Z", lambda: csifeedback.cdl_channel(profile="Z")),
            ("scenario is moon", lambda: csifeedback.scenario_channel("moon")),
            ("release is 17", lambda: csifeedback.scenario_channel("uma", release=17)),
            ("penetration is thick", lambda: csifeedback.scenario_channel("uma", penetration="thick")),
            ("condition is fine", lambda: csifeedback.scenario_channel("uma", condition="fine")),
            ("model is cdl-c", lambda: csifeedback.scenario_link(csifeedback.cdl_channel("C"), 0)),
            ("rows_per_port is 65", lambda: csifeedback.cdl_panel_channel("C", rows_per_port=65)),
            ("count is -1", lambda: csifeedback.scenario_panel_channel("uma").generate(0, -1)),
            ("model is null", lambda: csifeedback.generate_channels(None)),
            ("na is 2000", lambda: csifeedback.generate_channels(make(), 0, 1, 2000)),
            ("na is 0", lambda: make().generate_truncated(0, 0)),
        ):
            with self.assertRaisesRegex(ValueError, text):
                call()


if __name__ == "__main__":
    unittest.main()
