"""A scenario's report: figures and complaints."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from .verdict import Verdict


@dataclass(slots=True)
class Report:
    """A scenario's report."""

    times_s: dict[str, list[float]] = field(default_factory=dict)
    """Durations by outcome."""
    complaints: list[str] = field(default_factory=list)
    kills: int = 0
    duration_s: float = 0.0

    @property
    def ends(self) -> Counter[str]:
        """Number of requests by outcome."""
        return Counter({end: len(times_s) for end, times_s in self.times_s.items()})

    def add(self, verdict: Verdict, duration_s: float, *, what: str = "") -> None:
        """Add the outcome of a request."""
        end = " ".join(word for word in (what, verdict.kind.value, verdict.code) if word)
        self.times_s.setdefault(end, []).append(duration_s)
        self.complain(verdict.complaint)

    def complain(self, complaint: str) -> None:
        """Add a complaint, unless it is empty."""
        if complaint:
            self.complaints.append(complaint)

    def __str__(self) -> str:
        lines = [f"{self.kills} kills, {len(self.complaints)} complaints, {self.duration_s:.0f} s"]
        lines += [
            f"  {len(times_s):4} {end}: median {statistics.median(times_s):.3f} s, worst {max(times_s):.3f} s"
            for end, times_s in sorted(self.times_s.items())
        ]
        return "\n".join(lines)
