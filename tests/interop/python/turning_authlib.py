"""PyPI Authlib, checking tokens again and again while keys turn."""

import functools
import time

import requests
from authlib.integrations.base_client import BaseApp
from authlib.integrations.base_client.sync_app import OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from token_watch import KEPT, NoAnswer, watch


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    """What Authlib registers for a web framework, minus the framework."""

    client_cls = OAuth2Session


class Issuer:
    """Authlib keeps a key set until it is told to fetch it again; here by what the issuer allows."""

    def __init__(self, issuer: str) -> None:
        metadata = f"{issuer}/.well-known/openid-configuration"
        self._app = App(framework=None, name="turning", client_id="turning", server_metadata_url=metadata)
        self.asked = float("-inf")
        self._keys = None

    def keys(self) -> KeySet:
        now = time.monotonic()
        if now - self.asked >= KEPT:
            try:
                self._keys = KeySet.import_key_set(self._app.fetch_jwk_set(force=True))
            except requests.RequestException as error:
                raise NoAnswer from error
            self.asked = now
        return self._keys


@functools.cache
def known(issuer: str) -> Issuer:
    return Issuer(issuer)


def check(issuer: str, audience: str, token: str) -> None:
    keys = known(issuer).keys()
    decoded = jwt.decode(token, keys, registry=JWSRegistry(algorithms=["ES256", "RS256"]))
    assert decoded.header["typ"] == "at+jwt"
    rules = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
    jwt.JWTClaimsRegistry(**rules, exp={"essential": True}, iat={"essential": True}).validate(decoded.claims)


watch(check, lambda issuer: known(issuer).asked)
