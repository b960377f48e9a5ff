package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
)

// sealedSecret is what a secret of the document is sealed for: it opens under its own reference.
func sealedSecret(reference string) string { return "secret " + reference }

// sealed makes of a document the command that brings it into force, with its secrets sealed. One
// that the cluster holds already keeps its reference, so that a document which is applied again
// changes nothing.
func (d *Daemon) sealed(root *cluster.State, parsed config.Parsed) (cluster.Configure, error) {
	command := cluster.Configure{Base: root.Config.Version, SealedBy: root.Secrets.Epoch, Sealed: map[string][]byte{}}
	key, err := d.dataKey(root)
	if err != nil {
		return command, err
	}
	references, err := referencesOf(root.Secrets, key)
	if err != nil {
		return command, err
	}
	parsed, err = config.Seal(parsed, func(secret string) string {
		reference, held := references[secret]
		if !held {
			reference = newReference()
			references[secret], command.Sealed[reference] = reference, key.Seal(sealedSecret(reference), []byte(secret))
		}
		return reference
	})
	if err != nil {
		return command, server.Refuse(http.StatusUnprocessableEntity, "invalid_document", "%v; nothing was changed", err)
	}
	command.Text, command.Document, command.Blobs = parsed.Text, parsed.Document, missingBlobs(root, parsed.Blobs)
	return command, nil
}

// missingBlobs are the definitions that the log does not hold yet: changes
// travel as deltas.
func missingBlobs(root *cluster.State, blobs map[string]string) map[string]string {
	missing := map[string]string{}
	for hash, text := range blobs {
		if !root.Blobs.Has(hash) {
			missing[hash] = text
		}
	}
	return missing
}

func newReference() string {
	var digits [16]byte
	rand.Read(digits[:]) // It never fails: crypto/rand ends the process instead.
	return fence.Reference(hex.EncodeToString(digits[:]))
}

// referencesOf are the references of all secrets that are held.
func referencesOf(secrets cluster.Secrets, key pki.DataKey) (map[string]string, error) {
	references := make(map[string]string, len(secrets.Sealed))
	for _, reference := range sortedNames(secrets.Sealed) {
		secret, err := key.Open(sealedSecret(reference), secrets.Sealed[reference])
		if err != nil {
			return nil, fmt.Errorf("a secret of the document: %w", err)
		}
		references[string(secret)] = reference
	}
	return references, nil
}

// SecretsOf opens all secrets of a backup, for who has to leave them out of something.
func SecretsOf(kept membership.Backup) ([]string, error) {
	key, err := pki.DataKeyOf(kept.DataKey)
	if err != nil {
		return nil, err
	}
	references, err := referencesOf(kept.Secrets, key)
	return sortedNames(references), err
}

// sealedAnew is the same with another data key.
func sealedAnew(secrets cluster.Secrets, old, fresh pki.DataKey) (map[string][]byte, error) {
	anew := make(map[string][]byte, len(secrets.Sealed))
	for reference, sealed := range secrets.Sealed {
		secret, err := old.Open(sealedSecret(reference), sealed)
		if err != nil {
			return nil, fmt.Errorf("a secret of the document: %w", err)
		}
		anew[reference] = fresh.Seal(sealedSecret(reference), secret)
	}
	return anew, nil
}

// reveal returns a text with the secrets in it that it refers to, and these. It is called where
// they are used, and nowhere else.
func (d *Daemon) reveal(text string) (revealed string, secrets []string, err error) {
	revealed = fence.ReplaceReferences(text, func(reference string) string {
		secret, problem := d.secret(d.replica.Root(), reference)
		if problem != nil {
			err = problem
		}
		secrets = append(secrets, secret)
		return secret
	})
	return revealed, secrets, err
}

func (d *Daemon) secret(root *cluster.State, reference string) (string, error) {
	sealed, held := root.Secrets.Sealed[reference]
	if !held {
		return "", fmt.Errorf("%s does not hold the secret that is referred to; write it into the document again", d.name)
	}
	key, err := d.dataKey(root)
	if err != nil {
		return "", err
	}
	secret, err := key.Open(sealedSecret(reference), sealed)
	return string(secret), err
}

