#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a behaviour model is worth on hosts and attacks that it never saw: leave one image out, and
half of the attack families, in turn; three seeds. Prints a table for docs/evaluation.md.
usage: evaluate.py REEVE STREAMS [SEEDS]   (nothing is recorded here; two minutes a seed)"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

reeve, streams = sys.argv[1], pathlib.Path(sys.argv[2])
seeds = range(1, 1 + int(sys.argv[3]) if len(sys.argv) > 3 else 4)
HALVES = (
    {"dropper", "persist", "ransom", "recon", "revshell", "inject"},
    {"evasion", "miner", "privesc", "secrets", "spread", "webshell", "wiper"},
)


def parts(path):  # NAME.vN.IMAGE.bN.seg
    name, _, image, block, _ = path.name.split(".")
    return name, image, int(block[1:])


normal = sorted((streams / "normal").glob("*.seg"))
attack = sorted((streams / "attack").glob("*.seg"))
images = sorted({parts(p)[1] for p in normal})
last = max(parts(p)[2] for p in normal)


def run(*words):
    return subprocess.run([reeve, "model", *map(str, words)], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def train(folder, seed, normals, attacks):
    model = folder / "model.rv"
    run("train", "--task", "behaviour", "--normal", *normals, "--attack", *attacks, "--seed", seed,
        "-o", model)
    return model


def measure(model, normals, attacks):
    return json.loads(run("eval", "--model", model, "--normal", *normals, "--attack", *attacks,
                          "--json"))


def is_empty(path):
    return path.stat().st_size < 200


def tests():
    """Name, held-out image (or none), training normals and attacks, test normals and attacks."""
    for image in images:
        for half in HALVES:
            far = [p for p in normal if parts(p)[1] != image]
            far_attacks = [p for p in attack if parts(p)[1] != image and parts(p)[0] not in half]
            here = [p for p in normal if parts(p)[1] == image]
            yield ("unseen host image, unseen families", image, far, far_attacks, here,
                   [p for p in attack if parts(p)[1] == image and parts(p)[0] in half])
            yield ("unseen host image, families seen elsewhere", image, far, far_attacks, here,
                   [p for p in attack if parts(p)[1] == image and parts(p)[0] not in half])
    late = [p for p in normal if parts(p)[2] == last]
    early = [p for p in normal if parts(p)[2] != last]
    for half in HALVES:
        yield ("same hosts later, unseen families", "all", early,
               [p for p in attack if parts(p)[2] != last and parts(p)[0] not in half], late,
               [p for p in attack if parts(p)[0] in half])


def main():
    results = {}
    families = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for seed in seeds:
            known = None
            for title, image, *sets in tests():
                sets = [[p for p in s if not is_empty(p)] for s in sets]
                if known != (sets[0], sets[1]):
                    model = train(folder, seed, sets[0], sets[1])
                    known = (sets[0], sets[1])
                report = measure(model, sets[2], sets[3])
                for point in report["operating"]:
                    if point["risk"] in (200, 300, 400):
                        key = (title, point["view"], point["risk"])
                        total = results.setdefault(key, {}).setdefault(seed, [0, 0, 0, 0])
                        total[0] += point["alarms"]
                        total[1] += report["counts"]["normal vectors"]
                        total[2] += round(point["detection_ppm"] * len(sets[3]) / 1e6)
                        total[3] += len(sets[3])
                if title.startswith("unseen host image, unseen"):
                    for family, count in report["families"].items():
                        total = families.setdefault(family, [0, 0])
                        total[0] += count["found"]
                        total[1] += count["streams"]
                print(f"seed {seed}: {title}, {image}", file=sys.stderr)
    print("| protocol | model | risk | attacks found | false alarms in 100,000 verdicts |")
    print("|---|---|---|---|---|")
    for (title, view, risk), by_seed in sorted(results.items()):
        found = [t[2] / t[3] for t in by_seed.values()]
        wrong = [t[0] * 1e5 / t[1] for t in by_seed.values()]
        print(f"| {title} | {view} | {risk} | {spread(found, 2)} | {spread(wrong, 0)} |")
    print("\n| family, never learnt, on an unseen image | found at risk 300 |\n|---|---|")
    for family, (found, streams_of) in sorted(families.items()):
        print(f"| {family} | {found / streams_of:.2f} ({found} of {streams_of}) |")


def spread(values, digits):
    return (f"{statistics.mean(values):.{digits}f} "
            f"[{min(values):.{digits}f}, {max(values):.{digits}f}]")


main()
