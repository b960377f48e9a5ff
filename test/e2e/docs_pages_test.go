package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typedOrNot has each command of the installation page: "" where TestDocs types it, or the README's
// line of the same command, and why not where it does not.
var typedOrNot = map[string]string{
	"make install":               "",
	"clusterd init":              "",
	"clusterd join":              "",
	"clusterd vm import NAME":    "",
	"clusterd node leave":        "",
	"clusterd node remove NODE":  "attack_test.go and TestReports type it",
	"clusterd config show":       "",
	"clusterd config apply":      "",
	"clusterd config check":      "",
	"clusterd node list":         "",
	"clusterd doctor":            "",
	"clusterd client alice":      "",
	"clusterd backup":            "",
	"clusvcadm -d vm:web":        "",
	"clustat":                    "",
	"systemctl restart clusterd": "",
	// As enable --now.
	"systemctl start":                             "",
	"virsh autostart --disable":                   "clusterd vm import does it for each VM that is taken in",
	"virsh define":                                "",
	"virsh start":                                 "",
	"clustat --host node1":                        "the hosts of the lab have no names for each other",
	"clusterd node replace NODE":                  "TestARestoredClusterTakesItsNodesIn types it, from the recovery page",
	"clusterd restore":                            "the recovery page says how, and TestDocsSecurity types it from there",
	"clusvcadm -e vm:NAME":                        "the VM of the test runs when it is taken in; roles_test.go types it",
	"clusterd node leave --wait 5m":               "clusterd-handover.service runs it; shutdown_test.go shuts a host down",
	"clusterd node leave NODE":                    "typed on the node itself, without its name",
	"clusterd node remove":                        "the removal of a package needs a distribution: make test-packages",
	"systemctl try-restart clusterd":              "the script of a package runs it: make test-packages",
	"systemctl status clusterd":                   "the lab's systemctl has no conditions: TestUnits has a systemd",
	"make dist":                                   "make test-packages",
	"make test-packages":                          "it is a test itself, and needs a distribution",
	"journalctl -k | grep apparmor":               "the lab has no AppArmor",
	"apparmor_parser -r /etc/apparmor.d/usr.sbin": "the lab has no AppArmor",
	"apparmor_parser -r /etc/apparmor.d/libvirt":  "the lab has no AppArmor",
	"scp node2:/etc/libvirt/hooks/qemu":           "the hosts of the lab have no ssh",
	"virsh edit":                                  "the page says not to",
	"virsh undefine --keep-nvram --keep-tpm NAME": "it mends what only virsh edit makes",
}

// inlineCommand is a command in a sentence, or on a line of its own behind a prompt.
var inlineCommand = regexp.MustCompile("(?m)`([^`\n]+)`|^ {4}(?:node\\d# )?(.*)$")

// TestEachCommandOfTheInstallationPageIsTypedOrExcused: a command that is added to the page has to
// be typed by TestDocs, or a reason has to be written down why it is not.
func TestEachCommandOfTheInstallationPageIsTypedOrExcused(t *testing.T) {
	programs := []string{"clusterd", "clustat", "clusvcadm", "systemctl", "make", "virsh", "apparmor_parser", "scp",
		"journalctl"}
	met := map[string]bool{}
	for _, m := range inlineCommand.FindAllStringSubmatch(page(t, "docs/operators/installation.md"), -1) {
		command := m[1] + m[2]
		if words := strings.Fields(command); len(words) < 2 && command != "clustat" || !slices.Contains(programs, words[0]) {
			continue
		}
		longest := ""
		for known := range typedOrNot {
			if strings.HasPrefix(command+" ", known) && len(known) > len(longest) {
				longest = known
			}
		}
		if met[longest] = true; longest == "" {
			t.Errorf("`%s` is neither typed nor excused", command)
		}
	}
	for known := range typedOrNot {
		if !met[known] {
			t.Errorf("`%s` is not on the page any more", known)
		}
	}
}
