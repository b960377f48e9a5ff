// Package adoption takes VMs in that this host runs already: into the document first, then out of
// the hypervisor's own persistent definitions, so that only the cluster starts them.
package adoption

import (
	"context"
	"net/http"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/resources"
)

// Importer takes existing VMs of this host in.
type Importer interface {
	// Dump returns a VM by the hypervisor's name.
	Dump(ctx context.Context, title string) (Imported, error)
	// Unpersist removes the persistent definition and keeps the guest, its NVRAM
	// and its TPM state.
	Unpersist(ctx context.Context, uuid string) error
}

// Imported is a VM as the hypervisor has it.
type Imported struct {
	Definition, UUID string
	Running          bool
	// ForgetsTPM: the state of its emulated TPM would go with it when it ends.
	ForgetsTPM bool
}

// Log is the replicated log, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	// Verify returns once this node has applied what was committed before the call.
	Verify(ctx context.Context) error
}

// Documents are what becomes of a cluster document.
type Documents interface {
	// Seal makes of a document the command that brings it into force, with its secrets sealed.
	Seal(root *cluster.State, parsed config.Parsed) (cluster.Configure, error)
	// ProposeDocument puts it into the log, and returns why it was refused.
	ProposeDocument(ctx context.Context, command cluster.Configure, parsed config.Parsed) (message.Text, error)
}

// Desk takes VMs of this host in. Importer is nil where the hypervisor cannot.
type Desk struct {
	Node      string
	Log       Log
	Documents Documents
	Importer  Importer
}

// mayCome says why a VM is not taken in as it is.
func (vm Imported) mayCome(title, node string) error {
	if !vm.ForgetsTPM {
		return nil
	}
	return server.Refuse(http.StatusConflict, "refused", "%s runs on %s with an emulated TPM. libvirt deletes the TPM's "+
		"state when a VM ends of which it keeps no definition, and the keys in it are lost. Shut it down and import it "+
		"then: `virsh shutdown %s`", title, node, title)
}

// Import adds an existing VM to the document and then removes libvirt's
// persistent copy, so that only the cluster starts it. The guest is not
// touched: the inventory finds it running and takes it in.
func (d *Desk) Import(ctx context.Context, asked api.ImportRequest, by string) (api.Reply, error) {
	if d.Importer == nil {
		return api.Reply{}, server.Refuse(http.StatusConflict, "refused", "%s has no hypervisor to import from", d.Node)
	}
	vm, err := d.Importer.Dump(ctx, asked.Title)
	if name := "vm:" + asked.Title; err != nil && d.Log.Root().Services.Has(name) {
		return api.Reply{}, server.Refuse(http.StatusConflict, "refused",
			"%s is managed already; see clustat -s %s", name, name)
	}
	if err != nil {
		return api.Reply{}, server.Refuse(http.StatusNotFound, "unknown_vm", "%s: %v", d.Node, err)
	}
	if err := vm.mayCome(asked.Title, d.Node); err != nil {
		return api.Reply{}, err
	}
	name, err := d.declareImported(ctx, asked, vm, by)
	if err != nil {
		return api.Reply{}, err
	}
	if err := d.Importer.Unpersist(ctx, vm.UUID); err != nil {
		return api.Reply{}, server.Refuse(http.StatusConflict, "refused",
			"%s is in the document, but its persistent definition on %s could not be removed: %v; remove it with `virsh "+
				"undefine --keep-nvram --keep-tpm %s`", name, d.Node, err, asked.Title)
	}
	warnings := resources.Spec{Bonds: domainxml.BondsOf(vm.Definition)}.BondWarnings()
	reply := api.Reply{ID: asked.ID, Done: true, Text: "Success", Owner: d.Node,
		Why: message.ImportedRunning.With(name, warnings)}
	if !vm.Running {
		reply.Owner, reply.Why = "", message.ImportedOff.With(name, warnings)
	}
	return reply, nil
}

func (d *Desk) declareImported(ctx context.Context, asked api.ImportRequest, vm Imported, by string) (string, error) {
	if err := d.Log.Verify(ctx); err != nil {
		return "", err
	}
	root := d.Log.Root()
	name := "vm:" + asked.Title
	if root.Services.Has(name) {
		return name, nil // an import that was cut short is finished
	}
	text, err := rewrite.AddService(root.Config.Text, root.Cluster, name, asked.Domain, vm.Definition, vm.Running)
	if err != nil {
		return "", server.Refuse(http.StatusConflict, "refused", "%v", err)
	}
	parsed, err := config.Parse("document", []byte(text), nil, &root.Document)
	if err != nil {
		return "", server.Faulty(err)
	}
	command, err := d.Documents.Seal(root, parsed)
	if err != nil {
		return "", err
	}
	command.By, command.Reason = by, "imported "+asked.Title+" from "+d.Node
	command.Summary = config.Summary(config.Diff(root.Document, command.Document))
	why, err := d.Documents.ProposeDocument(ctx, command, parsed)
	if err != nil {
		return "", err
	}
	if !why.IsZero() {
		return "", server.Refuse(http.StatusConflict, "refused", "%s", why)
	}
	return name, nil
}
