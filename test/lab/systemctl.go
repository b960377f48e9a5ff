package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A host has no systemd. What the documentation has an administrator type is carried out all the
// same, by a systemctl that reads the same unit files and asks the host's init: as much of it as
// clusterd's own units need.

const (
	systemctlArgument = "lab-systemctl"
	initSocketName    = "LAB_INIT_SOCKET"
	// hostTools is where a host's own programs lie; it comes first in the path.
	hostTools = "/etc/lab/bin"
	// libvirtd is one program in the lab; where Debian's unit is named otherwise does not matter.
	unitSuffix = ".service"
)

// unitFolders are where units are looked for, as systemd.unit(5) orders them.
var unitFolders = []string{
	"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

func systemctlScript(plan hostPlan) string {
	return fmt.Sprintf("#!/bin/sh\n%s='%s' exec /proc/1/exe %s \"$@\"\n",
		initSocketName, plan.path("init.sock"), systemctlArgument)
}

// unitFile is what a unit file says, by section and key; of keys that come twice the last one.
type unitFile map[string]string

// readUnit reads the unit of a name. The error is os.ErrNotExist where there is none.
func readUnit(name string) (unitFile, error) {
	for _, folder := range unitFolders {
		file, err := os.Open(filepath.Join(folder, name+unitSuffix))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return parseUnit(bufio.NewScanner(file))
	}
	return nil, fmt.Errorf("unit %s%s could not be found: %w", name, unitSuffix, os.ErrNotExist)
}

func parseUnit(lines *bufio.Scanner) (unitFile, error) {
	unit, section := unitFile{}, ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		if key, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			unit[section+"."+strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return unit, lines.Err()
}

// service is the unit as a service of the host's init. A unit that only acts when it is stopped
// (clusterd-handover) is a process that waits for its end.
func (u unitFile) service(name string) (Service, error) {
	delay, err := time.ParseDuration(orWord(u["Service.RestartSec"], "100ms"))
	if err != nil {
		return Service{}, fmt.Errorf("RestartSec of %s: %w", name, err)
	}
	s := Service{Name: name, Argv: strings.Fields(u["Service.ExecStart"]), Restart: RestartNever, RestartDelay: delay}
	if policy := RestartPolicy(u["Service.Restart"]); policy == RestartAlways || policy == RestartOnFailure {
		s.Restart = policy
	}
	if stop := u["Service.ExecStop"]; u["Service.RemainAfterExit"] == "yes" && stop != "" {
		s.Argv = []string{"/bin/sh", "-c", "trap '" + stop + "; exit' TERM; while :; do sleep 1000 & wait $!; done"}
	}
	return s, nil
}

func orWord(word, otherwise string) string {
	if word == "" {
		return otherwise
	}
	return word
}

// runSystemctl carries out one systemctl command line inside a host.
func runSystemctl(words []string) error {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return strings.HasPrefix(w, "-") && w != "--now"
	})
	if len(words) == 0 {
		return errors.New("systemctl of the lab: daemon-reload, enable --now, start, stop, restart, is-active")
	}
	verb, names := words[0], words[1:]
	if now := slices.Index(names, "--now"); now >= 0 {
		names = slices.Delete(names, now, now+1)
		verb = map[string]string{"enable": "start", "disable": "stop"}[verb]
	}
	if verb == "daemon-reload" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range names {
		if err := operateUnit(ctx, verb, strings.TrimSuffix(name, unitSuffix)); err != nil {
			return err
		}
	}
	return nil
}

func operateUnit(ctx context.Context, verb, name string) error {
	status, err := unitStatus(ctx, name)
	if err != nil {
		return err
	}
	switch verb {
	case "start":
		return startUnit(ctx, name, status)
	case "stop":
		return stopUnit(ctx, name, status)
	case "restart":
		return errors.Join(stopUnit(ctx, name, status), startUnit(ctx, name, nil))
	case "enable", "disable":
		return nil // what runs here is started at each boot
	case "is-active":
		if status == nil || status.Pid == 0 {
			return errors.New("inactive")
		}
		fmt.Println("active")
		return nil
	}
	return fmt.Errorf("systemctl of the lab knows no %q", verb)
}

// unitStatus is what the init knows of a service; nil where it knows none.
func unitStatus(ctx context.Context, name string) (*ServiceStatus, error) {
	answer, err := callInit(ctx, controlRequest{Do: doServices})
	if err != nil {
		return nil, err
	}
	for _, s := range answer.Services {
		if s.Name == name {
			return &s, nil
		}
	}
	return nil, nil
}

func stopUnit(ctx context.Context, name string, status *ServiceStatus) error {
	if status == nil || status.Pid == 0 {
		return nil
	}
	_, err := callInit(ctx, controlRequest{Do: doStopService, Name: name})
	return err
}

func startUnit(ctx context.Context, name string, status *ServiceStatus) error {
	if status != nil && status.Pid != 0 {
		return nil
	}
	if name == libvirtdName {
		_, err := callInit(ctx, controlRequest{Do: doHoldService, Name: name})
		return err
	}
	unit, err := readUnit(name)
	if err != nil {
		return err
	}
	if path := unit["Unit.ConditionPathExists"]; path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil // systemd starts nothing then, and says so in the journal only
		}
	}
	service, err := unit.service(name)
	if err != nil {
		return err
	}
	ready := func(context.Context) error { return nil }
	if unit["Service.Type"] == "notify" {
		if ready, err = listenForReady(&service); err != nil {
			return err
		}
	}
	if _, err = callInit(ctx, controlRequest{Do: doStartService, Service: &service}); err != nil {
		return err
	}
	return ready(ctx)
}

// listenForReady opens the socket on which a service says that it is ready (sd_notify(3)), and
// returns what waits for it.
func listenForReady(service *Service) (func(context.Context) error, error) {
	path := "/run/lab-notify-" + service.Name
	_ = os.Remove(path)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	service.Environment = append(service.Environment, "NOTIFY_SOCKET="+path)
	return func(ctx context.Context) error {
		defer socket.Close()
		if deadline, limited := ctx.Deadline(); limited {
			_ = socket.SetReadDeadline(deadline)
		}
		words := make([]byte, 4096)
		for {
			n, err := socket.Read(words)
			if err != nil {
				return fmt.Errorf("%s does not say that it is ready: %w", service.Name, err)
			}
			if strings.Contains("\n"+string(words[:n]), "\nREADY=1") {
				return nil
			}
		}
	}, nil
}

func callInit(ctx context.Context, request controlRequest) (controlAnswer, error) {
	return callControl(ctx, os.Getenv(initSocketName), request)
}
