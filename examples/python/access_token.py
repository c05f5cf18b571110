"""Sallyport's access tokens, verified with PyJWT. This file is there to be copied; it needs no other file."""

import contextlib
import http.client
import json
import re
import socket
import threading
import time
import urllib.parse

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
    PAUSE_SECONDS = 30  # from fetch to fetch while keys are fresh: anybody can make up key ids
    RETRY_SECONDS = 5  # the same while none are: nobody can be served, so it is soon
    TIMEOUT_SECONDS = 5  # for a whole fetch, to its last byte: somebody waits for it
    MAX_BYTES = 64 * 1024  # a real one has some hundred bytes a key

    def __init__(self, url):
        """Raises ValueError for an address from which others on the way could slip in a key of theirs."""
        parts = urllib.parse.urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError(f"not a safe key set URL: {url}")
        self._address = parts
        # Guards what follows; never held during a fetch, so that a fresh key is found at once.
        self._lock = threading.Lock()
        self._keys = {}
        self._fetch = None  # the thread of the last fetch
        self._trouble = None  # what came of it, None if all is well
        self._ended_at = self._expires_at = float("-inf")

    def find(self, kid):
        """The key of this id, None if the issuer has none; raises KeysUnavailable.

        A key that is known and fresh never waits; whatever else is looked for waits for the one fetch under way.
        """
        with self._lock:
            fetch = self._fetch_for(kid)
        if fetch:
            fetch.join(self.TIMEOUT_SECONDS)
        with self._lock:
            is_fresh = time.monotonic() < self._expires_at
            if is_fresh and kid in self._keys:
                return self._keys[kid]
            # After a failed fetch an unknown key may be a new one: no reason to send its user to sign in again.
            if self._trouble or not is_fresh:
                raise KeysUnavailable(f"the key set cannot be fetched: {self._trouble}")
            return None

    def _fetch_for(self, kid):
        """The fetch that this key id has to wait for, begun if it is time for one; None if there is none."""
        now = time.monotonic()
        is_fresh = now < self._expires_at
        if is_fresh and kid in self._keys:
            return None
        if self._fetch and self._fetch.is_alive():
            return self._fetch
        if now - self._ended_at < (self.PAUSE_SECONDS if is_fresh else self.RETRY_SECONDS):
            return None
        self._trouble = "no answer in time"
        # A thread of its own: whoever waits for it can stop waiting.
        self._fetch = threading.Thread(target=self._replace_keys, daemon=True)
        self._fetch.start()
        return self._fetch

    def _replace_keys(self):
        keys, trouble = None, None
        try:
            keys = dict(_es256_keys(json.loads(self._download())))
        except Exception as error:  # whatever it was, there are no keys
            trouble = f"{type(error).__name__}: {error}"
        with self._lock:
            self._ended_at, self._trouble = time.monotonic(), trouble
            if keys is not None:
                self._keys, self._expires_at = keys, self._ended_at + self.LIFETIME_SECONDS

    def _download(self):
        """What the checked address answers. http.client follows no redirect to another one."""
        tls = self._address.scheme == "https"
        connect = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        connection = connect(self._address.netloc, timeout=self.TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            connection.connect()
            # The timeout above begins anew with each read: a server that drips would be read for days.
            deadline = threading.Timer(self.TIMEOUT_SECONDS, connection.sock.shutdown, [socket.SHUT_RDWR])
            deadline.start()
            try:
                path = self._address.path + (self._address.query and f"?{self._address.query}")
                # Cloudflare may turn away who does not say what it is, or that it is urllib.
                connection.request("GET", path, headers={"User-Agent": "sallyport-example"})
                response = connection.getresponse()
                body = response.read(self.MAX_BYTES + 1)
            finally:
                deadline.cancel()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        if len(body) > self.MAX_BYTES:
            raise ValueError("too large")
        return body


def _es256_keys(key_set):
    for jwk in key_set["keys"]:
        # One key, one algorithm. Keys of other kinds may stand beside ours.
        if (jwk.get("kty"), jwk.get("crv"), jwk.get("alg")) == ("EC", "P-256", "ES256"):
            yield jwk["kid"], jwt.PyJWK(jwk).key
