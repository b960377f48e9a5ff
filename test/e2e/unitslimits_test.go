package e2e

import (
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func unitsInForce(t *testing.T, ctx context.Context, _ *fixture, m *machine) {
	pid := m.property(t, ctx, "clusterd", "MainPID")
	read := func(path string) string { return strings.TrimSpace(m.typed(t, ctx, "cat", path)) }
	limits := read("/proc/" + pid + "/limits")
	if !regexp.MustCompile(`Max core file size +0 +0 `).MatchString(limits) {
		t.Errorf("a core can be written: %s", limits)
	}
	if nice := strings.Fields(read("/proc/" + pid + "/stat"))[18]; nice != "-10" {
		t.Errorf("nice is %s", nice)
	}
	if !hasCapability(t, read("/proc/1/status"), resourceCapability) {
		t.Log("not tried here: OOMScoreAdjust and LimitNOFILE, as this machine lacks CAP_SYS_RESOURCE")
	} else if score := read("/proc/" + pid + "/oom_score_adj"); score != "-900" || !strings.Contains(limits, "65536") {
		t.Errorf("oom_score_adj is %s, and the limits are %s", score, limits)
	}
	memory, weight, wantedWeight := "memory.max", "cpu.weight", "1000"
	group := "/sys/fs/cgroup/system.slice/clusterd.service/"
	if !m.forest.alone {
		memory, weight, wantedWeight = "memory.limit_in_bytes", "cpu.shares", "10240"
	}
	for _, limit := range []struct{ controller, file, want string }{
		{"memory", memory, strconv.Itoa(2 << 30)}, {"cpu", weight, wantedWeight},
	} {
		if !m.forest.limits(limit.controller) {
			t.Logf("not tried here: %s, as this machine has no such controller for systemd", limit.file)
			continue
		}
		path := group + limit.file
		if !m.forest.alone {
			path = "/sys/fs/cgroup/" + limit.controller + "/system.slice/clusterd.service/" + limit.file
		}
		if got := read(path); got != limit.want {
			t.Errorf("%s is %s, not %s", path, got, limit.want)
		}
	}
}

// resourceCapability is the number of CAP_SYS_RESOURCE, without which no limit can be raised.
const resourceCapability = 24

func hasCapability(t *testing.T, status string, number uint) bool {
	t.Helper()
	_, text, found := strings.Cut(status, "CapEff:")
	fields := strings.Fields(text)
	if !found || len(fields) == 0 {
		t.Fatalf("no capabilities in %s", status)
	}
	set, err := strconv.ParseUint(fields[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return set&(1<<number) != 0
}

// exposure is systemd's own rating of a unit.
func (m *machine) exposure(t *testing.T, ctx context.Context, unit string) string {
	t.Helper()
	said := m.typed(t, ctx, "systemd-analyze", "security", "--no-pager", unit)
	figure := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(said)
	if figure == nil {
		t.Fatalf("no figure: %s", said)
	}
	return figure[1]
}

const (
	dropIns       = "/etc/systemd/system/clusterd.service.d"
	vmsOnlyDropIn = dropIns + "/clusterd-vms-only.conf"
)

func unitsExposure(t *testing.T, ctx context.Context, _ *fixture, m *machine) {
	daemon, handover := m.exposure(t, ctx, "clusterd"), m.exposure(t, ctx, "clusterd-handover")
	m.prepare(t, ctx, "cp /usr/share/clusterd/clusterd-vms-only.conf "+vmsOnlyDropIn)
	m.typed(t, ctx, "systemctl", "daemon-reload")
	vmsOnly := m.exposure(t, ctx, "clusterd")
	m.prepare(t, ctx, "rm "+vmsOnlyDropIn)
	m.typed(t, ctx, "systemctl", "daemon-reload")
	version := strings.Fields(m.typed(t, ctx, "systemctl", "--version"))[1]
	t.Logf("systemd %s: clusterd.service %s, with clusterd-vms-only.conf %s, clusterd-handover.service %s",
		version, daemon, vmsOnly, handover)
	told := page(t, filepath.Join("docs", "operators", "security.md"))
	if !strings.Contains(told, "(systemd "+version+")") {
		return // the page speaks of another systemd
	}
	for _, words := range []string{
		daemon + " (`clusterd.service`)", handover + " (`clusterd-handover.service`)", "the rating is " + vmsOnly + ".",
	} {
		if !strings.Contains(told, words) {
			t.Errorf("security.md does not say %q", words)
		}
	}
}
