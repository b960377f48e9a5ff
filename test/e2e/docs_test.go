package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

// step is one line that a page has an administrator type: on one node, or on every one where
// node is "".
type step struct{ node, line string }

var promptPattern = regexp.MustCompile(`^ {4,}(node\d)# (.*)$`)

// stepsOf are the typed lines of a part of a page. Indented lines without a prompt are for every
// node.
func stepsOf(part string) []step {
	var steps []step
	for line := range strings.Lines(part) {
		line = strings.TrimRight(line, "\n")
		if m := promptPattern.FindStringSubmatch(line); m != nil {
			steps = append(steps, step{m[1], m[2]})
		} else if text, indented := strings.CutPrefix(line, "    "); indented {
			steps = append(steps, step{"", text})
		}
	}
	return steps
}

// page reads a page of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// between cuts a part out of a page; both ends have to be there, or the page has changed and the
// test is to follow.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, begins := strings.Cut(text, from)
	text, _, ends := strings.Cut(text, to)
	if !begins || !ends {
		t.Fatalf("the page has no part between %q and %q", from, to)
	}
	return text
}

// newcomer types the documentation on three hosts that have nothing but their packages.
type newcomer struct {
	lab   *lab.Lab
	token string
	// answer is what is typed when a line asks for a word; empty for the token.
	answer string
}

// TestDocs types the README's installation and the installation page as they are written. The
// lab's own addresses stand in for those of the example, and its packages are there already; a
// systemctl of the lab's stands in for systemd.
func TestDocs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	n := &newcomer{lab: lab.ForTest(t, ctx, lab.Options{Prefix: "docs"})}
	readme := between(t, page(t, "README.md"), "## Install it on three hosts", "\n## ")
	part := func(from, to string) string { return between(t, readme, from, to) }
	n.install(t, ctx, readme)

	web := lab.Guest{Name: "web", Number: 11}
	n.write(t, n.lab.Host("node1"), "/etc/clusterd/web.xml", lab.GuestXML(web))
	n.typed(t, ctx, "node1", "virsh define /etc/clusterd/web.xml && virsh start web")
	n.all(t, ctx, part("**6. ", "**7. "), nil)
	n.until(t, ctx, "clustat", "vm:web", "started")
	n.all(t, ctx, readme[strings.Index(readme, "**7. "):], nil)
	n.until(t, ctx, "clustat -s vm:web", "node2")

	installation := page(t, "docs/operators/installation.md")
	n.all(t, ctx, between(t, installation, "## Upgrading", "\n## "), nil)
	n.until(t, ctx, "clusterd node list | grep node2", "online")
	n.until(t, ctx, "clustat -s vm:web", "started") // it moved live when its node was left
	n.typed(t, ctx, "node1", "clusvcadm -M vm:web -m node2")

	// "Then pull a plug, on purpose".
	if err := n.lab.Host("node2").Crash(); err != nil {
		t.Fatal(err)
	}
	n.until(t, ctx, "clustat -s vm:web", "node1", "started")
	inEtc := strings.NewReplacer("/root/", "/etc/clusterd/", "alpha-$(date", "backup-$(date")
	n.all(t, ctx, between(t, installation, "## Remote tools", "## Upgrading"), inEtc)
	n.all(t, ctx, between(t, installation, "## Backup", "Restoring"), inEtc)
	n.takenOut(t, ctx, between(t, installation, "To take a VM out again", "## Remote tools"), inEtc)
}

// takenOut types how a VM is taken out of the cluster. The page has the document edited between
// two of its lines.
func (n *newcomer) takenOut(t *testing.T, ctx context.Context, part string, inEtc *strings.Replacer) {
	t.Helper()
	stop, giveBack, _ := strings.Cut(part, "Save the definition")
	n.all(t, ctx, stop, inEtc)
	document := n.typed(t, ctx, "node1", "cat /etc/clusterd/alpha.yaml")
	without, services, found := strings.Cut(document, "\nservices:\n") // vm:web is the only one
	if !found || !strings.Contains(services, "vm:web:") {
		t.Fatalf("the document that is shown has no vm:web: %s", document)
	}
	n.write(t, n.lab.Host("node1"), "/etc/clusterd/alpha.yaml", without+"\n")
	n.all(t, ctx, giveBack, inEtc)
	if said := n.typed(t, ctx, "node1", "clustat"); strings.Contains(said, "vm:web") {
		t.Errorf("vm:web is still a service: %s", said)
	}
	n.typed(t, ctx, "node1", "virsh start web") // the doorkeeper has no say in it now
}

