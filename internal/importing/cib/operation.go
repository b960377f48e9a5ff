package cib

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

// said is a value of an operation: its own, or one of its sets. op_defaults is not
// asked, because what it became is said in one place.
func (t *translation) said(op *importing.Element, name string) string {
	if value := op.Get(name); value != "" {
		return value
	}
	for _, kind := range []string{"meta_attributes", "instance_attributes"} {
		if value := t.pairs(op, kind).get(name); value != "" {
			return value
		}
	}
	return ""
}

// span is a time that an operation says; false when there is none, or none that a
// document takes.
func (t *translation) span(op *importing.Element, name string) (time.Duration, bool) {
	return budget(t.said(op, name))
}

func budget(text string) (time.Duration, bool) {
	span, err := importing.ReadSpan(text)
	return min(span, longestBudget), err == nil && span >= time.Second
}

func (t *translation) operation(r *resources.Resource, op *importing.Element, spec *importing.Mapping) {
	if t.ofARole(op) {
		return
	}
	t.once(op)
	t.onFail(op, spec)
	switch name := op.Get("name"); name {
	case "start":
		t.timed(op, "start_timeout", &r.StartTimeout)
	case "stop":
		t.timed(op, "stop_timeout", &r.StopTimeout)
	case "monitor":
		t.monitor(r, op)
	}
	t.restOf(op)
}

// ofARole speaks of a check that is done only where a resource has a role that none
// has here, or where it must not run; false for any other operation.
func (t *translation) ofARole(op *importing.Element) bool {
	if op.Get("name") != "monitor" || !otherRole(t.said(op, "role")) {
		return false
	}
	t.Quiet(op, "name")
	t.sayOp(cannot, op, "checks of a role, or of what shall not run, are not supported")
	return true
}

// timed sets the time that an operation may take. Of several operations of a kind the
// first counts.
func (t *translation) timed(op *importing.Element, key string, budget *time.Duration) {
	timeout, fits := t.span(op, "timeout")
	switch {
	case !fits:
	case *budget > 0:
		t.tellSaid(unneeded, op, saidFirst, "timeout")
	case timeout == t.defaultSpan():
		t.tellSaid(unneeded, op, asDefault, "timeout")
	default:
		*budget = timeout
		t.tellSaid(translated, op, key+": "+importing.Span(timeout), "timeout")
	}
}

const (
	asDefault = "as op_defaults has it"
	saidFirst = "said again, where it counts first"
)

// once speaks of what the schema demands of each operation although it means
// something for monitors alone. An interval of 0 is only there to tell operations
// apart, as their names.
func (t *translation) once(op *importing.Element) {
	t.Quiet(op, "name")
	t.tellSaid(unneeded, op, "what a node is about to do is told, always", "record-pending")
	if op.Get("name") == "monitor" {
		return
	}
	if interval, err := importing.ReadSpan(op.Get("interval")); err == nil && interval == 0 {
		t.Quiet(op, "interval")
	}
	t.tellSaid(unneeded, op, "only a monitor is done by the clock, has a role, or can be switched off", "interval",
		"enabled", "role")
}

func (t *translation) monitor(r *resources.Resource, op *importing.Element) {
	interval, err := importing.ReadSpan(t.said(op, "interval"))
	if err != nil || interval == 0 {
		t.tellSaid(unneeded, op, "a resource is checked before it is started, always", "interval", "timeout", "enabled",
			"role")
		return
	}
	levels := t.pairs(op, "instance_attributes")
	depth, err := strconv.Atoi(levels.get("OCF_CHECK_LEVEL"))
	deep := err == nil && depth > 0 && depth <= 1000
	check := resources.ResourceCheck{Interval: min(max(interval, time.Second), longestBudget)}
	if deep {
		check.Depth = depth
	}
	if slices.ContainsFunc(r.Checks, func(other resources.ResourceCheck) bool { return other.Depth == check.Depth }) {
		t.sayOp(cannot, op, "a check of this depth is there already; the first counts")
		return
	}
	timeout, fits := t.span(op, "timeout")
	if t.switchedOff(op) {
		t.tellSaid(unneeded, op, "this check was switched off", "timeout")
		check.Interval = 0 // It was switched off, and stays so.
	} else if fits && timeout != t.defaultSpan() {
		check.Timeout = timeout
	}
	r.Checks = append(r.Checks, check)
	became := fmt.Sprintf("status: depth %d, interval %s", check.Depth, importing.Span(check.Interval))
	kept := []string{"interval"}
	if t.switchedOff(op) != putOut(t.opDefaults.get("enabled")) {
		kept = append(kept, "enabled")
	}
	if check.Timeout > 0 {
		kept = append(kept, "timeout")
	} else if fits {
		t.tellSaid(unneeded, op, asDefault, "timeout")
	}
	t.tellSaid(translated, op, became, kept...)
	t.tellSaid(unneeded, op, "as without it", "enabled", "role")
	if deep {
		levels.tell(translated, became, "OCF_CHECK_LEVEL")
	} else if err == nil && depth == 0 {
		levels.tell(unneeded, "the default", "OCF_CHECK_LEVEL")
	}
}

