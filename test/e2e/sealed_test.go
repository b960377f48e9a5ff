package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// The passwords of the service: the first one, the one that takes its place, and one that is part
// of a longer value.
const (
	firstWord  = "hush-first-4711-of-the-database"
	secondWord = "hush-second-0815-of-the-database"
	mountWord  = "hush-mount-6001-of-the-share"
)

// passwordAgent is an agent as those of resource-agents are: meta-data with a password among its
// parameters, which it gets in its environment. It writes down what it got, looks at what others
// can see of it, and talks too much.
const passwordAgent = `#!/bin/sh
: ${OCF_FUNCTIONS_DIR=${OCF_ROOT}/lib/heartbeat}
file="$HA_RSCTMP/$OCF_RESOURCE_INSTANCE"
case "$1" in
meta-data) cat <<END
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="database" version="1.0">
<version>1.1</version>
<longdesc lang="en">A database that is not there.</longdesc>
<shortdesc lang="en">A database</shortdesc>
<parameters>
<parameter name="user" required="0" unique-group="">
<longdesc lang="en">The user that checks</longdesc><shortdesc lang="en">User</shortdesc>
<content type="string" default="root" /></parameter>
<parameter name="passwd" required="1" reloadable="1">
<longdesc lang="en">The password of that user</longdesc><shortdesc lang="en">Password</shortdesc>
<content type="string" default="" /></parameter>
<parameter name="options" required="0">
<longdesc lang="en">Options of the mount</longdesc><shortdesc lang="en">Options</shortdesc>
<content type="string" default="" /></parameter>
<parameter name="fail" required="0">
<longdesc lang="en">Whether it fails</longdesc><shortdesc lang="en">Fails</shortdesc>
<content type="boolean" default="0" /></parameter>
</parameters>
<actions>
<action name="start" timeout="20s" />
<action name="stop" timeout="20s" />
<action name="reload-agent" timeout="20s" />
<action name="monitor" timeout="20s" interval="1s" depth="0" />
<action name="validate-all" timeout="5s" />
<action name="meta-data" timeout="5s" />
</actions>
</resource-agent>
END
	;;
start|reload-agent)
	echo "$OCF_RESKEY_passwd $OCF_RESKEY_options" >"$file"
	cat /proc/[0-9]*/cmdline >"$file.seen" 2>/dev/null
	echo "connecting as $OCF_RESKEY_user with password $OCF_RESKEY_passwd"
	if [ "$OCF_RESKEY_fail" = 1 ]; then
		echo "ocf-exit-reason:mount -o $OCF_RESKEY_options: $(printf '%0120d' 7) Access denied with $OCF_RESKEY_passwd" >&2
		exit 1
	fi ;;
stop) echo "bye, $OCF_RESKEY_passwd" >&2; rm -f "$file" ;;
monitor) [ -e "$file" ] || { echo "ERROR: $OCF_RESKEY_passwd does not open $OCF_RESKEY_options" >&2; exit 7; } ;;
validate-all) ;;
*) exit 3 ;;
esac
`

// treeOfDatabase is a service whose agent has secrets.
func treeOfDatabase(password, more string) []string {
	return strings.Split(`service:shop:
  domain: order
  resources:
    - type: ocf:e2e:database
      name: db
      parameters: {user: checker, passwd: "`+password+`", options: "ro,username=u,password=`+
		mountWord+`"`+more+`}`, "\n")
}

// TestASealedParameterReachesItsAgentAlone: real daemons run a real agent with a password, through
// a start, a change, a reload, a failure and a failover. The agent has it in its environment, and
// it is in nothing else.
func TestASealedParameterReachesItsAgentAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("real daemons take half a minute; it was left out because of -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newWorldOf(t, ctx, map[string]string{"database": passwordAgent}, treeOfDatabase(firstWord, ""))
	s.got(ctx, "node1", firstWord)

	plan := s.plan(ctx)
	s.Plan.Trees = treeOfDatabase(secondWord, "")
	if err := s.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	s.got(ctx, "node1", secondWord)
	if err := os.Remove(s.database("node1")); err != nil {
		t.Fatal(err)
	}
	s.told(ctx, "failed on node1: ocf:e2e:database db")
	s.got(ctx, "node1", secondWord)
	s.Plan.Trees = treeOfDatabase(secondWord, ", fail: \"1\"")
	if err := s.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	s.told(ctx, "Access denied")
	s.Plan.Trees = treeOfDatabase(secondWord, "")
	if err := s.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	stage.Run(ctx, s, "node1", "clusvcadm", "-e", "service:shop") // where it runs already this says so
	s.until(ctx, "the service runs again", func(st api.Status) bool { return stage.Owner(st, "service:shop") != "" })
	status, err := s.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	owner := stage.Owner(status, "service:shop")
	if err := s.CutPower(owner); err != nil {
		t.Fatal(err)
	}
	s.until(ctx, "it runs elsewhere", func(st api.Status) bool {
		next := stage.Owner(st, "service:shop")
		return next != "" && next != owner
	})
	if err := s.Boot(ctx, owner); err != nil {
		t.Fatal(err)
	}
	s.until(ctx, "all are back", func(st api.Status) bool { return len(stage.OnlineNodes(st)) == 3 })
	s.secretNowhere(ctx, plan)
}

// database is where the agent writes down what it got.
func (s *shopWorld) database(node string) string {
	return filepath.Join(filepath.Dir(s.world.Socket(node)), "agents", "database-db")
}

// got waits until the agent wrote down that it got the password and the whole option.
func (s *shopWorld) got(ctx context.Context, node, password string) {
	s.t.Helper()
	want := password + " ro,username=u,password=" + mountWord + "\n"
	path := s.database(node)
	s.until(ctx, "the agent got its password", func(st api.Status) bool {
		text, err := os.ReadFile(path)
		return err == nil && string(text) == want && stage.Owner(st, "service:shop") == node
	})
}

