//go:build cgo

package vm

import (
	"context"
	"errors"

	libvirt "libvirt.org/go/libvirt"
)

// Networks returns those of libvirt's networks that are not there or not active, and Pools
// does the same for storage pools: a VM that names one does not start.
func (a *Agent) Networks(ctx context.Context, names []string) ([]string, error) {
	return a.missing(ctx, names, activeNetwork)
}

func activeNetwork(conn *libvirt.Connect, name string) (bool, error) {
	network, err := conn.LookupNetworkByName(name)
	if err != nil {
		return false, unless(err, libvirt.ERR_NO_NETWORK)
	}
	defer func() { _ = network.Free() }()
	return network.IsActive()
}

// Pools returns those storage pools that are not there or not active.
func (a *Agent) Pools(ctx context.Context, names []string) ([]string, error) {
	return a.missing(ctx, names, activePool)
}

func activePool(conn *libvirt.Connect, name string) (bool, error) {
	pool, err := conn.LookupStoragePoolByName(name)
	if err != nil {
		return false, unless(err, libvirt.ERR_NO_STORAGE_POOL)
	}
	defer func() { _ = pool.Free() }()
	return pool.IsActive()
}

// unless forgives the answer that there is no such thing.
func unless(err error, unknown libvirt.ErrorNumber) error {
	var answer libvirt.Error
	if errors.As(err, &answer) && answer.Code == unknown {
		return nil
	}
	return err
}

func (a *Agent) missing(ctx context.Context, names []string,
	active func(*libvirt.Connect, string) (bool, error)) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, name := range names {
		there, err := ask(ctx, s, func(conn *libvirt.Connect) (bool, error) { return active(conn, name) }, nil)
		if err != nil {
			return nil, plain(err)
		}
		if !there {
			gone = append(gone, name)
		}
	}
	return gone, nil
}
