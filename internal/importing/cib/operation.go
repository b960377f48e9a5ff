package cib

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	timeout, fits := t.span(op, "timeout")
	t.once(op)
	t.onFail(op, spec)
	switch name := op.Get("name"); {
	case fits && (name == "start" || name == "stop") && timeout == t.defaultSpan():
		t.sayOp(unneeded, op, "as op_defaults has it")
	case name == "start" && fits:
		r.StartTimeout = timeout
		t.sayOp(translated, op, "start_timeout: "+importing.Span(timeout))
	case name == "stop" && fits:
		r.StopTimeout = timeout
		t.sayOp(translated, op, "stop_timeout: "+importing.Span(timeout))
	case name == "monitor":
		t.monitor(r, op, timeout)
	default:
		t.sayOp(unneeded, op, "nothing to set")
	}
}

// once speaks of what the schema demands of each operation although it means
// something for monitors alone. An interval of 0 is only there to tell operations
// apart, as their names.
func (t *translation) once(op *importing.Element) {
	t.Quiet(op, "name")
	t.Tell(unneeded, op, []string{"record-pending"}, "what a node is about to do is told, always")
	if op.Get("name") == "monitor" {
		return
	}
	if interval, err := importing.ReadSpan(op.Get("interval")); err == nil && interval == 0 {
		t.Quiet(op, "interval")
	}
	t.Tell(unneeded, op, []string{"interval", "enabled"}, "only a monitor is done by the clock, or can be switched off")
}

func (t *translation) monitor(r *resources.Resource, op *importing.Element, timeout time.Duration) {
	interval, err := importing.ReadSpan(t.said(op, "interval"))
	enabled := withDefault(t.said(op, "enabled"), t.opDefaults.get("enabled"))
	if role := op.Get("role"); role != "" && role != "Started" {
		t.sayOp(cannot, op, "checks of a role, or of what shall not run, are not supported")
		return
	}
	if err != nil || interval == 0 {
		t.sayOp(unneeded, op, "a resource is checked before it is started, always")
		return
	}
	check := resources.ResourceCheck{Interval: min(max(interval, time.Second), longestBudget)}
	if timeout >= time.Second {
		check.Timeout = timeout
	}
	if on, ok := importing.Truth(enabled); enabled != "" && ok && !on {
		t.sayOpExcept(unneeded, op, "this check was switched off", "enabled", "interval")
		check.Interval, check.Timeout = 0, 0 // It was switched off, and stays so.
	}
	level := t.pairs(op, "instance_attributes").get("OCF_CHECK_LEVEL")
	if depth, err := strconv.Atoi(level); err == nil && depth > 0 && depth <= 1000 {
		check.Depth = depth
	}
	if slices.ContainsFunc(r.Checks, func(other resources.ResourceCheck) bool { return other.Depth == check.Depth }) {
		t.sayOp(cannot, op, "a check of this depth is there already; the first counts")
		return
	}
	r.Checks = append(r.Checks, check)
	t.sayOp(translated, op, fmt.Sprintf("status: depth %d, interval %s", check.Depth, importing.Span(check.Interval)))
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
			value := map[string]string{"block": "failed", "fence": "fence"}[fail]
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

// used remembers what a default of operations became.
func (t *translation) used(name, became string) {
	if !slices.Contains(t.opUses[name], became) {
		t.opUses[name] = append(t.opUses[name], became)
	}
}

// tellOpDefaults speaks of op_defaults once it is known what they became.
func (t *translation) tellOpDefaults() {
	d := t.opDefaults
	for _, name := range []string{"timeout", "on-fail"} {
		became := strings.Join(t.opUses[name], ", ")
		switch value := d.get(name); {
		case became == "" && name == "on-fail" && value != "" && value != "restart":
			d.tell(cannot, "there is no such answer to a failure; services are recovered", name)
		case became == "":
			d.tell(unneeded, "every operation says its own, or it is the rule here too", name)
		case name == "on-fail":
			d.tell(changes, became+" of whatever does not say otherwise. It was meant for every failure, and is kept for "+
				"those that this "+
				"names; after any other the service is recovered", name)
		default:
			d.tell(translated, became+" of whatever does not say its own", name)
		}
	}
	if on, ok := importing.Truth(d.get("enabled")); d.has("enabled") && ok && !on {
		d.tell(translated, "no check by the clock but those that say otherwise", "enabled")
	}
	d.tell(unneeded, "nothing to set", "enabled", "record-pending", "interval")
	d.tellAll(cannot, "operations have no such setting here")
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
	keys := map[string]string{"start": "start_timeout", "stop": "stop_timeout", "migrate_to": "migrate_timeout",
		"migrate_from": "migrate_timeout"}
	key := keys[op.Get("name")]
	span, fits := t.span(op, "timeout")
	switch {
	case op.Get("name") == "monitor":
		t.onFail(op, spec)
		t.sayOp(unneeded, op, "libvirt tells by itself when a guest ends; it is not asked by the clock")
		return
	case key != "" && fits && spec.Has(key) && spanOf(spec, key) >= span:
		t.Tell(unneeded, op, []string{"name", "timeout"}, "%s: %s, the longer of two", key, spec.Text(key))
	case key != "" && fits:
		t.Tell(translated, op, []string{"name", "timeout"}, "%s: %s", key, importing.Span(span))
		spec.Set(key, span)
	}
	t.once(op)
	t.onFail(op, spec)
	t.sayOp(unneeded, op, "nothing to set")
}

// sayOp speaks of what is left of an operation, and of its own attributes.
func (t *translation) sayOp(kind importing.Kind, op *importing.Element, message string) {
	t.Tell(kind, op, op.Names(), "%s", message)
	for _, name := range []string{"instance_attributes", "meta_attributes"} {
		t.pairs(op, name).tellAll(kind, message)
	}
}

// sayOpExcept speaks of what is left of an operation but for some of its attributes.
func (t *translation) sayOpExcept(kind importing.Kind, op *importing.Element, message string, except ...string) {
	names := slices.DeleteFunc(op.Names(), func(name string) bool { return slices.Contains(except, name) })
	t.Tell(kind, op, names, "%s", message)
}

// onFail translates what a failed operation meant.
func (t *translation) onFail(op *importing.Element, spec *importing.Mapping) {
	fail := op.Get("on-fail")
	stop := op.Get("name") == "stop"
	switch {
	case fail == "":
	case stop && fail == "fence" && t.fencesByItself() && !spec.Has("stop_failure"):
		spec.Set("stop_failure", "fence")
		t.Tell(unneeded, op, []string{"on-fail"}, "stop_failure: fence, as without it")
	case stop && fail == "fence":
		spec.Set("stop_failure", "fence")
		t.Tell(translated, op, []string{"on-fail"}, "stop_failure: fence")
	case stop && fail == "block":
		spec.Set("stop_failure", "failed")
		t.Tell(translated, op, []string{"on-fail"}, "stop_failure: failed; a person looks")
	case fail == "restart":
		t.Tell(unneeded, op, []string{"on-fail"}, "recovery: restart is the default")
	case fail == "stop" && !stop:
		spec.Set("recovery", "disable")
		t.Tell(changes, op, []string{"on-fail"}, "recovery: disable; it stays down until it is enabled")
	default:
		t.Tell(cannot, op, []string{"on-fail"}, "there is no such answer to a failure; the service is recovered")
	}
}
