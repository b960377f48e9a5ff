package assemble

import (
	"os"
	"path/filepath"
	"testing"
)

func TestQEMUOwnerFollowsLibvirtsConfiguration(t *testing.T) {
	for _, test := range []struct {
		name, text string
		uid        int
	}{
		{"root by name", "# user = \"nobody\"\nuser = \"root\"\ngroup = \"nogroup\"\n", 0},
		{"a number", "user = \"+64055\"\n", 64055},
		{"a name nobody has", "user = \"no-such-user-here\"\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "qemu.conf")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if uid, _ := qemuOwner(path); uid != test.uid {
				t.Errorf("qemuOwner(%q) = %d, want %d", test.text, uid, test.uid)
			}
		})
	}
}

func TestQEMUUserOfACommentIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "qemu.conf")
	if err := os.WriteFile(path, []byte("#user = \"nobody\"\nuser_space = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name := qemuUser(path); name != "" {
		t.Errorf("qemuUser = %q, want none", name)
	}
}
