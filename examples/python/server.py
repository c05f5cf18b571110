#!/usr/bin/python3
"""A service behind Sallyport: it knows the address of the key set and its own name, and no secret."""

import http.server
import json
import os
import re
import sys

from access_token import KeysUnavailable, KeySet, TokenRefused, verify_access_token


class Service(http.server.ThreadingHTTPServer):
    """Answers `GET /me` with what the token says about its bearer."""

    def __init__(self, port, *, issuer, audience, keys):
        super().__init__(("localhost", port), Handler)
        self.expected = {"issuer": issuer, "audience": audience, "keys": keys}


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10  # seconds of silence; without it, a client that says nothing keeps its thread for ever

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path != "/me":
            return self.answer(404, {"error": "not_found"})
        try:
            token = self.bearer_token()
            if token is None:
                return self.answer_unauthorized("unauthorized", 'Bearer realm="example"')
            claims = verify_access_token(token, **self.server.expected)
        except TokenRefused as refusal:
            # The reason goes to the log: a client that sent a bad token never learns why it is bad.
            self.log_message("refused: %s", refusal)
            return self.answer_unauthorized("invalid_token", 'Bearer realm="example", error="invalid_token"')
        except KeysUnavailable as trouble:
            self.log_message("undecided: %s", trouble)
            return self.answer(503, {"error": "unavailable"}, {"Retry-After": "5"})
        self.answer(200, {name: claims[name] for name in ("sub", "acr", "amr", "auth_time", "sid")})

    def bearer_token(self):
        """The bearer token, or None when the request brings no credentials of that kind.

        Tokens in the query or the body are never looked at: they end up in logs, histories and referrers.
        """
        values = self.headers.get_all("Authorization", [])
        if len(values) > 1:
            # A proxy in front may have checked the one that is not looked at here.
            raise TokenRefused("more than one Authorization header")
        # The scheme's name is case-insensitive (RFC 9110 §11.1), what follows it is not.
        match = re.fullmatch(r"(?i:bearer) +(.*)", values[0]) if values else None
        return match and match[1]

    def answer_unauthorized(self, error, challenge):
        self.answer(401, {"error": error}, {"WWW-Authenticate": challenge})

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_request(self, code="-", size="-"):
        """Silent: the request line may hold a token that somebody put into the query."""


def main():
    issuer = os.environ.get("ISSUER")
    if not issuer:
        sys.exit("ISSUER is required: the address of the Sallyport whose tokens this service trusts.")
    # `or`, not a default: a variable that is set but empty means "as usual", never "the empty audience".
    audience = os.environ.get("AUDIENCE") or issuer
    keys = KeySet(os.environ.get("JWKS_URL") or f"{issuer}/.well-known/jwks.json")
    service = Service(int(os.environ.get("PORT") or 8080), issuer=issuer, audience=audience, keys=keys)
    print(f"listening on http://localhost:{service.server_port}", flush=True)
    try:
        service.serve_forever()
    except KeyboardInterrupt:
        service.server_close()


if __name__ == "__main__":
    main()
