# SPDX-License-Identifier: Apache-2.0
"""Counts the cases of Meson's test logs and names each skip and failure.

Ends with one line: N passed, N failed, N skipped. Exit status 1 if anything failed or nothing ran.
"""
import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b\s*(\d*)\s*(?:-\s*)?(.*)$")
REASON = re.compile(r"^# skip: (.*)$")


def cases(test):
    """Yield (name, outcome, reason) for each case of one test program."""
    reason, seen, failed = "", False, False
    for line in (test.get("stdout") or "").splitlines():
        note = REASON.match(line)
        if note:
            reason = note.group(1)
            continue
        case = CASE.match(line)
        if not case:
            continue
        seen = True
        name = f"{test['name']}: {case.group(3)}".replace("# SKIP", "").strip()
        if re.search(r"#\s*SKIP", line, re.I):
            said = re.sub(r".*#\s*SKIP\s*", "", line, flags=re.I)
            yield name, "skipped", reason or said or "no reason given"
        else:
            failed = failed or bool(case.group(1))
            yield name, "failed" if case.group(1) else "passed", ""
        reason = ""
    result = test["result"]
    if result == "SKIP" and not seen:
        yield test["name"], "skipped", reason or "no reason given"
    elif not seen or (result in ("TIMEOUT", "ERROR", "INTERRUPT") and not failed):
        yield test["name"], "passed" if result == "OK" else "failed", result
    elif result == "FAIL" and "not ok" not in (test.get("stdout") or ""):
        yield test["name"], "failed", "exit status"


def main(paths):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        try:
            lines = open(path, encoding="utf-8", errors="replace").read().splitlines()
        except OSError:
            continue
        for line in lines:
            for name, outcome, reason in cases(json.loads(line)):
                count[outcome] += 1
                if outcome == "skipped":
                    print(f"skipped: {name}: {reason}")
                elif outcome == "failed":
                    print(f"FAILED:  {name} {reason}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
