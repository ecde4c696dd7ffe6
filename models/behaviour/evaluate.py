#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a behaviour model is worth on hosts and attacks that it never saw: leave one image out, and
half of the attack families, in turn; three seeds. Prints a table for docs/evaluation.md.
usage: evaluate.py REEVE STREAMS [SEEDS [HOW-TO-TRAIN...]]   (nothing is recorded here; ten minutes a
seed). HOW-TO-TRAIN: `--head kernel` for what runs in the kernel, as shipped."""
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

reeve, streams = sys.argv[1], pathlib.Path(sys.argv[2])
seeds = range(1, 1 + int(sys.argv[3]) if len(sys.argv) > 3 else 4)
how = sys.argv[4:]
UNSEEN = "unseen host image, unseen families"
RISKS = (200, 240, 300, 400)
HALVES = (
    {"dropper", "persist", "ransom", "recon", "revshell", "inject"},
    {"evasion", "miner", "privesc", "secrets", "spread", "webshell", "wiper"},
)


def parts(path):  # NAME.vN.IMAGE.bN.seg
    name, _, image, block, _ = path.name.split(".")
    return name, image, int(block[1:])


normal = sorted(p for p in (streams / "normal").glob("*.seg") if p.stat().st_size >= 200)
attack = sorted(p for p in (streams / "attack").glob("*.seg") if p.stat().st_size >= 200)
images = sorted({parts(p)[1] for p in normal})
last = max(parts(p)[2] for p in normal)


def run(*words):
    return subprocess.run([reeve, "model", *map(str, words)], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def train(model, seed, normals, attacks):
    run("train", "--task", "behaviour", "--normal", *normals, "--attack", *attacks, "--seed", seed,
        *how, "-o", model)


def measure(model, normals, attacks):
    return json.loads(run("eval", "--model", model, "--normal", *normals, "--attack", *attacks,
                          "--json"))


def trainings():
    """Training normals and attacks, and what is measured with the model: title, normals, attacks."""
    for image in images:
        here = [p for p in normal if parts(p)[1] == image]
        attacks = [p for p in attack if parts(p)[1] == image]
        for half in HALVES:
            yield ([p for p in normal if parts(p)[1] != image],
                   [p for p in attack if parts(p)[1] != image and parts(p)[0] not in half],
                   [(UNSEEN, here, [p for p in attacks if parts(p)[0] in half]),
                    ("unseen host image, families seen elsewhere", here,
                     [p for p in attacks if parts(p)[0] not in half])])
    for half in HALVES:
        yield ([p for p in normal if parts(p)[2] != last],
               [p for p in attack if parts(p)[2] != last and parts(p)[0] not in half],
               [("same hosts later, unseen families", [p for p in normal if parts(p)[2] == last],
                 [p for p in attack if parts(p)[0] in half])])


def work(seed, normals, attacks, tests):
    with tempfile.TemporaryDirectory() as name:
        model = pathlib.Path(name) / "model.rv"
        train(model, seed, normals, attacks)
        return [(seed, title, len(test_attacks), measure(model, test_normals, test_attacks))
                for title, test_normals, test_attacks in tests]


def main():
    results = {}
    families = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(work, seed, *training) for seed in seeds for training in trainings()]
        for number, job in enumerate(jobs):
            for seed, title, attacks, report in job.result():
                for point in report["operating"]:
                    key = (title, point["view"], point["risk"])
                    total = results.setdefault(key, {}).setdefault(seed, [0, 0, 0, 0])
                    total[0] += point["alarms"]
                    total[1] += report["counts"]["normal vectors"]
                    total[2] += round(point["detection_ppm"] * attacks / 1e6)
                    total[3] += attacks
                for family, count in report["families"].items() if title == UNSEEN else ():
                    total = families.setdefault(family, [0, 0])
                    total[0] += count["found"]
                    total[1] += count["streams"]
            print(f"{number + 1} of {len(jobs)} models measured", file=sys.stderr)
    print("Found, and false alarms in 100,000 verdicts, by the risk that alarms:\n")
    print("| protocol | model |" + "".join(f" {risk} |" for risk in RISKS))
    print("|---|---|" + "---|" * len(RISKS))
    for title, view in sorted({(title, view) for title, view, _ in results}):
        cells = [cell(results[title, view, risk]) for risk in RISKS]
        print(f"| {title} | {view} | {' | '.join(cells)} |")
    print("\n| family, never learnt, on an unseen image | found at risk 300 |\n|---|---|")
    for family, (found, streams_of) in sorted(families.items()):
        print(f"| {family} | {found / streams_of:.2f} ({found} of {streams_of}) |")


def cell(by_seed):
    found = [t[2] / t[3] for t in by_seed.values()]
    wrong = [t[0] * 1e5 / t[1] for t in by_seed.values()]
    return f"{spread(found, 2)} at {spread(wrong, 0)}"


def spread(values, digits):
    return (f"{statistics.mean(values):.{digits}f} "
            f"[{min(values):.{digits}f}, {max(values):.{digits}f}]")


main()
