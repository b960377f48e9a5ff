package power

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// guid is what a BMC answers to Get System GUID, in the order of the wire.
type guid [16]byte

func parseGUID(text string) (guid, bool) {
	var g guid
	raw, err := hex.DecodeString(strings.NewReplacer("-", "", " ", "", "\n", "").Replace(text))
	if err != nil || len(raw) != len(g) {
		return g, false
	}
	copy(g[:], raw)
	return g, true
}

// blank reports whether the board was never given a GUID of its own.
func (g guid) blank() bool { return fence.NamesNoMachine(g.dashed()) }

// String writes the GUID the way it was most likely meant. The three byte
// orders in use cannot be told apart for certain; the version and variant bits
// of a UUID (RFC 4122, 4.1) give the order away in most cases. Comparing is
// fence.SamePlatform's job, which knows all orders.
func (g guid) String() string {
	for _, u := range []guid{g.reversed(), g.mixed(), g} {
		if u.looksLikeUUID() {
			return u.dashed()
		}
	}
	return g.dashed()
}

func (g guid) looksLikeUUID() bool {
	version, variant := g[6]>>4, g[8]>>6
	return version >= 1 && version <= 5 && variant == 2
}

// reversed is the order of IPMI 2.0, section 20.8.
func (g guid) reversed() guid {
	var out guid
	for i, b := range g {
		out[len(g)-1-i] = b
	}
	return out
}

// mixed is the order of SMBIOS, section 7.2.1: only the first three fields backwards.
func (g guid) mixed() guid {
	out := g
	out[0], out[1], out[2], out[3] = g[3], g[2], g[1], g[0]
	out[4], out[5] = g[5], g[4]
	out[6], out[7] = g[7], g[6]
	return out
}

func (g guid) dashed() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}
