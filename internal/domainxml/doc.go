// Package domainxml reads of a VM's libvirt XML what the cluster must know: who the VM is, the
// disks it writes to, what ties it to one host, and what it names of its host. Everything else of
// it is the hypervisor's business. Storage has the same identity here as where agents/vm finds it
// in use.
package domainxml
