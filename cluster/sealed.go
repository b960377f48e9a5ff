package cluster

import (
	"fmt"
	"maps"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// mostSealed bounds the sealed secrets of a cluster: a new data key seals them all anew, in one
// entry of the log.
const mostSealed = 20000

// EachSecret visits the secrets of a document: references, and those that stand there as they are.
func (d Document) EachSecret(visit func(where, secret string)) {
	one := func(where string, secret fence.Secret) {
		if secret != "" {
			visit(where, secret.Reveal())
		}
	}
	some := func(where string, values map[string]string) {
		for _, name := range sortedKeys(values) {
			fence.MapSecrets(name, values[name], func(secret string) string {
				visit(name+" of "+where, secret)
				return secret
			})
		}
	}
	for _, name := range sortedKeys(d.Devices) {
		one("the password of device "+name, d.Devices[name].Password)
		some("device "+name, d.Devices[name].Options)
	}
	for _, name := range sortedKeys(d.Alerts) {
		one("the secret of alert "+name, d.Alerts[name].Secret)
		one("the secret_url of alert "+name, d.Alerts[name].SecretURL)
	}
	for _, name := range sortedKeys(d.Services) {
		for _, place := range resources.StartOrder(d.Services[name].Tree) {
			some(place.Resource.Label()+" in "+name, place.Resource.Parameters)
		}
	}
}

// mayHold looks at the secrets of a new document: no secret enters the log as it is, and what a
// reference stands for must be there, sealed with the key in force. Clusters on paper have no key.
func (t *transaction) mayHold(c Configure) string {
	if t.Secrets.Epoch == 0 {
		return ""
	}
	if len(c.Sealed) > 0 && c.SealedBy != t.Secrets.Epoch {
		return fmt.Sprintf("its secrets were sealed with data key %d, and %d is in force meanwhile; repeat the change",
			c.SealedBy, t.Secrets.Epoch)
	}
	if len(t.Secrets.Sealed)+len(c.Sealed) > mostSealed {
		return fmt.Sprintf("it brings %d secrets beside %d that are kept; %d is the most",
			len(c.Sealed), len(t.Secrets.Sealed), mostSealed)
	}
	why := ""
	c.Document.EachSecret(func(where, secret string) {
		_, kept := t.Secrets.Sealed[secret]
		_, brought := c.Sealed[secret]
		switch {
		case why != "" || kept || brought:
		case fence.IsReference(secret):
			why = where + " refers to a sealed secret that the cluster does not hold; write the secret itself"
		default:
			why = where + " is not sealed, and would stand in every node's log"
		}
	})
	return why
}

// keepSealed takes what a document brings in, and forgets what nothing refers to any more: the
// document, an earlier one, what runs as it was declared before, a login that a device still takes.
func (t *transaction) keepSealed(c Configure) {
	if len(t.Secrets.Sealed) == 0 && len(c.Sealed) == 0 {
		return
	}
	used := map[string]bool{}
	within := func(text string) {
		fence.ReplaceReferences(text, func(reference string) string {
			used[reference] = true
			return ""
		})
	}
	t.Document.EachSecret(func(_, secret string) { used[secret] = true })
	within(t.Config.Text)
	for _, revision := range t.History {
		for _, piece := range revision.Pieces {
			within(piece.Text)
		}
	}
	for _, name := range t.OldLogins.Keys() {
		login, _ := t.OldLogins.Get(name)
		within(login.Password.Reveal())
	}
	for _, hash := range t.Blobs.Keys() {
		text, _ := t.Blobs.Get(hash)
		within(text)
	}
	sealed := make(map[string][]byte, len(used))
	maps.Copy(sealed, t.Secrets.Sealed)
	maps.Copy(sealed, c.Sealed)
	maps.DeleteFunc(sealed, func(reference string, _ []byte) bool { return !used[reference] })
	t.Secrets.Sealed = sealed
}

// sealsAnew refuses a new data key that would leave a secret behind, which nobody could open then.
func (c Rekey) sealsAnew(s *State) string {
	for _, reference := range sortedKeys(s.Secrets.Sealed) {
		if len(c.Sealed[reference]) == 0 {
			return "a sealed secret came in meanwhile, and could no longer be opened; try again"
		}
	}
	if len(c.Sealed) != len(s.Secrets.Sealed) {
		return "it seals secrets that the cluster no longer holds; try again"
	}
	return ""
}
