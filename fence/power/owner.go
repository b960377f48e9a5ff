package power

import (
	"context"
	"errors"
	"fmt"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/proof"
)

// Identify says whether this BMC surely belongs to the target.
func (a *attempt) Identify(ctx context.Context) proof.Identity {
	bmc, target := a.session.settings, a.request.Target.Node
	told, err := a.session.identity(ctx)
	switch {
	case errors.Is(err, errNoIdentity) && a.request.IdentityVerified:
		return fits("%s tells no identity; the drill verified that it belongs to %s", bmc, target)
	case errors.Is(err, errNoIdentity):
		return unfit("%s tells no identity and no drill has verified that it belongs to %s, so nothing was sent; run the "+
			"fence drill for %s", bmc, target, target)
	case err != nil:
		return unfit("%v", err)
	}
	return a.owns(told)
}

// owns compares what the BMC told with what is known of the target.
func (a *attempt) owns(told guid) proof.Identity {
	target, bmc := a.request.Target, a.session.settings
	if fence.SamePlatform(told.dashed(), target.HardwareUUID) {
		if target.Claimed != "" && !a.request.IdentityVerified {
			return unfit("%s tells the hardware UUID of %s (%s), but %s, so it identifies nobody and nothing was sent; "+
				"run the fence drill for %s", bmc, target.Node, target.HardwareUUID, target.Claimed, target.Node)
		}
		return fits("%s tells the hardware UUID of %s (%s)", bmc, target.Node, target.HardwareUUID)
	}
	known := bmc.identity != "" && fence.SamePlatform(told.dashed(), bmc.identity)
	switch {
	case known && a.request.IdentityVerified:
		return fits("%s tells the identity declared for it (%s), and the drill verified that it belongs to %s", bmc, told,
			target.Node)
	case known:
		return unfit("%s tells the identity declared for it (%s), but no drill has verified that it belongs to %s, so "+
			"nothing was sent; run the fence drill for %s", bmc, told, target.Node, target.Node)
	}
	return unfit("%s belongs to another machine (it tells %s, but %s is %s), so nothing was sent; check the device's "+
		"address, or, if this board tells a GUID of its own, set option identity and run the fence drill",
		bmc, told, target.Node, orNone(target.HardwareUUID))
}

func fits(format string, arguments ...any) proof.Identity {
	return proof.Identity{Fit: true, Why: fmt.Sprintf(format, arguments...)}
}

func unfit(format string, arguments ...any) proof.Identity {
	return proof.Identity{Why: fmt.Sprintf(format, arguments...)}
}

func orNone(uuid string) string {
	if uuid == "" {
		return "a machine without a recorded hardware UUID"
	}
	return uuid
}
