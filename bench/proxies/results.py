"""The results of a run, and their medians. Pure."""

import json
import statistics
from dataclasses import dataclass

from bench.proxies.scenarios import Figures

SUMMED = ("errors", "disordered_streams", "short_streams")
"""Faults are added up over the rounds: a median would hide them."""
FULL_SHARE = 0.95
DISTURBED_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a run."""

    date: str
    machine: str
    pinning: str
    versions: dict[str, str]
    is_quick: bool
    load_cores: int
    rounds: dict[str, dict[str, list[Figures]]]
    """By scenario and side."""
    memory_mb: dict[str, dict[str, float]]
    """By moment and side."""

    def medians(self, scenario: str) -> dict[str, Figures]:
        """Return the figures of a scenario by side: the median of its calm rounds, and the sum of all faults.

        A round is calm if other programs did not disturb it; without a calm round, all rounds count.
        """
        return {side: _median(rounds) for side, rounds in self.rounds.get(scenario, {}).items() if rounds}

    def as_json(self) -> str:
        """Return the results as JSON, with every round."""
        whole = {
            "date": self.date,
            "machine": self.machine,
            "pinning": self.pinning,
            "versions": self.versions,
            "is_quick": self.is_quick,
            "load_cores": self.load_cores,
            "memory_mb": self.memory_mb,
            "medians": {scenario: self.medians(scenario) for scenario in self.rounds},
            "rounds": self.rounds,
        }
        return json.dumps(_rounded(whole), indent=1) + "\n"


def disturbance(figures: Figures) -> float:
    """Return the largest share of a core that other programs took; 0 if it was not measured."""
    return max(figures.get("others_beside_proxy", 0.0), figures.get("others_beside_load", 0.0))


def limit(figures: Figures, load_cores: int) -> str:
    """Return what limited the figures, as far as the core usage shows it."""
    proxy = figures["proxy_busy"]
    behind = max(figures["upstream_busy"], figures["load_busy"])
    together = figures["upstream_busy"] + figures["load_busy"] + figures["others_beside_load"]
    if proxy + figures["others_beside_proxy"] >= FULL_SHARE:
        cause = "the proxy's core"
    elif behind >= FULL_SHARE or together >= FULL_SHARE * load_cores:
        cause = "load and upstream"
    else:
        cause = "the way to and fro"
    others = disturbance(figures)
    return f"{cause}; others took {others:.0%} of a core" if others >= DISTURBED_SHARE else cause


def _median(rounds: list[Figures]) -> Figures:
    calm = [figures for figures in rounds if disturbance(figures) <= DISTURBED_SHARE] or rounds
    return {
        key: sum(figures[key] for figures in rounds)
        if key in SUMMED
        else statistics.median([figures[key] for figures in calm])
        for key in rounds[0]
    }


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
