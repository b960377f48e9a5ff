package lab

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/clusterd/clusterd/fence/watchdog"
)

// WatchdogPath is each host's watchdog, as the host sees it: a simulated one,
// because these hosts share this machine's kernel. That it resets them is not
// simulated.
const WatchdogPath = "/run/lab-watchdog"

// mountWatchdog puts a watchdog into a boot. A reset is a loss of power, and a boot
// right after it.
func (h *Host) mountWatchdog(running *runningHost) error {
	listener, err := net.Listen("unix", filepath.Join("/proc", strconv.Itoa(running.pid), "root", WatchdogPath))
	if err != nil {
		return fmt.Errorf("mount the watchdog of %s: %w", h.Name, err)
	}
	dog := &watchdog.SimulatedWatchdog{Reset: func() { h.reset(running) }}
	go dog.Serve(listener)
	go func() {
		<-running.gone
		_ = listener.Close()
		dog.Stop()
	}()
	return nil
}

// reset is for one boot: another one has a watchdog of its own.
func (h *Host) reset(running *runningHost) {
	h.power.Lock()
	if h.current() != running {
		h.power.Unlock()
		return
	}
	h.lab.logger.Warn("its watchdog resets a host", "host", h.Name)
	err := h.cutPower()
	h.power.Unlock()
	if err == nil {
		err = h.Boot(context.Background())
	}
	if err != nil && !h.lab.isClosed() {
		h.lab.logger.Error("a host that its watchdog has reset", "host", h.Name, "error", err)
	}
}
