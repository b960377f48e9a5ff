package vault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// TestACredentialIsReadWhereItIsUsed: the State holds its name, and each node reads its own file.
func TestACredentialIsReadWhereItIsUsed(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", folder)
	v := New(Options{})
	device := fence.Device{Name: "bmc1", Credential: "bmc1"}
	for text, want := range map[string]string{
		"word-of-bmc1\n": "word-of-bmc1", "two\nlines\n": "", "\n": "", strings.Repeat("x", 5000): "",
	} {
		if err := os.WriteFile(filepath.Join(folder, "bmc1"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		opened, err := v.OpenDevice(device)
		if opened.Password.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%.20q opens to %q, %v", text, opened.Password.Reveal(), err)
		}
	}
	alert := cluster.Alert{Name: "chat", SecretURLCredential: "hook", Header: "X-Token", SecretCredential: "token"}
	for name, text := range map[string]string{"hook": "https://chat.example/x\n", "token": "hush\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sent, err := v.OpenAlert(alert)
	if err != nil || sent.SecretURL != "https://chat.example/x" || sent.Secret != "hush" {
		t.Errorf("an alert is sent as %q %q, %v", sent.SecretURL.Reveal(), sent.Secret.Reveal(), err)
	}
	alert.SecretCredential = "missing"
	_, err = v.OpenAlert(alert)
	if err == nil || !strings.Contains(err.Error(), "its secret:") ||
		!strings.Contains(err.Error(), "LoadCredential=missing:") {
		t.Errorf("an alert without its credential is sent: %v", err)
	}
	device.Credential = "missing"
	if _, err := v.OpenDevice(device); err == nil || !strings.Contains(err.Error(), "LoadCredential=missing:") {
		t.Errorf("a missing credential: %v", err)
	}
}

// TestAPasswordHidesNoUUID: a BMC's password may stand in the UUID that it tells, by chance. What
// it says beside that is told without the password.
func TestAPasswordHidesNoUUID(t *testing.T) {
	const uuid = "4c4c4544-0038-5910-8052-b7c04f4e3299"
	device := fence.Device{Name: "bmc", Driver: fence.DriverIPMI, Password: "8052"}
	check := shownCheck(device, fence.Check{Identity: uuid, Problem: "no user with 8052"})
	if check.Identity != uuid || strings.Contains(check.Problem, "8052") {
		t.Errorf("%+v", check)
	}
	if check := shownCheck(device, fence.Check{Identity: "host 8052"}); strings.Contains(check.Identity, "8052") {
		t.Errorf("what is no UUID tells the password: %q", check.Identity)
	}
}