// install types the README's first five steps: packages, the cluster, and its document.
func (n *newcomer) install(t *testing.T, ctx context.Context, readme string) {
	t.Helper()
	part := func(from, to string) string { return between(t, readme, from, to) }
	for _, host := range n.lab.Hosts {
		n.lieOver(t, ctx, host, "/usr")
		for _, s := range stepsOf(part("**1. ", "**2. ")) {
			if !strings.HasPrefix(s.line, "apt-get ") {
				n.typed(t, ctx, host.Name, s.line)
			}
		}
		settings := ""
		for _, s := range stepsOf(part("**2. ", "**3. ")) {
			settings += n.ours(host, s.line) + "\n"
		}
		n.write(t, host, "/etc/clusterd/node.yaml", settings+"hardware_uuid_file: /etc/clusterd/hardware-uuid\n")
	}
	n.all(t, ctx, part("**3. ", "**4. "), nil)
	joining := part("**4. ", "**5. ")
	n.all(t, ctx, joining, nil)
	n.typed(t, ctx, "node1", "clusterd token")
	n.all(t, ctx, strings.ReplaceAll(joining, "node2#", "node3#"), nil)

	document := n.ours(n.lab.Host("node1"), between(t, readme, "```yaml\n", "```"))
	user, password := n.lab.BMCCredentials()
	document = strings.ReplaceAll(document, "username: clusterd", "username: "+user)
	document = strings.ReplaceAll(document, `password: "..."`,
		fmt.Sprintf("password: %q, options: {cipher: \"3\"}", password))
	n.write(t, n.lab.Host("node1"), "/etc/clusterd/alpha.yaml", document)
	n.all(t, ctx, part("**5. ", "**6. "), strings.NewReplacer("alpha.yaml", "/etc/clusterd/alpha.yaml"))
}

// ours puts the lab's addresses in the place of the example's.
func (n *newcomer) ours(host *lab.Host, text string) string {
	text = strings.Replace(text, "name: node1", "name: "+host.Name, 1)
	if text == "address: 10.0.0.1" {
		text = "address: " + host.Address(lab.Management)
	}
	for _, other := range n.lab.Hosts {
		text = strings.ReplaceAll(text, fmt.Sprintf("10.0.1.10%d", other.Number), other.BMC.Address())
	}
	return text
}

// lieOver lets what is installed below a directory lie in the host's own layer, so that the
// machine is not touched.
func (n *newcomer) lieOver(t *testing.T, ctx context.Context, host *lab.Host, directory string) {
	t.Helper()
	upper := filepath.Join(host.Directory(), "overlay", "installed")
	n.typed(t, ctx, host.Name, fmt.Sprintf("mkdir -p %[1]s %[1]s.work /etc/apparmor.d/local/abstractions && "+
		"mount -t overlay overlay -o lowerdir=%[2]s,upperdir=%[1]s,workdir=%[1]s.work,index=off %[2]s", upper, directory))
}

func (n *newcomer) write(t *testing.T, host *lab.Host, path, text string) {
	t.Helper()
	if inside, found := strings.CutPrefix(path, "/etc/clusterd/"); found {
		path = filepath.Join(host.Directory(), "etc-clusterd", inside)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// all types the steps of a part of a page.
func (n *newcomer) all(t *testing.T, ctx context.Context, part string, ours *strings.Replacer) {
	t.Helper()
	for _, s := range stepsOf(part) {
		if ours != nil {
			s.line = ours.Replace(s.line)
		}
		if s.node != "" {
			n.typed(t, ctx, s.node, s.line)
		}
	}
}

// goFolder returns the folder of the go command that runs this test.
func goFolder(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(program)
}

// typed types one line, which has to succeed. A token goes from the line that prints it to the
// line that asks for it.
func (n *newcomer) typed(t *testing.T, ctx context.Context, node, line string) string {
	t.Helper()
	began := time.Now()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	command := n.lab.Host(node).Command(ctx, "sh", "-c", "cd "+root+" && "+line)
	command.Env = append(command.Env,
		"PATH=/etc/lab/bin:/usr/sbin:/usr/bin:/sbin:/bin:"+goFolder(t))
	command.Stdin = strings.NewReader(cmp.Or(n.answer, n.token) + "\n")
	var said, aside strings.Builder
	command.Stdout, command.Stderr = &said, &aside
	if err := command.Run(); err != nil {
		t.Fatalf("%s# %s: %v: %s%s", node, line, err, said.String(), aside.String())
	}
	output := said.String()
	if strings.HasPrefix(line, "clusterd token") || strings.HasPrefix(line, "clusterd node replace") {
		n.token, output = strings.TrimSpace(output), "(a token)\n" // a secret
	}
	t.Logf("%s# %s (%s)\n%s%s", node, line, time.Since(began).Round(10*time.Millisecond), output, aside.String())
	return output
}

// until types a line on node1 until its answer has all of the words.
func (n *newcomer) until(t *testing.T, ctx context.Context, line string, words ...string) {
	t.Helper()
	said := ""
	if err := poll(ctx, func() bool {
		output, err := n.lab.Host("node1").Run(ctx, "sh", "-c", line)
		said = output
		for _, word := range words {
			if err != nil || !strings.Contains(output, word) {
				return false
			}
		}
		return true
	}); err != nil {
		t.Fatalf("%s never says all of %q: %s", line, words, said)
	}
}
