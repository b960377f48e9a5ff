package cli

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/message"
)

// Codes is the catalogue of what clusterd says, sorted by code: those that fit the pattern, or all
// where it is empty.
func Codes(pattern string, width int) string {
	codes := slices.DeleteFunc(message.Codes(), func(c *message.Code) bool {
		return pattern != "" && !message.Fits(pattern, c.Name())
	})
	slices.SortFunc(codes, func(a, b *message.Code) int { return strings.Compare(a.Name(), b.Name()) })
	var out strings.Builder
	for _, c := range codes {
		out.WriteString(c.Name() + "\n")
		out.WriteString(Wrap(c.Sentence(), "    ", "    ", width))
	}
	return out.String()
}
