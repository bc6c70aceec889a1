#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The whole chain as a GNU Radio flowgraph, from channel model to figures."""

import math
import threading
import time
from typing import Any, Callable, Dict, Optional, Union

from gnuradio import gr

from . import csifeedback_python as core
from .arrays import array_text
from .layers import LayerMetrics, Scores


class Loopback(gr.top_block):
    """UE, feedback link and BS in one flowgraph.

    channel_source -> angular_delay -> csi_encoder -> csi_quantizer -> feedback_framer ->
    feedback_link -> feedback_deframer -> csi_dequantizer -> csi_decoder -> csi_hold ->
    csi_metrics

    channel: channel model. encoder, decoder, quantizer: codec objects; or a report encoder and
    decoder, with quantizer None, and csi_report_encoder -> report_framer and report_deframer ->
    csi_report_decoder in place of the blocks above. budget: most bits of such a report, 0: as many
    as it can have. count: matrices.
    nc, na, nt, precursor: sizes of H and Ha. link: keyword arguments of feedback_link.
    whole: True: the source gives H (nc x nt), which angular_delay transforms, and a second
    csi_metrics compares H^ with H over all subcarriers; False: it gives Ha at once.
    domain: "H": a codec of whole matrices; the source gives H, and angular_delay, its inverse
    and the second csi_metrics are left out, as the first one compares whole matrices.
    window: matrices under way at most, so that message queues lose nothing.
    align: whether angular_delay aligns, with whole = True and domain = "Ha". The BS does not learn
    the delays, so that nothing is compared with H.
    compact: core.compact_configuration of ue_id, for compact frames; None: frames that name codec
    and model. Raises ValueError if it has too few bits of the frame number for window and delay.

    subbands: of SGCS against whole matrices, or against the delay rows where H is not compared; 0:
    no SGCS. scores: layers.Scores of reports of UEs with several antennas, whose channel gives the
    matrices of `layers`, of domain H; rho and SGCS of csi_metrics mean nothing then. None: one antenna.

    Where H is not compared, errors against the whole channel are computed from the mean error
    against the delay rows and the mean energy outside of them.
    """

    def __init__(self, channel: core.channel_model,
                 encoder: Union[core.encoder, core.report_encoder],
                 decoder: Union[core.decoder, core.report_decoder],
                 quantizer: Optional[core.quantizer], count: int, na: int, precursor: int = 4,
                 first: int = 0, link: Optional[Dict[str, Any]] = None, whole: bool = True,
                 window: int = 64, ue_id: int = 1, nc: Optional[int] = None, domain: str = "Ha",
                 budget: int = 0, align: bool = False,
                 compact: Optional[core.compact_configuration] = None,
                 subbands: int = 0, scores: Optional[Scores] = None) -> None:
        super().__init__("CSI feedback loopback")
        nt = encoder.nt()
        nc = nc or channel.nc()
        self.domain = domain
        cut = not whole and domain == "Ha"
        self.source = core.channel_source(channel, count, first, na if cut else 0, precursor,
                                          window)
        reports = quantizer is None
        if reports:
            self.encoder = core.csi_report_encoder(encoder, budget)
            self.framer = core.report_framer(encoder, ue_id, budget, compact=compact)
            self.deframer = core.report_deframer(decoder, ue_id, compact=compact)
        else:
            self.encoder = core.csi_encoder(encoder)
            self.quantizer = core.csi_quantizer(quantizer)
            self.framer = core.feedback_framer(quantizer, encoder, ue_id, compact=compact)
            self.deframer = core.feedback_deframer(quantizer, decoder, ue_id, compact=compact)
            self.dequantizer = core.csi_dequantizer(quantizer)
        self.link = core.feedback_link(**(link or {}))
        self.decoder = core.csi_report_decoder(decoder) if reports else core.csi_decoder(decoder)
        self.hold = core.csi_hold()
        self.layers = LayerMetrics(channel, scores, first) if scores else None
        # The true matrices under way, those that bursts of losses leave behind included.
        history = 4 * max(window, 64) + (link or {}).get("delay", 0)
        full_band = core.csi_shape("H", nc, nt)
        shape = core.csi_shape("Ha", na, nt, nc, precursor, encoder.array()) if domain == "Ha" \
            else full_band
        if cut and channel.array() != encoder.array():
            raise ValueError(f"channel has delay rows of {array_text(channel.array())}, the codec takes those "
                             f"of {array_text(encoder.array())}: whole matrices are needed")
        behind = whole and domain == "Ha" and not align  # H is compared too
        self.metrics = core.csi_metrics(shape, history, subbands=0 if behind else subbands)
        self.transform = self.inverse = self.whole_metrics = None
        if whole and domain == "Ha":
            self.transform = core.angular_delay(shape, align)
            self.connect(self.source, self.transform, self.encoder)
            truth = self.transform
            if behind:
                self._compare_whole(shape, full_band, history, subbands)
        else:
            self.connect(self.source, self.encoder)
            truth = self.source
        if reports:
            self.connect((self.encoder, 0), (self.framer, 0))
        else:
            self.connect((self.encoder, 0), self.quantizer, (self.framer, 0))
        self.connect((self.encoder, 1), (self.framer, 1))
        self.connect(truth, self.metrics)
        self._chain(self.framer, self.link, self.deframer,
                    *(() if reports else (self.dequantizer,)), self.decoder, self.hold,
                    *([self.layers] if self.layers else []), self.metrics)
        if compact:
            # The clock: 8 to 10 bits of a number do not tell which frame it is.
            under_way = window + (link or {}).get("delay", 0)
            if under_way >= 1 << compact.number_bits:
                raise ValueError(f"delay and window are {under_way} frames, allowed is less than "
                                 f"{1 << compact.number_bits} with compact frames, which carry "
                                 f"{compact.number_bits} bits of the frame number")
            self.msg_connect(self.source, "tick", self.deframer, "tick")
        slowest = self.whole_metrics or self.metrics
        self.msg_connect(slowest, "ack", self.source, "ack")

    def _compare_whole(self, shape, full_band, history, subbands):
        self.inverse = core.angular_delay_inverse(shape)
        self.whole_metrics = core.csi_metrics(full_band, history, subbands=subbands)
        self.connect(self.source, self.whole_metrics)
        # Behind the first one: what is acknowledged here has been compared there.
        self._chain(self.metrics, self.inverse, self.whole_metrics)

    def _chain(self, *blocks):
        for one, next_ in zip(blocks, blocks[1:]):
            self.msg_connect(one, "pdus", next_, "pdus")

    def energy_lost(self) -> float:
        """Mean fraction of the energy outside the delay rows kept."""
        return 0.0 if self.domain == "H" else (self.transform or self.source).energy_lost()

    def figures(self) -> Dict[str, Any]:
        """All figures as a dictionary."""
        report = self.metrics.report()
        if self.whole_metrics or self.domain == "H":
            whole = (self.whole_metrics or self.metrics).report()
            report["nmse_whole_db"] = whole["nmse_db"]
            report["rho_whole"] = whole["rho"]
            report.update({name: whole[name] for name in whole if name.startswith("sgcs")})
        else:
            lost = self.energy_lost()
            error = report["nmse"] * (1 - lost) + lost
            report["nmse_whole_db"] = 10 * math.log10(error) if error > 0 else -math.inf
        if self.layers:
            report.update(dict.fromkeys(("rho", "rho_whole")))
            report.pop("sgcs_half_width", None)
            report.update(self.layers.scores.similarity())
            report.update(self.layers.scores.figures())
        report.update(
            energy_lost=self.energy_lost(),
            frames_sent=self.framer.frames(), bits_sent=self.framer.bits_sent(),
            frames_erased=self.link.erased(), bit_errors=self.link.bit_errors(),
            frames=self.deframer.counts(), frames_held=self.hold.held(),
            encoder_discarded=self.encoder.discarded(),
            framer_discarded=self.framer.discarded(), decoder_discarded=self.decoder.discarded(),
            decode_us=1e6 * self.decoder.mean_time())
        return report

    def run_to_end(self, progress: Optional[Callable[[int], None]] = None) -> float:
        """Runs until the source ends. progress: called with the number of true matrices seen,
        several times a second. Ctrl-C stops the flowgraph; the figures so far remain."""
        self.start()
        done = threading.Event()

        def wait():
            self.wait()
            done.set()

        thread = threading.Thread(target=wait, daemon=True)
        start = time.perf_counter()
        thread.start()
        try:
            while not done.wait(0.1):
                if progress:
                    progress(self.metrics.report()["truths"])
        except KeyboardInterrupt:
            self.stop()
            done.wait(5)
            raise
        return time.perf_counter() - start
