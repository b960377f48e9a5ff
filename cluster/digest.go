package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest names the State by what it holds: at one index it is the same on every node that runs the
// same version. The timeline is left out, because its events are what made the rest.
func (s *State) Digest() (string, error) {
	short := s.Fork()
	short.Timeline = nil
	text, err := json.Marshal(short)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
