package importing

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longestName is what a document allows.
const longestName = 63

var foreign = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Name makes a name that a document allows out of any text.
func Name(given string) string {
	name := strings.Trim(foreign.ReplaceAllString(given, "-"), "-._")
	if len(name) > longestName {
		name = name[:longestName]
	}
	if name == "" {
		return "unnamed"
	}
	return name
}

// Free makes a name that is not yet a key of any of the mappings.
func Free(given string, taken ...*Mapping) string {
	base := Name(given)
	for count := 1; ; count++ {
		name := base
		if count > 1 {
			suffix := "-" + strconv.Itoa(count)
			name = base[:min(len(base), longestName-len(suffix))] + suffix
		}
		free := true
		for _, m := range taken {
			free = free && !m.Has(name)
		}
		if free {
			return name
		}
	}
}

// Truth reads a truth value in any spelling the old managers took.
func Truth(value string) (yes, ok bool) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "1", "yes", "true", "on", "y":
		return true, true
	case "0", "no", "false", "off", "n", "":
		return false, true
	}
	return false, false
}

var spanUnits = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "m": time.Minute, "min": time.Minute, "h": time.Hour,
	"hr": time.Hour,
	"d":  24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	"ms": time.Millisecond, "msec": time.Millisecond, "us": time.Microsecond, "usec": time.Microsecond,
}

var spanPattern = regexp.MustCompile(`^\s*([0-9]{1,9})\s*([a-z]*)\s*$`)

// ReadSpan reads a time as the old managers wrote it: a number of seconds, or
// one with a unit (ms, s, m, h, d, w, y). It is also where ISO 8601 spans
// ("PT5M") of a CIB end up.
func ReadSpan(value string) (time.Duration, error) {
	if found := isoPattern.FindStringSubmatch(strings.TrimSpace(value)); found != nil && len(value) > 2 {
		return isoSpan(found), nil
	}
	found := spanPattern.FindStringSubmatch(strings.ToLower(value))
	if found == nil {
		return 0, fmt.Errorf("%q is not a time", brief(value))
	}
	unit, known := spanUnits[found[2]]
	number, err := strconv.Atoi(found[1])
	if !known || err != nil {
		return 0, fmt.Errorf("%q is not a time", brief(value))
	}
	if number > int(100*spanUnits["y"]/unit) {
		return 0, fmt.Errorf("%q is more than a hundred years", brief(value))
	}
	return time.Duration(number) * unit, nil
}

var isoPattern = regexp.MustCompile(`^P(?:([0-9]{1,4})D)?(?:T(?:([0-9]{1,5})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?$`)

func isoSpan(found []string) time.Duration {
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		number, _ := strconv.Atoi(found[i+1])
		total += time.Duration(number) * unit
	}
	return total
}
