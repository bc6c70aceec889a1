#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the tests of blocks and programs share."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import time
from unittest import mock

import numpy as np
import pmt
from gnuradio import blocks, csifeedback, gr

VECTORS = {np.float32: (pmt.init_f32vector, pmt.f32vector_elements),
           np.int16: (pmt.init_s16vector, pmt.s16vector_elements),
           np.uint8: (pmt.init_u8vector, pmt.u8vector_elements),
           np.complex64: (pmt.init_c32vector, pmt.c32vector_elements)}


def command_of(name, *arguments):
    """The command line of csifeedback_NAME, as a list."""
    return [os.path.join(os.environ["CSIFEEDBACK_APPS"], "csifeedback_" + name),
            *map(str, arguments)]


def environment(**changes):
    """Environment variables of this process with changes, and one thread for linear algebra:
    sums are in the same order every time."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **changes}


def run_program(name, *arguments, before=(), variables=None, timeout=300, **options):
    """Runs csifeedback_NAME to its end; its completed process, with the output as text.

    before: command that begins it, for example `ip netns exec NAME`. variables: changes of the
    environment. timeout: in seconds. options: of subprocess.run.
    """
    return subprocess.run([*map(str, before), *command_of(name, *arguments)],
                          capture_output=True, text=True, timeout=timeout,
                          env=environment(**(variables or {})), **options)


def run_here(name, *arguments):
    """Runs csifeedback_NAME in this process, as run_program does in one of its own: for the many calls
    that end with a message about their arguments. A program takes a second or two to load."""
    program = importlib.import_module("gnuradio.csifeedback.cli." + name)
    run = importlib.import_module("gnuradio.csifeedback.cli.common").run
    command = command_of(name, *arguments)
    output, errors, status = io.StringIO(), io.StringIO(), None
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        with mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(output), \
                contextlib.redirect_stderr(errors):
            run(program.main)
    except SystemExit as ended:
        status = ended.code
    finally:
        signal.signal(signal.SIGINT, interrupted)
    return subprocess.CompletedProcess(command, status, output.getvalue(), errors.getvalue())


def pdu(values, **metadata):
    """A PDU of a NumPy array; metadata are numbers."""
    values = np.asarray(values)
    init = VECTORS[values.dtype.type][0]
    return pmt.cons(pmt.to_pmt(metadata), init(values.size, values.ravel().tolist()))


def metadata(message):
    """The metadata of a PDU as a dictionary."""
    return pmt.to_python(pmt.car(message)) or {}


def values(message, dtype):
    """The payload of a PDU as an array."""
    return np.array(VECTORS[dtype][1](pmt.cdr(message)), dtype)


def random_complex(rng, *shape):
    """Complex64 Gaussian numbers of unit variance."""
    return (rng.standard_normal(shape + (2,)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


@contextlib.contextmanager
def small_disk(test, place, size):
    """Makes a directory on a disk of its own, of `size` bytes; skips a TestCase that may not."""
    os.mkdir(place)
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place],
                              capture_output=True, text=True)
        if done.returncode:
            test.skipTest(f"no small disk can be mounted: {done.stderr.strip()}")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    finally:
        os.rmdir(place)


class Opener:
    """What a pickle may make Python do when it is read: here it makes a file."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (self._path, "w")


def numbered(kind, code_size, codec_id=1, model_id=77):
    """An Encoder or Decoder that has only its numbers, for framers and deframers."""
    return getattr(csifeedback, kind)(name="numbered", codec_id=codec_id, model_id=model_id, rows=8,
                                      nt=2, code_size=code_size)


def make_framer(quantizer, *arguments, codec_id=1, model_id=77, **options):
    """A feedback_framer whose frames have these numbers."""
    encoder = numbered("Encoder", quantizer.code_size(), codec_id, model_id)
    return csifeedback.feedback_framer(quantizer, encoder, *arguments, **options)


def make_deframer(quantizer, *arguments, codec_id=1, model_id=77, **options):
    """A feedback_deframer that takes frames with these numbers."""
    decoder = numbered("Decoder", quantizer.code_size(), codec_id, model_id)
    return csifeedback.feedback_deframer(quantizer, decoder, *arguments, **options)


class Messages:
    """Posts messages to one port of a block and collects what another port sends."""

    def __init__(self, block, port_in="pdus", port_out="pdus"):
        self.flowgraph = gr.top_block()
        self.block, self.port = block, pmt.intern(port_in)
        self.store = blocks.message_debug()
        self._out = pmt.intern(port_out)
        self.flowgraph.msg_connect(block, port_out, self.store, "store")

    def run(self, messages, expected, seconds=60):
        """Posts the messages, waits until as many as expected came out, and returns them."""
        self.flowgraph.start()
        try:
            for message in messages:
                self.block.to_basic_block()._post(self.port, message)
            end = time.monotonic() + seconds
            while (self.block.nmsgs(self.port) > 0 or self.store.num_messages() < expected) \
                    and time.monotonic() < end:
                time.sleep(0.005)
            # The last message is taken off the queue before it is handled, and one more than
            # expected must not come.
            time.sleep(0.05)
        finally:
            self.flowgraph.stop()
            self.flowgraph.wait()
            # The block may be run again, in another flowgraph.
            self.block.message_port_unsub(
                self._out, pmt.cons(self.store.alias_pmt(), pmt.intern("store")))
        return [self.store.get_message(i) for i in range(self.store.num_messages())]


def stream(block, inputs, dtypes_out, tags=()):
    """Runs arrays (n, vlen) through a block; returns the arrays that come out, and the tags.

    tags: gr.tag_t of input 0. Returns (list of arrays, list of tags of output 0).
    """
    flowgraph = gr.top_block()
    for port, x in enumerate(inputs):
        x = np.ascontiguousarray(x)
        make = {np.float32: blocks.vector_source_f, np.int16: blocks.vector_source_s,
                np.complex64: blocks.vector_source_c}[x.dtype.type]
        vlen = x.shape[1] if x.ndim > 1 else 1
        source = make(x.ravel().tolist(), False, vlen, list(tags) if port == 0 else [])
        flowgraph.connect(source, (block, port))
    sinks = []
    for port, (dtype, vlen) in enumerate(dtypes_out):
        sink = {np.float32: blocks.vector_sink_f, np.int16: blocks.vector_sink_s,
                np.complex64: blocks.vector_sink_c}[dtype](vlen)
        flowgraph.connect((block, port), sink)
        sinks.append((sink, dtype, vlen))
    flowgraph.run()
    outputs = [np.array(sink.data(), dtype).reshape(-1, vlen) for sink, dtype, vlen in sinks]
    return outputs, list(sinks[0][0].tags()) if sinks else []


def tag(offset, key, value):
    """A stream tag; value is a PMT."""
    t = gr.tag_t()
    t.offset, t.key, t.value = offset, pmt.intern(key), value
    return t
