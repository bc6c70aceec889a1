#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The blocks as GRC sees them: complete, valid as dragged in, with errors that name the mistake."""

import importlib.util
import inspect
import logging
import os
import re
import tempfile
import unittest
import warnings

import h5py
import numpy as np
from gnuradio import csifeedback
from grc_tools import BLOCK_FILES, SOURCE, Graph, make_platform

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# GRC logs every value that it cannot evaluate; the tests look at its messages.
logging.disable()

MODEL = 'csifeedback.model_file("cost2100-indoor-klt")'
# A small one, with a profile "test".
L2O = f'csifeedback.model_file("{SOURCE}/tests/core/data/l2o_lstm2.h5")'
MLCF = f'csifeedback.model_file("{SOURCE}/tests/core/data/mlcf_small.h5")'
OBJECTS = {"model_file", "linear_encoder", "linear_decoder", "ista_decoder", "l2o_decoder",
           "mlcf_encoder", "mlcf_decoder", "local_klt_encoder", "local_klt_decoder",
           "uniform_quantizer", "lloyd_max_quantizer", "allocated_quantizer",
           "predictive_quantizer", "cost2100_channel", "cdl_channel", "scenario_channel", "dataset_channel",
           "csirs_frame", "encoder_from_model", "decoder_from_model",
           "report_encoder_from_model", "report_decoder_from_model",
           "compact_configuration"}


def write_dataset(path):
    """A data set of three 8 x 4 matrices."""
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs.update({"format": "gr-csifeedback dataset", "format_version": 1, "domain": "H",
                           "nc": 8, "na": 8, "nt": 4, "precursor": 0, "align": 0,
                           "spacing_hz": 15e3, "sample_interval_s": 0.0, "samples": 3})
        file["H"] = np.ones((3, 8, 4), np.complex64)
        file["energy"] = np.ones(3, np.float32)
        file["energy_lost"] = np.zeros(3, np.float32)


