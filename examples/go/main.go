// A service behind Sallyport: it knows the address of the key set and its own name, and no secret.
// What verifies access tokens is in access_token.go and key_set.go, which are there to be copied.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// me is what `GET /me` answers with.
type me struct {
	Sub      string   `json:"sub"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	AuthTime int64    `json:"auth_time"`
	SID      string   `json:"sid"`
}

// errNoCredentials says that a request brings no bearer token, good or bad.
var errNoCredentials = errors.New("no credentials")

// answerMe answers with what the token says about its bearer.
func (v *verifier) answerMe(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		answerError(w, http.StatusMethodNotAllowed, "method_not_allowed")
		return
	}
	token, err := v.authenticate(r)
	switch {
	case err == nil:
		answer(w, http.StatusOK, me{token.Subject, token.ACR, token.AMR, token.AuthTime, token.Session})
	case errors.Is(err, errNoCredentials):
		w.Header().Set("WWW-Authenticate", `Bearer realm="example"`)
		answerError(w, http.StatusUnauthorized, "unauthorized")
	case errors.Is(err, errKeysUnavailable):
		log.Print("undecided: ", err)
		w.Header().Set("Retry-After", "5")
		answerError(w, http.StatusServiceUnavailable, "unavailable")
	default:
		// The reason goes to the log: a client that sent a bad token never learns why it is bad.
		log.Print("refused: ", err)
		w.Header().Set("WWW-Authenticate", `Bearer realm="example", error="invalid_token"`)
		answerError(w, http.StatusUnauthorized, "invalid_token")
	}
}

// authenticate returns what the bearer token of a request says. Tokens in the query or the body are never looked at: they
// end up in logs, histories and referrers.
func (v *verifier) authenticate(r *http.Request) (*accessToken, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return nil, errNoCredentials
	}
	if len(values) > 1 {
		// Header.Get returns the first; a proxy in front may have checked the last.
		return nil, errors.New("more than one Authorization header")
	}
	// The scheme's name is case-insensitive (RFC 9110 §11.1), what follows it is not.
	scheme, text, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, errNoCredentials
	}
	return v.verify(strings.TrimLeft(text, " "))
}

func answerError(w http.ResponseWriter, status int, name string) {
	answer(w, status, map[string]string{"error": name})
}

func answer(w http.ResponseWriter, status int, body interface{}) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The only error is that of a client that has gone.
	_ = json.NewEncoder(w).Encode(body)
}

// setting returns a variable of the environment. One that is set but empty means "as usual".
func setting(name, usual string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return usual
}

func main() {
	issuer := setting("ISSUER", "")
	if issuer == "" {
		log.Fatal("ISSUER is required: the address of the Sallyport whose tokens this service trusts.")
	}
	keys, err := newKeySet(setting("JWKS_URL", issuer+"/.well-known/jwks.json"))
	if err != nil {
		log.Fatal(err)
	}
	v := &verifier{issuer: issuer, audience: setting("AUDIENCE", issuer), keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("/me", v.answerMe)

	listener, err := net.Listen("tcp", net.JoinHostPort("localhost", setting("PORT", "8080")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://localhost:%d\n", listener.Addr().(*net.TCPAddr).Port)
	// Without limits of its own, net/http waits for a slow client as long as the client likes.
	server := &http.Server{
		Handler:        mux,
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   10 * time.Second,
		MaxHeaderBytes: 16 << 10,
	}
	log.Fatal(server.Serve(listener))
}
