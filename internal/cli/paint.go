package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/resources"
)

// Colours, as terminals take them. They stand for trouble only.
const (
	alarm   = "\x1b[1;31m" // red: something is down or may be running where nobody looks
	caution = "\x1b[33m"   // yellow: something waits, or is not protected
	plainly = "\x1b[0m"
)

// painted is a line in a colour, where colours are wanted. The end of the line stays outside.
func (v View) painted(colour, line string) string {
	if !v.Colour || colour == "" || line == "" {
		return line
	}
	body := strings.TrimSuffix(line, "\n")
	return colour + strings.ReplaceAll(body, "\n", plainly+"\n"+colour) + plainly + line[len(body):]
}

// CutLine cuts a line to so many columns. What sets a colour takes none, and no colour is left on.
func CutLine(line string, width int) string {
	var out strings.Builder
	coloured := false
	for column := 0; line != ""; {
		if strings.HasPrefix(line, "\x1b[") {
			if end := strings.IndexByte(line, 'm'); end > 0 {
				out.WriteString(line[:end+1])
				coloured = line[:end+1] != plainly
				line = line[end+1:]
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(line)
		if column < width {
			out.WriteString(line[:size])
		}
		column++
		line = line[size:]
	}
	if coloured {
		out.WriteString(plainly)
	}
	return out.String()
}

func alarmUnless(fine bool) string {
	if fine {
		return ""
	}
	return alarm
}

// memberColour is red for a node of which nobody knows that it is all right and that may still
// be running things, and yellow for one that is not protected, does not take services, or is
// not there by an order.
func memberColour(node api.Node) string {
	switch node.State {
	case "lost", "fencing", "silent", "deaf":
		return alarm
	}
	switch {
	case !node.Hung.IsZero() || node.Estranged:
		return alarm
	case node.Unprotected != "" || node.Order != nil || !node.Online:
		return caution
	}
	return ""
}

// serviceColour is red for what failed and for what may be running on a node that does not
// answer, and yellow for what is up only in part, or paused.
func serviceColour(status api.Status, service api.Service) string {
	switch resources.State(service.State) {
	case resources.Failed:
		return alarm
	case resources.Recovering, resources.Recoverable:
		return caution
	}
	if node, found := FindNode(status, service.Owner); found && mayRun(service) {
		switch node.State {
		case "fencing", "lost", "silent", "deaf":
			return alarm
		}
	}
	if service.Paused != "" || resources.Flags(service.Flags)&resources.Partial != 0 {
		return caution
	}
	return ""
}
