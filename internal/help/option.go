package help

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// Option is one flag, as it is read by a person.
type Option struct {
	Names       []string
	Placeholder string
	Usage       string
}

// documented is what urfave/cli's flags tell about themselves.
type documented interface {
	TakesValue() bool
	GetUsage() string
	GetDefaultText() string
	IsVisible() bool
}

// OptionOf reads a flag; false where it is hidden.
func OptionOf(flag cli.Flag) (Option, bool) {
	d, tells := flag.(documented)
	if !tells || !d.IsVisible() {
		return Option{}, false
	}
	o := Option{Names: flag.Names(), Usage: d.GetUsage()}
	if !d.TakesValue() {
		return o, true
	}
	switch flag.(type) {
	case *cli.DurationFlag:
		o.Placeholder = "TIME"
	case *cli.IntFlag, *cli.Uint64Flag:
		o.Placeholder = "N"
	default:
		o.Placeholder = "VALUE"
	}
	if parts := strings.SplitN(o.Usage, "`", 3); len(parts) == 3 {
		o.Placeholder = parts[1]
	}
	standard := roundTime(d.GetDefaultText())
	if standard != "" && standard != `""` && standard != "0s" && standard != "0" {
		o.Usage += " (default: " + standard + ")"
	}
	return o, true
}

// roundTime is a time as a person writes it: 40m for Go's 40m0s.
func roundTime(text string) string {
	for _, end := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, end) {
			text = text[:len(text)-2]
		}
	}
	return text
}
