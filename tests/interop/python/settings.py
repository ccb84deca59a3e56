"""What tests/interop/run registered."""

import json
import os
from dataclasses import dataclass

with open(os.environ["INTEROP_SETTINGS"], encoding="utf-8") as file:
    settings = json.load(file)


@dataclass(frozen=True)
class Algorithm:
    """An algorithm and what is registered for it."""

    alg: str

    @property
    def id(self) -> str:
        return self.alg.lower()

    @property
    def resource(self) -> str:
        return f"https://{self.id}.api.example.com"

    @property
    def scope(self) -> str:
        return f"{self.id}:read"


ES256 = Algorithm("ES256")
RS256 = Algorithm("RS256")
ALGORITHMS = (ES256, RS256)


def other(one: Algorithm) -> Algorithm:
    """The algorithm that is not the given one."""
    return RS256 if one == ES256 else ES256
