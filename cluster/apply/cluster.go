package apply

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

func (t *transaction) applyInit(c cluster.Init) rules.Refusal {
	if t.ID != "" {
		return rules.Refuse(message.ClusterFoundedAlready.With(t.Cluster))
	}
	if c.Level < 1 {
		return rules.Refuse(message.ClusterVersionMissing.With(c.Cluster))
	}
	// Not this binary's own level: the same entry is read again, by a newer one,
	// after an upgrade.
	t.Level, t.Cluster, t.ID, t.Secrets, t.Generation = c.Level, c.Cluster, c.ID, c.Secrets, 1
	t.Document = cluster.Document{Cluster: c.Cluster}
	t.tell(cluster.Event{Subject: c.Cluster, Why: message.ClusterFounded.With()})
	return rules.Accepted
}

// applyRaiseLevel asks what the members know and not what this binary does: all must
// answer alike. A daemon that finds itself with rules it does not know stops
// (Unknown).
func (t *transaction) applyRaiseLevel(c cluster.RaiseLevel) rules.Refusal {
	if c.Level <= t.Level {
		return rules.Refuse(message.ClusterVersionNotNewer.With(c.Level, t.Level))
	}
	for _, name := range t.Nodes.Keys() {
		if n, _ := t.Nodes.Get(name); n.MaxLevel < c.Level {
			return rules.Refuse(message.ClusterVersionUnknown.With(name, n.MaxLevel))
		}
	}
	t.Level = c.Level
	t.tell(cluster.Event{Subject: t.Cluster, Why: message.ClusterVersionRaised.With(c.Level)})
	return rules.Accepted
}

// applyRecover raises the generation. The dead are gone for good: whoever typed their
// names answers for it that their machines are off, so what they held is free.
// That word is about the boots of that moment. A node that was let in before the
// log says so runs again, and keeps what it holds (law L1); the generation begins
// all the same, because the log has been taken over.
func (t *transaction) applyRecover(c cluster.Recover) rules.Refusal {
	if c.Generation <= t.Generation {
		return rules.Refuse(message.GenerationNotNewer.With(c.Generation, t.Generation))
	}
	t.Generation = c.Generation
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By,
		Why: message.ClusterRecovered.With(c.Dead, c.Generation)})
	for _, name := range c.Dead {
		n, known := t.Nodes.Get(name)
		if !known {
			continue
		}
		if n.Incarnation > c.Through {
			t.tell(cluster.Event{Node: name, Subject: name, Cause: n.Incarnation, By: c.By,
				Why: message.NodeUpBeforeRecover.With()})
			continue
		}
		if open, fencing := t.Fences.Get(name); fencing {
			t.closeFence(open, cluster.EndedByWord, message.FenceEndedByRecover.With(c.By))
		}
		n = t.setNodeState(n, cluster.NodeFenced, c.By, message.NodeDeclaredDead.With())
		t.releaseBoot(n, t.index, message.BootDeclaredDead.With())
	}
	for _, name := range t.Services.Keys() {
		if service, _ := t.Services.Get(name); service.Intent != nil {
			t.voidIntent(service, message.GenerationBegan.With())
		}
	}
	return rules.Accepted
}

// applyRestore takes a backup in. What ran when the backup was made proves nothing
// about now: every holder is unknown until asked or fenced.
func (t *transaction) applyRestore(c cluster.Restore) rules.Refusal {
	var old cluster.State
	if err := json.Unmarshal(c.State, &old); err != nil {
		return rules.Refuse(message.BackupUnreadable.With(err))
	}
	if old.ID == "" {
		return rules.Refuse(message.BackupWithoutCluster.With())
	}
	founder, known := t.Nodes.Get(c.Node)
	if before, had := old.Nodes.Get(c.Node); known && had && before.HardwareUUID != founder.HardwareUUID {
		return rules.Refuse(message.BackupOtherMachine.With(c.Node, before.HardwareUUID))
	}
	generation := max(old.Generation, t.Generation) + 1
	index := t.index
	*t.State = old
	t.Index, t.Generation = index, generation
	t.beginLogAnew()
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.ClusterRestored.With(generation)})
	for _, name := range t.Nodes.Keys() {
		n, _ := t.Nodes.Get(name)
		n.State, n.Incarnation, n.Expelled = cluster.NodeJoining, 0, 0
		n.Why = message.NodeUnseenSinceRestore.With()
		n.Log, n.LogLost = "", 0 // this is another log
		n.Guard = nil            // what the cluster before this one granted is not known
		n.KeyTurn = nil          // it was ordered in another log
		if name == c.Node && known {
			n.Fingerprint, n.Key, n.Address = founder.Fingerprint, founder.Key, founder.Address
			n.JoinedAs, n.KeyAt, n.KeyTurn = founder.JoinedAs, founder.KeyAt, founder.KeyTurn
		}
		n.KeySince, n.Away = 0, t.index // an index of another log means nothing here
		t.Nodes.Set(name, n)
	}
	if known && !t.Nodes.Has(c.Node) {
		t.NextNodeID++
		founder.ID = t.NextNodeID
		t.Nodes.Set(c.Node, founder)
	}
	for _, name := range t.Fences.Keys() {
		t.Fences.Delete(name)
	}
	for _, name := range t.PowerOns.Keys() {
		t.PowerOns.Delete(name)
	}
	t.Drill, t.Disarmed = nil, nil
	t.Leader = cluster.Leader{} // terms begin again with a log
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		service = t.finish(service, cluster.CodeAborted, message.ClusterWasRestored.With())
		holders := t.anywhere(service)
		service.Intent, service.Wish, service.Owner, service.Changed = nil, nil, "", index
		service.State, service.Reason = resources.Uninitialized, message.ServiceRestored.With()
		service.Holders = holders
		t.Services.Set(name, service)
	}
	return rules.Accepted
}

