package agents

import (
	"context"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// Foreseeing is an agent that can tell what a live move of a service that runs here would come to.
// It measures for some seconds, which costs the guest nothing that can be noticed.
type Foreseeing interface {
	Foresee(ctx context.Context, act Act) (Forecast, error)
}

// Forecast is what a live move would come to.
type Forecast struct {
	// Memory is what has to be sent, in bytes. Dirty is what the guest writes anew, and Rate what was
	// reckoned to be sent, both in bytes a second.
	Memory uint64 `json:"memory"`
	Dirty  uint64 `json:"dirty"`
	Rate   uint64 `json:"rate"`
	// Ends tells that it ends by itself. Then Total is how long it takes, and Downtime how long the
	// guest stands still at most.
	Ends     bool          `json:"ends"`
	Total    time.Duration `json:"total,omitempty"`
	Downtime time.Duration `json:"downtime,omitempty"`
}

// By is the forecast for a mode. By post-copy the memory is sent once, after a switch; a hybrid
// move whose passes would not shrink has sent it twice by then.
func (f Forecast) By(mode resources.MoveMode) Forecast {
	sends := 0
	switch {
	case f.Rate == 0 || mode != resources.MovePostCopy && (mode != resources.MoveHybrid || f.Ends):
		return f
	case mode == resources.MovePostCopy:
		sends = 1
	default:
		sends = fruitlessSends
	}
	f.Ends, f.Downtime = true, switchOver
	f.Total = startOfMove + time.Duration(float64(sends)*float64(f.Memory)/float64(f.Rate)*float64(time.Second))
	return f
}

// fruitlessSends is how often a hybrid move sends the memory that is always written anew: the first
// pass, three until it is given up, and once more.
const fruitlessSends = 5

const (
	// startOfMove is how long it takes until memory moves, most of it the start of the target's QEMU,
	// and switchOver what a switch takes besides what is still to be sent. Both were measured.
	startOfMove = 600 * time.Millisecond
	switchOver  = 40 * time.Millisecond
	// hopeless is the share of the rate from which on what the guest writes is not caught up with.
	hopeless = 0.9
)

// Foretell reckons what a move comes to: each pass sends what was written during the one before, so
// the time is memory / (rate - dirty). Allowed is for how long the guest may stand still.
func Foretell(memory, dirty, rate uint64, allowed time.Duration) Forecast {
	f := Forecast{Memory: memory, Dirty: dirty, Rate: rate}
	if rate == 0 || float64(dirty) > hopeless*float64(rate) {
		return f
	}
	f.Ends = true
	f.Total = startOfMove + time.Duration(float64(memory)/float64(rate-dirty)*float64(time.Second))
	// What is left at the switch can be sent in the time that is allowed; a guest that writes little
	// leaves less.
	f.Downtime = switchOver + time.Duration(float64(allowed)*float64(dirty)/float64(rate))
	return f
}
