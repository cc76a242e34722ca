"""What `nn.lint` returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One mistake.  `rule`: a short key; `where`: module path or source line; `remedy`."""

    rule: str
    text: str
    remedy: str
    where: str = ""

    def __str__(self) -> str:
        at = f" [{self.where}]" if self.where else ""
        return f"{self.rule}{at}: {self.text}. Remedy: {self.remedy}"


class Report:
    """The findings, in order; false where there is none."""

    def __init__(self, findings: list[Finding]):
        self.findings = tuple(findings)

    @property
    def rules(self) -> tuple[str, ...]:
        """The keys of what was found."""
        return tuple(finding.rule for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return "lint: nothing found"
        lines = [f"lint: {len(self.findings)} found"]
        return "\n".join([*lines, *(f"- {finding}" for finding in self.findings)])

    __repr__ = __str__