// anywhere are the holders of a service whose cluster was restored. The guest runs on what it had
// when the backup was made, or, if it was started anew since, on what was declared then: until
// it is found, both are its own (law L9).
func (t *transaction) anywhere(service cluster.Service) []cluster.Holder {
	holders := t.everywhere(message.HolderUnaskedSinceRestore.With(), service.Spec)
	disks, networks := service.Spec.Disks, service.Spec.Networks
	for _, last := range service.Holders {
		disks, networks = resources.JoinDisks(disks, last.Disks), words.Union(networks, last.Networks)
	}
	for i := range holders {
		holders[i].Networks = networks
	}
	if resources.SameDisks(disks, service.Spec.Disks) {
		return holders
	}
	for i := range holders {
		holders[i].Disks, holders[i].Declared = disks, service.Spec.Disks
	}
	return holders
}

func (t *transaction) applyAddToken(c cluster.AddToken) rules.Refusal {
	for _, id := range t.Tokens.Keys() {
		if token, _ := t.Tokens.Get(id); token.Expires.Before(t.At) {
			t.Tokens.Delete(id)
		}
	}
	if t.Tokens.Len() >= cluster.MaxTokens {
		return rules.Refuse(message.TokenLimit.With(cluster.MaxTokens))
	}
	t.Tokens.Set(c.ID, c.Token)
	until := c.Token.Expires.UTC().Format("15:04:05 MST")
	why := message.TokenMade.With(until)
	if c.Token.Replace != "" {
		why = message.TokenMadeForReplace.With(c.Token.Replace, until)
	}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.Token.By, Why: why})
	return rules.Accepted
}

// applyConfigure of a document: the Spec of a service is replaced, what runs is left
// alone. A service that is new may run anywhere until each node has looked.
func (t *transaction) applyConfigure(c cluster.Configure) rules.Refusal {
	if c.Base != t.Config.Version {
		return rules.Refuse(message.DocumentOutdated.With(t.Config.Version, c.Base))
	}
	if why := t.mayHaveTwoNode(c.Document); !why.IsZero() {
		return rules.Refuse(why)
	}
	if c.Document.Cluster != t.Cluster {
		return rules.Refuse(message.DocumentOtherCluster.With(strconv.Quote(c.Document.Cluster), strconv.Quote(t.Cluster)))
	}
	if _, why := c.Document.TwinDevices(); !why.IsZero() {
		return rules.Refuse(why)
	}
	for _, name := range words.SortedKeys(c.Document.Services) {
		if why := t.mayDeclare(name, c); !why.IsZero() {
			return rules.Refuse(why)
		}
	}
	if why := t.mayHold(c); !why.IsZero() {
		return rules.Refuse(why)
	}
	if why := t.mayRewire(c.Document.Networks); !why.IsZero() {
		return rules.Refuse(why)
	}
	if t.Tombstones.Len() > cluster.MaxTombstones {
		return rules.Refuse(message.TombstoneLimit.With(t.Tombstones.Len()))
	}
	for _, name := range t.Services.Keys() {
		if _, kept := c.Document.Services[name]; kept {
			continue
		}
		if service, _ := t.Services.Get(name); service.Enabled || service.Owner != "" || service.Intent != nil {
			return rules.Refuse(message.ServiceNotDisabled.With(name, service.State))
		}
	}
	t.revise(c)
	old := t.Document
	t.Document = c.Document
	t.forgetProofs(old)
	t.forgetIdentities(old)
	t.keepLogins(old)
	t.forgetReach()
	for _, hash := range words.SortedKeys(c.Blobs) {
		t.Blobs.Set(hash, c.Blobs[hash])
	}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.DocumentInForce.With(t.Config.Version, c.Reason)})
	t.declareServices(old)
	t.declareAlerts()
	t.dropBlobs()
	t.keepSealed(c)
	return rules.Accepted
}

