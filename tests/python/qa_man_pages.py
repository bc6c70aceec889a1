#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Man pages and completion: every option is there, man takes them, bash and zsh complete with them."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from gnuradio.csifeedback.cli import manual


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, **options)


class ManPages(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.directory = cls.temporary.name
        manual.write(cls.directory)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def test_programs(self):
        """Of all programs, and of nothing else."""
        programs = [n for n in os.listdir(os.environ["CSIFEEDBACK_APPS"]) if n.startswith("csifeedback_")]
        self.assertEqual(sorted(manual.PROGRAMS), sorted(programs))
        self.assertEqual(sorted(os.listdir(self.path("bash"))), sorted(programs))

    def test_without_pytorch(self):
        """The build makes the pages where PyTorch is not installed, without the options of its trainers."""
        with tempfile.TemporaryDirectory() as directory:
            done = run(sys.executable, "-B", "-c", "import sys; sys.modules['torch'] = None\n"
                       "from gnuradio.csifeedback.cli import manual; manual.main(sys.argv[1:])", directory)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("no options of csi-l2o: its trainer cannot be imported", done.stderr)
            with open(os.path.join(directory, "csifeedback_train.1")) as file:
                self.assertIn("mlcf", file.read())

    def test_options(self):
        """Every option of every program, command and codec is in the page, with its help."""
        for name in manual.PROGRAMS:
            with open(self.path(name + ".1")) as file:
                text = file.read()
            one = manual.program(name)
            parsers = [one.parser, *(sub.parser for sub in one.commands.values()), *(p for _, p in one.more)]
            count = 0
            for parser in parsers:
                for action in manual.options(parser):
                    for option in action.option_strings:
                        self.assertIn(f"\\fB{manual.roff(option)}\\fR", text, name)
                        count += 1
            self.assertGreater(count, 5)
        with open(self.path("csifeedback_dataset.1")) as file:
            text = file.read()
        self.assertIn("subcarriers come as an FFT has them, DC first", text)
        self.assertIn(".SS import", text)
        with open(self.path("csifeedback_train.1")) as file:
            self.assertIn("\\-\\-tied\\-steps", file.read())

    def test_parsers_are_whole_again(self):
        """What finds the parsers leaves nothing behind."""
        with self.assertRaises(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            manual.common.Parser(prog="x").parse_args(["--version"])

    @unittest.skipUnless(shutil.which("man"), "no man")
    def test_man(self):
        """man shows each page without a warning, and what it shows has the options as typed."""
        for name in manual.PROGRAMS:
            done = run("man", "--warnings=w", "-l", self.path(name + ".1"),
                       env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat",
                            "GROFF_NO_SGR": "1"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            shown = re.sub(".\b", "", done.stdout)  # letters that are struck twice
            self.assertIn("SYNOPSIS", shown)
            self.assertIn("--json", shown)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_mandoc(self):
        for name in manual.PROGRAMS:
            done = run("mandoc", "-T", "lint", "-W", "warning", self.path(name + ".1"))
            wrong = [line for line in done.stdout.splitlines() if "missing date" not in line]
            self.assertEqual(wrong, [], name)

    def complete(self, *words):
        """What bash proposes for the last word."""
        text = " ".join(f"'{w}'" for w in words)
        done = run("bash", "--norc", "-c", f"""
source {self.path("bash", words[0])}
PATH={os.environ["CSIFEEDBACK_APPS"]}:$PATH
COMP_WORDS=({text}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_{words[0]}
printf '%s\\n' "${{COMPREPLY[@]}}"
""", cwd=self.directory)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash(self):
        self.assertEqual(self.complete("csifeedback_dataset", "im"), ["import"])
        self.assertEqual(self.complete("csifeedback_dataset", "import", "--fft"), ["--fft-order"])
        self.assertEqual(self.complete("csifeedback_dataset", "import", "--domain", ""), ["H", "Ha"])
        self.assertIn("cost2100-indoor", self.complete("csifeedback_dataset", "generate", "--channel", "cost"))
        self.assertIn("--seed", self.complete("csifeedback_dataset", "generate", "--se"))
        self.assertEqual(self.complete("csifeedback_dataset", "import", "--se"), [])
        self.assertEqual(self.complete("csifeedback_train", "--codec", "local"), ["local-klt"])
        self.assertIn("csi-l2o", self.complete("csifeedback_train", "--codec", ""))
        self.assertIn("klt-columns", self.complete("csifeedback_train", "sweep", "--codec", "klt", "klt-c"))
        self.assertIn("lloyd-max", self.complete("csifeedback_eval", "--quantizer", "l"))
        # Names of models, and files.
        self.assertIn("cost2100-indoor-klt", self.complete("csifeedback_eval", "--codec", "cost2100-indoor-k"))
        self.assertEqual(self.complete("csifeedback_eval", "--dataset", "csifeedback_ev"), ["csifeedback_eval.1"])
        self.assertEqual(self.complete("csifeedback_reproduce", "-o", "ba"), ["bash"])
        self.assertIn("bits", self.complete("csifeedback_reproduce", "bit"))

    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh(self):
        """The specifications that _arguments gets."""
        def specifications(*words):
            text = " ".join(words)
            done = run("zsh", "-f", "-c", f"""
_arguments() {{ print -rl -- "$@" }}
service={words[0]}; words=({text}); CURRENT={len(words)}
source {self.path("zsh", "_csifeedback")}""")
            self.assertEqual(done.stderr, "")
            return done.stdout.splitlines()

        self.assertIn("*--fft-order", specifications("csifeedback_dataset", "import", ""))
        self.assertNotIn("*--fft-order", specifications("csifeedback_dataset", "generate", ""))
        self.assertIn("*:value:(generate eigenvectors import export inspect models)",
                      specifications("csifeedback_dataset", ""))
        codecs = [s for s in specifications("csifeedback_train", "") if s.startswith("*--codec[")]
        self.assertEqual(len(codecs), 1)
        self.assertIn(" local-klt ", codecs[0])


if __name__ == "__main__":
    unittest.main()
