package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	keySetLifetime = 5 * time.Minute  // a key that the issuer drops is trusted no longer than this
	keySetPause    = 30 * time.Second // between two fetches, however many unknown key ids come in
	keySetRetry    = 5 * time.Second  // after a fetch that failed
	keySetTimeout  = 5 * time.Second
	maxKeySetBytes = 64 << 10
)

// errKeysUnavailable says that the key set cannot be had, so nothing can be said about a token: our trouble, not the client's.
var errKeysUnavailable = errors.New("the key set is unavailable")

// keySet holds the public keys of an issuer by their `kid`, fetched when they are needed.
type keySet struct {
	url    string
	client *http.Client

	mu        sync.Mutex
	keys      map[string]*ecdsa.PublicKey
	expires   time.Time
	nextFetch time.Time
}

// newKeySet refuses an address from which others on the way could slip in a key of theirs.
func newKeySet(address string) (*keySet, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return nil, fmt.Errorf("not a safe key set URL: %s", address)
	}
	client := &http.Client{
		Timeout: keySetTimeout,
		// The keys come from the address that was checked and from nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &keySet{url: address, client: client}, nil
}

// find returns the key of this id. Whoever waits for the lock finds the keys that another request has fetched meanwhile.
func (s *keySet) find(kid string) (*ecdsa.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	_, known := s.keys[kid]
	if (!known || now.After(s.expires)) && now.After(s.nextFetch) {
		if err := s.fetch(); err != nil {
			return nil, fmt.Errorf("%w: %v", errKeysUnavailable, err)
		}
	}
	if time.Now().After(s.expires) {
		return nil, errKeysUnavailable
	}
	key, known := s.keys[kid]
	if !known {
		return nil, errors.New("unknown key")
	}
	return key, nil
}

func (s *keySet) fetch() error {
	s.nextFetch = time.Now().Add(keySetRetry)
	response, err := s.client.Get(s.url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	// A set that is longer ends in the middle, which is no JSON.
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes))
	if err != nil {
		return err
	}
	keys, err := parseKeys(body)
	if err != nil {
		return err
	}
	s.keys, s.expires, s.nextFetch = keys, time.Now().Add(keySetLifetime), time.Now().Add(keySetPause)
	return nil
}

// parseKeys reads the ES256 keys of a JWK set (RFC 7517). Keys of other kinds may stand beside them.
func parseKeys(text []byte) (map[string]*ecdsa.PublicKey, error) {
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Kid, X, Y string }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, jwk := range set.Keys {
		// One key, one algorithm.
		if jwk.Kty != "EC" || jwk.Crv != "P-256" || jwk.Alg != "ES256" {
			continue
		}
		x, errX := base64.RawURLEncoding.Strict().DecodeString(jwk.X)
		y, errY := base64.RawURLEncoding.Strict().DecodeString(jwk.Y)
		key := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
		// crypto/ecdh would check the point too, but needs Go 1.20.
		if errX != nil || errY != nil || !key.Curve.IsOnCurve(key.X, key.Y) {
			return nil, fmt.Errorf("key %q is no point of P-256", jwk.Kid)
		}
		keys[jwk.Kid] = key
	}
	return keys, nil
}
