"""What a scenario found, in figures and in complaints."""

from collections import Counter
from dataclasses import dataclass, field

from .verdict import Verdict


@dataclass(slots=True)
class Report:
    """What a scenario found."""

    ends: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    kills: int = 0
    slowest_s: float = 0.0
    duration_s: float = 0.0

    def add(self, verdict: Verdict, duration_s: float, *, what: str = "") -> None:
        """Take in one request's end."""
        self.ends[" ".join(word for word in (what, verdict.kind.value, verdict.code) if word)] += 1
        self.slowest_s = max(self.slowest_s, duration_s)
        self.complain(verdict.complaint)

    def complain(self, complaint: str) -> None:
        """Take in what is wrong; nothing when it is empty."""
        if complaint:
            self.complaints.append(complaint)

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        return (
            f"{ends}; {self.kills} kills; slowest {self.slowest_s:.2f} s; "
            f"{len(self.complaints)} complaints; {self.duration_s:.0f} s"
        )
