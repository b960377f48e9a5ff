package api

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/clusterd/clusterd/internal/plain"
)

// defaultFolder is where the daemon of a host keeps its membership.
const defaultFolder = "/var/lib/clusterd"

// notAMember says of a host without a daemon that it belongs to no cluster, or no
// longer; "" where that is not known, as to somebody who may not look.
func notAMember(folder string) string {
	if folder == "" {
		return ""
	}
	var removal struct {
		Cluster, Node string
		At            time.Time
	}
	if readSmall(filepath.Join(folder, "removed.json"), &removal) == nil {
		return plain.Text("This host, " + removal.Node + ", was removed from cluster " + removal.Cluster + " (known since " +
			removal.At.Local().Format("2006-01-02 15:04:05") + "). What runs here runs on. To let it join again, empty " +
			folder + ", then: clusterd join")
	}
	_, err := os.Stat(filepath.Join(folder, "membership.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "This host belongs to no cluster yet. Found one: clusterd init --name NAME. Join one: clusterd join"
	}
	return ""
}

func readSmall(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
