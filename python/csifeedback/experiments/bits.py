#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Every codec at equal bits.

A row is a codec, a budget in bits, a channel and an SNR of the CSI. Codecs with codewords come twice:
with the best pair of code size and quantizer, and entropy-coded. What can be chosen is chosen on
validation matrices without noise, which are neither those of the training nor those of the test.
"""

import dataclasses
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .. import evaluation
from ..channels import make_channel
from ..codecs import QUANTIZERS
from ..files import subplots, write_figure
from .sources import FIRST, VALIDATION_FIRST

#: most bits of a report
BUDGETS = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
#: SNR of the CSI that the UE sees, in dB; None: it is exact
SNRS = (None, 20.0, 10.0)
#: matrices on which the pairs are chosen, and of which the Gaussian curve's covariance is
VALIDATION, COVARIANCE = 150, 4000
#: first matrix of those of the covariance: of the training
COVARIANCE_FIRST = 0
#: users that share the downlink, its SNR in dB, and matrices for the spectral efficiency
USERS, SE_SNR_DB, SE_SAMPLES = 4, 15.0, 200
#: of so many subcarriers one counts for the spectral efficiency
SE_STEP = 16

CDL_A = {"delay_spread_s": 30e-9, "max_delay_spread_s": 300e-9, "angle_span_deg": 120.0}


@dataclasses.dataclass(frozen=True)
class Channel:
    """A channel with the models that are for it."""

    title: str
    name: str    #: see channels.NAMES
    models: str  #: how the names of the models begin
    parameters: Dict[str, Any] = dataclasses.field(default_factory=dict)

    def matrices(self, first: int, count: int, na: int = 32, precursor: int = 4) \
            -> Tuple[np.ndarray, np.ndarray]:
        """(Ha (n, na, nt), what the cut to these rows lost of each)."""
        ha, _, lost = core.generate_channels(self.model(), first, count, na, precursor)
        return ha, lost

    def model(self) -> Any:
        return make_channel(self.name, **self.parameters)


CHANNELS = (
    Channel("COST 2100 indoor", "cost2100-indoor", "cost2100-indoor"),
    Channel("COST 2100 outdoor", "cost2100-outdoor", "cost2100-outdoor"),
    Channel("CDL-A, random angles and delay spreads", "cdl-a", "cdl-a-random", CDL_A),
    Channel("CDL-A, 300 ns, rotated", "cdl-a", "cdl-a-random",
            {"delay_spread_s": 300e-9, "angle_span_deg": 120.0}))

#: codec, and what makes its reports: () its own ones
SERIES = (("path", ()), ("local-klt", ("entropy",)), ("klt", ("entropy",)),
          ("csi-l2o", ("entropy",)), ("local-klt", QUANTIZERS), ("klt", QUANTIZERS),
          ("csi-l2o", QUANTIZERS))
GAUSSIAN = "Gaussian, reverse water-filling"


def water_filling(variances: np.ndarray, bits: Sequence[float]) -> List[float]:
    """NMSE in dB of a Gaussian vector with independent complex entries of these variances at so many
    bits in all: reverse water-filling (Cover and Thomas, section 10.3.3)."""
    v = np.sort(np.maximum(np.asarray(variances, float), 0))[::-1]
    v = v[v > 1e-12 * v[0]]
    log, behind = np.cumsum(np.log2(v)), np.append(np.cumsum(v[::-1])[::-1][1:], 0)
    count = np.arange(1, len(v) + 1)
    result = []
    for b in bits:
        # With k entries above the water: b = sum log2(v_i) - k log2(water).
        water = 2 ** ((log - b) / count)
        fits = (water < v) & (np.append(v[1:], 0) <= water * (1 + 1e-12))
        k = int(np.argmax(fits)) if fits.any() else len(v) - 1
        result.append(evaluation.to_db((count[k] * water[k] + behind[k]) / v.sum()))
    return result


def spectrum(ha: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of matrices (n, na, nt) that are scaled to the same norm."""
    x = ha.reshape(len(ha), -1)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.linalg.eigvalsh(x.T @ x.conj() / len(x))


def compact_bits(payload: float) -> float:
    """All bits that a compact feedback frame with so many payload bits sends."""
    from ..link.compact_frames import CompactFrames
    return payload + CompactFrames().configurations([1])[0].overhead_bits()


def efficiency_evaluator(channel: Channel, samples: int) -> Tuple[evaluation.Evaluator, Any]:
    """An Evaluator of whole matrices on every SE_STEP-th subcarrier, and the spectral efficiency that
    it computes."""
    h = core.generate_channels(channel.model(), FIRST, samples)[0][:, ::SE_STEP]
    evaluator = evaluation.Evaluator(None, None, h.shape[1], 0, 0, h)
    return evaluator, core.spectral_efficiency(USERS, *h.shape[1:], [SE_SNR_DB], "zero-forcing")


