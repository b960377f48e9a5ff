package floors

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const profile = "../../packaging/apparmor/usr.sbin.clusterd"

// runs are the rules of an AppArmor profile by which it lets programs run.
func runs(profile string) (rules []*regexp.Regexp) {
	for line := range strings.Lines(profile) {
		words := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), ","))
		if len(words) == 2 && strings.HasPrefix(words[0], "/") && strings.Contains(words[1], "x") {
			rules = append(rules, regexp.MustCompile("^"+globs.Replace(words[0])+"$"))
		}
	}
	return rules
}

var globs = strings.NewReplacer("**", ".*", "*", "[^/]*", ".", `\.`, "{", "(", "}", ")", ",", "|")

func mayRun(rules []*regexp.Regexp, program string) bool {
	return slices.ContainsFunc(rules, func(r *regexp.Regexp) bool { return r.MatchString(program) })
}

// strangers are programs that the daemon never runs.
var strangers = []string{"/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/python3", "/usr/bin/perl", "/usr/bin/env",
	"/sbin/modprobe", "/usr/sbin/useradd", "/usr/bin/systemd-run", "/usr/bin/virsh", "/usr/local/bin/x",
	"/usr/local/lib/x/y", "/usr/lib/ocf/lib/heartbeat/ocf-binaries", "/var/lib/clusterd/x", "/run/clusterd/x"}

// TestTheProfileNamesWhatTheDaemonRuns: no shell is among it, and whatever the code looks up is.
func TestTheProfileNamesWhatTheDaemonRuns(t *testing.T) {
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	rules := runs(string(text))
	for _, program := range strangers {
		if mayRun(rules, program) {
			t.Errorf("the profile lets the daemon run %s", program)
		}
	}
	for _, program := range append(lookedUp(t), "/usr/sbin/clusterd", "/bin/sleep", "/usr/sbin/fence_ipmilan",
		"/sbin/fence_x", "/usr/local/sbin/fence_x", "/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "/usr/share/cluster/ip.sh",
		"/etc/init.d/httpd") {
		if !mayRun(rules, program) {
			t.Errorf("the profile does not let the daemon run %s", program)
		}
	}
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("apparmor_parser is not installed; whether it reads the profile is not tried")
	}
	if said, err := exec.CommandContext(t.Context(), parser, "-Q", "-K", profile).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// TestAProfileThatNamesTooMuchIsSeen tries the eyes of the test above.
func TestAProfileThatNamesTooMuchIsSeen(t *testing.T) {
	for _, rule := range []string{"/{usr/,}{s,}bin/** rUx,", "  /usr/local/lib/** rPx,", "/usr/bin/*sh ix,",
		"/usr/lib/ocf/** rUx,"} {
		if !slices.ContainsFunc(strangers, func(program string) bool { return mayRun(runs(rule), program) }) {
			t.Errorf("%s lets no stranger run", rule)
		}
	}
	if mayRun(runs("/usr/bin/** rw,"), "/usr/bin/sh") {
		t.Error("what may be written counts as what may be run")
	}
}

// TestTheSmallSandboxSaysWhatItCosts: what the daemon needs for networks of guests is given by the
// drop-in for hosts with VMs only, or both it and the page say how.
func TestTheSmallSandboxSaysWhatItCosts(t *testing.T) {
	const gives = "CapabilityBoundingSet=CAP_NET_ADMIN"
	needs, err := os.ReadFile("../../agents/network/doc.go")
	if err != nil || !strings.Contains(string(needs), "CAP_NET_ADMIN") {
		t.Fatalf("agents/network does not say what it needs: %v", err)
	}
	text, err := os.ReadFile("../../packaging/clusterd-vms-only.conf")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "CapabilityBoundingSet=") && strings.Contains(line, "CAP_NET_ADMIN") {
			return
		}
	}
	page, err := os.ReadFile("../../docs/operators/security.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "declares no networks") || !strings.Contains(string(text), "#   "+gives) {
		t.Error("clusterd-vms-only.conf takes CAP_NET_ADMIN away, and does not say that networks need it")
	}
	if !strings.Contains(string(page), "cluster without [networks]") || !strings.Contains(string(page), gives) {
		t.Error("security.md does not say that networks need what clusterd-vms-only.conf takes away")
	}
}

// lookedUp are the programs that the code of the daemon looks up by their names. None is run by a
// name that is not looked up, for only so it is seen whose it is.
func lookedUp(t *testing.T) (programs []string) {
	t.Helper()
	found := regexp.MustCompile(`owned\.Find\("([^"]+)"\)`)
	for _, room := range []string{"agents", "cluster", "domain", "fence", "internal", "quorum", "resources", "cmd"} {
		err := filepath.WalkDir(filepath.Join("../..", room), func(path string, entry os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), `exec.Command("`) || strings.Contains(string(text), `exec.CommandContext(ctx, "`) {
				t.Errorf("%s runs a program by its name; look it up by owned.Find", path)
			}
			if strings.Contains(filepath.ToSlash(path), "/cmd/") {
				return err // root types that
			}
			for _, match := range found.FindAllStringSubmatch(string(text), -1) {
				programs = append(programs, "/usr/bin/"+match[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(programs) < 2 {
		t.Errorf("only %q were found", programs)
	}
	return programs
}
