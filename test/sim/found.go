package sim

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Found makes a cluster of the given nodes: the log begins with its founding,
// its members and its document. The hosts are then booted.
func (w *World) Found(document cluster.Document, nodes ...string) {
	commands := []cluster.Command{cluster.Init{Cluster: document.Cluster, ID: "sim", Level: w.Level}}
	for i, name := range nodes {
		token := ""
		if i > 0 {
			token = "token-" + name
			commands = append(commands, cluster.AddToken{ID: token, Token: cluster.Token{Expires: epoch.AddDate(1, 0, 0)}})
		}
		if w.Hosts[name] == nil {
			w.AddHost(name, false)
		}
		h := w.Hosts[name]
		commands = append(commands, cluster.Join{Token: token, Node: name, Fingerprint: cluster.FingerprintOf(h.Key()),
			Key: h.Key(), HardwareUUID: h.hardware(), Address: name, Witness: h.Witness})
	}
	if document.Nodes == nil {
		document.Nodes = map[string]cluster.NodeSpec{}
	}
	if document.Devices == nil {
		document.Devices = map[string]fence.Device{}
	}
	w.Document = document
	for _, d := range document.Devices {
		w.guarded = w.guarded || d.Effect() != fence.ByPower
	}
	commands = append(commands, w.configure(document, 0))
	data, err := clustertest.Next.Encode(commands)
	if err != nil {
		w.violate("founding: %v", err)
		return
	}
	w.commit(data)
	w.raft.log[0].at = epoch
	for _, name := range nodes {
		h := w.Hosts[name]
		if err := w.apply(h).Err(); err != nil {
			w.violate("index 1, the founding, is not taken: %v", err)
		}
		h.disk = h.state.Fork()
		h.holds(1)
		if h.state.Level != w.Level {
			w.violate("index 1 brings level %d, its founder knows level %d", h.state.Level, w.Level)
		}
		h.Boot()
	}
}

// enroll follows the cluster's members: who counts for a quorum.
func (w *World) enroll(node string, member bool) {
	if h := w.Hosts[node]; h != nil && h.member != member {
		h.member = member
		w.changed()
	}
}

// Device gives a node a BMC in a document.
func Device(document *cluster.Document, node string) {
	if document.Nodes == nil {
		document.Nodes, document.Devices = map[string]cluster.NodeSpec{}, map[string]fence.Device{}
	}
	document.Devices["bmc-"+node] = fence.Device{Name: "bmc-" + node, Driver: "ipmi", Address: node}
	document.Nodes[node] = cluster.NodeSpec{Fence: []fence.Level{{Devices: []string{"bmc-" + node}}}}
}

// Service declares a VM with a disk of its own.
func Service(document *cluster.Document, spec resources.Spec) {
	spec.UUID, spec.Definition = uuidOf(spec.Name), "definition-of-"+spec.Name
	spec.Disks = []resources.Disk{{Identity: "disk-of-" + spec.Name}}
	if document.Services == nil {
		document.Services = map[string]resources.Spec{}
	}
	document.Services[spec.Name] = spec
}

func (w *World) configure(document cluster.Document, base uint64) cluster.Configure {
	blobs := map[string]string{}
	for _, spec := range document.Services {
		blobs[spec.Definition] = "<domain/>"
	}
	return cluster.Configure{Base: base, Document: document, Blobs: blobs, By: "root"}
}

// Configure applies a document through a host's daemon.
func (w *World) Configure(through string, document cluster.Document, done func(why string)) {
	w.Document = document
	base := w.State().Config.Version
	w.Propose(through, w.configure(document, base), func(why string) {
		if why == "" {
			w.watched.documents = max(w.watched.documents, base+1)
		}
		if done != nil {
			done(why)
		}
	})
}

// Ask lets an administrator ask for something through a host's daemon. The
// request's id is returned; the answer is found in State.Requests.
func (w *World) Ask(through string, op cluster.Operation, service, node string) string {
	return w.Request(through, cluster.Ask{Op: op, Service: service, Node: node, By: "root"})
}

// Request is Ask with everything that can be said in a request.
func (w *World) Request(through string, ask cluster.Ask) string {
	w.requests++
	ask.Request = fmt.Sprintf("request-%d", w.requests)
	w.tell("request %s: %s %s %s", ask.Request, ask.Op, ask.Service, ask.Node)
	w.repeat(through, ask)
	return ask.Request
}

// repeat asks again under the same name, as a client does that does not know
// what became of it.
func (w *World) repeat(through string, ask cluster.Ask) {
	w.Propose(through, ask, func(why string) {
		if r, known := w.State().Requests.Get(ask.Request); why == "" && known {
			w.watched.accepted[ask.Request] = r.Index
		} else if why == "" && w.State().Requests.Len() < 500 {
			w.violate("L7: the request %s was acknowledged and is not there", ask.Request)
		}
	})
}

// Propose proposes a command through a host's daemon; done hears the refusal,
// or nothing.
func (w *World) Propose(through string, command cluster.Command, done func(why string)) {
	h := w.Hosts[through]
	if h.daemon == nil {
		if done != nil {
			done("clusterd does not run on " + through)
		}
		return
	}
	release := clustertest.ReleaseOf(h.daemon.knows)
	why := release.Premature(h.state, []cluster.Command{command}).String()
	if release.KindOf(command) == "" {
		why = "this clusterd does not know it"
	}
	if why != "" {
		w.tell("%s is not proposed: %s", clustertest.Next.KindOf(command), why)
		if done != nil {
			done(why)
		}
		return
	}
	w.propose(h.daemon, []cluster.Command{command}, func(failed bool, applied apply.Applied) {
		switch {
		case done == nil:
		case failed:
			done("outcome unknown")
		default:
			done(applied.Refused[0].String())
		}
	})
}

// FailMigrations lets the next migrations end like this; "" ends that.
func (w *World) FailMigrations(end MigrationEnd) { w.failMigration = end }
