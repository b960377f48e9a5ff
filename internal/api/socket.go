package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// NodePath is the node's own file, where run_dir may say that the local socket
// lies elsewhere.
const NodePath = "/etc/clusterd/node.yaml"

// runDirLine is the one setting that a client needs of that file. The daemon reads
// it strictly; a client only has to find the way, and links no YAML for it.
var runDirLine = regexp.MustCompile(`(?m)^run_dir:[ \t]+(['"]?)(/[^\s'"#]*)(['"]?)[ \t]*(#.*)?$`)

// localSocket is where this host's daemon listens. A file that is not there, or
// that this user may not read, changes nothing.
func localSocket(nodePath string) string {
	text, err := os.ReadFile(nodePath)
	if err != nil {
		return DefaultSocket
	}
	found := runDirLine.FindStringSubmatch(strings.ReplaceAll(string(text), "\r\n", "\n"))
	if found == nil || found[1] != found[3] {
		return DefaultSocket
	}
	return filepath.Join(found[2], filepath.Base(DefaultSocket))
}
