package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Route is the way of one act from here to its target.
type Route struct {
	// APIURI is a libvirt connection URI that reaches the target's libvirtd.
	APIURI string `json:"apiURI"`
	// MigrateURI is for libvirt's migration parameter of that name.
	MigrateURI string `json:"migrateURI"`
}

// openRoute is a Route with its listening sockets.
type openRoute struct {
	Route
	node, address string
	listeners     []net.Listener
	used          time.Time
}

// open makes the sockets of an act. Opening it again returns the same route:
// a daemon that was restarted asks again.
func (f *forwarder) openRoute(act, node, address string) (Route, error) {
	if err := checkAct(act); err != nil {
		return Route{}, err
	}
	if node == "" || address == "" {
		return Route{}, errors.New("a route needs the target's name and address")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if route := f.routes[act]; route != nil {
		if route.node != node || route.address != address {
			return Route{}, fmt.Errorf("act %s leads to %s at %s already", act, route.node, route.address)
		}
		route.used = time.Now()
		return route.Route, nil
	}
	if len(f.routes) >= f.config.MaxRoutes {
		return Route{}, fmt.Errorf("%d migrations have routes already", len(f.routes))
	}
	route := &openRoute{
		Route: Route{APIURI: "qemu+unix:///system?socket=" + f.config.apiPath(act),
			MigrateURI: "unix://" + f.config.dataPath(act)},
		node: node, address: address, used: time.Now(),
	}
	for _, end := range []struct{ kind, path string }{{kindAPI, f.config.apiPath(act)},
		{kindData, f.config.dataPath(act)}} {
		listener, err := listenUNIX(end.path)
		if err != nil {
			route.close()
			return Route{}, err
		}
		route.listeners = append(route.listeners, listener)
		if end.kind == kindData {
			if err := os.Chown(end.path, f.config.DataUID, f.config.DataGID); err != nil {
				route.close()
				return Route{}, fmt.Errorf("hand %s to QEMU's user: %w", end.path, err)
			}
		}
		go f.lead(listener, header{Kind: end.kind, Act: act}, route)
	}
	f.routes[act] = route
	return route.Route, nil
}

func (r *openRoute) close() {
	for _, listener := range r.listeners {
		_ = listener.Close() // Removes the socket, too.
	}
}

// releaseRoute stops listening; streams that are open go on.
func (f *forwarder) releaseRoute(act string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if route := f.routes[act]; route != nil {
		route.close()
		delete(f.routes, act)
	}
}

// releaseUnused drops the routes of a daemon that never came back.
func (f *forwarder) releaseUnused() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for act, route := range f.routes {
		if f.carried.count(act) > 0 {
			route.used = time.Now()
		} else if time.Since(route.used) > f.config.IdleProcess {
			route.close()
			delete(f.routes, act)
		}
	}
}

// lead takes local connections to the target.
func (f *forwarder) lead(listener net.Listener, head header, route *openRoute) {
	for {
		local, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			if err := f.toTarget(local, head, route); err != nil {
				f.config.Logger.Warn("a stream to another node ended badly", "node", route.node, "kind", head.Kind, "act",
					head.Act, "error", err)
			}
		}()
	}
}

func (f *forwarder) toTarget(local net.Conn, head header, route *openRoute) error {
	ctx, cancel := context.WithTimeout(context.Background(), headerTimeout)
	defer cancel()
	remote, err := dialWhenListening(ctx, f.config.TargetWait, func(ctx context.Context) (net.Conn, error) {
		return f.config.Security.Dial(ctx, route.node, route.address)
	})
	if err != nil {
		_ = local.Close()
		return err
	}
	what := about{remote: remote, kind: head.Kind, act: head.Act, dialed: true}
	if err := f.permit(ctx, what); err != nil {
		_ = local.Close()
		_ = remote.Close()
		return err
	}
	if err := greet(remote, head); err != nil {
		_ = local.Close()
		_ = remote.Close()
		return err
	}
	if head.Kind == kindAPI {
		local = newWatch(local)
	}
	return f.carried.carry(local, remote, what)
}

// redialEvery is how often a target is tried again whose forwarder does not listen yet.
const redialEvery = 50 * time.Millisecond

// dialWhenListening dials again, for so long, while the connection is refused: a node that has
// just booted is online as soon as its daemon is, and its forwarder is a process that comes up a
// moment later. Whatever else goes wrong is returned at once.
func dialWhenListening(ctx context.Context, wait time.Duration,
	dial func(context.Context) (net.Conn, error),
) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		conn, err := dial(ctx)
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
			return conn, err
		}
		select {
		case <-limited.Done():
			return nil, err
		case <-time.After(redialEvery):
		}
	}
}

// listenUNIX makes a socket that only its owner can open.
func listenUNIX(path string) (net.Listener, error) {
	if len(path) > 107 {
		return nil, fmt.Errorf("the socket path %s is longer than 107 bytes: choose a shorter run directory", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("clear a stale socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return listener, nil
}