// plan is what the tools say of a document that is not in force yet.
func (s *shopWorld) plan(ctx context.Context) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.world.DataFolder("node1")), "etc", "cluster.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	next := strings.Replace(string(text), firstWord, secondWord, 1)
	if next == string(text) {
		s.t.Fatalf("the document that was applied has no password: %s", text)
	}
	file, err := s.world.WriteFile("node1", "next.yaml", next)
	if err != nil {
		s.t.Fatal(err)
	}
	var said strings.Builder
	for _, argv := range [][]string{
		{"config", "check", file}, {"config", "diff", file}, {"config", "apply", "--dry-run", file},
		{"test", "tree", file}, {"test", "delta", file, file}, {"test", "place", file, "service:shop"},
	} {
		result, err := stage.Run(ctx, s, "node1", append([]string{"clusterd"}, argv...)...)
		if err != nil || !result.OK() {
			s.t.Errorf("clusterd %v: %v %+v", argv, err, result)
		}
		said.WriteString(result.Output)
	}
	return said.String()
}

// secretNowhere looks for the passwords in all that the cluster shows and writes.
func (s *shopWorld) secretNowhere(ctx context.Context, plan string) {
	s.t.Helper()
	all := map[string]string{"the tools' words about a new document": plan}
	folder := s.t.TempDir()
	bundle, backup := filepath.Join(folder, "bundle.tar.gz"), filepath.Join(folder, "backup.json")
	for _, argv := range [][]string{
		{"clusterd", "config", "show"}, {"clusterd", "config", "show", "--version", "2"}, {"clusterd", "config", "history"},
		{"clusterd", "config", "history", "--json"}, {"clusterd", "config", "diff", "1", "2"}, {"clustat"},
		{"clustat", "--json"}, {"clustat", "--events", "--limit", "1000"}, {"clustat", "-s", "service:shop"},
		{"clusterd", "doctor"}, {"clusterd", "fence", "status"}, {"clusterd", "audit"},
		{"clustat", "--why", "service:shop"},
		{"clusterd", "support-bundle", bundle}, {"clusterd", "backup", backup}, {"ps", "axww"},
	} {
		result, err := stage.Run(ctx, s, "node1", argv...)
		if err != nil || result.Output == "" || argv[0] != "clustat" && argv[1] != "doctor" && !result.OK() {
			s.t.Errorf("%v: %v %+v", argv, err, result)
		}
		all[strings.Join(argv, " ")] = result.Output
	}
	for name, text := range unpacked(s.t, bundle) {
		all["support bundle: "+name] = text
	}
	for _, node := range s.Nodes() {
		s.written(node, all)
	}
	if text, err := os.ReadFile(backup); err != nil {
		s.t.Error(err)
	} else {
		all["a backup"] = string(text)
	}
	if len(all) < 40 {
		s.t.Errorf("only %d outputs were looked at", len(all))
	}
	for name, text := range all {
		for _, secret := range []string{firstWord, secondWord, mountWord, "hush-"} {
			if at := strings.Index(text, secret); at >= 0 {
				s.t.Errorf("%s has a secret: ...%q...", name, text[max(0, at-80):min(len(text), at+60)])
			}
		}
	}
}

// written adds what a node has on its disk and in its log, and what its agent saw of the processes.
func (s *shopWorld) written(node string, all map[string]string) {
	s.t.Helper()
	root := filepath.Dir(s.world.DataFolder(node))
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // files come and go
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		// What the administrator wrote, and what the agent itself did, are theirs.
		if filepath.Base(filepath.Dir(path)) == "etc" || entry.Name() == "database-db" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		all[fmt.Sprintf("%s of %s", strings.TrimPrefix(path, root), node)] = unzipped(string(text))
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
	// A search that finds the agent's type in the log finds a password there as well.
	for _, place := range []string{"/data/raft/", "/clusterd.log"} {
		found := false
		for name, text := range all {
			found = found || strings.HasPrefix(name, place) && strings.HasSuffix(name, node) &&
				strings.Contains(text, "ocf:e2e:database")
		}
		if !found && (node == "node1" || place != "/clusterd.log") { // the agent may have run on node1 and another
			s.t.Errorf("%s of %s tells nothing of the agent", place, node)
		}
	}
	s.modes(node, root)
}

// modes are those of the page's table of where secrets lie.
func (s *shopWorld) modes(node, root string) {
	s.t.Helper()
	for name, want := range map[string]fs.FileMode{
		"data/node.key": 0o600, "data/node.crt": 0o600, "data/raft": 0o700 | fs.ModeDir, "data/plans/*": 0o600,
		"data/keys.json": 0o600, "data/audit/*": 0o600, "run/clusterd.sock": 0o600 | fs.ModeSocket,
	} {
		files, err := filepath.Glob(filepath.Join(root, name))
		// Only a leader plans, and only who was asked for something has a trail.
		if err != nil || len(files) == 0 && name != "data/plans/*" && name != "data/audit/*" {
			s.t.Errorf("%s of %s: %v, %v", name, node, files, err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || info.Mode() != want {
				s.t.Errorf("%s has mode %v, %v, and the page says %v", file, info.Mode(), err, want)
			}
		}
	}
}

// unzipped is a text that may be compressed.
func unzipped(text string) string {
	plain, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		return text
	}
	whole, err := io.ReadAll(plain)
	if err != nil {
		return text
	}
	return string(whole)
}

// unpacked are the files of an archive.
func unpacked(t *testing.T, path string) map[string]string {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = unzipped(string(text))
	}
}
