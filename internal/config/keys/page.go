package keys

import (
	"slices"
	"strings"
)

// Lines are the lines of a table of the reference, in the order of the rows. defaults says whether
// the table has a column for them.
func Lines[P, T any](rows []Key[P, T], defaults bool) []string {
	var lines []string
	for _, k := range rows {
		if k.Beside != "" {
			continue
		}
		line := "| `" + k.Name + "`"
		for _, other := range rows {
			if other.Beside == k.Name {
				line += ", `" + other.Name + "`"
			}
		}
		line += " |"
		if defaults {
			line += strings.TrimRight(" "+k.Default, " ") + " |"
		}
		lines = append(lines, line+" "+k.Means+" |")
	}
	return lines
}

// Renew returns a page with the lines of keys in one of its tables: the one of that number, from 0
// on, below a heading. A key that the table has keeps its place there; new ones stand at the end.
func Renew(page, heading string, number int, lines []string) (string, bool) {
	before, rest, found := strings.Cut(page, heading+"\n")
	if !found {
		return page, false
	}
	before += heading + "\n"
	const rule = "\n|---"
	for range number + 1 {
		head, after, found := strings.Cut(rest, rule)
		line, after, ended := strings.Cut(after, "\n")
		if !found || !ended {
			return page, false
		}
		before, rest = before+head+rule+line+"\n", after
	}
	table, rest, _ := strings.Cut(rest, "\n\n")
	return before + strings.Join(renewed(strings.Split(table, "\n"), lines), "\n") + "\n\n" + rest, true
}

func renewed(table, lines []string) []string {
	key := func(line string) string { return strings.SplitN(line+"``", "`", 3)[1] }
	place := func(line string) int {
		if at := slices.IndexFunc(table, func(old string) bool { return key(old) == key(line) }); at >= 0 {
			return at
		}
		return len(table)
	}
	sorted := slices.Clone(lines)
	slices.SortStableFunc(sorted, func(a, b string) int { return place(a) - place(b) })
	return sorted
}
