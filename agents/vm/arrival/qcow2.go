package arrival

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The header of a QCOW2 image: its magic, then version, where the name of the image behind it lies,
// and how long that is, all big-endian (QEMU's docs/interop/qcow2.txt).
const (
	qcow2Magic = 0x514649fb
	// longestName is QEMU's own limit.
	longestName = 1023
)

type qcow2Header struct {
	Magic, Version uint32
	NameAt         uint64
	NameLength     uint32
}

// backingOf opens an image for reading and returns the path of the one behind it; empty where there
// is none, or where it is no file.
func backingOf(path string, chain bool) (string, error) {
	f, err := open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if !chain {
		return "", nil
	}
	var header qcow2Header
	if err := binary.Read(f, binary.BigEndian, &header); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return "", errors.New("it is declared as qcow2 and is too short for that")
		}
		return "", err
	}
	switch {
	case header.Magic != qcow2Magic:
		return "", errors.New("it is declared as qcow2 and is none")
	case header.NameAt == 0:
		return "", nil
	case header.NameLength == 0 || header.NameLength > longestName || header.NameAt > 1<<40:
		return "", fmt.Errorf("its header says that the name of the image behind it has %d bytes", header.NameLength)
	}
	name := make([]byte, header.NameLength)
	if _, err := f.ReadAt(name, int64(header.NameAt)); err != nil {
		return "", fmt.Errorf("read the name of the image behind it: %w", err)
	}
	return fileOf(string(name)), nil
}

// fileOf returns the path in the name of an image; empty where the name is another protocol's.
func fileOf(name string) string {
	if path, is := strings.CutPrefix(name, "file:"); is {
		return path
	}
	if protocol, _, found := strings.Cut(name, ":"); found && !strings.Contains(protocol, "/") {
		return ""
	}
	return name
}
