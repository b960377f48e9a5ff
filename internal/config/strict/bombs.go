package strict

import "go.yaml.in/yaml/v4"

const (
	// mostMarks bounds the entries of a file before anything is made of them: a short text can have
	// so many that they fill the memory. It is far above what a cluster can need.
	mostMarks = 400_000
	// deepest bounds nesting. A resource in a resource takes two levels.
	deepest = 64
)

// marks counts what could begin an entry of a YAML text, from above and in one pass.
func marks(text []byte) int {
	count := 0
	for i, letter := range text {
		switch letter {
		case ',', '[', '{':
			count++
		case ':', '-', '?':
			if i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' || text[i+1] == '\r' || text[i+1] == '\t' {
				count++
			}
		}
	}
	return count
}

// tooDeep returns a node that lies too deep, or nil.
func tooDeep(node *yaml.Node, levels int) *yaml.Node {
	if levels < 0 {
		return node
	}
	for _, below := range node.Content {
		if at := tooDeep(below, levels-1); at != nil {
			return at
		}
	}
	return nil
}
