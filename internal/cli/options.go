package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/nearest"
)

// ErrUsage is wrapped by every error about options that do not parse.
var ErrUsage = errors.New("usage")

// valued is what urfave/cli's flags tell about themselves.
type valued interface{ TakesValue() bool }

// Arguments rewrites a command line that follows getopt's rules into one that urfave/cli reads
// alike: "-Mvm:web", "-qe web" and options after operands are what scripts of thirty years
// write, and urfave/cli takes none of them for what getopt does. Of the flags named exclusive
// only one may be given: rgmanager's tools dropped all but the last, and what was dropped was
// never done.
//
// The error wraps ErrUsage.
func Arguments(given []string, flags []cli.Flag, exclusive ...string) ([]string, error) {
	g := getopt{byName: map[string]cli.Flag{}}
	for _, flag := range flags {
		for _, name := range flag.Names() {
			g.byName[name] = flag
		}
	}
	for rest := given; len(rest) > 0; {
		word := rest[0]
		rest = rest[1:]
		var err error
		switch {
		case word == "--":
			g.operands = append(g.operands, rest...)
			rest = nil
		case strings.HasPrefix(word, "--"):
			rest, err = g.long(word[2:], rest)
		case strings.HasPrefix(word, "-") && word != "-":
			rest, err = g.short(word[1:], rest)
		default:
			g.operands = append(g.operands, word)
		}
		if err != nil {
			return nil, err
		}
	}
	return g.rewritten(exclusive)
}

// getopt collects what was given, in order.
type getopt struct {
	byName   map[string]cli.Flag
	options  []option
	operands []string
}

type option struct{ name, value string }

func (g *getopt) add(flag cli.Flag, value string) {
	g.options = append(g.options, option{name: flag.Names()[0], value: value})
}

func takesValue(flag cli.Flag) bool {
	v, tells := flag.(valued)
	return tells && v.TakesValue()
}

func (g *getopt) long(word string, rest []string) ([]string, error) {
	name, value, attached := strings.Cut(word, "=")
	flag, found := g.byName[name]
	switch {
	case !found || len(name) < 2:
		return nil, fmt.Errorf("%w: unknown option --%s.%s", ErrUsage, name, g.hint(name))
	case !takesValue(flag) && attached:
		return nil, fmt.Errorf("%w: option --%s takes no value", ErrUsage, name)
	case !takesValue(flag):
		value = "true"
	case !attached && len(rest) == 0:
		return nil, fmt.Errorf("%w: option --%s needs a value", ErrUsage, name)
	case !attached:
		value, rest = rest[0], rest[1:]
	}
	g.add(flag, value)
	return rest, nil
}

func (g *getopt) hint(name string) string {
	var long []string
	for known := range g.byName {
		if len(known) > 1 {
			long = append(long, known)
		}
	}
	if word := nearest.Word(name, long); word != "" {
		return " Did you mean '--" + word + "'?"
	}
	return ""
}

// short reads letters that share a dash.
func (g *getopt) short(letters string, rest []string) ([]string, error) {
	for i, letter := range letters {
		flag, found := g.byName[string(letter)]
		switch {
		case !found:
			return nil, fmt.Errorf("%w: invalid option -- '%c'", ErrUsage, letter)
		case !takesValue(flag):
			g.add(flag, "true")
			continue
		}
		value := letters[i+len(string(letter)):]
		if value == "" {
			if len(rest) == 0 {
				return nil, fmt.Errorf("%w: option requires an argument -- '%c'", ErrUsage, letter)
			}
			value, rest = rest[0], rest[1:]
		}
		g.add(flag, value)
		return rest, nil
	}
	return rest, nil
}

func (g *getopt) rewritten(exclusive []string) ([]string, error) {
	first := option{}
	var words []string
	for _, o := range g.options {
		if slices.Contains(exclusive, o.name) {
			if first.name != "" {
				return nil, fmt.Errorf("%w: --%s and --%s were both given; one operation at a time", ErrUsage, first.name, o.name)
			}
			first = o
		}
		words = append(words, "--"+o.name+"="+o.value)
	}
	return append(append(words, "--"), g.operands...), nil
}

// ConnectionFlags are the options of every tool that say which daemon to ask.
func ConnectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "socket", Usage: "`PATH` of the local daemon's socket, if not by run_dir of node.yaml"},
		&cli.StringFlag{Name: "host", Usage: "ask the daemon on another `HOST`, with a client certificate"},
		&cli.StringFlag{Name: "identity", Usage: "`FOLDER` with ca.pem, client.pem and client.key"},
	}
}
