package lab

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) {
	Reexec()
	os.Exit(m.Run())
}

func TestGuestXMLIsWellFormedWhateverTheName(t *testing.T) {
	text := GuestXML(Guest{Name: `a<&'"b`, Number: 11, DirtyKiBPerSecond: 7})
	var domain struct {
		Name    string `xml:"name"`
		Memory  int    `xml:"memory"`
		Devices struct {
			Disk struct {
				Source struct {
					Protocol string `xml:"protocol,attr"`
					Name     string `xml:"name,attr"`
				} `xml:"source"`
				Driver struct {
					Cache string `xml:"cache,attr"`
				} `xml:"driver"`
			} `xml:"disk"`
		} `xml:"devices"`
	}
	if err := xml.Unmarshal([]byte(text), &domain); err != nil {
		t.Fatal(err)
	}
	disk := domain.Devices.Disk
	if domain.Name != `a<&'"b` || disk.Source.Name != domain.Name || disk.Source.Protocol != "nbd" ||
		disk.Driver.Cache != "none" || domain.Memory != 16 {
		t.Fatalf("%+v", domain)
	}
	if strings.Contains(GuestXML(Guest{Name: "x", Number: 1, NoDisk: true}), "<disk") {
		t.Fatal("a guest without disk has one")
	}
}

func TestGUIDHasTheByteOrderOfSMBIOS(t *testing.T) {
	const uuid = "00112233-4455-6677-8899-aabbccddeeff"
	if guid := guidOf(uuid); guid != "33221100554477668899aabbccddeeff" {
		t.Fatal(guid)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, wrong := range []Options{{Prefix: "toolong"}, {Prefix: "a-b"}, {Hosts: 17}, {Hosts: -1},
		{Directory: "/" + strings.Repeat("x", 100)}} {
		if err := wrong.complete(); err == nil {
			t.Errorf("%+v was accepted", wrong)
		}
	}
	var zero Options
	if err := zero.complete(); err != nil || zero.Hosts != 3 || zero.Prefix != "cl" || zero.BMCPassword == "" {
		t.Fatalf("%v, %+v", err, zero)
	}
}

func TestProbeMeasuresSilenceAndTellsRunsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Probe{lastSeen: time.Now()}
		p.hear("1|aa|10|500", time.Now())
		time.Sleep(40 * time.Millisecond)
		p.hear("2|aa|11|550", time.Now())
		p.hear("not an answer", time.Now())
		time.Sleep(700 * time.Millisecond)
		p.hear("9|bb|1|50", time.Now())
		report := p.Report()
		if report.LongestSilence != 700*time.Millisecond || report.Received != 3 || len(report.Runs) != 2 ||
			report.LastNonce != "bb" || report.LastTick != 1 {
			t.Fatalf("%+v", report)
		}
		if report.Runs[0].FirstTick != 10 || report.Runs[0].LastTick != 11 || report.TickWentBack != 0 {
			t.Fatalf("%+v", report)
		}
		time.Sleep(2 * time.Second)
		if report := p.Report(); report.LongestSilence != 2*time.Second || report.SilentFor != 2*time.Second {
			t.Fatalf("a silence that goes on must count: %+v", report)
		}
		p.hear("10|bb|9|450", time.Now())
		p.hear("11|bb|4|200", time.Now())
		if report := p.Report(); report.TickWentBack != 1 {
			t.Fatalf("a copy with an older tick was not noticed: %+v", report)
		}
	})
}

func TestChassisFaults(t *testing.T) {
	quiet := &Lab{closing: make(chan struct{})}
	host := &Host{Name: "node1", lab: quiet, running: &runningHost{}}
	host.BMC = &Controller{host: host}
	power := func() string {
		text, err := host.BMC.chassis([]string{"get", "power"})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	cases := []struct {
		fault     Fault
		refused   bool
		afterward string
	}{{Refuses, true, "power:1"}, {Stuck, false, "power:1"}, {Lies, false, "power:0"}}
	for _, c := range cases {
		host.BMC.fault, host.BMC.liedOff = c.fault, false
		_, err := host.BMC.chassis([]string{"set", "power", "0"})
		if refused := err != nil; refused != c.refused || power() != c.afterward {
			t.Errorf("%s: refused %v, then %s; want %v, %s", c.fault, refused, power(), c.refused, c.afterward)
		}
		if !host.Power() {
			t.Errorf("%s: the host lost its power", c.fault)
		}
	}
}

func TestControlAnswersAndObeysTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hold := make(chan struct{})
	defer close(hold)
	go serveControl(listener, func(request controlRequest) controlAnswer {
		if request.Do == "hang" {
			<-hold
		}
		if request.Do == "fail" {
			return controlAnswer{Error: "no"}
		}
		return controlAnswer{Text: request.Do + " " + request.Host}
	})
	if answer, err := callControl(t.Context(), path, controlRequest{Do: "say", Host: "node1"}); err != nil ||
		answer.Text != "say node1" {
		t.Fatalf("%+v, %v", answer, err)
	}
	if _, err := callControl(t.Context(), path, controlRequest{Do: "fail"}); err == nil || err.Error() != "no" {
		t.Fatalf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := callControl(ctx, path, controlRequest{Do: "hang"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	connection, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(connection, "nonsense\n")
	answer, _ := io.ReadAll(connection)
	if !strings.Contains(string(answer), "unreadable") {
		t.Fatalf("answer to nonsense: %q", answer)
	}
}
