package dialect

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clusterd/clusterd/agents/ocf/program"
)

// What an agent says about itself, and what it prints, is anything at all.
func FuzzReadMetaData(f *testing.F) {
	f.Add([]byte(`<resource-agent name="x"><parameters><parameter name="ip" required="1">` +
		`<content type="string"/></parameter></parameters>` +
		`<actions><action name="start" timeout="20s"/></actions></resource-agent>`))
	f.Add([]byte(strings.Repeat("<a>", 2000)))
	f.Fuzz(func(t *testing.T, text []byte) {
		info, err := ReadMetaData("ocf:test:x", text)
		if err != nil && len(info.Parameters) > 0 {
			t.Errorf("%v, and parameters all the same: %+v", err, info)
		}
	})
}

func FuzzSaying(f *testing.F) {
	f.Add([]byte("ocf-exit-reason:\x1b[31mdisk is full\nmore"), []byte("x"))
	f.Fuzz(func(t *testing.T, stderr, stdout []byte) {
		said := saying(program.Ended{Stderr: stderr, Stdout: stdout})
		if !utf8.ValidString(said) || utf8.RuneCountInString(said) > 203 || strings.ContainsAny(said, "\x1b\n\r\x07") {
			t.Errorf("%q", said)
		}
	})
}
