#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""SigMF metadata with JSON values of any type in any field: one line of ValueError, or exactly what
the file says."""

import copy
import json
import math
import os

import driver
from gnuradio import csifeedback
from gnuradio.csifeedback.data import sigmf

PATH = os.path.join(driver.directory, "air")
PARAMETERS = {"nt": 4, **csifeedback.csirs_frame.preset(5, 15), "gap": 1000}
#: numbers that json.dumps() cannot write
LITERALS = ("1e999", "-1e999", "1e-999", "NaN", "Infinity", "-Infinity", "1" * 30, "9" * 5000,
            "0x10", "1.0", "-0", "-0.0", "4.000000000000001", "1e3", "01", "[" * 3000 + "]" * 3000)
TEXTS = ("", "4", "cf32_le", "ci16_le", "cf32_be", "ri8", "walsh", "dft", "NaN", "\n", "\0",
         "ü" * 100, "x" * 100000, "csi", "\ud800", "{}")


def genuine():
    """The metadata of a recording, with all that is optional."""
    frame = csifeedback.csirs_frame(**PARAMETERS)
    sigmf.write_meta(PATH, frame, PARAMETERS, 1e9, "text")
    with open(PATH + ".sigmf-meta") as file:
        meta = json.load(file)
    meta["global"].update({"core:trailing_bytes": 0, "core:metadata_only": False,
                           "core:dataset": "air.sigmf-data"})
    meta["captures"][0]["core:header_bytes"] = 0
    meta["annotations"].append({"core:sample_start": 0})
    with open(PATH + ".sigmf-data", "wb") as file:
        file.write(bytes(8 * frame.frame_length()))
    return meta


GENUINE = genuine()


def value(rng, literals, depth=0):
    """Any JSON value; literals: a list that placeholders for LITERALS are added to."""
    kind = rng.integers(10 if depth < 3 else 7)
    if kind == 0:
        return [None, True, False][rng.integers(3)]
    if kind == 1:
        return int(rng.integers(-3, 200))
    if kind == 2:
        return int(rng.choice([0, -1, 1 << 31, -(1 << 31), 1 << 32, 1 << 63, -(1 << 63), 65535]))
    if kind == 3:
        return float(rng.choice([0.5, -1.5, 1e308, 5e-324, 4.0, 300.0, 7.68e6, 15e3, -7.68e6]))
    if kind == 4:
        literals.append(str(rng.choice(LITERALS)))
        return f"@literal{len(literals) - 1}@"
    if kind == 5:
        return str(TEXTS[rng.integers(len(TEXTS))])
    if kind == 6:
        return [[], {}][rng.integers(2)]
    if kind == 7:
        return [value(rng, literals, depth + 1) for _ in range(rng.integers(4))]
    if kind == 8:
        return {str(TEXTS[rng.integers(len(TEXTS))]): value(rng, literals, depth + 1)
                for _ in range(rng.integers(3))}
    return copy.deepcopy(GENUINE[str(rng.choice(["global", "captures", "annotations"]))])


def places(node):
    """All (container, key) of a value."""
    found = []
    for key in (list(node) if isinstance(node, dict) else range(len(node))):
        found.append((node, key))
        if isinstance(node[key], (dict, list)):
            found += places(node[key])
    return found


def make(rng):
    """The bytes of a .sigmf-meta."""
    meta, literals = copy.deepcopy(GENUINE), []
    for _ in range(rng.integers(1, 4)):
        node, key = (found := places(meta) or [(meta, "global")])[rng.integers(len(found))]
        if rng.integers(5) == 0 and isinstance(node, dict):
            node.pop(key, None)
        else:
            node[key] = value(rng, literals)
    if rng.integers(50) == 0:
        meta = value(rng, literals)
    text = json.dumps(meta)
    for number, literal in enumerate(literals):
        text = text.replace(f'"@literal{number}@"', literal)
    data = bytearray(text.encode())
    if rng.integers(4) == 0:
        for _ in range(rng.integers(1, 4)):
            at = rng.integers(len(data) + 1)
            if rng.integers(2):
                data[at:at + rng.integers(5)] = b""
            else:
                data[at:at] = rng.bytes(rng.integers(1, 3))
    return bytes(data)


def is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def check(rng):
    with open(PATH + ".sigmf-meta", "wb") as file:
        file.write(make(rng))
    try:
        recording = sigmf.Recording(PATH)
        frame = recording.frame(PARAMETERS)
    except ValueError as error:
        text = str(error)
        assert text.startswith(PATH), text
        assert len(text.splitlines()) == 1 and len(text) < len(PATH) + 400, text
        return "refused"
    with open(PATH + ".sigmf-meta", "rb") as file:
        fields = json.load(file)["global"]
    assert fields["core:datatype"] in ("cf32_le", "ci16_le")
    assert recording.datatype == fields["core:datatype"]
    assert is_number(fields["core:sample_rate"]) and math.isfinite(recording.sample_rate)
    assert recording.sample_rate == fields["core:sample_rate"] > 0
    for name in sigmf.PARAMETERS:
        said = fields.get("csi:" + name)
        if said is None:
            assert "csi:" + name not in fields and name not in recording.parameters
            continue
        taken = recording.parameters[name]
        assert taken == said and isinstance(said, str) == isinstance(taken, str), name
        assert isinstance(said, str) or is_number(said), name
    if "csi:hash" in fields:
        assert is_number(fields["csi:hash"]) and fields["csi:hash"] == frame.hash()
    return "taken"


if __name__ == "__main__":
    driver.run("fuzz_sigmf", check)
