package stage

import (
	"strings"
	"testing"
	"time"
)

func TestAnOldBuildIsNoBuildOfTheTree(t *testing.T) {
	newest := time.Unix(1000, 0)
	before, after := newest.Add(-time.Second), newest.Add(time.Second)
	for _, c := range []struct {
		name    string
		build   build
		changed bool
		why     string
	}{
		{"of the commit", build{"head", false, before}, false, ""},
		{"of another commit", build{"older", false, after}, false, "is of commit"},
		{"of nobody knows what", build{"", true, after}, false, "does not say"},
		{"before a change", build{"head", false, before}, true, "is older"},
		{"after a change", build{"head", true, after}, true, ""},
		{"of a change that was taken back", build{"head", true, before}, false, "is older"},
	} {
		why := c.build.differs("head", c.changed, newest)
		if (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
