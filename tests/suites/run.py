#!/usr/bin/env python3
"""Third-party test suites with and without the shim: does any case tell that it is there?

run.py [SUITE...]    all suites: those that stand here as SUITE.sh, but lib.bash and once.sh

Each suite runs twice without the shim (cases whose result changes are flaky), once with it under `observe`, and once under the
policies of POLICIES. A case that comes out otherwise is run again five times both ways, by itself: it differs when one of these gives a
result that it never gave without the shim. Cases that test closing itself are left out under POLICIES, each with its reason in
left_out.txt. Exit status 1 when anything differs. Results and logs stay in $SCRATCH/results.
"""
import fnmatch
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
POLICIES = os.environ.get("POLICIES") or "legacy-server"
SCRATCH = pathlib.Path(os.environ.setdefault("SCRATCH", "/tmp/lastack-suites"))
RESULTS = SCRATCH / "results"
AGAIN = 5
MANY = 60  # so many cases that differ are no accident: not run again
COLUMNS = ("suite", "cases", "plain", "observe", "policies", "left out", "flaky", "differing")


def say(line):
    print(line, flush=True)


def run_once(suite, how, name, cases=()):
    path = RESULTS / f"{suite}.{name}"
    subprocess.run([HERE / "once.sh", suite, how, path, *cases], check=True)
    found = {}
    for line in path.read_text(errors="replace").splitlines():
        case, _, result = line.rpartition("\t")
        found[case] = "fail" if found.get(case) == "fail" else result
    return found


def read_left_out(suite):
    """Patterns of cases that the policies may change."""
    lines = (line.split() for line in (HERE / "left_out.txt").read_text().splitlines())
    return [words[1] for words in lines if len(words) == 2 and words[0] == suite]


def differing(suite, how, plain, seen, cases):
    """Those of `cases` whose result under `how` is one that they never have without the shim; and those that had it only once."""
    suspects = sorted(case for case in cases if seen.get(case) not in {run.get(case) for run in plain})
    if len(suspects) > MANY:
        return suspects, []
    without = {case: {run.get(case) for run in plain} for case in suspects}
    with_it = {case: set() for case in suspects}
    for _ in range(AGAIN if suspects else 0):
        for results, again in ((without, "plain"), (with_it, how)):
            found = run_once(suite, again, "again", suspects)
            for case in suspects:
                results[case].add(found.get(case))
    # What cannot be run by itself (a whole module that crashed) is not excused.
    really = [case for case in suspects if with_it[case] - without[case] or with_it[case] == {None}]
    return really, [case for case in suspects if case not in really]


def row_of(cells):
    return f"{cells[0]:<12}" + "".join(f"{cell:>11}" for cell in cells[1:])


def passed(results):
    return sum(result == "pass" for result in results.values())


def compare(suite):
    subprocess.run([HERE / "once.sh", suite, "prepare"], check=True)
    plain = [run_once(suite, "plain", "plain1"), run_once(suite, "plain", "plain2")]
    ways = {"observe": "observe", "policies": POLICIES}
    seen = {name: run_once(suite, how, name) for name, how in ways.items()}
    cases = set().union(*plain, *seen.values())
    flaky = {case for case in cases if plain[0].get(case) != plain[1].get(case)}
    patterns = read_left_out(suite)
    left_out = {case for case in cases if any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)}
    really, once = {}, {}
    for name, how in ways.items():
        subject = cases - flaky - (left_out if name == "policies" else set())
        really[name], once[name] = differing(suite, how, plain, seen[name], subject)
    for case in sorted(flaky):
        say(f"  flaky      {case}")
    for name in ways:
        for case in once[name]:
            say(f"  flaky      {case}: {seen[name].get(case)} once under {ways[name]}, then as without")
            flaky.add(case)
        for case in really[name]:
            say(f"  DIFFERING  {case}: {plain[0].get(case)} without, {seen[name].get(case)} under {ways[name]}")
    count = sum(map(len, really.values()))
    return (suite, len(cases), passed(plain[0]), passed(seen["observe"]), passed(seen["policies"]), len(left_out), len(flaky), count)


def main():
    suites = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.sh") if path.stem != "once")
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = []
    say(f"each suite: plain twice, observe, and policies {POLICIES}")
    say(row_of(COLUMNS))
    for suite in suites:
        rows.append(compare(suite))
        say(row_of(rows[-1]))
    total = ("total", *(sum(row[i] for row in rows) for i in range(1, len(COLUMNS))))
    say(row_of(total))
    empty = [row[0] for row in rows if row[1] == 0]
    if empty:
        say("no cases at all: " + ", ".join(empty))
    sys.exit(1 if total[-1] or empty else 0)


if __name__ == "__main__":
    main()
