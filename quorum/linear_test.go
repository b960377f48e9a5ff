package quorum

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
)

var linearScripts = flag.Int("linear-scripts", 25, "random fault scripts of the linearizability test")

// A read is a call of Verify and a look at the local Machine; a write is a Propose. Whatever
// links break, their history must be that of one register.
type operation struct {
	write bool
	value string
}

var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if asked := input.(operation); asked.write {
			return true, asked.value
		}
		return output == state, state
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %v", input, output) },
}

func TestHistoriesUnderRandomFaultsAreLinearizable(t *testing.T) {
	writes, reads, doubtful := 0, 0, 0
	for seed := range *linearScripts {
		var history []porcupine.Operation
		synctest.Test(t, func(t *testing.T) { history = runFaultScript(t, uint64(seed)) })
		for _, done := range history {
			switch {
			case done.Return == math.MaxInt64:
				doubtful++
			case done.Input.(operation).write:
				writes++
			default:
				reads++
			}
		}
		if result := porcupine.CheckOperationsTimeout(registerModel, history, 20*time.Second); result != porcupine.Ok {
			t.Errorf("fault script %d: %v: %+v", seed, result, history)
		}
	}
	t.Logf("%d writes, %d reads, %d writes of unknown outcome", writes, reads, doubtful)
	if writes == 0 || reads == 0 {
		t.Error("the scripts let nothing through, so they show nothing")
	}
}

// runFaultScript lets three clients work on three nodes while a seeded script cuts and mends links.
func runFaultScript(t *testing.T, seed uint64) []porcupine.Operation {
	c := newCluster(t, 3, nil)
	defer c.close()
	c.leader()
	var mu sync.Mutex
	var history []porcupine.Operation
	note := func(done porcupine.Operation) {
		mu.Lock()
		defer mu.Unlock()
		history = append(history, done)
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for id, n := range c.nodes {
		clients.Go(func() { runClient(ctx, rand.New(rand.NewPCG(seed, uint64(id))), id, n, note) })
	}
	script := rand.New(rand.NewPCG(seed, 99))
	for range 8 {
		time.Sleep(time.Duration(script.IntN(1500)) * time.Millisecond)
		a, b := c.nodes[script.IntN(3)].id, c.nodes[script.IntN(3)].id
		switch script.IntN(3) {
		case 0:
			c.network.Isolate(a)
		case 1:
			c.network.Cut(a, b)
		default:
			c.network.Mend()
		}
	}
	c.network.Mend()
	time.Sleep(3 * time.Second)
	stop()
	clients.Wait()
	return history
}

func runClient(ctx context.Context, random *rand.Rand, id int, n *node, note func(porcupine.Operation)) {
	for i := 0; ctx.Err() == nil; i++ {
		done := porcupine.Operation{ClientId: id, Call: time.Now().UnixNano()}
		limited, cancel := context.WithTimeout(ctx, time.Second)
		var err error
		if random.IntN(2) == 0 {
			value := fmt.Sprint(id, "/", i)
			done.Input = operation{write: true, value: value}
			_, err = n.log.Propose(limited, writeOf("register", value))
		} else {
			done.Input = operation{}
			read := n.log.Verify
			if i%2 == 1 {
				read = n.log.VerifyShared
			}
			err = read(limited)
			done.Output = n.machine.get("register")
		}
		cancel()
		done.Return = time.Now().UnixNano()
		if err == nil {
			note(done)
		} else if done.Input.(operation).write && (errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrNotYetApplied)) {
			done.Return = math.MaxInt64 // it may take effect at any time from its call on
			note(done)
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	}
}

// TestAReaderWaitsNoLongerThanItMay: somebody else's barrier is under way, and does not pass.
func TestAReaderWaitsNoLongerThanItMay(t *testing.T) {
	l := &Log{barrier: make(chan struct{}, 1)}
	l.barrier <- struct{}{}
	tired := errors.New("it has waited long enough")
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, tired)
	defer cancel()
	if err := l.passBarrier(ctx, 1); !errors.Is(err, tired) {
		t.Errorf("the reader ends with %v", err)
	}
}
