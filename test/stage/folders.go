package stage

import "path/filepath"

// DataFolder is a node's data folder, for this process.
func (s *Simulated) DataFolder(node string) string {
	return filepath.Join(s.machine(node).folder, "data")
}

// DataFolder is a node's data folder, for this process.
func (l *Lab) DataFolder(node string) string {
	return filepath.Join(l.Host(node).Directory(), "var-lib-clusterd")
}
