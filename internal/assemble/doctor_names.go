package assemble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/agents/vm"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/resources"
)

const (
	// mostLookedAt bounds the things of this host that one examination looks at.
	mostLookedAt = 4000
	// lookPatience is how long storage that hangs is waited for.
	lookPatience = 3 * time.Second
)

// stillLooking is set while an earlier look hangs: one is enough.
var stillLooking atomic.Bool

// namedFindings tells which VMs could not start here, because this host lacks something
// that they name: an ISO, a bridge, a pool. It is better known by day.
func namedFindings(ctx context.Context, node nodefile.Node, libvirt *vm.Agent, root *cluster.State) []daemon.Finding {
	wants, order := namedBy(root, node.Name)
	finding := func(severity, text, next string) daemon.Finding {
		return daemon.Finding{Node: node.Name, What: "what VMs name", Severity: severity, Text: text, Next: next}
	}
	gone, err := missingHere(ctx, hostRoot, order, libvirt)
	if err != nil {
		return []daemon.Finding{finding("unknown", "it was not found out whether all is here that VMs name: "+err.Error(),
			"look at the storage and the hypervisor of "+node.Name)}
	}
	lacks := map[string][]string{}
	for _, n := range gone {
		for _, service := range wants[n] {
			lacks[service] = append(lacks[service], n.Kind+" "+n.Name)
		}
	}
	var findings []daemon.Finding
	for _, service := range root.Services.Keys() {
		if list := lacks[service]; len(list) > 0 {
			findings = append(findings, finding("warning", fmt.Sprintf("%s could not start here, it names what is not here: %s",
				service, strings.Join(list[:min(len(list), 8)], ", ")),
				"bring it here, take it out of the definition, or restrict the VM's domain to the nodes that have it"))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, finding("ok", fmt.Sprintf("all is here that the VMs name which may run here (%d things)",
			len(order)), ""))
	}
	return findings
}

// hostRoot is where this host's files are.
const hostRoot = "/"

// namedBy lists what the VMs name that may run on a node, and by which of them. What a VM
// that runs here names is here.
func namedBy(root *cluster.State, node string) (wants map[domainxml.Named][]string, order []domainxml.Named) {
	wants = map[domainxml.Named][]string{}
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		if service.Spec.Kind() != resources.KindVM || service.Owner == node {
			continue
		}
		if d, declared := root.Document.Domains[service.Spec.Domain]; declared {
			if legal, _ := domain.Legal(&d, node); !legal {
				continue
			}
		}
		text, _ := root.Blobs.Get(service.Spec.Definition)
		for _, n := range domainxml.NamesOf(text) {
			if wants[n] == nil && len(order) == mostLookedAt {
				continue
			}
			if wants[n] == nil {
				order = append(order, n)
			}
			wants[n] = append(wants[n], name)
		}
	}
	return wants, order
}

// missingHere returns what of a list this host does not have.
func missingHere(ctx context.Context, host string, list []domainxml.Named, libvirt *vm.Agent) ([]domainxml.Named,
	error) {
	var names = map[string][]string{}
	var files []domainxml.Named
	for _, n := range list {
		if n.Kind == "network" || n.Kind == "pool" {
			names[n.Kind] = append(names[n.Kind], n.Name)
		} else {
			files = append(files, n)
		}
	}
	gone, err := missingFiles(ctx, host, files)
	if err != nil || libvirt == nil {
		return gone, err
	}
	for _, kind := range []string{"network", "pool"} {
		ask := libvirt.Networks
		if kind == "pool" {
			ask = libvirt.Pools
		}
		missing, err := ask(ctx, names[kind])
		if err != nil {
			return nil, err
		}
		for _, name := range missing {
			gone = append(gone, domainxml.Named{Kind: kind, Name: name})
		}
	}
	return gone, nil
}

// missingFiles looks at files. A look at storage that hangs cannot be ended, so it is left
// behind, and no other one begins before it is over.
func missingFiles(ctx context.Context, host string, list []domainxml.Named) ([]domainxml.Named, error) {
	if !stillLooking.CompareAndSwap(false, true) {
		return nil, errors.New("an earlier look at files still hangs")
	}
	done := make(chan []domainxml.Named, 1)
	go func() {
		defer stillLooking.Store(false)
		done <- slices.DeleteFunc(slices.Clone(list), func(n domainxml.Named) bool {
			_, err := os.Stat(filepath.Join(host, pathOf(n)))
			return !errors.Is(err, fs.ErrNotExist)
		})
	}()
	select {
	case gone := <-done:
		return gone, nil
	case <-time.After(lookPatience):
		return nil, fmt.Errorf("a look at files took longer than %s", lookPatience)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pathOf is where something shows among a host's files.
func pathOf(n domainxml.Named) string {
	switch n.Kind {
	case "interface":
		return "sys/class/net/" + filepath.Base(n.Name)
	case "pci":
		return "sys/bus/pci/devices/" + filepath.Base(n.Name)
	}
	return n.Name
}
