package homes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

func at(text string) netip.Addr { return netip.MustParseAddr(text) }

// TestAddressesCountAsTheyAre: the very address, and not the network that it is in; how it is
// written does not matter.
func TestAddressesCountAsTheyAre(t *testing.T) {
	book := New(nil, quiet)
	book.Set([]string{"fd00::1", "10.0.0.7", "10.0.0.7"})
	for text, want := range map[string]bool{
		"fd00::1": true, "fd00:0:0::1": true, "fd00::1%eth0": true, "fd00::2": false,
		"10.0.0.7": true, "::ffff:10.0.0.7": true, "10.0.0.8": false,
	} {
		if book.Has(at(text)) != want {
			t.Errorf("a node is at %s: %v", text, !want)
		}
	}
	if book.Has(netip.Addr{}) || len(book.All()) != 2 {
		t.Errorf("there are %v", book.All())
	}
	book.Set([]string{"fd00::1"})
	if book.Has(at("10.0.0.7")) {
		t.Error("the address of a node that is gone is still one")
	}
}

// TestNamesAreLookedUpBeside: who asks never waits, however long a name server takes; what was
// found stays while it does not answer, and goes with its host.
func TestNamesAreLookedUpBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		var answer atomic.Pointer[netip.Addr]
		old, fresh := at("10.0.0.3"), at("10.0.0.4")
		answer.Store(&old)
		book := New(func(ctx context.Context, host string) ([]netip.Addr, error) {
			switch {
			case host == "mute":
				<-ctx.Done()
				return nil, ctx.Err()
			case fails.Load():
				return nil, errors.New("no name server answers")
			}
			return []netip.Addr{*answer.Load()}, nil
		}, quiet)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go book.Run(ctx)
		began := time.Now()
		book.Set([]string{"node3", "mute", "10.0.0.1"})
		if !book.Has(at("10.0.0.1")) || book.Has(old) || time.Since(began) != 0 {
			t.Errorf("at once there are %v", book.All())
		}
		synctest.Wait()
		if !book.Has(old) {
			t.Error("a name that was found does not count while another one is waited for")
		}
		time.Sleep(patience)
		fails.Store(true)
		time.Sleep(again + patience)
		if !book.Has(old) {
			t.Error("a name server that fails took an address away")
		}
		fails.Store(false)
		answer.Store(&fresh)
		time.Sleep(again + patience)
		if book.Has(old) || !book.Has(fresh) {
			t.Errorf("a name that moved is at %v", book.All())
		}
		book.Set([]string{"10.0.0.1"})
		if book.Has(fresh) {
			t.Error("a host that is gone still counts")
		}
	})
}

// TestTheBookIsBounded: in hosts, in addresses of a name, and in questions at once.
func TestTheBookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		book := New(func(context.Context, string) ([]netip.Addr, error) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Millisecond)
			now.Add(-1)
			var many []netip.Addr
			for i := range 100 {
				many = append(many, netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}))
			}
			return many, nil
		}, quiet)
		var hosts []string
		for i := range mostHosts + 10 {
			hosts = append(hosts, fmt.Sprintf("10.2.%d.%d", i/256, i%256))
		}
		book.Set(hosts)
		if len(book.All()) != mostHosts {
			t.Errorf("%d hosts are known, want %d", len(book.All()), mostHosts)
		}
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprint("node", i))
		}
		book.Set(names)
		ctx, cancel := context.WithCancel(t.Context())
		go book.Run(ctx)
		time.Sleep(time.Second)
		cancel()
		if len(book.All()) != mostOfOne || most.Load() != atOnce {
			t.Errorf("%d addresses of one name, %d questions at once", len(book.All()), most.Load())
		}
	})
}
