package ocf

import (
	"sync"

	"github.com/clusterd/clusterd/resources"
)

// users counts which services of this node use a shared resource, and lets
// only one of them at a time start or stop it.
type users struct {
	mu    sync.Mutex
	by    map[string]map[string]bool // by label, then UUID
	locks map[string]*sync.Mutex
}

// lock serialises the services that share a resource.
func (u *users) lock(label string) (unlock func()) {
	u.mu.Lock()
	if u.locks == nil {
		u.locks = map[string]*sync.Mutex{}
	}
	lock, known := u.locks[label]
	if !known {
		lock = &sync.Mutex{}
		u.locks[label] = lock
	}
	u.mu.Unlock()
	lock.Lock()
	return lock.Unlock
}

// others counts the users but for one.
func (u *users) others(label, uuid string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	count := len(u.by[label])
	if u.by[label][uuid] {
		count--
	}
	return count
}

func (u *users) add(label, uuid string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.by == nil {
		u.by = map[string]map[string]bool{}
	}
	if u.by[label] == nil {
		u.by[label] = map[string]bool{}
	}
	u.by[label][uuid] = true
}

func (u *users) remove(label, uuid string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.by[label], uuid)
	if len(u.by[label]) == 0 {
		delete(u.by, label)
	}
}

// adopt counts what an earlier daemon started.
func (u *users) adopt(r *record) {
	for _, p := range resources.StartOrder(r.Tree) {
		if part, there := r.Parts[p.Path]; there && part.State != down && p.Resource.Shared {
			u.add(p.Resource.Label(), r.UUID)
		}
	}
}
