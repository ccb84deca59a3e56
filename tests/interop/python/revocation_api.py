"""`revocation_api.py FOLDER ISSUER AUDIENCE [CLIENT SECRET]`: an API that checks tokens all the time, with the programs of our guides
that lie in the folder. It polls the status lists; with a client it also listens to the stream.

It reads lines `NUMBER TOKEN`. It prints `NUMBER TIME accepted|refused|unavailable WORDS` whenever that changes, and `- TIME up|down` when the
stream comes and goes. REVOCATION=unsafe has it keep the first list that it sees, and not listen.
"""

import os
import sys
import threading
import time

folder, issuer, audience, *client = sys.argv[1:]
sys.path.insert(0, folder)

import jwt  # noqa: E402
from revocations import Revocations  # noqa: E402
from status_lists import Revoked, StatusLists, Unavailable  # noqa: E402

# Seconds between two checks of a token, and for how long it is known that its signature is good.
PAUSE, SIGNATURE_KEPT = 0.05, 60
unsafe = os.environ.get("REVOCATION") == "unsafe"


class FirstList(StatusLists):
    """Never asks twice."""

    def _poll(self) -> None:
        pass


keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")
lists = (FirstList if unsafe else StatusLists)(issuer, keys)
stream = Revocations(issuer, tuple(client), lists) if client and not unsafe else None


def say(who: str, words: str) -> None:
    sys.stdout.write(f"{who} {time.time():.3f} {words}\n")
    sys.stdout.flush()


class Watched:
    """A token that is shown again and again."""

    def __init__(self, number: str, token: str) -> None:
        self._number, self._token, self._state = number, token, ""
        self._verified, self._good_until = {}, 0.0

    def show(self) -> None:
        state = self._check()
        if state != self._state:
            self._state = state
            say(self._number, state)

    def _check(self) -> str:
        try:
            if self._good_until < time.monotonic():
                self._verify()
            lists.check(self._verified["header"]["kid"], self._verified["payload"])
        except Revoked:
            return "refused revoked"
        except (Unavailable, jwt.PyJWKClientConnectionError) as error:
            return f"unavailable {type(error).__name__}"
        except jwt.PyJWTError as error:
            return f"refused {type(error).__name__}"
        return "accepted"

    def _verify(self) -> None:
        key = keys.get_signing_key_from_jwt(self._token)
        self._verified = jwt.decode_complete(self._token, key, algorithms=["ES256"], issuer=issuer, audience=audience)
        assert self._verified["header"]["typ"] == "at+jwt"
        self._good_until = time.monotonic() + SIGNATURE_KEPT


watched: list[Watched] = []


def read() -> None:
    for line in sys.stdin:
        watched.append(Watched(*line.split()))


reading = threading.Thread(target=read)
reading.start()
if stream:
    stream.start()
was_up = False
while reading.is_alive():
    is_up = stream is not None and stream.connected
    if is_up != was_up:
        was_up = is_up
        say("-", "up" if is_up else "down")
    for one in watched[:]:
        one.show()
    time.sleep(PAUSE)
