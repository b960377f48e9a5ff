package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// runChassis is the program that ipmi_sim runs for each look at, or change of, the power: "... HOST get power" or
// "... HOST set power 0". It passes the words on to the lab and prints the lab's answer.
func runChassis(controlPath string, words []string) error {
	if len(words) < 2 {
		return errors.New("chassis: too few words")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	answer, err := callControl(ctx, controlPath, controlRequest{Do: doChassis, Host: words[0], Words: words[1:]})
	if err != nil {
		return err
	}
	fmt.Print(answer.Text)
	return nil
}

// chassis answers ipmi_sim. The simulator waits for it, so an off that is carried out at once has ended every process of
// the host before its acknowledgement leaves the BMC.
func (c *Controller) chassis(words []string) (string, error) {
	verb, words := words[0], words[1:]
	switch verb {
	case "get":
		var text strings.Builder
		for _, word := range words {
			switch word {
			case "power":
				power := 0
				if c.reportedPower() {
					power = 1
				}
				fmt.Fprintf(&text, "power:%d\n", power)
			case "boot":
				text.WriteString("boot:default\n")
			}
		}
		return text.String(), nil
	case "set":
		for ; len(words) > 1; words = words[2:] {
			if err := c.set(words[0], words[1] == "1"); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func (c *Controller) reportedPower() bool {
	c.mu.Lock()
	lied := c.liedOff
	c.mu.Unlock()
	return !lied && c.host.Power()
}

func (c *Controller) set(what string, on bool) error {
	c.mu.Lock()
	fault, delay := c.fault, c.offDelay
	if fault == Lies && what == "power" {
		c.liedOff = !on
	}
	c.mu.Unlock()
	switch {
	case fault == Refuses && what != "identify":
		return errors.New("this BMC is set to refuse")
	case fault == Stuck || fault == Lies:
		return nil
	case what == "power" && on:
		return c.bootInBackground()
	case what == "power":
		return c.offAfter(delay)
	case what == "reset" && on:
		if err := c.host.Crash(); err != nil {
			return err
		}
		return c.bootInBackground()
	case what == "shutdown" && on:
		// The ACPI button only asks; the machine takes its time and may never do it.
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			defer cancel()
			c.note("shutdown", c.host.Shutdown(ctx))
		}()
	}
	return nil
}

func (c *Controller) offAfter(delay time.Duration) error {
	if delay <= 0 {
		return c.host.Crash()
	}
	time.AfterFunc(delay, func() { c.note("delayed power off", c.host.Crash()) })
	return nil
}

func (c *Controller) bootInBackground() error {
	if c.host.lab.isClosed() {
		return errors.New("the lab is closing")
	}
	go func() { c.note("power on", c.host.Boot(context.Background())) }()
	return nil
}

func (c *Controller) note(what string, err error) {
	if err != nil {
		c.host.lab.logger.Error("BMC: "+what+" failed", "host", c.host.Name, "error", err)
	}
}
