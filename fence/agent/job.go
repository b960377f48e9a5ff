package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// maxDetail bounds what is quoted of an agent's output.
const maxDetail = 240

// job is a device, understood: an agent and what it is told.
type job struct {
	device  string
	path    string
	pairs   map[string]string
	secrets []string
	assumed bool
	// lacksPlug is set when the agent needs an outlet and none is known.
	lacksPlug bool
	runner    *runner
}

// String names the device for people and leaves the secrets out.
func (j *job) String() string {
	return "fence device " + j.device + " (" + j.path[strings.LastIndexByte(j.path, '/')+1:] + ")"
}

// run starts the agent once. Nothing is on its command line: an agent with any
// argument ignores its standard input.
func (j *job) run(ctx context.Context, action string) outcome {
	var input strings.Builder
	fmt.Fprintf(&input, "action=%s\n", action)
	names := make([]string, 0, len(j.pairs))
	for name := range j.pairs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&input, "%s=%s\n", name, j.pairs[name])
	}
	return j.runner.run(ctx, command{path: j.path, input: input.String(), limit: limits[action], largest: largestOutput})
}

// hints turn an agent's words into advice. Only advice: no decision hangs on
// them, since every failure is Unknown.
var hints = []struct{ mark, advice string }{
	{"unable to connect/login",
		"it does not answer or refuses the login; check address, username and password of the device"},
	{"login", "check address, username and password of the device"},
	{"password", "check username and password of the device"},
	{"unauthorized", "check username and password of the device"},
	{"certificate", "the device's certificate cannot be verified; see the agent's options ssl, ssl_secure and " +
		"ssl_insecure"},
	{"plug", "check option plug; the agent's action list names the outlets"},
	{"timed out", "the device does not answer in time; check that this node reaches it"},
	{"connect", "the device does not answer; check that this node reaches it"},
}

// explain says what the agent did not do, what to do next and, in brackets,
// the agent's own words with every secret removed.
func (j *job) explain(action string, o outcome) error {
	detail := j.words(o)
	advice := "run the agent by hand on this node to see more"
	if o.timedOut() {
		advice = "it did not end in time; check that this node reaches the device"
	}
	lower := strings.ToLower(detail)
	for _, hint := range hints {
		if strings.Contains(lower, hint.mark) {
			advice = hint.advice
			break
		}
	}
	told := o.String()
	if detail != "" {
		told += ": " + detail
	}
	return fmt.Errorf("%s did not do %s: %s (%s)", j, action, advice, j.scrub(told))
}

// words are the last line that the agent wrote, for people to read.
func (j *job) words(o outcome) string {
	for _, output := range [][]byte{o.stderr, o.stdout} {
		text := j.scrub(string(output))
		if o.clipped {
			// The cut may have left a part of a secret at the end.
			text = text[:max(0, len(text)-j.longestSecret())]
		}
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
		for i := len(lines) - 1; i >= 0; i-- {
			// fencing.py ends with this line, whatever the fault was.
			if line := printable(lines[i]); line != "" && !strings.HasSuffix(line, "use '-h' for usage") {
				return line
			}
		}
	}
	return ""
}

func (j *job) longestSecret() int {
	longest := 0
	for _, secret := range j.secrets {
		longest = max(longest, 4*len(secret))
	}
	return longest
}

// printable folds a line and bounds it.
func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(line, "?"))
	line = strings.Join(strings.Fields(line), " ")
	if len(line) > maxDetail {
		line = strings.ToValidUTF8(line[:maxDetail], "") + "..."
	}
	return line
}

// scrub removes the secrets in every spelling that an agent's text could carry.
func (j *job) scrub(text string) string {
	for _, secret := range j.secrets {
		object, _ := json.Marshal(secret)
		quoted := fmt.Sprintf("%q", secret)
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(secret)
		for _, spelling := range []string{secret, quoted[1 : len(quoted)-1], string(object[1 : len(object)-1]), escaped,
			fmt.Sprintf("%x", secret)} {
			text = strings.ReplaceAll(text, spelling, "********")
		}
	}
	return text
}
