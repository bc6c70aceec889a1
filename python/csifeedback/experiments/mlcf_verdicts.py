#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Whether the rows of an experiment of `mlcf` bear out what the MLCF paper says of its table or
figure."""

from typing import Callable, Dict, List, Sequence

from . import printed
from .verdict import Claim, Row, every, lower

#: errors that differ by no more than this count as "not significantly worse", "very close"
CLOSE_DB = 0.5
#: share of the spectral efficiency with perfect CSI that counts as "very close" to it
CLOSE_SHARE = 0.97


def _of(rows: Sequence[Row], **keys: object) -> List[Row]:
    return [r for r in rows if all(r.get(k) == v for k, v in keys.items())]


def table_2(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    for d, ratio in ((6, "1/16"), (12, "1/8"), (24, "1/4")):
        value = printed.MLCF_TABLE_2["MLCF"][d][0]
        of = {r["split"]: r for r in _of(rows, codec="MLCF, LLE", d=d)}
        near = {s: r["nmse_db"] - value for s, r in of.items()}
        claims.append(Claim(
            f"MLCF reaches {value} dB at {ratio}, with LLE as the embedding (within 1 dB, for one "
            "way of keeping training and test apart)", any(abs(x) <= 1 for x in near.values()),
            ", ".join(f"{r['nmse_db']:.1f} dB with {s} drops" for s, r in of.items())))
    best = {(r["split"], r["d"]): r for r in _of(rows, codec="MLCF, PCA")}
    linear = [lower(r, _of(rows, codec="KLT of columns", split=s, d=d)[0])
              for (s, d), r in best.items()]
    claims.append(Claim("beyond the paper: MLCF is ahead of a linear code of single columns",
                        every(linear), f"ahead in {linear.count(True)}, behind in "
                        f"{linear.count(False)} of {len(linear)} comparisons, with PCA as the "
                        "embedding"))
    floors = {r["codec"]: r["nmse_db"] for r in _of(rows, split="new", d=24)
              if "delay rows" in r["codec"]}
    others = {n: of_d[24][0] for n, of_d in printed.MLCF_TABLE_2.items() if n != "MLCF"}
    claims.append(Claim(
        "beyond the paper: the networks' printed errors at 1/4 are what it costs to keep 24 of 48 delay "
        "rows, as their parameter counts say they do (within 1 dB, for some number of rows before "
        "delay zero)", all(any(abs(f - v) <= 1 for f in floors.values()) for v in others.values())
        if floors else None,
        ", ".join(f"{n} {v} dB" for n, v in others.items()) + "; "
        + ", ".join(f"{v:.1f} dB with {n}" for n, v in floors.items())))
    claims.append(Claim("MLCF is ahead of CLNet, NR-CsiNet and FISTA-Net", None,
                        "no weights of these are at hand for this channel; beside their printed "
                        "values stand those of MLCF above"))
    return claims


def _falls(rows: Sequence[Row], x: str, slack_db: float = 0.3) -> bool:
    values = [r["nmse_db"] for r in sorted(rows, key=lambda r: r[x])]
    return values[-1] < values[0] and all(b <= a + slack_db for a, b in zip(values, values[1:]))


def figure_2(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    for d in (6, 12):
        learned, drawn = (_of(rows, codec=c, d=d) for c in ("MLCF", "MLCF, random landmarks"))
        first, last, end = (learned[i]["nmse_db"] for i in (0, -2, -1))
        claims.append(Claim(f"d = {d}: the error falls with N and levels off",
                            _falls(learned, "columns") and last - end <= CLOSE_DB,
                            f"{first:.1f} dB, {last:.1f} and {end:.1f} dB at the two largest N"))
        ahead = [lower(a, b) for a, b in zip(learned, drawn)]
        claims.append(Claim(f"d = {d}: learned landmarks are ahead of random ones", every(ahead),
                            f"by {min(b['nmse_db'] - a['nmse_db'] for a, b in zip(learned, drawn)):.1f}"
                            f" to {max(b['nmse_db'] - a['nmse_db'] for a, b in zip(learned, drawn)):.1f}"
                            " dB"))
    return claims


def figure_3(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    for nt in (32, 64):
        some = [r for r in _of(rows, nt=nt) if r["k"] >= 50]
        claims.append(Claim(f"{nt} antennas: more neighbours are better, from k = 50 to 400",
                            _falls(some, "k"), f"{some[0]['nmse_db']:.1f} dB at k = {some[0]['k']}, "
                            f"{some[-1]['nmse_db']:.1f} dB at {some[-1]['k']}"))
    pairs = [(a, b) for a in _of(rows, nt=32) for b in _of(rows, nt=64) if a["k"] == b["k"]]
    worse = [lower(a, b) for a, b in pairs]
    claims.append(Claim("64 antennas are worse than 32", every(worse),
                        f"worse at {worse.count(True)}, better at {worse.count(False)} of "
                        f"{len(worse)} k"))
    return claims


def figure_4(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    for pair in dict.fromkeys(r["pair"] for r in rows):
        values = [r["objective"] for r in _of(rows, pair=pair)]
        falls = all(b <= a * (1 + 1e-9) for a, b in zip(values, values[1:]))
        late = 1 - values[-1] / values[len(values) // 2]
        claims.append(Claim(f"{pair}: the objective falls monotonically", falls,
                            f"{values[0]:.3g} to {values[-1]:.3g}"))
        claims.append(Claim(f"{pair}: it converges (changes by less than 1 % in the second half)",
                            abs(late) < 0.01, f"falls by {100 * late:.0f} % in the second half"))
    return claims


def figure_5(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    for codec in dict.fromkeys(r["codec"] for r in rows):
        whole = _of(rows, codec=codec, bits=0)[0]
        ten = _of(rows, codec=codec, bits=10, quantizer="uniform")[0]
        loss = ten["nmse_db"] - whole["nmse_db"]
        claims.append(Claim(f"{codec}: 10 bits, uniform, are not significantly worse than no "
                            f"quantization (at most {CLOSE_DB} dB)", loss <= CLOSE_DB,
                            f"{loss:.2f} dB"))
    return claims


def figure_6(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    for codec in dict.fromkeys(r["codec"] for r in rows):
        some = _of(rows, codec=codec)
        claims.append(Claim(f"{codec}: the error falls as the SNR of the estimate rises",
                            _falls(some, "snr_db", 0), f"{some[0]['nmse_db']:.1f} dB at "
                            f"{some[0]['snr_db']} dB, {some[-1]['nmse_db']:.1f} dB at "
                            f"{some[-1]['snr_db']} dB"))
    mlcf, klt = (_of(rows, codec=c) for c in ("MLCF, lambda 0.05", "KLT of columns"))
    ahead = [lower(a, b) for a, b in zip(mlcf, klt)]
    claims.append(Claim("beyond the paper: MLCF is ahead of the KLT of columns with noise too",
                        every(ahead), f"ahead at {ahead.count(True)}, behind at "
                        f"{ahead.count(False)} of {len(ahead)} SNRs"))
    return claims


def figure_7(rows: Sequence[Row]) -> List[Claim]:
    claims = []
    perfect = {r["snr_db"]: r["se"] for r in _of(rows, codec="perfect CSI")}
    for codec in ("MLCF", "KLT of columns"):
        shares = {r["snr_db"]: r["se"] / perfect[r["snr_db"]] for r in _of(rows, codec=codec)}
        low = min(shares, key=lambda s: shares[s])
        close = [s for s, x in shares.items() if x >= CLOSE_SHARE]
        claims.append(Claim(
            f"{codec} with 4 bits is very close to perfect CSI at every SNR (at least "
            f"{100 * CLOSE_SHARE:.0f} %)", len(close) == len(shares),
            f"close at {', '.join(f'{s:g}' for s in close) or 'no'} dB; {100 * shares[low]:.0f} % at "
            f"{low:g} dB"))
    return claims


VERDICTS: Dict[str, Callable[[Sequence[Row]], List[Claim]]] = {
    "mlcf-table-2": table_2, "mlcf-figure-2": figure_2, "mlcf-figure-3": figure_3,
    "mlcf-figure-4": figure_4, "mlcf-figure-5": figure_5, "mlcf-figure-6": figure_6,
    "mlcf-figure-7": figure_7}
