package fence

import (
	"slices"
	"strings"
	"testing"
)

// What is declared fits together: a default is a value, a choice has words, a list has bounds.
func TestSchemasAreWhole(t *testing.T) {
	for _, driver := range Drivers() {
		s, _ := SchemaOf(driver)
		if s.Effect == "" {
			t.Errorf("driver %s proves nothing", driver)
		}
		for _, name := range s.Exclusive {
			if _, known := s.Option(name); !known {
				t.Errorf("driver %s excludes %s, which it does not declare", driver, name)
			}
		}
		for _, o := range s.Options {
			what := "option " + o.Name + " of driver " + driver
			listed := slices.Contains([]Kind{Digests, Disks, WholeDisks}, o.Kind)
			switch {
			case o.Help == "":
				t.Errorf("%s has no line for the operators' page", what)
			case (o.Kind == OneOf) != (len(o.Allowed) > 0) || listed != (o.Counts[1] > 0):
				t.Errorf("%s does not say which values it takes", what)
			case o.Required != (o.Advice != ""):
				t.Errorf("%s does not say what to write where it is missing", what)
			case o.Default != "" && o.Check(o.Default, nil) != nil:
				t.Errorf("%s: its default is no value: %v", what, o.Check(o.Default, nil))
			case o.Secret && !SoundsSecret(o.Name):
				// Logs, recordings and sealing go by the name alone.
				t.Errorf("%s is secret, and its name does not say so", what)
			}
		}
	}
}

func TestCheckNamesTheOptionThatIsWrong(t *testing.T) {
	const disk = diskFolder + "wwn-0x5001405000000001"
	for name, test := range map[string]struct {
		driver, option, words string
		options               map[string]string
	}{
		"sound":    {driver: DriverIPMI, options: map[string]string{"cipher": "3", "privilege": "operator"}},
		"unknown":  {DriverIPMI, "ciper", "there are cipher, identity, privilege", map[string]string{"ciper": "3"}},
		"a word":   {DriverIPMI, "cipher", `is "0"; it must be one of 3, 17`, map[string]string{"cipher": "0"}},
		"one word": {DriverAgent, "identity", "say assumed", map[string]string{"agent": "fence_x", "identity": "sure"}},
		"refused":  {DriverAgent, "Debug-File", "not allowed", map[string]string{"agent": "fence_x", "Debug-File": "/x"}},
		"missing":  {DriverAgent, "agent", "it has no option agent", nil},
		"another":  {driver: DriverAgent, options: map[string]string{"agent": "fence_x", "anything": "else"}},
		"no power": {DriverAgent, "agent", "with driver: scsi", map[string]string{"agent": "/usr/sbin/fence_scsi"}},
		"two trusts": {DriverRedfish, "insecure", "exclude each other",
			map[string]string{"insecure": "true", "fingerprint": strings.Repeat("ab:", 31) + "ab"}},
		"one trust": {driver: DriverRedfish,
			options: map[string]string{"insecure": "false", "fingerprint": strings.Repeat("ab", 32)}},
		"five pins": {DriverRedfish, "fingerprint", "4 is the most",
			map[string]string{"fingerprint": strings.Repeat(strings.Repeat("ab", 32)+",", 4) + strings.Repeat("ab", 32)}},
		"whole disk": {driver: DriverStorage, options: map[string]string{"devices": disk}},
		"partition":  {DriverStorage, "devices", "whole disk", map[string]string{"devices": disk + "-part1"}},
		"any disk": {driver: DriverStorage,
			options: map[string]string{"devices": "iscsi://array/1", "command": "/usr/bin/pr"}},
		"two disks": {DriverPill, "devices", "one or three", map[string]string{"devices": disk + " " + disk}},
		"fractions": {DriverWatchdog, "timeout", "whole seconds", map[string]string{"timeout": "1500ms"}},
	} {
		s, _ := SchemaOf(test.driver)
		switch err := s.Check(test.options); {
		case test.words == "" && err == nil:
		case test.words == "" || err == nil || !strings.Contains(err.Error(), test.words):
			t.Errorf("%s: %v, want %q", name, err, test.words)
		default:
			if fault, is := err.(OptionFault); !is || fault.Option != test.option {
				t.Errorf("%s: %#v is not the fault of option %s", name, err, test.option)
			}
		}
	}
}
