package arrival

import (
	"fmt"
	"strings"
)

// Sentence tells all blockers, the first dozen one by one.
func Sentence(list []Blocker) string {
	var told []string
	for _, b := range list[:min(len(list), mostTold)] {
		told = append(told, b.String())
	}
	if more := len(list) - len(told); more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(told, "; ")
}

// Found says what was looked at, where nothing stands in the way.
func (n Needs) Found() string {
	parts := []string{mib(n.Memory) + " of memory"}
	count := func(number int, one, many string) {
		switch {
		case number == 1:
			parts = append(parts, "1 "+one)
		case number > 1:
			parts = append(parts, fmt.Sprintf("%d %s", number, many))
		}
	}
	count(len(n.Images)+len(n.Servers), "file or disk", "files and disks")
	count(len(n.Bridges)+len(n.Devices)+len(n.Networks), "network", "networks")
	return strings.Join(parts, ", ")
}
