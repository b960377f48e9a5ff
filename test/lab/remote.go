package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The requests that the process that keeps a lab answers. All but the chassis' come from the lab
// command.
const (
	doChassis = "chassis"
	doStatus  = "status"
	doDown    = "down"
	doHost    = "host"
	doWriters = "writers"
)

// Status is what a lab tells about itself on its control socket. The password is not in it; the
// file BMCPasswordFile has that, readable by root only.
type Status struct {
	Pid             int          `json:"pid"`
	Directory       string       `json:"directory"`
	HubNamespace    string       `json:"hub_namespace"`
	BMCUser         string       `json:"bmc_user"`
	BMCPasswordFile string       `json:"bmc_password_file"`
	Hosts           []HostStatus `json:"hosts"`
}

// HostStatus is one host's part of [Status].
type HostStatus struct {
	Name         string `json:"name"`
	Power        bool   `json:"power"`
	Pid          int    `json:"pid"`
	BootID       string `json:"boot_id"`
	HardwareUUID string `json:"hardware_uuid"`
	Management   string `json:"management"`
	BMC          string `json:"bmc"`
}

func (l *Lab) controlPath() string { return filepath.Join(l.options.Directory, "lab.sock") }

// DefaultDirectory is where a lab with this prefix lives if nothing else is said.
func DefaultDirectory(prefix string) string { return fmt.Sprintf(directoryPattern, prefix) }

// Status tells what the lab is.
func (l *Lab) Status() Status {
	status := Status{
		Pid: os.Getpid(), Directory: l.options.Directory, HubNamespace: l.hubName(), BMCUser: l.options.BMCUser,
		BMCPasswordFile: filepath.Join(l.options.Directory, "bmc-password"),
	}
	for _, host := range l.Hosts {
		status.Hosts = append(status.Hosts, HostStatus{
			Name: host.Name, Power: host.Power(), Pid: host.Pid(), BootID: host.BootID(), HardwareUUID: host.HardwareUUID,
			Management: host.Address(Management), BMC: host.BMC.Address(),
		})
	}
	return status
}

// AskStatus asks the process that keeps the lab in a directory. An error means that there is none.
func AskStatus(ctx context.Context, directory string) (Status, error) {
	answer, err := Ask(ctx, directory, doStatus)
	if err != nil {
		return Status{}, err
	}
	if answer.Lab == nil {
		return Status{}, fmt.Errorf("the lab in %s gave no status", directory)
	}
	return *answer.Lab, nil
}

// Answer is what [Ask] brings back.
type Answer = controlAnswer

// Ask has the process that keeps a lab do something: "status", "down", "writers DISK", or "host
// NAME VERB [WORD]" with the verbs of the lab command (crash, boot, shutdown, freeze, thaw, cut,
// heal, bmc).
func Ask(ctx context.Context, directory string, what string, words ...string) (Answer, error) {
	request := controlRequest{Do: what, Words: words}
	if what == doHost && len(words) > 0 {
		request.Host, request.Words = words[0], words[1:]
	}
	return callControl(ctx, filepath.Join(directory, "lab.sock"), request)
}

func (l *Lab) answer(request controlRequest) controlAnswer {
	switch request.Do {
	case doStatus:
		status := l.Status()
		return controlAnswer{Lab: &status}
	case doDown:
		go l.Close()
		return controlAnswer{}
	case doWriters:
		return l.answerWriters(request.Words)
	}
	host := l.Host(request.Host)
	if host == nil {
		return controlAnswer{Error: fmt.Sprintf("no host %q; there are node1 to node%d", request.Host, len(l.Hosts))}
	}
	var text string
	var err error
	switch {
	case len(request.Words) == 0:
		err = fmt.Errorf("nothing to do for %s", host.Name)
	case request.Do == doChassis:
		text, err = host.BMC.chassis(request.Words)
	case request.Do == doHost:
		err = host.obey(request.Words)
	default:
		err = fmt.Errorf("unknown request %q", request.Do)
	}
	if err != nil {
		return controlAnswer{Error: err.Error()}
	}
	return controlAnswer{Text: text}
}

func (l *Lab) answerWriters(words []string) controlAnswer {
	if len(words) != 1 {
		return controlAnswer{Error: "writers needs the name of a disk"}
	}
	runs, err := l.Writers(words[0])
	var text strings.Builder
	for _, run := range runs {
		fmt.Fprintln(&text, run)
	}
	if err == nil {
		err = l.CheckSingleWriter(words[0])
	}
	if err != nil {
		return controlAnswer{Text: text.String(), Error: err.Error()}
	}
	return controlAnswer{Text: text.String() + "one writer at a time\n"}
}

func (h *Host) obey(words []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var networks []Network
	if verb := words[0]; verb == "cut" || verb == "heal" {
		for _, word := range words[1:] {
			networks = append(networks, Network(word))
		}
	}
	switch words[0] {
	case "crash":
		return h.Crash()
	case "boot":
		return h.Boot(ctx)
	case "shutdown":
		return h.Shutdown(ctx)
	case "freeze":
		return h.Freeze()
	case "thaw":
		return h.Thaw()
	case "cut":
		return h.Cut(networks...)
	case "heal":
		return h.Heal(networks...)
	case "bmc":
		return h.BMC.obey(words[1:])
	}
	return fmt.Errorf("unknown verb %q", words[0])
}

func (c *Controller) obey(words []string) error {
	if len(words) == 2 && words[0] == "slow" {
		delay, err := time.ParseDuration(words[1])
		if err == nil {
			c.SetOffDelay(delay)
		}
		return err
	}
	if len(words) != 1 {
		return fmt.Errorf("bmc needs one of refuses, stuck, lies, dead, healthy, or slow DURATION")
	}
	if words[0] == "healthy" {
		c.SetOffDelay(0)
		return c.SetFault(Healthy)
	}
	return c.SetFault(Fault(words[0]))
}
