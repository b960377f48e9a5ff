package ownkeys

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// KeepCertificate renews this node's certificate at two thirds of its life. Every
// node holds the authority's key in its State, and asks itself.
func (k *Keys) KeepCertificate(ctx context.Context) {
	for {
		identity := k.Store.Identity()
		if pki.NeedsRenewal(identity.Certificate, time.Now()) {
			if err := k.Renew(); err != nil {
				k.Warnings.Set("certificate", "this node's certificate could not be renewed: "+err.Error())
				k.Logger.Warn("the certificate could not be renewed", "error", err)
			} else {
				k.Warnings.Set("certificate", "")
			}
		}
		if !sleep.For(ctx, time.Minute) {
			return
		}
	}
}

// Renew has this node sign itself another certificate, of the authority in force.
func (k *Keys) Renew() error {
	k.identity.Lock()
	defer k.identity.Unlock()
	renewed, err := k.IdentityWith(k.Log.Root(), k.Store.Identity().Key)
	if err != nil {
		return err
	}
	if err := pki.SaveIdentity(k.folder(), renewed); err != nil {
		return err
	}
	k.Logger.Info("the node's certificate was renewed", "until", renewed.Certificate.NotAfter)
	return k.Store.Replace(renewed)
}

// IdentityWith signs a certificate for one of this node's own keys.
func (k *Keys) IdentityWith(root *cluster.State, key *pki.NodeKey) (*pki.Identity, error) {
	ca, err := k.Vault.Authority(root)
	if err != nil {
		return nil, err
	}
	request, err := pki.NewRequest(key, k.Node)
	if err != nil {
		return nil, err
	}
	hosts := k.hostsNamed(k.Store.Identity().Certificate)
	chain, err := ca.SignNode(request, k.Node, hosts, time.Now(), pki.NodeValidity)
	if err != nil {
		return nil, err
	}
	return pki.NewIdentity(key, chain)
}

// mostHosts bounds what a certificate names.
const mostHosts = 16

// hostsNamed are this node's present address and what its certificate names
// besides: a renewed one is as good for whoever asks by another address.
func (k *Keys) hostsNamed(certificate *x509.Certificate) []string {
	hosts := membership.HostsOf(k.Address)
	for _, name := range certificate.DNSNames {
		if name != k.Node {
			hosts = append(hosts, name)
		}
	}
	for _, address := range certificate.IPAddresses {
		hosts = append(hosts, address.String())
	}
	slices.Sort(hosts)
	if hosts = slices.Compact(hosts); len(hosts) > mostHosts {
		return membership.HostsOf(k.Address) // its address has changed again and again
	}
	return hosts
}