// switchedOff reports whether a check by the clock was put off, at itself or by default.
func (t *translation) switchedOff(op *importing.Element) bool {
	return putOut(cmp.Or(t.said(op, "enabled"), t.opDefaults.get("enabled")))
}

// putOut reports whether a word switches off.
func putOut(word string) bool {
	on, ok := importing.Truth(word)
	return word != "" && ok && !on
}

// unchecked speaks of a resource for which no check is declared.
func (t *translation) unchecked(i *item) {
	t.Say(changes, i.element, nil, "no monitor is declared, so Pacemaker did not check it; here the agent's own "+
		"checks run. "+
		"`status: [{depth: 0, interval: 0s}]` switches them off")
}

// defaultSpan is the timeout of op_defaults; 0 when there is none.
func (t *translation) defaultSpan() time.Duration {
	span, fits := budget(t.opDefaults.get("timeout"))
	if !fits {
		return 0
	}
	return span
}

// defaultTimes gives a resource the time that op_defaults has for whatever does not
// say its own.
func (t *translation) defaultTimes(r *resources.Resource) {
	span := t.defaultSpan()
	if span == 0 {
		return
	}
	if r.StartTimeout == 0 {
		r.StartTimeout = span
		t.used("timeout", "start_timeout")
	}
	if r.StopTimeout == 0 {
		r.StopTimeout = span
		t.used("timeout", "stop_timeout")
	}
	for n := range r.Checks {
		if r.Checks[n].Timeout == 0 && r.Checks[n].Interval > 0 {
			r.Checks[n].Timeout = span
			t.used("timeout", "timeout of status")
		}
	}
}

// defaultVMTimes does the same for a VM.
func (t *translation) defaultVMTimes(spec *importing.Mapping) {
	span := t.defaultSpan()
	if span == 0 {
		return
	}
	for _, key := range []string{"start_timeout", "stop_timeout", "migrate_timeout"} {
		if !spec.Has(key) {
			spec.Set(key, span)
			t.used("timeout", key)
		}
	}
}

// defaultFailure is what a failure means where no operation says it.
func (t *translation) defaultFailure(spec *importing.Mapping) {
	switch fail := t.opDefaults.get("on-fail"); fail {
	case "block", "fence":
		if !spec.Has("stop_failure") {
			value := stopFailures[fail]
			spec.Set("stop_failure", value)
			t.used("on-fail", "stop_failure: "+value)
		}
	case "stop":
		if !spec.Has("recovery") {
			spec.Set("recovery", "disable")
			t.used("on-fail", "recovery: disable")
		}
	}
}

func (t *translation) longestFirst(ops []*importing.Element) []*importing.Element {
	sorted := slices.Clone(ops)
	slices.SortStableFunc(sorted, func(a, b *importing.Element) int {
		first, _ := t.span(a, "timeout")
		second, _ := t.span(b, "timeout")
		return cmp.Compare(second, first)
	})
	return sorted
}

func spanOf(spec *importing.Mapping, key string) time.Duration {
	span, _ := time.ParseDuration(spec.Text(key))
	return span
}

