package manual

import "strings"

// Prose turns text into roff. A line that starts with "# " is a section, "## " a
// part of one; an empty line ends a paragraph; lines that start with four blanks
// are shown as they are; "WORD :: text" explains a word, with the text going on
// in the lines that follow. A `word` in backquotes is set apart.
func Prose(source string) string {
	var out strings.Builder
	shown, fresh := false, true
	for line := range strings.SplitSeq(strings.TrimRight(source, "\n"), "\n") {
		example := strings.HasPrefix(line, "    ")
		if shown && !example {
			out.WriteString(".EE\n.RE\n")
			shown = false
		}
		title, isSection := strings.CutPrefix(line, "# ")
		part, isPart := strings.CutPrefix(line, "## ")
		term, meaning, isTerm := strings.Cut(line, " :: ")
		switch {
		case isSection:
			out.WriteString(".SH " + escape(title) + "\n")
		case isPart:
			out.WriteString(".SS " + escape(part) + "\n")
		case example:
			if !shown {
				out.WriteString(".PP\n.RS 4\n.EX\n")
			}
			out.WriteString(escape(line[4:]) + "\n")
			shown = true
		case line == "":
		case isTerm:
			out.WriteString(".TP\n\\fB" + escape(term) + "\\fR\n" + text(meaning) + "\n")
		default:
			if fresh {
				out.WriteString(".PP\n")
			}
			out.WriteString(text(line) + "\n")
		}
		fresh = line == "" || example
	}
	if shown {
		out.WriteString(".EE\n.RE\n")
	}
	return out.String()
}

// text escapes a line and sets what is in backquotes apart.
func text(line string) string {
	parts := strings.Split(line, "`")
	if len(parts)%2 == 0 {
		return escape(line) // a lone backquote is a backquote
	}
	for i := range parts {
		parts[i] = escapeInside(parts[i])
		if i%2 == 1 {
			parts[i] = `\fI` + parts[i] + `\fR`
		}
	}
	return guard(strings.Join(parts, ""))
}

// escape makes a line mean itself.
func escape(line string) string { return guard(escapeInside(line)) }

func escapeInside(line string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(line)
}

// guard keeps a line from being taken for a command.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
