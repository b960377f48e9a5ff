package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
)

const smallSource = `<cluster name="alpha" config_version="1">
  <clusternodes><clusternode name="node1"><fence><method name="m"><device name="bmc1"/></method></fence>` +
	`</clusternode></clusternodes>
  <fencedevices><fencedevice name="bmc1" agent="fence_idrac" ipaddr="10.1.0.1" login="u" passwd="hush"/></fencedevices>
  <rm><service name="web" domain="none">%s</service></rm>
</cluster>
`

const (
	wholeService  = `<ip address="10.0.0.5"/>`
	partlyService = `<ip address="10.0.0.5" disable_rdisc="1"/>`
)

// runImport runs `clusterd import` with what is printed kept apart.
func runImport(t *testing.T, run importRun, words ...string) (code int, out, report string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	run.out, run.report = &stdout, &stderr
	app := newApp()
	for _, command := range app.Commands {
		if command.Name == "import" {
			command.Action = func(c *urfave.Context) error { return run.run(c) }
		}
	}
	words, err = command.Ordered(app, append([]string{"clusterd", "import"}, words...))
	if err == nil {
		err = app.Run(words)
	}
	if err != nil {
		code = exitCode(err)
	}
	return code, stdout.String(), stderr.String(), err
}

func source(t *testing.T, name, service string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Replace(smallSource, "%s", service, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImportEndsWithWhatItFound(t *testing.T) {
	whole, partly, broken := source(t, "cluster.conf", wholeService), source(t, "partly.xml", partlyService),
		source(t, "broken.conf", "<ip")
	strange := filepath.Join(t.TempDir(), "strange.xml")
	if err := os.WriteFile(strange, []byte("<domain/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	cib := filepath.Join(t.TempDir(), "cib.xml")
	if err := os.WriteFile(cib,
		[]byte("<configuration><resources><primitive id='a' class='systemd' type='a'/></resources></configuration>"),
		0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		words []string
		code  int
		want  string
	}{
		{"all translated", []string{"cluster.conf", whole}, 0, ""},
		{"the format is found out", []string{whole}, 0, ""},
		{"something cannot be", []string{partly}, 3, "translated in part: 1 thing cannot be; see the report"},
		{"broken XML", []string{"cluster.conf", broken}, 1,
			broken + ":4:44: is not valid XML: expected attribute name in element"},
		{"another XML", []string{strange}, 1,
			strange + ":1:1: is neither a cluster.conf nor a CIB: its top element is <domain>"},
		{"another XML, said to be one", []string{"cluster.conf", strange}, 1,
			strange + ":1:1: is no cluster.conf: its top element is <domain>, not <cluster>"},
		{"a CIB", []string{"cib", cib}, 0, ""},
		{"a CIB, found out", []string{cib}, 0, ""},
		{"cib without a file", []string{"cib"}, 2, "usage: import cib needs the FILE; on a Pacemaker node `cibadmin -Q > " +
			"cib.xml` writes one"},
		{"no file", nil, 2, "usage: import needs a FILE: clusterd import [cluster.conf|cib] FILE"},
		{"a file that is not there", []string{"cluster.conf", "/nonexistent/x"}, 1,
			"open /nonexistent/x: no such file or directory"},
		{"a format that is not there", []string{"heartbeat", whole}, 2,
			`usage: there is no importer "heartbeat"; there are cluster.conf and cib`},
		{"three words", []string{"a", "b", "c"}, 2, "usage: import needs a FILE: clusterd import [cluster.conf|cib] FILE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, _, err := runImport(t, importRun{}, c.words...)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if code != c.code || message != c.want {
				t.Errorf("exit code %d, %q; want %d, %q", code, message, c.code, c.want)
			}
			if (code == 0 || code == 3) != (out != "") {
				t.Errorf("exit code %d, and the document is %q", code, out)
			}
		})
	}
}

func TestImportReadsStandardInput(t *testing.T) {
	code, out, report, err := runImport(
		t, importRun{in: strings.NewReader(strings.Replace(smallSource, "%s", wholeService, 1))}, "-")
	if code != 0 || !strings.Contains(out, "service:web") ||
		!strings.HasPrefix(report, "-\n    1  translated  cluster alpha") {
		t.Errorf("exit code %d, %v\n%s\n%s", code, err, out, report)
	}
}

func TestImportShowsNoPasswordOnATerminal(t *testing.T) {
	path := source(t, "cluster.conf", wholeService)
	_, out, report, _ := runImport(t, importRun{terminal: true}, path)
	if strings.Contains(out+report, "hush") || !strings.Contains(out, rewrite.Mask) ||
		!strings.Contains(report, "Passwords are masked") {
		t.Errorf("printed:\n%s\n%s", out, report)
	}
	if _, out, report, _ = runImport(t, importRun{}, path); !strings.Contains(out, "password: hush") ||
		strings.Contains(report, "hush") {
		t.Errorf("through a pipe:\n%s\n%s", out, report)
	}
}

func TestImportWritesFilesForRootAlone(t *testing.T) {
	path := source(t, "cluster.conf", wholeService)
	target, told := filepath.Join(t.TempDir(), "alpha.yaml"), filepath.Join(t.TempDir(), "report")
	code, out, report, err := runImport(t, importRun{terminal: true}, path, "--out", target, "--report", told)
	if code != 0 || out != "" || report != "" {
		t.Errorf("exit code %d, %v, printed %q %q", code, err, out, report)
	}
	information, err := os.Stat(target)
	if err != nil || information.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", information, err)
	}
	text, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Prepare(target, text, nil); err != nil {
		t.Errorf("config check refuses it: %v", err)
	}
	if text, err := os.ReadFile(told); err != nil || !strings.Contains(string(text), "0 cannot be translated") {
		t.Errorf("the report is %q (%v)", text, err)
	}
	if code, _, _, err := runImport(t, importRun{}, path, "--out", target); code != 1 ||
		!strings.Contains(err.Error(), "exists, and is not overwritten") {
		t.Errorf("a second time: exit code %d, %v", code, err)
	}
}

func TestImportTellsTheFaultsThatItCannotAvoid(t *testing.T) {
	folder := t.TempDir()
	for name, uuid := range map[string]string{"a": "1", "b": "2"} {
		definition := "<domain><name>" + name + "</name><uuid>6f9619ff-8b86-d011-b42d-00cf4fc9640" + uuid +
			"</uuid><devices><disk type='file' device='disk'><source file='/same.img'/></disk></devices></domain>"
		if err := os.WriteFile(filepath.Join(folder, name+".xml"), []byte(definition), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := source(t, "cluster.conf",
		`<ip address="10.0.0.5"/></service><vm name="a" path="/x"/><vm name="b" path="/x"/><service name="y"><ip `+
			`address="10.0.0.6"/>`)
	code, _, report, err := runImport(t, importRun{}, path, "--definitions", folder)
	if code != 3 || !strings.Contains(report, "vm:b could write to the disk file:/same.img") {
		t.Errorf("exit code %d, %v\n%s", code, err, report)
	}
}