// vmOperation translates an operation of a VM. Longer ones come first: of the two
// halves of a migration the longer one counts.
func (t *translation) vmOperation(spec *importing.Mapping, op *importing.Element) {
	if t.ofARole(op) {
		return
	}
	keys := map[string]string{"start": "start_timeout", "stop": "stop_timeout", "migrate_to": "migrate_timeout",
		"migrate_from": "migrate_timeout"}
	key := keys[op.Get("name")]
	span, fits := t.span(op, "timeout")
	switch {
	case op.Get("name") == "monitor":
		const told = "libvirt tells by itself when a guest ends; it is not asked by the clock"
		t.tellSaid(unneeded, op, told, "interval", "timeout", "enabled", "role")
		t.pairs(op, "instance_attributes").tell(unneeded, told, "OCF_CHECK_LEVEL")
	case key == "" || !fits:
	case spec.Has(key) && spanOf(spec, key) >= span:
		t.tellSaid(unneeded, op, key+": "+spec.Text(key)+", the longer of two", "timeout")
	default:
		spec.Set(key, span)
		kind, about := translated, key+": "+importing.Span(span)
		if span == t.defaultSpan() {
			kind, about = unneeded, asDefault
		}
		t.tellSaid(kind, op, about, "timeout")
	}
	t.once(op)
	t.onFail(op, spec)
	t.restOf(op)
}

// opSets are where an operation says what its own attributes do not say.
var opSets = []string{"meta_attributes", "instance_attributes"}

// tellSaid speaks of values of an operation where they count, and of the same ones
// where others hide them.
func (t *translation) tellSaid(kind importing.Kind, op *importing.Element, message string, names ...string) {
	t.Tell(kind, op, names, "%s", message)
	for _, name := range names {
		found := op.Get(name) != ""
		for _, set := range opSets {
			p := t.pairs(op, set)
			if found {
				p.tell(unneeded, saidFirst, name)
			}
			p.tell(kind, message, name)
			found = found || p.get(name) != ""
		}
	}
}

// sayOp speaks of everything of an operation of which nothing was said.
func (t *translation) sayOp(kind importing.Kind, op *importing.Element, message string) {
	t.TellAll(kind, op, "%s", message)
	for _, set := range opSets {
		t.pairs(op, set).tellAll(kind, message)
	}
}

// restOf speaks of what is left of an operation once all that is known was spoken of.
func (t *translation) restOf(op *importing.Element) {
	t.Tell(unneeded, op, []string{"description"}, "write it as a comment")
	t.tellSaid(unneeded, op, "nothing to set", "timeout")
	t.Tell(cannot, op, op.Names(), "%s", noSetting)
	about := "nothing to set"
	if len(op.Children) > 0 {
		about = "its values are told one by one"
	}
	t.TellAll(unneeded, op, "%s", about)
	for _, set := range opSets {
		t.pairs(op, set).tellAll(cannot, noSetting)
	}
}

const noSetting = "operations have no such setting here"

// stopFailures are the answers to a failed stop.
var stopFailures = map[string]string{"block": "failed", "fence": "fence"}

// onFail translates what a failed operation meant.
func (t *translation) onFail(op *importing.Element, spec *importing.Mapping) {
	fail := t.said(op, "on-fail")
	tell := func(kind importing.Kind, message string) { t.tellSaid(kind, op, message, "on-fail") }
	name := op.Get("name")
	switch {
	case fail == "":
	case name == "monitor" && t.switchedOff(op):
		tell(unneeded, "this check was switched off")
	case name == "stop" && stopFailures[fail] != "":
		tell(t.stopFails(stopFailures[fail], spec))
	case fail == "restart":
		tell(unneeded, "recovery: restart is the default")
	case fail == "stop" && name != "stop":
		spec.Set("recovery", "disable")
		tell(changes, "recovery: disable; it stays down until it is enabled")
	default:
		tell(cannot, "there is no such answer to a failure; the service is recovered")
	}
}

// stopFails sets the answer to a failed stop, and says what became of it. A service
// has one for all its parts: where one of them is to be left to a person, a node is
// not fenced for another.
func (t *translation) stopFails(answer string, spec *importing.Mapping) (importing.Kind, string) {
	became := "stop_failure: " + answer
	if answer == "failed" {
		became += "; a person looks"
	}
	switch had := spec.Text("stop_failure"); {
	case had == answer:
		return unneeded, became + ", as another part has it"
	case had == "failed":
		return cannot, "another part of the service has stop_failure: failed, which counts for all of it"
	case had != "":
		spec.Set("stop_failure", answer)
		return changes, became + ". It counts for the whole service, of which another part asks for a fence"
	}
	spec.Set("stop_failure", answer)
	other := t.opDefaults.get("on-fail")
	if stopFailures[other] == answer || stopFailures[other] == "" && answer == "fence" && t.fencesByItself() {
		return unneeded, became + ", as without it"
	}
	return translated, became
}
