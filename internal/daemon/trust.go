package daemon

import (
	"context"
	"crypto/x509"
	"maps"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// warnDates tells once per node that its certificate's dates were forgiven.
func (d *Daemon) warnDates(node, reason string) {
	if d.warnings.Set("certificate of "+node, reason) {
		d.logger.Warn("a known node's certificate dates were forgiven; check the clocks", "node", node, "why", reason)
	}
}

// keepIdentity renews this node's certificate at two thirds of its life. Every
// node holds the authority's key in its State, and asks itself.
func (d *Daemon) keepIdentity(ctx context.Context) {
	for {
		identity := d.store.Identity()
		if pki.NeedsRenewal(identity.Certificate, time.Now()) {
			if err := d.renew(); err != nil {
				d.warnings.Set("certificate", "this node's certificate could not be renewed: "+err.Error())
				d.logger.Warn("the certificate could not be renewed", "error", err)
			} else {
				d.warnings.Set("certificate", "")
			}
		}
		if !sleep.For(ctx, time.Minute) {
			return
		}
	}
}

func (d *Daemon) renew() error {
	d.own.identity.Lock()
	defer d.own.identity.Unlock()
	renewed, err := d.identityWith(d.replica.Root(), d.store.Identity().Key)
	if err != nil {
		return err
	}
	if err := pki.SaveIdentity(string(d.options.Folder), renewed); err != nil {
		return err
	}
	d.logger.Info("the node's certificate was renewed", "until", renewed.Certificate.NotAfter)
	return d.store.Replace(renewed)
}

// identityWith signs a certificate for one of this node's own keys.
func (d *Daemon) identityWith(root *cluster.State, key *pki.NodeKey) (*pki.Identity, error) {
	ca, err := d.vault.Authority(root)
	if err != nil {
		return nil, err
	}
	request, err := pki.NewRequest(key, d.name)
	if err != nil {
		return nil, err
	}
	hosts := d.hostsNamed(d.store.Identity().Certificate)
	chain, err := ca.SignNode(request, d.name, hosts, time.Now(), pki.NodeValidity)
	if err != nil {
		return nil, err
	}
	return pki.NewIdentity(key, chain)
}

// mostHosts bounds what a certificate names.
const mostHosts = 16

// hostsNamed are this node's present address and what its certificate names
// besides: a renewed one is as good for whoever asks by another address.
func (d *Daemon) hostsNamed(certificate *x509.Certificate) []string {
	hosts := membership.HostsOf(d.address)
	for _, name := range certificate.DNSNames {
		if name != d.name {
			hosts = append(hosts, name)
		}
	}
	for _, address := range certificate.IPAddresses {
		hosts = append(hosts, address.String())
	}
	slices.Sort(hosts)
	if hosts = slices.Compact(hosts); len(hosts) > mostHosts {
		return membership.HostsOf(d.address) // its address has changed again and again
	}
	return hosts
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Finding is what a doctor says about one thing.
type Finding = api.Finding
