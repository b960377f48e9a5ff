package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/metrics"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/report"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/internal/web"
)

// served is the daemon as its handlers see it.
type served struct{ *Daemon }

var _ server.Daemon = served{}

func (d *Daemon) newServer() *server.Server {
	return server.New(served{d}, server.Options{Node: d.options.Node, Address: d.address, Logger: d.logger})
}

// openServer opens the tools' socket, and answers on it and on the TLS port.
func (d *Daemon) openServer(ctx context.Context, tools net.Listener) error {
	s := d.tools
	local, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	for _, listener := range []net.Listener{local, tools} {
		d.work.Go(func() {
			if err := s.Serve(listener); err != nil && ctx.Err() == nil {
				d.fatal("the tools' interface failed: " + err.Error())
			}
		})
	}
	d.onClose("server", s.Close)
	return d.openMetrics(ctx)
}

// openMetrics serves /metrics where the node's own file says so. A monitoring system cannot be
// expected to speak the tools' protocol, so it has an address of its own. Off the loopback it shows
// a certificate, and may what a viewer may. That nobody can be measured ends no daemon.
func (d *Daemon) openMetrics(ctx context.Context) error {
	address := d.options.Node.Metrics
	if address == "" {
		return nil
	}
	listener, err := metrics.Listen(address, d.metricsDoor(), d.logger)
	if err != nil {
		d.warnings.Set("metrics", "metrics are not served: "+err.Error())
		d.logger.Warn("metrics are not served", "address", address, "error", err)
		return nil
	}
	s := metrics.NewServer(d.metrics, d.mayMeasure, d.logger)
	d.work.Go(func() {
		if err := s.Serve(listener); ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
			d.warnings.Set("metrics", "metrics are served no longer: "+err.Error())
		}
	})
	d.onClose("metrics", s.Close)
	return nil
}

// metricsDoor asks for a certificate in the handshake, so that a stranger holds nothing. Whom it
// sends away there is in the audit trail too.
func (d *Daemon) metricsDoor() *tls.Config {
	door := d.store.ServerConfig("http/1.1")
	door.ClientAuth = tls.RequireAnyClientCert
	verify := door.VerifyConnection
	door.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		one := door.Clone()
		one.VerifyConnection = func(state tls.ConnectionState) error {
			err := verify(state)
			if err != nil {
				d.register.RefusedMonitor(hello.Conn.RemoteAddr().String(), err)
			}
			return err
		}
		return one, nil
	}
	return door
}

// mayMeasure says who reads metrics, or why he may not; a connection without TLS is from this host.
func (d *Daemon) mayMeasure(r *http.Request) (holder string, err error) {
	if r.TLS == nil {
		return "", nil
	}
	peer, err := pki.PeerOf(*r.TLS)
	if err == nil {
		err = d.store.Admit(pki.ChannelLook, pki.Accepting, peer)
	}
	if err != nil {
		d.register.RefusedMonitor(r.RemoteAddr, err)
	}
	return peer.Fingerprint, err
}

// Root implements server.Log.
func (s served) Root() *cluster.State { return s.replica.Root() }

// Changed implements server.Log.
func (s served) Changed() <-chan struct{} { return s.replica.Changed() }

// Newest implements server.Log.
func (s served) Newest(ctx context.Context) error { return s.log.VerifyShared(ctx) }

// Propose implements server.Log.
func (s served) Propose(ctx context.Context, commands ...cluster.Command) ([]message.Text, error) {
	applied, err := s.propose(ctx, commands...)
	return applied.Refused, err
}

// Leader implements server.Cluster.
func (s served) Leader() string { return s.role.Load().leader }

// Sight implements server.Cluster.
func (s served) Sight() (*cluster.State, api.Sight, bool) {
	last := s.decided.Load() // before the State, which is then not older
	root := s.replica.Root()
	if last.view == nil || !s.role.Load().leading {
		return root, api.Sight{}, false
	}
	return root, api.Sight{Index: root.Index, At: last.at, View: last.view.On(root, time.Since(last.at))}, true
}

// Metrics implements server.Cluster.
func (s served) Metrics() http.Handler { return s.Daemon.metrics }

// Peers implements server.Cluster.
func (s served) Peers() map[string]string { return s.peers() }

// Ask implements server.Cluster.
func (s served) Ask(ctx context.Context, node, address, method, path string, body, into any) error {
	return s.ask(ctx, node, address, method, path, body, into)
}

// Seal implements server.Documents.
func (s served) Seal(root *cluster.State, parsed config.Parsed) (cluster.Configure, error) {
	if why := s.door.ForbiddenIn(parsed); why != "" {
		return cluster.Configure{}, server.Refuse(http.StatusUnprocessableEntity, "forbidden_definition",
			"%s; nothing was changed", why)
	}
	return s.vault.Seal(root, parsed)
}

