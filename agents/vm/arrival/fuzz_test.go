package arrival

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func header(h qcow2Header, rest string) []byte {
	var text bytes.Buffer
	_ = binary.Write(&text, binary.BigEndian, h) // into memory
	text.WriteString(rest)
	return text.Bytes()
}

// FuzzBackingOf reads the header of an image, which its guest may write where the image is a raw
// one that somebody declared as qcow2. The name of the image behind it is what lies there, and no
// longer than any may be.
func FuzzBackingOf(f *testing.F) {
	f.Add(header(qcow2Header{qcow2Magic, 3, 20, 13}, "file:/srv/base"))
	f.Add(header(qcow2Header{qcow2Magic, 3, 0, 0}, ""))
	f.Add(header(qcow2Header{qcow2Magic, 3, 1 << 41, 10}, "x"))
	f.Add(header(qcow2Header{qcow2Magic, 3, 20, 1 << 31}, "x"))
	f.Add(header(qcow2Header{qcow2Magic, 2, 20, 9}, "nbd://a/b"))
	f.Add([]byte("QFI"))
	path := filepath.Join(f.TempDir(), "image")
	f.Fuzz(func(t *testing.T, image []byte) {
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		name, err := backingOf(path, true)
		if err == nil && (len(name) > longestName || !bytes.Contains(image, []byte(name))) {
			t.Errorf("an image of %d bytes has %q behind it", len(image), name)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("a fault of %d bytes: %v", len(err.Error()), err)
		}
	})
}
