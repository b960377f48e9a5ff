package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// row is one of the page's table: what it speaks of, and commands that are that. An administrator
// types them last, so none of them may harm.
type row struct {
	begins   string
	roles    []string
	commands []string
}

// rowsOfRoles are all rows of the table. %s is a folder to write to.
var rowsOfRoles = []row{
	{"status, timeline, fence status", []string{"viewer", "operator", "admin"}, []string{
		"clustat", "clustat --events", "clustat -s service:shop", "clustat --why service:shop", "clusterd node list",
		"clusterd fence status", "clusterd fence history", "clusterd fence list", "clusterd alert list",
		"clusvcadm -S", "clusterd node drain node3 --dry-run",
	}},
	{"start, stop, restart, relocate", []string{"operator", "admin"}, []string{
		"clusvcadm -Z service:shop --for 1h", "clusvcadm -U service:shop", "clusvcadm -R service:shop --dry-run",
		"clusvcadm -r service:shop -m node2 --dry-run", "clusvcadm -d service:shop --dry-run",
		"clusvcadm -c service:shop", "clusvcadm -l", "clusvcadm -u", "clusterd cluster start",
		"clusterd node standby node3", "clusterd node return node3",
	}},
	{"the document and its history", []string{"admin"}, []string{
		"clusterd config show", "clusterd config history", "clusterd config rollback 1 --dry-run", "clusterd token",
		"clusterd node remove node1", "clusterd node address node1 127.0.0.1:9", "clusterd node replace node1",
		"clusterd fence node node3 --on", "clusterd fence disarm --for 1m", "clusterd fence arm",
		"clusterd client mallory --out %s/mallory", "clusterd client mallory --revoke",
		"clusterd backup %s/backup", "clusterd doctor", "clusterd alert test nobody", "clusterd audit",
		"clusterd keys rotate gossip", "clusterd keys status", "clusterd vm import nothing",
	}},
}

// rolesOf reads a row's columns.
func rolesOf(line string) (roles []string) {
	columns := strings.Split(line, "|")
	for number, role := range []string{"viewer", "operator", "admin"} {
		if len(columns) > number+2 && strings.TrimSpace(columns[number+2]) == "yes" {
			roles = append(roles, role)
		}
	}
	return roles
}

// TestWhoMayDoWhat holds the table of docs/operators/security.md against real daemons: with
// certificates of each role, as users of the host inside and outside the socket's group, and with
// no certificate that counts.
func TestWhoMayDoWhat(t *testing.T) {
	if testing.Short() {
		t.Skip("real daemons take half a minute; it was left out because of -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	table := between(t, page(t, "docs/operators/security.md"),
		"| | viewer | operator | admin |\n|---|---|---|---|\n", "\n\n")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != len(rowsOfRoles) {
		t.Fatalf("the table has %d rows, and the test knows %d: %s", len(lines), len(rowsOfRoles), table)
	}
	for number, want := range rowsOfRoles {
		if !strings.HasPrefix(lines[number], "| "+want.begins) || !slices.Equal(rolesOf(lines[number]), want.roles) {
			t.Errorf("the page says %q, and the test %q for %v", lines[number], want.begins, want.roles)
		}
	}
	w := newRolesWorld(t, ctx)
	for _, role := range []string{"viewer", "operator", "admin"} {
		w.remote(ctx, role)
	}
	w.strangers(ctx)
	t.Run("users of the host", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("another user's commands need root")
		}
		w.t = t
		w.users(ctx)
	})
}

// rolesWorld is three daemons, a certificate of each role, and a place that other users of the host
// can read.
type rolesWorld struct {
	*shopWorld
	folder string
}

func newRolesWorld(t *testing.T, ctx context.Context) *rolesWorld {
	t.Helper()
	folder, err := os.MkdirTemp("", "clusterd-roles-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &rolesWorld{shopWorld: newShopWorld(t, ctx), folder: folder}
	for _, role := range []string{"viewer", "operator", "admin"} {
		w.made(ctx, "who-"+role, "--role", role)
	}
	w.made(ctx, "who-revoked", "--role", "admin")
	result, err := stage.Run(ctx, w, "node1", "clusterd", "client", "who-revoked", "--revoke")
	if err != nil || !result.OK() {
		t.Fatalf("revoke: %v %+v", err, result)
	}
	return w
}

func (w *rolesWorld) made(ctx context.Context, user string, words ...string) {
	w.t.Helper()
	argv := append([]string{"clusterd", "client", user, "--out", filepath.Join(w.folder, user)}, words...)
	if result, err := stage.Run(ctx, w, "node1", argv...); err != nil || !result.OK() {
		w.t.Fatalf("%v: %v %+v", argv, err, result)
	}
}

// from types a command as somebody who comes over the network.
func (w *rolesWorld) from(ctx context.Context, identity, line string) (said string) {
	w.t.Helper()
	if strings.Contains(line, "%s") {
		line = fmt.Sprintf(line, w.t.TempDir())
	}
	words := strings.Fields(line)
	command := w.Command(ctx, "node2", words...)
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + w.folder, api.HostVariable + "=" + w.address("node2"),
		api.IdentityVariable + "=" + filepath.Join(w.folder, identity)}
	output, err := command.CombinedOutput()
	return fmt.Sprintf("%v: %s", err, output)
}

// address is where a node's port for the others is.
func (w *rolesWorld) address(node string) string {
	for line := range strings.SplitSeq(w.world.NodeSettings(node), "\n") {
		if port, is := strings.CutPrefix(line, "port: "); is {
			return "127.0.0." + strings.TrimPrefix(node, "node") + ":" + port
		}
	}
	return ""
}

