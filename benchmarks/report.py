"""The table that compare.py prints, made from the figures of every round."""

from statistics import median

from limits import roof
from targets import TARGETS, verdict
from workloads import WORKLOADS

NEAR = 0.9  # of the fastest probe; below, something else ran on the CPUs, or two of them were one core
ONE_THREAD = "fastnn@1"  # fastnn again, on one thread
OURS = ("fastnn", ONE_THREAD)


class Rounds:
    """The rounds of one workload that nothing disturbed; all of them if there is no such round."""

    def __init__(self, workload: str, results: dict):
        found, self.load = results["workloads"][workload], WORKLOADS[workload]
        self.calm = [i for i, speed in enumerate(found["probes"]) if speed >= NEAR * results["probe"]]
        self.all, self.repeated, self.refused = len(found["probes"]), found["repeated"], found["refused"]
        chosen = self.calm or range(self.all)
        self.contenders, self.limits, self.caches = found["contenders"], results["limits"], results["caches"]
        self.ms = {name: [c["ms"][i] for i in chosen] for name, c in self.contenders.items()}

    def roof(self, name: str) -> float:
        """Milliseconds of the roof for as many threads as a contender has."""
        threads = self.contenders[name]["threads"]
        return roof(self.load, threads, self.limits[str(threads)], self.caches) * 1000

    def ratios(self, name: str) -> list[float]:
        """A contender's time over fastnn's, round by round."""
        return [other / own for other, own in zip(self.ms[name], self.ms["fastnn"], strict=True)]

    def over_roof(self, name: str) -> float:
        """Median time over the roof for that many threads."""
        return median(self.ms[name]) / self.roof(name)

    @property
    def best_peer(self) -> str | None:
        """The contender whose median ratio is the least."""
        return min((n for n in self.ms if n not in OURS), key=lambda n: median(self.ratios(n)), default=None)


def spread(ratios: list[float]) -> str:
    """Median and range."""
    return f"{median(ratios):.2f}x [{min(ratios):.2f}..{max(ratios):.2f}]"


def verdicts(workload: str, rounds: Rounds) -> str:
    """Which targets are met."""
    if workload not in TARGETS:
        return "-"
    target = TARGETS[workload]
    said = [verdict("roof", rounds.over_roof("fastnn"), target.roof, at_most=True)]
    for title, name, bounds in (
        ("eager", "torch-eager", target.eager),
        ("peer", rounds.best_peer, target.peer),
    ):
        if name in rounds.ms:
            said.append(verdict(title, median(rounds.ratios(name)), bounds))
    return ", ".join(filter(None, said))


def row(workload: str, results: dict, names: list[str]) -> str:
    """A line of the table."""
    rounds = Rounds(workload, results)
    ms, best = rounds.ms, rounds.best_peer
    cells = [
        f"{workload}: {WORKLOADS[workload]}",
        f"{median(ms['fastnn']):.4g}",
        f"{rounds.roof('fastnn'):.4g}",
        f"{rounds.over_roof('fastnn'):.2f}x",
        spread(rounds.ratios("torch-eager")) if "torch-eager" in ms else "-",
        f"{spread(rounds.ratios(best))} {best}" if best else "-",
        verdicts(workload, rounds),
    ]
    for name in names:
        text = "-"
        if name == ONE_THREAD and name in ms:
            text = f"{median(ms[name]):.4g}, {rounds.over_roof(name):.2f}x roof"
        elif name in ms:
            text = f"{median(ms[name]):.4g} ({rounds.contenders[name]['threads']})"
        cells.append(text)
    return "| " + " | ".join(cells) + " |"


def table(results: dict) -> str:
    """The Markdown table."""
    workloads = results["workloads"]
    names = list(dict.fromkeys(n for found in workloads.values() for n in found["contenders"] if n != "fastnn"))
    titles = ["workload", "fastnn, ms", "roof, ms", "fastnn / roof", "torch-eager / fastnn", "best peer / fastnn"]
    titles += ["targets", *names]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return "\n".join(lines + [row(workload, results, names) for workload in workloads])


def notes(results: dict) -> str:
    """How calm the machine was, whether the work was equal, who took no part, and what the figures are relative to."""
    lines = []
    for workload, found in results["workloads"].items():
        rounds = Rounds(workload, results)
        text = f"{workload}: {len(rounds.calm)} of {rounds.all} rounds undisturbed"
        if not rounds.calm:
            text += " (ALL ARE DISTURBED, and shown nevertheless)"
        elif len(rounds.calm) < rounds.all:
            text += " (the others are left out)"
        lines.append(f"{text}, {rounds.repeated} turns repeated.")
        losses = {n: c["loss"] for n, c in found["contenders"].items() if c["loss"] is not None}
        if losses:
            middle = median(losses.values())
            odd = [name for name, loss in losses.items() if not abs(loss - middle) <= 0.15 * abs(middle)]
            lines.append("  Losses: " + ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items()) + ".")
            lines += [f"  NOT THE SAME WORK: {', '.join(odd)}."] if odd else []
        lines += [f"  Without {name}: {why}." for name, why in rounds.refused.items()]
    contenders = [c for found in results["workloads"].values() for c in found["contenders"].values()]
    lines.append("Versions: " + ", ".join(dict.fromkeys(c["version"] for c in contenders)))
    for n, limits in results["limits"].items():
        text = ", ".join(
            f"{name} {value:.0f} {'GFLOP/s' if name == 'fma' else 'GB/s'}" for name, value in limits.items()
        )
        lines.append(f"Limits, {n} thread{'s' * (n != '1')}: {text}")
    return "\n".join(lines)
