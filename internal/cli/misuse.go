package cli

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/urfave/cli/v2"
)

// badValue is what urfave/cli says of a value that it cannot read.
var badValue = regexp.MustCompile(`^invalid value "(.*)" for flag -([A-Za-z-]+): (.*)$`)

// Misused says of an error that the option parser made what the option takes. It
// wraps ErrUsage.
func Misused(err error, flags []cli.Flag) error {
	found := badValue.FindStringSubmatch(err.Error())
	if found == nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	value, name := found[1], found[2]
	takes := ""
	for _, flag := range flags {
		if !slices.Contains(flag.Names(), name) {
			continue
		}
		switch flag.(type) {
		case *cli.DurationFlag:
			takes = "a time with its unit, such as 15m or 2h"
		case *cli.IntFlag, *cli.Uint64Flag:
			takes = "a whole number"
		}
	}
	if takes == "" {
		return fmt.Errorf("%w: --%s does not take %q: %s", ErrUsage, name, value, found[3])
	}
	return fmt.Errorf("%w: --%s takes %s, not %q", ErrUsage, name, takes, value)
}
