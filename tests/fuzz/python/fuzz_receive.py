#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Hostile messages to a base station, with keys and without: none raises, and none changes what it
knows unless it is a proper message that it has to take."""

import zlib

import driver
import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation
from gnuradio.csifeedback.channels import model_channel
from gnuradio.csifeedback.link import base_station, messages
from gnuradio.csifeedback.link.compact_frames import CompactFrames
from gnuradio.csifeedback.link.report_format import ReportFormat

CODEC = "cdl-c-300x2-klt"
NOW, MAX_AGE, UES = 1_000_000, 100, (1, 7)
KEYS = {1: b"the secret of UE one", 7: b"the secret of UE seven"}
COMPACT = CompactFrames((30, 31), number_bits=9, residual_energy=True)


def signature(key, message, number):
    return csifeedback.feedback_signer(key).sign(message, number)


class Station:
    """A base station that knows a little, and genuine messages to it."""

    def __init__(self):
        self.codec = evaluation.Codec(CODEC)
        self.frame = csifeedback.csirs_frame(nt=2, **csifeedback.csirs_frame.preset(5, 15))
        self.size = self.codec.code_size("1/4")
        self.quantizer = self.codec.quantizer("lloyd-max", self.size, 6)
        self.reports = ReportFormat("1/4", "lloyd-max", 6)
        self.encoder = self.codec.encoder(self.size)
        channel = model_channel(self.codec.model)
        self.codewords = [self.encoder.encode(channel.generate_truncated(
            i, self.codec.model.na, self.codec.model.precursor)[0]) for i in range(4)]
        self.cells = {name: self.make(keys) for name, keys in (("open", {}), ("signed", KEYS))}

    def make(self, keys):
        cell = base_station.Cell(self.codec, self.reports, UES, self.frame,
                                 lambda: NOW, MAX_AGE, keys, compact=COMPACT)
        for ue in UES:
            for message in (self.feedback(ue, NOW - 50), messages.pack_report(ue, NOW - 50, 2.0)):
                cell.receive(self.sign(message, keys.get(ue), NOW - 50))
        assert not sum(cell.refused.values())
        return cell

    def header(self, ue, number, codeword=0):
        h = csifeedback.feedback_header()
        h.quantizer_type, h.bits = self.quantizer.type_id(), self.quantizer.bits()
        h.ue_id, h.frame_number = ue, number % 65536
        h.codec_id, h.model_id = self.encoder.codec_id(), self.encoder.model_id()
        h.code_size = self.size
        h.gain = csifeedback.gain_to_code(float(self.codewords[codeword][1]))
        return h

    def payload(self, codeword=0):
        return bytes(self.quantizer.pack(self.quantizer.quantize(self.codewords[codeword][0])))

    def compact(self, ue, number, payload=None, gain=320, changed=None, bits=0):
        """A compact frame. changed: a configuration in place of this UE's. bits: how many more of
        the payload than is right."""
        c = changed or COMPACT.configurations(UES)[UES.index(ue)]
        return csifeedback.pack_compact_frame(
            c, number % (1 << c.number_bits), gain, (payload or self.payload()) + bytes(8),
            self.quantizer.total_bits() + bits, number % 256)

    def feedback(self, ue, number, codeword=0):
        return bytes(csifeedback.pack_frame(self.header(ue, number, codeword),
                                            self.payload(codeword)))

    @staticmethod
    def sign(message, key, number):
        if key and message[0] >> 4 == 3:
            return csifeedback.sign_compact_frame(csifeedback.feedback_signer(key), message, number)
        return message + signature(key, message, number) if key else message


STATION = Station()


def state(cell):
    """All that a base station knows of its UEs, but its figures."""
    return [(ue, s.frame, s.received, s.count, s.residual_energy_db, len(s.ages),
             len(s.heard), s._matrix.tobytes()) for ue, s in cell.ues.items()]


def make(rng, keys):
    """(bytes, whether a base station has to take them)."""
    ue = int(rng.choice(UES))
    number = NOW - int(rng.integers(0, 49))  # new to it
    message = (STATION.feedback(ue, number, int(rng.integers(4))),
               STATION.compact(ue, number, STATION.payload(int(rng.integers(4)))),
               messages.pack_report(ue, number, float(rng.uniform(0.1, 10))))[rng.integers(3)]
    key = keys.get(ue)
    kind = rng.integers(10)
    if kind == 0:
        return rng.bytes(rng.integers(0, 200)), False
    if kind == 1:  # random behind a proper begin
        return message[:rng.integers(1, 11)] + rng.bytes(rng.integers(0, 200)), False
    if kind == 2:  # the last byte is missing, or more of them
        return STATION.sign(message, key, number)[:rng.integers(len(message))], False
    if kind == 3:  # changed bytes
        data = bytearray(STATION.sign(message, key, number))
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] ^= rng.integers(1, 256)
        if bytes(data) == STATION.sign(message, key, number):
            data[0] ^= 1
        return bytes(data), False
    if kind == 4:  # proper but for one field
        header, payload = STATION.header(ue, number), STATION.payload()
        field = str(rng.choice(["codec_id", "model_id", "quantizer_type", "bits", "code_size",
                                "ue_id", "frame_number", "payload", "version"]))
        if field == "payload":
            payload = payload[:-1] if rng.integers(2) else payload + bytes(rng.integers(1, 9))
        elif field == "frame_number":
            number = NOW + int(rng.choice([1, 2, 1000, 32768, -50, -60, -101, -5000]))
            header.frame_number = number % 65536
        elif field == "ue_id":
            header.ue_id = int(rng.choice([0, 2, 8, 256, 65535]))
        elif field == "version":
            header.version = int(rng.choice([0, 3, 15]))
        else:
            old = getattr(header, field)
            limit = 1 << {"codec_id": 8, "quantizer_type": 4}.get(field, 16)
            setattr(header, field, int((old + rng.integers(1, limit)) % limit))
        return STATION.sign(bytes(csifeedback.pack_frame(header, payload)), key, number), False
    if kind == 5:  # a report with another place for its sum, or out of time
        number = NOW + int(rng.choice([1, 2, 1000, 32768, -50, -60, -101, -5000]))
        message = messages.pack_report(ue, number, 2.0)
        if rng.integers(2):
            body = rng.bytes(rng.integers(0, 40))
            message = b"\xf0" + body + zlib.crc32(b"\xf0" + body).to_bytes(4, "big")
            if len(message) == 11:
                message += b"\0"
        return STATION.sign(message, key, number), False
    if kind == 6 and keys:  # nobody's, another UE's, an old or no signature
        other = [rng.bytes(8), signature(KEYS[8 - ue], message, number),
                 signature(key, message, number - 65536), b"",
                 signature(key, message, number)[::-1]][rng.integers(5)]
        return message + other, False
    if kind == 8:  # a compact frame that is proper but for one thing
        c = COMPACT.configurations(UES)[UES.index(ue)]
        options = {name: getattr(c, name) for name in (
            "number", "ue_id", "checksum", "number_bits", "gain_bits", "min_gain_db",
            "residual_energy")}
        field = str(rng.choice(["number", "checksum", "number_bits", "gain_bits",
                                "residual_energy", "frame", "bits"]))
        bits = 0
        if field == "frame":
            number = NOW + int(rng.choice([1, 2, 200, 400, -50, -60, -101, -300]))
        elif field == "bits":  # shorter codewords are proper
            bits = int(rng.choice([-2, -1, 1, 6, 13]))
        else:
            options[field] = {"number": int(rng.integers(32, 256)), "checksum": str(rng.choice(
                ["crc16", "crc11", "none"])), "number_bits": int(rng.choice([8, 10])),
                "gain_bits": int(rng.choice([0, 7, 8, 10, 11])), "residual_energy": False}[field]
        return STATION.sign(STATION.compact(
            ue, number, changed=csifeedback.compact_configuration(**options), bits=bits), key,
            number), False
    if kind == 9:  # any gain and any payload of a compact frame are CSI
        return STATION.sign(STATION.compact(ue, number, rng.bytes(len(STATION.payload())),
                                            int(rng.integers(512))), key, number), True
    # Any gain and any payload are CSI.
    header = STATION.header(ue, number)
    header.gain = int(rng.integers(65536))
    size = len(STATION.payload())
    header.version, header.residual_energy = int(rng.integers(1, 3)), int(rng.integers(256))
    message = bytes(csifeedback.pack_frame(header, rng.bytes(size)))
    return STATION.sign(message, key, number), True


def check(rng):
    name = ("open", "signed")[rng.integers(2)]
    cell = STATION.cells[name]
    data, proper = make(rng, KEYS if name == "signed" else {})
    before, refused = state(cell), sum(cell.refused.values())
    ue = cell.receive(data)
    if not proper:
        assert ue is None, f"{name} takes {data.hex()}"
        assert state(cell) == before, f"{name} is changed by {data.hex()}"
        assert sum(cell.refused.values()) == refused + 1, data.hex()
        return "refused"
    if ue is None:  # beyond what floats can hold
        assert state(cell) == before
        return "proper, not finite"
    assert np.isfinite(cell.ues[ue].h()).all()
    STATION.cells[name] = STATION.make(KEYS if name == "signed" else {})
    return "taken"


if __name__ == "__main__":
    driver.run("fuzz_receive", check)
