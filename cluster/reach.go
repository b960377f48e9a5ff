package cluster

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Reach is what a device last answered one node, as far as that was worth an
// entry. Each node that may have to use
// a device asks it: that the leader reaches a BMC says nothing about the node
// that will fence when the leader is the one that is lost.
type Reach struct {
	Device  string      `json:"device"`
	By      string      `json:"by"`
	Power   fence.Power `json:"power"`
	Problem string      `json:"problem,omitempty"`
	// Identity is what the device tells of its host.
	Identity string `json:"identity,omitempty"`
	// OldLogin: it takes the login of the document before this one, and not the
	// one declared now.
	OldLogin bool `json:"oldLogin,omitempty"`
	// At is when the answer last changed; that it was asked again enters no log.
	At time.Time `json:"at"`
}

// CheckFrom records that a device's answer to one node changed.
type CheckFrom struct {
	Device   string      `json:"device"`
	Check    fence.Check `json:"check"`
	OldLogin bool        `json:"oldLogin,omitempty"`
	By       string      `json:"by"`
}

// Kind of the command in the log.
func (CheckFrom) Kind() string { return "check-from" }

func (CheckFrom) level() int { return levelTwo }

func reachKey(device, by string) string { return device + "/" + by }

func (t *transaction) applyCheckFrom(c CheckFrom) refusal {
	if _, declared := t.Document.Devices[c.Device]; !declared {
		return refuse("there is no fence device %s", c.Device)
	}
	if !t.Nodes.Has(c.By) {
		return refuse("there is no node %s", c.By)
	}
	before := t.ReachOf(c.Device)
	now := Reach{Device: c.Device, By: c.By, Power: c.Check.Power, Problem: c.Check.Problem, Identity: c.Check.Identity, OldLogin: c.OldLogin, At: t.at}
	t.Reach.Set(reachKey(c.Device, c.By), now)
	t.Checks.Set(c.Device, bestCheck(t.livingReach(c.Device)))
	if now.Problem == "" && !now.OldLogin && t.OldLogins.Has(c.Device) {
		t.OldLogins.Delete(c.Device)
		t.tell(Event{Node: c.By, Subject: c.Device, Why: "fence device " + c.Device + " takes its new login; the old one is forgotten"})
	}
	if why := reachNews(c, before, t.ReachOf(c.Device)); why != "" {
		t.tell(Event{Node: c.By, Subject: c.Device, Why: why})
	}
	return accepted
}

// ReachOf lists what a device answered, by the asking node's name.
func (s *State) ReachOf(device string) []Reach {
	var list []Reach
	for _, key := range s.Reach.Keys() {
		if r, _ := s.Reach.Get(key); r.Device == device {
			list = append(list, r)
		}
	}
	return list
}

// ReachOfNode is what a device answered one node, if that is in the log.
func (s *State) ReachOfNode(device, by string) (Reach, bool) {
	return s.Reach.Get(reachKey(device, by))
}

// livingReach are the answers to nodes that are in touch: what a lost node was
// told some time ago says nothing about now.
func (t *transaction) livingReach(device string) []Reach {
	all := t.ReachOf(device)
	living := slices.DeleteFunc(slices.Clone(all), func(r Reach) bool { n, _ := t.Nodes.Get(r.By); return !n.Reachable() })
	if len(living) == 0 {
		return all
	}
	return living
}

// bestCheck is the device as one answer: one that any node can use can be used,
// and what it said last counts.
func bestCheck(answers []Reach) DeviceCheck {
	sort.SliceStable(answers, func(i, j int) bool {
		if good := answers[i].Problem == ""; good != (answers[j].Problem == "") {
			return good
		}
		return answers[i].At.After(answers[j].At)
	})
	best := answers[0]
	return DeviceCheck{Power: best.Power, Identity: best.Identity, Problem: best.Problem, At: best.At, By: best.By}
}

// reachNews is what the timeline tells of a changed answer. A dead BMC fails
// for everybody, and is worth two lines, not one for each node.
func reachNews(c CheckFrom, before, after []Reach) string {
	was, is := failing(before), failing(after)
	switch {
	case len(is) == len(after) && len(after) > 1 && len(was) < len(before):
		return fmt.Sprintf("fence device %s cannot be used from any of %s: %s", c.Device, strings.Join(is, ", "), c.Check.Problem)
	case len(is) > 0 && len(was) == 0:
		return fmt.Sprintf("fence device %s cannot be used from %s: %s", c.Device, c.By, c.Check.Problem)
	case len(is) == 0 && len(was) > 0:
		return fmt.Sprintf("fence device %s answers again to every node that asks it", c.Device)
	}
	return ""
}