def measure(samples: int, progress: Callable[[int, int], None],
            channels: Sequence[Channel] = CHANNELS, budgets: Sequence[int] = BUDGETS,
            snrs: Sequence[Optional[float]] = SNRS, validation: int = VALIDATION,
            covariance: int = COVARIANCE) -> List[Dict[str, Any]]:
    """All rows. samples: test matrices of a channel; with noise a quarter of them."""
    rows = []
    steps, done = len(channels) * len(SERIES) * len(budgets), 0
    for channel in channels:
        ha, lost = channel.matrices(FIRST, samples)
        tests = {}
        for snr in snrs:
            n = samples if snr is None else max(2, samples // 4)
            tests[snr] = evaluation.Evaluator(ha[:n], lost[:n], 1024, 4, rho_samples=min(n, 100))
        chosen_on = evaluation.Evaluator(*channel.matrices(VALIDATION_FIRST, validation), 1024, 4, 0)
        whole, se = efficiency_evaluator(channel, min(samples, SE_SAMPLES))
        transform = core.angular_delay_transform(1024, ha.shape[2], ha.shape[1], 4)
        rows += [{"channel": channel.title, "codec": "perfect CSI", "se_15_db": float(
            whole.efficiency(se, lambda index: whole.h[index])[0][0])}]
        v = spectrum(channel.matrices(COVARIANCE_FIRST, covariance)[0])
        rows += [{"channel": channel.title, "codec": GAUSSIAN, "budget": budget,
                  "report_bits": budget, "frame_bits": compact_bits(budget), "nmse_db": db}
                 for budget, db in zip(budgets, water_filling(v, budgets))]
        for (name, kinds) in SERIES:
            codec = evaluation.Codec(f"{channel.models}-{name}")
            # A report of fewer bits will do where more bits bring nothing.
            best: Tuple[float, Optional[evaluation.ReportChoice], int] = (np.inf, None, 0)
            for budget in sorted(budgets):
                done += 1
                progress(done, steps)
                try:
                    if kinds:
                        found, db = evaluation.choose_report(codec, chosen_on, budget, kinds)
                        best = min(best, (db, found, budget), key=lambda b: b[0])
                    else:
                        best = (0, None, budget)
                except ValueError:  # nothing fits
                    continue
                _, choice, used = best
                for snr in snrs:
                    with_snr = evaluation.Codec(f"{codec.spec},snr_db={snr:g}") \
                        if snr is not None and not kinds else codec
                    row = tests[snr].run_budget(with_snr, used, choice, snr)
                    row = {"channel": channel.title, "csi_snr_db": snr,
                           "codec": codec.label, "how": how(choice), "budget": budget,
                           "report_bits": row["payload_bits"],
                           "frame_bits": compact_bits(row["payload_bits"]),
                           **{k: row[k] for k in ("nmse_db", "nmse_db_low", "nmse_db_high",
                                                  "nmse_whole_db", "rho", "samples")}}
                    if snr is None:
                        row["se_15_db"] = efficiency(codec, choice, used, ha[:len(whole.h)],
                                                     whole, se, transform)
                    rows.append(row)
    return rows


def how(choice: Optional[evaluation.ReportChoice]) -> str:
    """How a report is made, in short."""
    return "own" if choice is None else str(choice)


def is_quantized(row: Dict[str, Any]) -> bool:
    """Whether the row is one of a codeword with a quantizer."""
    return row.get("how", "own") != "own" and "entropy" not in row["how"]


def efficiency(codec: Any, choice: Optional[evaluation.ReportChoice], budget: int, ha: np.ndarray,
               whole: evaluation.Evaluator, se: Any, transform: Any) -> float:
    """Spectral efficiency with what the BS decodes."""
    encoder, decoder = choice.report_pair(codec) if choice else codec.own_reports()
    bits, counts, gain_db = encoder.encode(ha, budget)
    found = decoder.decode(bits, counts, evaluation.sent_gain(gain_db))
    h = np.array([transform.inverse(one)[::SE_STEP] for one in found])
    return float(whole.efficiency(se, lambda index: h[index])[0][0])


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """NMSE against the bits of a report, and against all that is sent, a row of panels a channel."""
    channels = list(dict.fromkeys(r["channel"] for r in rows))
    figure, axes = subplots(len(channels), 2, 12, 4.3 * len(channels))
    labels = list(dict.fromkeys(r["codec"] for r in rows if r.get("how")))
    for line, channel in zip(axes, channels):
        for axis, count, what in zip(line, ("report_bits", "frame_bits"),
                                     ("bits of a report", "all bits of a compact feedback frame")):
            exact = [r for r in rows if r["channel"] == channel and "nmse_db" in r
                     and r.get("csi_snr_db") is None]
            for number, label in enumerate(labels):
                for quantized in (False, True):
                    some = [r for r in exact if r["codec"] == label
                            and is_quantized(r) == quantized]
                    if not some:
                        continue
                    y = [r["nmse_db"] for r in some]
                    error = [[r["nmse_db"] - r["nmse_db_low"] for r in some],
                             [r["nmse_db_high"] - r["nmse_db"] for r in some]]
                    own = some[0]["how"] == "own"
                    axis.errorbar([r[count] for r in some], y, error, markersize=4, capsize=2,
                                  linewidth=1, color=f"C{number}", marker="os^D"[number % 4],
                                  linestyle="--" if quantized else "-",
                                  label=label + ("" if own else ", quantizer" if quantized
                                                 else ", entropy-coded"))
            bound = [r for r in exact if r["codec"] == GAUSSIAN]
            axis.plot([r[count] for r in bound], [r["nmse_db"] for r in bound], color="black",
                      linewidth=1, linestyle=":", label=GAUSSIAN)
            axis.set_xscale("log", base=2)
            ticks = [64, 128, 256, 512, 1024, 2048]
            axis.set_xticks(ticks, [str(t) for t in ticks])
            axis.set_xlabel(what)
            axis.set_ylabel("NMSE in dB")
            axis.set_title(channel, fontsize=10)
            axis.grid(alpha=0.3)
        line[0].legend(fontsize=7)
    write_figure(figure, path, 110)


#: name -> function of (samples, progress), title, default of --samples
EXPERIMENTS = {"bits": (measure, "Every codec at equal bits", 2000)}
