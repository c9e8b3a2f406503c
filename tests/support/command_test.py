# SPDX-License-Identifier: MIT
"""command_test.py -- a test of the program that runs it in a folder."""
import subprocess


class CommandTest:
    """bad: how many checks failed; each was told."""

    def __init__(self, cwm, folder):
        self.cwm, self.folder, self.bad = cwm, folder, 0

    def check(self, what, good, more=""):
        if not good:
            print(f"{what}\n{more[:2000]}")
            self.bad += 1

    def run(self, *words, code=0):
        done = subprocess.run([self.cwm, *map(str, words)], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, text=True)
        self.check(f"{words}: exit code {done.returncode}, not {code}",
                   done.returncode == code, done.stderr)
        return done
