"""PyPI PyJWT with its PyJWKClient, checking tokens again and again while keys turn."""

import functools
import time

import jwt

from token_watch import KEPT, NoAnswer, watch


class Keys(jwt.PyJWKClient):
    """Asks when the set may not be kept any longer, and never because a key is not in it."""

    asked = float("-inf")

    def fetch_data(self) -> dict:
        now = time.monotonic()
        data = super().fetch_data()
        self.asked = now
        return data

    def get_jwk_set(self, refresh: bool = False) -> jwt.PyJWKSet:
        if refresh:
            raise jwt.PyJWKClientError("the key is not in the set, which may still be kept")
        return super().get_jwk_set()


@functools.cache
def keys_of(issuer: str) -> Keys:
    return Keys(f"{issuer}/.well-known/jwks.json", lifespan=KEPT)


def check(issuer: str, audience: str, token: str) -> None:
    try:
        key = keys_of(issuer).get_signing_key_from_jwt(token)
    except jwt.PyJWKClientConnectionError as error:
        raise NoAnswer from error
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    jwt.decode(token, key, algorithms=[header["alg"]], issuer=issuer, audience=audience, options={"require": ["exp", "iat", "sub"]})


watch(check, lambda issuer: keys_of(issuer).asked)
