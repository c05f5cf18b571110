package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

const (
	// maxTokenLength is the longest token that is looked at. Sallyport's are under 2 KiB; parsing is work that a
	// stranger must not be able to order.
	maxTokenLength = 4096

	// clockTolerance is for two machines whose clocks differ. A dead token must not live much longer for it.
	clockTolerance = 30 * time.Second

	// maxLifetime is the longest life that Sallyport can be told to give an access token.
	maxLifetime = 10 * time.Minute
)

// compactES256 is the only spelling of an ES256 token that is taken: three base64url parts, the first two a JSON object
// (`eyJ` is `{"`), the last one 64 bytes whose four spare bits are zero. The library drops those bits, and a token that
// can be spelled in several ways slips past any list of tokens.
var compactES256 = regexp.MustCompile(`^eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]$`)

// accessToken is what an access token says, decoded strictly: a string where a number should be, a fraction, a number out
// of range or a list as `aud` is an error of encoding/json. What is missing is zero: a token without `exp` has expired in
// 1970, and one without `iat` has lived since.
type accessToken struct {
	Issuer   string          `json:"iss"`
	Audience string          `json:"aud"`
	Subject  string          `json:"sub"`
	Session  string          `json:"sid"`
	ID       string          `json:"jti"`
	IssuedAt int64           `json:"iat"`
	Expires  int64           `json:"exp"`
	AuthTime int64           `json:"auth_time"`
	Begins   int64           `json:"nbf"` // Sallyport's have none: a token without it is good at once
	ACR      string          `json:"acr"`
	AMR      []string        `json:"amr"`
	Binding  json.RawMessage `json:"cnf"`
}

// Valid is called by the library in the course of parsing. It checks what needs no knowledge of this service, in place
// of the library's own check, which takes a token without `exp`.
func (t *accessToken) Valid() error {
	now := time.Now()
	issued, expires := time.Unix(t.IssuedAt, 0), time.Unix(t.Expires, 0)
	switch {
	case !now.Before(expires.Add(clockTolerance)):
		return errors.New("expired")
	case issued.After(now.Add(clockTolerance)) || time.Unix(t.Begins, 0).After(now.Add(clockTolerance)):
		return errors.New("not valid yet")
	case expires.Sub(issued) > maxLifetime:
		return errors.New("lives too long")
	case t.Subject == "" || t.Session == "" || t.ID == "":
		// Whose rights these are, and what a list of ended sessions or spent tokens goes by.
		return errors.New("sub, sid or jti is missing")
	case t.ACR == "" || t.AMR == nil || t.AuthTime <= 0:
		// How and when the user signed in decides what the token is good for.
		return errors.New("acr, amr or auth_time is missing")
	case t.Binding != nil:
		// Bound to a key of its holder (RFC 9449): as a plain bearer token it was stolen or is being misused.
		return errors.New("bound to a key")
	}
	return nil
}

// verifier verifies the access tokens of one issuer for one audience.
type verifier struct {
	issuer   string // the only `iss` that is trusted, compared as text
	audience string // the name of this service, the only `aud` that is accepted
	keys     *keySet
}

// The algorithm is never what the token says. Claims are checked by accessToken.Valid.
var parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}))

// verify returns what a good token says. An error that is errKeysUnavailable means that it could not be decided; any other
// one is for the log, and the client only ever reads `invalid_token`.
func (v *verifier) verify(text string) (*accessToken, error) {
	if len(text) > maxTokenLength || !compactES256.MatchString(text) {
		return nil, errors.New("not a compact ES256 token")
	}
	token := new(accessToken)
	// The parser returns an error unless the signature is right and Valid has returned nil.
	if _, err := parser.ParseWithClaims(text, token, v.key); err != nil {
		return nil, err
	}
	if token.Issuer != v.issuer || token.Audience != v.audience {
		return nil, fmt.Errorf("from %q for %q", token.Issuer, token.Audience)
	}
	return token, nil
}

// key finds the key that a token names, once its header is what the header of an access token is. The library does not
// look at `typ`: without it, another kind of token signed by the same issuer could pass for an access token. Exactly
// three members leave no room for `crit`, `b64`, `jwk` or `jku` either.
func (v *verifier) key(token *jwt.Token) (interface{}, error) {
	kid, ok := token.Header["kid"].(string)
	if !ok || token.Header["typ"] != "at+jwt" || len(token.Header) != 3 {
		return nil, errors.New("not the header of an access token")
	}
	return v.keys.find(kid)
}
