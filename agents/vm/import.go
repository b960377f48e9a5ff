//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"libvirt.org/go/libvirt"
)

// DumpForImport reads an existing VM, running or not, by libvirt's name. It
// changes nothing.
func (a *Agent) DumpForImport(ctx context.Context, title string) (Definition, error) {
	s, err := a.current()
	if err != nil {
		return Definition{}, err
	}
	found, err := ask(ctx, s, func(conn *libvirt.Connect) (Definition, error) {
		domain, err := conn.LookupDomainByName(title)
		if err != nil {
			return Definition{}, err
		}
		defer func() { _ = domain.Free() }()
		found, err := definitionOf(domain)
		if err != nil {
			return Definition{}, err
		}
		// Without SECURE a console's password would be missing, and the console of the next start open
		// to everybody; with it the document refuses the VM, and says what to do first.
		found.XML, err = domain.GetXMLDesc(
			libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE | libvirt.DOMAIN_XML_MIGRATABLE)
		found.ForgetsTPM = found.Running && keepsTPM(found.XML) != found.XML
		return found, err
	}, nil)
	if refused := (libvirt.Error{}); errors.As(err, &refused) && refused.Code == libvirt.ERR_NO_DOMAIN {
		return Definition{}, fmt.Errorf("there is no VM %q on %s; --node names the host where it is defined", title,
			a.options.Node)
	}
	if err != nil {
		return Definition{}, fmt.Errorf("read VM %q on %s: %w", title, a.options.Node, plain(err))
	}
	return found, nil
}

func definitionOf(domain *libvirt.Domain) (found Definition, err error) {
	if found.UUID, err = domain.GetUUIDString(); err != nil {
		return found, err
	}
	found.UUID = strings.ToLower(found.UUID)
	if found.Title, err = domain.GetName(); err != nil {
		return found, err
	}
	if found.Running, err = domain.IsActive(); err != nil {
		return found, err
	}
	if found.Persistent, err = domain.IsPersistent(); err != nil || !found.Persistent {
		return found, err // A transient VM has no autostart, asking is an error.
	}
	found.Autostart, err = domain.GetAutostart()
	return found, err
}

// Definitions returns what libvirt keeps of the given VMs, for the doctor;
// VMs that it does not know are left out.
func (a *Agent) Definitions(ctx context.Context, uuids []string) ([]Definition, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	var list []Definition
	for _, uuid := range uuids {
		found, err := onDomain(ctx, s, uuid, definitionOf)
		if noDomain(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read what libvirt on %s keeps of VM %s: %w", a.options.Node, uuid, plain(err))
		}
		list = append(list, found)
	}
	return list, nil
}

// undefineFlags keep the firmware's variables and the TPM's state, which
// belong to the guest. Older libvirts know fewer flags.
var undefineFlags = []libvirt.DomainUndefineFlagsValues{
	libvirt.DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.DOMAIN_UNDEFINE_KEEP_TPM,
	libvirt.DOMAIN_UNDEFINE_KEEP_NVRAM,
}

// Unpersist takes libvirt's own definition (and its autostart) away and leaves
// a running guest, its NVRAM and its TPM state untouched. It is idempotent.
// A VM with snapshots, checkpoints or a saved state is refused by libvirt,
// and stays as it was.
func (a *Agent) Unpersist(ctx context.Context, uuid string) error {
	s, err := a.current()
	if err != nil {
		return err
	}
	for _, flags := range undefineFlags {
		_, err = onDomain(ctx, s, uuid, func(domain *libvirt.Domain) (struct{}, error) {
			persistent, err := domain.IsPersistent()
			if err == nil && persistent {
				err = domain.UndefineFlags(flags)
			}
			return struct{}{}, err
		})
		if !unsupportedFlag(err) {
			break
		}
	}
	if err == nil {
		_, err = onDomain(ctx, s, uuid, func(domain *libvirt.Domain) (struct{}, error) {
			persistent, err := domain.IsPersistent()
			if err == nil && persistent {
				err = errors.New("libvirt still keeps its definition")
			}
			return struct{}{}, err
		})
	}
	if err != nil && !noDomain(err) {
		return fmt.Errorf("take libvirt's own definition of VM %s away on %s: %w", uuid, a.options.Node, plain(err))
	}
	return nil
}

func unsupportedFlag(err error) bool {
	var answer libvirt.Error
	return errors.As(err, &answer) && answer.Code == libvirt.ERR_INVALID_ARG && strings.Contains(answer.Message, "flags")
}

// Versions asks for libvirt's and QEMU's.
func (a *Agent) Versions(ctx context.Context) (Versions, error) {
	s, err := a.current()
	if err != nil {
		return Versions{}, err
	}
	versions, err := ask(ctx, s, func(conn *libvirt.Connect) (found Versions, err error) {
		library, err := conn.GetLibVersion()
		if err != nil {
			return found, err
		}
		hypervisor, err := conn.GetVersion()
		return Versions{Libvirt: Version(library), QEMU: Version(hypervisor)}, err
	}, nil)
	if err != nil {
		return Versions{}, fmt.Errorf("ask for the versions on %s: %w", a.options.Node, plain(err))
	}
	return versions, nil
}
