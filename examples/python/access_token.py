"""Sallyport's access tokens, verified with PyJWT. This file is there to be copied; it needs no other file."""

import json
import re
import threading
import time
import urllib.parse
import urllib.request

import jwt

# Longest token that is looked at. Sallyport's are under 2 KiB; parsing is work that a stranger must not be able to order.
MAX_TOKEN_LENGTH = 4096

# Clocks of two machines differ; half a minute is enough, and a dead token must not live much longer for it.
CLOCK_TOLERANCE_SECONDS = 30

# The longest life that Sallyport can be told to give an access token. A longer one is somebody's mistake.
MAX_LIFETIME_SECONDS = 600

# The only spelling of an ES256 token that is taken: three base64url parts, the first two a JSON object (`eyJ` is `{"`),
# the last one 64 bytes whose four spare bits are zero. PyJWT drops those bits and takes padding, and a token that can be
# spelled in several ways slips past any list of tokens. To be used with fullmatch: `$` would allow a line break.
COMPACT_ES256 = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")


class TokenRefused(Exception):
    """The token is not good enough. The text is for the log, the client only ever reads `invalid_token`."""


class KeysUnavailable(Exception):
    """The key set cannot be had, so nothing can be said about the token: our trouble, not the client's."""


def verify_access_token(token, *, issuer, audience, keys):
    """The claims of a good token.

    Raises TokenRefused for a bad one, KeysUnavailable when it could not be decided.
    """
    try:
        return _verified_claims(token, issuer, audience, keys)
    except (TokenRefused, KeysUnavailable):
        raise
    except Exception as error:
        # Not only jwt.PyJWTError: `exp` 1e400 gives an OverflowError, deep nesting a RecursionError.
        raise TokenRefused(f"{type(error).__name__}: {error}") from error


def _verified_claims(token, issuer, audience, keys):
    _must(len(token) <= MAX_TOKEN_LENGTH and COMPACT_ES256.fullmatch(token), "not a compact ES256 token")
    header = jwt.get_unverified_header(token)
    # PyJWT does not look at `typ`: without it, another kind of token signed by the same issuer could pass for an access
    # token. Exactly these three members leave no room for `crit`, `b64`, `jwk` or `jku` either.
    _must(header == {"alg": "ES256", "typ": "at+jwt", "kid": header.get("kid")}, "not the header of an access token")
    key = keys.find(header["kid"])
    _must(key is not None, "unknown key")
    claims = jwt.decode(
        token,
        key,
        algorithms=["ES256"],  # never what the token says
        issuer=issuer,
        audience=audience,
        leeway=CLOCK_TOLERANCE_SECONDS,
        # PyJWT takes a token without `exp`, which never ends.
        options={"require": ["exp", "iat", "auth_time"]},
    )
    _check_claims(claims, audience)
    return claims


def _check_claims(claims, audience):
    """Checks the claims that PyJWT leaves alone or takes too lightly."""
    # PyJWT accepts a list that contains us; a token for several services could be replayed between them.
    _must(claims["aud"] == audience, "aud is not exactly this service")
    # PyJWT rounds 1.5 and reads "17"; and a bool is an int in Python, hence `type(…) is`.
    for name in ("exp", "iat", "auth_time"):
        _must(type(claims[name]) is int, f"{name} is not an integer")
    _must(claims["exp"] - claims["iat"] <= MAX_LIFETIME_SECONDS, "lives too long")
    # `sub` is whose rights these are; `sid` and `jti` are what a list of ended sessions or spent tokens goes by. How the
    # user signed in (`acr`) decides what the token is good for.
    for name in ("sub", "sid", "jti", "acr"):
        _must(isinstance(claims.get(name), str) and claims[name] != "", f"no {name}")
    _must(isinstance(claims.get("amr"), list), "no amr")
    # Bound to a key of its holder (RFC 9449): as a plain bearer token it was stolen or is being misused.
    _must("cnf" not in claims, "bound to a key")


def _must(condition, reason):
    if not condition:
        raise TokenRefused(reason)


class KeySet:
    """The public keys of an issuer by their `kid`, fetched when they are needed.

    Instead of jwt.PyJWKClient, which fetches the set again for every unknown `kid`, so that a stranger decides how often.
    """

    LIFETIME_SECONDS = 300  # a key that the issuer drops is trusted no longer than this
    PAUSE_SECONDS = 30  # between two fetches, however many unknown key ids come in
    RETRY_SECONDS = 5  # after a fetch that failed
    TIMEOUT_SECONDS = 5
    MAX_BYTES = 64 * 1024

    def __init__(self, url):
        """Raises ValueError for an address from which others on the way could slip in a key of theirs."""
        parts = urllib.parse.urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError(f"not a safe key set URL: {url}")
        self._url = url
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._lock = threading.Lock()
        self._keys = {}
        self._expires_at = self._next_fetch_at = time.monotonic()

    def find(self, kid):
        """The key of this id, None if the issuer has none; raises KeysUnavailable."""
        # Whoever waits here finds the keys that another thread has fetched meanwhile.
        with self._lock:
            is_fresh = time.monotonic() < self._expires_at
            if not (is_fresh and kid in self._keys) and time.monotonic() >= self._next_fetch_at:
                self._fetch()
            if time.monotonic() >= self._expires_at:
                raise KeysUnavailable("the last fetch of the key set failed")
            return self._keys.get(kid)

    def _fetch(self):
        self._next_fetch_at = time.monotonic() + self.RETRY_SECONDS
        try:
            with self._opener.open(self._url, timeout=self.TIMEOUT_SECONDS) as response:
                body = response.read(self.MAX_BYTES + 1)
            if len(body) > self.MAX_BYTES:
                raise ValueError("the key set is too large")
            self._keys = dict(_es256_keys(json.loads(body)))
        except Exception as error:  # whatever it was, there are no keys
            raise KeysUnavailable(f"the key set cannot be fetched: {error}") from error
        self._expires_at = time.monotonic() + self.LIFETIME_SECONDS
        self._next_fetch_at = time.monotonic() + self.PAUSE_SECONDS


def _es256_keys(key_set):
    for jwk in key_set["keys"]:
        # One key, one algorithm. Keys of other kinds may stand beside ours.
        if (jwk.get("kty"), jwk.get("crv"), jwk.get("alg")) == ("EC", "P-256", "ES256"):
            yield jwk["kid"], jwt.PyJWK(jwk).key


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The keys come from the address that was checked and from nowhere else."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return None
