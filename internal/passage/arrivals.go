package passage

import (
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// The hook's operations, in libvirt's words (its hooks page): an incoming
// migration asks "migrate" and then "prepare", a plain start asks "prepare" only.
const (
	operationMigrate = "migrate"
	operationPrepare = "prepare"
)

// arrivalLife is how long after its first question a migration may ask the second.
const arrivalLife = 30 * time.Second

// maxArrivals bounds the book; a full one refuses, and the migration is undone.
const maxArrivals = 256

// arrivals remembers which VMs have announced themselves as migrations. Without
// it the intent of a migration would open the door to a `virsh create` of the
// same VM on its target, and the guest would run at both ends (law L1).
type arrivals struct {
	mu        sync.Mutex
	announced map[string]time.Time
}

// announce notes the first question of a migration.
func (a *arrivals) announce(uuid string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.announced == nil {
		a.announced = map[string]time.Time{}
	}
	for known, at := range a.announced {
		if now.Sub(at) > arrivalLife {
			delete(a.announced, known)
		}
	}
	if len(a.announced) < maxArrivals {
		a.announced[uuid] = now
	}
}

// take reports whether a VM announced itself, and uses the announcement up.
func (a *arrivals) take(uuid string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, known := a.announced[uuid]
	delete(a.announced, uuid)
	return known && now.Sub(at) <= arrivalLife
}

// arrives reports whether a service's open intent brings it here by migration.
func arrives(s *cluster.State, self, name string) bool {
	service, known := s.Services.Get(name)
	return known && service.Intent != nil && service.Intent.Kind == cluster.IntentMigrate && service.Intent.Target == self
}
