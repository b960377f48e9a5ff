package daemon

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/resources"
)

// passwordOf is the password that a node's drivers are handed for a device.
func (s *site) passwordOf(node, device string) string {
	s.t.Helper()
	d := s.members[node].daemon
	opened, err := d.vault.OpenDevice(d.replica.Root().Document.Devices[device])
	if err != nil {
		s.t.Fatal(err)
	}
	return opened.Password.Reveal()
}

const (
	communityPlanted = "community-of-the-pdu"
	pagerPlanted     = "pager-token-9f2c"
	addressPlanted   = "hooks-path-77aa"
	agentPlanted     = "replication-word-31"
	mountPlanted     = "mount-word-5512"
	// argumentPlanted has no place in a document: it is asked for, and refused.
	argumentPlanted = "argument-word-6e81"
)

// withPlanted is a document with a secret in each place that may have one.
func withPlanted(text string) string {
	text = strings.Replace(text, "devices:\n", "devices:\n  pdu: {driver: agent, address: pdu1, password: "+testPassword+
		", options: {agent: fence_apc_snmp, community: "+communityPlanted+"}}\n", 1)
	text = strings.Replace(text, "services:\n", `services:
  service:shop:
    autostart: false
    resources:
      - type: ocf:heartbeat:Filesystem
        name: data
        parameters:
          {device: //server/share, directory: /srv, fstype: cifs, options: "ro,bind,password=`+mountPlanted+`"}
      - type: ocf:heartbeat:mysql
        name: db
        parameters: {replication_passwd: `+agentPlanted+`}
`, 1)
	return text + "alerts:\n  pager: {secret_url: \"https://hooks.example/" + addressPlanted + "\"}\n" +
		"  desk: {url: \"https://desk.example/\", header: X-Token, secret: " + pagerPlanted + "}\n"
}

// expectReferences wants a reference in the place of each secret that JSON would mask anyway.
func expectReferences(t *testing.T, d cluster.Document) {
	t.Helper()
	for what, secret := range map[string]fence.Secret{"the password": d.Devices["pdu"].Password,
		"the token": d.Alerts["desk"].Secret, "the address": d.Alerts["pager"].SecretURL} {
		if !fence.IsReference(secret.Reveal()) {
			t.Errorf("%s stands in the State as it is, or not at all", what)
		}
	}
}

// everyFile is what lies below a folder.
func everyFile(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// expectSealedAnew wants each secret of an older State to be kept, sealed with a newer data key.
func (s *site) expectSealedAnew(root *cluster.State) {
	s.t.Helper()
	now := s.members["node2"].daemon.replica.Root()
	if now.Secrets.Epoch == root.Secrets.Epoch || s.passwordOf("node2", "pdu") != testPassword {
		s.t.Error("the secrets were not sealed anew with the new data key")
	}
	for reference, sealed := range root.Secrets.Sealed {
		if anew, kept := now.Secrets.Sealed[reference]; !kept || string(anew) == string(sealed) {
			s.t.Errorf("%s is sealed as before, or is not there (%v)", reference, kept)
		}
	}
	if len(root.Secrets.Sealed) == 0 {
		s.t.Error("nothing was sealed")
	}
}

// applyText applies a document to the version that is in force.
func (s *site) applyText(text string) api.ConfigReply {
	s.t.Helper()
	var reply api.ConfigReply
	change := api.ConfigChange{Base: s.status("node2").ConfigVersion, Text: text}
	s.must("node2", rootUser, "POST", api.PathConfig, change, &reply)
	return reply
}

// printedEveryWay is what formats and a log make of a secret.
func printedEveryWay(secret fence.Secret) string {
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb, secret)
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("device", "password", secret)
	return printed.String()
}

// expectMountOpens wants the planted word in a mount's options sealed, and opened for its agent.
func expectMountOpens(t *testing.T, d *Daemon, service resources.Spec) {
	t.Helper()
	sealed := service.Tree[0].Parameters["options"]
	if !strings.HasPrefix(sealed, "ro,bind,password=sealed-") || len(service.Disks) != 0 {
		t.Errorf("the mount is %q with disks %v", sealed, service.Disks)
	}
	options, _, err := d.vault.Reveal(sealed)
	if err != nil || options != "ro,bind,password="+mountPlanted {
		t.Errorf("the mount's options open to %q, %v", options, err)
	}
}