func failing(answers []Reach) []string {
	var names []string
	for _, r := range answers {
		if r.Problem != "" {
			names = append(names, r.By)
		}
	}
	return names
}

// Login is what a device took before the document changed.
type Login struct {
	Username string       `json:"username,omitempty"`
	Password fence.Secret `json:"password,omitempty"`
	// Credential names the systemd credential that holds it instead.
	Credential string    `json:"credential,omitempty"`
	At         time.Time `json:"at"`
}

// keepLogins remembers the login of each device whose login changed, until the
// device has taken the new one: between the document and the BMC there is always
// a while in which only one of the two knows the new password. A login that no
// check has seen working is not worth keeping, so the oldest one stays.
func (t *transaction) keepLogins(old Document) {
	if t.Level < levelTwo {
		return
	}
	for _, device := range sortedKeys(old.Devices) {
		before, after := old.Devices[device], t.Document.Devices[device]
		same := before.Driver == after.Driver && before.Address == after.Address
		switch {
		case !same:
			t.OldLogins.Delete(device)
		case before.Username == after.Username && before.Password == after.Password &&
			before.Credential == after.Credential, t.OldLogins.Has(device):
		default:
			t.OldLogins.Set(device, Login{Username: before.Username, Password: before.Password,
				Credential: before.Credential, At: t.at})
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

// WithOldLogin is a device as it was logged in to before the document changed;
// false when there is nothing but the present login.
func (s *State) WithOldLogin(device fence.Device) (fence.Device, bool) {
	login, kept := s.OldLogins.Get(device.Name)
	device.Username, device.Password, device.Credential = login.Username, login.Password, login.Credential
	return device, kept
}

// news tells whether a check says what the log does not know.
func (n *Node) news(now time.Duration, s *State, c CheckFrom, leading bool) bool {
	all, asked := s.Checks.Get(c.Device)
	mine, told := s.Reach.Get(reachKey(c.Device, c.By))
	bad := c.Check.Problem != ""
	switch {
	case !bad && !c.OldLogin && s.OldLogins.Has(c.Device):
		return true // the new login works
	case !bad && ((told && mine.Problem != "") || (asked && all.Problem != "")):
		return true // it works again, or from here and from nowhere else
	case !asked:
		return true // nobody has told of it yet: the leader does not ask its own
	case !bad:
		return (leading || all.By == c.By) && (all.Power != c.Check.Power || all.Identity != c.Check.Identity || mine.OldLogin != c.OldLogin)
	case told && mine.Problem != "":
		return mine.Problem != c.Check.Problem && now >= n.worded[c.Device]
	}
	return leading || (asked && all.Problem == "")
}

// ChecksFromAll tells whether each node checks the devices; older rules let the
// leader alone do it.
func ChecksFromAll(s *State) bool { return s.Level >= levelTwo }

// pauseBetweenWords is how often one device's changed problem may enter the log:
// a BMC that fails in ever new words is as dead as one that repeats itself. What
// it said last is shown all the same, by who asked it.
const pauseBetweenWords = 10 * time.Minute

// mostWorded bounds what is remembered for that.
const mostWorded = 4096

// checkCommand is what a check is worth in the log; nil when it says nothing new.
// The leader tells what a device says; the others only where they find it
// otherwise: of a hundred nodes that all reach a BMC, one is enough.
func (n *Node) checkCommand(now time.Duration, s *State, c CheckFrom, leading bool) Command {
	if s.Level < levelTwo {
		known, found := s.Checks.Get(c.Device)
		if found && known.Problem == c.Check.Problem && known.Power == c.Check.Power && known.Identity == c.Check.Identity {
			return nil
		}
		return CheckDevice{Device: c.Device, Check: c.Check, By: c.By}
	}
	if !n.news(now, s, c, leading) {
		return nil
	}
	if len(n.worded) > mostWorded {
		clear(n.worded)
	}
	n.worded[c.Device] = now + pauseBetweenWords
	return c
}
