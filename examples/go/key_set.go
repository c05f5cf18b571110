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
	keySetPause    = 30 * time.Second // from fetch to fetch while keys are fresh: anybody can make up key ids
	keySetRetry    = 5 * time.Second  // the same while none are: nobody can be served, so it is soon
	keySetTimeout  = 5 * time.Second  // for a whole fetch, to its last byte: somebody waits for it
	maxKeySetBytes = 64 << 10         // a real one has some hundred bytes a key
)

// errKeysUnavailable says that the key set cannot be had, so nothing can be said about a token: our trouble, not the client's.
var errKeysUnavailable = errors.New("the key set is unavailable")

// keySet holds the public keys of an issuer by their `kid`, fetched when they are needed.
type keySet struct {
	url    string
	client *http.Client

	mu       sync.Mutex // guards what follows; never held during a fetch, so that a fresh key is found at once
	keys     map[string]*ecdsa.PublicKey
	expires  time.Time
	fetching chan struct{} // closed when the fetch under way ends; nil when there is none
	ended    time.Time     // when the last fetch ended
	err      error         // what came of it
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
		Timeout: keySetTimeout, // net/http counts the body in
		// The keys come from the address that was checked and from nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &keySet{url: address, client: client}, nil
}

// find returns the key of this id. A key that is known and fresh never waits; whatever else is looked for waits for the
// one fetch under way.
func (s *keySet) find(kid string) (*ecdsa.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fetched := s.fetchFor(kid); fetched != nil {
		s.mu.Unlock()
		<-fetched // within keySetTimeout
		s.mu.Lock()
	}
	fresh := time.Now().Before(s.expires)
	key, known := s.keys[kid]
	switch {
	case fresh && known:
		return key, nil
	case !fresh || s.err != nil:
		// After a failed fetch an unknown key may be a new one: no reason to send its user to sign in again.
		return nil, fmt.Errorf("%w: %v", errKeysUnavailable, s.err)
	default:
		return nil, errors.New("unknown key")
	}
}

// fetchFor returns what tells the end of the fetch that this key id has to wait for, and begins that fetch if it is time
// for one. nil: nothing to wait for. The caller holds the lock.
func (s *keySet) fetchFor(kid string) <-chan struct{} {
	now := time.Now()
	fresh := now.Before(s.expires)
	if _, known := s.keys[kid]; known && fresh {
		return nil
	}
	pause := keySetRetry
	if fresh {
		pause = keySetPause
	}
	if s.fetching == nil && now.Sub(s.ended) >= pause {
		s.fetching = make(chan struct{})
		go s.fetch()
	}
	return s.fetching
}

// fetch replaces the keys, or leaves those that there are until they expire.
func (s *keySet) fetch() {
	keys, err := s.download()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.err = time.Now(), err
	if err == nil {
		s.keys, s.expires = keys, s.ended.Add(keySetLifetime)
	}
	close(s.fetching)
	s.fetching = nil
}

func (s *keySet) download() (map[string]*ecdsa.PublicKey, error) {
	response, err := s.client.Get(s.url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	// A set that is longer ends in the middle, which is no JSON.
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes))
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
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
