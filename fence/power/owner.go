package power

import (
	"context"
	"errors"

	"github.com/clusterd/clusterd/fence"
)

// identify reports whether this BMC surely belongs to the target. When it does
// not, or nobody can say, no off command is sent: the wrong machine would die,
// and its off reading would be taken for the target's.
func (a *attempt) identify(ctx context.Context) bool {
	told, err := a.session.identity(ctx)
	switch {
	case errors.Is(err, errNoIdentity) && a.request.IdentityVerified:
		a.say("%s tells no identity; the drill verified that it belongs to %s", a.session.settings, a.request.Target.Node)
	case errors.Is(err, errNoIdentity):
		a.say("%s tells no identity and no drill has verified that it belongs to %s, so nothing was sent; run the fence "+
			"drill for %s",
			a.session.settings, a.request.Target.Node, a.request.Target.Node)
		return false
	case err != nil:
		a.say("%v", err)
		return false
	case !a.owns(told):
		return false
	}
	a.phase("identity verified")
	return true
}

// owns compares what the BMC told with what is known of the target.
func (a *attempt) owns(told guid) bool {
	target, bmc := a.request.Target, a.session.settings
	if fence.SamePlatform(told.dashed(), target.HardwareUUID) {
		if target.Claimed != "" && !a.request.IdentityVerified {
			a.say("%s tells the hardware UUID of %s (%s), but %s, so it identifies nobody and nothing was sent; "+
				"run the fence drill for %s", bmc, target.Node, target.HardwareUUID, target.Claimed, target.Node)
			return false
		}
		a.say("%s tells the hardware UUID of %s (%s)", bmc, target.Node, target.HardwareUUID)
		return true
	}
	known := bmc.identity != "" && fence.SamePlatform(told.dashed(), bmc.identity)
	switch {
	case known && a.request.IdentityVerified:
		a.say("%s tells the identity declared for it (%s), and the drill verified that it belongs to %s", bmc, told,
			target.Node)
		return true
	case known:
		a.say("%s tells the identity declared for it (%s), but no drill has verified that it belongs to %s, so nothing "+
			"was sent; run the fence drill for %s",
			bmc, told, target.Node, target.Node)
	default:
		a.say("%s belongs to another machine (it tells %s, but %s is %s), so nothing was sent; check the device's "+
			"address, or, if this board tells a GUID of its own, set option identity and run the fence drill",
			bmc, told, target.Node, orNone(target.HardwareUUID))
	}
	return false
}

func orNone(uuid string) string {
	if uuid == "" {
		return "a machine without a recorded hardware UUID"
	}
	return uuid
}
