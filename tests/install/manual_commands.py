#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Runs the commands of the README and the manual with the installed programs, page by page, in the
order in which they stand: usage: manual_commands.py [--list] [PAGE...]

SHORTER says what is made smaller, so that a page takes seconds or minutes and not hours; LEFT_OUT says
what is not run and why. Everything else that a page shows in a block of commands runs, and has to end
with 0. BS and UE that stand together run together, until the UE has had some frames.
"""

import argparse
import fnmatch
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
PAGES = ["README.md", "CONTRIBUTING.md", "apps/flowgraphs/README.md",
         *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]
#: First words of lines that are commands; a block without one is no block of commands.
WORDS = ("csifeedback_", "python3 ", "torchrun ", "head ", "ssh ", "dask ", "cmake ", "sudo ", "export ",
         "apps/", "tests/")
#: A regular expression of what a page says -> what is enough here.
SHORTER = {
    r"^ssh \S+ ": "",
    r" \.\.\. ": " ",
    # The predictive quantizer needs 256 matrices that are not kept for validation.
    r"^(csifeedback_dataset .*--samples) (\d+)": lambda m: f"{m[1]} {min(int(m[2]), 300)}",
    r"^(csifeedback_(?!dataset).*--samples) (\d+)": lambda m: f"{m[1]} {min(int(m[2]), 200)}",
    r"--steps [1-9]\d*": "--steps 3 --batch 4",
    r"--budget-minutes \d+": "--budget-minutes 0.02 --batch 4",
    r"--slots-per-drop \d+": "--slots-per-drop 100",
    r"--record-samples \d+": "--record-samples 60",
    r"^csifeedback_reproduce .*": lambda m: re.sub(r" --samples \d+", "", m[0]) + " --samples 10",
    r"csifeedback_bench ": "csifeedback_bench --repeats 1 --batch 8 ",
    r"csinet\.pt 30": "csinet.pt 1",
    r"^(csifeedback_eval (?!.*--samples).*)": r"\1 --samples 50",
}
#: A regular expression of commands that are not run -> why.
LEFT_OUT = {
    r"^(apps/demo|tests/run)$": "builds the tree: in_chroot --demo, --tests",
    r"cmake -B|cmake --build|cmake --install": "builds the tree: tests install and core_library",
    r"^export CSIFEEDBACK_CODECS=|first-cells": "needs a plugin in C++: test plugin_qa_cpp builds this one",
    r"^dask |tcp://": "needs a cluster: test python_qa_cluster has one",
    r"uhd:|soapy:": "needs a radio",
    r"^csifeedback_reproduce (papers|bits|ue-operations|sites|codebooks|throughput)|experiments\.codebooks":
        "every codec, or trainings: takes minutes to hours on few samples too",
    r"experiments\.scenario_statistics|sionna(?!\.h5)|^(export )?(DRJIT|TRACE)|^\$TRACE": "needs Sionna",
    r"^torchrun": "test python_qa_training",
    r"^csifeedback_view [^-]*$": "a window that somebody has to close",
}
#: Seconds that a command may take, and frames after which a UE ends.
LIMIT, FRAMES = 900, 20


class Command(NamedTuple):
    page: str
    line: int
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}: {self.text}"


def blocks(page: str) -> List[List[Command]]:
    """The blocks of commands of a page, without comments, continued lines joined."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for block in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if block[1] not in ("", "sh"):
            continue
        line = text[:block.start()].count("\n") + 2
        commands = []
        for joined in re.findall(r"(?:.*\\\n)*.*\n", block[2]):
            command = re.sub(r" +# .*| *&$", "", re.sub(r"\s*\\\n\s*", " ", joined)).strip()
            if command.startswith(WORDS):
                commands += [Command(page, line, one) for one in re.split(r"; ", command)]
            line += joined.count("\n")
        if commands:
            found.append(commands)
    return found


def left_out(command: str) -> str:
    """Why a command is not run; "" if it is."""
    return next((why for what, why in LEFT_OUT.items() if re.search(what, command)), "")


def shortened(command: str) -> str:
    for what, enough in SHORTER.items():
        command = re.sub(what, enough, command)
    return command


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_end(command: str) -> bool:
    """Whether this is an end that waits for the other one."""
    return bool(re.match(r"csifeedback_(bs|ue) ", command)) and "--air file:" not in command


