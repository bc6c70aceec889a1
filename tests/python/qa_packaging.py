#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The Debian source package and the conda recipe name what there is."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = re.search(r"project\(gr-csifeedback VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
PROGRAMS = sorted(path.name.partition("_")[2] for path in (ROOT / "apps").glob("csifeedback_*"))


def fields(text):
    """Paragraphs of a control file as dictionaries."""
    found = []
    for paragraph in text.strip().split("\n\n"):
        joined = re.sub(r"\n[ \t]+", " ", paragraph)
        found.append(dict(line.split(":", 1) for line in joined.splitlines()))
    return found


class Debian(unittest.TestCase):

    def read(self, name):
        return (ROOT / "debian" / name).read_text()

    def test_versions(self):
        self.assertRegex(self.read("changelog"), rf"\Agr-csifeedback \({re.escape(VERSION)}-\d+\)")
        packages = {p.get("Package", "").strip() for p in fields(self.read("control"))}
        # The library's package has the name of its soname.
        self.assertIn(f"libgnuradio-csifeedback{VERSION}", packages)
        for name in packages - {""}:
            self.assertTrue((ROOT / "debian" / f"{name}.install").exists(), name)

    def test_build_depends(self):
        """What apps/build installs to build the module is what the package needs to be built."""
        needed = re.search(r"packages=\((.*?)\n\)", (ROOT / "apps" / "build").read_text(), re.DOTALL)[1]
        words = {w.strip('"') for w in needed.split()}
        depends = fields(self.read("control"))[0]["Build-Depends"]
        known = set(re.findall(r"[a-z0-9][a-z0-9.+-]+", depends))
        if "pkgconf" in known:  # apps/build also serves releases where both are to be had
            known.add("pkg-config")
        # In build-essential, a part of gnuradio-dev, or needed to run alone.
        for names in words - {"g++", "make", "gnuradio", "gir1.2-gtk-3.0"}:
            self.assertTrue(known & set(names.split("|")), names)

    def test_programs(self):
        self.assertEqual(re.search(r"for program in (.*);", self.read("tests/programs"))[1].split(), PROGRAMS)

    @unittest.skipUnless(shutil.which("dpkg-source") and shutil.which("dh"), "no dpkg-dev and debhelper")
    def test_source_package(self):
        """dpkg-source makes it; lintian, where it is, has nothing to say."""
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory, f"gr-csifeedback-{VERSION}")
            # What is packaged does not matter here, and takes minutes to pack.
            shutil.copytree(ROOT / "debian", tree / "debian")
            for name in ("CMakeLists.txt", "LICENSE", "README.md"):
                shutil.copy(ROOT / name, tree)
            # debian/copyright names these.
            for name in set(re.findall(r"^Files: (.*)$", self.read("copyright"), re.M)) - {"*"}:
                (tree / name).parent.mkdir(parents=True)
                shutil.copy(ROOT / name, tree / name)
            subprocess.run(["tar", "-czf", f"gr-csifeedback_{VERSION}.orig.tar.gz", "--exclude=debian", tree.name],
                           cwd=directory, check=True)
            done = subprocess.run(["dpkg-source", "-b", tree.name], cwd=directory, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout)
            if shutil.which("lintian"):
                # Which policy is the newest is a matter of this machine's release.
                done = subprocess.run(
                    ["lintian", "--pedantic", "--display-info", "--fail-on", "error,warning,info,pedantic",
                     "--suppress-tags", "newer-standards-version,out-of-date-standards-version",
                     f"gr-csifeedback_{VERSION}-1.dsc"],
                    cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode, 0, done.stdout)


class Conda(unittest.TestCase):
    """The recipe as conda-build sees it: selectors, then Jinja, then YAML."""

    def render(self):
        text = (ROOT / ".conda" / "recipe" / "meta.yaml").read_text()
        text = re.sub(r"^.*# \[(?:win|os\.environ|gnuradio_extra_pin|build_platform).*\n", "", text, flags=re.M)
        try:
            import jinja2
        except ImportError:
            self.skipTest("no Jinja")
        import datetime
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
        return yaml.safe_load(environment.from_string(text).render(
            environ={}, datetime=datetime, compiler=lambda name: f"{name}_compiler", target_platform="linux-64",
            pin_compatible=lambda name, **_: name, gnuradio_extra_pin=""))

    def test_recipe(self):
        recipe = self.render()
        self.assertLessEqual({"package", "source", "build", "requirements", "test", "about"}, set(recipe))
        self.assertEqual(recipe["package"]["name"], "gnuradio-csifeedback")
        self.assertTrue(recipe["package"]["version"].startswith(VERSION))
        self.assertEqual(recipe["test"]["imports"], ["gnuradio.csifeedback"])
        for name in ("build", "host", "run"):
            self.assertTrue(all(isinstance(x, str) for x in recipe["requirements"][name]))
        commands = recipe["test"]["commands"]
        self.assertEqual([c.split()[0][12:] for c in commands if c.endswith(" --help")], PROGRAMS)
        blocks = [re.search(r"blocks/(\w+)\.block", c)[1] for c in commands if "/grc/blocks/" in c]
        self.assertEqual(blocks, sorted(p.name[:-len(".block.yml")] for p in (ROOT / "grc").glob("*.block.yml")))
        for header in (re.search(r"/include/(\S+)", c)[1] for c in commands if "/include/" in c):
            self.assertTrue((ROOT / "include" / header).exists(), header)


if __name__ == "__main__":
    unittest.main()
