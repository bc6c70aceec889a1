#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Flowgraphs of base station and UE: samples over sockets, running, blocks that fail."""

import contextlib
import os
import threading
import time
from typing import Any, Callable, List, Optional, Sequence

import numpy as np
from gnuradio import gr

from ..data.sigmf import Recording
from .transport import MESSAGE_SAMPLES, SamplePublisher, SampleReceiver

#: A block whose thread has ended is taken to have failed when nothing has flowed for so long.
FAILURE_S = 3


class SampleSource(gr.sync_block):
    """Samples of a SamplePublisher or a ZMQ PUB Sink. ZMQ SUB Source ends for good with the first
    message of a wrong length; here such a message is refused and counted.

    receiver: SampleReceiver, which ends with the block.
    """

    def __init__(self, receiver: SampleReceiver) -> None:
        gr.sync_block.__init__(self, "samples", None, [np.complex64])
        self._receiver = receiver

    @property
    def refused(self) -> int:
        """Messages that were no samples."""
        return self._receiver.refused

    @property
    def skipped(self) -> int:
        """Messages that were left out to catch up."""
        return self._receiver.skipped

    def work(self, _: Any, output_items: List[np.ndarray]) -> int:
        # The scheduler waits for a moment after a call without output.
        return self._receiver.read(output_items[0], 0.25)

    def stop(self) -> bool:
        self._receiver.close()
        return True


class RecordingSource(gr.sync_block):
    """Samples of a recording of any type, once; an output for each channel that is replayed.

    recording: data.sigmf.Recording.
    """

    def __init__(self, recording: Recording) -> None:
        gr.sync_block.__init__(self, "recording", None, [np.complex64] * recording.count)
        self._recording, self._at = recording, 0

    def work(self, _: Any, output_items: List[np.ndarray]) -> int:
        x = np.empty(0)
        for channel, out in enumerate(output_items, self._recording.channel):
            x = self._recording.read(self._at, len(output_items[0]), channel)
            out[:len(x)] = x
        self._at += len(x)
        return len(x) or -1


class SampleSink(gr.sync_block):
    """Sends samples to all who connect.

    publisher: SamplePublisher, which ends with the block.
    """

    def __init__(self, publisher: SamplePublisher) -> None:
        gr.sync_block.__init__(self, "publisher", [np.complex64], None)
        # A call costs as much as some thousand samples.
        self.set_output_multiple(MESSAGE_SAMPLES)
        self._publisher = publisher

    def work(self, input_items: List[np.ndarray], _: Any) -> int:
        self._publisher.publish(input_items[0])
        return len(input_items[0])

    def stop(self) -> bool:
        self._publisher.close()
        return True


def enlarge_buffer(block: gr.basic_block, samples: int) -> None:
    """Lets a block be so many samples ahead: blocks cost by the call, not by the sample."""
    block.set_log_level("warn")  # or it would tell
    block.set_min_output_buffer(samples)


class Watch:
    """Finds blocks that ended with an exception. GNU Radio logs it and ends the block's thread, but
    neither the flowgraph nor the blocks before and behind.

    blocks: those to look after. progress(): a number that grows as long as samples flow.
    """

    def __init__(self, blocks: Sequence[gr.basic_block], progress: Callable[[], int]) -> None:
        # GNU Radio names threads so, with a number at the end and cut to 15 letters.
        self._threads = {b.name()[:12]: b.name() for b in blocks}
        self._progress = progress
        self._last: Optional[int] = None
        self._at = time.monotonic()

    def failed(self) -> Optional[str]:
        """Name of a block whose thread is gone although nothing has flowed for a while, or None. To
        be called while the flowgraph is not at its end."""
        now, progress = time.monotonic(), self._progress()
        if progress != self._last:
            self._last, self._at = progress, now
        if now < self._at + FAILURE_S:
            return None
        running = []
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm") as file:
                running.append(file.read())
        return next((name for begin, name in self._threads.items()
                     if not any(thread.startswith(begin) for thread in running)), None)


#: Set once a flowgraph has not ended 5 s after it was told to: threads of it still run, and the
#: interpreter must not be taken down around them.
unfinished = threading.Event()


class Runner:
    """Runs a flowgraph.

    flowgraph: a top_block. show(seconds, last): called once per second and at the end, with the time
    since the start and whether it is the end. watch: Watch, ends it if a block fails. count: number
    of frames() after which it ends, duration: time in s, above 0; None: no limit. stopped:
    threading.Event that ends it, None: one of its own.
    """

    def __init__(self, flowgraph: gr.top_block, show: Callable[[float, bool], None], watch: Watch,
                 frames: Callable[[], int] = lambda: 0, count: Optional[int] = None,
                 duration: Optional[float] = None,
                 stopped: Optional[threading.Event] = None) -> None:
        self._flowgraph, self._show, self._watch = flowgraph, show, watch
        self._frames, self._count, self._duration = frames, count, duration
        #: set it to end the flowgraph
        self.stopped = stopped or threading.Event()
        #: whether the flowgraph came to its end by itself
        self.ended = False

    def run(self) -> None:
        """Runs until the end. Raises ValueError if a block fails."""
        done = threading.Event()

        def wait():
            self._flowgraph.wait()
            done.set()

        start = time.monotonic()
        self._flowgraph.start()
        threading.Thread(target=wait, daemon=True).start()
        shown, failed = 0, None
        while not self.stopped.wait(0.05):
            seconds = time.monotonic() - start
            if done.is_set():
                self.ended = True
                break
            if (self._duration and seconds >= self._duration) or \
                    (self._count and self._frames() >= self._count):
                break
            if seconds >= shown + 1:
                shown = int(seconds)
                self._show(seconds, False)
            failed = self._watch.failed()
            # Threads are gone at a regular end too.
            if failed and not done.wait(0.5):
                break
            failed = None
        self.stopped.set()
        self._flowgraph.stop()
        if not done.wait(5):
            unfinished.set()
        self._show(time.monotonic() - start, True)
        if failed:
            raise ValueError(f"the block {failed} ended with an error, see GNU Radio's message "
                             "above")
