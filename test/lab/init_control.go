package lab

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// The requests that a host's init answers.
const (
	doStartService  = "start-service"
	doStopService   = "stop-service"
	doRemoveService = "remove-service"
	doSignalService = "signal-service"
	doHoldService   = "hold-service"
	doServices      = "services"
	doShutdown      = "shutdown"
)

func (s *supervisor) answer(request controlRequest) controlAnswer {
	var err error
	switch request.Do {
	case doStartService:
		err = s.startService(request.Service)
	case doStopService:
		err = s.stop(request.Name)
	case doRemoveService:
		err = s.removeService(request.Name)
	case doSignalService:
		err = s.signalService(request.Name, unix.Signal(request.Signal), request.Yes)
	case doHoldService:
		err = s.holdService(request.Name, request.Yes)
	case doServices:
		return controlAnswer{Services: s.statuses()}
	case doShutdown:
		s.shutdownOnce.Do(func() { close(s.shutdownAsked) })
	default:
		err = fmt.Errorf("unknown request %q", request.Do)
	}
	if err != nil {
		return controlAnswer{Error: s.plan.Name + ": " + err.Error()}
	}
	return controlAnswer{}
}

func (s *supervisor) startService(service *Service) error {
	if service == nil || service.Name == "" || len(service.Argv) == 0 {
		return fmt.Errorf("a service needs a name and a command")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	existing := s.units[service.Name]
	if existing != nil && existing.pid != 0 {
		return fmt.Errorf("service %s is already running as pid %d; stop it first", service.Name, existing.pid)
	}
	if existing == nil && len(s.units) >= servicesLimit {
		return fmt.Errorf("a host takes %d services at most", servicesLimit)
	}
	fresh := &unit{service: *service}
	if existing != nil {
		existing.removed = true
	} else {
		s.order = append(s.order, service.Name)
	}
	s.units[service.Name] = fresh
	if err := s.save(); err != nil {
		return err
	}
	return s.launch(fresh)
}

func (s *supervisor) removeService(name string) error {
	if name == libvirtdName {
		return fmt.Errorf("libvirtd cannot be removed, only stopped")
	}
	if err := s.stop(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[name].removed = true
	delete(s.units, name)
	s.order = slices.DeleteFunc(s.order, func(other string) bool { return other == name })
	return s.save()
}

// signalService signals the main process only: what a service left running on purpose (a
// forwarder that must outlive its daemon, QEMU) is not touched, as with systemd's
// KillMode=process.
func (s *supervisor) signalService(name string, signal unix.Signal, hold bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	unit := s.units[name]
	if unit == nil {
		return fmt.Errorf("no service %s", name)
	}
	if unit.pid == 0 {
		return fmt.Errorf("service %s does not run", name)
	}
	if hold {
		unit.held = true
	}
	return unix.Kill(unit.pid, signal)
}

func (s *supervisor) holdService(name string, hold bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	unit := s.units[name]
	if unit == nil {
		return fmt.Errorf("no service %s", name)
	}
	unit.held = hold
	if !hold && unit.pid == 0 && !s.stopping {
		return s.launch(unit)
	}
	return nil
}
