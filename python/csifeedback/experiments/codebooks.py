#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""SGCS against bits of the PMI codebooks on CDL channels, and of other codecs beside them.

    python3 -m gnuradio.csifeedback.experiments.codebooks

prints the tables of docs/codebooks.md.
"""

import argparse
import sys
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..channels import model_channel
from ..codecs import OpenCodec, open_codec
from ..evaluation import Evaluator, choose_report

SUBBANDS = 13
#: first drops of the test, and of the validation of code sizes and quantizers
FIRST, VALIDATION_FIRST = 5_000_000, 6_000_000


def schemes(rows: int) -> List[str]:
    """Names of the codebooks as codecs."""
    return [f"type1:rows={rows}", f"type1:rows={rows},mode=2",
            *(f"type2:rows={rows},beams={beams}" for beams in (2, 4)),
            *(f"etype2:rows={rows},param_combination={k}" for k in range(1, 9))]


def vectors(h: np.ndarray) -> np.ndarray:
    """Dominant eigenvectors of the subbands of H (n, rows, nt)."""
    return core.subband_eigenvectors(np.ascontiguousarray(h)[:, :, None], SUBBANDS)


def score(v: np.ndarray, h: np.ndarray, codec: OpenCodec,
          pair: Tuple[core.report_encoder, core.report_decoder], budget: int,
          transform: Optional[core.angular_delay_transform] = None) -> Tuple[str, float, float, float]:
    """A line of a table: label, mean bits, SGCS, its 5 % point."""
    encoder, decoder = pair
    bits, counts, gain_db = encoder.encode(h, budget)
    found = decoder.decode(bits, counts, gain_db)
    if transform is not None:
        found = transform.inverse(found)
    similarity = core.sgcs(v, vectors(found))[:, 0]
    return codec.label, float(np.mean(counts)), similarity.mean(), core.percentile(similarity, 5)


def show(name: str, line: Sequence[Any]) -> None:
    label, bits, mean, low = line
    print(f"| {name} | {label} | {bits:.0f} | {mean:.3f} | {low:.3f} |", flush=True)


def codebooks(n1: int, n2: int, subbands: int, rank: int,
              unordered: bool = False) -> Iterator[Tuple[str, Any]]:
    """(label, pmi_codebook) of an array. unordered: also those whose layers have no order like that of
    eigenvectors: Type I of more than one."""
    if rank == 1 or unordered:
        for mode in (1, 2):
            yield f"Type I mode {mode}", core.type1_codebook(n1, n2, subbands, mode, ranks=[rank])
    for beams in (2, 4):
        yield (f"Type II L={beams} 8PSK",
               core.type2_codebook(n1, n2, subbands, beams, ranks=[rank]))
    for number in range(1, 9 if rank == 1 else 7):
        yield f"eType II pc{number}", core.etype2_codebook(n1, n2, subbands, number, [rank])


def panels(samples: int, n1: int = 4, n2: int = 4, nr: int = 2, subbands: int = SUBBANDS,
           angle_span_deg: float = 0.0, ranks: Sequence[int] = (1, 2)) -> None:
    """CDL-A to E at 10 MHz, 52 resource blocks, to dual-polarized arrays of sector elements."""
    for rank in ranks:
        for profile in "ABCDE":
            channel = core.cdl_panel_channel(profile, n1, n2, nr, nc=52,
                                             angle_span_deg=angle_span_deg, sector_element=True)
            h = channel.generate(FIRST, samples)
            v = core.subband_eigenvectors(h, subbands, rank)
            for label, codebook in codebooks(n1, n2, subbands, rank):
                pmis = [codebook.select(one, rank) for one in h]
                similarity = core.sgcs(v, np.stack([codebook.precoder(p) for p in pmis]))
                bits = codebook.count_bits() + np.mean(
                    [codebook.part2_bits(rank, codebook.count(p)) for p in pmis])
                show(f"rank {rank} | CDL-{profile}",
                     (label, bits, similarity[:, -1].mean(),
                      core.percentile(similarity[:, -1], 5)))


def beside(samples: int, budgets: Sequence[int]) -> None:
    """The channel that the models cdl-a-random were trained on, 1,024 subcarriers."""
    names = ["path", "local-klt", "klt", "csi-l2o"]
    codecs = [open_codec(f"cdl-a-random-{name}") for name in names]
    model = codecs[0].model
    channel = model_channel(model)
    transform = core.angular_delay_transform(model.nc, model.nt, model.na, model.precursor)
    h = core.generate_channels(channel, FIRST, samples)[0]
    ha = transform.forward(h)[0]
    v = vectors(h)
    print(f"| all bits of Ha | {core.sgcs(v, vectors(transform.inverse(ha))).mean():.3f} |")
    few, _, lost = core.generate_channels(channel, VALIDATION_FIRST, 300, model.na,
                                          model.precursor)
    validation = Evaluator(few, lost, model.nc, model.precursor)
    for spec in schemes(model.nc):
        codec = open_codec(spec)
        show("CDL-A", score(v, h, codec, codec.own_reports(), 0))
    for codec in codecs:
        for budget in budgets:
            pair = codec.own_reports() if codec.has_reports else \
                choose_report(codec, validation, budget)[0].report_pair(codec)
            show("CDL-A", score(v, ha, codec, pair, budget, transform))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", type=int, default=500, metavar="N",
                        help="drops of each channel (default: 500)")
    parser.add_argument("--only", choices=("panels", "beside"), help="one of the tables")
    args = parser.parse_args(argv)
    if args.only != "beside":
        panels(args.samples)
    if args.only != "panels":
        beside(args.samples, (64, 128, 256))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
