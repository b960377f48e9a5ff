package rules

import (
	"github.com/clusterd/clusterd/internal/message"
)

// LockedWhy says that and why nothing may start; nothing if it may.
func (w *World) LockedWhy() message.Text {
	switch {
	case w.Lock() == nil:
		return message.Text{}
	case w.Lock().Stop:
		return message.LockStopsAll.With(w.Lock().By, w.Lock().Why)
	}
	return message.LockHolds.With(w.Lock().By, w.Lock().Why)
}

// UnlockNext says what takes the lock away.
func (w *World) UnlockNext() message.Text {
	if w.Lock() != nil && w.Lock().Stop {
		return message.DoStartCluster.With()
	}
	return message.DoUnlockCluster.With()
}