class Page:
    """Runs the commands of a page in a directory of its own."""

    def __init__(self, directory: str):
        import manual_files  # needs the installed module
        self.make_files = manual_files.make
        self.directory = directory
        self.failed: List[str] = []

    def start(self, command: str) -> subprocess.Popen:
        words, _, file = command.partition(" > ")
        output = open(os.path.join(self.directory, file or "stdout"), "w")
        errors = open(os.path.join(self.directory, "stderr"), "a")
        with output, errors:
            return subprocess.Popen(
                ["sh", "-c", words] if re.search(r"[$|]|^head ", words) else shlex.split(words),
                cwd=self.directory, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)

    def end(self, process: subprocess.Popen, command: str) -> bool:
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code:
            print(f"  ended with {code}: {command}")
            for name in ("stdout", "stderr"):
                text = pathlib.Path(self.directory, name)
                if text.exists():
                    print("    " + "\n    ".join(text.read_text(errors="replace").splitlines()[-15:]))
        return code == 0

    def run(self, commands: List[Command]) -> None:
        """One command, or a BS and a UE."""
        begin = time.monotonic()
        texts = [shortened(c.text) for c in commands]
        for text in texts:
            self.make_files(text, pathlib.Path(self.directory))
            imported = re.match(r"csifeedback_dataset import .* -o (\S+)$", text)
            if imported:  # recipes are alternatives, and give their files the same name
                pathlib.Path(self.directory, imported[1]).unlink(missing_ok=True)
        pathlib.Path(self.directory, "stderr").write_text("")
        good = self.run_ends(texts) if is_end(texts[0]) else self.end(self.start(texts[0]), texts[0])
        for command, text in zip(commands, texts):
            print(f"{'passed' if good else 'FAILED'} {time.monotonic() - begin:6.1f} s  "
                  f"{command.page}:{command.line}: {text}", flush=True)
            if not good:
                self.failed.append(str(command))

    def run_ends(self, texts: List[str]) -> bool:
        ends: Dict[str, str] = {text[12:14]: text for text in texts}
        codec = re.search(r"--codec \S+", texts[0])
        links = f"--air zmq://127.0.0.1:{free_port()} --feedback zmq://127.0.0.1:{free_port()} --duration 300"
        bs = ends.get("bs", f"csifeedback_bs {codec[0] if codec else '--codec cdl-c-300x8-klt'} --channel cdl-c")
        if "ue" not in ends:
            return self.end(self.start(self.with_options(bs, f"{links} --count {FRAMES}")), bs)
        ue = self.with_options(ends["ue"], f"{links} " + ("" if "--record " in ends["ue"] else f"--count {FRAMES}"))
        station = self.start(self.with_options(bs, links))
        other = self.start(ue)
        while station.poll() is None and other.poll() is None:
            time.sleep(0.1)
        if station.poll() is not None:
            other.send_signal(signal.SIGINT)
            print(f"  the BS ended before the UE: {bs}")
            return self.end(other, ue) and self.end(station, bs) and False
        good = self.end(other, ue)
        station.send_signal(signal.SIGINT)
        return self.end(station, bs) and good

    @staticmethod
    def with_options(command: str, options: str) -> str:
        words, redirection, file = command.partition(" > ")
        return f"{words} {options}{redirection}{file}"


def together(block: List[Command]) -> List[List[Command]]:
    """The commands of a block, a BS and a UE that follow each other as one."""
    steps: List[List[Command]] = []
    for command in block:
        last = steps[-1] if steps else []
        if (len(last) == 1 and is_end(shortened(last[0].text)) and is_end(shortened(command.text))
                and shortened(last[0].text)[:14] != shortened(command.text)[:14]):
            last.append(command)
        else:
            steps.append([command])
    return steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="show the commands, run nothing")
    parser.add_argument("pages", nargs="*", default=PAGES, metavar="PAGE", help="part of a name, or a pattern")
    args = parser.parse_args()
    pages = [p for p in PAGES if any(part in p or fnmatch.fnmatch(p, part) for part in args.pages)]
    failed: List[str] = []
    count = 0
    for page in pages:
        if not blocks(page):
            continue
        directory = tempfile.mkdtemp(prefix="manual-")
        try:
            runner = None if args.list else Page(directory)
            for block in blocks(page):
                for command in [c for c in block if left_out(c.text)]:
                    print(f"left out        {command}: {left_out(command.text)}")
                for step in together([c for c in block if not left_out(c.text)]):
                    count += len(step)
                    if not runner:
                        print("run             " + "\n                ".join(map(str, step)))
                    else:
                        runner.run(step)
            failed += runner.failed if runner else []
        finally:
            shutil.rmtree(directory)
    print(f"{count} commands of {len(pages)} pages, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
