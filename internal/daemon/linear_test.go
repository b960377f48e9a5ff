package daemon

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

var linearScripts = flag.Int("linear-scripts", 6, "random fault scripts of the interface's linearizability test")

// wish is one call of the interface: a request that freezes or thaws a service,
// or a fresh look at the status. Key tells the registers apart: the service's
// flag, and each request's id.
type wish struct {
	key   string
	write bool
	value bool
}

var interfaceModel = porcupine.Model{
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		if asked := input.(wish); asked.write {
			return true, asked.value
		}
		return output == state, state
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %v", input, output) },
}

// byKey takes the history of each register out.
func byKey(history []porcupine.Operation) map[string][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, done := range history {
		key := done.Input.(wish).key
		parts[key] = append(parts[key], done)
	}
	return parts
}

// history gathers what the clients did.
type history struct {
	mu   sync.Mutex
	done []porcupine.Operation
	// newest are the ids of the newest requests, answered or not.
	newest []string
	// writes, reads and doubtful count them, so that a script that lets nothing
	// through is noticed.
	writes, reads, doubtful int
}

func (h *history) note(done porcupine.Operation, certain bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	done.Return = time.Now().UnixNano()
	switch {
	case !certain:
		done.Return = math.MaxInt64 // it may take effect at any time from its call on
		h.doubtful++
	case done.Input.(wish).write:
		h.writes++
	default:
		h.reads++
	}
	h.done = append(h.done, done)
}

// asked keeps an id for others to look for, and recent picks one.
func (h *history) asked(id string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest = append(h.newest, id)
	return id
}

func (h *history) recent(random *rand.Rand) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.newest) == 0 {
		return "none"
	}
	return h.newest[max(0, len(h.newest)-1-random.IntN(3))]
}

func TestTheInterfaceIsLinearizableUnderRandomFaults(t *testing.T) {
	var all history
	for seed := range *linearScripts {
		dir := t.TempDir()
		h := &history{}
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, dir, threeNodes)
			defer s.close()
			s.found()
			s.declareFrozenable()
			s.faultScript(uint64(seed), h)
		})
		for _, part := range byKey(h.done) {
			if result := porcupine.CheckOperationsTimeout(interfaceModel, part, 20*time.Second); result != porcupine.Ok {
				t.Errorf("fault script %d: %v: %d calls about %s", seed, result, len(part), part[0].Input.(wish).key)
			}
		}
		all.writes, all.reads, all.doubtful = all.writes+h.writes, all.reads+h.reads, all.doubtful+h.doubtful
	}
	t.Logf("%d requests, %d reads, %d requests of unknown outcome", all.writes, all.reads, all.doubtful)
	if all.writes < 20*(*linearScripts) || all.reads < 20*(*linearScripts) || all.doubtful == 0 {
		t.Error("the scripts let too little through, or nothing in doubt, so they show nothing")
	}
}

// declareFrozenable declares a service that is down, so that faults concern
// the interface and not the service.
func (s *site) declareFrozenable() {
	s.t.Helper()
	text := strings.Replace(documentOf(map[string]string{"vm:a": "node1"}), "    domain:",
		"    autostart: false\n    domain:", 1)
	var reply api.ConfigReply
	s.must("node1", rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status("node1").ConfigVersion,
		Text: text}, &reply)
	s.until("vm:a is disabled and held by nobody", func() bool {
		v := s.service(s.leader(), "vm:a")
		return v.State.String() == "disabled" && len(v.Holders) == 0
	})
}

func (s *site) faultScript(seed uint64, h *history) {
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for id, at := range threeNodes {
		clients.Go(func() { s.client(ctx, rand.New(rand.NewPCG(seed, uint64(id))), id, at, h) })
	}
	script := rand.New(rand.NewPCG(seed, 99))
	for range 8 {
		time.Sleep(time.Duration(script.IntN(1500)) * time.Millisecond)
		a, b := threeNodes[script.IntN(3)], threeNodes[script.IntN(3)]
		switch script.IntN(4) {
		case 0:
			s.isolate(a)
		case 1:
			if a != b {
				s.cutLink(a, b)
			}
		default:
			s.mend()
		}
	}
	s.mend()
	time.Sleep(3 * time.Second)
	stop()
	clients.Wait()
}

// client works on one node until the context ends.
func (s *site) client(ctx context.Context, random *rand.Rand, id int, at string, h *history) {
	for i := 0; ctx.Err() == nil; i++ {
		limited, cancel := context.WithTimeout(ctx, time.Second)
		call := time.Now().UnixNano()
		switch random.IntN(3) {
		case 0:
			s.freezeOrThaw(limited, porcupine.Operation{ClientId: id, Call: call}, at, h.asked(fmt.Sprintf("%s-%d", at, i)),
				random.IntN(2) == 0, h)
		case 1:
			code, body := s.askFor(limited, at, viewer, "GET", api.PathStatus+"?fresh=1", nil)
			if code == http.StatusOK {
				frozen := strings.Contains(decoded[api.Status](s.t, body).Services[0].FlagsText, "Z")
				h.note(porcupine.Operation{ClientId: id, Call: call, Input: wish{key: "flag"}, Output: frozen}, true)
			}
		default:
			asked := h.recent(random)
			code, _ := s.askFor(limited, at, viewer, "GET", api.PathRequests+"/"+asked, nil)
			if code == http.StatusOK || code == http.StatusNotFound {
				h.note(porcupine.Operation{ClientId: id, Call: call, Input: wish{key: asked}, Output: code == http.StatusOK}, true)
			}
		}
		cancel()
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	}
}

func (s *site) freezeOrThaw(ctx context.Context, done porcupine.Operation, at, id string, freeze bool, h *history) {
	op := cluster.OpUnfreeze
	if freeze {
		op = cluster.OpFreeze
	}
	code, body := s.askFor(ctx, at, rootUser, "POST", api.PathRequests, api.Request{ID: id, Op: op, Service: "vm:a"})
	certain := code == http.StatusOK
	if !certain && decoded[api.Failure](s.t, body).Code != "outcome_unknown" {
		return // it says that nothing was done, and the model holds it to that
	}
	done.Input = wish{key: "flag", write: true, value: freeze}
	h.note(done, certain)
	done.Input = wish{key: id, write: true, value: true}
	h.note(done, certain)
}
