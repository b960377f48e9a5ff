// Command guest is the whole userland of the machines in the VM tests: init,
// the configuration of the array, and a node that obeys a serial line. The
// fence drivers in it are the product's own.
package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/fence/scsi"
	"github.com/clusterd/clusterd/fence/watchdog"
)

func main() {
	if filepath.Base(os.Args[0]) == agentName {
		os.Exit(actAsAgent(os.Args[len(os.Args)-1]))
	}
	var err error
	switch word := os.Args[min(1, len(os.Args)-1)]; word {
	case "scsi-helper":
		err = scsi.RunHelper(os.Stdin, os.Stdout)
	case "sbd-helper":
		err = watchdog.RunHelper(os.Stdin, os.Stdout)
	case "watchdog-keeper":
		err = watchdog.RunKeeper(os.Args[2], slog.New(slog.NewTextHandler(os.Stderr, nil)))
	case "daemon":
		err = runDaemon(os.Args[2:])
	case "writer-process":
		err = runWriter(os.Args[2])
	default:
		if os.Getpid() != 1 {
			fmt.Fprintln(os.Stderr, "this program is the init of a test machine")
			os.Exit(2)
		}
		boot()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(1)
	}
}

// line is the serial line to the test.
type line struct {
	mu   sync.Mutex
	file *os.File
}

func (l *line) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.file, format+"\n", args...)
}

// boot never returns: when init ends, the kernel panics.
func boot() {
	parameters, err := prepare()
	if err != nil {
		fmt.Println("init:", err)
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	l, err := openLine("/dev/ttyS1")
	if err == nil && parameters["role"] == "array" {
		err = configureArray()
	}
	if address := parameters["address"]; err == nil && address != "" {
		err = configureNetwork("eth0", address)
	}
	if err != nil {
		fmt.Println("init:", err)
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	n := &node{name: parameters["name"], line: l}
	n.findDisks()
	l.say("event ready")
	for scanner := bufio.NewScanner(l.file); scanner.Scan(); {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 {
			continue
		}
		answer, err := n.obey(words)
		if err != nil {
			l.say("failed %s", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		l.say("ok %s", answer)
	}
	select {}
}

// openLine opens a serial line that passes bytes as they are.
func openLine(path string) (*line, error) {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	settings, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	settings.Iflag, settings.Oflag = 0, 0
	settings.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	settings.Cc[unix.VMIN], settings.Cc[unix.VTIME] = 1, 0
	return &line{file: file}, unix.IoctlSetTermios(int(file.Fd()), unix.TCSETS, settings)
}
