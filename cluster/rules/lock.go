package rules

import (
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/internal/message"
)

// LockedWhy says that and why nothing may start; "" if it may.
func (w *World) LockedWhy() message.Text {
	switch {
	case w.Lock() == nil:
		return message.Text{}
	case w.Lock().Stop:
		return message.Sentence(words.Sentence("the whole cluster was stopped by "+words.OrElse(w.Lock().By, "an administrator"), w.Lock().Why))
	}
	by := words.OrElse(w.Lock().By, "an administrator")
	return message.Sentence(words.Sentence("no service is started: the cluster is locked by "+by, w.Lock().Why))
}

// UnlockNext says what takes the lock away.
func (w *World) UnlockNext() message.Text {
	if w.Lock() != nil && w.Lock().Stop {
		return message.Sentence("`clusterd cluster start`")
	}
	return message.Sentence("`clusvcadm -u`")
}
