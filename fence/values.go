package fence

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kind is what the value of an option is.
type Kind int

// The kinds. Check says what is asked of each.
const (
	// Text is anything.
	Text Kind = iota
	// OneOf is one of the allowed words.
	OneOf
	// Path is an absolute path.
	Path
	// UUID is the UUID or GUID that a board tells.
	UUID
	// Digests are SHA-256 digests, separated by commas.
	Digests
	// Certificates are in PEM.
	Certificates
	// Seconds are whole seconds.
	Seconds
	// Disks are names of disks under /dev/disk/by-id, separated by spaces; WholeDisks are
	// those that carry the disk's own designator.
	Disks
	WholeDisks
	// Agent is the program of a fence agent.
	Agent
)

const (
	// largestPEM bounds certificates.
	largestPEM = 64 << 10
	// diskFolder is where udev keeps the stable names.
	diskFolder = "/dev/disk/by-id/"
)

// Check says what is wrong with a value, in words that follow the option's name. The other
// options of the device may have a say.
func (o Option) Check(value string, options map[string]string) error {
	switch o.Kind {
	case OneOf:
		return o.oneOf(value)
	case Path:
		if !path.IsAbs(value) || path.Clean(value) != value {
			return fmt.Errorf("is %q; write an absolute path", shortened(value))
		}
	case UUID:
		if raw, err := hex.DecodeString(strings.ReplaceAll(value, "-", "")); err != nil || len(raw) != 16 {
			return fmt.Errorf("is %q; write the UUID that the BMC tells, 32 hexadecimal digits", shortened(value))
		}
	case Digests:
		return o.digests(value)
	case Certificates:
		if len(value) > largestPEM || !x509.NewCertPool().AppendCertsFromPEM([]byte(value)) {
			return errors.New("holds no certificate; write the PEM of the authority that signed the BMC's, beginning with " +
				"-----BEGIN CERTIFICATE-----")
		}
	case Seconds:
		_, err := wholeSeconds(value)
		return err
	case Disks, WholeDisks:
		return o.disks(value, options[o.AnyWith] != "" && o.AnyWith != "")
	case Agent:
		return agentName(value)
	}
	return nil
}

func (o Option) oneOf(value string) error {
	switch {
	case slices.Contains(o.Allowed, value):
		return nil
	case len(o.Allowed) == 1:
		return fmt.Errorf("is %q; say %s, or leave it out", shortened(value), o.Allowed[0])
	}
	return fmt.Errorf("is %q; it must be one of %s", shortened(value), strings.Join(o.Allowed, ", "))
}

// DigestsIn are the digests of a value of that kind, as lower case hexadecimal digits. They are
// taken as openssl and browsers write them.
func DigestsIn(value string) []string {
	var digests []string
	for _, one := range strings.Split(value, ",") {
		digests = append(digests, strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(one)))
	}
	return digests
}

func (o Option) digests(value string) error {
	digests := DigestsIn(value)
	for _, one := range digests {
		if raw, err := hex.DecodeString(one); err != nil || len(raw) != 32 {
			return fmt.Errorf("has %q; write the SHA-256 of the BMC's certificate, 64 hexadecimal digits", shortened(one))
		}
	}
	if len(digests) > o.Counts[1] {
		return fmt.Errorf("has %d entries; %d is the most", len(digests), o.Counts[1])
	}
	return nil
}

func (o Option) disks(value string, anyName bool) error {
	disks := strings.Fields(value)
	if n := len(disks); n < o.Counts[0] || n > o.Counts[1] || (o.Odd && n%2 == 0) {
		return fmt.Errorf("names %d disks; name %s, separated by spaces", n, o.numbers())
	}
	sorted := slices.Sorted(slices.Values(disks))
	if len(slices.Compact(sorted)) != len(disks) {
		return errors.New("names a disk twice")
	}
	for _, disk := range disks {
		switch {
		case anyName:
		case o.Kind == WholeDisks && !IsWholeDisk(disk):
			return fmt.Errorf("names %q, which is no stable name of a whole disk; write %swwn-0x..., scsi-3..., "+
				"dm-uuid-mpath-3... or nvme-eui....", shortened(disk), diskFolder)
		case !strings.HasPrefix(disk, diskFolder) || strings.Contains(disk, ".."):
			return fmt.Errorf("has %q, which is no stable name; write %s...", shortened(disk), diskFolder)
		}
	}
	return nil
}

// numbers are how many entries a list may have, in words.
func (o Option) numbers() string {
	if o.Odd && o.Counts == [2]int{1, 3} {
		return "one or three"
	}
	return fmt.Sprintf("%d to %d", o.Counts[0], o.Counts[1])
}

// wholeDisk matches the names that say which disk it is and not where it hangs. The SCSI ones
// carry the disk's own designator.
var wholeDisk = regexp.MustCompile(`^` + diskFolder + `(wwn-0x[0-9a-f]{16,32}|scsi-3[0-9a-f]{16,32}|` +
	`dm-uuid-mpath-3[0-9a-f]{16,32}|nvme-(eui|nguid|uuid)\.[0-9a-f-]{16,36})$`)

// IsWholeDisk reports whether a path is a name of a whole disk that stays, whatever the disk is
// connected to.
func IsWholeDisk(disk string) bool { return wholeDisk.MatchString(disk) }

func wholeSeconds(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Second || d%time.Second != 0 || d > longestTimeout {
		return 0, fmt.Errorf("is %q; write whole seconds, from 1s to %ds", shortened(value), longestTimeout/time.Second)
	}
	return d, nil
}

// shortened bounds what a message repeats of a value.
func shortened(value string) string {
	const most = 40
	if letters := []rune(value); len(letters) > most {
		return string(letters[:most]) + "..."
	}
	return value
}