// TestTheLogHoldsSecretsSealed: what a document brings stands in no State, entry or record as it
// is; it opens where it is used; and a document that is applied again, also after a change of the
// data key, changes nothing.
func TestTheLogHoldsSecretsSealed(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, "node1", "node2", "node3")
		text := withPlanted(documentOf(map[string]string{"vm:a": "node1"}))
		s.applyText(text)
		s.until("all have the document", func() bool {
			for _, m := range s.members {
				if len(m.daemon.replica.Root().Document.Alerts) != 2 {
					return false
				}
			}
			return true
		})
		d := s.members["node3"].daemon
		root := d.replica.Root()
		state, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		device := root.Document.Devices["pdu"]
		open, err := d.vault.OpenDevice(device)
		if err != nil || open.Password != testPassword || open.Options["community"] != communityPlanted {
			t.Fatalf("the device opens to %q, %v", open.Password.Reveal(), err)
		}
		planted := map[string]string{"a password": testPassword, "a community": communityPlanted, "a token": pagerPlanted,
			"a secret address": addressPlanted, "a parameter": agentPlanted, "a mount option": mountPlanted}
		expectNoSecret(t, "the State", string(state), planted)
		expectReferences(t, root.Document)
		files := everyFile(t, s.members["node3"].node.DataDir)
		if !strings.Contains(files, "fence_apc_snmp") {
			t.Error("what lies on the disk cannot be read, so nothing is proven of it")
		}
		expectNoSecret(t, "the disk", files, planted)
		planted["a password in hex"] = hex.EncodeToString([]byte(testPassword))
		expectNoSecret(t, "what prints a password", printedEveryWay(open.Password), planted)
		expectNoSecret(t, "the page", s.everyPage("node3"), planted)
		expectMountOpens(t, d, root.Document.Services["service:shop"])

		if reply := s.applyText(text); len(reply.Changes) != 0 {
			t.Errorf("the same document again changes %v", reply.Changes)
		}
		s.must("node2", rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "k", Op: api.RotateGossip}, &struct{}{})
		s.keysAgree(t, "node1", "node2", "node3")
		s.expectSealedAnew(root)
		if reply := s.applyText(text); len(reply.Changes) != 0 {
			t.Errorf("after a new data key the same document changes %v", reply.Changes)
		}
		forged := strings.Replace(text, testPassword, fence.Reference(strings.Repeat("0", 32)), 1)
		change := api.ConfigChange{Base: s.status("node2").ConfigVersion, Text: forged}
		status, body := s.ask("node2", rootUser, "POST", api.PathConfig, change)
		if status != http.StatusConflict || !strings.Contains(string(body), "does not hold") {
			t.Errorf("a reference to nothing: %d %s", status, body)
		}
	})
}

// TestABackupOpensWithItsKeyOrAMembersOwn: the file alone opens nothing.
func TestABackupOpensWithItsKeyOrAMembersOwn(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, "node1", "node2", "node3")
		s.declare(map[string]string{"vm:a": "node1"})
		_, content := s.ask("node1", rootUser, "GET", api.PathBackup, nil)
		folder := t.TempDir()
		path := filepath.Join(folder, "backup")
		if err := membership.WriteBackup(content, path, membership.BackupKey(path)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := os.ReadFile(membership.BackupKey(path))
		if err != nil {
			t.Fatal(err)
		}
		expectNoSecret(t, "the backup", string(text),
			map[string]string{"a password": testPassword, "its key": strings.TrimSpace(string(key))})
		var state cluster.State
		if err := json.Unmarshal(text, &state); err != nil {
			t.Fatal(err)
		}
		member, stranger := s.members["node2"].node, s.members["node2"].node
		stranger.DataDir = t.TempDir()
		if _, err := membership.OpenBackupKey(stranger, &state, path, ""); err != nil {
			t.Errorf("with its key beside it: %v", err)
		}
		if err := os.Remove(membership.BackupKey(path)); err != nil {
			t.Fatal(err)
		}
		if _, err := membership.OpenBackupKey(member, &state, path, ""); err != nil {
			t.Errorf("with a member's own key: %v", err)
		}
		_, err = membership.OpenBackupKey(stranger, &state, path, "")
		if err == nil || !strings.Contains(err.Error(), "rotated since") {
			t.Errorf("a stranger's machine opens a backup without its key, or is told little: %v", err)
		}
		old, err := pki.ReadSecret(filepath.Join(member.DataDir, "node.key"))
		if err == nil {
			err = pki.WriteSecret(filepath.Join(stranger.DataDir, "node.key.old"), old)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := membership.OpenBackupKey(stranger, &state, path, ""); err != nil {
			t.Errorf("with the key before, whose turn came after the backup: %v", err)
		}
	})
}
