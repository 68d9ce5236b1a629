#!/usr/bin/env python3
"""Run a module of CPython's tests, or single cases, and write a line a case.

python_cases.py RESULTS MODULE           all its cases
python_cases.py RESULTS "" CASE...       cases by their ids
"""
import importlib
import os
import re
import sys
import unittest

from test import support

# VSOCK needs a hypervisor; siginterrupt_off takes a minute of sleeping.
OFF_TOPIC = ("VSOCK", "siginterrupt_off")


class Lines(unittest.TestResult):
    def __init__(self, path):
        super().__init__()
        self.lines = open(path, "a", buffering=1)
        self.bad = False

    def put(self, case, how):
        name = re.sub(r"\s+", "_", re.sub(r"0x[0-9a-f]+", "0x", str(case.id())))
        self.lines.write(f"{name}\t{how}\n")

    def startTest(self, case):
        super().startTest(case)
        self.bad = False

    def failed(self, case, error):
        self.bad = True
        self.put(case, "fail")
        print(self._exc_info_to_string(error, case), file=sys.stderr)

    def addError(self, case, error):
        self.failed(case, error)

    def addFailure(self, case, error):
        self.failed(case, error)

    def addSubTest(self, case, part, error):
        if error is not None:
            self.failed(case, error)

    def addSuccess(self, case):
        self.put(case, "fail" if self.bad else "pass")

    def addSkip(self, case, reason):
        self.put(case, "skip")

    def addExpectedFailure(self, case, error):
        self.put(case, "pass")

    def addUnexpectedSuccess(self, case):
        self.put(case, "fail")


def flat(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from flat(part)
        else:
            yield part


def main():
    path, module, *cases = sys.argv[1:]
    support.use_resources = ["cpu", "subprocess", "walltime"]
    os.chdir(os.environ["TMPDIR"])
    lines = Lines(path)
    loader = unittest.defaultTestLoader
    try:
        if module:
            suite = loader.loadTestsFromModule(importlib.import_module(module))
        else:
            suite = loader.loadTestsFromNames(cases)
    except unittest.SkipTest:
        lines.lines.write(f"{module}\tskip\n")
        return
    unittest.TestSuite(
        case for case in flat(suite) if not any(word in case.id() for word in OFF_TOPIC)
    ).run(lines)


if __name__ == "__main__":
    main()
