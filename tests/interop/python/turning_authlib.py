"""PyPI Authlib, checking tokens again and again while keys turn."""

import time

from authlib.integrations.base_client import BaseApp
from authlib.integrations.base_client.sync_app import OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from token_watch import KEPT, watch


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    """What Authlib registers for a web framework, minus the framework."""

    client_cls = OAuth2Session


class Issuer:
    """Authlib keeps a key set until it is told to fetch it again; here by what the issuer allows."""

    def __init__(self, issuer: str) -> None:
        metadata = f"{issuer}/.well-known/openid-configuration"
        self._app = App(framework=None, name="turning", client_id="turning", server_metadata_url=metadata)
        self._fetched = float("-inf")
        self._keys = None

    def keys(self) -> KeySet:
        if time.monotonic() - self._fetched >= KEPT:
            self._keys = KeySet.import_key_set(self._app.fetch_jwk_set(force=True))
            self._fetched = time.monotonic()
        return self._keys


issuers: dict[str, Issuer] = {}


def check(issuer: str, audience: str, token: str) -> None:
    keys = issuers.setdefault(issuer, Issuer(issuer)).keys()
    decoded = jwt.decode(token, keys, registry=JWSRegistry(algorithms=["ES256", "RS256"]))
    assert decoded.header["typ"] == "at+jwt"
    rules = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
    jwt.JWTClaimsRegistry(**rules, exp={"essential": True}, iat={"essential": True}).validate(decoded.claims)


watch(check)
