package cli

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestArgumentsFollowGetopt(t *testing.T) {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "enable", Aliases: []string{"e"}},
		&cli.StringFlag{Name: "disable", Aliases: []string{"d"}},
		&cli.StringFlag{Name: "member", Aliases: []string{"m", "n"}},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}},
		&cli.BoolFlag{Name: "help", Aliases: []string{"h", "?"}},
		&cli.DurationFlag{Name: "wait"},
	}
	for _, c := range []struct{ given, want, fault string }{
		{"-e web", "--enable=web --", ""},
		{"-eweb", "--enable=web --", ""},
		{"-qe web", "--quiet=true --enable=web --", ""},
		{"-qeweb -nnode1", "--quiet=true --enable=web --member=node1 --", ""},
		{"-e web -d db", "", "--enable and --disable were both given"},
		{"-d db -q -e web", "", "--disable and --enable were both given"},
		{"left -q right", "--quiet=true -- left right", ""},
		{"-e -q", "--enable=-q --", ""}, // As getopt: an argument may look like an option.
		{"-q -- -e web", "--quiet=true -- -e web", ""},
		{"--wait 5s --quiet", "--wait=5s --quiet=true --", ""},
		{"--wait=5s", "--wait=5s --", ""},
		{"-?", "--help=true --", ""},
		{"- x", "-- - x", ""},
		{"-x", "", "invalid option -- 'x'"},
		{"-e", "", "option requires an argument -- 'e'"},
		{"--enabel web", "", "unknown option --enabel. Did you mean '--enable'?"},
		{"--quiet=no", "", "option --quiet takes no value"},
		{"--wait", "", "option --wait needs a value"},
		{"--e web", "", "unknown option --e."},
	} {
		words, err := Arguments(strings.Fields(c.given), flags, "enable", "disable")
		if c.fault != "" {
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%q: got %v, want %q", c.given, err, c.fault)
			}
			continue
		}
		if got := strings.Join(words, " "); err != nil || got != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.given, got, err, c.want)
		}
	}
}

// TestToolsAreThin holds the line that the tools link nothing of the daemon: a tool that hangs,
// is big, or breaks because of libvirt or Raft is of no use on the night it is required.
func TestToolsAreThin(t *testing.T) {
	const own = "github.com/clusterd/clusterd"
	allowed := []string{
		"github.com/urfave/cli/v2",                   // Options and help.
		"github.com/xrash/smetrics",                  // Comes with it.
		"golang.org/x/term",                          // The width of the terminal, and single keys.
		"golang.org/x/sys",                           // Comes with it.
		own + "/cmd/clustat", own + "/cmd/clusvcadm", // The tools.
		own + "/internal/api", own + "/internal/cli", // What they are made of.
		own + "/internal/message",                                                  // What clusterd says.
		own + "/internal/nearest", own + "/internal/plain", own + "/internal/help", // Did you mean; texts for terminals.
		// The pure rooms, whose values they show.
		own + "/cluster", own + "/cluster/internal/words", own + "/domain", own + "/fence",
		own + "/resources",
	}
	list := exec.Command("go", "list", "-deps", "-tags", "libvirt_dlopen,urfave_cli_no_docs", "-f",
		"{{if not .Standard}}{{.ImportPath}}{{end}}",
		own+"/cmd/clustat", own+"/cmd/clusvcadm")
	var problems strings.Builder
	list.Stderr = &problems
	packages, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	for path := range strings.FieldsSeq(string(packages)) {
		fine := slices.ContainsFunc(allowed, func(prefix string) bool {
			return path == prefix || (strings.HasPrefix(path, prefix+"/") && !strings.HasPrefix(prefix, own))
		})
		if !fine {
			t.Errorf("the tools link %s", path)
		}
	}
}
