package api

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// NodesFile lies next to an identity for remote tools and says whose key is whose. A tool has no
// log, and the authority's signature is not enough: a removed node keeps its certificate for a
// while, and whoever has the authority's key can make one.
const NodesFile = "nodes.json"

// longestNodes bounds the file and the answer that it comes from.
const longestNodes = 4 << 20

// nodesLife is how old the file may be before it is fetched anew along the way.
const nodesLife = 10 * time.Minute

// knownNodes are the keys that a tool believes.
type knownNodes struct {
	path string
	once sync.Once
}

func (k *knownNodes) read() (NodeKeys, error) {
	var keys NodeKeys
	text, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return keys, fmt.Errorf("%s is missing, which tells the nodes' keys; "+
			"have a new client certificate made with \"clusterd client\"", k.path)
	}
	if err == nil && len(text) > longestNodes {
		err = fmt.Errorf("it is larger than %d bytes", longestNodes)
	}
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		return keys, fmt.Errorf("read the nodes' keys in %s: %w", k.path, err)
	}
	return keys, nil
}

// verify accepts a node by exactly the key that was told of it.
func (k *knownNodes) verify(node *x509.Certificate, name string) error {
	keys, err := k.read()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(node.RawSubjectPublicKeyInfo)
	fingerprint := hex.EncodeToString(sum[:])
	if at, removed := keys.Removed[fingerprint]; removed {
		return fmt.Errorf("node %s was removed from the cluster on %s", name, at.Format(time.DateTime))
	}
	if keys.Nodes[name] != fingerprint && keys.Next[name] != fingerprint {
		return fmt.Errorf("node %s shows a key that %s does not tell of; "+
			"if it joined, was replaced or was given a new key lately, ask once by the address of another node", name, k.path)
	}
	return nil
}

// Write replaces the file.
func (n NodeKeys) Write(folder string) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, NodesFile+"-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // nothing is left of it once it has its name
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(folder, NodesFile))
}

// refreshing fetches the file anew behind the first answer of a node that is believed.
type refreshing struct {
	inner http.RoundTripper
	known *knownNodes
}

// RoundTrip implements http.RoundTripper.
func (r refreshing) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.inner.RoundTrip(request)
	if err == nil && response.StatusCode/100 == 2 && !strings.HasSuffix(request.URL.Path, PathKeys) {
		r.known.once.Do(func() { r.refresh(request) })
	}
	return response, err
}

// refresh is best effort: the answer that was asked for does not wait for more than a moment, and
// fails by nothing here.
func (r refreshing) refresh(asked *http.Request) {
	if info, err := os.Stat(r.known.path); err != nil || time.Since(info.ModTime()) < nodesLife {
		return
	}
	ctx, cancel := context.WithTimeout(asked.Context(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.URL.Scheme+"://"+asked.URL.Host+PathKeys, nil)
	if err != nil {
		return
	}
	response, err := r.inner.RoundTrip(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	var keys NodeKeys
	text, err := io.ReadAll(io.LimitReader(response.Body, longestNodes))
	if err != nil || response.StatusCode != http.StatusOK || json.Unmarshal(text, &keys) != nil || len(keys.Nodes) == 0 {
		return
	}
	old, err := r.known.read()
	if err != nil || keys.Generation < old.Generation || keys.Generation == old.Generation && keys.Index < old.Index {
		return // a node that lags behind
	}
	_ = keys.Write(filepath.Dir(r.known.path))
}
