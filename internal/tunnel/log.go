package tunnel

import (
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

// shorten keeps a log that others append to at a size: what is above it begins anew, with the end
// of the old one beside it. It lies in memory, and strangers have lines in it.
func shorten(path string, most int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= most {
		return nil // it is not there where a service manager takes the output
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("shorten the forwarder's log: %w", err)
	}
	defer file.Close()
	end := make([]byte, most)
	if _, err := file.ReadAt(end, info.Size()-most); err != nil {
		return fmt.Errorf("shorten the forwarder's log: %w", err)
	}
	kept := renameio.WriteFile(path+".1", end, 0o600)
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("shorten the forwarder's log: %w", err)
	}
	return kept
}
