"""Runs Keras' own tests on fastnn: ``python tests/peers/keras/run.py --help``."""

import argparse
import fnmatch
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]

import finder  # noqa: E402

finder.install()

import reasons  # noqa: E402
import suite  # noqa: E402

SKIPS = HERE / "skips.txt"
Outcomes = dict[str, dict[str, tuple[str, str]]]


def read_skips() -> dict[str, str]:
    """``file::Class.test`` to its reason; a line that begins with "# " is the reason of those after it."""
    found, reason = {}, ""
    for line in SKIPS.read_text().splitlines() if SKIPS.exists() else []:
        if line.startswith("# "):
            reason = line[2:]
        elif line:
            found[line] = reason
    return found


def write_skips(outcomes: Outcomes, listed: dict[str, str]) -> None:
    """List what fails now, with its reason; entries of files that were not run stay."""
    failing = {key: reason for key, reason in listed.items() if key.partition("::")[0] not in outcomes}
    for file, found in outcomes.items():
        for name, (outcome, error) in found.items():
            if outcome == suite.FAILED:
                key = f"{file}::{name}"
                failing[key] = reasons.reason(file, name, error, listed.get(key))
    groups: dict[str, list[str]] = {}
    for key, reason in failing.items():
        groups.setdefault(reason, []).append(key)
    order = sorted(groups, key=lambda reason: (reason.startswith(reasons.NOT_YET), reason))
    SKIPS.write_text("\n".join("\n".join([f"# {reason}", *groups[reason], ""]) for reason in order))


def table(outcomes: Outcomes, tiers: dict[str, list[str]]) -> str:
    """Functions that pass, fail and are left out by Keras, by file."""
    lines = []
    for tier, files in tiers.items():
        total = [0, 0, 0, 0]
        lines.append(f"{tier:<48}{'passed':>8}{'failed':>8}{'left out':>10}{'functions':>11}")
        for file in (file for file in files if file in outcomes):
            found = [outcome for outcome, _ in outcomes[file].values()]
            counts = [found.count(kind) for kind in (suite.PASSED, suite.FAILED, suite.LEFT_OUT)] + [len(found)]
            total = [a + b for a, b in zip(total, counts, strict=True)]
            lines.append("{:<48}{:>8}{:>8}{:>10}{:>11}".format(file, *counts))
        lines += ["{:<48}{:>8}{:>8}{:>10}{:>11}".format("all", *total), ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", help="files to run, as 'losses/*'; default: all")
    parser.add_argument("--update", action="store_true", help="write skips.txt anew")
    parser.add_argument("--errors", action="store_true", help="show the error of every function that fails")
    parser.add_argument("--json", type=Path, help="write the outcomes to a file")
    arguments = parser.parse_args()
    start = time.perf_counter()
    tiers = {"tier 1": suite.files(suite.TIER_1), "tier 2": suite.files(suite.TIER_2)}
    wanted = [file for files in tiers.values() for file in files]
    if arguments.patterns:
        wanted = [file for file in wanted if any(fnmatch.fnmatch(file, p) for p in arguments.patterns)]
    outcomes: Outcomes = {file: suite.run_file(file) for file in wanted}
    listed = read_skips()
    if arguments.update:
        write_skips(outcomes, listed)
        listed = read_skips()
    flat = {f"{file}::{name}": found for file, names in outcomes.items() for name, found in names.items()}
    unlisted = [f"{key}: {text}" for key, (kind, text) in flat.items() if kind == suite.FAILED and key not in listed]
    passing = [key for key in listed if key in flat and flat[key][0] != suite.FAILED]
    unknown = [key for key in listed if key.partition("::")[0] in outcomes and key not in flat]
    if arguments.errors:
        print("\n".join(f"{key}: {text}" for key, (kind, text) in flat.items() if kind == suite.FAILED))
    print(table(outcomes, tiers))
    print(f"{time.perf_counter() - start:.1f} s")
    if arguments.json:
        passed = {
            tier: sum(flat[k][0] == suite.PASSED for k in flat if k.partition("::")[0] in files)
            for tier, files in tiers.items()
        }
        found = {
            "passed": passed,
            "functions": {tier: sum(k.partition("::")[0] in files for k in flat) for tier, files in tiers.items()},
            "unlisted": unlisted,
            "listed_but_not_failing": passing,
            "listed_but_unknown": unknown,
        }
        arguments.json.write_text(json.dumps(found))
    for title, keys in (
        ("fail and are not listed", unlisted),
        ("are listed and do not fail", passing),
        ("are listed and do not exist", unknown),
    ):
        if keys:
            print(f"{len(keys)} {title}:", *keys, sep="\n  ")
    return bool(unlisted or passing or unknown)


if __name__ == "__main__":
    sys.exit(main())
