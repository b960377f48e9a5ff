package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

// up starts a process that keeps the lab, and waits until the lab is ready.
func up(ctx context.Context, words []string) error {
	if err := lab.Check(); err != nil {
		return err
	}
	hosts, err := hostCount(words)
	if err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	if status, err := lab.AskStatus(ctx, lab.DefaultDirectory(prefix())); err == nil {
		return fmt.Errorf("%w, kept by process %d; \"lab status\" shows it, \"lab down\" removes it", lab.ErrInUse,
			status.Pid)
	}
	// The log lies beside the directory, not in it: building a lab empties the directory.
	directory := lab.DefaultDirectory(prefix())
	logPath := directory + ".log"
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	keeper := exec.Command(executable, "serve", strconv.Itoa(hosts))
	keeper.Stdout, keeper.Stderr = log, log
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ready, readyWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	keeper.ExtraFiles = []*os.File{readyWrite}
	began := time.Now()
	if err := keeper.Start(); err != nil {
		return err
	}
	readyWrite.Close()
	interrupted := context.AfterFunc(ctx, func() { _ = keeper.Process.Signal(syscall.SIGTERM) })
	defer interrupted()
	if count, _ := ready.Read(make([]byte, 1)); count != 1 {
		_ = keeper.Wait()
		said, _ := os.ReadFile(logPath)
		return fmt.Errorf("the lab did not come up: %s", said)
	}
	fmt.Printf("lab of %d hosts up in %v\n", hosts, time.Since(began).Round(time.Millisecond))
	if err := printStatus(ctx, directory); err != nil {
		return err
	}
	fmt.Println("\nenter a host with: lab enter node1        remove the lab with: lab down")
	return nil
}

func hostCount(words []string) (int, error) {
	if len(words) == 0 {
		return 3, nil
	}
	hosts, err := strconv.Atoi(words[0])
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of hosts", words[0])
	}
	return hosts, nil
}

// serve keeps the lab until it is told to stop; it is what "up" leaves in the background.
func serve(ctx context.Context, words []string) error {
	hosts, err := hostCount(words)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	kept, err := lab.Up(ctx, lab.Options{Prefix: prefix(), Hosts: hosts, Logger: logger})
	if err != nil {
		return err
	}
	_, password := kept.BMCCredentials()
	if err := os.WriteFile(kept.Status().BMCPasswordFile, []byte(password+"\n"), 0o600); err != nil {
		return errors.Join(err, kept.Close())
	}
	ready := os.NewFile(3, "ready")
	_, _ = ready.Write([]byte{1})
	ready.Close()
	select {
	case <-ctx.Done():
	case <-kept.Closed():
	}
	err = kept.Close()
	_ = os.Remove(lab.DefaultDirectory(prefix()) + ".log")
	return err
}

func down(ctx context.Context, directory string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	status, err := lab.AskStatus(ctx, directory)
	if err == nil {
		if _, err := lab.Ask(ctx, directory, "down"); err != nil {
			return err
		}
		if err := waitForEnd(ctx, status.Pid); err != nil {
			return err
		}
	}
	// Also after a good end: it costs nothing and finds what a killed lab left.
	return lab.RemoveLeftovers(ctx, lab.Options{Prefix: prefix()})
}

func waitForEnd(ctx context.Context, pid int) error {
	process := filepath.Join("/proc", strconv.Itoa(pid))
	for {
		if _, err := os.Stat(process); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the lab's process %d does not end: %w", pid, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func printStatus(ctx context.Context, directory string) error {
	status, err := lab.AskStatus(ctx, directory)
	if err != nil {
		return explain(err, directory)
	}
	fmt.Printf("kept by process %d in %s, hub namespace %s\n", status.Pid, status.Directory, status.HubNamespace)
	fmt.Printf("BMC user %s, password in %s\n", status.BMCUser, status.BMCPasswordFile)
	for _, host := range status.Hosts {
		power := "off"
		if host.Power {
			power = "on"
		}
		fmt.Printf("%-7s %-3s  %-11s  BMC %-15s  boot %s  hardware %s\n", host.Name, power, host.Management, host.BMC,
			host.BootID, host.HardwareUUID)
	}
	return nil
}

// enter runs a command inside a host, connected to this terminal.
func enter(ctx context.Context, directory string, words []string) error {
	if len(words) == 0 {
		return errors.New("enter which host? for example: lab enter node1 -- virsh list")
	}
	status, err := lab.AskStatus(ctx, directory)
	if err != nil {
		return explain(err, directory)
	}
	argv := words[1:]
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		argv = []string{"bash", "-i"}
	}
	for _, host := range status.Hosts {
		if host.Name != words[0] {
			continue
		}
		if !host.Power {
			return fmt.Errorf("%s: %w; boot it with: lab boot %s", host.Name, lab.ErrPowerOff, host.Name)
		}
		nsenter := append([]string{"-t", strconv.Itoa(host.Pid), "-m", "-u", "-i", "-n", "-p", "--",
			"env", "PATH=" + lab.SearchPath}, argv...)
		// Same process group as the terminal's foreground job, so that Ctrl-C reaches the command, and
		// no deadline: a person is at it.
		command := exec.Command("nsenter", nsenter...)
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		err := command.Run()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return exitCode(exit.ExitCode())
		}
		return err
	}
	return fmt.Errorf("no host %q; lab status lists them", words[0])
}

func printXML(words []string) error {
	if len(words) != 2 {
		return errors.New("xml needs a name and a number: lab xml web 11")
	}
	number, err := strconv.Atoi(words[1])
	if err != nil || number < 1 || number > 199 {
		return fmt.Errorf("%q is not a number from 1 to 199", words[1])
	}
	fmt.Print(lab.GuestXML(lab.Guest{Name: words[0], Number: number}))
	return nil
}
