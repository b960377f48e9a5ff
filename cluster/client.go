package cluster

import (
	"fmt"
	"strings"
	"time"
)

// Client is a certificate of remote tools. Only what is recorded here is let in: the authority's
// signature alone makes nobody an administrator.
type Client struct {
	User    string    `json:"user"`
	Role    string    `json:"role"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
}

// AddClient records a certificate before it is given out.
type AddClient struct {
	Fingerprint string    `json:"fingerprint"`
	User        string    `json:"user"`
	Role        string    `json:"role"`
	Expires     time.Time `json:"expires"`
	By          string    `json:"by,omitempty"`
}

// RevokeClients bars every certificate of a user for good.
type RevokeClients struct {
	User string `json:"user"`
	By   string `json:"by,omitempty"`
}

// Kind names each command in the log.
func (AddClient) Kind() string     { return "add-client" }
func (RevokeClients) Kind() string { return "revoke-clients" }

// longestClientWord bounds each word of a certificate.
const longestClientWord = 128

func (t *transaction) applyAddClient(c AddClient) refusal {
	for _, word := range []string{c.Fingerprint, c.User, c.Role} {
		if word == "" || len(word) > longestClientWord || strings.ContainsAny(word, " \t\r\n\x1b") {
			return refuse("a client's certificate needs a fingerprint, a user and a role, of %d letters at most",
				longestClientWord)
		}
	}
	if !c.Expires.After(t.at) {
		return refuse("the certificate of %s is over already", c.User)
	}
	if gone, removed := t.Removed.Get(c.Fingerprint); removed {
		return refuse("this key was removed from the cluster as %s; make a new one", gone.Name)
	}
	for _, fingerprint := range t.Clients.Keys() {
		if old, _ := t.Clients.Get(fingerprint); !old.Expires.After(t.at) {
			t.Clients.Delete(fingerprint)
		}
	}
	if t.Clients.Len() >= maxClients {
		return refuse("%d client certificates are valid, which is the limit; revoke some", t.Clients.Len())
	}
	t.Clients.Set(c.Fingerprint, Client{User: c.User, Role: c.Role, By: c.By, At: t.at, Expires: c.Expires})
	t.tell(Event{Subject: t.Cluster, By: c.By,
		Why: fmt.Sprintf("a certificate was made for %s with role %s", c.User, c.Role)})
	return accepted
}

func (t *transaction) applyRevokeClients(c RevokeClients) refusal {
	var found []string
	for _, fingerprint := range t.Clients.Keys() {
		if client, _ := t.Clients.Get(fingerprint); client.User == c.User {
			found = append(found, fingerprint)
		}
	}
	if len(found) == 0 {
		return refuse("%s has no certificate that is valid", c.User)
	}
	if why := t.mayBar(len(found)); why != "" {
		return refuse("%s", why)
	}
	for _, fingerprint := range found {
		t.Clients.Delete(fingerprint)
		t.Removed.Set(fingerprint, Removed{Name: "client " + c.User, At: t.at, By: c.By})
	}
	t.tell(Event{Subject: t.Cluster, By: c.By,
		Why: fmt.Sprintf("the certificates of %s were revoked (%d)", c.User, len(found))})
	return accepted
}

// mayBar says why no further keys can be barred. None is ever forgotten to make room: it would be
// welcome again.
func (s *State) mayBar(keys int) string {
	if s.Removed.Len()+keys > maxRemoved {
		return fmt.Sprintf("%d keys are barred for good, which is the limit; "+
			"nothing more can be removed before the authority is replaced", s.Removed.Len())
	}
	return ""
}
