// Package mail hands observations from an agent to its one reader.
package mail

import (
	"sync"

	"github.com/clusterd/clusterd/agents"
)

// Box hands observations to one reader: the newest of each service wins, so its
// length is bounded by the number of services (maxMail).
type Box struct {
	out chan agents.Observation

	mu     sync.Mutex
	order  []string
	newest map[string]agents.Observation
	signal chan struct{}
	quit   chan struct{}
	once   sync.Once
}

const maxMail = 4096

// New makes an open mailbox.
func New() *Box {
	m := &Box{
		out: make(chan agents.Observation), newest: map[string]agents.Observation{},
		signal: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	go m.pump()
	return m
}

// Out is where the reader takes them; it closes with the mailbox.
func (m *Box) Out() <-chan agents.Observation { return m.out }

// Put never blocks. Beyond maxMail unread services an observation of yet another
// one is dropped: false. A later look finds it again.
func (m *Box) Put(seen agents.Observation) bool {
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

func (m *Box) take() (agents.Observation, bool) {
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

// Close ends it; what was not read is lost.
func (m *Box) Close() { m.once.Do(func() { close(m.quit) }) }

// pump moves mail to the reader until the mailbox is closed.
func (m *Box) pump() {
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