// ProposeDocument implements server.Documents.
func (s served) ProposeDocument(ctx context.Context, command cluster.Configure, parsed config.Parsed) (
	message.Text, error) {
	return s.vault.ProposeDocument(ctx, command, parsed)
}

// Import implements server.Documents.
func (s served) Import(ctx context.Context, asked api.ImportRequest, by string) (api.Reply, error) {
	return s.adoption().Import(ctx, asked, by)
}

// Authority implements server.Keys.
func (s served) Authority(root *cluster.State) (*pki.CA, error) { return s.vault.Authority(root) }

// DataKey implements server.Keys.
func (s served) DataKey(root *cluster.State) (pki.DataKey, error) { return s.vault.DataKey(root) }

// Rekey implements server.Keys.
func (s served) Rekey(ctx context.Context, by string, why message.Text) error {
	return s.vault.Rekey(ctx, by, why)
}

// RotateAuthority implements server.Keys.
func (s served) RotateAuthority(ctx context.Context, by, why string) error {
	return s.vault.RotateAuthority(ctx, by, why)
}

// KeysLeft implements server.Keys.
func (s served) KeysLeft(root *cluster.State, removed string) string {
	return s.fencing.KeysLeft(root, removed)
}

// Admit implements server.Entrance.
func (s served) Admit(channel pki.Channel, peer pki.Peer) error {
	return s.store.Admit(channel, pki.Accepting, peer)
}

// Join implements server.Entrance.
func (s served) Join(ctx context.Context, root *cluster.State, asked api.JoinRequest, token cluster.Token) (
	api.JoinReply, error) {
	return s.entrance().Join(ctx, root, asked, token)
}

// NoteGuess implements server.Entrance.
func (s served) NoteGuess(from string) { s.register.GuessedToken(from) }

// Invite implements server.Entrance.
func (s served) Invite(name string, role pki.Role, by server.Caller) (api.PageLink, error) {
	declared := s.replica.Root().Document.Web
	if declared == nil {
		return api.PageLink{}, server.Refuse(http.StatusConflict, "no_page",
			"the document declares no page; add for example  web: {listen: \":7444\"}  to it (clusterd config apply)")
	}
	certificate, err := s.pageCertificate(*declared)
	if err != nil {
		return api.PageLink{}, fmt.Errorf("the page is not served: %w", err)
	}
	secret, ends, made := s.page.Invite(web.Visitor{Name: name, Role: role}, by.Share(), by.Holder)
	if !made {
		return api.PageLink{}, server.Refuse(http.StatusServiceUnavailable, "busy",
			"too many login links of %s that %s made wait to be used; each lives %s", s.name, by.Name, web.LinkValidity)
	}
	sum := sha256.Sum256(certificate.Certificate[0])
	return api.PageLink{
		URL: "https://" + web.Address(declared, s.pageHost()) + "/#login=" + secret, Ends: ends, Name: name,
		Role: string(role), Fingerprint: hex.EncodeToString(sum[:]),
	}, nil
}

// EndVisits implements server.Entrance.
func (s served) EndVisits(name string) api.PageLogoutReply {
	visits, links := s.page.End(name)
	return api.PageLogoutReply{Node: s.name, Visits: visits, Links: links}
}

// Passable implements server.Entrance.
func (s served) Passable(uuid, operation string) (may bool, why string) {
	return s.door.Passable(uuid, operation)
}

// Keep implements server.Trail.
func (s served) Keep(e api.AuditEntry, braked limits.Kind) { s.register.Keep(e, braked) }

// Entries implements server.Trail.
func (s served) Entries(after uint64, most int) (entries []api.AuditEntry, more bool, err error) {
	return s.register.Read(after, most)
}

// Progress implements server.Host.
func (s served) Progress(service string) *api.Progress {
	p, moving := s.executor.Progress(service)
	if !moving {
		return nil
	}
	return report.Progress(p)
}

// Foresee implements server.Host: the owner measures, the target looks whether it can take the VM.
func (s served) Foresee(ctx context.Context, asked api.ForesightQuery) api.Foresight {
	root := s.replica.Root()
	service, known := root.Services.Get(asked.Service)
	if !known {
		return api.Foresight{Silent: s.options.Node.Name + " knows no service " + asked.Service}
	}
	act := agents.Act{Spec: service.Spec.WithDefaults(), Target: asked.Target, Move: asked.Migration}
	switch s.options.Node.Name {
	case service.Owner:
		return s.forecast(ctx, act)
	case asked.Target:
		h, _ := service.Holder(service.Owner)
		act.Rehearsed = true
		act.Verb, act.Spec.Definition = agents.VerbPrepare, cmp.Or(h.Definition, service.Spec.Definition)
		act.Definition, _ = root.Blobs.Get(act.Spec.Definition)
		act.Spec.Networks = h.Networks
		result := s.do()(ctx, act)
		return api.Foresight{Ready: result.OK, Target: result.Why}
	}
	return api.Foresight{Silent: s.options.Node.Name + " is neither source nor target"}
}

