#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Pilot frames: pictures of their resource grid, taps of channels, and how to score estimates of the
channel."""

from typing import Any, Optional

import numpy as np

from .files import write_figure


def load_taps(source: Any) -> np.ndarray:
    """Taps for `mimo_channel_from_taps`, complex64 (count, nr, nt, length): tap d of a port delays
    by d samples, and matrix i is the channel of frame i modulo count.

    source: path of a .npy file of complex or real numbers (count, nr, nt, length) or (nr, nt,
    length), or such an array. Raises ValueError, which names the file, for anything else.
    """
    name = "taps"
    if isinstance(source, (str, bytes)) or hasattr(source, "__fspath__"):
        name, path = f"{source}", source
        try:
            source = np.load(path, allow_pickle=False)
        except OSError as error:
            raise ValueError(f"{name}: {error.strerror or 'is no .npy file'}") from None
        except (ValueError, EOFError):
            raise ValueError(f"{name}: is no .npy file") from None
        if not isinstance(source, np.ndarray):
            raise ValueError(f"{name}: has several arrays, a .npy file is needed")
    taps = np.asarray(source)
    if taps.dtype.kind not in "iufc" or taps.ndim not in (3, 4) or taps.size == 0:
        raise ValueError(f"{name}: is an array of {taps.dtype}, {taps.shape}; allowed is numbers, "
                         "(count, nr, nt, length) or (nr, nt, length)")
    if not np.isfinite(taps).all():
        raise ValueError(f"{name}: has values that are not finite")
    return taps.astype(np.complex64).reshape((-1, *taps.shape[-3:]))


def grid_map(frame: Any) -> Any:
    """What is sent where: int (symbols, nc). 0: nothing; 1 preamble, 2 header, 3 last symbol,
    4 + j: pilots of the code division group j."""
    sent = frame.grid() != 0
    result = np.zeros(sent.shape[1:], int)
    any_port = sent.any(axis=0)
    first, last = frame.first_pilot(), frame.symbols() - 1
    result[:2][any_port[:2]] = 1
    result[2:first][any_port[2:first]] = 2
    result[last][any_port[last]] = 3
    groups: Any = {}
    for n in range(frame.nt()):
        key = sent[n, first:last].tobytes()
        groups.setdefault(key, len(groups))
        result[first:last][sent[n, first:last]] = 4 + groups[key]
    return result


def plot_grid(frame: Any, path: Optional[str] = None, subcarriers: int = 48) -> Any:
    """Draws the resource grid; writes it to a file, or returns the figure without a path.

    subcarriers: the first so many are shown, 0: all.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    import matplotlib

    shown = grid_map(frame)[:, :subcarriers or None].T
    first, last = frame.first_pilot(), frame.symbols() - 1
    sent = (frame.grid() != 0)[:, first:last]
    ports: Any = {}
    for n in range(frame.nt()):
        ports.setdefault(sent[n].tobytes(), []).append(n)
    names = ["nothing", "preamble", "header (frame number)", "preamble again"] + [
        "pilots of " + (f"port {p[0]}" if len(p) == 1 else f"ports {p[0]} to {p[-1]}")
        for p in ports.values()]
    colours = ["white", "#555555", "#999999", "#333333"] + [
        matplotlib.colormaps["tab20"](i % 20) for i in range(len(ports))]
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    axes.pcolormesh(np.arange(shown.shape[1] + 1), np.arange(shown.shape[0] + 1), shown,
                    cmap=ListedColormap(colours), edgecolors="#dddddd", linewidth=0.3,
                    norm=BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names)))
    axes.set_xlabel("OFDM symbol")
    axes.set_ylabel("subcarrier")
    axes.set_xticks(np.arange(shown.shape[1]) + 0.5, np.arange(shown.shape[1]))
    axes.set_title(f"{frame.nt()} ports, {frame.nc()} subcarriers, {frame.symbols()} symbols")
    used = [i for i in range(len(names)) if i]
    axes.legend(handles=[Patch(facecolor=colours[i], label=names[i], edgecolor="#888888")
                         for i in used],
                loc="center left", bbox_to_anchor=(1.01, 0.5),
                fontsize="small", frameon=False)
    if path is None:
        return figure
    write_figure(figure, path, 100)
    return None


def align(h_hat: np.ndarray, h: np.ndarray) -> np.ndarray:
    """h_hat turned by the delay (a phase ramp over the subcarriers) and the common phase that
    bring it closest to h. Both complex (nc, nt).

    A receiver knows neither: its clock and its oscillator are not the transmitter's. A
    precoder computed for each subcarrier sees neither.
    """
    h_hat, h = np.asarray(h_hat, complex), np.asarray(h, complex)
    nc = h.shape[0]
    # The correlation of both over the delay, on a fine grid and then by Newton's method.
    product = np.sum(h_hat.conj() * h, axis=1)
    size = 16 * nc
    k = np.arange(nc) - (nc - 1) / 2
    delay = np.argmax(np.abs(np.fft.fft(product, size))) / size
    for _ in range(5):
        turned = product * np.exp(-2j * np.pi * k * delay)
        m0: Any = np.sum(turned)
        m1: Any = np.sum(-1j * k * turned)
        m2: Any = np.sum(-k**2 * turned)
        first = 2 * np.real(np.conj(m0) * m1)
        second = 2 * np.abs(m1)**2 + 2 * np.real(np.conj(m0) * m2)
        if second >= 0:
            break
        delay -= first / second / (2 * np.pi)
    turned = h_hat * np.exp(2j * np.pi * k * delay)[:, None]
    phase = np.angle(np.vdot(turned, h))
    return turned * np.exp(1j * phase)


def aligned_nmse(h_hat: np.ndarray, h: np.ndarray) -> Any:
    """||h_hat - h||^2 / ||h||^2 after align()."""
    h = np.asarray(h)
    return np.square(np.abs(align(h_hat, h) - h)).sum() / np.square(np.abs(h)).sum()


def rho(h_hat: np.ndarray, h: np.ndarray) -> Any:
    """Mean over the subcarriers of |h_hat_k h_k^H| / (||h_hat_k|| ||h_k||): the same for any
    delay and common phase of h_hat. Subcarriers on which one of them is zero count as 0."""
    inner = np.abs(np.sum(h_hat * np.conj(h), axis=-1))
    norms = np.linalg.norm(h_hat, axis=-1) * np.linalg.norm(h, axis=-1)
    return np.mean(inner / np.maximum(norms, np.finfo(np.float32).tiny))
