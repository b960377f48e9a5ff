package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
)

// losses types what the pages have an administrator do when something is lost.
type losses struct {
	*newcomer
	security, recovery string
	probes             map[string]*lab.Probe
	ours               *strings.Replacer
}

// TestDocsSecurity types the pages' steps for what is lost or stolen as they are written, and looks
// at what they promise: what is lost opens nothing from then on, what runs goes on, and a backup
// from before is restored.
func TestDocsSecurity(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
	defer cancel()
	l := &losses{newcomer: &newcomer{lab: lab.ForTest(t, ctx, lab.Options{Prefix: "loss"})},
		security: between(t, page(t, "docs/operators/security.md"), "## When something is lost", "\n## "),
		recovery: between(t, page(t, "docs/operators/recovery.md"), "## Everything is lost", "\n## "),
		probes:   map[string]*lab.Probe{},
		ours: strings.NewReplacer("/root/", "/etc/clusterd/", " alpha.yaml", " /etc/clusterd/alpha.yaml",
			"alpha-$(date +%F).json", "alpha.json")}
	l.install(t, ctx, between(t, page(t, "README.md"), "## Install it on three hosts", "\n## "))
	for number, name := range []string{"web", "mail", "shop"} {
		l.guest(t, ctx, fmt.Sprintf("node%d", number+1), lab.Guest{Name: name, Number: 31 + number})
	}
	l.until(t, ctx, "clustat", "vm:web", "vm:mail", "vm:shop")
	l.text(t, ctx, "node1# clusterd client alice --role admin --out /root/alice")
	l.text(t, ctx, "node1# clusterd backup /root/alpha.json")
	before := l.inside("node1", "alpha.json")
	disk := steal(t, l.lab, l.data("node3"), "node.crt", "node.key")
	if conn, said := disk.reach(l.lab.Host("node1"), "clusterd-quorum"); conn == nil || !disk.opens(t, before) {
		t.Fatalf("the disk of a member opens nothing even now: %s", said)
	}

	l.laptop(t, ctx)
	l.copied(t, ctx)
	l.disk(t, ctx, disk)
	l.node(t, ctx)
	l.keys(t, ctx)
	disk.refusedWith(t, "not of this cluster", "node1", "node2", "node3") // nor is its authority believed
	l.text(t, ctx, "node1# clusterd backup /root/alpha-now.json")
	if disk.opens(t, l.inside("node1", "alpha-now.json")) {
		t.Error("the lost disk opens a backup that was made after its node was removed")
	}
	l.restored(t, ctx)
}

func (l *losses) data(node string) string {
	return filepath.Join(l.lab.Host(node).Directory(), "var-lib-clusterd")
}

func (l *losses) inside(node, name string) string {
	return filepath.Join(l.lab.Host(node).Directory(), "etc-clusterd", name)
}

// text types one line that is none of the page's.
func (l *losses) text(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	l.all(t, ctx, "    "+text, l.ours)
}

// part types the lines of a part of the security page.
func (l *losses) part(t *testing.T, ctx context.Context, heading string) {
	t.Helper()
	l.all(t, ctx, between(t, l.security+"\n### ", "### "+heading+"\n", "\n### "), l.ours)
}

// guest starts a VM by hand and lets the cluster take it in.
func (l *losses) guest(t *testing.T, ctx context.Context, node string, guest lab.Guest) {
	t.Helper()
	file := "/etc/clusterd/" + guest.Name + ".xml"
	l.write(t, l.lab.Host(node), file, lab.GuestXML(guest))
	l.typed(t, ctx, node, fmt.Sprintf("virsh define %s && virsh start %s", file, guest.Name))
	l.typed(t, ctx, node, "clusterd vm import "+guest.Name)
	probe, err := l.lab.ProbeGuest(guest.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { probe.Stop() })
	if err := probe.WaitForAnswer(ctx); err != nil {
		t.Fatal(err)
	}
	l.probes[guest.Name] = probe
}

