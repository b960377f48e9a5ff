package daemon

import (
	"context"
	"net/http"

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

// mayCome says why a VM is not taken in as it is.
func (vm Imported) mayCome(title, node string) error {
	if !vm.ForgetsTPM {
		return nil
	}
	return server.Refuse(http.StatusConflict, "refused", "%s runs on %s with an emulated TPM. libvirt deletes the TPM's "+
		"state when a VM ends of which it keeps no definition, and the keys in it are lost. Shut it down and import it "+
		"then: `virsh shutdown %s`", title, node, title)
}

// importVM adds an existing VM to the document and then removes libvirt's
// persistent copy, so that only the cluster starts it. The guest is not
// touched: the inventory finds it running and takes it in.
func (d *Daemon) importVM(ctx context.Context, asked api.ImportRequest, by string) (api.Reply, error) {
	if d.options.Importer == nil {
		return api.Reply{}, server.Refuse(http.StatusConflict, "refused", "%s has no hypervisor to import from", d.name)
	}
	vm, err := d.options.Importer.Dump(ctx, asked.Title)
	if name := "vm:" + asked.Title; err != nil && d.replica.Root().Services.Has(name) {
		return api.Reply{}, server.Refuse(http.StatusConflict, "refused",
			"%s is managed already; see clustat -s %s", name, name)
	}
	if err != nil {
		return api.Reply{}, server.Refuse(http.StatusNotFound, "unknown_vm", "%s: %v", d.name, err)
	}
	if err := vm.mayCome(asked.Title, d.name); err != nil {
		return api.Reply{}, err
	}
	name, err := d.declareImported(ctx, asked, vm, by)
	if err != nil {
		return api.Reply{}, err
	}
	if err := d.options.Importer.Unpersist(ctx, vm.UUID); err != nil {
		return api.Reply{}, server.Refuse(http.StatusConflict, "refused",
			"%s is in the document, but its persistent definition on %s could not be removed: %v; remove it with `virsh "+
				"undefine --keep-nvram --keep-tpm %s`", name, d.name, err, asked.Title)
	}
	warnings := resources.Spec{Bonds: domainxml.BondsOf(vm.Definition)}.BondWarnings()
	reply := api.Reply{ID: asked.ID, Done: true, Text: "Success", Owner: d.name,
		Why: message.ImportedRunning.With(name, warnings)}
	if !vm.Running {
		reply.Owner, reply.Why = "", message.ImportedOff.With(name, warnings)
	}
	return reply, nil
}

func (d *Daemon) declareImported(ctx context.Context, asked api.ImportRequest, vm Imported, by string) (string, error) {
	if err := d.log.Verify(ctx); err != nil {
		return "", err
	}
	root := d.replica.Root()
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
	command, err := d.vault.Seal(root, parsed)
	if err != nil {
		return "", err
	}
	command.By, command.Reason = by, "imported "+asked.Title+" from "+d.name
	command.Summary = config.Summary(config.Diff(root.Document, command.Document))
	why, err := d.vault.ProposeDocument(ctx, command, parsed)
	if err != nil {
		return "", err
	}
	if !why.IsZero() {
		return "", server.Refuse(http.StatusConflict, "refused", "%s", why)
	}
	return name, nil
}
