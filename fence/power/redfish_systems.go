package power

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// systemsPath is where a service lists its computer systems.
const systemsPath = "/redfish/v1/Systems"

// look reads the system afresh. Which one it is, is found once in a session; after that it
// is asked alone, because there are boards that take six seconds for each answer.
func (h *redfishHand) look(ctx context.Context) (system, error) {
	visit := h.door.enter(ctx)
	if before := h.last.Load(); before != nil {
		found, err := h.get(ctx, visit, before.ID)
		if err == nil {
			h.last.Store(&found)
		}
		return found, err
	}
	found, err := h.find(ctx, visit)
	if err == nil {
		h.last.Store(&found)
	}
	return found, err
}

// find looks for the system that is meant: by the last part of its path, so that of many
// behind one service only one is asked, or by its name.
func (h *redfishHand) find(ctx context.Context, visit *visit) (system, error) {
	var list struct {
		Members []struct {
			ID string `json:"@odata.id"`
		}
	}
	if err := h.read(ctx, visit, systemsPath, &list); err != nil {
		return system{}, err
	}
	var paths []string
	for _, m := range list.Members {
		if path.Base(m.ID) == h.settings.system || m.ID == h.settings.system {
			return h.get(ctx, visit, m.ID)
		}
		paths = append(paths, m.ID)
	}
	var all []system
	for _, one := range paths {
		found, err := h.get(ctx, visit, one)
		if err != nil {
			return system{}, err
		}
		all = append(all, found)
	}
	return chooseSystem(all, h.settings.system)
}

// chooseSystem finds the one system that is meant.
func chooseSystem(systems []system, name string) (system, error) {
	var fitting []system
	var names []string
	for _, s := range systems {
		names = append(names, strconv.Quote(path.Base(s.ID))+" called "+strconv.Quote(s.Name))
		if name == "" || s.Name == name {
			fitting = append(fitting, s)
		}
	}
	slices.Sort(names)
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case len(systems) == 0:
		return system{}, fmt.Errorf("%w: it tells of no computer system", errNotRedfish)
	case len(fitting) > 1 && name != "":
		return system{}, fmt.Errorf("%w: %d systems are called %q; it has %s", errWhichSystem, len(fitting), name,
			strings.Join(names, ", "))
	}
	return system{}, fmt.Errorf("%w: it has %s", errWhichSystem, strings.Join(names, ", "))
}

// get reads one system.
func (h *redfishHand) get(ctx context.Context, visit *visit, where string) (system, error) {
	var found system
	if err := h.read(ctx, visit, where, &found); err != nil {
		return system{}, err
	}
	if !strings.HasPrefix(found.Type, "#ComputerSystem.") {
		return system{}, fmt.Errorf("%w: %s is no computer system", errNotRedfish, where)
	}
	if found.ID == "" {
		found.ID = where
	}
	return found, nil
}

// read asks one question. The door has read the answer whole, within its limits.
func (h *redfishHand) read(ctx context.Context, visit *visit, where string, into any) error {
	if !strings.HasPrefix(where, "/") || strings.HasPrefix(where, "//") {
		return fmt.Errorf("%w: %q", errElsewhere, where)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.address(where), nil)
	if err != nil {
		return fmt.Errorf("%w: %q is no path", errNotRedfish, where)
	}
	request.Header.Set("Accept", "application/json")
	response, err := h.client.Do(request)
	if err != nil {
		return visit.because(err)
	}
	body, err := io.ReadAll(response.Body)
	err = errors.Join(visit.because(err), response.Body.Close())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: its answer to %s cannot be read: %s", errNotRedfish, where, clip(body))
	}
	return nil
}

func (h *redfishHand) address(where string) string {
	return "https://" + net.JoinHostPort(h.settings.host, strconv.Itoa(h.settings.port)) + where
}

// MayFence says why this system could not be switched off now: it offers no such command, or
// not to this account. Where the values are kept apart from the system, they are read there.
func (h *redfishHand) MayFence(ctx context.Context) error {
	found := *h.last.Load()
	if info := found.Actions.Reset.Info; len(found.Actions.Reset.Allowed) == 0 && info != "" {
		var told struct {
			Parameters []struct {
				Name    string
				Allowed []string `json:"AllowableValues"`
			}
		}
		if err := h.read(ctx, h.door.enter(ctx), info, &told); err != nil {
			return err
		}
		for _, parameter := range told.Parameters {
			if parameter.Name == "ResetType" {
				found.Actions.Reset.Allowed = parameter.Allowed
			}
		}
	}
	if err := found.offers(resetOff); err != nil {
		return err
	}
	if why := h.lacksRight(ctx); why != "" {
		return errors.New(why)
	}
	return nil
}

// told is a power state in the board's own word, for whoever has to mend it.
func told(power fence.Power, word string) string {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "":
		return "it tells no power state, so its off could never be confirmed; it may still be starting: ask it again, or " +
			"restart or update the BMC"
	case "poweringon", "poweringoff":
		return "" // it is between the two, and says so
	}
	if power != fence.PowerUnknown {
		return ""
	}
	return fmt.Sprintf("it tells the power state %q, which is neither on nor off, so its off could not be "+
		"confirmed", clip([]byte(word)))
}
