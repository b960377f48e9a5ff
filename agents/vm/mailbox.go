package vm

import (
	"sync"

	"github.com/clusterd/clusterd/agents"
)

// mailbox hands observations to one reader: the newest per VM wins, so its
// length is bounded by the number of VMs (maxMail).
type mailbox struct {
	out chan agents.Observation

	mu     sync.Mutex
	order  []string
	newest map[string]agents.Observation
	signal chan struct{}
	quit   chan struct{}
	once   sync.Once
}

const maxMail = 4096

func newMailbox() *mailbox {
	m := &mailbox{
		out: make(chan agents.Observation), newest: map[string]agents.Observation{},
		signal: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	go m.pump()
	return m
}

// put never blocks. Beyond maxMail unread VMs an observation of yet another VM
// is dropped; the next slow poll finds it again.
func (m *mailbox) put(seen agents.Observation) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, waiting := m.newest[seen.UUID]; !waiting {
		if len(m.order) >= maxMail {
			return false
		}
		m.order = append(m.order, seen.UUID)
	}
	m.newest[seen.UUID] = seen
	select {
	case m.signal <- struct{}{}:
	default:
	}
	return true
}

func (m *mailbox) take() (agents.Observation, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.order) == 0 {
		return agents.Observation{}, false
	}
	uuid := m.order[0]
	m.order = m.order[1:]
	seen := m.newest[uuid]
	delete(m.newest, uuid)
	return seen, true
}

func (m *mailbox) close() { m.once.Do(func() { close(m.quit) }) }

// pump moves mail to the reader until the mailbox is closed.
func (m *mailbox) pump() {
	defer close(m.out)
	for {
		seen, ok := m.take()
		if !ok {
			select {
			case <-m.signal:
				continue
			case <-m.quit:
				return
			}
		}
		select {
		case m.out <- seen:
		case <-m.quit:
			return
		}
	}
}

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
	if len(t.uuids) < maxMail {
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
