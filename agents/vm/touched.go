package vm

import "sync"

// maxTouched bounds the VMs that wait to be looked at.
const maxTouched = 4096

// touched collects the VMs that events named, each once.
type touched struct {
	mu     sync.Mutex
	uuids  map[string]struct{}
	signal chan struct{}
}

func newTouched() *touched {
	return &touched{uuids: map[string]struct{}{}, signal: make(chan struct{}, 1)}
}

func (t *touched) add(uuid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.uuids) < maxTouched {
		t.uuids[uuid] = struct{}{}
	}
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

func (t *touched) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]string, 0, len(t.uuids))
	for uuid := range t.uuids {
		list = append(list, uuid)
	}
	t.uuids = map[string]struct{}{}
	return list
}
