#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""CSI of Wi-Fi receivers: ESP32 text, nexmon captures, logs of the Intel 5300.

The formats are those that ESP-IDF ("Wi-Fi Channel State Information"), nexmon_csi and the Linux 802.11n
CSI Tool document. Subcarriers are put in ascending order.
"""

import collections
import os
import struct
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .base import Arrays

# -- ESP32 ---------------------------------------------------------------------------------------

#: columns of a line CSI_DATA where the file does not name them: esp-csi, the same of newer chips,
#: ESP32-CSI-Tool
ESP_COLUMNS = tuple(text.split(",") for text in (
    "type,id,mac,rssi,rate,sig_mode,mcs,bandwidth,smoothing,not_sounding,aggregation,stbc,fec_coding,sgi,"
    "noise_floor,ampdu_cnt,channel,secondary_channel,local_timestamp,ant,sig_len,rx_state,len,first_word,"
    "data",
    "type,id,mac,rssi,rate,noise_floor,fft_gain,agc_gain,channel,local_timestamp,sig_len,rx_state,len,"
    "first_word,data",
    "type,role,mac,rssi,rate,sig_mode,mcs,bandwidth,smoothing,not_sounding,aggregation,stbc,fec_coding,sgi,"
    "noise_floor,ampdu_cnt,channel,secondary_channel,local_timestamp,ant,sig_len,rx_state,real_time_set,"
    "real_timestamp,len,CSI_DATA"))
_FFT64 = [*range(32), *range(-32, 0)]
_FFT128 = [*range(64), *range(-64, 0)]
_LOW, _HIGH = [*range(64)], [*range(-64, 0)]
_STBC40 = [*range(61), *range(-60, 0)]
#: (secondary channel, HT, 40 MHz, STBC) -> subcarriers of LLTF, HT-LTF, STBC-HT-LTF in their order
ESP_LAYOUTS: Dict[Tuple[int, bool, bool, bool], List[Any]] = {
    (0, False, False, False): [_FFT64], (0, True, False, False): [_FFT64, _FFT64],
    (0, True, False, True): [_FFT64, _FFT64, _FFT64]}
for _second, _legacy, _ht_stbc in ((2, _LOW, [*range(63)]), (1, _HIGH, [*range(-62, 0)])):
    ESP_LAYOUTS.update({
        (_second, False, False, False): [_legacy], (_second, True, False, False): [_legacy, _legacy],
        (_second, True, False, True): [_legacy, _ht_stbc, _ht_stbc],
        (_second, True, True, False): [_legacy, _FFT128],
        (_second, True, True, True): [_legacy, _STBC40, _STBC40]})
ESP_FIELDS = "lltf", "ht_ltf", "stbc_ht_ltf"
#: subcarriers that are used -> --carriers of ascending ones
_USED = {("lltf", 64): "6:32,33:59", ("ht_ltf", 64): "4:32,33:61", ("ht_ltf", 128): "6:63,66:123",
         ("nexmon", 64): "4:32,33:61", ("nexmon", 128): "6:63,66:123", ("nexmon", 256): "6:127,130:251"}


def is_esp32(head: str) -> bool:
    """Whether the beginning of a text is that of lines CSI_DATA."""
    return "CSI_DATA," in head or any(_is_esp_header(line) for line in head.splitlines())


def _is_esp_header(line):
    return line.startswith("type,") and ",mac,rssi," in line


def read_esp32(path: str) -> Arrays:
    """The CSI in a text with lines CSI_DATA; other lines are left out.

    Arrays `lltf`, `ht_ltf`, `stbc_ht_ltf` (packet, subcarrier), complex64, subcarriers ascending. The
    file has the imaginary part of each value first. If packets have different layouts, the names say
    which, such as lltf_64. Raises ValueError.
    """
    columns: Optional[Sequence[str]] = None
    groups: Dict[Tuple[str, Tuple[int, ...]], List[Any]] = {}
    damaged = invalid = packets = 0
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        for line in file:
            if _is_esp_header(line):
                columns = line.strip().split(",")
                continue
            # What a terminal writes before it does not count.
            begin = line.find("CSI_DATA,")
            if begin < 0:
                continue
            values = _esp_values(line[begin:])
            if values is None:
                damaged += 1
                continue
            fields, numbers = values
            known = [columns or [], *ESP_COLUMNS]
            names = next((c for c in known if len(c) == len(fields) + 1), None)
            if names is None:
                raise ValueError(f"a line CSI_DATA has {len(fields) + 1} columns, known are those with "
                                 + ", ".join(str(len(c)) for c in ESP_COLUMNS)
                                 + " or with a first line that names them")
            of = dict(zip(names, fields))
            try:
                if len(numbers) != int(of["len"]):
                    damaged += 1
                    continue
                invalid += int(of.get("first_word") or 0) != 0
                layout = _esp_layout(of, len(numbers))
            except (KeyError, ValueError) as error:
                if isinstance(error, ValueError) and str(error).startswith("packet"):
                    raise
                damaged += 1
                continue
            packets += 1
            at = 0
            for name, carriers in zip(ESP_FIELDS, layout):
                part = numbers[at:at + 2 * len(carriers)].reshape(-1, 2)
                at += 2 * len(carriers)
                order = np.argsort(carriers)
                groups.setdefault((name, tuple(np.asarray(carriers)[order])), []).append(
                    (part[:, 1] + 1j * part[:, 0]).astype(np.complex64)[order])
    if not packets:
        raise ValueError(f"has no line CSI_DATA with CSI ({damaged} are damaged)")
    found = Arrays()
    kinds = collections.Counter(name for name, _ in groups)
    for (name, carriers), rows in groups.items():
        notes = [f"subcarriers {carriers[0]} to {carriers[-1]}, in ascending order"]
        used = _USED.get((name, len(carriers))) if carriers[0] < 0 <= carriers[-1] else None
        if used:
            notes.append(f"null carriers are among them, --carriers {used} takes the others")
        if damaged:
            notes.append(f"left out {damaged} lines that are damaged")
        if invalid:
            notes.append(f"of {invalid} packets the first two values in the order of the receiver "
                         "(subcarriers 0 and 1 in most layouts) are invalid (first_word)")
        found.add(name if kinds[name] == 1 else f"{name}_{carriers[0]}_{carriers[-1]}", np.array(rows),
                  "sample,subcarrier", *notes)
    if len(found.arrays) > 1:
        found.default = None
    return found


def _esp_values(line: str) -> Any:
    """(fields, numbers) of a line, None if it is damaged."""
    begin, end = line.find("["), line.rfind("]")
    if begin < 0 or end < begin:
        return None
    try:
        numbers = np.array(line[begin + 1:end].replace(",", " ").split(), np.int16)
    except (ValueError, OverflowError):
        return None
    if not len(numbers) or numbers.min() < -128 or numbers.max() > 127:
        return None
    return line[:begin].rstrip('" ').rstrip(",").split(","), numbers


def _esp_layout(of: Dict[str, str], size: int) -> List[Any]:
    """Subcarriers of each training field of a packet. Raises ValueError."""
    if "sig_mode" not in of:
        if size == 128:
            return [_FFT64]
        raise ValueError(f"packet of {size} bytes of a chip that does not say its signal mode: where its "
                         "subcarriers are is not known, only that of 128 bytes")
    key = (int(of["secondary_channel"]), int(of["sig_mode"]) > 0, int(of["bandwidth"]) > 0,
           int(of["stbc"]) > 0)
    if key not in ESP_LAYOUTS and not key[1]:  # what non-HT packets say of HT does not count
        key = (key[0], False, False, False)
    layout = ESP_LAYOUTS.get(key)
    if layout is not None and size == 2 * sum(map(len, layout)):
        return layout
    if layout is not None and size == 2 * len(layout[0]):  # the receiver keeps LLTF alone
        return layout[:1]
    raise ValueError(f"packet of {size} bytes, secondary channel {key[0]}, sig_mode {of['sig_mode']}, "
                     f"bandwidth {of['bandwidth']}, stbc {of['stbc']}: "
                     + ("this is no combination of ESP-IDF's table" if layout is None else
                        f"expected are {2 * sum(map(len, layout))} bytes"))


# -- nexmon --------------------------------------------------------------------------------------

PCAP_MAGIC = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<",
              b"\xa1\xb2\x3c\x4d": ">"}
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
#: number in the packet -> name of the chip
CHIPS = {0x01: "4339", 0x65: "43455c0", 0x03: "4358", 0x6a: "4366c0"}
#: chip -> bits of real and imaginary part with their sign, and of the exponent; None: int16
CHIP_FORMATS: Dict[str, Any] = {"4339": None, "43455c0": None, "4358": (9, 5), "4366c0": (12, 6)}
#: bytes before the IP header, by the link type of a capture
LINK_BYTES = {0: 4, 1: 14, 12: 0, 101: 0, 108: 4, 113: 16, 276: 20}
NEXMON_PORT = 5500
#: packets between the first and the last one of a frame, at most
NEXMON_APART = 64
_NEXMON_HEADER = struct.Struct("<HbB6sH2sHH")


def read_nexmon(path: str, chip: Optional[str] = None) -> Arrays:
    """The CSI in a capture (pcap) of nexmon_csi.

    chip: 4339, 43455c0, 4358 or 4366c0; None: as the packets say. Arrays complex64, subcarriers
    ascending: `csi` (packet, subcarrier), with several cores or spatial streams (packet, core, stream,
    subcarrier); frames without all of them are left out. Of several bandwidths `csi_64`, `csi_128` ..
    Raises ValueError.
    """
    if chip is not None and chip not in CHIP_FORMATS:
        raise ValueError(f"--chip is {chip}, allowed is {', '.join(CHIP_FORMATS)}")
    frames: Dict[int, Dict[Any, Any]] = {}
    damaged = 0
    for number, payload in enumerate(_udp_payloads(path)):
        if len(payload) < _NEXMON_HEADER.size:
            damaged += 1
            continue
        magic, _, _, mac, sequence, place, _, model = _NEXMON_HEADER.unpack_from(payload)
        width = (len(payload) - _NEXMON_HEADER.size) // 4
        if magic != 0x1111 or width not in (64, 128, 256, 512):
            damaged += 1
            continue
        # Little-endian as documented; some versions write it the other way around.
        place = min(int.from_bytes(place, "little"), int.from_bytes(place, "big"))
        if place > 0x3f:
            damaged += 1
            continue
        own = chip or CHIPS.get(model)
        if own is None:
            raise ValueError(f"the chip is {model:#06x}, known are "
                             + ", ".join(f"{n:#04x} ({name})" for n, name in CHIPS.items())
                             + "; --chip says which format the numbers have")
        frames.setdefault(width, {}).setdefault((mac, sequence), []).append(
            (number, place & 7, place >> 3, nexmon_numbers(payload[_NEXMON_HEADER.size:], width, own)))
    if not frames:
        raise ValueError(f"has no CSI of nexmon: no UDP packets to port {NEXMON_PORT} with its header"
                         + (f" ({damaged} others)" if damaged else ""))
    found = Arrays()
    for width, packets in sorted(frames.items()):
        _add_nexmon(found, "csi" if len(frames) == 1 else f"csi_{width}", width, packets, damaged)
    if len(frames) > 1:
        found.default = None
    return found


def _add_nexmon(found, name, width, packets, damaged):
    """Adds the array of one bandwidth: packets (mac, sequence) -> [(number, core, stream, values)]."""
    cores = sorted({core for parts in packets.values() for _, core, _, _ in parts})
    streams = sorted({stream for parts in packets.values() for _, _, stream, _ in parts})
    rows = []
    incomplete = 0
    for parts in packets.values():
        # A sequence number comes again, with fragments and retries and after 4,096 frames.
        one: Dict[Any, Any] = {}
        begun = 0
        for number, core, stream, values in parts:
            if one and ((core, stream) in one or number - begun > NEXMON_APART):
                incomplete += 1
                one = {}
            begun = begun if one else number
            one[core, stream] = values
            if len(one) == len(cores) * len(streams):
                rows.append((number, [[one[c, s] for s in streams] for c in cores]))
                one = {}
        incomplete += bool(one)
    if not rows:
        raise ValueError(f"no frame of {width} subcarriers has all of the cores {cores} and streams "
                         f"{streams} that are in the file")
    rows.sort(key=lambda row: row[0])
    array = np.fft.fftshift(np.array([row for _, row in rows]), axes=-1).astype(np.complex64)
    axes = "sample,rx,antenna,subcarrier"
    notes = [f"subcarriers {-width // 2} to {width // 2 - 1}, in ascending order"]
    if len(cores) == len(streams) == 1:
        array, axes = array[:, 0, 0], "sample,subcarrier"
    else:
        notes.append(f"cores {cores} are receive antennas, spatial streams {streams} the columns")
    if (used := _USED.get(("nexmon", width))):
        notes.append(f"null carriers are among them, --carriers {used} takes the others")
    if incomplete:
        notes.append(f"left out {incomplete} frames without all cores and streams")
    if damaged:
        notes.append(f"left out {damaged} packets that have no CSI")
    found.add(name, array, axes, *notes)


def nexmon_numbers(data: bytes, width: int, chip: str) -> np.ndarray:
    """CSI of one packet in the order of the FFT, complex128 (width,)."""
    form = CHIP_FORMATS[chip]
    if form is None:
        parts = np.frombuffer(data, "<i2", 2 * width).astype(np.float64)
        return parts[0::2] + 1j * parts[1::2]
    # From the top: sign and size of the real part, of the imaginary part, exponent in two's complement.
    bits, exponent_bits = form
    words = np.frombuffer(data, "<u4", width).astype(np.int64)
    exponent = words & ((1 << exponent_bits) - 1)
    exponent -= (exponent >> (exponent_bits - 1)) << exponent_bits
    parts = []
    for shift in (exponent_bits + bits, exponent_bits):
        part = words >> shift
        size = part & ((1 << (bits - 1)) - 1)
        parts.append(np.where(part >> (bits - 1) & 1, -size, size) * np.exp2(exponent))
    return parts[0] + 1j * parts[1]


def _udp_payloads(path):
    """Yields what UDP packets to the port of nexmon carry in a capture. Raises ValueError."""
    with open(path, "rb") as file:
        head = file.read(24)
        if head[:4] == PCAPNG_MAGIC:
            raise ValueError("is a pcapng capture; `editcap -F pcap IN OUT` of Wireshark makes a pcap")
        order = PCAP_MAGIC.get(head[:4])
        if order is None or len(head) < 24:
            raise ValueError("no pcap capture")
        link, = struct.unpack(order + "I", head[20:])
        link &= 0xffff
        if link not in LINK_BYTES:
            raise ValueError(f"the link type is {link}, allowed is {', '.join(map(str, LINK_BYTES))}")
        while len(record := file.read(16)) == 16:
            size, = struct.unpack_from(order + "I", record, 8)
            if size > 1 << 18:
                raise ValueError(f"a packet has {size} bytes: the capture is damaged")
            packet = file.read(size)
            if len(packet) < size:  # the capture was cut while it was written
                return
            ip = packet[LINK_BYTES[link]:]
            if len(ip) < 28 or ip[0] >> 4 != 4 or ip[9] != 17:
                continue
            udp = ip[4 * (ip[0] & 15):]
            if len(udp) >= 8 and int.from_bytes(udp[2:4], "big") == NEXMON_PORT:
                yield udp[8:max(8, int.from_bytes(udp[4:6], "big"))]


# -- Intel 5300 ----------------------------------------------------------------------------------

BFEE, INTEL_CARRIERS = 0xbb, 30
#: codes of the records of a log
INTEL_CODES = b"\xbb", b"\xc1"
_BFEE_HEADER = struct.Struct("<IHHBBBBBbBBHH")
_DEFAULT_NOISE_DBM = -92


def is_intel(head: bytes) -> bool:
    """Whether the beginning of a file is that of a log of the CSI Tool: a record whose sizes agree."""
    if len(head) < 3 + _BFEE_HEADER.size or head[2] != BFEE:
        return False
    size = int.from_bytes(head[:2], "big")
    _, _, _, nrx, ntx, *_, length, _ = _BFEE_HEADER.unpack_from(head, 3)
    return 1 <= nrx <= 3 and 1 <= ntx <= 3 and length == _bfee_bytes(nrx, ntx) and \
        size == 1 + _BFEE_HEADER.size + length


def _bfee_bytes(nrx, ntx):
    return (INTEL_CARRIERS * (nrx * ntx * 16 + 3) + 7) // 8


def read_intel(path: str) -> Arrays:
    """The CSI in a log of the Linux 802.11n CSI Tool.

    Arrays complex64 (packet, transmit antenna, receive antenna, 30 subcarriers), receive antennas A, B, C
    by the receiver's choice of antennas: `csi`, the numbers as they are in the file, -128 to 127, and
    `scaled`, the same in units of the noise's amplitude, as get_scaled_csi of the tool has them. Of
    several sizes `csi_2x3`, `scaled_2x3` and so on, transmit x receive antennas. Raises ValueError.
    """
    groups: Dict[Any, List[Any]] = {}
    damaged = unsure = 0
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        while len(head := file.read(3)) == 3:
            size = int.from_bytes(head[:2], "big")
            if size == 0:
                raise ValueError(f"a record at byte {file.tell() - 3} of {total} has no bytes: this is no "
                                 "log of the CSI Tool, or it is damaged")
            body = file.read(size - 1)
            if len(body) < size - 1:  # the log was cut while it was written
                damaged += 1
                break
            if head[2] != BFEE:
                continue
            if not is_intel(head + body):
                damaged += 1
                continue
            csi, scale, is_sure = _bfee(body)
            unsure += not is_sure
            groups.setdefault(csi.shape[:2], []).append((csi, scale))
    if not groups:
        raise ValueError(f"has no CSI of the Intel 5300 ({damaged} records are damaged)")
    found = Arrays()
    for (ntx, nrx), packets in groups.items():
        suffix = "" if len(groups) == 1 else f"_{ntx}x{nrx}"
        common = ["subcarriers -28 to 28 of 20 MHz or -58 to 58 of 40 MHz, 30 of them that are not "
                  "evenly spaced"]
        if ntx > 1:
            common.append("columns are transmit antennas, or streams behind the card's spatial mapping")
        if unsure:
            common.append(f"{unsure} packets do not say which antennas received them; they stay as they are")
        if damaged:
            common.append(f"left out {damaged} records that are damaged")
        csi = np.array([x for x, _ in packets])
        scales = np.array([s for _, s in packets])
        found.add("csi" + suffix, csi.astype(np.complex64), "sample,antenna,rx,subcarrier",
                  f"unscaled, as the card reports them; --key scaled{suffix} has them relative to the noise",
                  *common)
        if np.isfinite(scales).all():
            found.add("scaled" + suffix, (csi * scales[:, None, None, None]).astype(np.complex64),
                      "sample,antenna,rx,subcarrier", "scaled to the noise's amplitude", *common)
    if len(groups) > 1:
        found.default = None
    return found


def _bfee(body):
    """(csi (ntx, nrx, 30), factor of the scaled one, whether the antennas are known) of a record."""
    _, _, _, nrx, ntx, *rssi, noise, agc, antennas, length, _ = _BFEE_HEADER.unpack_from(body)
    bits = np.unpackbits(np.frombuffer(body, np.uint8, length, _BFEE_HEADER.size), bitorder="little")
    each = 3 + 16 * nrx * ntx
    # 3 bits, then real and imaginary parts of 8 bits, transmit antennas fastest.
    bits = bits[:INTEL_CARRIERS * each].reshape(INTEL_CARRIERS, each)[:, 3:]
    parts = np.packbits(bits.reshape(-1, 8), axis=1, bitorder="little").view(np.int8)
    parts = parts.reshape(INTEL_CARRIERS, nrx, ntx, 2).astype(np.float64)
    csi = (parts[..., 0] + 1j * parts[..., 1]).transpose(2, 1, 0)
    chains = [antennas >> 2 * i & 3 for i in range(nrx)]
    # Two antennas stay in the order of the file, as in the tool, which is theirs if it ascends.
    is_sure = nrx == 1 or (chains[0] < chains[1] if nrx == 2 else sorted(chains) == [0, 1, 2])
    if nrx == 3 and is_sure:
        ordered = np.empty_like(csi)
        ordered[:, chains] = csi
        csi = ordered
    power = np.square(np.abs(csi)).sum()
    received = sum(10 ** (r / 10) for r in rssi if r)
    if not power or not received:
        return csi, 0.0 if not power else np.nan, is_sure
    scale = received * 10 ** ((-44 - agc) / 10) / (power / INTEL_CARRIERS)
    noise_power = 10 ** ((_DEFAULT_NOISE_DBM if noise == -127 else noise) / 10) + scale * nrx * ntx
    # The transmitter shares its power among the antennas; the tool has 4.5 dB for three.
    share = {1: 1.0, 2: 2.0, 3: 10 ** 0.45}[ntx]
    return csi, np.sqrt(share * scale / noise_power), is_sure
