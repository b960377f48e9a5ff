package membership

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
)

// Backup is what the daemon gives `clusterd backup`: the State, whose secrets are sealed, and the
// key that opens them. They are written to two files.
type Backup struct {
	cluster.State
	DataKey []byte `json:"dataKey"`
}

// BackupKey is where the key of a backup lies unless it was taken elsewhere.
func BackupKey(path string) string { return path + ".key" }

// WriteBackup writes a backup and its key to two files, so that they can be kept apart.
func WriteBackup(content []byte, path, keyPath string) error {
	var kept Backup
	if err := json.Unmarshal(content, &kept); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	state, err := json.Marshal(kept.State)
	if err != nil {
		return err
	}
	if err := pki.WriteSecret(keyPath, []byte(base64.StdEncoding.EncodeToString(kept.DataKey)+"\n")); err != nil {
		return err
	}
	return pki.WriteSecret(path, state)
}

// OpenBackupKey finds the key that opens a backup: in its file, or in the State itself, where the
// node on which it is restored was a member and still has its node.key.
func OpenBackupKey(node nodefile.Node, state *cluster.State, path, keyPath string) (pki.DataKey, error) {
	if keyPath == "" {
		keyPath = BackupKey(path)
	}
	content, err := os.ReadFile(keyPath)
	if err == nil {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
		if err != nil {
			return pki.DataKey{}, fmt.Errorf("%s is no key of a backup: %w", keyPath, err)
		}
		return pki.DataKeyOf(key)
	}
	own, ownErr := pki.LoadOrCreateNodeKey(node.DataDir)
	if ownErr != nil {
		return pki.DataKey{}, ownErr
	}
	former, ownErr := pki.FormerKey(node.DataDir)
	if ownErr != nil {
		return pki.DataKey{}, ownErr
	}
	for _, name := range slices.Sorted(maps.Keys(state.Secrets.Wraps)) {
		for _, mine := range []*pki.NodeKey{own, former} {
			if mine == nil {
				continue
			}
			if key, err := mine.Unwrap(state.ID, state.Secrets.Wraps[name]); err == nil {
				return key, nil
			}
		}
	}
	return pki.DataKey{}, fmt.Errorf("nothing here opens %s: neither its key file (%w) nor a node.key or "+
		"node.key.old of a member in %s, which may have been rotated since the backup was made; name the key "+
		"file with --key", path, err, node.DataDir)
}

// largestBackup bounds what is read of a backup.
const largestBackup = 256 << 20

// RestoreFrom makes this node the founder of a cluster that goes on from a
// backup, with the same authority, so that tools and certificates stay good.
func RestoreFrom(node nodefile.Node, path, keyPath, by string) error {
	folder := Folder(node.DataDir)
	if err := requireNoCluster(folder); err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.Size() > largestBackup {
		return fmt.Errorf("%s is larger than a backup can be (%d bytes)", path, largestBackup)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var state cluster.State
	if err := json.Unmarshal(content, &state); err != nil || state.ID == "" {
		return fmt.Errorf("%s is no backup of a cluster (%v)", path, err)
	}
	if why := cluster.Unknown(&state); !why.IsZero() {
		return fmt.Errorf("%s: %s", path, why)
	}
	data, err := OpenBackupKey(node, &state, path, keyPath)
	if err != nil {
		return err
	}
	ca, err := OpenAuthority(state.Secrets, data)
	if next := state.Secrets.Next; next != nil && next.Signing {
		ca, err = OpenNext(next, data) // members have its certificates
	}
	if err != nil {
		return fmt.Errorf("%s, which is of another key than the one found: %w", path, err)
	}
	epoch, sealed := state.Secrets.Epoch, state.Secrets.Sealed
	if state.Secrets, err = firstSecrets(node, ca, data); err != nil {
		return err
	}
	state.Secrets.Epoch, state.Secrets.Sealed = epoch, sealed
	state.Secrets.Wanted = message.ClusterWasRestored.With()
	if content, err = json.Marshal(state); err != nil {
		return err
	}
	if err := folder.Write(RestoreFile, cluster.Restore{State: content, By: by, Node: node.Name}); err != nil {
		return err
	}
	return beginCluster(node, ca, cluster.Init{Cluster: state.Cluster, ID: state.ID, Secrets: state.Secrets,
		Level: cluster.CurrentLevel})
}