// revealed is a secret as it is used.
func (d *Daemon) revealed(secret fence.Secret) (fence.Secret, error) {
	text, _, err := d.reveal(secret.Reveal())
	return fence.Secret(text), err
}

// given is a secret as it is used: what the credential of that name holds, where there is a name,
// else the one that the document refers to.
func (d *Daemon) given(secret fence.Secret, name string) (fence.Secret, error) {
	if name != "" {
		return credential(name)
	}
	return d.revealed(secret)
}

// opened is a fence device as its driver needs it.
func (d *Daemon) opened(device fence.Device) (fence.Device, error) {
	var err error
	if device.Password, err = d.given(device.Password, device.Credential); err != nil {
		return device, fmt.Errorf("its password: %w", err)
	}
	options := make(map[string]string, len(device.Options))
	for name, value := range device.Options {
		if options[name], _, err = d.reveal(value); err != nil {
			return device, fmt.Errorf("its option %s: %w", name, err)
		}
	}
	if device.Options != nil {
		device.Options = options
	}
	return device, nil
}

// largestCredential bounds what is read of one.
const largestCredential = 4 << 10

// credential reads a secret that systemd gives this daemon. It is read at each use, and stands in
// no log.
func credential(name string) (fence.Secret, error) {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return "", fmt.Errorf("systemd gave this daemon no credentials; "+
			"add LoadCredential=%s:PATH to clusterd.service and restart it", name)
	}
	file, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return "", fmt.Errorf("%w; add LoadCredential=%s:PATH to clusterd.service and restart it", err, name)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, largestCredential+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || len(text) > largestCredential || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("credential %s does not hold a secret on its only line", name)
	}
	return fence.Secret(secret), nil
}

// driverOf gives a device's driver, which is handed the device with its secrets open.
func (d *Daemon) driverOf(device fence.Device) (fence.Driver, error) {
	driver, known := d.drivers[device.Driver]
	if !known {
		return nil, fmt.Errorf("this clusterd has no fence driver %s", device.Driver)
	}
	if device.Effect() != fence.ByPower {
		return driver, nil // disks and watchdogs have no secrets
	}
	return openingDriver{Driver: driver, daemon: d}, nil
}

// openingDriver opens a device's secrets for the one call that needs them.
type openingDriver struct {
	fence.Driver
	daemon *Daemon
}

// Check implements fence.Driver.
func (o openingDriver) Check(ctx context.Context, device fence.Device) fence.Check {
	device, err := o.daemon.opened(device)
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
	device, err := o.daemon.opened(request.Device)
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
	device, err := o.daemon.opened(device)
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

// proposeDocument puts a document into the log. Where a new data key came into force meanwhile, as
// it does after each join, its secrets are sealed with that one.
func (d *Daemon) proposeDocument(ctx context.Context, command cluster.Configure, parsed config.Parsed) (
	apply.Applied, error) {
	for try := 1; ; try++ {
		applied, err := d.propose(ctx, command)
		root := d.replica.Root()
		if err != nil || applied.Refused[0].IsZero() || root.Secrets.Epoch == command.SealedBy || try == rekeyTries {
			return applied, err
		}
		again, err := d.sealed(root, parsed)
		if err != nil {
			return applied, err
		}
		again.Base, again.By, again.Reason, again.Summary = command.Base, command.By, command.Reason, command.Summary
		command = again
	}
}

// tell sends an alert with its secrets open.
func (d *Daemon) tell(ctx context.Context, alert cluster.Alert, m alerts.Message) error {
	var err error
	if alert.Secret, err = d.given(alert.Secret, alert.SecretCredential); err != nil {
		return fmt.Errorf("its secret: %w", err)
	}
	if alert.SecretURL, err = d.given(alert.SecretURL, alert.SecretURLCredential); err != nil {
		return fmt.Errorf("its secret_url: %w", err)
	}
	return d.teller(ctx, alert, m)
}
