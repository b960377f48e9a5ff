package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// redeclareSalt draws when the declarations of running services change; the faults
// of a seed are otherwise what they were.
const redeclareSalt = 29

// redeclare lets people change services made of resources while they run, in
// worlds that have some.
func (s *Script) redeclare() {
	var names []string
	for _, name := range s.serviceNames() {
		if strings.HasPrefix(name, resources.KindService+":") {
			names = append(names, name)
		}
	}
	r := rand.New(rand.NewPCG(uint64(s.Seed), redeclareSalt))
	if len(names) == 0 || r.IntN(2) == 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(5) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(25*time.Second))), While: time.Second,
				Kind: "declared anew",
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, names), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// redeclareFaults are drawn by redeclare alone.
func redeclareFaults() []faultKind {
	return []faultKind{{"declared anew", 0, func(w *World, f Fault, h *Host) {
		next := w.State().Document
		spec, known := next.Services[f.Service]
		if !known {
			return
		}
		spec.Definition = fmt.Sprintf("definition-of-%s-%d", spec.Name, f.Choice%5)
		spec.Disks = []resources.Disk{{Identity: "disk-of-" + spec.Name}}
		if f.Choice%3 == 0 {
			spec.Disks = append(spec.Disks, resources.Disk{Identity: fmt.Sprintf("disk-%d", f.Choice%7%3)})
		}
		next.Services = maps.Clone(next.Services)
		next.Services[f.Service] = spec
		w.Configure(h.Name, next, nil)
	}}}
}

// declaredAsRuns holds that what is called in force was put there.
func (w *World) declaredAsRuns(service cluster.Service) string {
	if service.State != resources.Started || service.Spec.Kind() != resources.KindService ||
		service.Flags&resources.Frozen != 0 {
		return ""
	}
	if !service.Enabled {
		return "" // it was found running: nothing is done to it until a person has said whether it stays
	}
	// Where another one holds the disks that it is to have, it waits for them with a note (law L9).
	if why := service.BehindWhy(); !why.IsZero() && service.Behind == nil && !w.disksTaken(service) {
		return "runs by an older declaration: " + why.String()
	}
	return ""
}
