package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

const (
	// TokenLife is how long a join token is good by default.
	TokenLife = 15 * time.Minute
	// TokenLifeLimit is the longest life that NewToken grants: a token is to be typed now, not kept.
	TokenLifeLimit = 24 * time.Hour

	tokenPrefix        = "clusterd1."
	tokenFamily        = "clusterd"
	tokenTextLimit     = 4096
	tokenIDBytes       = 8
	tokenSecretBytes   = 32
	tokenChecksumBytes = 4
	tokenAddressLimit  = 8
)

var (
	// ErrTokenMalformed is returned by ParseToken, wrapped in what is wrong with the text.
	ErrTokenMalformed = errors.New("not a usable join token")
	// ErrTokenExpired is returned by Stored.Verify when the token's time is over.
	ErrTokenExpired = errors.New("the join token has expired; make a new one with: clusterd token")
	// ErrTokenUnknown is returned by Stored.Verify when the secret is not this token's. Callers
	// return it too for an id that the state does not hold, or that was used, so that a guesser
	// learns nothing.
	ErrTokenUnknown = errors.New(
		"the join token is not known, was used already, or is of an authority that was replaced; " +
			"make a new one with: clusterd token")
)

// Token lets one machine join one cluster, once. It is shown once, to the administrator, and
// prints without its secret.
type Token struct {
	ID           string   // Names the stored half; not secret.
	ClusterID    string   // The cluster to join.
	AuthorityPin string   // CA.Pin of that cluster: the joiner trusts this and nothing else.
	Addresses    []string // host:port of nodes to ask, in this order.
	secret       []byte
}

// Stored is the half that the cluster keeps. It is worthless to who reads it: the secret cannot
// be had back from its hash.
type Stored struct {
	ID         string    `json:"id"`
	SecretHash string    `json:"secret_hash"` // See secretHash.
	ExpiresAt  time.Time `json:"expires_at"`
}

// NewToken makes both halves. The caller puts Stored into the replicated state before it shows
// the token.
func NewToken(clusterID, authorityPin string, addresses []string, now time.Time, life time.Duration) (Token, Stored,
	error) {
	if life <= 0 || life > TokenLifeLimit {
		return Token{}, Stored{}, fmt.Errorf("make a join token: a life of %s is not between 0 and %s", life, TokenLifeLimit)
	}
	token := Token{
		ID: hex.EncodeToString(randomBytes(tokenIDBytes)), ClusterID: clusterID, AuthorityPin: authorityPin,
		Addresses: append([]string(nil), addresses...), secret: randomBytes(tokenSecretBytes),
	}
	if err := token.check(); err != nil {
		return Token{}, Stored{}, fmt.Errorf("make a join token: %w", err)
	}
	stored := Stored{ID: token.ID, SecretHash: secretHash(token.secret, authorityPin), ExpiresAt: now.Add(life)}
	return token, stored, nil
}

// secretHash is SHA-256 in hex; a fast hash is enough for 32 random bytes. It is of secret and
// authority: an honest machine does not join under another authority than the one that its token
// pins, and a dishonest one shall not either.
func secretHash(secret []byte, authorityPin string) string {
	hash := sha256.Sum256(append(bytes.Clone(secret), authorityPin...))
	return hex.EncodeToString(hash[:])
}

// Verify says whether the secret is this token's and in time, and the authority the one in force.
// ErrTokenUnknown and ErrTokenExpired are returned. The caller burns the token in the replicated
// state, which alone makes it single-use. The clock is that of the one who verifies.
func (stored Stored) Verify(secret []byte, authorityPin string, now time.Time) error {
	// The secret is compared before the time: who does not have it is not told that the token existed.
	if subtle.ConstantTimeCompare([]byte(secretHash(secret, authorityPin)), []byte(stored.SecretHash)) != 1 {
		return ErrTokenUnknown
	}
	if !now.Before(stored.ExpiresAt) {
		return fmt.Errorf("%w (it was good until %s)", ErrTokenExpired, stamp(stored.ExpiresAt))
	}
	return nil
}

// Secret is what the joiner proves itself with; it is sent over the pinned connection only.
func (token Token) Secret() []byte { return append([]byte(nil), token.secret...) }

// String, GoString and LogValue leave the secret out.
func (token Token) String() string {
	return "join token " + token.ID + " of cluster " + token.ClusterID
}
func (token Token) GoString() string     { return token.String() }
func (token Token) LogValue() slog.Value { return slog.StringValue(token.String()) }

