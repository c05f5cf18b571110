#!/bin/sh
# Runs the example in the foreground. ISSUER is required; AUDIENCE, JWKS_URL and PORT have defaults.
set -eu
export ISSUER="${ISSUER:?the address of the Sallyport whose tokens this service trusts}"
export AUDIENCE="${AUDIENCE:-$ISSUER}"
export JWKS_URL="${JWKS_URL:-$ISSUER/.well-known/jwks.json}"
export PORT="${PORT:-8080}"

# Whoever can change the key set on its way here can sign tokens, so it comes over TLS or from this machine.
case $JWKS_URL in
  https://* | http://localhost[:/]* | http://127.0.0.1[:/]*) ;;
  *) echo "not a safe key set URL: $JWKS_URL" >&2; exit 1 ;;
esac

HERE=$(cd "$(dirname "$0")" && pwd)
RUN_DIR=${RUN_DIR:-$(mktemp -d)}
export HERE RUN_DIR
echo "listening on http://localhost:$PORT"
exec /usr/sbin/apache2 -f "$HERE/httpd.conf" -D FOREGROUND