class TestBlocks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = make_platform()
        cls.directory = tempfile.TemporaryDirectory()
        cls.dataset = os.path.join(cls.directory.name, "set.h5")
        write_dataset(cls.dataset)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def keys(self):
        return [path.name[:-len(".block.yml")] for path in BLOCK_FILES]

    def test_complete(self):
        """Every block and every object is there, in its category, with documentation."""
        blocks = {name for name, value in vars(csifeedback).items()
                  if isinstance(value, type) and hasattr(value, "to_basic_block")}
        expected = {"csifeedback_" + name for name in blocks | {"csi_monitor",
                                                                "mimo_channel_from_taps"}}
        expected |= {"variable_csifeedback_" + name for name in OBJECTS}
        # The old name of csifeedback_feedback_link.
        expected |= {"csifeedback_feedback_channel"}
        self.assertEqual(set(self.keys()), expected)
        manual = (SOURCE / "docs" / "blocks.md").read_text(encoding="utf-8")
        # Every block is also among those whose allocations are counted.
        counted = (SOURCE / "tests" / "blocks" / "test_allocations.cc").read_text()
        for name in blocks:
            self.assertIn(f"{name}::make(", counted)
        for key in self.keys():
            self.assertIn("`" + re.sub("^(variable_)?csifeedback_", "", key) + "`", manual)
            block = self.platform.blocks[key]
            self.assertEqual(block.category[0], "CSI Feedback", key)
            text = block.documentation[""]
            self.assertGreater(len(text), 100, key)
            for data in block.parameters_data:
                if data["id"] in ("id", "alias", "affinity", "minoutbuf", "maxoutbuf", "comment"):
                    continue
                self.assertNotEqual(data["label"], data["id"], key)

    def test_arguments(self):
        """The templates hand parameters over in the order of the C++ arguments."""
        renamed = {"channel": "model"}
        for key in self.keys():
            name = re.sub("^(variable_)?csifeedback_", "", key)
            if name == "csi_monitor":
                continue  # Python's own, with keyword arguments by name
            templates = self.platform.blocks[key].templates
            text = templates.get("var_make" if key.startswith("variable_") else "make")
            # Behind it is the form of earlier releases.
            text = text.partition("% else:")[0]
            # A parameter with an old name is "${ old if old ... else new }".
            given = re.findall(r"\$\{ ?(?:\w+ if [^{}]+ else )?(\w+) ?\}",
                               text[text.index("csifeedback." + name):])
            member = getattr(csifeedback, name.replace("feedback_channel", "feedback_link"))
            # One that takes old names wraps the C++ function.
            if inspect.isfunction(member) and not hasattr(member, "__wrapped__"):
                wanted = list(inspect.signature(member).parameters)
            else:
                doc = member.__init__.__doc__ if isinstance(member, type) else member.__doc__
                wanted = re.findall(r"(\w+): ", doc.split(") ->")[0])
                wanted = [w for w in wanted if w != "self"]
            self.assertEqual([renamed.get(g, g) if name == "channel_source" else g for g in given],
                             wanted, key)

    def test_defaults(self):
        """Every block is valid as dragged in, and the program that GRC writes can be made."""
        for key in self.keys():
            with self.subTest(key):
                qt = key == "csifeedback_csi_monitor"
                graph = Graph(self.platform, "qt_gui" if qt else "no_gui")
                extra = {"variable_csifeedback_dataset_channel": {"path": self.dataset},
                         "csifeedback_checked_file_sink":
                             {"path": os.path.join(self.directory.name, "samples")}}.get(key, {})
                graph.terminate(graph.add(key, "under_test", **extra))
                self.assertEqual(graph.errors(), [])
                spec = importlib.util.spec_from_file_location(
                    "test_graph", graph.generate(self.directory.name))
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                if qt:
                    application = module.Qt.QApplication([])  # noqa: F841, has to live
                self.assertTrue(hasattr(module.test_graph(), "under_test"))

    def test_mistakes(self):
        """A wrong parameter makes a flowgraph invalid, with a message that names it."""
        source, delay = "csifeedback_channel_source", "csifeedback_angular_delay"
        link, metrics = "csifeedback_feedback_link", "csifeedback_csi_metrics"
        efficiency = "csifeedback_csi_spectral_efficiency"
        variable = "variable_csifeedback_"
        for key, parameters, expected in (
                (source, {"channel": MODEL}, "isinstance(channel, csifeedback.channel_model)"),
                (source, {"count": -1}, "count >= 0"),
                (source, {"first": -1}, "first >= 0"),
                (source, {"na": 1025}, "0 <= na <= channel.nc()"),
                (source, {"na": 4}, "0 <= precursor < na"),
                (source, {"window": -1}, "0 <= window"),
                (delay, {"shape": 'csifeedback.csi_shape("Ha", 32, 0)'}, "nt is 0"),
                (delay, {"shape": 'csifeedback.csi_shape("Ha", 32, 32, 16)'}, "nc is 16"),
                (delay, {"shape": 'csifeedback.csi_shape("Ha", 32, 32)'}, ".nc > 0"),
                (delay, {"shape": 'csifeedback.csi_shape("Ha", 32, 32, 64)'}, ".precursor >= 0"),
                (delay, {"shape": 'csifeedback.csi_shape("H", 32, 32)'}, '.domain == "Ha"'),
                (delay, {"shape": "32"}, "csi_shape(shape)"),
                (delay, {"threshold_db": 0}, "0 < threshold_db <= 100"),
                ("csifeedback_angular_delay_inverse",
                 {"shape": 'csifeedback.csi_shape("Ha", 32, 32)'}, ".nc > 0"),
                # The form of earlier releases.
                (delay, {"nc": 0, "nt": 1, "na": 1, "precursor": 0}, "1 <= nc"),
                (delay, {"nc": 64, "nt": 1025, "na": 1, "precursor": 0}, "1 <= nt <= 1024"),
                (delay, {"nc": 64, "nt": 1, "na": 2000, "precursor": 0}, "1 <= na <= nc"),
                (delay, {"nc": 64, "nt": 1, "na": 32, "precursor": 32}, "0 <= precursor < na"),
                ("csifeedback_csi_encoder", {"encoder": MODEL},
                 "isinstance(encoder, csifeedback.encoder)"),
                ("csifeedback_csi_decoder", {"decoder": MODEL},
                 "isinstance(decoder, csifeedback.decoder)"),
                ("csifeedback_csi_quantizer", {"quantizer": MODEL},
                 "isinstance(quantizer, csifeedback.quantizer)"),
                ("csifeedback_csi_dequantizer", {"quantizer": "None"},
                 "isinstance(quantizer, csifeedback.quantizer)"),
                ("csifeedback_feedback_framer", {"encoder": MODEL},
                 "isinstance(encoder, csifeedback.encoder)"),
                ("csifeedback_feedback_deframer", {"decoder": MODEL},
                 "isinstance(decoder, csifeedback.decoder)"),
                ("csifeedback_feedback_framer",
                 {"encoder": f"csifeedback.linear_encoder({MODEL}, 64)"},
                 "quantizer.code_size() <= encoder.code_size()"),
                ("csifeedback_feedback_framer", {"codec_id": 256}, "0 <= codec_id <= 255"),
                ("csifeedback_feedback_framer", {"codec_id": 1, "model_id": -1},
                 "0 <= model_id <= 65535"),
                ("csifeedback_feedback_framer", {"ue_id": 65536}, "0 <= ue_id <= 65535"),
                ("csifeedback_feedback_deframer", {"ue_id": -2}, "-1 <= ue_id <= 65535"),
                (link, {"bit_error_rate": 0.6}, "0 <= bit_error_rate <= 0.5"),
                (link, {"erasure_rate": 1.1}, "0 <= erasure_rate <= 1"),
                (link, {"mean_burst_length": 0.5}, "mean_burst_length >= 1"),
                (link, {"mean_burst_length": 2, "erasure_rate": 0.9},
                 "mean_burst_length >= erasure_rate / (1 - erasure_rate)"),
                (link, {"delay": -1}, "0 <= delay"),
                (link, {"seed": -1}, "seed >= 0"),
                ("csifeedback_csi_hold", {"max_gap": 65536}, "0 <= max_gap <= 65535"),
                (metrics, {"shape": 'csifeedback.csi_shape("Ha", 32, 32)'}, ".nc > 0"),
                (metrics, {"shape": "None"}, "csi_shape(shape)"),
                (metrics, {"rows": 0, "nt": 1}, "1 <= rows"),
                (metrics, {"rows": 1, "nt": 0}, "1 <= nt"),
                (metrics, {"rows": 32, "nt": 1, "nc": 16}, "rows <= nc"),
                (metrics, {"history": 0}, "1 <= history"),
                (metrics, {"interval": -1}, "0 <= interval"),
                (efficiency, {"users": 65}, "1 <= users <= 64"),
                (efficiency, {"shape": 'csifeedback.csi_shape("Ha", 32, 32)'}, ".nc > 0"),
                (efficiency, {"nr": 9}, "1 <= nr <= 8"),
                (efficiency, {"nr": 8, "users": 9}, "users * nr <= 64"),
                (efficiency, {"nr": 3}, ".nc % nr == 0"),
                (efficiency, {"nr": 2, "shape": 'csifeedback.csi_shape("Ha", 32, 32, 64)'}, '.domain == "H"'),
                (efficiency, {"nc": 0, "nt": 1}, "1 <= nc"),
                (efficiency, {"nc": 1, "nt": 1025}, "1 <= nt <= 1024"),
                (efficiency, {"snr_db": "[]"}, "1 <= len(snr_db)"),
                (efficiency, {"snr_db": "[0, 101]"}, "-100 <= x <= 100"),
                (efficiency, {"history": 3}, "users <= history"),
                (efficiency, {"interval": -1}, "0 <= interval"),
                ("csifeedback_csi_monitor", {"span_db": 0}, "span_db > 0"),
                ("csifeedback_csirs_source", {"frame": MODEL},
                 "isinstance(frame, csifeedback.csirs_frame)"),
                ("csifeedback_csirs_source", {"first": -1}, "0 <= first"),
                ("csifeedback_mimo_channel", {"models": "[]"}, "1 <= len(models) <= 4"),
                ("csifeedback_mimo_channel", {"sample_rate": 1e6}, "sample_rate >="),
                ("csifeedback_mimo_channel", {"max_delay": 0}, "1 <= max_delay"),
                ("csifeedback_mimo_channel", {"snr_db": 301}, "-100 <= snr_db <= 300"),
                ("csifeedback_mimo_channel", {"updates": 2}, "isinstance(frame"),
                ("csifeedback_mimo_channel_from_taps",
                 {"taps": 'csifeedback.load_taps("nowhere.npy")'}, "nowhere.npy: No such file"),
                ("csifeedback_mimo_channel_from_taps", {"taps": "[1, 2]"},
                 "load_taps(taps).shape[1] <= 4\" did not evaluate"),
                ("csifeedback_mimo_channel_from_taps", {"taps": "[[[[1]]] * 5]"},
                 "shape[1] <= 4"),
                ("csifeedback_csi_sync", {"nr": 5}, "1 <= nr <= 4"),
                ("csifeedback_csi_sync", {"max_offset": 76}, "0 <= max_offset"),
                ("csifeedback_channel_estimator", {"interpolator": MODEL},
                 "isinstance(interpolator, csifeedback.channel_interpolator)"),
                ("csifeedback_channel_estimator", {"threshold_db": 0}, "0 < threshold_db"),
                ("csifeedback_csi_import", {"nc": 0}, "1 <= nc"),
                ("csifeedback_checked_file_sink", {"item_size": 0}, "1 <= item_size"),
                (variable + "csirs_frame", {"nc": 299}, "nc is 299"),
                (variable + "model_file", {"path": "nowhere"}, "nowhere"),
                (variable + "linear_encoder", {"code_size": 4096}, "code_size is 4096"),
                (variable + "linear_decoder", {"noise_variance": -1}, "noise_variance is -1"),
                (variable + "ista_decoder", {"iterations": 0}, "iterations is 0"),
                (variable + "ista_decoder", {"lambda_": 2}, "lambda is 2"),
                (variable + "l2o_decoder", {"model": L2O, "profile": "test", "iterations": -1},
                 "iterations is -1"),
                (variable + "l2o_decoder", {"model": L2O, "profile": "test", "tolerance": 2},
                 "tolerance is 2"),
                (variable + "l2o_decoder", {"model": L2O, "profile": "fast"},
                 "profile is fast"),
                (variable + "l2o_decoder", {"model": MODEL}, "has none"),
                (variable + "local_klt_encoder", {"model": MODEL}, "codec of the model is klt"),
                (variable + "local_klt_decoder", {"code_size": 12}, "code_size is 12"),
                (variable + "mlcf_encoder", {"model": MLCF, "code_size": -1}, "code_size >= 0"),
                (variable + "mlcf_encoder", {"model": MLCF, "code_size": 7}, "code_size is 7"),
                (variable + "mlcf_encoder", {"model": MODEL}, "codec of the model is klt"),
                (variable + "mlcf_decoder", {"model": MLCF, "code_size": 21}, "code_size is 21"),
                (variable + "uniform_quantizer", {"bits": 11}, "bits is 11, allowed is 1 to 10"),
                (variable + "lloyd_max_quantizer", {"bits": 0}, "bits is 0, allowed is 1 to 10"),
                (variable + "allocated_quantizer", {"total_bits": 0}, "total_bits is 0"),
                (variable + "predictive_quantizer", {"total_bits": 0}, "total_bits is 0"),
                (variable + "cost2100_channel", {"nt": 0}, "nt is 0"),
                (variable + "cdl_channel", {"delay_spread_s": -1}, "delay_spread_s is -1"),
                (variable + "scenario_channel", {"isd_m": 40}, "isd_m is 40"),
                (variable + "dataset_channel", {"path": "nowhere.h5"}, "nowhere.h5")):
            with self.subTest(key, **parameters):
                graph = Graph(self.platform, "qt_gui")
                graph.add(key, "under_test", **parameters)
                found = [e for e in graph.errors() if expected in e]
                self.assertTrue(found, f"{graph.errors()} without {expected}")

    def test_old_names(self):
        """Flowgraphs of the last release, with its names, give the same objects."""
        for key, old, new in (
                ("cdl_channel", {"delay_spread_max_s": "3e-7", "directive_element": "True",
                                 "align_received": "True"},
                 {"max_delay_spread_s": "3e-7", "sector_element": "True",
                  "receiver_aligned": "True"}),
                ("cdl_channel", {"delay_spread_max_s": "0", "directive_element": "False",
                                 "align_received": "False"},
                 {"max_delay_spread_s": "0", "sector_element": "False",
                  "receiver_aligned": "False"}),
                ("cost2100_channel", {"align_received": "True"}, {"receiver_aligned": "True"})):
            parameters = []
            for names in (old, new):
                graph = Graph(self.platform)
                block = graph.add("variable_csifeedback_" + key, "channel")
                # As GRC reads a file: names that it does not know are lost in silence.
                block.import_data("channel", {}, names)
                self.assertEqual(graph.errors(), [])
                # In the dialog they appear only where they have an effect.
                self.assertEqual({block.params[name].hide for name in old},
                                 {"none" if names is old and "True" in names.values() else "all"})
                spec = importlib.util.spec_from_file_location(
                    "test_graph", graph.generate(self.directory.name))
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                from_code = module.test_graph().channel.parameters()
                self.assertEqual(block.evaluated_value().parameters()
                                 if hasattr(block, "evaluated_value") else from_code, from_code)
                parameters.append(from_code)
            self.assertEqual(*parameters)
            self.assertEqual("3e-07" in parameters[0] or "2.99" in parameters[0],
                             "3e-7" in old.values())
        graph = Graph(self.platform)
        link = graph.add("csifeedback_feedback_channel", "link", bit_error_rate=0.25)
        self.assertTrue(link.is_deprecated())
        spec = importlib.util.spec_from_file_location(
            "test_graph", graph.generate(self.directory.name))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with self.assertWarnsRegex(DeprecationWarning, "feedback_channel is now feedback_link"):
            self.assertIsInstance(module.test_graph().link, csifeedback.feedback_link)

    def test_numbers(self):
        """Flowgraphs of the last release, with numbers in place of objects, work alike."""
        objects = f"csifeedback.linear_encoder({MODEL}, 128)", f"csifeedback.linear_decoder({MODEL}, 128)"
        for name, old, new, instead in (
                ("angular_delay", {"nc": 64, "nt": 2, "na": 16, "precursor": 3, "align": True},
                 {"shape": 'csifeedback.csi_shape("Ha", 16, 2, 64, 3)', "align": True}, "shape"),
                ("angular_delay_inverse", {"nc": 64, "nt": 2, "na": 16, "precursor": 3},
                 {"shape": 'csifeedback.csi_shape("Ha", 16, 2, 64, 3)'}, "shape"),
                ("csi_metrics", {"rows": 16, "nt": 2, "delay_rows": True, "nc": 64},
                 {"shape": 'csifeedback.csi_shape("Ha", 16, 2, 64)'}, "shape"),
                ("csi_metrics", {"rows": 16, "nt": 2, "delay_rows": False},
                 {"shape": 'csifeedback.csi_shape("H", 16, 2)'}, "shape"),
                ("csi_spectral_efficiency", {"nc": 64, "nt": 2},
                 {"shape": 'csifeedback.csi_shape("H", 64, 2)'}, "users, shape"),
                ("feedback_framer", {"codec_id": "encoder.codec_id()", "model_id": 7},
                 {"encoder": objects[0]}, "quantizer, encoder"),
                ("feedback_deframer", {"codec_id": "encoder.codec_id()", "model_id": 7},
                 {"decoder": objects[1]}, "quantizer, decoder")):
            sizes = []
            for parameters in (old, new):
                graph = Graph(self.platform)
                graph.add("variable_csifeedback_linear_encoder", "encoder")
                block = graph.add("csifeedback_" + name, "under_test")
                block.import_data("under_test", {}, {k: str(v) for k, v in parameters.items()})
                graph.terminate(block)
                self.assertEqual(graph.errors(), [])
                # In the dialog they appear only where they have an effect.
                self.assertEqual({block.params[p].hide for p in old if p not in new},
                                 {"none" if parameters is old else "all"}
                                 if old.get("delay_rows", True) or parameters is new else {"none"})
                sizes.append([(p.dtype, p.vlen) for p in block.sinks + block.sources])
                spec = importlib.util.spec_from_file_location(
                    "test_graph", graph.generate(self.directory.name))
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    self.assertTrue(hasattr(module.test_graph(), "under_test"))
                told = [str(w.message) for w in told if "csifeedback" in str(w.filename)
                        or "is now" in str(w.message)]
                if parameters is old:
                    self.assertEqual(len(told), 1, told)
                    self.assertIn(f"is now {name}({instead})", told[0])
                else:
                    self.assertEqual(told, [])
            self.assertEqual(*sizes)

    def test_sizes(self):
        """Ports take their sizes from the objects, so GRC sees what does not fit."""
        graph = Graph(self.platform)
        graph.add("variable_csifeedback_linear_encoder", "encoder", code_size=64)
        graph.add("variable_csifeedback_lloyd_max_quantizer", "quantizer", code_size=128)
        encoder = graph.add("csifeedback_csi_encoder", "ue_encoder", encoder="encoder")
        quantizer = graph.add("csifeedback_csi_quantizer", "ue_quantizer", quantizer="quantizer")
        self.assertEqual([p.vlen for p in encoder.sinks[:1] + encoder.sources[:2]], [1024, 64, 1])
        self.assertEqual([p.vlen for p in quantizer.sinks[:1] + quantizer.sources[:1]], [128, 128])
        graph.connect(encoder.sources[0], quantizer.sinks[0])
        self.assertTrue(any("does not match" in e for e in graph.errors()), graph.errors())
        graph.graph.get_block("encoder").params["code_size"].value = "128"
        self.assertFalse(any("does not match" in e for e in graph.errors()), graph.errors())


if __name__ == "__main__":
    unittest.main()
