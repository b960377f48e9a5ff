package program

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/owned"
)

// Home names the place of a service: Key is its own forever, Title is for people.
type Home struct{ Key, Title string }

// Scoper makes scopes: control groups that systemd knows as units.
type Scoper interface {
	// Scope makes one of this name around a process.
	Scope(ctx context.Context, name, description string, process int) error
}

// scopeSlice is the part of systemd's tree in which scopes are made.
const scopeSlice = "system.slice"

// WithScopes makes places scopes of systemd's from now on. Where that cannot be
// the error says why, and places stay groups below the daemon's own.
func (p Places) WithScopes(maker Scoper, warn func(error)) (Places, error) {
	mount, err := unifiedMount()
	if err != nil {
		return p, err
	}
	if mount != "/sys/fs/cgroup" {
		return p, errors.New("control groups of version 1 are mounted beside those of version 2, and systemd uses those")
	}
	group, err := groupOfProcess("1")
	if err != nil {
		return p, err
	}
	top, is := strings.CutSuffix(group, "/init.scope")
	if !is {
		return p, fmt.Errorf("process 1 is in the control group %s, and not in systemd's init.scope", group)
	}
	p.scopes, p.maker, p.warn = filepath.Join(mount, top, scopeSlice), maker, warn
	return p, nil
}

// Place is where a program can be begun. It has to be closed after that.
type Place struct {
	*os.File
	holder *exec.Cmd
}

// Close lets the place go; what lives there stays.
func (p *Place) Close() {
	if p == nil {
		return
	}
	if p.File != nil {
		_ = p.File.Close()
	}
	if p.holder != nil {
		_ = p.holder.Process.Kill()
		_ = p.holder.Wait()
	}
}

// scopeLimit bounds the waiting for systemd to make a scope.
const scopeLimit = 3 * time.Second

// scope opens the scope of a service, which is there as long as anything lives in
// it. So that it is there when the program begins, a process of ours holds it.
func (p Places) scope(home Home) (*Place, error) {
	name := p.scopeName(home)
	if folder, err := os.Open(filepath.Join(p.scopes, name)); err == nil {
		place := &Place{File: folder}
		if err := place.hold(folder); err == nil {
			return place, nil
		}
		place.Close() // it ended meanwhile
	}
	place := &Place{}
	if err := place.hold(nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), scopeLimit)
	defer cancel()
	if err := p.maker.Scope(ctx, name, home.Title+", kept alive by clusterd", place.holder.Process.Pid); err != nil {
		place.Close()
		return nil, err
	}
	folder, err := os.Open(filepath.Join(p.scopes, name))
	if err != nil {
		place.Close()
		return nil, fmt.Errorf("open the scope that systemd made: %w", err)
	}
	place.File = folder
	return place, nil
}

// hold begins the process that holds the place. It ends by itself should nobody
// be left to end it.
func (p *Place) hold(folder *os.File) error {
	path, err := owned.Find("sleep")
	if err != nil {
		return err
	}
	command := exec.Command(path, "60")
	command.Env, command.Dir = []string{}, "/"
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if folder != nil {
		command.SysProcAttr.UseCgroupFD, command.SysProcAttr.CgroupFD = true, int(folder.Fd())
	}
	if err := start.begin(command); err != nil {
		return fmt.Errorf("begin the process that holds a scope: %w", err)
	}
	p.holder = command
	return nil
}

// scopeName is the name of a service's scope: clusterd-service_shop-1b2c3d4e.scope.
// The figure tells apart what looks alike as a unit name, and the services of
// several daemons on one host, as tests have them.
func (p Places) scopeName(home Home) string {
	title := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, home.Title)
	const most = 100
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(filepath.Base(p.root) + "/" + home.Key))
	return fmt.Sprintf("clusterd-%s-%08x.scope", title[:min(len(title), most)], sum.Sum32())
}
