#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Every number that the two papers print and that an experiment puts beside its own, with its place.

Numbers that a paper only draws are not here: nothing is read off a curve.
"""

from typing import Dict, NamedTuple, Optional, Tuple

CSI_L2O = ("Y. Ma, H. He, S. Song, J. Zhang and K. B. Letaief, Low-Complexity CSI Feedback for FDD Massive "
           "MIMO Systems via Learning to Optimize, 2024")
MLCF = ("Y. Cao, H. Yin, Z. Qin, W. Li, W. Wu and M. Debbah, A Manifold Learning-based CSI Feedback "
        "Framework for FDD Massive MIMO, 2024")

#: compression ratios 1/4 ... 1/64 as the numbers behind the 1
RATIOS = (4, 8, 16, 32, 64)


class Formula(NamedTuple):
    """An entry of Csi-L2O's Table I: the order of complexity, as printed in LaTeX's symbols."""

    method: str
    side: str
    text: str


#: Csi-L2O, Table I. "Deep unfolding" stands for TiLISTA and the like.
COMPLEXITY = (
    Formula("Csi-L2O", "encoder", "Na Nt M"),
    Formula("CsiNet", "encoder", "Na Nt Ken^2 Cin Cout + Na Nt M"),
    Formula("TransNet", "encoder", "2 (2 Na^2 d + Na d^2 / 2 + d Na Nt) + Na Nt M"),
    Formula("TiLISTA", "encoder", "Na Nt M"),
    Formula("Csi-L2O", "decoder", "T (2 C_f + C_LSTM)"),
    Formula("CsiNet", "decoder", "2 (sum of 3 layers of Na Nt Kde^2 Cin Cout) + Na Nt M"),
    Formula("TransNet", "decoder", "2 (4 Na^2 d + Na d^2 + d Na Nt) + 2 Na Nt M"),
    Formula("TiLISTA", "decoder", "T (2 C_ST + C_ISTA)"),
)

#: Csi-L2O, Tables II and III: millions of "FLOPs" (multiply-adds) and of parameters at 1/8 ... 1/64
Cost = Tuple[float, float]
ENCODER_COSTS: Dict[str, Dict[int, Cost]] = {
    "ISTA": {8: (0.524, 0), 16: (0.262, 0), 32: (0.131, 0), 64: (0.066, 0)},
    "MS4L2O": {8: (0.524, 0), 16: (0.262, 0), 32: (0.131, 0), 64: (0.066, 0)},
    "CsiNet": {8: (0.561, 0.524), 16: (0.299, 0.262), 32: (0.168, 0.131), 64: (0.102, 0.066)},
    "TiLISTA": {8: (0.524, 0.524), 16: (0.262, 0.262), 32: (0.131, 0.131), 64: (0.066, 0.066)},
    "TransNet": {8: (17.334, 0.789), 16: (17.072, 0.526), 32: (16.941, 0.395),
                 64: (16.876, 0.330)},
    "Csi-L2O": {8: (0.524, 0.524), 16: (0.262, 0.262), 32: (0.131, 0.131), 64: (0.066, 0.066)},
}
DECODER_COSTS: Dict[str, Dict[int, Cost]] = {
    "ISTA": {8: (10.486, 0), 16: (5.243, 0), 32: (2.621, 0), 64: (1.311, 0)},
    "MS4L2O": {8: (20.978, 0.004), 16: (10.492, 0.004), 32: (5.249, 0.004), 64: (2.628, 0.004)},
    "CsiNet": {8: (3.809, 0.527), 16: (3.547, 0.265), 32: (3.416, 0.134), 64: (3.351, 0.069)},
    "TiLISTA": {8: (10.813, 0.033), 16: (5.571, 0.033), 32: (2.949, 0.033), 64: (1.638, 0.033)},
    "TransNet": {8: (17.883, 1.315), 16: (17.359, 0.791), 32: (17.097, 0.530),
                 64: (16.966, 0.398)},
    "Csi-L2O": {8: (22.125, 0.119), 16: (1.639, 0.119), 32: (6.396, 0.119), 64: (3.201, 0.119)},
}

#: Csi-L2O, Table IV: NMSE in dB indoor, by ratio: not quantized, and 3, 4, 5, 6 bits per value. The
#: paper's row of Csi-L2O at 1/16 and 1/32 is not in the text at hand (None).
BITS = (0, 3, 4, 5, 6)
_QUANTIZED = {
    "ISTA": {4: (-4.27, -1.39, -1.71, -2.39, -2.98), 8: (-3.10, -0.89, -1.01, -1.43, -2.07),
             16: (-1.47, -0.40, -0.68, -0.94, -1.25), 32: (-0.52, -0.28, -0.33, -0.41, -0.49)},
    "MS4L2O": {4: (-5.96, -2.17, -2.89, -3.77, -4.05), 8: (-5.61, -2.03, -2.55, -3.42, -3.91),
               16: (-4.11, -1.05, -1.97, -3.03, -3.91), 32: (-1.62, -0.58, -0.71, -1.14, -1.50)},
    "CsiNet": {4: (-17.36, -9.89, -11.97, -13.25, -14.63), 8: (-13.47, -5.15, -6.03, -8.49, -10.31),
               16: (-8.65, -4.65, -5.70, -6.91, -8.43), 32: (-6.24, -4.02, -5.31, -5.78, -6.12)},
    "TransNet": {4: (-32.38, -19.32, -23.51, -27.00, -28.97),
                 8: (-22.91, -10.17, -12.88, -15.64, -19.04),
                 16: (-15.00, -9.70, -11.86, -14.10, -14.87),
                 32: (-10.49, -8.89, -9.48, -9.92, -10.26)},
    "TiLISTA": {4: (-32.18, -18.73, -22.09, -26.31, -28.08),
                8: (-20.71, -9.05, -11.63, -14.47, -17.10),
                16: (-13.73, -9.11, -11.02, -13.31, -14.01),
                32: (-9.50, -7.73, -8.11, -8.71, -9.08)},
    "Csi-L2O": {4: (-34.74, -21.77, -24.96, -27.83, -30.97),
                8: (-26.25, -15.41, -17.94, -20.88, -23.85)},
}
QUANTIZED: Dict[Tuple[str, int, int], float] = {
    (method, ratio, bits): value for method, of_ratio in _QUANTIZED.items()
    for ratio, values in of_ratio.items() for bits, value in zip(BITS, values)}

#: Csi-L2O, Section V-B: "when the compression ratio is 1/16 the proposed Csi-L2O outperforms SOTA
#: TransNet 3.88 dB", indoor; beside Table IV's -15.00 dB of TransNet that is -18.88 dB.
GAIN_OVER_TRANSNET_DB = 3.88
#: Csi-L2O, Section V-D, of Fig. 6: indoor, 1/16
CONVERGED_AFTER, AHEAD_OF_TRANSNET_AFTER = 11, 7
TILISTA_LAYERS: Dict[int, float] = {10: -13.73, 20: -10.89}

#: Csi-L2O, Table V: millions of multiply-adds and of parameters of the encoder for all ratios
MULTI_RATE_COSTS: Dict[str, Cost] = {
    "SM-CsiNet+": (1.638, 1.222), "PM-CsiNet+": (1.466, 1.649), "Csi-L2O": (0.262, 0.262)}


def nmse_db(method: str, scenario: str, ratio: int, bits: int = 0) -> Optional[float]:
    """What Csi-L2O's paper prints for a method, in dB; None where it prints nothing."""
    if scenario != "indoor":  # Fig. 5 is a drawing
        return None
    if (method, ratio, bits) == ("Csi-L2O", 16, 0):
        return round(QUANTIZED["TransNet", 16, 0] - GAIN_OVER_TRANSNET_DB, 2)
    return QUANTIZED.get((method, ratio, bits))


#: MLCF, Table II: dimensions d of a column -> NMSE in dB, rho, parameters, MFLOP
MLCF_TABLE_2 = {
    "CLNet": {6: (-16.76, 0.9905, 593798, 2.332), 12: (-19.97, 0.9960, 1184000, 2.922),
              24: (-21.89, 0.9977, 2364000, 4.102)},
    "NR-CsiNet": {6: (-19.97, 0.9960, 593336, 3.279), 12: (-21.45, 0.9974, 1183000, 3.869),
                  24: (-21.49, 0.9974, 2363000, 5.049)},
    "FISTA-Net": {6: (-22.88, 0.9981, 331672, 26.428), 12: (-23.16, 0.9985, 626576, 27.018),
                  24: (-23.26, 0.9985, 1216000, 28.198)},
    "MLCF": {6: (-23.74, 0.9982, 81600, 23.706), 12: (-25.06, 0.9986, 86400, 24.762),
             24: (-30.40, 0.9996, 96000, 26.874)},
}
