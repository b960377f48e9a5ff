package apply

import (
	"cmp"
	"slices"
	"sort"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

func (t *transaction) applyNodeHypervisor(c cluster.NodeHypervisor) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return rules.Refuse(message.HypervisorOutdated.With(c.Node))
	case c.Why.Len() > cluster.MostHypervisorWords:
		return rules.Refuse(message.HypervisorTooLong.With(c.Node))
	case n.Hung == c.Why:
		return rules.Accepted // told twice
	}
	before := n.Hung
	n.Hung = c.Why
	t.Nodes.Set(c.Node, n)
	switch {
	case n.StandsBy():
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: c.Why})
	case c.Why.IsZero() && before.Is(message.NodeStandsBy):
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: message.NodeAgrees.With()})
	case c.Why.IsZero():
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: message.HypervisorBack.With()})
	case before.IsZero():
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: message.HypervisorHung.With(c.Why)})
	}
	return rules.Accepted
}

// applyLead takes in who leads. A term has one leader, and terms only grow: an older word is late.
func (t *transaction) applyLead(c cluster.Lead) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return rules.Refuse(message.LeadOutdated.With(c.Node))
	case c.Term <= t.Leader.Term:
		return rules.Refuse(message.LeadToldBefore.With(c.Node, t.Leader.Node))
	case c.Why.Len() > cluster.MostLeadWords:
		return rules.Refuse(message.LeadTooLong.With(c.Node))
	}
	before := t.Leader.Index
	t.Leader = cluster.Leader{Node: c.Node, Term: c.Term, Index: t.index}
	t.tell(cluster.Event{Node: c.Node, Subject: t.Cluster, Cause: before, Why: c.Why})
	return rules.Accepted
}

// applyNodeCapacity takes in what a host has. A host that has less than is on it keeps what runs.
func (t *transaction) applyNodeCapacity(c cluster.NodeCapacity) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation {
		return rules.Refuse(message.CapacityOutdated.With(c.Node))
	}
	if n.Capacity == c.Capacity {
		return rules.Accepted // told twice
	}
	before := n.Capacity
	n.Capacity = c.Capacity
	t.Nodes.Set(c.Node, n)
	if before != (cluster.Capacity{}) {
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node,
			Why: message.CapacityChanged.With(c.Capacity.String(), before.String())})
	}
	return rules.Accepted
}

func (t *transaction) applyCheckFrom(c cluster.CheckFrom) rules.Refusal {
	if _, declared := t.Document.Devices[c.Device]; !declared {
		return rules.Refuse(message.CheckDeviceUnknown.With(c.Device))
	}
	if !t.Nodes.Has(c.By) {
		return rules.Refuse(message.NodeUnknown.With(c.By))
	}
	before := t.ReachOf(c.Device)
	now := cluster.Reach{Device: c.Device, By: c.By, Power: c.Check.Power, Problem: c.Check.Problem,
		Identity: c.Check.Identity, OldLogin: c.OldLogin, At: t.At}
	t.Reach.Set(cluster.ReachKey(c.Device, c.By), now)
	last, _ := t.Checks.Get(c.Device)
	check := bestCheck(t.livingReach(c.Device))
	// A board that fails to answer has not become another one: whose it said it is holds until it
	// says otherwise, or is declared anew. Else a twin that falls silent would be forgotten (law L3).
	check.Identity = cmp.Or(c.Check.Identity, last.Identity)
	t.Checks.Set(c.Device, check)
	if now.Problem == "" && !now.OldLogin && t.OldLogins.Has(c.Device) {
		t.OldLogins.Delete(c.Device)
		t.tell(cluster.Event{Node: c.By, Subject: c.Device, Why: message.DeviceLoginChanged.With(c.Device)})
	}
	if why := reachNews(c, before, t.ReachOf(c.Device)); !why.IsZero() {
		t.tell(cluster.Event{Node: c.By, Subject: c.Device, Why: why})
	}
	return rules.Accepted
}