// forecast is what this node's agent measures of a VM that runs here.
func (s served) forecast(ctx context.Context, act agents.Act) api.Foresight {
	able, is := s.agent.(agents.Foreseeing)
	if !is {
		return api.Foresight{Silent: s.options.Node.Name + " cannot measure what a move would come to"}
	}
	f, err := able.Foresee(ctx, act)
	if err != nil {
		return api.Foresight{Silent: s.options.Node.Name + " did not measure it: " + err.Error()}
	}
	return api.Foresight{Forecast: &api.Forecast{Memory: f.Memory, Dirty: f.Dirty, Rate: f.Rate, Ends: f.Ends,
		Total: f.Total, Downtime: f.Downtime}}
}

// Fence implements server.Host.
func (s served) Fence(ctx context.Context, n cluster.Member, asked api.FenceRequest, by string) error {
	return s.fencing.ByHand(ctx, n, asked, by)
}

// LastChecks implements server.Host.
func (s served) LastChecks(root *cluster.State) map[string]api.FenceCheck {
	last := map[string]api.FenceCheck{}
	for name := range root.Document.Devices {
		if answer, asked := s.executor.LastCheck(name); asked {
			last[name] = api.FenceCheck{By: s.name, Power: string(answer.Check.Power), Problem: answer.Check.Problem,
				OldLogin: answer.OldLogin, Asked: answer.At}
		}
	}
	return last
}

// Tell implements server.Host.
func (s served) Tell(ctx context.Context, alert cluster.Alert, m alerts.Message) error {
	return s.tell(ctx, alert, m)
}

// Examine implements server.Host.
func (s served) Examine(ctx context.Context) []api.Finding { return s.examine(ctx) }

// ExamineOthers implements server.Host.
func (s served) ExamineOthers(ctx context.Context) []api.Finding { return s.examineOthers(ctx) }

// newPage makes the page, which nothing serves yet and which the tools' interface answers.
func (d *Daemon) newPage(tools http.Handler) *web.Front {
	return web.New(web.Options{
		Node: d.name, Changed: func() <-chan struct{} { return d.replica.Changed() }, Keep: d.register.Keep,
		Admit: func(channel pki.Channel, peer pki.Peer) error { return d.store.Admit(channel, pki.Accepting, peer) },
		Others: func() map[string]string {
			found, declared := map[string]string{}, d.replica.Root().Document.Web
			for node, address := range d.peers() {
				if host, _, err := net.SplitHostPort(address); err == nil && declared != nil {
					found[node] = "https://" + web.Address(declared, host) + "/"
				}
			}
			return found
		},
		Answer: func(w http.ResponseWriter, r *http.Request, who pki.Peer, from string) {
			tools.ServeHTTP(w, r.WithContext(server.WithCaller(r.Context(), server.Visitor(who, from))))
		},
	})
}

// keepPage serves the page while the document declares one.
func (d *Daemon) keepPage(ctx context.Context) {
	if d.options.Links != nil {
		return // a simulated network has no ports
	}
	d.page.Keep(ctx, web.Port{
		Wanted: func() *cluster.Web { return d.replica.Root().Document.Web }, Host: d.pageHost(),
		Certificate: d.pageCertificate,
		Problem: func(text string) {
			if d.warnings.Set("page", text) && text != "" {
				d.logger.Warn("the page is not served", "node", d.name, "why", text)
			}
		},
	})
}

// pageHost is where this node serves the page, and is reached by the other nodes too.
func (d *Daemon) pageHost() string {
	host, _, err := net.SplitHostPort(d.address)
	if err != nil {
		return d.address
	}
	return host
}

// pageCertificate is the operator's own where the document names one, else one of the cluster's
// authority.
func (d *Daemon) pageCertificate(declared cluster.Web) (*tls.Certificate, error) {
	if declared.Certificate != "" {
		return pki.ReadPageCertificate(declared.Certificate, declared.Key)
	}
	addresses := append([]string{d.pageHost()}, d.options.Node.Addresses...)
	if host, _, err := net.SplitHostPort(web.Address(&declared, d.pageHost())); err == nil && host != addresses[0] {
		addresses = append(addresses, host)
	}
	return pki.PageCertificate(string(d.options.Folder), d.name, addresses, time.Now(), d.store.Identity().Authority,
		func() (*pki.CA, error) { return d.vault.Authority(d.replica.Root()) })
}
