package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sort"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// RestartPolicy says when a host's init starts a service again that has ended.
type RestartPolicy string

// The policies, named as systemd names them.
const (
	RestartAlways    RestartPolicy = "always"
	RestartOnFailure RestartPolicy = "on-failure"
	RestartNever     RestartPolicy = "never"
)

// Service is a program that a host runs as a real host runs a systemd unit: supervised, logged
// to log/NAME.log in the host's directory, and started again at each boot.
type Service struct {
	Name         string        `json:"name"`
	Argv         []string      `json:"argv"`
	Environment  []string      `json:"environment,omitempty"`
	Restart      RestartPolicy `json:"restart,omitempty"`
	RestartDelay time.Duration `json:"restart_delay,omitempty"`
}

// ServiceStatus is what a host's init knows of a service. Pid is in the host's own pid
// namespace, 0 if it does not run.
type ServiceStatus struct {
	Name     string `json:"name"`
	Pid      int    `json:"pid"`
	Starts   int    `json:"starts"`
	Held     bool   `json:"held"`
	LastExit string `json:"last_exit,omitempty"`
}

const (
	servicesLimit      = 32
	startsLimit        = 60
	startsWindow       = time.Minute
	stopPatience       = 10 * time.Second
	servicesFile       = "services.json"
	environmentDefault = "PATH=" + SearchPath
)

type unit struct {
	service Service
	pid     int
	starts  []time.Time
	total   int
	held    bool // A held unit is not started again until it is released.
	removed bool
	exit    string
	ended   chan struct{} // Closed when the current process has ended.
}

// supervisor keeps the services of one host. It reaps with wait4 itself: as process 1 it also
// inherits the orphans, QEMU among them, and os/exec's own waiting would race with that.
type supervisor struct {
	plan          hostPlan
	shutdownAsked chan struct{}
	shutdownOnce  sync.Once

	mu       sync.Mutex
	units    map[string]*unit
	order    []string
	stopping bool
}

func newSupervisor(plan hostPlan) *supervisor {
	s := &supervisor{plan: plan, shutdownAsked: make(chan struct{}), units: map[string]*unit{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			s.reap()
		}
	}()
	return s
}

func (s *supervisor) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		s.ended(pid, status)
	}
}

func (s *supervisor) ended(pid int, status unix.WaitStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, unit := range s.units {
		if unit.pid != pid {
			continue
		}
		unit.pid = 0
		close(unit.ended)
		unit.exit = fmt.Sprintf("exit status %d", status.ExitStatus())
		if status.Signaled() {
			unit.exit = "killed by " + unix.SignalName(status.Signal())
		}
		s.note(unit, "ended: "+unit.exit)
		failed := status.Signaled() || status.ExitStatus() != 0
		if unit.service.Restart == RestartAlways || (unit.service.Restart == RestartOnFailure && failed) {
			time.AfterFunc(unit.service.RestartDelay, func() { s.restart(unit) })
		}
		return
	}
}

func (s *supervisor) restart(unit *unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unit.pid != 0 || unit.held || unit.removed || s.stopping {
		return
	}
	if err := s.launch(unit); err != nil {
		s.note(unit, err.Error())
	}
}

// launch starts a unit's process; the caller holds the lock, so a process that ends at once is
// not reaped before its pid is written down.
func (s *supervisor) launch(unit *unit) error {
	now := time.Now()
	for len(unit.starts) > 0 && now.Sub(unit.starts[0]) > startsWindow {
		unit.starts = unit.starts[1:]
	}
	if len(unit.starts) >= startsLimit {
		return fmt.Errorf("%s was started %d times within %v and is left alone; start it again by hand", unit.service.Name,
			startsLimit, startsWindow)
	}
	unit.starts, unit.total = append(unit.starts, now), unit.total+1
	program, err := exec.LookPath(unit.service.Argv[0])
	if err != nil {
		return fmt.Errorf("start %s: %w", unit.service.Name, err)
	}
	log, err := s.openLog(unit)
	if err != nil {
		return err
	}
	defer log.Close()
	input, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer input.Close()
	process, err := os.StartProcess(program, unit.service.Argv, &os.ProcAttr{
		Dir: "/", Files: []*os.File{input, log, log}, Sys: &syscall.SysProcAttr{Setsid: true},
		Env: append([]string{environmentDefault, "HOME=/root", "LANG=C.UTF-8"}, unit.service.Environment...),
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", unit.service.Name, err)
	}
	unit.pid, unit.ended = process.Pid, make(chan struct{})
	_ = process.Release()
	return nil
}

func (s *supervisor) openLog(unit *unit) (*os.File, error) {
	return os.OpenFile(s.plan.path("log", unit.service.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (s *supervisor) note(unit *unit, text string) {
	if log, err := s.openLog(unit); err == nil {
		fmt.Fprintf(log, "--- %s %s %s\n", time.Now().Format(time.RFC3339Nano), unit.service.Name, text)
		log.Close()
	}
}

// startAll starts libvirtd and whatever was registered before the last power cut.
func (s *supervisor) startAll() {
	services := []Service{libvirtdService()}
	if content, err := os.ReadFile(s.plan.path(servicesFile)); err == nil {
		var registered []Service
		if json.Unmarshal(content, &registered) == nil {
			services = append(services, registered...)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, service := range services {
		unit := &unit{service: service}
		s.units[service.Name] = unit
		s.order = append(s.order, service.Name)
		if err := s.launch(unit); err != nil {
			s.note(unit, err.Error())
		}
	}
}

// stopAll ends the services in reverse order, as a planned shutdown does. What remains dies with
// process 1.
func (s *supervisor) stopAll() {
	s.mu.Lock()
	s.stopping = true
	order := append([]string(nil), s.order...)
	s.mu.Unlock()
	for index := len(order) - 1; index >= 0; index-- {
		_ = s.stop(order[index])
	}
}

func (s *supervisor) stop(name string) error {
	s.mu.Lock()
	unit := s.units[name]
	if unit == nil {
		s.mu.Unlock()
		return fmt.Errorf("no service %s", name)
	}
	unit.held = true
	pid, ended := unit.pid, unit.ended
	s.mu.Unlock()
	if pid == 0 {
		return nil
	}
	_ = unix.Kill(pid, unix.SIGTERM)
	select {
	case <-ended:
		return nil
	case <-time.After(stopPatience):
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	select {
	case <-ended:
		return nil
	case <-time.After(stopPatience):
		return fmt.Errorf("%s (pid %d) does not end after SIGKILL", name, pid)
	}
}

func (s *supervisor) save() error {
	services := []Service{}
	for _, name := range s.order {
		if name != libvirtdName {
			services = append(services, s.units[name].service)
		}
	}
	content, err := json.MarshalIndent(services, "", "  ")
	if err != nil {
		return err
	}
	temporary := s.plan.path(servicesFile + ".new")
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, s.plan.path(servicesFile))
}

func (s *supervisor) statuses() []ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []ServiceStatus
	for _, unit := range s.units {
		list = append(list, ServiceStatus{unit.service.Name, unit.pid, unit.total, unit.held, unit.exit})
	}
	sort.Slice(list, func(a, b int) bool { return list[a].Name < list[b].Name })
	return list
}