// livingReach are the answers to nodes that are in touch: what a lost node was
// told some time ago says nothing about now.
func (t *transaction) livingReach(device string) []cluster.Reach {
	all := t.ReachOf(device)
	living := slices.DeleteFunc(slices.Clone(all), func(r cluster.Reach) bool {
		n, _ := t.Nodes.Get(r.By)
		return !n.Reachable()
	})
	if len(living) == 0 {
		return all
	}
	return living
}

// bestCheck is the device as one answer: one that any node can use can be used,
// and what it said last counts.
func bestCheck(answers []cluster.Reach) cluster.DeviceCheck {
	sort.SliceStable(answers, func(i, j int) bool {
		if good := answers[i].Problem == ""; good != (answers[j].Problem == "") {
			return good
		}
		return answers[i].At.After(answers[j].At)
	})
	best := answers[0]
	return cluster.DeviceCheck{Power: best.Power, Problem: best.Problem, At: best.At, By: best.By}
}

// reachNews is what the timeline tells of a changed answer. A dead BMC fails
// for everybody, and is worth two lines, not one for each node.
func reachNews(c cluster.CheckFrom, before, after []cluster.Reach) message.Text {
	was, is := failing(before), failing(after)
	switch {
	case len(is) == len(after) && len(after) > 1 && len(was) < len(before):
		return message.DeviceDead.With(c.Device, is, c.Check.Problem)
	case len(is) > 0 && len(was) == 0:
		return message.DeviceUnusable.With(c.Device, c.By, c.Check.Problem)
	case len(is) == 0 && len(was) > 0:
		return message.DeviceBack.With(c.Device)
	}
	return message.Text{}
}

func failing(answers []cluster.Reach) []string {
	var names []string
	for _, r := range answers {
		if r.Problem != "" {
			names = append(names, r.By)
		}
	}
	return names
}

// keepLogins remembers the login of each device whose login changed, until the
// device has taken the new one: between the document and the BMC there is always
// a while in which only one of the two knows the new password. A login that no
// check has seen working is not worth keeping, so the oldest one stays.
func (t *transaction) keepLogins(old cluster.Document) {
	for _, device := range words.SortedKeys(old.Devices) {
		before, after := old.Devices[device], t.Document.Devices[device]
		same := before.Driver == after.Driver && before.Address == after.Address
		switch {
		case !same:
			t.OldLogins.Delete(device)
		case before.Username == after.Username && before.Password == after.Password &&
			before.Credential == after.Credential, t.OldLogins.Has(device):
		default:
			t.OldLogins.Set(device, cluster.Login{Username: before.Username, Password: before.Password,
				Credential: before.Credential, At: t.At})
		}
	}
}

// forgetReach drops what is said about devices and by nodes that are no more.
func (t *transaction) forgetReach() {
	for _, key := range t.Reach.Keys() {
		r, _ := t.Reach.Get(key)
		if _, declared := t.Document.Devices[r.Device]; !declared || !t.Nodes.Has(r.By) {
			t.Reach.Delete(key)
		}
	}
	for _, device := range t.OldLogins.Keys() {
		if _, declared := t.Document.Devices[device]; !declared {
			t.OldLogins.Delete(device)
		}
	}
}

// MostVolumeWords bounds what a node may say about its volume.
const MostVolumeWords = 500

func (t *transaction) applyNodeVolume(c cluster.NodeVolume) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return rules.Refuse(message.VolumeOutdated.With(c.Node))
	case c.Volume.Why.Len() > MostVolumeWords:
		return rules.Refuse(message.VolumeTooLong.With(c.Node))
	case n.LastVolume() == c.Volume:
		return rules.Accepted // told twice
	}
	before := n.LastVolume()
	n.Volume = nil
	why := message.VolumeBack.With()
	if !c.Volume.None() {
		volume := c.Volume
		n.Volume = &volume
		why = volume.Words()
	}
	t.Nodes.Set(c.Node, n)
	if before.Failing != c.Volume.Failing || before.None() != c.Volume.None() {
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: why})
	}
	return rules.Accepted
}
