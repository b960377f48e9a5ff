package resources

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// ServiceUUID is the identity of a service made of resources: a UUID made from
// its name (RFC 9562, version 5). A VM has its own; a service has nothing that
// could be told apart by anything but its name.
func ServiceUUID(name string) string {
	sum := sha1.Sum([]byte("clusterd service " + name))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s-%s-%s-%s-%s", text[:8], text[8:12], text[12:16], text[16:20], text[20:])
}

// TreeDefinition is the text by which a tree is kept and its SHA-256 (hex),
// the Definition of a Spec: JSON with its keys in one order.
func TreeDefinition(tree []Resource) (text, hash string) {
	if tree == nil {
		tree = []Resource{}
	}
	// A Resource holds nothing that JSON cannot express.
	raw, _ := json.Marshal(tree)
	sum := sha256.Sum256(raw)
	return string(raw), hex.EncodeToString(sum[:])
}

// ReadTree is the way back from the text of TreeDefinition.
func ReadTree(text string) ([]Resource, error) {
	var tree []Resource
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("read the resources of a service: %w", err)
	}
	return tree, nil
}