// Text is the secret form that the administrator carries to the new machine.
func (token Token) Text() string {
	// Neither decoding can fail: NewToken and ParseToken checked both.
	id, _ := hex.DecodeString(token.ID)
	pin, _ := hex.DecodeString(token.AuthorityPin)
	body := append(append(append([]byte{}, id...), token.secret...), pin...)
	body = appendShort(body, token.ClusterID)
	body = append(body, byte(len(token.Addresses)))
	for _, address := range token.Addresses {
		body = appendShort(body, address)
	}
	// The length in front tells a text that was cut off from one that was mistyped, which need
	// different advice.
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
	checksum := sha256.Sum256(framed)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(framed, checksum[:tokenChecksumBytes]...))
}

// ParseToken reads a token's text; white space that a terminal or a mail put in is ignored.
// ErrTokenMalformed is returned.
func ParseToken(text string) (Token, error) {
	if len(text) > tokenTextLimit {
		return Token{}, malformed("the text is longer than %d characters", tokenTextLimit)
	}
	text = strings.Join(strings.Fields(text), "")
	encoded, found := strings.CutPrefix(text, tokenPrefix)
	if !found {
		if version, _, dotted := strings.Cut(text, "."); dotted && strings.HasPrefix(version, tokenFamily) {
			return Token{}, malformed(
				"it is of version %q, and this clusterd knows %q only; install the version that the cluster runs",
				version, strings.TrimSuffix(tokenPrefix, "."))
		}
		return Token{}, malformed("a join token begins with %q", tokenPrefix)
	}
	framed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil && len(encoded)%4 != 1 {
		return Token{}, malformed("it holds a character that no token has; copy it again")
	}
	body, err := unframe(framed)
	if err != nil {
		return Token{}, err
	}
	return parseTokenBody(body)
}

func unframe(framed []byte) ([]byte, error) {
	if len(framed) < 2 {
		return nil, malformed("it is cut off; copy all of it")
	}
	length := int(binary.BigEndian.Uint16(framed))
	switch whole := 2 + length + tokenChecksumBytes; {
	case len(framed) < whole:
		return nil, malformed("it is cut off or mistyped: %d of %d bytes are there; copy all of it", len(framed), whole)
	case len(framed) > whole:
		return nil, malformed("it is longer than it says; copy the token alone")
	}
	checksum := sha256.Sum256(framed[:2+length])
	if string(checksum[:tokenChecksumBytes]) != string(framed[2+length:]) {
		return nil, malformed("its checksum does not fit: it was mistyped; copy it again")
	}
	return framed[2 : 2+length], nil
}

func parseTokenBody(body []byte) (Token, error) {
	const fixed = tokenIDBytes + tokenSecretBytes + sha256.Size
	if len(body) < fixed {
		return Token{}, malformed("it is too short")
	}
	token := Token{
		ID:           hex.EncodeToString(body[:tokenIDBytes]),
		secret:       append([]byte(nil), body[tokenIDBytes:tokenIDBytes+tokenSecretBytes]...),
		AuthorityPin: hex.EncodeToString(body[tokenIDBytes+tokenSecretBytes : fixed]),
	}
	rest, ok := body[fixed:], true
	if token.ClusterID, rest, ok = cutShort(rest); !ok || len(rest) == 0 {
		return Token{}, malformed("its cluster id is damaged")
	}
	count, rest := int(rest[0]), rest[1:]
	if count > tokenAddressLimit {
		return Token{}, malformed("it names more than %d addresses", tokenAddressLimit)
	}
	for range count {
		var address string
		if address, rest, ok = cutShort(rest); !ok {
			return Token{}, malformed("its addresses are damaged")
		}
		token.Addresses = append(token.Addresses, address)
	}
	if len(rest) != 0 {
		return Token{}, malformed("something follows its addresses")
	}
	return token, token.check()
}

// check holds for tokens made and for tokens read.
func (token Token) check() error {
	if err := checkClusterID(token.ClusterID); err != nil {
		return malformed("%s", err)
	}
	if pin, err := hex.DecodeString(token.AuthorityPin); err != nil || len(pin) != sha256.Size {
		return malformed("its pin of the cluster's authority is not a SHA-256")
	}
	if len(token.Addresses) == 0 || len(token.Addresses) > tokenAddressLimit {
		return malformed("it names %d addresses of nodes to ask, not 1 to %d", len(token.Addresses), tokenAddressLimit)
	}
	for _, address := range token.Addresses {
		if address == "" || len(address) > 255 {
			return malformed("the address %q of a node to ask is empty or too long", address)
		}
	}
	return nil
}

func malformed(format string, arguments ...any) error {
	return fmt.Errorf("%w: %s", ErrTokenMalformed, fmt.Sprintf(format, arguments...))
}

func appendShort(target []byte, text string) []byte {
	return append(append(target, byte(len(text))), text...)
}

func cutShort(source []byte) (text string, rest []byte, ok bool) {
	if len(source) == 0 || len(source) < 1+int(source[0]) {
		return "", nil, false
	}
	end := 1 + int(source[0])
	return string(source[1:end]), source[end:], true
}
