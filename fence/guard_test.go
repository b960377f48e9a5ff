package fence

import (
	"testing"
	"time"
)

func TestNatureFollowsFromTheDrivers(t *testing.T) {
	device := func(driver string) Device { return Device{Driver: driver} }
	for _, c := range []struct {
		drivers []string
		want    Effect
	}{
		{nil, ""}, {[]string{"ipmi"}, ByPower}, {[]string{"redfish", "agent"}, ByPower}, {[]string{"scsi"}, ByStorage},
		{[]string{"watchdog"}, ByWatchdog},
		{[]string{"sbd"}, ByPill}, {[]string{"scsi", "watchdog"}, ByWatchdog}, {[]string{"scsi", "ipmi"}, ByPower},
	} {
		var devices []Device
		for _, driver := range c.drivers {
			devices = append(devices, device(driver))
		}
		if got := EffectOf(devices); got != c.want {
			t.Errorf("%v proves by %q, want %q", c.drivers, got, c.want)
		}
	}
}

func TestADiskLiesOnItselfAndOnItsPartitionsAlone(t *testing.T) {
	disks := []string{"/dev/disk/by-id/wwn-0x1"}
	for identity, want := range map[string]bool{
		"block:/dev/disk/by-id/wwn-0x1": true, "block:/dev/disk/by-id/wwn-0x1-part12": true,
		"block:/dev/disk/by-id/wwn-0x12": false, "block:/dev/disk/by-id/wwn-0x1-part": false,
		"block:/dev/disk/by-id/wwn-0x1-partx": false,
		"file:/dev/disk/by-id/wwn-0x1":        false, "block:/dev/sda": false,
	} {
		if LiesOn(identity, disks) != want {
			t.Errorf("%s lies on %v: want %v", identity, disks, want)
		}
	}
}

func TestAWatchdogIsWaitedOutWithItsLeaseAndForTwoClocks(t *testing.T) {
	limit, guarded := Guard{Lease: 10 * time.Second, Timeout: 20 * time.Second}.WaitOut()
	if want := 31*time.Second + 300*time.Millisecond; limit != want || !guarded {
		t.Errorf("waited out for %v (%v), want %v", limit, guarded, want)
	}
	for _, g := range []Guard{{}, {Timeout: time.Second}, {Lease: time.Second}} {
		if _, guarded := g.WaitOut(); guarded {
			t.Errorf("%+v is waited out", g)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    Settings
		fault   bool
	}{
		{nil, Settings{DefaultWatchdog, DefaultTimeout, DefaultLease}, false},
		{map[string]string{"timeout": "8s", "lease": "4s", "watchdog": "/dev/watchdog1"},
			Settings{"/dev/watchdog1", 8 * time.Second, 4 * time.Second}, false},
		{map[string]string{"timeout": "10s"}, Settings{}, true}, // not longer than the lease
		{map[string]string{"timeout": "1500ms"}, Settings{}, true},
		{map[string]string{"lease": "soon"}, Settings{}, true},
		{map[string]string{"timeout": "11m"}, Settings{}, true},
	} {
		got, err := Device{Driver: DriverWatchdog, Options: c.options}.Settings()
		if got != c.want || (err != nil) != c.fault {
			t.Errorf("%v: %+v, %v", c.options, got, err)
		}
	}
}

func TestWhatIsMissingOfAGuard(t *testing.T) {
	devices := map[string]Device{
		"bmc": {Driver: "ipmi"}, "wd": {Driver: DriverWatchdog},
		"san":  {Driver: DriverStorage, Options: map[string]string{"devices": "/d1 /d2"}},
		"pill": {Driver: DriverPill, Options: map[string]string{"devices": "/p", "timeout": "5s"}},
	}
	wanted := func(names ...string) Wanted { return WantedBy([]Level{{Devices: names}}, devices) }
	whole := Guard{Boot: "b", Timeout: time.Minute, Lease: time.Second, Pills: []string{"/p"},
		Keys: []string{"/d1", "/d2"}}
	if w := wanted("bmc"); w.Watchdog || len(w.Storage) != 1 || w.Missing(Guard{}, "b") == "" {
		t.Errorf("a node with a BMC has no key where others hold a reservation: %+v", w)
	}
	if w := WantedBy([]Level{{Devices: []string{"bmc"}}}, map[string]Device{"bmc": devices["bmc"]}); !w.IsZero() ||
		w.Missing(Guard{}, "b") != "" {
		t.Errorf("a BMC asks for a guard: %+v", w)
	}
	if w := wanted("pill"); w.Settings.Lease != 0 || w.Settings.Timeout != 5*time.Second || !w.Watchdog {
		t.Errorf("a pill asks for %+v", w)
	}
	all := wanted("bmc", "pill", "wd", "san")
	if all.Settings.Lease != DefaultLease || all.Missing(whole, "b") != "" {
		t.Errorf("%+v misses %q", all, all.Missing(whole, "b"))
	}
	for what, change := range map[string]func(*Guard){
		"another boot": func(g *Guard) { g.Boot = "c" }, "no watchdog": func(g *Guard) { g.Timeout = 0 },
		"no lease": func(g *Guard) { g.Lease = 0 },
		"no pills": func(g *Guard) { g.Pills = nil }, "a key less": func(g *Guard) { g.Keys = g.Keys[:1] },
	} {
		g := whole
		if change(&g); all.Missing(g, "b") == "" {
			t.Errorf("%s: nothing is missed", what)
		}
	}
}
