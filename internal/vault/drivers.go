package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/clusterd/clusterd/fence"
)

// Driver gives a device's driver, which is handed the device with its secrets open.
func (v *Vault) Driver(device fence.Device) (fence.Driver, error) {
	driver, known := v.Drivers[device.Driver]
	if !known {
		return nil, fmt.Errorf("this clusterd has no fence driver %s", device.Driver)
	}
	if device.Effect() != fence.ByPower {
		return driver, nil // disks and watchdogs have no secrets
	}
	return openingDriver{Driver: driver, vault: v}, nil
}

// openingDriver opens a device's secrets for the one call that needs them.
type openingDriver struct {
	fence.Driver
	vault *Vault
}

// Check implements fence.Driver.
func (o openingDriver) Check(ctx context.Context, device fence.Device) fence.Check {
	device, err := o.vault.OpenDevice(device)
	if err != nil {
		return fence.Check{Power: fence.PowerUnknown, Problem: err.Error()}
	}
	return shownCheck(device, o.Driver.Check(ctx, device))
}

// shownCheck is an answer of a device without the device's secrets. A UUID stays whole, whatever
// stands in it: that two boards tell the same one has to be seen (law L3).
func shownCheck(device fence.Device, check fence.Check) fence.Check {
	check.Problem = hiding(device)(check.Problem)
	if fence.NamesNoMachine(check.Identity) {
		check.Identity = hiding(device)(check.Identity)
	}
	return check
}

// Fence implements fence.Driver.
func (o openingDriver) Fence(ctx context.Context, request fence.Request) fence.Result {
	device, err := o.vault.OpenDevice(request.Device)
	if err != nil {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{err.Error()}}
	}
	request.Device = device
	result := o.Driver.Fence(ctx, request)
	for i, line := range result.Evidence {
		result.Evidence[i] = hiding(device)(line)
	}
	return result
}

// PowerOn implements fence.Driver.
func (o openingDriver) PowerOn(ctx context.Context, device fence.Device) error {
	device, err := o.vault.OpenDevice(device)
	if err != nil {
		return err
	}
	if err := o.Driver.PowerOn(ctx, device); err != nil {
		return errors.New(hiding(device)(err.Error()))
	}
	return nil
}

// hiding leaves an opened device's secrets out of what its driver says. Each driver does that
// itself, and knows better which spelling its device may use; what a new one forgets ends here.
func hiding(device fence.Device) func(text string) string {
	secrets := []string{device.Password.Reveal()}
	for _, name := range sortedNames(device.Options) {
		fence.MapSecrets(name, device.Options[name], func(secret string) string {
			secrets = append(secrets, secret)
			return secret
		})
	}
	return func(text string) string { return fence.HideIn(text, secrets...) }
}

// OpenDevice is a fence device as its driver needs it.
func (v *Vault) OpenDevice(device fence.Device) (fence.Device, error) {
	var err error
	if device.Password, err = v.given(device.Password, device.Credential); err != nil {
		return device, fmt.Errorf("its password: %w", err)
	}
	options := make(map[string]string, len(device.Options))
	for name, value := range device.Options {
		if options[name], _, err = v.Reveal(value); err != nil {
			return device, fmt.Errorf("its option %s: %w", name, err)
		}
	}
	if device.Options != nil {
		device.Options = options
	}
	return device, nil
}
