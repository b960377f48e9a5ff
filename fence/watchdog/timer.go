package watchdog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// timer is an armed watchdog.
type timer interface {
	info() Info
	pet() error
	// disarm stops it, or returns ErrNoWayOut and leaves it armed.
	disarm() error
}

// armTimer opens and so arms a watchdog. When it is armed but not as asked, and
// can no longer be disarmed, it returns the timer and an error: somebody has
// to pet it.
type armTimer func(path string, timeout time.Duration, noWayOut bool) (timer, error)

type deviceTimer struct {
	file *os.File
	told Info
}

// sysfsOf is where the kernel describes a watchdog. The node /dev/watchdog is
// another name of the first one.
func sysfsOf(path string) string {
	name := filepath.Base(path)
	if name == "watchdog" {
		name = "watchdog0"
	}
	return "/sys/class/watchdog/" + name
}

// refuseEarly finds what can be known before opening, because opening arms.
func refuseEarly(path string, timeout time.Duration, noWayOut bool) error {
	if timeout < time.Second || timeout%time.Second != 0 {
		return fmt.Errorf("%w: a timeout of %v is not a whole number of seconds", ErrNotAsAsked, timeout)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w: %w; load the driver of the board's watchdog, or softdog", ErrNotAsAsked, err)
	}
	number := func(attribute string) (int, bool) {
		text, err := os.ReadFile(filepath.Join(sysfsOf(path), attribute))
		if err != nil {
			return 0, false
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		return n, err == nil
	}
	seconds := int(timeout / time.Second)
	if least, told := number("min_timeout"); told && least > seconds {
		return fmt.Errorf("%w: %s takes %d s or more, not %d s", ErrNotAsAsked, path, least, seconds)
	}
	if most, told := number("max_timeout"); told && most > 0 && most < seconds {
		return fmt.Errorf("%w: %s takes %d s or less, not %d s", ErrNotAsAsked, path, most, seconds)
	}
	if set, told := number("nowayout"); noWayOut && (!told || set == 0) {
		return fmt.Errorf("%w: %s is not set to nowayout; load its driver with nowayout=1", ErrNotAsAsked, path)
	}
	return nil
}

func armDevice(path string, timeout time.Duration, noWayOut bool) (timer, error) {
	if Simulated(path) {
		return armSimulated(path, timeout, noWayOut)
	}
	if err := refuseEarly(path, timeout, noWayOut); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; is another program holding it?", ErrNotAsAsked, err)
	}
	d := &deviceTimer{file: file, told: Info{Device: path}}
	problem := d.set(timeout)
	if problem == nil {
		return d, nil
	}
	problem = fmt.Errorf("%w: %w", ErrNotAsAsked, problem)
	if err := d.disarm(); err != nil {
		return d, problem
	}
	return nil, problem
}

// support is watchdog_info of linux/watchdog.h.
type support struct {
	options, firmware uint32
	identity          [32]byte
}

const (
	optionSetTimeout = 0x80
	optionMagicClose = 0x100
)

func (d *deviceTimer) set(timeout time.Duration) error {
	var told support
	if err := d.ioctl(unix.WDIOC_GETSUPPORT, unsafe.Pointer(&told)); err != nil {
		return fmt.Errorf("it does not say what it can: %w", err)
	}
	d.told.Identity = strings.TrimRight(string(told.identity[:]), "\x00")
	d.told.MagicClose = told.options&optionMagicClose != 0
	text, err := os.ReadFile(filepath.Join(sysfsOf(d.told.Device), "nowayout"))
	d.told.NoWayOut = err == nil && strings.TrimSpace(string(text)) == "1"
	seconds := int32(timeout / time.Second)
	if told.options&optionSetTimeout != 0 {
		if err := d.ioctl(unix.WDIOC_SETTIMEOUT, unsafe.Pointer(&seconds)); err != nil {
			return fmt.Errorf("%s does not take a timeout of %v: %w", d.told.Identity, timeout, err)
		}
	}
	var got int32
	if err := d.ioctl(unix.WDIOC_GETTIMEOUT, unsafe.Pointer(&got)); err != nil {
		return fmt.Errorf("%s does not tell its timeout: %w", d.told.Identity, err)
	}
	d.told.Timeout = time.Duration(got) * time.Second
	switch {
	case d.told.Timeout != timeout:
		return fmt.Errorf("%s says its timeout is %v, and %v was asked for", d.told.Identity, d.told.Timeout, timeout)
	case !d.told.NoWayOut && !d.told.MagicClose:
		return fmt.Errorf("%s stops when its program dies; load its driver with nowayout=1", d.told.Identity)
	}
	return nil
}

func (d *deviceTimer) ioctl(command uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), command, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

func (d *deviceTimer) info() Info { return d.told }

// pet writes a byte that is not the magic one.
func (d *deviceTimer) pet() error {
	_, err := d.file.Write([]byte{1})
	return err
}

func (d *deviceTimer) disarm() error {
	if d.told.NoWayOut {
		return ErrNoWayOut
	}
	_, err := d.file.Write([]byte{'V'})
	return errors.Join(err, d.file.Close())
}
