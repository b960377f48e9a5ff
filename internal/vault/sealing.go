package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
)

// sealedSecret is what a secret of the document is sealed for: it opens under its own reference.
func sealedSecret(reference string) string { return "secret " + reference }

// Seal makes of a document the command that brings it into force, with its secrets sealed. One
// that the cluster holds already keeps its reference, so that a document which is applied again
// changes nothing.
func (v *Vault) Seal(root *cluster.State, parsed config.Parsed) (cluster.Configure, error) {
	command := cluster.Configure{Base: root.Config.Version, SealedBy: root.Secrets.Epoch, Sealed: map[string][]byte{}}
	key, err := v.DataKey(root)
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

// ProposeDocument puts a document into the log, and returns why it was refused. Where a new data
// key came into force meanwhile, as it does after each join, its secrets are sealed with that one.
func (v *Vault) ProposeDocument(ctx context.Context, command cluster.Configure, parsed config.Parsed) (
	refused message.Text, err error) {
	for try := 1; ; try++ {
		answers, err := v.Log.Propose(ctx, command)
		if err != nil {
			return message.Text{}, err
		}
		root := v.Log.Root()
		if answers[0].IsZero() || root.Secrets.Epoch == command.SealedBy || try == rekeyTries {
			return answers[0], nil
		}
		again, err := v.Seal(root, parsed)
		if err != nil {
			return message.Text{}, err
		}
		again.Base, again.By, again.Reason, again.Summary = command.Base, command.By, command.Reason, command.Summary
		command = again
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
