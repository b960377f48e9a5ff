package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ask sends a request to the host's init.
func (h *Host) ask(ctx context.Context, request controlRequest) error {
	_, err := h.askAnswer(ctx, request)
	return err
}

func (h *Host) askAnswer(ctx context.Context, request controlRequest) (controlAnswer, error) {
	if !h.Power() {
		return controlAnswer{}, fmt.Errorf("%s: %w", h.Name, ErrPowerOff)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return callControl(ctx, filepath.Join(h.directory, "init.sock"), request)
}

// Start registers and starts a service that is started again when it fails and at each boot.
func (h *Host) Start(ctx context.Context, name string, argv ...string) error {
	return h.StartService(ctx, Service{Name: name, Argv: argv, Restart: RestartOnFailure,
		RestartDelay: 200 * time.Millisecond})
}

// StartService registers a service, which makes it part of each later boot, and starts it. Its
// output goes to log/NAME.log in [Host.Directory].
func (h *Host) StartService(ctx context.Context, service Service) error {
	return h.ask(ctx, controlRequest{Do: doStartService, Service: &service})
}

// StopService ends a service by SIGTERM, then SIGKILL after ten seconds, and leaves it down
// until [Host.ReleaseService] or the next boot.
func (h *Host) StopService(ctx context.Context, name string) error {
	return h.ask(ctx, controlRequest{Do: doStopService, Name: name})
}

// RemoveService stops a service and forgets it.
func (h *Host) RemoveService(ctx context.Context, name string) error {
	return h.ask(ctx, controlRequest{Do: doRemoveService, Name: name})
}

// KillService sends a signal to the service's main process only; its restart policy decides what
// follows.
func (h *Host) KillService(ctx context.Context, name string, signal syscall.Signal) error {
	return h.ask(ctx, controlRequest{Do: doSignalService, Name: name, Signal: int(signal)})
}

// ReleaseService lets a stopped or held service run again.
func (h *Host) ReleaseService(ctx context.Context, name string) error {
	return h.ask(ctx, controlRequest{Do: doHoldService, Name: name})
}

// Services tells what runs, libvirtd included.
func (h *Host) Services(ctx context.Context) ([]ServiceStatus, error) {
	answer, err := h.askAnswer(ctx, controlRequest{Do: doServices})
	return answer.Services, err
}

// ServiceLog is the path of a service's log.
func (h *Host) ServiceLog(name string) string { return filepath.Join(h.directory, "log", name+".log") }

// KillLibvirtd kills libvirtd with SIGKILL; guests live on. With hold it stays dead until
// [Host.ReleaseService] with "libvirtd", without it comes back after a fifth of a second.
func (h *Host) KillLibvirtd(ctx context.Context, hold bool) error {
	return h.ask(ctx, controlRequest{Do: doSignalService, Name: libvirtdName, Signal: int(syscall.SIGKILL), Yes: hold})
}

// RestartLibvirtd ends libvirtd politely and returns when a new one answers.
func (h *Host) RestartLibvirtd(ctx context.Context) error {
	if err := h.StopService(ctx, libvirtdName); err != nil {
		return err
	}
	if err := h.ReleaseService(ctx, libvirtdName); err != nil {
		return err
	}
	return h.waitForLibvirt(ctx)
}

// waitForLibvirt waits for the socket first, which costs a look at a file, before it pays for a
// virsh.
func (h *Host) waitForLibvirt(ctx context.Context) error {
	socket := filepath.Join("/proc", strconv.Itoa(h.Pid()), "root/run/libvirt/libvirt-sock")
	var last error
	for ctx.Err() == nil {
		if _, last = os.Stat(socket); last == nil {
			// This question also makes libvirtd look at QEMU, or read what an earlier look found, so that
			// the first start of a guest after a boot is as quick as any other. Real hosts have long done
			// so when it matters.
			if _, last = h.Run(ctx, "virsh", "-q", "domcapabilities", "--virttype", "qemu", "--arch", "x86_64", "--machine",
				guestMachine); last == nil {
				return nil
			}
		}
		if !h.Power() {
			return ErrPowerOff
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("libvirtd does not answer: %w", last)
}
