#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What there is beside feedback frames: keys of their signatures, reports on precoded pilots.
docs/ends.md describes their form."""

import os
import re
import stat
import struct
import zlib
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .parameters import ParameterError

#: First byte of a report; a feedback frame begins with its version, 1 or 2, in four bits.
REPORT = 0xf0
#: What a report is to core.feedback_receiver.admit().
REPORT_KIND = 1
#: Lengths of keys in bytes.
MIN_KEY_BYTES, MAX_KEY_BYTES = 16, 1 << 16
#: Different bytes that a key has at least.
MIN_KEY_VARIETY = 6


def read_key(path: str, name: str = "key", text: Optional[str] = None) -> bytes:
    """The key in a file: all of its bytes, as they are.

    name, text: of the parameter and its value, for errors; text None: the path. Raises
    ParameterError if the key is too short or too long, if it has hardly any variety, or if other
    users of this machine may read or write the file; OSError if it cannot be read.
    """
    def refuse_key(problem):
        raise ParameterError(name, f" {text or path}: {problem}")

    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            refuse_key(f"others may use it (mode {mode & 0o777:04o}); run: chmod 600 {path}")
        key = file.read(MAX_KEY_BYTES + 1)
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        refuse_key(f"has {'more than ' if len(key) > MAX_KEY_BYTES else ''}"
                   f"{min(len(key), MAX_KEY_BYTES)} bytes, allowed is {MIN_KEY_BYTES} to "
                   f"{MAX_KEY_BYTES}")
    steps = np.diff(np.frombuffer(key, np.uint8))
    if len(set(key)) < MIN_KEY_VARIETY or len(set(steps.tolist())) == 1:
        refuse_key(f"is too easy to guess; run: head -c 32 /dev/urandom > {path}")
    return key


def read_keys(texts: Sequence[str], ues: Sequence[int], name: str = "key") -> Dict[int, bytes]:
    """The keys of the UEs that a base station serves.

    texts: "N=FILE" for UE number N, or "FILE" for a single UE; none for feedback without
    signatures. ues: their numbers. name: of the parameter, for errors. Returns a dictionary of
    numbers and keys, empty without texts. Raises ParameterError unless each UE has a key of its
    own.
    """
    keys: Dict[int, bytes] = {}
    for text in texts:
        match = re.fullmatch(r"(\d+)=(.*)", text, re.DOTALL)
        if not match and len(ues) > 1:
            raise ParameterError(name, f" {text}: with one key for {len(ues)} UEs each could sign "
                                 "as another, allowed is N=FILE for each UE N")
        ue, path = (int(match[1]), match[2]) if match else (ues[0], text)
        if ue not in ues:
            raise ParameterError(name, f" {text}: there is no UE {ue}, allowed is "
                                 + ", ".join(map(str, ues)))
        if ue in keys:
            raise ParameterError(name, f" {text}: UE {ue} has two keys")
        key = read_key(path, name, text)
        if key in keys.values():
            raise ParameterError(name, f" {text}: another UE has the same key")
        keys[ue] = key
    missing = [ue for ue in ues if ue not in keys]
    if keys and missing:
        raise ParameterError(name, f": UE {missing[0]} has no key, either all of them have or none")
    return keys


def pack_report(ue_id: int, frame: int, gain: float) -> bytes:
    """A message on the gain of precoded pilots.

    ue_id: 0 to 65535. frame: number of the frame. gain: ratio of powers, above 0.
    """
    body = struct.pack(">BHHH", REPORT, ue_id, frame % 0x10000,
                       core.gain_to_code(float(10 * np.log10(gain))))
    return body + struct.pack(">I", zlib.crc32(body))


def unpack_report(message: bytes) -> Optional[Tuple[int, int, float]]:
    """(ue_id, 16 bits of the frame number, gain) of any bytes, or None if they are no report."""
    if len(message) != 11 or zlib.crc32(message[:7]) != int.from_bytes(message[7:], "big"):
        return None
    kind, ue_id, frame, code = struct.unpack(">BHHH", message[:7])
    return (ue_id, frame, 10 ** (core.gain_from_code(code) / 10)) if kind == REPORT else None