// undisturbed wants each of the guests to be the run that it was, and to answer.
func (l *losses) undisturbed(t *testing.T, ctx context.Context, what string, guests ...string) {
	t.Helper()
	for _, name := range guests {
		if err := poll(ctx, func() bool { return l.probes[name].Report().SilentFor < time.Second }); err != nil {
			t.Errorf("%s: guest %s does not answer", what, name)
		}
		if seen := l.probes[name].Report(); len(seen.Runs) != 1 || seen.TickWentBack != 0 {
			t.Errorf("%s: guest %s was seen in %d runs, %d times as a copy", what, name, len(seen.Runs), seen.TickWentBack)
		}
	}
	for name, probe := range l.probes {
		if err := l.lab.CheckSingleWriter(name); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		probe.Reset()
	}
}

// withoutQuorum counts the answers of node1 that it is without quorum, until it is asked.
func (l *losses) withoutQuorum(ctx context.Context) (lost func() int64) {
	ctx, cancel := context.WithCancel(ctx)
	var count, asked atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		socket := fmt.Sprintf("/proc/%d/root/run/clusterd/clusterd.sock", l.lab.Host("node1").Pid())
		client, err := api.NewClient(api.Options{Socket: socket})
		if err != nil {
			return
		}
		defer client.Close()
		for ctx.Err() == nil {
			if status, err := client.Status(ctx, false); err == nil {
				asked.Add(1)
				if !status.Quorate {
					count.Add(1)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() int64 {
		cancel()
		<-ended
		if asked.Load() == 0 {
			return -1
		}
		return count.Load()
	}
}

// laptop: a client certificate is lost while a connection with it is open.
func (l *losses) laptop(t *testing.T, ctx context.Context) {
	stolen := steal(t, l.lab, l.inside("node1", "alice"), "client.pem", "client.key")
	held, said := stolen.reach(l.lab.Host("node2"), "clusterd-api")
	if held == nil {
		t.Fatalf("a good certificate is refused: %s", said)
	}
	defer held.Close()
	if output, err := l.remotely(ctx, stolen.folder, "clusterd", "backup", filepath.Join(t.TempDir(), "b")); err != nil {
		t.Fatalf("an administrator elsewhere: %v: %s", err, output)
	}
	l.part(t, ctx, "An administrator's laptop, or a client.key")
	held.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := held.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Error("the connection of the revoked certificate lives on")
	}
	stolen.refusedWith(t, "removed from the cluster", "node1", "node2", "node3")
	if output, err := l.remotely(ctx, stolen.folder, "clustat"); err == nil {
		t.Errorf("the revoked certificate still looks: %s", output)
	}
	trail := l.typed(t, ctx, "node1", "clusterd audit --node node1 | grep -w alice")
	if !strings.Contains(trail, "admin alice from") || !strings.Contains(trail, "back the cluster up") {
		t.Errorf("the trail does not tell what alice did: %s", trail)
	}
	if output, err := l.remotely(ctx, l.inside("node1", "alice-2"), "clustat"); err != nil {
		t.Errorf("the certificate that was made anew: %v: %s", err, output)
	}
	l.undisturbed(t, ctx, "a certificate was revoked", "web", "mail", "shop")
}

// remotely runs a tool on a machine that is no node.
func (l *losses) remotely(ctx context.Context, identity string, argv ...string) (string, error) {
	root, err := filepath.Abs(filepath.Join("..", "..", "bin"))
	if err != nil {
		return "", err
	}
	argv[0] = filepath.Join(root, argv[0])
	command := l.lab.HubCommand(ctx, argv...)
	command.Env = append(os.Environ(), api.HostVariable+"="+l.lab.Host("node1").Address(lab.Management),
		api.IdentityVariable+"="+identity)
	output, err := command.CombinedOutput()
	return string(output), err
}

// keys: a backup with its key is out, and with it the gossip key and the authority's.
func (l *losses) keys(t *testing.T, ctx context.Context) {
	lost := l.withoutQuorum(ctx)
	l.part(t, ctx, "A backup file and its key file")
	l.part(t, ctx, "The gossip key")
	l.part(t, ctx, "A join token")
	l.part(t, ctx, "The authority's key")
	l.until(t, ctx, "clusterd keys status", "not being rotated")
	if count := lost(); count != 0 {
		t.Errorf("while the keys were rotated, node1 said %d times that it had no quorum", count)
	}
	if output, err := l.remotely(ctx, l.inside("node1", "alice-2"), "clustat"); err == nil {
		t.Errorf("a certificate of the old authority still looks: %s", output)
	}
	l.text(t, ctx, "node1# clusterd client alice --role admin --out /root/alice-3")
	if output, err := l.remotely(ctx, l.inside("node1", "alice-3"), "clustat"); err != nil {
		t.Errorf("a certificate of the new authority: %v: %s", err, output)
	}
	l.undisturbed(t, ctx, "keys were rotated", "web", "mail", "shop")
}

// disk: somebody has a copy of the disk of node3, which gets another key.
func (l *losses) disk(t *testing.T, ctx context.Context, stolen thief) {
	held, said := steal(t, l.lab, l.data("node3"), "node.crt", "node.key").reach(l.lab.Host("node2"), "clusterd-quorum")
	if held == nil {
		t.Fatalf("a member is refused: %s", said)
	}
	defer held.Close()
	steps := between(t, l.security+"\n### ", "### A node's disk, while the machine is still yours\n", "\n### ")
	l.all(t, ctx, steps, l.ours)
	held.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := held.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Error("a connection of the removed key lives on")
	}
	l.until(t, ctx, "clusterd node list | grep node3", "online", "voter")
	stolen.refusedWith(t, "removed from the cluster", "node1", "node2", "node3")
	l.until(t, ctx, "clustat --events --limit 100", "node3 has gone and knew the previous key")
	l.undisturbed(t, ctx, "a node got another key", "web", "mail", "shop")
}

// node: node2 is carried away with its BMC, and comes up again elsewhere, with its disk, in the
// cluster's network.
func (l *losses) node(t *testing.T, ctx context.Context) {
	gone := l.lab.Host("node2")
	if err := gone.BMC.SetFault(lab.Dead); err != nil {
		t.Fatal(err)
	}
	if err := gone.Crash(); err != nil {
		t.Fatal(err)
	}
	stolen := steal(t, l.lab, l.data("node2"), "node.crt", "node.key")
	l.until(t, ctx, "clustat", "proven nothing")
	l.answer = "node2"
	l.part(t, ctx, "A whole node")
	l.answer = ""
	l.until(t, ctx, "clustat -s vm:mail", "started")
	l.boot(t, ctx, "node2")
	l.typed(t, ctx, "node2", "systemctl start clusterd || true")
	stolen.refusedWith(t, "removed from the cluster", "node1", "node3")
	l.typedUntil(t, ctx, "node2", "systemctl is-active clusterd || echo ended", "ended")
	text, err := os.ReadFile(gone.ServiceLog("clusterd"))
	if err != nil || !strings.Contains(string(text), "was removed") {
		t.Errorf("the stolen machine's clusterd does not tell that it was removed: %v", err)
	}
	if running := l.typed(t, ctx, "node2", "virsh -q list --name"); strings.TrimSpace(running) != "" {
		t.Errorf("the stolen machine runs %s", running)
	}
	if err := gone.BMC.SetFault(lab.Healthy); err != nil {
		t.Fatal(err)
	}
	l.knew(t, ctx)
	// The thief is caught, and the machine comes back with an empty disk.
	l.text(t, ctx, "node2# systemctl stop clusterd")
	l.text(t, ctx, "node2# find /var/lib/clusterd -mindepth 1 -delete")
	l.text(t, ctx, "node1# clusterd token")
	l.text(t, ctx, "node2# clusterd join")
	l.text(t, ctx, "node2# systemctl start clusterd")
	l.until(t, ctx, "clusterd node list | grep node2", "online", "voter")
	l.undisturbed(t, ctx, "a node was stolen", "web", "shop")
}

// knew changes the passwords of the BMCs, first there and then in the document.
func (l *losses) knew(t *testing.T, ctx context.Context) {
	t.Helper()
	const fresh = "another-word-7"
	for _, host := range l.lab.Hosts {
		if output, err := l.lab.IPMI(ctx, host, "user", "set", "password", "2", fresh, "16"); err != nil {
			t.Fatalf("the BMC of %s takes no other password: %v: %s", host.Name, err, output)
		}
	}
	steps := stepsOf(between(t, l.security+"\n### ", "### What a node knew\n", "\n### "))
	steps = slices.DeleteFunc(steps, func(s step) bool { return s.node == "" })
	l.steps(t, ctx, steps[:1])
	file := l.inside("node1", "alpha.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := passwordPattern.ReplaceAllString(string(text), `${1}"`+fresh+`"`)
	if _, old := l.lab.BMCCredentials(); strings.Contains(string(text), old) || strings.Count(edited, fresh) != 3 {
		t.Fatalf("the document as it is shown: %s", text)
	}
	l.write(t, l.lab.Host("node1"), "/etc/clusterd/alpha.yaml", edited)
	l.steps(t, ctx, steps[1:2])
	l.until(t, ctx, `clusterd fence status --json | grep -c '"problem"' | grep -x 0`, "0")
	l.steps(t, ctx, steps[2:])
}

// passwordPattern finds the passwords of a document.
var passwordPattern = regexp.MustCompile(`(\bpassword: *)("[^"]*"|[^\s,}]+)`)

// boot gives a host power, and what was installed on it.
func (l *losses) boot(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	host := l.lab.Host(node)
	if err := host.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	l.lieOver(t, ctx, host, "/usr")
}

// typedUntil types a line on a node until its answer has the words.
func (l *losses) typedUntil(t *testing.T, ctx context.Context, node, line, words string) {
	t.Helper()
	said := ""
	if err := poll(ctx, func() bool {
		said, _ = l.lab.Host(node).Run(ctx, "sh", "-c", "PATH=/etc/lab/bin:$PATH; "+line)
		return strings.Contains(said, words)
	}); err != nil {
		t.Fatalf("%s# %s never says %q: %s", node, line, words, said)
	}
}

// restored: everything is lost, and there is the backup from before all this. node2 and node3 have
// other keys by now, so their machines are switched off once.
func (l *losses) restored(t *testing.T, ctx context.Context) {
	for _, node := range []string{"node3", "node2", "node1"} {
		l.typed(t, ctx, node, "systemctl stop clusterd && find /var/lib/clusterd -mindepth 1 -delete")
	}
	steps := stepsOf(l.recovery)
	line := func(beginning string) int {
		t.Helper()
		at := slices.IndexFunc(steps, func(s step) bool { return s.node != "" && strings.HasPrefix(s.line, beginning) })
		if at < 0 {
			t.Fatalf("the page has no line %q", beginning)
		}
		return at
	}
	second, third := line("systemctl stop clusterd"), line("clusterd config apply alpha.yaml")
	l.steps(t, ctx, steps[:second])
	l.until(t, ctx, "clusterd node list | grep node1", "online")
	// An administrator's own file was made for no version of the document.
	l.typed(t, ctx, "node1", "sed -i '/^# version/d' /etc/clusterd/alpha.yaml")
	for _, node := range []string{"node3", "node2"} {
		l.steps(t, ctx, steps[third:third+3], "node3", node)
		l.boot(t, ctx, node)
		l.steps(t, ctx, steps[third+3:], "node3", node)
		l.until(t, ctx, "clusterd node list | grep "+node, "online")
	}
	for _, name := range []string{"web", "mail", "shop"} {
		l.until(t, ctx, "clustat -s vm:"+name, "started")
	}
	l.undisturbed(t, ctx, "the cluster was restored", "web")
	// "Who was revoked since is believed again", until that is done again.
	alice := steal(t, l.lab, l.inside("node1", "alice"), "client.pem", "client.key")
	if conn, said := alice.reach(l.lab.Host("node1"), "clusterd-api"); conn == nil {
		t.Errorf("a certificate that the backup holds: %s", said)
	}
	l.text(t, ctx, "node1# clusterd client alice --revoke")
	alice.refusedWith(t, "removed from the cluster", "node1", "node2", "node3")
}

// steps types some lines, with other words in the place of some.
func (l *losses) steps(t *testing.T, ctx context.Context, steps []step, words ...string) {
	t.Helper()
	for _, s := range steps {
		if s.node == "" {
			continue
		}
		replaced := strings.NewReplacer(words...)
		l.typed(t, ctx, replaced.Replace(s.node), l.ours.Replace(replaced.Replace(s.line)))
	}
}
