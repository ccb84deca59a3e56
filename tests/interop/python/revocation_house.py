"""Providers whose people, apps and services are signed in, and then are not."""

import os
import re
from pathlib import Path

from settings import settings
from turning_house import Clocks, House

API = "https://notes.example.com"
SCOPE = "notes:read"
SPA = settings["browser_origin"]
# A token must not run out by itself while it is watched.
LIFE = 3600
CLOCKS = Clocks(300, 361, LIFE, f'[keys]\nalgorithms = ALGORITHMS\n[tokens]\naccess_token_ttl = "{LIFE}s"\n[limits]\n')


class BusyHouse(House):
    """With so many people, services, and apps that will be taken out of service, each for one trial."""

    def __init__(self, name: str, people: int, apps: int, *, database: str | None = None, processes: int = 1) -> None:
        self._apps = apps
        super().__init__(name, ["ES256"], CLOCKS, database=database, processes=processes)
        try:
            # A password takes its time.
            for first in range(0, people, 100):
                names = (f"person{at}" for at in range(first, min(first + 100, people)))
                users = (f'[[users]]\nusername = "{name}"\npassword = "{settings["password"]}"\n' for name in names)
                self._write("people.toml", "".join(users))
                self.run("apply", "people.toml")
        except BaseException:
            self.kill()
            raise

    def registry(self) -> str:
        secret = settings["client_secret"]
        text = f"""
[[resources]]
identifier = "{API}"
name = "Notes"
scopes = ["{SCOPE}"]
[[clients]]
client_id = "listener"
application_type = "service"
client_secret = "{secret}"
scope = "frontdesk:revocations"
[[clients]]
client_id = "spa"
application_type = "browser"
first_party = true
refresh_token_delivery = "cookie"
redirect_uris = ["{settings["browser_redirect_uri"]}"]
allowed_origins = ["{SPA}"]
scope = "openid {SCOPE}"
"""
        web = ["web", "asks", *(f"app{at}" for at in range(self._apps))]
        for client in web:
            text += f"""
[[clients]]
client_id = "{client}"
application_type = "web"
first_party = {"false" if client == "asks" else "true"}
client_secret = "{secret}"
refresh_token_issuance = "always"
redirect_uris = ["{settings["web_redirect_uri"]}"]
post_logout_redirect_uris = ["{settings["web_post_logout_redirect_uri"]}"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
scope = "openid {SCOPE}"
"""
        for at in range(self._apps):
            text += f"""
[[clients]]
client_id = "service{at}"
application_type = "service"
client_secret = "{secret}"
scope = "{SCOPE}"
"""
        return text


def guide(document: str, name: str, folder: Path) -> None:
    """Writes down the program of a guide whose first line names the file."""
    text = (Path(__file__).parents[3] / document).read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if block.startswith(f"# {name}\n")]
    assert len(blocks) == 1, f"{document}: {len(blocks)} blocks are named {name}"
    (folder / name).write_text(blocks[0], encoding="utf-8")


def is_long() -> bool:
    return os.environ.get("FRONTDESK_TESTS") == "long"