// mayDeclare checks one service of a new document against laws L1 and L9.
func (t *transaction) mayDeclare(name string, c cluster.Configure) message.Text {
	spec := c.Document.Services[name]
	for _, twin := range words.SortedKeys(c.Document.Services) {
		if twin != name && spec.UUID != "" && c.Document.Services[twin].UUID == spec.UUID {
			return message.DocumentSameVM.With(name, twin, spec.UUID)
		}
	}
	if _, sent := c.Blobs[spec.Definition]; !sent && !t.Blobs.Has(spec.Definition) {
		return message.DefinitionUnknown.With(name, fmt.Sprintf("%.12s", spec.Definition))
	}
	old, known := t.Services.Get(name)
	if known && old.Spec.UUID != spec.UUID && len(old.Holders) > 0 {
		return message.ServiceUUIDInUse.With(name, cluster.HolderNames(old))
	}
	for _, other := range t.Others(name, spec.UUID) {
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 0 {
				return message.DocumentDiskInUse.With(name, disks[0], other.Spec.Name, h.Node)
			}
		}
	}
	return message.Text{}
}

// mayRewire says why networks cannot become these: what a guest was started with must stay as it is
// for as long as the guest may be running, or it would be cut off, or find itself among others.
func (t *transaction) mayRewire(next map[string]resources.Network) message.Text {
	for _, name := range words.SortedKeys(t.Document.Networks) {
		was := t.Document.Networks[name]
		now, kept := next[name]
		if kept && was.VLAN == now.VLAN && was.Over == now.Over && was.Bridge == now.Bridge {
			continue
		}
		services, nodes := t.startedWith(name)
		switch {
		case len(services) == 0:
		case kept:
			return message.DocumentNetworkFixed.With(name, some(services), some(nodes))
		default:
			return message.DocumentNetworkInUse.With(name, some(services), some(nodes))
		}
	}
	return message.Text{}
}

// startedWith are the services that were started with a network, and where they may be running.
func (t *transaction) startedWith(network string) (services, nodes []string) {
	for _, service := range t.Others("", "") {
		for i := range service.Holders {
			if h := &service.Holders[i]; slices.Contains(h.Networks, network) {
				services, nodes = append(services, service.Spec.Name), append(nodes, h.Node)
			}
		}
	}
	slices.Sort(services)
	slices.Sort(nodes)
	return slices.Compact(services), slices.Compact(nodes)
}

// some are so many names as a sentence bears.
func some(names []string) string {
	const most = 3
	if more := len(names) - most; more > 0 {
		names = append(names[:most:most], fmt.Sprintf("%d more", more))
	}
	return words.Joined(names)
}

// declareServices brings the table of services in line with the document.
func (t *transaction) declareServices(old cluster.Document) {
	for _, name := range words.SortedKeys(t.Document.Services) {
		spec := t.Document.Services[name].WithDefaults()
		service, known := t.Services.Get(name)
		if known {
			if !reflect.DeepEqual(service.Spec, spec) || !reflect.DeepEqual(old.Domains[spec.Domain],
				t.Document.Domains[spec.Domain]) {
				service.Troubles = nil // what failed was declared otherwise
			}
			service.Spec = spec
			t.Services.Set(name, service)
			continue
		}
		service = cluster.Service{Spec: spec, State: resources.Uninitialized, Enabled: spec.Autostart, Since: t.index,
			SinceAt: t.At}
		service.Holders = t.everywhere(message.HolderNotLookedFor.With(), spec)
		if grave, found := t.Tombstones.Get(spec.UUID); found {
			service.Holders = mergeHolders(service.Holders, grave.Holders)
			t.Tombstones.Delete(spec.UUID)
		}
		t.tell(cluster.Event{Subject: name, To: service.State.String(),
			Why: message.ServiceDeclared.With()})
		t.settleUninitialized(service)
	}
	for _, name := range t.Services.Keys() {
		if _, kept := t.Document.Services[name]; kept {
			continue
		}
		service, _ := t.Services.Get(name)
		service = t.finish(service, cluster.CodeNoService, message.ServiceRemoved.With(""))
		t.Services.Delete(name)
		t.Moves.Delete(name)
		if len(service.Holders) > 0 {
			t.Tombstones.Set(service.Spec.UUID, t.grave(service))
		}
		t.tell(cluster.Event{Subject: name, From: service.State.String(),
			Why: message.ServiceRemoved.With(cluster.HolderNames(service))})
	}
}

// grave is what is left of a removed service: holders that have to look.
func (t *transaction) grave(service cluster.Service) cluster.Service {
	old, _ := t.Tombstones.Get(service.Spec.UUID)
	service.Holders = mergeHolders(old.Holders, service.Holders)
	for i := range service.Holders {
		service.Holders[i].Ask, service.Holders[i].Since = true, t.index
	}
	return service
}

// dropBlobs forgets definitions that nothing refers to.
func (t *transaction) dropBlobs() {
	used := map[string]bool{}
	keep := func(service *cluster.Service) {
		used[service.Spec.Definition] = true
		for _, h := range service.Holders {
			used[h.Definition] = true
		}
		if service.Intent != nil {
			used[service.Intent.Definition] = true
		}
	}
	for _, service := range t.Others("", "") {
		keep(service)
	}
	for _, hash := range t.Blobs.Keys() {
		if !used[hash] {
			t.Blobs.Delete(hash)
		}
	}
	for _, device := range t.Checks.Keys() {
		if _, declared := t.Document.Devices[device]; !declared {
			t.Checks.Delete(device)
		}
	}
}
