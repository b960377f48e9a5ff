package importing

import (
	"strings"
	"testing"
	"time"
)

func TestTimesOfOld(t *testing.T) {
	for given, want := range map[string]time.Duration{
		"30": 30 * time.Second, "5m": 5 * time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"1y":  365 * 24 * time.Hour,
		"20s": 20 * time.Second, "150ms": 150 * time.Millisecond, " 3 ": 3 * time.Second, "PT5M": 5 * time.Minute,
		"P1DT2H": 26 * time.Hour, "0": 0,
	} {
		got, err := ReadSpan(given)
		if err != nil || got != want {
			t.Errorf("%q is read as %s (%v), want %s", given, got, err, want)
		}
	}
	for _, given := range []string{"", "soon", "-3", "5 apples", "999999999y", "P"} {
		if got, err := ReadSpan(given); err == nil {
			t.Errorf("%q is read as %s", given, got)
		}
	}
}

func TestSpansAreWrittenAsPeopleDo(t *testing.T) {
	for want, d := range map[string]time.Duration{"90s": 90 * time.Second, "5m": 5 * time.Minute, "48h": 48 * time.Hour,
		"0s": 0, "150ms": 150 * time.Millisecond, "1h30m0s": 90 * time.Minute} {
		if got := Span(d); got != want {
			t.Errorf("%s is written %s", want, got)
		}
		if again, err := time.ParseDuration(want); err != nil || again != d {
			t.Errorf("%s does not mean %s", want, d)
		}
	}
}

func TestNamesAreMadeValidAndFree(t *testing.T) {
	taken := NewMapping()
	for _, c := range []struct{ given, want string }{
		{"web", "web"}, {"web", "web-2"}, {"a b/c", "a-b-c"}, {"-.x", "x"}, {"", "unnamed"}, {"äöü", "unnamed-2"},
		{strings.Repeat("x", 80), strings.Repeat("x", 63)}, {strings.Repeat("x", 80), strings.Repeat("x", 61) + "-2"},
	} {
		got := Free(c.given, taken)
		if got != c.want {
			t.Errorf("%q becomes %q, want %q", c.given, got, c.want)
		}
		taken.Set(got, true)
	}
}

func TestMaskedShowsNoSecret(t *testing.T) {
	d := NewDraft()
	d.Cluster = "a"
	device := NewMapping()
	device.Set("password", "hush1")
	device.Set("options", map[string]string{"snmp_priv_passwd": "hush2", "community": "hush3", "agent": "fence_x"})
	d.Devices.Set("bmc", device)
	vm := NewMapping()
	vm.Set("definition", "<domain>\n<graphics passwd='hush4' type=\"vnc\"/>\n</domain>\n")
	d.Services.Set("vm:x", vm)
	shown, err := d.Masked("f")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown, "hush") || strings.Count(shown, masked) != 4 {
		t.Errorf("shown:\n%s", shown)
	}
	if whole, err := d.Text("f"); err != nil || strings.Count(whole, "hush") != 4 {
		t.Errorf("masking changed the document (%v):\n%s", err, whole)
	}
}