// untried are what a command says that never came to the question whether it is allowed.
var untried = []string{"refuses this client", "flag provided but not defined", "there is no command", "usage:",
	"Could not connect"}

// remote holds the table for one role. A command that is refused for another reason was let through
// by its role.
func (w *rolesWorld) remote(ctx context.Context, role string) {
	for _, row := range rowsOfRoles {
		for _, line := range row.commands {
			said := w.from(ctx, "who-"+role, line)
			denied := !strings.HasPrefix(said, "<nil>") && strings.Contains(said, "Permission denied")
			if allowed := slices.Contains(row.roles, role); denied == allowed ||
				slices.ContainsFunc(untried, func(words string) bool { return strings.Contains(said, words) }) {
				w.t.Errorf("%s types %s, which its row allows: %t: %s", role, line, allowed, said)
			}
		}
	}
}

// strangers are nobody: whoever shows a revoked certificate.
func (w *rolesWorld) strangers(ctx context.Context) {
	for _, line := range []string{"clustat", "clusterd backup %s/b", "clusterd token"} {
		if said := w.from(ctx, "who-revoked", line); !strings.Contains(said, "removed from the cluster") {
			w.t.Errorf("a revoked administrator types %s: %s", line, said)
		}
	}
}

// openSockets gives the sockets of node1 and node2 to a group, and lets anybody find the way to
// them.
func (w *rolesWorld) openSockets(ctx context.Context) {
	w.t.Helper()
	roles := map[string]string{"node1": "", "node2": "socket_role: operator\n"}
	for node, role := range roles {
		file := filepath.Join(filepath.Dir(w.world.DataFolder(node)), "etc", "node.yaml")
		settings, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		settings = append(settings, "socket_group: nogroup\n"+role...)
		if err := os.WriteFile(file, settings, 0o600); err != nil {
			w.t.Fatal(err)
		}
		if err := w.StopDaemon(ctx, node); err != nil {
			w.t.Fatal(err)
		}
		if err := w.StartDaemon(ctx, node); err != nil {
			w.t.Fatal(err)
		}
	}
	for node := range roles {
		if err := poll(ctx, func() bool {
			_, err := w.StatusOf(ctx, node)
			return err == nil
		}); err != nil {
			w.t.Fatal(err)
		}
		run := filepath.Dir(w.world.Socket(node))
		for _, folder := range []string{filepath.Dir(filepath.Dir(run)), filepath.Dir(run), run} {
			if err := os.Chmod(folder, 0o711); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// nobody is the user of that name on most systems, and nogroup's number.
const nobody = 65534

// users are those of the host: of the socket's group, and not of it.
func (w *rolesWorld) users(ctx context.Context) {
	w.openSockets(ctx)
	const denied, closed, ok = "Permission denied", "permission denied", "<nil>"
	for _, c := range []struct {
		node, line string
		group      uint32
		want       string
	}{
		{"node1", "clustat", nobody, ok},
		{"node1", "clusvcadm -Z service:shop --for 1h", nobody, denied},
		{"node1", "clusterd config show", nobody, denied},
		{"node2", "clusvcadm -Z service:shop --for 1h", nobody, ok},
		{"node2", "clusterd backup /tmp/none", nobody, denied},
		{"node2", "clusterd token", nobody, denied},
		{"node1", "clustat", 4711, closed},
		{"node2", "clustat", 4711, closed},
		{"node2", "clusvcadm -U service:shop", 4711, closed},
		{"node3", "clustat", nobody, closed},
	} {
		if said := w.as(ctx, c.node, c.group, c.line); !strings.Contains(said, c.want) {
			w.t.Errorf("a user of group %d on %s types %s: %s, and not %q", c.group, c.node, c.line, said, c.want)
		}
	}
	w.until(ctx, "all are back", func(s api.Status) bool { return len(stage.OnlineNodes(s)) == 3 })
	events, err := w.Events(ctx, "node1", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	told := false
	for _, e := range events {
		told = told || e.By == "nobody"
		if strings.Contains(e.By, "somebody-else") {
			w.t.Errorf("a user of the host called himself what he liked: %q", e.By)
		}
	}
	if !told {
		w.t.Error("the timeline does not name the user who froze the service")
	}
}

// as types a command as another user of the host, who says in his environment that he is somebody
// else.
func (w *rolesWorld) as(ctx context.Context, node string, group uint32, line string) string {
	w.t.Helper()
	words := strings.Fields(line)
	tool := filepath.Join(w.folder, words[0])
	if _, err := os.Stat(tool); err != nil {
		if err := os.CopyFS(filepath.Join(w.folder, "tools"), os.DirFS(w.tools)); err != nil {
			w.t.Fatal(err)
		}
		for _, name := range []string{"clustat", "clusvcadm", "clusterd"} {
			if err := os.Rename(filepath.Join(w.folder, "tools", name), filepath.Join(w.folder, name)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	command := w.Command(ctx, node, append([]string{tool}, words[1:]...)...)
	command.Dir = w.folder
	command.Env = []string{"PATH=/usr/bin:/bin", "SUDO_USER=somebody-else",
		api.SocketVariable + "=" + w.world.Socket(node)}
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: group, Groups: []uint32{group}}}
	output, err := command.CombinedOutput()
	return fmt.Sprintf("%v: %s", err, output)
}
